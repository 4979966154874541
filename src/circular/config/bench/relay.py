"""`circular bench relay`: a fast, scriptable sink that writes down what it took before it says so.

It is the far side that judges a sender: each message it answers with 250 was appended to the
record file first (and is on disk with `--fsync`), so its book can be compared with ours, name by
name. A script makes it misbehave: rules are looked at in order, the first that fits is played.

    [[rule]]
    at = "rcpt"                 # connect, ehlo, mail, rcpt, data, dot
    match = "full"              # part of the command's argument; absent: always
    share = 0.05                # how often, by the seed; absent: always
    skip = 20                   # fits that pass before the rule begins
    times = 3                   # at most this often; absent: for ever
    reply = "452 4.2.2 full"    # several lines: a list; absent: the usual reply
    delay = 0.5                 # seconds before the reply
    hang = "before"             # hang up without a reply, or "after" it
    store = false               # at the dot: write it down before hanging up?

Known gaps: no TLS (a proxy or a real Postfix does that), no CHUNKING yet.
"""

import asyncio
import json
import os
import random
import re
import signal
import sys
import tomllib
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from typing_extensions import override

MAX_LINE_OCTETS = 4096
_PATH = re.compile(rb"<([^>]*)>")
_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_PHASES = ("connect", "ehlo", "mail", "rcpt", "data", "dot")
_USUAL: Mapping[str, str] = {
    "connect": "220 sink.circular ESMTP",
    "mail": "250 2.1.0 sender ok",
    "rcpt": "250 2.1.5 recipient ok",
    "data": "354 go ahead",
    "dot": "250 2.0.0 taken",
}


class ScriptError(ValueError):
    """A script that cannot be played; the message says why."""


@dataclass(slots=True, kw_only=True)
class Rule:
    """One way to misbehave."""

    at: str
    match: str = ""
    share: float = 1.0
    skip: int = 0
    times: int = -1
    reply: Sequence[str] = ()
    delay: float = 0.0
    hang: Literal["", "before", "after"] = ""
    store: bool = True

    def fits(self, argument: str, dice: random.Random) -> bool:
        """Whether this rule is played now; counts itself down."""
        if self.times == 0 or self.match not in argument:
            return False
        if self.share < 1.0 and dice.random() >= self.share:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= self.times > 0
        return True


def rules_of(text: str) -> list[Rule]:
    """Read a script.

    Raises: ScriptError
    """
    try:
        rows = tomllib.loads(text).get("rule", [])
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(str(error)) from None
    rules = []
    for number, row in enumerate(rows, 1):
        unknown = set(row) - set(Rule.__dataclass_fields__)
        if (
            unknown
            or row.get("at") not in _PHASES
            or row.get("hang", "") not in ("", "before", "after")
        ):
            raise ScriptError(
                f"rule {number}: {', '.join(sorted(unknown)) or 'at or hang'} unknown"
            )
        if isinstance(row.get("reply"), str):
            row["reply"] = [row["reply"]]
        rules.append(Rule(**row))
    return rules


@dataclass(slots=True, kw_only=True)
class Manner:
    """How the sink behaves, and what it has seen."""

    rules: Sequence[Rule] = ()
    latency: float = 0.0
    pipelining: bool = True
    extensions: Sequence[str] = ("8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 52428800")
    record: Path | None = None
    keep: Path | None = None
    fsync: bool = False
    seed: int = 1
    dice: random.Random = field(init=False)
    seen: Counter[str] = field(default_factory=Counter)
    book: IO[str] | None = None

    def __post_init__(self) -> None:
        """Throw the same dice in every run."""
        self.dice = random.Random(self.seed)  # noqa: S311 - repeatable misbehaviour, no secret
        if self.record is not None:
            self.book = self.record.open("a", encoding="utf-8")

    def rule_for(self, at: str, argument: str) -> Rule | None:
        """Give the first rule that fits."""
        return next((r for r in self.rules if r.at == at and r.fits(argument, self.dice)), None)

    def write_down(self, sender: str, recipients: Sequence[str], raw: bytes) -> None:
        """Append one line for each recipient; durable before the answer when asked for."""
        self.seen["messages"] += 1
        self.seen["recipients"] += len(recipients)
        self.seen["octets"] += len(raw)
        if self.keep is not None:
            number = self.seen["messages"]
            self.keep.mkdir(parents=True, exist_ok=True)
            (self.keep / f"{number:08}.eml").write_bytes(raw)
        if self.book is None:
            return
        found = _MESSAGE_ID.search(raw.partition(b"\r\n\r\n")[0])
        message_id = found[1].decode("utf-8", "replace") if found else ""
        for recipient in recipients:
            line = {"rcpt": recipient, "from": sender, "message_id": message_id}
            self.book.write(json.dumps(line) + "\n")
        self.book.flush()
        if self.fsync:
            os.fsync(self.book.fileno())


class SinkProtocol(asyncio.Protocol):
    """One connection to the sink."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._in_body = self._waiting = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._manner.seen["connections"] += 1
        self._answer("connect", "", [_USUAL["connect"]])

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._work()

    def _work(self) -> None:
        while self._transport is not None and not self._waiting:
            if self._in_body:
                if not self._take_body():
                    return
                continue
            line, end, rest = self._buffer.partition(b"\n")
            if not end:
                if len(line) > MAX_LINE_OCTETS:
                    self._hang_up()
                return
            self._buffer = rest
            self._take_command(line.rstrip(b"\r"))

    def _take_body(self) -> bool:
        # The line end before the dot may be the one of the DATA command: an empty body.
        if self._buffer.startswith(b".\r\n"):
            raw, self._buffer = b"", self._buffer[3:]
        else:
            end = self._buffer.find(b"\r\n.\r\n")
            if end < 0:
                return False
            raw, self._buffer = self._buffer[: end + 2], self._buffer[end + 5 :]
        self._in_body = False
        sender, recipients = self._sender or "", self._recipients
        self._sender, self._recipients = None, []
        stuffed = raw[1:] if raw.startswith(b"..") else raw
        self._store = (sender, recipients, stuffed.replace(b"\r\n..", b"\r\n."))
        self._answer("dot", " ".join(recipients), [_USUAL["dot"]])
        return True

    def _take_command(self, line: bytes) -> None:
        verb, _, argument = line.decode("utf-8", "replace").partition(" ")
        path = _PATH.search(line)
        named = path[1].decode("utf-8", "replace") if path else ""
        match verb.upper():
            case "EHLO" | "LHLO":
                words = [
                    *(["PIPELINING"] if self._manner.pipelining else []),
                    *self._manner.extensions,
                ]
                lines = ["sink.circular", *words]
                usual = [f"250{'-' if n < len(lines) - 1 else ' '}{w}" for n, w in enumerate(lines)]
                self._answer("ehlo", argument, usual)
            case "HELO":
                self._answer("ehlo", argument, ["250 sink.circular"])
            case "MAIL" if self._sender is not None:
                self._say(["503 5.5.1 nested MAIL"])
            case "MAIL":
                if self._answer("mail", named, [_USUAL["mail"]]):
                    self._sender = named
            case "RCPT" if self._sender is None:
                self._say(["503 5.5.1 no sender"])
            case "RCPT":
                if self._answer("rcpt", named, [_USUAL["rcpt"]]):
                    self._recipients.append(named)
            case "DATA" if not self._recipients:
                self._say(["503 5.5.1 no valid recipients"])
            case "DATA":
                self._in_body = self._answer("data", "", [_USUAL["data"]])
            case "RSET":
                self._sender, self._recipients = None, []
                self._say(["250 2.0.0 reset"])
            case "NOOP":
                self._say(["250 2.0.0 ok"])
            case "QUIT":
                self._say(["221 2.0.0 bye"])
                self._hang_up()
            case _:
                self._say(["500 5.5.1 unknown command"])

    def _answer(self, at: str, argument: str, usual: list[str]) -> bool:
        """Answer as the script wants; say whether the answer was a positive one."""
        rule = self._manner.rule_for(at, argument)
        lines = list(rule.reply) if rule is not None and rule.reply else usual
        wait = self._manner.latency + (rule.delay if rule is not None else 0.0)
        hang = rule.hang if rule is not None else ""
        if rule is not None:
            self._manner.seen[f"rule_{at}"] += 1
        positive = lines[-1][:1] in "23" and hang != "before"
        if at == "dot" and (positive or (hang == "before" and rule is not None and rule.store)):
            self._manner.write_down(*self._store)
        if wait > 0:
            self._waiting = True
            asyncio.get_running_loop().call_later(wait, self._finish_answer, lines, hang)
        else:
            self._finish_answer(lines, hang, resume=False)
        return positive

    def _finish_answer(self, lines: list[str], hang: str, *, resume: bool = True) -> None:
        self._waiting = False
        if hang != "before":
            self._say(lines)
        if hang:
            self._hang_up()
        elif resume:
            self._work()

    def _say(self, lines: Sequence[str]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write("".join(f"{line}\r\n" for line in lines).encode())

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._transport = None


async def start_sink(manner: Manner, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    """Start a sink; the caller closes the server."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: SinkProtocol(manner), host, port, backlog=512)


def add_parser(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add `relay` to `circular bench`."""
    parser = subparsers.add_parser("relay", help="a fast, scriptable sink relay in the foreground")
    parser.add_argument("--listen", default="127.0.0.1:2525", metavar="HOST:PORT")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--script", type=Path, metavar="FILE", help="rules of misbehaviour (TOML)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="one JSON line per recipient")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep each message as a file")
    parser.add_argument("--fsync", action="store_true", help="on disk before 250 is said")
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Run the sink until it is told to stop; print what it saw as one JSON line."""
    host, _, port = args.listen.rpartition(":")
    try:
        rules = rules_of(args.script.read_text("utf-8")) if args.script else []
    except (OSError, ScriptError) as error:
        print(f"circular bench relay: {error}", file=sys.stderr)
        return 2
    manner = Manner(
        rules=rules,
        latency=args.latency,
        pipelining=not args.no_pipelining,
        record=args.record,
        keep=args.keep,
        fsync=args.fsync,
        seed=args.seed,
    )
    asyncio.run(_serve(manner, host or "127.0.0.1", int(port)))
    print(json.dumps(dict(manner.seen)))
    return 0


async def _serve(manner: Manner, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = await start_sink(manner, host, port)
    address: Any = server.sockets[0].getsockname()
    print(json.dumps({"listening": [address[0], address[1]]}), flush=True)
    async with server:
        await stop.wait()
