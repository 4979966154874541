"""Names of our own in addresses and Message-IDs: only this house can make one, and reads it back.

A token is a number and a keyed hash over it, in lower-case base 32, so that a relay that folds
case or a person who reads it aloud does no harm. The purpose stands inside the hash: a token made
for one use is not valid for another.

Rules:
  1. ``read_token`` gives the number only when the hash agrees; anything else is None.
  2. The secret is an argument: nothing here reads settings.

Sources: reliability.md §2 rule 9 (bounces are matched by a token of our own, never by an address
in the text alone); RFC 2104.
"""

from __future__ import annotations

import base64
import hmac
import re

# 80 bits: far beyond guessing at the rate of a mail door, and short enough for a local part of
# 64 octets (RFC 5321 §4.5.3.1.1) beside a mailbox name.
_MAC_OCTETS = 10
_TOKEN = re.compile(r"[a-z2-7]{18,30}\Z")
RECIPIENT = "recipient"
CASE = "case"


def _mac(secret: bytes, purpose: str, number: bytes) -> bytes:
    message = b"circular token\0" + purpose.encode() + b"\0" + number
    return hmac.digest(secret, message, "sha256")[:_MAC_OCTETS]


# Two letters for each ten bits: several times faster than the library's, and every copy needs one.
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]


def _base32(octets: bytes) -> str:
    """Return RFC 4648 §6 in lower case, without padding."""
    bits = 8 * len(octets)
    length = -(-bits // 5)
    number = int.from_bytes(octets, "big") << (-bits % 10)
    pairs = _PAIRS
    text = "".join(
        [pairs[number >> shift & 1023] for shift in range(bits + -bits % 10 - 10, -1, -10)]
    )
    return text[:length]


def make_token(secret: bytes, purpose: str, number: int) -> str:
    """Return the token of a number for one purpose.

    Repeat:  the same arguments always give the same token
    """
    if not 0 < number < 1 << 64:
        raise ValueError("a token names a positive 64-bit number")
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    body = octets + _mac(secret, purpose, octets)
    return _base32(body)


def read_number(secret: bytes, purpose: str, token: str) -> int | None:
    """Return the number that a token names, or None when it is not one of ours."""
    token = token.strip().lower()
    if not _TOKEN.match(token):
        return None
    try:
        body = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except ValueError:
        return None
    octets, mac = body[:-_MAC_OCTETS], body[-_MAC_OCTETS:]
    if not octets or octets[0] == 0:
        return None
    if not hmac.compare_digest(mac, _mac(secret, purpose, octets)):
        return None
    number = int.from_bytes(octets, "big")
    # Base 32 leaves spare bits at the end: only the one canonical spelling counts.
    return number if make_token(secret, purpose, number) == token else None


def recipient_token(secret: bytes, recipient: int) -> str:
    """Return the token that stands for one recipient of one mailing."""
    return make_token(secret, RECIPIENT, recipient)


def read_token(secret: bytes, token: str) -> int | None:
    """Return the recipient that a token stands for, or None."""
    return read_number(secret, RECIPIENT, token)


def bounce_address(base: str, token: str) -> str:
    """Put a token into an address of ours: ``circular@x`` gives ``circular+TOKEN@x``."""
    local, at, domain = base.rpartition("@")
    if not at or not local:
        raise ValueError("a bounce address needs a local part and a domain")
    return f"{local}+{token}@{domain}"


def recipient_of_address(secret: bytes, address: str) -> int | None:
    """Return the recipient named by the token in an address such as ``circular+TOKEN@x``."""
    local = address.rpartition("@")[0]
    return read_token(secret, local.rpartition("+")[2])


def message_id(secret: bytes, recipient: int, domain: str) -> str:
    """Return the Message-ID, with its angle brackets, of one recipient's copy."""
    return f"<{recipient_token(secret, recipient)}@{domain}>"


def case_message_id(secret: bytes, case: int, domain: str) -> str:
    """Return the id that every letter of a case refers to, so that the case is one thread."""
    return f"<{make_token(secret, CASE, case)}.case@{domain}>"


def recipient_of_message_id(secret: bytes, identifier: str) -> int | None:
    """Return the recipient whose copy carries this Message-ID, or None when it is not ours."""
    inner = identifier.strip().removeprefix("<").removesuffix(">")
    return read_token(secret, inner.partition("@")[0])


def case_of_message_id(secret: bytes, identifier: str) -> int | None:
    """Return the case that an identifier in References names, or None."""
    inner = identifier.strip().removeprefix("<").removesuffix(">")
    left = inner.partition("@")[0]
    return read_number(secret, CASE, left.removesuffix(".case")) if left.endswith(".case") else None
