"""An operator's ceiling holds over every span of time, whoever asks and however often."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.dispatch.ceiling import SAVED, Admitted, admit

NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)
Ask = Callable[[int, datetime | None, datetime, int], Admitted]
CALLS = st.lists(st.tuples(st.integers(0, 90_000), st.integers(0, 500)), min_size=1, max_size=30)


def never_faster(ask: Ask, per_minute: int, calls: list[tuple[int, int]]) -> None:
    now, until, passed = NOON, None, []
    for wait, wanted in calls:
        now += timedelta(milliseconds=wait)
        admitted = ask(per_minute, until, now, wanted)
        until = admitted.paced_until
        passed.append((now, admitted.count))
        assert 0 <= admitted.count <= wanted
    for first, (began, _) in enumerate(passed):
        for last in range(first, len(passed)):
            span = passed[last][0] - began + SAVED
            most = ceil(span / timedelta(minutes=1) * per_minute) + 1
            assert sum(count for _, count in passed[first : last + 1]) <= most


@given(per_minute=st.integers(1, 60_000), calls=CALLS)
def test_no_span_of_time_sees_more_than_its_share(
    per_minute: int, calls: list[tuple[int, int]]
) -> None:
    never_faster(admit, per_minute, calls)


def saves_for_ever(
    per_minute: int, paced_until: datetime | None, now: datetime, wanted: int
) -> Admitted:
    each = timedelta(minutes=1) / per_minute
    used = now - each if paced_until is None else paced_until
    count = max(min(wanted, (now - used) // each), 0)
    return Admitted(count, used + count * each)


def test_a_ceiling_that_saves_for_ever_is_caught() -> None:
    with pytest.raises(AssertionError):
        never_faster(saves_for_ever, 600, [(0, 1), (60_000, 0), (1, 500), (1, 500)])


@given(per_minute=st.integers(1, 6000))
def test_who_asks_each_half_second_loses_nothing_of_the_share(per_minute: int) -> None:
    until, passed, now = None, 0, NOON
    for _ in range(240):  # two minutes
        admitted = admit(per_minute, until, now, 10_000)
        passed, until = passed + admitted.count, admitted.paced_until
        now += timedelta(milliseconds=500)

    assert passed >= 2 * per_minute - per_minute // 60 - 2


def test_one_a_minute_lets_one_pass_a_minute() -> None:
    first = admit(1, None, NOON, 50)
    soon = admit(1, first.paced_until, NOON + timedelta(seconds=59), 50)
    later = admit(1, soon.paced_until, NOON + timedelta(seconds=60), 50)

    assert (first.count, soon.count, later.count) == (1, 0, 1)
