"""Turn a relay's octets into replies, whatever the cut of the stream; nothing it sends can grow.

Rules
1. A reply is one or more lines of three digits, then `-` (more follows) or a space or nothing.
2. A line ends at LF; one CR before it belongs to the line end. Some relays send LF alone.
3. All lines of one reply share the first digit; the last line's code is the reply's.
4. An enhanced code counts only when its class agrees with that digit (RFC 2034 §4).

When it fails: `MalformedReplyError`, after which the stream means nothing more.

Sources: RFC 5321 §4.2 and §4.5.3.1.5 (512 octets a line; real relays exceed it); RFC 3463 §2.
"""

import re
from dataclasses import dataclass

MAX_LINE_OCTETS = 4096  # eight times RFC 5321 §4.5.3.1.5: Google's replies with links exceed 512
MAX_LINES = 128  # the longest EHLO answer seen in the corpora has 20
MAX_TEXT_CHARACTERS = 500  # what is kept as a fact; the columns that hold it are as wide

_LINE = re.compile(rb"([2-5][0-5][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(rb"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?:[ \t]|\Z)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]+")


class MalformedReplyError(ValueError):
    """What the relay sent is no SMTP reply; its message is a stable code."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete reply; lines hold the text after the code, as received."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def enhanced(self) -> str:
        """The enhanced status code, or "" when there is none that agrees with the digit."""
        for line in self.lines:
            found = _ENHANCED.match(line)
            if found is not None and int(found[1]) == self.code // 100:
                return ".".join(part.decode("ascii") for part in found.groups())
        return ""

    @property
    def text(self) -> str:
        """The text in one printable line of at most MAX_TEXT_CHARACTERS, enhanced code included."""
        joined = b" ".join(self.lines)[: 4 * MAX_TEXT_CHARACTERS].decode("utf-8", "replace")
        return " ".join(_UNPRINTABLE.sub(" ", joined).split())[:MAX_TEXT_CHARACTERS]


class ReplyReader:
    """Collects octets and gives out complete replies."""

    __slots__ = ("_buffer", "_codes", "_texts")

    def __init__(self) -> None:
        self._buffer = b""
        self._texts: list[bytes] = []
        self._codes: set[int] = set()

    @property
    def is_empty(self) -> bool:
        """Whether every octet received so far has been given out."""
        return not self._buffer and not self._texts

    def feed(self, data: bytes) -> None:
        """Take octets as they came."""
        self._buffer += data

    def next_reply(self) -> Reply | None:
        """Give out the oldest complete reply, None when more octets are needed.

        Raises: MalformedReplyError; the reader is of no further use then.
        """
        while True:
            end = self._buffer.find(b"\n", 0, MAX_LINE_OCTETS + 1)
            if end < 0:
                if len(self._buffer) > MAX_LINE_OCTETS:
                    raise MalformedReplyError("reply_line_too_long")
                return None
            line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
            reply = self._digest(line.removesuffix(b"\r"))
            if reply is not None:
                return reply

    def _digest(self, line: bytes) -> Reply | None:
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise MalformedReplyError("no_smtp_reply")
        code = int(parts[1])
        self._codes.add(code // 100)
        self._texts.append(parts[3] or b"")
        if len(self._codes) > 1:
            raise MalformedReplyError("reply_of_two_minds")
        if len(self._texts) > MAX_LINES:
            raise MalformedReplyError("reply_of_too_many_lines")
        if parts[2] == b"-":
            return None
        reply = Reply(code, tuple(self._texts))
        self._texts, self._codes = [], set()
        return reply
