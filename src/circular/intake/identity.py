"""When two messages are the same one: by their bytes without the traces of the way they came. Pure.

Rules
1. Any bytes have an identity; nothing here raises, recurses, or decodes a character.
2. `identity_of` is the same for one message handed in twice to the same recipients, whatever the
   servers on the way wrote on top of it.
3. `content_key_of` is the same for the same words by the same author, whatever their Message-ID.

Sources: RFC 5321 §4.4 (trace fields); RFC 5322 §3.6.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

# What the author's own program writes; everything else may be added or changed on the way.
_IDENTIFYING = (b"message-id", b"from", b"to", b"cc", b"subject", b"date")
_CONTENT = (b"from", b"subject")
# A line that neither is a field nor continues one. From there on all is the message's own: two messages
# that are nothing but such lines must not be taken for one, or the second would be lost.
_NO_FIELD = re.compile(rb"^(?![!-9;-~]+[ \t]*:|[ \t]).*$", re.MULTILINE)
_MBOX_LINE = re.compile(
    rb"\AFrom [^\n]*\n(?=[!-9;-~]+[ \t]*:)"
)  # how an mbox file begins a message
_MOST_HEADER_OCTETS = 1_000_000  # far beyond any real header; a bomb of one line costs no more


def identity_of(raw: bytes, recipients: Sequence[str]) -> str:
    """Return the SHA-256 under which a message to these recipients is kept once."""
    header, body = _parted(raw)
    fields = _fields(header, _IDENTIFYING)
    return _digest(b"identity", [*fields, *(r.encode() for r in sorted(recipients)), body])


def content_key_of(raw: bytes) -> str:
    """Return the SHA-256 of author, subject and body."""
    header, body = _parted(raw)
    return _digest(b"content", [*_fields(header, _CONTENT), body])


def _parted(raw: bytes) -> tuple[bytes, bytes]:
    """Return header and body; the header ends at the first line that can be no part of it."""
    text = _MBOX_LINE.sub(b"", raw.replace(b"\r\n", b"\n"))
    found = _NO_FIELD.search(text)
    end = len(text) if found is None else found.start()
    return text[:end][:_MOST_HEADER_OCTETS], text[end:].removeprefix(b"\n").rstrip(b"\n")


def _fields(header: bytes, names: tuple[bytes, ...]) -> list[bytes]:
    """Return the wanted fields in a fixed order, unfolded and without outer blanks."""
    found: dict[bytes, list[bytes]] = {name: [] for name in names}
    current: list[bytes] | None = None
    for line in header.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if current is not None:
                current[-1] += b" " + line.strip()
            continue
        name, colon, value = line.partition(b":")
        current = found.get(name.strip().lower()) if colon else None
        if current is not None:
            current.append(value.strip())
    return [name + b":" + value for name in names for value in found[name]]


def _digest(purpose: bytes, parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256(purpose)
    for part in parts:
        # The length before each part: no two lists of parts give the same bytes.
        digest.update(b"\0%d\0" % len(part) + part)
    return digest.hexdigest()
