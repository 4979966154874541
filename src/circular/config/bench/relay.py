"""`circular bench relay`: a fast, scriptable sink that writes down what it took before it says so.

It is the far side that judges a sender: each message it answers with 250 stands in its book first
(on disk with `--durable`), so its book can be compared with ours, name by name. It announces
PIPELINING, CHUNKING, DSN, 8BITMIME, SMTPUTF8 and SIZE, each of which can be left out, and it
misbehaves by script, by share or by the clock (`manner`).

How it flows. Octets land in one buffer per connection. A sink without rules takes a whole
envelope (MAIL, RCPT, DATA) by one expression and its body by one search; everything else goes
command by command. What one read brought is answered in one write, after the book.

Known gaps: no TLS (a proxy or a real Postfix does that); SIZE is announced, not enforced.
"""

import asyncio
import json
import random
import re
import resource
import signal
import sys
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import override

from circular.config.bench.book import Book
from circular.config.bench.manner import SHARES, Rule, ScriptError, Shares, rules_of

BUFFER_OCTETS = 262_144
MAX_LINE_OCTETS = 4096
LINGER_SECONDS = 2.0
MAX_MESSAGE_OCTETS = 100 * 2**20  # what one connection may make us keep
_PATH = re.compile(rb"<([^>]*)>")
_WORDS = re.compile(rb"[ \t]+")
_ENVELOPE = re.compile(
    rb"MAIL FROM:<([^>\r\n]*)>[^\r\n]*\r\n((?:RCPT TO:<[^>\r\n]*>[^\r\n]*\r\n)+)(?:(DATA)|BDAT)"
)
_RCPT = re.compile(rb"RCPT TO:<([^>\r\n]*)>")
_USUAL: Mapping[str, str] = {
    "connect": "220 sink.circular ESMTP",
    "mail": "250 2.1.0 sender ok",
    "rcpt": "250 2.1.5 recipient ok",
    "data": "354 go ahead",
    "dot": "250 2.0.0 taken",
    "quit": "221 2.0.0 bye",
}
_IN_OCTETS = {at: f"{reply}\r\n".encode() for at, reply in _USUAL.items()}
EXTENSIONS = (
    "PIPELINING",
    "CHUNKING",
    "DSN",
    "8BITMIME",
    "SMTPUTF8",
    "ENHANCEDSTATUSCODES",
    "SIZE 52428800",
)


@dataclass(slots=True, kw_only=True)
class Manner:
    """How the sink behaves, and what it has seen.

    Units:   seconds; ``throttle`` is so many messages in so many seconds
    """

    rules: Sequence[Rule] = ()
    latency: float = 0.0
    pipelining: bool = True
    chunking: bool = False
    extensions: Sequence[str] = ("8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 52428800")
    messages_per_connection: int = 0  # then 421, and the connection is closed
    recipients_per_message: int = 0  # 452 for those beyond
    throttle: tuple[int, float] | None = None  # 450 4.2.1 at MAIL for those beyond
    record: Path | None = None
    keep: Path | None = None
    fsync: bool = False
    seed: int = 1
    dice: random.Random = field(init=False)
    seen: Counter[str] = field(default_factory=Counter)
    book: Book | None = None
    began: float = field(default_factory=time.monotonic)
    first_at: float = 0.0
    last_at: float = 0.0
    _recent: deque[float] = field(default_factory=deque)
    _unsaid: list["SinkProtocol"] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Throw the same dice in every run."""
        self.dice = random.Random(self.seed)  # noqa: S311 - repeatable misbehaviour, no secret
        if self.record is not None:
            self.book = Book(self.record, durable=self.fsync)

    @property
    def is_plain(self) -> bool:
        """Whether every command gets its usual reply at once."""
        return not (
            self.rules
            or self.latency
            or self.messages_per_connection
            or self.recipients_per_message
            or self.throttle
        )

    @property
    def announced(self) -> list[str]:
        """The words after EHLO."""
        words = ["PIPELINING"] if self.pipelining else []
        return [*words, *(["CHUNKING"] if self.chunking else []), *self.extensions]

    def rule_for(self, at: str, argument: str) -> Rule | None:
        """Give the first rule that fits."""
        age = time.monotonic() - self.began
        return next(
            (
                rule
                for rule in self.rules
                if rule.at == at and rule.fits(argument, self.dice, age=age, seed=self.seed)
            ),
            None,
        )

    def may_take(self) -> bool:
        """Whether the throttle lets one more message in; counts it."""
        if self.throttle is None:
            return True
        most, seconds = self.throttle
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - seconds:
            self._recent.popleft()
        if len(self._recent) >= most:
            self.seen["throttled"] += 1
            return False
        self._recent.append(now)
        return True

    def take(self, sender: bytes, recipients: Sequence[bytes], body: bytes, *, dots: bool) -> None:
        """Note one message; with ``dots`` it came by DATA and its lines are still stuffed."""
        seen = self.seen
        if not seen["messages"]:
            self.first_at = time.monotonic()
        seen["messages"] += 1
        seen["recipients"] += len(recipients)
        seen["octets"] += len(body)
        if self.book is None and self.keep is None:
            return
        if dots:
            body = (body[1:] if body.startswith(b"..") else body).replace(b"\r\n..", b"\r\n.")
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            (self.keep / f"{seen['messages']:08}.eml").write_bytes(body)
        if self.book is not None:
            names = [one.decode("utf-8", "replace") for one in recipients]
            self.book.take(sender.decode("utf-8", "replace"), names, body)

    def say_when_written(self, speaker: "SinkProtocol") -> None:
        """Let a connection answer once the book is written; those of one moment share a write."""
        if not self._unsaid:
            asyncio.get_running_loop().call_soon(self._write_and_say)
        self._unsaid.append(speaker)

    def _write_and_say(self) -> None:
        if self.book is not None:
            self.book.write()
        speakers, self._unsaid = self._unsaid, []
        for speaker in speakers:
            speaker.say_now()

    def close(self) -> None:
        """End the book."""
        if self.book is not None:
            self.book.close()
            self.book = None


class SinkProtocol(asyncio.BufferedProtocol):
    """One connection to the sink."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._plain = manner.is_plain
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray(BUFFER_OCTETS)
        self._start = self._end = self._searched = 0
        self._out: list[bytes] = []
        self._sender: bytes | None = None
        self._recipients: list[bytes] = []
        self._chunks: list[bytes] = []
        self._chunk_octets = 0  # still to come
        self._last_chunk = False
        self._in_body = self._in_chunk = self._waiting = self._unsaid = self._leaving = False
        self._messages = 0

    # -- octets in ----------------------------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._manner.seen["connections"] += 1
        self._manner.seen["open"] += 1
        seen = self._manner.seen
        seen["most_open"] = max(seen["most_open"], seen["open"])
        self._answer("connect", "", _IN_OCTETS["connect"])
        self._flush()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._manner.seen["open"] -= 1
        self._transport = None

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        if self._start == self._end or self._leaving:
            self._start = self._end = self._searched = 0
        elif len(self._buffer) - self._end < MAX_LINE_OCTETS:
            # A new one: the old may still be lent to the transport.
            kept = self._buffer[self._start : self._end]
            size = max(BUFFER_OCTETS, 2 * len(kept))
            self._buffer = kept + bytearray(size - len(kept))
            self._searched = max(self._searched - self._start, 0)
            self._start, self._end = 0, len(kept)
        return memoryview(self._buffer)[self._end :]

    @override
    def buffer_updated(self, nbytes: int) -> None:
        if self._leaving:
            return
        self._end += nbytes
        if self._end - self._start > MAX_MESSAGE_OCTETS:
            self._hang_up(abort=True)
            return
        self._work()
        self._flush()

    def _work(self) -> None:
        while self._transport is not None and not (self._waiting or self._leaving):
            if self._in_body:
                if not self._take_body():
                    return
            elif self._in_chunk:
                if not self._take_chunk():
                    return
            elif not (self._plain and self._take_envelope()):
                end = self._buffer.find(b"\n", self._start, self._end)
                if end < 0:
                    if self._end - self._start > MAX_LINE_OCTETS:
                        self._hang_up()
                    return
                line = bytes(self._buffer[self._start : end])
                self._start = end + 1
                self._take_command(line.rstrip(b"\r"))

    def _take_envelope(self) -> bool:
        """Take MAIL, every RCPT and DATA at once, where they are all there and nothing is odd."""
        if self._sender is not None:
            return False
        found = _ENVELOPE.match(self._buffer, self._start, self._end)
        if found is None:
            return False
        if found[3] is None:  # BDAT has its own line
            self._start = found.end() - 4
        elif self._buffer.startswith(b"\r\n", found.end(), self._end):
            self._start = found.end() + 2
        else:
            return False
        self._sender = bytes(found[1])
        self._recipients = _RCPT.findall(bytes(found[2]))
        self._out.append(_IN_OCTETS["mail"])
        self._out.append(_IN_OCTETS["rcpt"] * len(self._recipients))
        if found[3] is not None:
            self._out.append(_IN_OCTETS["data"])
            self._in_body = True
        return True

    def _take_body(self) -> bool:
        buffer, start = self._buffer, self._start
        # The line end before the dot may be the one of the DATA command: an empty body.
        if buffer.startswith(b".\r\n", start, self._end):
            body, self._start = b"", start + 3
        else:
            end = buffer.find(b"\r\n.\r\n", max(start, self._searched), self._end)
            if end < 0:
                self._searched = max(start, self._end - 4)
                return False
            body = bytes(memoryview(buffer)[start : end + 2])
            self._start = end + 5
        self._in_body = False
        self._finish_message(body, dots=True)
        return True

    def _take_chunk(self) -> bool:
        taken = min(self._end - self._start, self._chunk_octets)
        if taken:
            self._chunks.append(bytes(memoryview(self._buffer)[self._start : self._start + taken]))
            self._start += taken
            self._chunk_octets -= taken
        if self._chunk_octets:
            return False
        self._in_chunk = False
        if self._sender is None or not self._recipients:
            # RFC 3030 §2: the octets of a chunk are read even where nobody is to have them.
            self._chunks.clear()
            self._say("503 5.5.1 no valid recipients")
        elif self._last_chunk:
            body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks = []
            self._finish_message(body, dots=False)
        else:
            self._say("250 2.0.0 chunk ok")
        return True

    def _finish_message(self, body: bytes, *, dots: bool) -> None:
        sender, recipients = self._sender or b"", self._recipients
        self._sender, self._recipients = None, []
        self._messages += 1
        if self._plain:
            self._manner.take(sender, recipients, body, dots=dots)
            self._unsaid = True
            self._out.append(_IN_OCTETS["dot"])
            return
        names = b" ".join(recipients).decode("utf-8", "replace")
        self._message = (sender, recipients, body, dots)
        self._answer("dot", names, _IN_OCTETS["dot"])

    # -- commands -----------------------------------------------------------------------------

    def _take_command(self, line: bytes) -> None:
        words = _WORDS.split(line, maxsplit=1)
        verb = words[0].decode("utf-8", "replace").upper()
        argument = words[1] if len(words) > 1 else b""
        path = _PATH.search(argument)
        named = path[1] if path else b""
        name = named.decode("utf-8", "replace")
        manner = self._manner
        match verb:
            case "EHLO" | "LHLO":
                lines = ["sink.circular", *manner.announced]
                usual = [f"250-{word}\r\n" for word in lines[:-1]] + [f"250 {lines[-1]}\r\n"]
                self._answer("ehlo", argument.decode("utf-8", "replace"), "".join(usual).encode())
            case "HELO":
                self._answer("ehlo", argument.decode("utf-8", "replace"), b"250 sink.circular\r\n")
            case "MAIL" if self._sender is not None:
                self._say("503 5.5.1 nested MAIL")
            case "MAIL" if 0 < manner.messages_per_connection <= self._messages:
                manner.seen["closed_after_enough"] += 1
                self._say("421 4.7.0 enough for one connection")
                self._hang_up()
            case "MAIL" if not manner.may_take():
                self._say("450 4.2.1 too fast, slow down")
            case "MAIL":
                if self._answer("mail", name, _IN_OCTETS["mail"]):
                    self._sender = named
            case "RCPT" if self._sender is None:
                self._say("503 5.5.1 no sender")
            case "RCPT" if 0 < manner.recipients_per_message <= len(self._recipients):
                self._say("452 4.5.3 too many recipients")
            case "RCPT":
                if self._answer("rcpt", name, _IN_OCTETS["rcpt"]):
                    self._recipients.append(named)
            case "BDAT":
                self._begin_chunk(argument)
            case "DATA" if not self._recipients:
                self._say("503 5.5.1 no valid recipients")
            case "DATA":
                self._in_body = self._answer("data", "", _IN_OCTETS["data"])
            case "RSET":
                self._sender, self._recipients = None, []
                self._chunks = []
                self._say("250 2.0.0 reset")
            case "NOOP":
                self._say("250 2.0.0 ok")
            case "QUIT":
                self._answer("quit", "", _IN_OCTETS["quit"])
                self._hang_up()
            case _:
                manner.seen["unknown_commands"] += 1
                self._say("500 5.5.1 unknown command")

    def _begin_chunk(self, argument: bytes) -> None:
        size, _, last = argument.strip().partition(b" ")
        if not size.isdigit() or last.strip().upper() not in (b"", b"LAST"):
            # Where the text ends is not known now (RFC 3030 §2).
            self._say("501 5.5.4 BDAT octets [LAST]")
            self._hang_up()
            return
        self._chunk_octets, self._last_chunk = int(size), bool(last)
        self._in_chunk = True

    def _answer(self, at: str, argument: str, usual: bytes) -> bool:
        """Answer as the rules want; say whether the answer was a positive one."""
        manner = self._manner
        rule = manner.rule_for(at, argument) if manner.rules else None
        if rule is None:
            return self._reply(manner.latency, usual, "", takes=at == "dot")
        manner.seen[f"rule_{at}"] += 1
        reply = "".join(f"{line}\r\n" for line in rule.reply).encode() if rule.reply else usual
        positive = reply.splitlines()[-1][:1] in b"23" and rule.hang in ("", "after")
        takes = at == "dot" and (positive or (rule.hang in ("before", "silent") and rule.store))
        if rule.drip:
            if takes:
                self._take_down()
            self._drip(reply, rule.drip, rule.hang)
        else:
            self._reply(manner.latency + rule.delay, reply, rule.hang, takes=takes)
        return positive

    def _reply(self, wait: float, reply: bytes, hang: str, *, takes: bool) -> bool:
        """Answer now or later; a message is taken in the moment of its answer, not before."""
        if wait > 0:
            self._waiting = True
            self._flush()
            asyncio.get_running_loop().call_later(wait, self._go_on, reply, hang, takes)
            return True
        if takes:
            self._take_down()
        self._end_answer(reply, hang)
        return True

    def _take_down(self) -> None:
        sender, recipients, body, dots = self._message
        self._manner.take(sender, recipients, body, dots=dots)
        self._unsaid = True

    def _go_on(self, reply: bytes, hang: str, takes: bool = False) -> None:
        if self._transport is None:
            return  # whoever hung up meanwhile brought nothing
        self._waiting = False
        if takes:
            self._take_down()
        self._end_answer(reply, hang)
        self._work()
        self._flush()

    def _drip(self, reply: bytes, seconds: float, hang: str) -> None:
        self._waiting = True
        loop = asyncio.get_running_loop()
        if len(reply) <= 1:
            loop.call_later(seconds, self._go_on, reply, hang)
            return
        self._out.append(reply[:1])
        self._flush()
        loop.call_later(seconds, self._drip, reply[1:], seconds, hang)

    def _end_answer(self, reply: bytes, hang: str) -> None:
        if hang == "silent":
            self._waiting = True
            return
        if hang != "before":
            self._out.append(reply)
        if hang:
            self._hang_up()

    # -- octets out ---------------------------------------------------------------------------

    def _say(self, line: str) -> None:
        self._out.append(f"{line}\r\n".encode())

    def _flush(self) -> None:
        """Let what was said leave: after the book where something was taken."""
        if self._unsaid and self._manner.book is not None:
            self._unsaid = False
            self._manner.say_when_written(self)
        else:
            self.say_now()

    def say_now(self) -> None:
        """Write what is to be said, and hang up where that comes after it."""
        if self._out and self._transport is not None:
            said = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._transport.write(said)
        self._out.clear()
        if self._leaving and self._transport is not None:
            transport, self._transport = self._transport, None
            # Closing with octets unread would send a reset, which can take back what was said
            # before: we read on, and close when the other side does or after a while.
            transport.write_eof()
            asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.abort)

    def _hang_up(self, *, abort: bool = False) -> None:
        self._leaving = True
        if abort and self._transport is not None:
            self._transport.abort()
            self._transport = None


async def start_sink(manner: Manner, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    """Start a sink; the caller closes the server, and the manner's book."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: SinkProtocol(manner), host, port, backlog=512)


# ---- the command


def add_parser(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add `relay` to `circular bench`."""
    parser = subparsers.add_parser("relay", help="a fast, scriptable sink relay in the foreground")
    parser.add_argument("--listen", default="127.0.0.1:2525", metavar="HOST:PORT")
    parser.add_argument("--books", type=Path, metavar="FILE", help="one JSON line per recipient")
    parser.add_argument("--durable", action="store_true", help="on disk before 250 is said")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep each message as a file")
    parser.add_argument("--script", type=Path, metavar="FILE", help="rules of misbehaviour (TOML)")
    parser.add_argument("--seed", type=int, default=1, help="of everything that chance decides")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    for share in SHARES:
        parser.add_argument(
            f"--{share.replace('_', '-')}", type=float, default=0.0, metavar="SHARE"
        )
    parser.add_argument("--close-every", type=int, default=0, metavar="MESSAGES")
    parser.add_argument("--most-recipients", type=int, default=0, metavar="N", help="452 beyond")
    parser.add_argument("--throttle", default="", metavar="MESSAGES/SECONDS", help="450 beyond")
    for word in EXTENSIONS:
        name = word.partition(" ")[0].lower()
        parser.add_argument(f"--no-{name}", action="store_true", help="do not announce it")
    parser.set_defaults(run=run)


def manner_of(args: Namespace) -> Manner:
    """Read the options.

    Raises: ScriptError, OSError
    """
    rules = rules_of(args.script.read_text("utf-8")) if args.script else []
    rules += Shares(**{share: getattr(args, share) for share in SHARES}).rules()
    wanted = [
        word
        for word in EXTENSIONS
        if not getattr(args, f"no_{word.partition(' ')[0].lower()}".replace("-", "_"))
    ]
    throttle = None
    if args.throttle:
        most, _, seconds = args.throttle.partition("/")
        try:
            throttle = (int(most), float(seconds or 1))
        except ValueError:
            raise ScriptError(f"{args.throttle!r} is no MESSAGES/SECONDS") from None
    return Manner(
        rules=rules,
        latency=args.latency,
        pipelining="PIPELINING" in wanted,
        chunking="CHUNKING" in wanted,
        extensions=[word for word in wanted if word not in ("PIPELINING", "CHUNKING")],
        messages_per_connection=args.close_every,
        recipients_per_message=args.most_recipients,
        throttle=throttle,
        record=args.books,
        keep=args.keep,
        fsync=args.durable,
        seed=args.seed,
    )


def run(args: Namespace) -> int:
    """Run the sink until it is told to stop; print what it saw as one JSON line."""
    host, _, port = args.listen.rpartition(":")
    try:
        manner = manner_of(args)
        asyncio.run(_serve(manner, host or "127.0.0.1", int(port)))
    except (OSError, ValueError) as error:
        print(f"circular bench relay: {error}", file=sys.stderr)
        return 2
    print(json.dumps(summary(manner)))
    return 0


def summary(manner: Manner) -> dict[str, object]:
    """Say what came, and what it cost this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    messages = manner.seen["messages"]
    return {
        **{name: count for name, count in sorted(manner.seen.items()) if name != "open"},
        "messages": messages,
        "cpu_seconds": round(cpu, 3),
        "peak_rss_mb": round(used.ru_maxrss / 1024, 1),
    }


async def _serve(manner: Manner, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = await start_sink(manner, host, port)
    address: Any = server.sockets[0].getsockname()
    print(json.dumps({"listening": [address[0], address[1]]}), flush=True)
    try:
        async with server:
            await stop.wait()
    finally:
        manner.close()
