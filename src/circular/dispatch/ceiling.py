"""How many messages may leave now under an operator's ceiling. Pure.

Rules
1. What is not used stays usable for SAVED at most: a pause earns no burst.
2. Over any span of time no more leave than the ceiling allows for that span and SAVED, and one more.
3. The state is one moment, up to which the share is used; it stands in the mailing's row, so every
   worker of every host counts in one book.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

SAVED = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Admitted:
    """How many may leave, and up to when the share is used then."""

    count: int
    paced_until: datetime


def admit(per_minute: int, paced_until: datetime | None, now: datetime, wanted: int) -> Admitted:
    """Let as many of the wanted pass as have earned their place.

    Units:   ``per_minute`` is at least 1
    """
    each = timedelta(minutes=1) / per_minute
    used = now - each if paced_until is None else max(paced_until, now - each - SAVED)
    count = max(min(wanted, (now - used) // each), 0)
    return Admitted(count, used + count * each)
