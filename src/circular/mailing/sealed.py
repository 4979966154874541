"""Secrets at rest: what a page has to keep but nobody may read from a dump of the database.

The key follows from Django's ``SECRET_KEY``: whoever has both the dump and the key can open them,
whoever has only the dump cannot. A changed key makes old seals unreadable, which is said, not hidden.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class BrokenSealError(Exception):
    """A sealed value that the present key does not open."""

    code = "broken_seal"


def _derived(purpose: bytes) -> bytes:
    return hmac.new(
        settings.SECRET_KEY.encode("utf-8"), b"circular/" + purpose, hashlib.sha256
    ).digest()


def seal(plain: str) -> str:
    """Return a value that only this installation can open; nothing stays nothing."""
    if not plain:
        return ""
    fernet = Fernet(base64.urlsafe_b64encode(_derived(b"seal")))
    return fernet.encrypt(plain.encode("utf-8")).decode("ascii")


def unseal(sealed: str) -> str:
    """Return what was sealed.

    Raises:  BrokenSealError when the key has changed or the value was altered
    """
    if not sealed:
        return ""
    fernet = Fernet(base64.urlsafe_b64encode(_derived(b"seal")))
    try:
        return fernet.decrypt(sealed.encode("ascii")).decode("utf-8")
    except (InvalidToken, UnicodeError) as broken:
        raise BrokenSealError("the key of this installation has changed") from broken


def token_secret() -> bytes:
    """Return the secret that ``mailformat.tokens`` takes as an argument."""
    return _derived(b"tokens")
