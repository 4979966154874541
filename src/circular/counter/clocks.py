"""What is left of a time limit, said in business hours. Pure: the calendar is an argument.

Rules:
1. Late is red; below a quarter of the limit or below an hour is a warning; the rest is plain.
2. The fact is a business span; the wall-clock date stands under it.
3. The night does not count, so "quedan 6 h" always says "hábiles".
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from circular.counter.parts import Tone

WARN_SHARE = 0.25  # look.md §3, Clock
WARN_UNDER = timedelta(hours=1)  # look.md §3, Clock

Between = Callable[[datetime, datetime], timedelta]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One time limit as read at one moment."""

    tone: Tone
    icon: str
    late: bool
    span: timedelta
    used: timedelta
    granted: timedelta
    due_at: datetime

    @property
    def track(self) -> str:
        """Return the share that is used, as a width."""
        if self.granted <= timedelta(0):
            return "100%"
        return f"{min(100.0, 100 * self.used / self.granted):.0f}%"


def read(
    *, started_at: datetime, due_at: datetime, granted: timedelta, now: datetime, between: Between
) -> Reading:
    """Return how a limit stands.

    Units:  `between` counts business time from its first argument to its second, never below 0.
    """
    used = between(started_at, now)
    if now > due_at:
        return Reading(
            tone=Tone.BAD,
            icon="clock-exclamation",
            late=True,
            span=between(due_at, now),
            used=used,
            granted=granted,
            due_at=due_at,
        )
    left = between(now, due_at)
    warn = left < WARN_UNDER or left < granted * WARN_SHARE
    return Reading(
        tone=Tone.WARN if warn else Tone.OK,
        icon="alarm" if warn else "clock",
        late=False,
        span=left,
        used=used,
        granted=granted,
        due_at=due_at,
    )
