"""Whose turn it is: which mailing is leased from next, and how many people at once. Pure.

Rules
1. The smaller priority number goes first: a person who waits for a sign-in code or a receipt is
   never behind a circular for 40,000.
2. Among mailings of one priority, the one with the fewest people under way here goes first, so two
   circulars share the relay and neither starves.
3. A batch is what leaves in about half a second: it bounds how many people a person may have to
   judge after a machine is lost, so a slow relay risks few, and `BATCH` is a policy number, not a
   tuning number (style.md §8).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BATCH = 2000  # at most, however fast the relay is
SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A mailing with people who may be offered their message now."""

    mailing: int
    priority: int
    # What its relay must serve; groups of None: its audience is not told by groups.
    mail_class: str = ""
    groups: frozenset[str] | None = None
    self_paused: str = ""  # a reason that does not keep it from being leased
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Pick:
    """Lease so many people of this mailing."""

    mailing: int
    priority: int
    limit: int


def batch_size(per_second: float, under_way: int) -> int:
    """Say how many to lease at once, from the pace so far and how many the sessions hold.

    Shapes:  enough that no session waits for the next lease, even before there is a pace
    """
    return max(min(round(per_second * SECONDS), BATCH), min(2 * under_way, BATCH), 1)


def next_batch(
    waiting: Sequence[Waiting], under_way: Mapping[int, int], room: int, batch: int = BATCH
) -> Pick | None:
    """Choose the next lease, or nothing when nobody waits or there is no room.

    Shapes:  ``waiting`` oldest release first; ``under_way`` counts leased people by mailing;
             ``room`` is how many more this worker can take
    """
    limit = min(room, batch)
    if not waiting or limit <= 0:
        return None
    chosen = min(waiting, key=lambda one: (one.priority, under_way.get(one.mailing, 0)))
    return Pick(chosen.mailing, chosen.priority, limit)
