"""Business time: what an office works, and when a limit falls."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from circular.workflow.calendar import Calendar, NeverOpenError, OfficeHours
from circular.workflow.workdays import days_off, public_holidays
from variants import assert_catches

BOGOTA = ZoneInfo("America/Bogota")
OFFICE = Calendar(
    days_off=days_off([2026, 2027], [("Vacaciones", date(2026, 12, 21), date(2027, 1, 8))])
)
MINUTES = st.integers(0, 60 * 100).map(lambda minutes: timedelta(minutes=minutes))
FIRST = datetime(2026, 10, 30, tzinfo=BOGOTA)
# Four months with every kind of day: holidays, a recess, a new year.
MOMENTS = st.integers(0, 120 * 24 * 3600).map(lambda seconds: FIRST + timedelta(seconds=seconds))


def bogota(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BOGOTA)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-13 16:58", 8, "2026-11-17 16:58"),  # over the holiday of Monday 16
        ("2026-11-13 16:58", 12, "2026-11-18 10:58"),
        ("2026-07-10 17:00", 8, "2026-07-14 17:00"),  # 13 July: Ley 2578 of 2026
        ("2026-11-17 03:00", 1, "2026-11-17 09:00"),  # before opening
        ("2026-11-17 13:00", 1, "2026-11-17 15:00"),  # at lunch
        ("2026-11-17 11:00", 1, "2026-11-17 12:00"),  # reached exactly at closing time
        ("2026-11-14 10:00", 0.5, "2026-11-17 08:30"),  # a Saturday
        ("2026-12-18 17:00", 2, "2027-01-12 09:00"),  # a recess, then the Monday of Reyes
    ],
    ids=str,
)
def test_a_limit_falls_on(start: str, hours: float, due: str) -> None:
    assert OFFICE.add_business(bogota(start), timedelta(hours=hours)) == bogota(due)


def test_a_deadline_names_the_days_that_pushed_it_back() -> None:
    deadline = OFFICE.deadline(bogota("2026-11-13 16:58"), timedelta(hours=8))

    assert [day for day, _ in deadline.skipped] == [date(2026, 11, 16)]
    assert "Cartagena" in deadline.skipped[0][1]


def test_the_day_of_ley_2578_is_known() -> None:
    assert date(2026, 7, 13) in public_holidays(2026)


def test_an_office_that_never_opens_is_told_so() -> None:
    closed = Calendar(OfficeHours(weekdays=frozenset()))

    with pytest.raises(NeverOpenError):
        closed.add_business(bogota("2026-11-17 08:00"), timedelta(hours=1))


def test_office_hours_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="out of order"):
        OfficeHours(spans=((time(8), time(12)), (time(11), time(18))))


Between = Callable[[Calendar, datetime, datetime], timedelta]


def adding_and_counting_agree(between: Between, start: datetime, after: timedelta) -> None:
    """State the law: what is added is what passes, and it ends while the office is at work."""
    due = OFFICE.add_business(start, after)
    assert between(OFFICE, start, due) == after
    if after:
        assert between(OFFICE, due - timedelta(seconds=1), due) == timedelta(seconds=1)


@given(start=MOMENTS, after=MINUTES)
def test_what_is_added_is_what_passes(start: datetime, after: timedelta) -> None:
    adding_and_counting_agree(Calendar.business_between, start, after)


def forgets_lunch(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Count as a careless office would: from opening to closing."""
    careless = Calendar(OfficeHours(spans=((time(8), time(18)),)), calendar.zone, calendar.days_off)
    return careless.business_between(start, end)


def test_an_office_that_forgets_its_lunch_is_caught() -> None:
    @settings(phases=[Phase.generate], report_multiple_bugs=False, database=None)
    @given(start=MOMENTS, after=MINUTES)
    def careless(start: datetime, after: timedelta) -> None:
        adding_and_counting_agree(forgets_lunch, start, after)

    with pytest.raises(AssertionError):
        careless()


@given(moments=st.lists(MOMENTS, min_size=3, max_size=3))
def test_business_time_adds_up(moments: list[datetime]) -> None:
    first, second, third = sorted(moments)
    parts = OFFICE.business_between(first, second) + OFFICE.business_between(second, third)
    assert OFFICE.business_between(first, third) == parts
    assert parts <= third - first


@given(start=MOMENTS, short=MINUTES, more=MINUTES)
def test_a_longer_limit_never_falls_earlier(
    start: datetime, short: timedelta, more: timedelta
) -> None:
    assert OFFICE.add_business(start, short) <= OFFICE.add_business(start, short + more)


def test_an_office_that_counts_whole_hours_is_caught() -> None:
    between = Calendar.business_between

    def rounded(self: Calendar, start: datetime, end: datetime) -> timedelta:
        return timedelta(hours=between(self, start, end) // timedelta(hours=1))

    assert_catches(test_business_time_adds_up, Calendar, "business_between", rounded)


def test_an_office_that_pushes_what_falls_on_a_weekend_back_by_three_days_is_caught() -> None:
    def pushing(_self: Calendar, start: datetime, after: timedelta) -> datetime:
        due = start + after
        return due + timedelta(days=3) if due.weekday() in {5, 6} else due

    holds = test_a_longer_limit_never_falls_earlier
    assert_catches(holds, Calendar, "add_business", pushing)


def test_nothing_passes_backwards() -> None:
    now = datetime(2026, 11, 17, 15, tzinfo=UTC)
    assert OFFICE.business_between(now, now - timedelta(hours=3)) == timedelta()
