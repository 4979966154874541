"""Commands as octets; what could be misread on the wire is refused before a single octet leaves.

Rules
1. No command holds CR, LF, NUL or another control character, whatever it was built from.
2. A path is at most 254 octets (RFC 5321 §4.5.3.1.3 with erratum 1690), its local part 64.
3. A body leaves with CRLF line ends only, dots stuffed, and ends in CRLF: no bare CR or LF can
   be read as the end of data by a lax server behind the relay (SMTP smuggling, 2023).

Sources: RFC 5321 §2.3.8, §4.1.1, §4.5.2; RFC 4616 (PLAIN); RFC 6531 (SMTPUTF8).
"""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final

MAX_PATH_OCTETS = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets (erratum 1690)
MAX_LOCAL_OCTETS = 64  # RFC 5321 §4.5.3.1.1
MAX_SECRET_OCTETS = 8192  # RFC 4954 §4 allows lines of 12,288 octets once encoded

FINAL_DOT: Final = b".\r\n"

# Angle brackets, spaces and quotes occur in a path only inside a quoted local part.
_ATOM = r"[^\x00-\x20\x7f\"(),:;<>@\[\\\]]+"
_QUOTED = r'"(?:[^\x00-\x1f\x7f"\\]|\\[\x20-\x7e])*"'
_LITERAL = r"\[[A-Za-z0-9.:]+\]"
_PATH = re.compile(rf"(?P<local>{_ATOM}|{_QUOTED})@(?P<domain>{_ATOM}|{_LITERAL})")
_BARE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class UnusablePathError(ValueError):
    """This address cannot be written in a command; the message is a stable code."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to the relay; the password shows in no repr, log or traceback."""

    username: str
    password: str = field(repr=False)


def path_of(address: str) -> bytes:
    """Give the octets of an address that may stand between angle brackets.

    Raises: UnusablePathError
    """
    found = _PATH.fullmatch(address)
    if found is None:
        raise UnusablePathError("unusable_address")
    octets = address.encode("utf-8", "surrogatepass")
    if len(octets) > MAX_PATH_OCTETS:
        raise UnusablePathError("address_too_long")
    if len(found["local"].encode("utf-8", "surrogatepass")) > MAX_LOCAL_OCTETS:
        raise UnusablePathError("address_too_long")
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        raise UnusablePathError("unusable_address") from None
    return octets


def hello(word: bytes, name: str) -> bytes:
    """Greet as EHLO, HELO or LHLO; a name that cannot be one becomes an address literal."""
    usable = re.fullmatch(
        r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f.:IPv]+\]", name
    )
    return b"%s %s\r\n" % (word, name.encode("ascii") if usable else b"[127.0.0.1]")


def mail_from(path: bytes, *, size: int | None, eight_bit: bool, utf8: bool) -> bytes:
    """Open a transaction; path is what `path_of` gave, or empty for the null sender."""
    command = b"MAIL FROM:<%s>" % path
    if size is not None:
        command += b" SIZE=%d" % size
    if eight_bit:
        command += b" BODY=8BITMIME"
    if utf8:
        command += b" SMTPUTF8"
    return command + b"\r\n"


def rcpt_to(path: bytes) -> bytes:
    """Name one recipient; path is what `path_of` gave."""
    return b"RCPT TO:<%s>\r\n" % path


def auth_plain(credentials: Credentials) -> bytes:
    """Encode the PLAIN response (RFC 4616), without the command."""
    secret = f"\0{credentials.username}\0{credentials.password}".encode()
    return b64encode(secret)


def encoded(text: str) -> bytes:
    """Encode one LOGIN answer."""
    return b64encode(text.encode())


def wire_body(raw: bytes) -> bytes:
    """Give the body as it goes on the wire, final dot included.

    Repeat: not idempotent: dots are stuffed each time.
    """
    ends = raw.count(b"\r\n")
    if raw.count(b"\n") != ends or raw.count(b"\r") != ends:
        raw = _BARE_END.sub(b"\r\n", raw)
    if raw.startswith(b"."):
        raw = b"." + raw
    raw = raw.replace(b"\r\n.", b"\r\n..")
    if raw and not raw.endswith(b"\r\n"):
        raw += b"\r\n"
    return raw + FINAL_DOT


def is_eight_bit(raw: bytes) -> bool:
    """Whether this body needs 8BITMIME (RFC 6152)."""
    return not raw.isascii()
