"""Where this room learns who an institutional mailbox belongs to, without knowing the directory.

The directory stands above this room and registers its answer when Django starts.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """What the directory says of the owner of a mailbox."""

    address: str
    full_name: str
    unit: str


Lookup = Callable[[str], KnownAccount | None]
_lookups: list[Lookup] = []


def register_lookup(lookup: Lookup) -> None:
    """Name a function that knows accounts by address.

    Repeat:  the same function is registered once
    """
    if lookup not in _lookups:
        _lookups.append(lookup)


def known_account(address: str) -> KnownAccount | None:
    """Return the active account with this address, from the first source that knows it."""
    for lookup in _lookups:
        found = lookup(address)
        if found is not None:
            return found
    return None
