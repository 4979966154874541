"""A message as bytes: the same message gives the same octets, and nothing but CRLF ends a line.

Rules:
  1. Every octet follows from the arguments: the boundaries come from ``seed``, the date is given.
  2. Bodies are quoted-printable or base 64, never raw, so no body can hold a bare CR or LF, a
     boundary (``=_`` cannot occur in either), or a line beginning with ``From ``.
  3. Headers go through ``headers``, which refuses what would break out of a field.

Shapes:  mixed ( related ( alternative ( text, html ), inline … ), attachment … ), with every level
         left out that would hold one part.
Sources: RFC 2045 §6.7 and §6.8; RFC 2046 §5.1; RFC 2387; RFC 2392; reliability.md §3 (smuggling).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from circular.mailformat import headers

_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+\Z")
_LITERAL = re.compile(rb"[^\x21-\x3c\x3e-\x7e \t]")  # RFC 2045 §6.7 rule 1
_QP_LINE = 76


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file to go with a message; with a ``content_id`` it is shown inside the HTML part."""

    name: str
    media_type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class EncodedPart:
    """An attachment as a whole MIME part; made once for all copies of a mailing."""

    raw: bytes
    inline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Everything that ``build`` needs; ``fields`` are whole header fields from ``headers``."""

    fields: Sequence[bytes]
    text: bytes  # already quoted-printable
    html: bytes | None  # already quoted-printable
    attachments: Sequence[EncodedPart]
    seed: bytes


def encode(attachment: Attachment) -> EncodedPart:
    """Return a file as a MIME part.

    Raises:  UnsafeHeaderError for a name or type that would break out of its field
    """
    media_type = attachment.media_type.lower()
    if not _MEDIA_TYPE.match(media_type) or media_type.startswith(("multipart/", "message/")):
        media_type = "application/octet-stream"
    disposition = "inline" if attachment.content_id else "attachment"
    names = headers.parameter("name", attachment.name)
    filenames = headers.parameter("filename", attachment.name)
    fields = [
        headers.raw_field("Content-Type", f"{media_type};", *_with_semicolons(names)),
        headers.raw_field("Content-Disposition", f"{disposition};", *_with_semicolons(filenames)),
        headers.raw_field("Content-Transfer-Encoding", "base64"),
    ]
    if attachment.content_id:
        fields.append(headers.raw_field("Content-ID", f"<{attachment.content_id}>"))
    body = base64.b64encode(attachment.content)
    lines = b"\r\n".join(body[start : start + 76] for start in range(0, len(body), 76))
    return EncodedPart(b"".join(fields) + b"\r\n" + lines + b"\r\n", bool(attachment.content_id))


def _with_semicolons(atoms: list[str]) -> list[str]:
    return [f"{atom};" for atom in atoms[:-1]] + atoms[-1:]


def quoted_line(line: str) -> bytes:
    """Encode one line (without its end) as quoted-printable, soft-broken at 76 octets."""
    octets = _LITERAL.sub(lambda match: b"=%02X" % match[0][0], line.encode("utf-8"))
    if octets[-1:] in (b" ", b"\t"):
        octets = octets[:-1] + b"=%02X" % octets[-1]
    if octets.startswith(b"From "):
        octets = b"=46" + octets[1:]  # some stores still quote it with ">" (RFC 4155)
    if len(octets) <= _QP_LINE:
        return octets
    pieces: list[bytes] = []
    start = 0
    while len(octets) - start > _QP_LINE:
        end = start + _QP_LINE - 1  # one octet for the soft break's "="
        if octets[end - 1 : end] == b"=":
            end -= 1
        elif octets[end - 2 : end - 1] == b"=":
            end -= 2
        pieces.append(octets[start:end] + b"=")
        start = end
    pieces.append(octets[start:])
    return b"\r\n".join(pieces)


def quoted(text: str) -> bytes:
    """Encode a text as quoted-printable; every kind of line end becomes CRLF."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return b"\r\n".join(quoted_line(line) for line in lines)


def date_field(at: datetime) -> bytes:
    """Return the Date field for an aware moment, in UTC.

    Units:   whole seconds
    """
    if at.tzinfo is None:
        raise ValueError("a Date needs an aware moment")
    moment = at.astimezone(UTC).replace(microsecond=0)
    return headers.raw_field("Date", *format_datetime(moment).split(" "))


def build(message: Message) -> bytes:
    """Return the octets of a message, header to last CRLF."""
    body = _leaf("text/plain", message.text)
    if message.html is not None:
        body = _multipart("alternative", message.seed, [body, _leaf("text/html", message.html)])
    inline = [part.raw for part in message.attachments if part.inline]
    if inline:
        body = _multipart("related", message.seed, [body, *inline])
    attached = [part.raw for part in message.attachments if not part.inline]
    if attached:
        body = _multipart("mixed", message.seed, [body, *attached])
    return b"".join(message.fields) + b"MIME-Version: 1.0\r\n" + body


def _leaf(media_type: str, encoded: bytes) -> bytes:
    head = (
        f"Content-Type: {media_type}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    end = b"" if encoded.endswith(b"\r\n") else b"\r\n"
    return head.encode("ascii") + encoded + end


def _multipart(subtype: str, seed: bytes, parts: list[bytes]) -> bytes:
    mark = hashlib.sha256(seed + b"\0" + subtype.encode("ascii")).hexdigest()[:32]
    boundary = f"=_{subtype[:3]}_{mark}"
    kind = '; type="multipart/alternative"' if subtype == "related" else ""
    head = f'Content-Type: multipart/{subtype}{kind};\r\n boundary="{boundary}"\r\n\r\n'
    edge = f"--{boundary}\r\n".encode("ascii")
    # The CRLF before a boundary belongs to the boundary (RFC 2046 §5.1.1).
    return (
        head.encode("ascii")
        + edge
        + (b"\r\n" + edge).join(parts)
        + f"\r\n--{boundary}--\r\n".encode("ascii")
    )
