"""A message body as it may travel: CRLF line ends only, and nothing in it can end it early.

Rules
1. No bare CR and no bare LF leaves, whatever the message was composed of; each becomes a line end
   (RFC 5321 §2.3.8). So no lax server behind the relay sees a second message (SMTP smuggling, 2023).
2. With DATA every line that begins with a dot gets one more (RFC 5321 §4.5.2); with BDAT none does,
   for the count of octets says where the body ends (RFC 3030 §2).
3. A body ends in CRLF.

Looking at each octet of a message costs more than all the rest of sending it. What many copies share
is therefore looked at once, as a `Piece`; a `Body` looks only at those of its parts that are bytes.
Parts are made safe one by one: a line end is never split between two of them.
"""

import re
from typing import Final

FINAL_DOT: Final = b".\r\n"
_BARE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class Piece:
    """A stretch of a body whose line ends are right; made once, used in many bodies."""

    __slots__ = ("_dotted", "ends_a_line", "is_eight_bit", "plain", "starts_with_dot")

    def __init__(self, raw: bytes) -> None:
        """Take octets as they were composed; their line ends are made CRLF."""
        if b"\n" in raw or b"\r" in raw:
            ends = raw.count(b"\r\n")
            if raw.count(b"\n") != ends or raw.count(b"\r") != ends:
                raw = _BARE_END.sub(b"\r\n", raw)
        self.plain = raw
        self.starts_with_dot = raw.startswith(b".")
        self.ends_a_line = raw.endswith(b"\r\n")
        self.is_eight_bit = not raw.isascii()
        self._dotted: bytes | None = None

    @property
    def dotted(self) -> bytes:
        """The octets with the dots behind its own line ends doubled; its first is the body's task."""
        if self._dotted is None:
            self._dotted = self.plain.replace(b"\r\n.", b"\r\n..")
        return self._dotted


_LINE_END: Final = Piece(b"\r\n")


class Body:
    """A whole body, from pieces."""

    __slots__ = ("_pieces", "is_eight_bit", "octets")

    def __init__(self, *parts: bytes | Piece) -> None:
        """Join parts; those that are bytes are looked at, those that are pieces were."""
        pieces: list[Piece] = []
        octets = 0
        is_eight_bit = False
        for part in parts:
            piece = part if isinstance(part, Piece) else Piece(part)
            if piece.plain:
                pieces.append(piece)
                octets += len(piece.plain)
                is_eight_bit = is_eight_bit or piece.is_eight_bit
        if pieces and not pieces[-1].ends_a_line:
            pieces.append(_LINE_END)
            octets += 2
        self._pieces = pieces
        self.octets = octets  # as RFC 1870 §3 counts them: without doubled dots and the last one
        self.is_eight_bit = is_eight_bit  # needs 8BITMIME (RFC 6152)

    def plain(self) -> list[bytes]:
        """Give the octets for BDAT, in parts."""
        return [piece.plain for piece in self._pieces]

    def dotted(self) -> list[bytes]:
        """Give the octets for DATA, in parts, the final dot included."""
        parts: list[bytes] = []
        at_line_start = True
        for piece in self._pieces:
            if at_line_start and piece.starts_with_dot:
                parts.append(b".")
            parts.append(piece.dotted)
            at_line_start = piece.ends_a_line
        parts.append(FINAL_DOT)
        return parts
