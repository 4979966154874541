"""Turn a relay's octets into replies, whatever the cut of the stream; nothing it sends can grow.

Rules
1. A reply is one or more lines of three digits, then `-` (more follows) or a space or nothing.
2. A line ends at LF; one CR before it belongs to the line end. Some relays send LF alone.
3. All lines of one reply share the first digit; the last line's code is the reply's.
4. An enhanced code counts only when its class agrees with that digit (RFC 2034 §4).

When it fails: `broken` says why, as a stable code; the stream means nothing from there on.

Sources: RFC 5321 §4.2 and §4.5.3.1.5 (512 octets a line; real relays exceed it); RFC 3463 §2.
"""

import re
from typing import Final, NamedTuple

MAX_LINE_OCTETS = 4096  # eight times RFC 5321 §4.5.3.1.5: Google's replies with links exceed 512
MAX_LINES = 128  # the longest EHLO answer seen in the corpora has 20
MAX_TEXT_CHARACTERS = 500  # what is kept as a fact; the columns that hold it are as wide
MAX_KNOWN = 64  # replies kept to be given again: relays repeat themselves

_ENHANCED = re.compile(rb"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?:[ \t]|\Z)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]+")
# RFC 5321 §4.2: the first digit is 2 to 5, the second 0 to 5.
_CODES: Final = {b"%d" % code: code for code in range(200, 600) if code // 10 % 10 < 6}


class Reply(NamedTuple):
    """One complete reply; lines hold the text after the code, as received.

    A tuple, because one is made for nearly every line read and a frozen dataclass takes twice as long.
    """

    code: int
    lines: tuple[bytes, ...]

    @property
    def enhanced(self) -> str:
        """The enhanced status code, or "" when there is none that agrees with the digit."""
        for line in self.lines:
            found = _ENHANCED.match(line) if line[1:2] == b"." else None
            if found is not None and int(found[1]) == self.code // 100:
                return found[0].rstrip().decode("ascii")
        return ""

    @property
    def text(self) -> str:
        """The text in one printable line of at most MAX_TEXT_CHARACTERS, enhanced code included."""
        joined = self.lines[0] if len(self.lines) == 1 else b" ".join(self.lines)
        text = joined[: 4 * MAX_TEXT_CHARACTERS].decode("utf-8", "replace")
        if not text.isprintable() or "\ufffd" in text:
            text = _UNPRINTABLE.sub(" ", text)
        return " ".join(text.split())[:MAX_TEXT_CHARACTERS]


class ReplyReader:
    """Collects octets and gives out complete replies."""

    __slots__ = ("_digit", "_known", "_rest", "_texts", "broken")

    def __init__(self) -> None:
        self._rest = b""
        self._texts: list[bytes] = []  # of the lines of a reply that is not complete
        self._digit = 0  # which they share
        self._known: dict[bytes, Reply] = {}
        self.broken = ""  # why the stream is no SMTP from here on

    @property
    def is_empty(self) -> bool:
        """Whether every octet received so far has been given out."""
        return not self._rest and not self._texts

    def read(self, data: bytes) -> list[Reply]:
        """Take octets as they came; give the replies that are complete now, oldest first."""
        if self.broken:
            return []
        lines = (self._rest + data).split(b"\n") if self._rest else data.split(b"\n")
        self._rest = lines.pop()
        replies: list[Reply] = []
        for line in lines:
            reply = self._known.get(line) if not self._texts else None
            if reply is None:
                reply = self._digest(line)
                if self.broken:
                    return replies
                if reply is None:
                    continue
            replies.append(reply)
        if len(self._rest) > MAX_LINE_OCTETS:
            self.broken = "reply_line_too_long"
        return replies

    def _digest(self, line: bytes) -> Reply | None:
        code = _CODES.get(line[:3])
        if len(line) > MAX_LINE_OCTETS:
            self.broken = "reply_line_too_long"
            return None
        content = line.removesuffix(b"\r")
        mark = content[3:4]
        if code is None or (mark and mark not in b" -"):
            self.broken = "no_smtp_reply"
            return None
        if not self._texts:
            if mark != b"-":
                if len(self._known) >= MAX_KNOWN:
                    self._known.clear()
                reply = self._known[line] = Reply(code, (content[4:],))
                return reply
            self._digit = code // 100
        elif code // 100 != self._digit:
            self.broken = "reply_of_two_minds"
            return None
        self._texts.append(content[4:])
        if len(self._texts) > MAX_LINES:
            self.broken = "reply_of_too_many_lines"
            return None
        if mark == b"-":
            return None
        reply = Reply(code, tuple(self._texts))
        self._texts = []
        return reply
