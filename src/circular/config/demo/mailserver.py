"""The sample university's mail server: takes mail by SMTP, keeps it, shows it by IMAP and on a page.

It accepts nothing it has not written to disk. Addresses it does not know are refused with 550
5.1.1; a few that it knows bounce a moment later, as real systems do. Mail for Circular's own
domain is passed on to Circular's door and tried again until that door took it.

Known gaps: the IMAP half knows what a reader of one folder needs (LOGIN, LIST, SELECT, EXAMINE,
SEARCH, FETCH, their UID forms, NOOP, LOGOUT) and no more.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import smtplib
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from email.utils import format_datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from circular.config.demo.mailpages import serve_pages
from circular.config.demo.mailstore import MailStore

LARGEST_MESSAGE = 40 * 1024 * 1024  # octets; above Circular's own ceiling of 30 MB
BOUNCE_DELAY = 2.0  # seconds between taking a message and reporting that it cannot be delivered
TRY_AGAIN = 1.0  # seconds between offers to Circular's door
REPORT = """\
From: MAILER-DAEMON@{domain}
To: {reverse_path}
Date: {date}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="report"

--report
Content-Type: text/plain; charset=us-ascii

The mailbox {address} has been disabled.

--report
Content-Type: message/delivery-status

Reporting-MTA: dns; {domain}

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.2.1
Diagnostic-Code: smtp; 550 5.2.1 Mailbox disabled

--report
Content-Type: text/rfc822-headers

{head}

--report--
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Who lives here and where the neighbour's door is."""

    mailboxes: frozenset[str]
    bouncing: frozenset[str]
    neighbour_domain: str
    neighbour: tuple[str, int]


def _shown(value: object) -> str:
    """Return a header as text on one line, whatever it holds."""
    try:
        text = str(make_header(decode_header(str(value or ""))))
    except (ValueError, LookupError):
        text = str(value)
    return " ".join(text.split())


class Counter:
    """The SMTP half: every answer of 250 is a message on disk."""

    def __init__(self, store: MailStore, town: Town) -> None:
        self._store = store
        self._town = town

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        box = address.lower()
        domain = box.rpartition("@")[2]
        if domain != self._town.neighbour_domain and box not in self._town.mailboxes:
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 Recipient ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.content
        assert isinstance(raw, bytes)
        try:
            await asyncio.to_thread(
                self._keep, raw, envelope.mail_from or "", list(envelope.rcpt_tos)
            )
        except sqlite3.OperationalError:
            return "452 4.3.1 No room to keep this message, try again later"
        return "250 2.0.0 Kept"

    def _keep(self, raw: bytes, envelope_from: str, recipients: list[str]) -> None:
        head = BytesHeaderParser(policy=policy.compat32).parsebytes(raw)
        here = sorted({address.lower() for address in recipients})
        for address in here:
            if address.rpartition("@")[2] == self._town.neighbour_domain:
                self._store.queue(
                    envelope_from=envelope_from, envelope_to=address, raw=raw, not_before=0.0
                )
            elif address in self._town.bouncing:
                self._store.queue(
                    envelope_from="",
                    envelope_to=envelope_from,
                    raw=_report(address, envelope_from, raw),
                    not_before=time.time() + BOUNCE_DELAY,
                )
        local = [
            address
            for address in here
            if address in self._town.mailboxes and address not in self._town.bouncing
        ]
        if local:
            self._store.deliver(
                local,
                at=datetime.now(tz=UTC).isoformat(timespec="seconds"),
                envelope_from=envelope_from,
                headers=(
                    str(head["Message-ID"] or "").strip(),
                    _shown(head["From"]),
                    _shown(head["Subject"]),
                ),
                raw=raw,
            )


def _report(address: str, reverse_path: str, raw: bytes) -> bytes:
    """Write a delivery report about one mailbox (RFC 3464)."""
    domain = address.rpartition("@")[2]
    head = raw.split(b"\r\n\r\n", 1)[0][:16384].decode("ascii", "replace")
    return (
        REPORT.format(
            address=address,
            domain=domain,
            reverse_path=reverse_path,
            date=format_datetime(datetime.now(tz=UTC)),
            head=head.replace("\r\n", "\n"),
        )
        .replace("\n", "\r\n")
        .encode("ascii", "replace")
    )


async def forward(store: MailStore, town: Town) -> None:
    """Offer the neighbour's mail at its door until the door takes it."""

    def offer_all() -> None:
        for waiting in store.due(time.time()):
            try:
                with smtplib.SMTP(*town.neighbour, timeout=20) as door:
                    door.sendmail(waiting.envelope_from, [waiting.envelope_to], waiting.raw)
                store.forward_done(waiting.id)
            except smtplib.SMTPRecipientsRefused as refused:
                code = max(code for code, _ in refused.recipients.values())
                if code >= 500:
                    store.forward_done(waiting.id)
                else:
                    store.put_off(waiting.id, time.time() + TRY_AGAIN)
            except (OSError, smtplib.SMTPException):
                store.put_off(waiting.id, time.time() + TRY_AGAIN)

    while True:
        await asyncio.to_thread(offer_all)
        await asyncio.sleep(0.3)


class Reader:
    """The IMAP half: one folder, INBOX, per mailbox; every password is the demo's own.

    Source: RFC 3501, the commands named in the module's docstring.
    """

    def __init__(self, store: MailStore, town: Town, password: str) -> None:
        self._store = store
        self._town = town
        self._password = password

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it says LOGOUT or hangs up."""
        writer.write(b"* OK [CAPABILITY IMAP4rev1] Ready\r\n")
        mailbox: str | None = None
        selected: list[int] = []
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while line := await self._command(reader, writer):
                tag, _, rest = line.partition(" ")
                words = _words(rest)
                verb = words[0].upper() if words else ""
                by_uid = verb == "UID"
                if by_uid:
                    words = words[1:]
                    verb = words[0].upper()
                match verb:
                    case "CAPABILITY":
                        writer.write(b"* CAPABILITY IMAP4rev1\r\n")
                    case "NOOP" | "CLOSE" | "CHECK":
                        pass
                    case "LOGIN":
                        box = words[1].lower()
                        if box not in self._town.mailboxes or words[2] != self._password:
                            writer.write(f"{tag} NO [AUTHENTICATIONFAILED] No\r\n".encode())
                            continue
                        mailbox = box
                    case "LOGOUT":
                        writer.write(f"* BYE\r\n{tag} OK Done\r\n".encode())
                        await writer.drain()
                        break
                    case _ if mailbox is None:
                        writer.write(f"{tag} NO Log in first\r\n".encode())
                        continue
                    case "LIST":
                        writer.write(b'* LIST () "/" INBOX\r\n')
                    case "SELECT" | "EXAMINE":
                        selected = await asyncio.to_thread(self._store.uids, mailbox)
                        following = (selected[-1] if selected else 0) + 1
                        writer.write(
                            b"* FLAGS (\\Seen)\r\n"
                            + f"* {len(selected)} EXISTS\r\n* 0 RECENT\r\n".encode()
                            + f"* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT {following}] ok\r\n".encode()
                        )
                    case "SEARCH":
                        found = await asyncio.to_thread(self._search, mailbox, words[1:])
                        numbers = [u if by_uid else selected.index(u) + 1 for u in found]
                        writer.write(
                            f"* SEARCH {' '.join(map(str, numbers))}".rstrip().encode() + b"\r\n"
                        )
                    case "FETCH":
                        for number, uid in _chosen(words[1], selected, by_uid=by_uid):
                            raw = await asyncio.to_thread(self._store.raw, mailbox, uid)
                            if raw is not None:
                                writer.write(_fetched(number, uid, raw, " ".join(words[2:])))
                                await writer.drain()
                    case _:
                        writer.write(f"{tag} BAD Not spoken here\r\n".encode())
                        continue
                writer.write(f"{tag} OK Done\r\n".encode())
                await writer.drain()
        writer.close()

    async def _command(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Return one command with its literals put in place; "" at the end of the stream."""
        command = ""
        while True:
            line = (await reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
            literal = re.search(r"\{(\d{1,6})(\+?)\}$", line)
            if not literal:
                return command + line
            if not literal[2]:
                writer.write(b"+ go on\r\n")
                await writer.drain()
            octets = await reader.readexactly(int(literal[1]))
            quoted = octets.decode("utf-8", "replace").replace("\\", "\\\\").replace('"', '\\"')
            command += f'{line[: literal.start()]}"{quoted}"'

    def _search(self, mailbox: str, criteria: list[str]) -> list[int]:
        upper = [word.upper() for word in criteria]
        if "HEADER" in upper:
            where = upper.index("HEADER")
            if upper[where + 1] == "MESSAGE-ID":
                return self._store.uids(mailbox, criteria[where + 2])
        return self._store.uids(mailbox)


def _words(text: str) -> list[str]:
    """Split an IMAP command into atoms, quoted strings and bracketed items."""
    pattern = r'"((?:\\.|[^"\\])*)"|([^\s()"\[]*\[[^\]]*\](?:<[\d.]+>)?)|([^\s()"]+)'
    return [
        re.sub(r"\\(.)", r"\1", quoted) if quoted or not (item or atom) else item or atom
        for quoted, item, atom in re.findall(pattern, text)
    ]


def _chosen(wanted: str, selected: list[int], *, by_uid: bool) -> list[tuple[int, int]]:
    """Return (sequence number, uid) of every message a set names (RFC 3501 `sequence-set`)."""
    last = (selected[-1] if by_uid else len(selected)) if selected else 0
    spans: list[tuple[int, int]] = []
    for part in wanted.split(","):
        ends = [last if end == "*" else int(end) for end in part.split(":")]
        spans.append((min(ends), max(ends)))
    return [
        (number, uid)
        for number, uid in enumerate(selected, start=1)
        if any(low <= (uid if by_uid else number) <= high for low, high in spans)
    ]


def _fetched(number: int, uid: int, raw: bytes, items: str) -> bytes:
    """Write one FETCH answer holding what was asked for."""
    asked = items.upper()
    parts: list[bytes] = [f"UID {uid}".encode()]
    if "FLAGS" in asked:
        parts.append(b"FLAGS ()")
    if "RFC822.SIZE" in asked:
        parts.append(f"RFC822.SIZE {len(raw)}".encode())
    if "INTERNALDATE" in asked:
        parts.append(b'INTERNALDATE "01-Jan-2026 00:00:00 +0000"')
    if header := re.search(r"BODY(?:\.PEEK)?(\[HEADER[^\]]*\])", asked):
        head = raw.split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n"
        if fields := re.search(r"\(([^)]*)\)", header[1]):
            wanted = tuple(name.encode() + b":" for name in fields[1].split())
            lines = re.split(rb"\r\n(?![ \t])", head)
            kept = [line for line in lines if line.upper().startswith(wanted)]
            head = b"\r\n".join([*kept, b"", b""])
        parts.append(f"BODY{header[1]} {{{len(head)}}}\r\n".encode() + head)
    if whole := re.search(r"BODY(?:\.PEEK)?\[\](?:<(\d+)\.(\d+)>)?", asked):
        start = int(whole[1] or 0)
        body = raw[start : start + int(whole[2])] if whole[2] else raw
        origin = f"<{start}>" if whole[2] else ""
        parts.append(f"BODY[]{origin} {{{len(body)}}}\r\n".encode() + body)
    if "RFC822" in asked.split():
        parts.append(f"RFC822 {{{len(raw)}}}\r\n".encode() + raw)
    return f"* {number} FETCH (".encode() + b" ".join(parts) + b")\r\n"


async def run(store: MailStore, town: Town, ports: dict[str, int], password: str) -> None:
    """Serve SMTP, IMAP and the pages until somebody asks it to stop."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)

    def smtp() -> SMTP:
        return SMTP(
            Counter(store, town),
            data_size_limit=LARGEST_MESSAGE,
            hostname="correo.unimacizo.example",
            ident="Servidor de muestra",
            loop=loop,
        )

    imap = Reader(store, town, password)
    servers = [
        await loop.create_server(smtp, "127.0.0.1", ports["smtp"]),
        await asyncio.start_server(imap.serve, "127.0.0.1", ports["imap"], limit=1 << 20),
        await serve_pages(store, ports["pages"]),
    ]
    carrier = asyncio.create_task(forward(store, town))
    parent = os.getppid()
    print("ready", flush=True)
    while (
        not stop.is_set() and os.getppid() == parent
    ):  # a killed demo must not leave its ports taken
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=0.5)
    carrier.cancel()
    for server in servers:
        server.close()


def main(arguments: list[str] | None = None) -> int:
    """Run the mail server that a town file describes: `python -m … TOWN.json`."""
    parser = argparse.ArgumentParser(prog="circular-demo-mail")
    parser.add_argument("town", type=Path)
    description = json.loads(parser.parse_args(arguments).town.read_text(encoding="utf-8"))
    town = Town(
        mailboxes=frozenset(description["mailboxes"]),
        bouncing=frozenset(description["bouncing"]),
        neighbour_domain=description["neighbour_domain"],
        neighbour=(description["neighbour_host"], description["neighbour_port"]),
    )
    store = MailStore(Path(description["store"]))
    asyncio.run(run(store, town, description["ports"], description["password"]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
