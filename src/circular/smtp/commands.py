"""Commands as octets; what could be misread on the wire is refused before a single octet leaves.

Rules
1. No command holds CR, LF, NUL or another control character, whatever it was built from.
2. A path is at most 254 octets (RFC 5321 §4.5.3.1.3 with erratum 1690), its local part 64.
3. What goes into a DSN parameter is encoded as xtext (RFC 3461 §4), so it cannot end one.

Sources: RFC 5321 §4.1.1; RFC 3461 §4, §5; RFC 4616 (PLAIN); RFC 6531 (SMTPUTF8); RFC 6533 §3.
"""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from enum import StrEnum

MAX_PATH_OCTETS = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets (erratum 1690)
MAX_LOCAL_OCTETS = 64  # RFC 5321 §4.5.3.1.1
MAX_SECRET_OCTETS = 8192  # RFC 4954 §4 allows lines of 12,288 octets once encoded
MAX_ENVID_OCTETS = 100  # RFC 3461 §4.4
MAX_ORCPT_OCTETS = 500  # RFC 3461 §4.2

# Angle brackets, spaces and quotes occur in a path only inside a quoted local part.
_ATOM = r"[^\x00-\x20\x7f\"(),:;<>@\[\\\]]+"
_QUOTED = r'"(?:[^\x00-\x1f\x7f"\\]|\\[\x20-\x7e])*"'
_LITERAL = r"\[[A-Za-z0-9.:]+\]"
_PATH = re.compile(rf"(?P<local>{_ATOM}|{_QUOTED})@(?P<domain>{_ATOM}|{_LITERAL})")
# Nearly every address there is: within both limits by its own form, so nothing else need be asked.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,189}")
_NOT_XTEXT = re.compile(rb"[^!-*,-<>-~]")


class UnusablePathError(ValueError):
    """This address cannot be written in a command; the message is a stable code."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to the relay; the password shows in no repr, log or traceback."""

    username: str
    password: str = field(repr=False)
    bearer: bool = False  # the password is an OAuth 2 access token: sign in with XOAUTH2

    @property
    def are_usable(self) -> bool:
        """Whether they can be said at all: NUL and SOH divide the fields of the mechanisms."""
        both = self.username + self.password
        octets = both.encode("utf-8", "surrogatepass")
        whole = len(octets) <= MAX_SECRET_OCTETS and not any(mark in both for mark in "\0\1\r\n")
        return whole and octets.decode("utf-8", "replace") == both


class Notify(StrEnum):
    """When the relay should report (RFC 3461 §4.1)."""

    NEVER = "NEVER"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dsn:
    """Which delivery reports an envelope asks for; for relays that announce DSN.

    Raises:  ValueError for what RFC 3461 has no form for: the caller's mistake, not the mail's
    """

    envid: str = ""
    full: bool = False  # a report brings the whole message back, not its headers only
    notify: frozenset[Notify] = frozenset()

    def __post_init__(self) -> None:
        if Notify.NEVER in self.notify and len(self.notify) > 1:
            raise ValueError("NEVER stands alone (RFC 3461 §4.1)")
        if len(xtext(self.envid)) > MAX_ENVID_OCTETS:
            raise ValueError("this ENVID is too long (RFC 3461 §4.4)")

    def of_mail(self) -> bytes:
        """Give the parameters of MAIL."""
        ret = b" RET=FULL" if self.full else b" RET=HDRS"
        return ret + (b" ENVID=%s" % xtext(self.envid) if self.envid else b"")

    def of_rcpt(self) -> bytes:
        """Give the NOTIFY parameter of each RCPT."""
        words = ",".join(word.value for word in Notify if word in self.notify)
        return b" NOTIFY=%s" % words.encode("ascii") if words else b""


def path_of(address: str) -> bytes:
    """Give the octets of an address that may stand between angle brackets.

    Raises: UnusablePathError
    """
    if _PLAIN_PATH.fullmatch(address):
        return address.encode("ascii")
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


def xtext(text: str) -> bytes:
    """Encode a text so that it can stand in a parameter (RFC 3461 §4)."""
    octets = text.encode("utf-8", "replace")
    return _NOT_XTEXT.sub(lambda found: b"+%02X" % found[0][0], octets)


def orcpt(address: str) -> bytes:
    """Give the ORCPT parameter of a RCPT, or nothing where the address is too long for one.

    An address beyond ASCII has the type utf-8 (RFC 6533 §3), in the form that any relay can carry.
    """
    if address.isascii():
        value = b"rfc822;" + xtext(address)
    else:
        signs = (
            chr(one) if 0x21 <= one <= 0x7E and chr(one) not in "+=\\" else rf"\x{{{one:X}}}"
            for one in map(ord, address)
        )
        value = b"utf-8;" + "".join(signs).encode("ascii")
    return b" ORCPT=" + value if len(value) <= MAX_ORCPT_OCTETS else b""


def hello(word: bytes, name: str) -> bytes:
    """Greet as EHLO, HELO or LHLO; a name that cannot be one becomes an address literal."""
    usable = re.fullmatch(
        r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f.:IPv]+\]", name
    )
    return b"%s %s\r\n" % (word, name.encode("ascii") if usable else b"[127.0.0.1]")


def mail_from(
    path: bytes, *, size: int | None, eight_bit: bool, utf8: bool, more: bytes = b""
) -> bytes:
    """Open a transaction; path is what `path_of` gave, or empty for the null sender."""
    if eight_bit:
        more = b" BODY=8BITMIME" + more
    if utf8:
        more += b" SMTPUTF8"
    if size is None:
        return b"MAIL FROM:<%s>%s\r\n" % (path, more)
    return b"MAIL FROM:<%s> SIZE=%d%s\r\n" % (path, size, more)


def rcpt_to(path: bytes, more: bytes = b"") -> bytes:
    """Name one recipient; path is what `path_of` gave."""
    return b"RCPT TO:<%s>%s\r\n" % (path, more)


def auth_plain(credentials: Credentials) -> bytes:
    """Encode the PLAIN response (RFC 4616), without the command."""
    secret = f"\0{credentials.username}\0{credentials.password}".encode()
    return b64encode(secret)


def auth_xoauth2(credentials: Credentials) -> bytes:
    """Encode the XOAUTH2 response (Google's and Microsoft's "SASL XOAUTH2"), without the command."""
    secret = f"user={credentials.username}\1auth=Bearer {credentials.password}\1\1".encode()
    return b64encode(secret)


def encoded(text: str) -> bytes:
    """Encode one LOGIN answer."""
    return b64encode(text.encode())
