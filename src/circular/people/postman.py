"""How this room's own letters leave the house, without knowing the composing room.

The composing room stands above this one and registers how it posts a letter when Django starts.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum


class HouseLetter(StrEnum):
    """The letters that prove a mailbox; each holds a secret."""

    SIGN_IN_CODE = "sign_in_code"
    INVITATION = "invitation"


Postman = Callable[[HouseLetter, str, str, Mapping[str, object]], object]
_postmen: list[Postman] = []


def register_postman(postman: Postman) -> None:
    """Name the function that posts a letter: letter, address, language, what it says."""
    _postmen[:] = [postman]


def post_letter(
    letter: HouseLetter, *, to: str, language: str, context: Mapping[str, object]
) -> None:
    """Post a letter in the caller's transaction.

    Raises:  LookupError when no composing room has registered
    """
    if not _postmen:
        raise LookupError("nobody posts letters: is circular.mailing installed?")
    _postmen[-1](letter, to, language, context)
