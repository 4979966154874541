"""What a relay takes within rolling windows, how much is left of it, and when all will be sent. Pure.

Rules
1. A window rolls: at no moment were more than the quota handed over in the span that ends there.
   A calendar day would allow twice the quota around midnight.
2. Use is summed in slices, a sixtieth of the window or less. A whole slice counts until the window
   has passed since the slice *ended*: we may wait a slice too long, and never send too much.
3. What is lent to a worker and not used yet counts as used now, in every window: it may leave at
   any moment.
4. Messages and recipients are counted apart; a quota names what its operator counts.
5. What was offered and answered counts as used, accepted or not: most providers count what was
   tried, and counting too much is only slow.

Sources: Google Workspace SMTP relay ("in a 24-hour period", "10 minutes"); Exchange Online
(messages a minute, recipients a day); Amazon SES (24-hour period): practice.md §8, presets.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


class Window(StrEnum):
    """The spans that providers count in."""

    MINUTE = "minute"
    TEN_MINUTES = "ten_minutes"
    HOUR = "hour"
    DAY = "day"


class QuotaUnit(StrEnum):
    """What is counted."""

    MESSAGES = "messages"
    RECIPIENTS = "recipients"


SPANS: Mapping[Window, timedelta] = {
    Window.MINUTE: timedelta(minutes=1),
    Window.TEN_MINUTES: timedelta(minutes=10),
    Window.HOUR: timedelta(hours=1),
    Window.DAY: timedelta(hours=24),
}
SLICES: Mapping[Window, timedelta] = {
    Window.MINUTE: timedelta(seconds=1),
    Window.TEN_MINUTES: timedelta(seconds=10),
    Window.HOUR: timedelta(minutes=1),
    Window.DAY: timedelta(minutes=5),
}


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so many of a unit within a window."""

    window: Window
    unit: QuotaUnit
    most: int


@dataclass(frozen=True, slots=True)
class Slice:
    """What was handed over from `began_at` on, for as long as one slice of the window lasts."""

    began_at: datetime
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One quota with what counts against it now.

    Shapes:  ``slices`` oldest first, only those that still count
    """

    quota: Quota
    slices: tuple[Slice, ...] = ()
    lent: int = 0  # to workers, not used yet

    @property
    def used(self) -> int:
        """How much counts now."""
        return self.lent + sum(one.amount for one in self.slices)

    @property
    def left(self) -> int:
        """How much may be lent now."""
        return max(0, self.quota.most - self.used)


def slice_of(window: Window, at: datetime) -> datetime:
    """Give the beginning of the slice that holds a moment; slices lie on one grid for everybody."""
    width = SLICES[window]
    return EPOCH + (at - EPOCH) // width * width


def frees_at(window: Window, one: Slice) -> datetime:
    """Say from when on a slice does not count any more."""
    return one.began_at + SLICES[window] + SPANS[window]


def counts_from(window: Window, now: datetime) -> datetime:
    """Say after which beginning slices still count: those at it or before it do not."""
    return now - SLICES[window] - SPANS[window]


def usage_of(quota: Quota, slices: Iterable[Slice], lent: int, now: datetime) -> Usage:
    """Put together what counts now; slices that are over are left out."""
    counting = sorted(
        (one for one in slices if one.amount and frees_at(quota.window, one) > now),
        key=lambda one: one.began_at,
    )
    return Usage(quota=quota, slices=tuple(counting), lent=lent)


def room(usages: Iterable[Usage]) -> int | None:
    """Say how many more may be lent under every quota together; None when there is no quota.

    A person is one message and one recipient here: where one message serves many, fewer messages
    are used than were lent, and the rest comes back.
    """
    return min((usage.left for usage in usages), default=None)


def allows_again_at(usages: Iterable[Usage], now: datetime, wanted: int = 1) -> datetime | None:
    """Say when so many may be lent, None when they may now.

    What is lent and not used may come back sooner or later than any answer here; it is taken for
    used now.
    """
    moments = [moment for usage in usages if (moment := _allows_again_at(usage, now, wanted))]
    return max(moments, default=None)


def _allows_again_at(usage: Usage, now: datetime, wanted: int) -> datetime | None:
    window, missing = usage.quota.window, min(wanted, usage.quota.most) - usage.left
    if missing <= 0:
        return None
    for one in usage.slices:
        missing -= one.amount
        if missing <= 0:
            return frees_at(window, one)
    return frees_at(window, Slice(slice_of(window, now), usage.lent))


def worth_going_on(usages: Iterable[Usage], left: int) -> int:
    """Say how much must be free before a mailing that waits goes on: an hour's share of a day."""
    tightest = min((usage.quota.most for usage in usages), default=left)
    return max(1, min(left, tightest // 24))


def ends_at(
    left: int, usages: Sequence[Usage], now: datetime, *, per_second: float | None = None
) -> datetime | None:
    """Estimate when so many people more will have been offered their message.

    Everything that may leave is taken to leave at once, or at ``per_second``; each window by
    itself gives a moment before which it cannot be, and the last of these is the answer.

    Units:   ``per_second`` people a second as measured, None when unknown
    Shapes:  None when neither a quota nor a rate says anything; ``now`` when nobody is left
    """
    if left <= 0:
        return now
    moments = [_ends_at(left, usage, now) for usage in usages]
    if per_second:
        moments.append(now + timedelta(seconds=min(left / per_second, 3.15e9)))  # a century
    return max(moments, default=None)


def _ends_at(left: int, usage: Usage, now: datetime) -> datetime:
    """Within one span everything that counts comes free once; afterwards the same happens again."""
    window, most = usage.quota.window, usage.quota.most
    turn = SPANS[window] + SLICES[window]
    turns, rest = divmod(left - 1, most)
    rest += 1
    moment = now
    if rest > usage.left:
        missing = rest - usage.left
        moment = frees_at(window, Slice(slice_of(window, now), usage.lent))
        for one in usage.slices:
            missing -= one.amount
            if missing <= 0:
                moment = frees_at(window, one)
                break
    return moment + min(turns, 1_000_000) * turn
