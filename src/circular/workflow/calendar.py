"""Business time: how long an office works between two moments, and when a limit falls. Pure.

Rules:
1. Business time passes only on working days within the office hours; days off come in as data.
2. A limit that is reached exactly at closing time falls at closing time, not the next morning.
3. `business_between(start, add_business(start, n)) == n`, for every start and n.
4. Nothing here knows which days are holidays, nor what time it is.

Source: practice.md §5; the default hours are those of the issue (Mon-Fri 08-12 and 14-18).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from types import MappingProxyType
from zoneinfo import ZoneInfo

MONDAY_TO_FRIDAY = frozenset(range(5))
BOGOTA = ZoneInfo("America/Bogota")
NOTHING_OFF: Mapping[date, str] = MappingProxyType({})
# A limit that is not reached within so many days means that the office never opens.
HORIZON = timedelta(days=3660)


class NeverOpenError(ValueError):
    """The calendar has no business time within ten years."""


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """The spans of a working day, in order and apart, and which weekdays are worked (Monday 0)."""

    spans: tuple[tuple[time, time], ...] = ((time(8), time(12)), (time(14), time(18)))
    weekdays: frozenset[int] = MONDAY_TO_FRIDAY

    def __post_init__(self) -> None:
        """Refuse hours that overlap or run backwards."""
        ends = [moment for span in self.spans for moment in span]
        if ends != sorted(ends) or any(start >= end for start, end in self.spans):
            raise ValueError(f"office hours out of order: {self.spans}")


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a limit falls, and which days would have been worked but were not."""

    at: datetime
    skipped: tuple[tuple[date, str], ...]  # in order; weekdays only: nobody counts on a Sunday


@dataclass(frozen=True, slots=True)
class Calendar:
    """When one office works."""

    hours: OfficeHours = field(default_factory=OfficeHours)
    zone: tzinfo = field(default_factory=lambda: BOGOTA)
    days_off: Mapping[date, str] = field(default_factory=lambda: NOTHING_OFF)

    def works_on(self, day: date) -> bool:
        """Say whether the office opens on that day."""
        return day.weekday() in self.hours.weekdays and day not in self.days_off

    def add_business(self, start: datetime, after: timedelta) -> datetime:
        """Return the moment when so much business time has passed since `start` (UTC).

        Raises: NeverOpenError when ten years of calendar do not hold so much
        """
        left = after
        if left <= timedelta():
            return start.astimezone(UTC)
        for opens, closes in self._spans_from(start):
            worked = closes - opens
            if left <= worked:
                return opens + left
            left -= worked
        raise NeverOpenError(f"no {after} of business time after {start}")

    def business_between(self, start: datetime, end: datetime) -> timedelta:
        """Return the business time from `start` to `end`; nothing when `end` is not later."""
        total = timedelta()
        if end <= start:
            return total
        for opens, closes in self._spans_from(start):
            if opens >= end:
                break
            total += min(closes, end) - opens
        return total

    def deadline(self, start: datetime, after: timedelta) -> Deadline:
        """Return when the limit falls, with the days off that pushed it back."""
        at = self.add_business(start, after)
        return Deadline(at, tuple(self.closed_days(start, at)))

    def closed_days(self, start: datetime, end: datetime) -> list[tuple[date, str]]:
        """Return the days between two moments that are weekdays but not worked, with their names."""
        first, last = start.astimezone(self.zone).date(), end.astimezone(self.zone).date()
        return [
            (day, name)
            for day, name in sorted(self.days_off.items())
            if first <= day <= last and day.weekday() in self.hours.weekdays
        ]

    def is_open(self, moment: datetime) -> bool:
        """Say whether the office works at that moment."""
        return any(opens <= moment < closes for opens, closes in self._spans_on(moment))

    def _spans_on(self, moment: datetime) -> list[tuple[datetime, datetime]]:
        day = moment.astimezone(self.zone).date()
        return list(self._spans_of(day))

    def _spans_of(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        if self.works_on(day):
            for opens, closes in self.hours.spans:
                yield (
                    datetime.combine(day, opens, self.zone).astimezone(UTC),
                    datetime.combine(day, closes, self.zone).astimezone(UTC),
                )

    def _spans_from(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield what is left of every span after `start`, in order, up to the horizon."""
        start = start.astimezone(UTC)
        day = start.astimezone(self.zone).date()
        last = day + HORIZON
        while day <= last:
            for opens, closes in self._spans_of(day):
                if closes > start:
                    yield max(opens, start), closes
            day += timedelta(days=1)
