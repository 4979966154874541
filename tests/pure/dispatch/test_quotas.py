"""Rolling quotas: never too much in any window, and an end that comes when it was said."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.dispatch.quotas import (
    SLICES,
    SPANS,
    Quota,
    QuotaUnit,
    Slice,
    Usage,
    Window,
    allows_again_at,
    counts_from,
    ends_at,
    frees_at,
    room,
    slice_of,
    usage_of,
)

NOW = datetime(2026, 11, 24, 9, 0, 0, 300_000, tzinfo=UTC)
DAY = Quota(Window.DAY, QuotaUnit.RECIPIENTS, 10_000)
MINUTE = Quota(Window.MINUTE, QuotaUnit.MESSAGES, 30)


def used(quota: Quota, *amounts: tuple[timedelta, int], lent: int = 0) -> Usage:
    """What was handed over so long ago."""
    slices = [Slice(slice_of(quota.window, NOW - ago), amount) for ago, amount in amounts]
    return usage_of(quota, slices, lent, NOW)


def test_what_is_left_is_what_nobody_sent_or_holds() -> None:
    usage = used(DAY, (timedelta(hours=1), 4000), (timedelta(hours=23), 1000), lent=500)

    assert usage.left == 4500


def test_a_window_rolls_and_knows_no_midnight() -> None:
    """10,000 at 23:00 and 10,000 at 00:30 would both fit into a day of their own."""
    usage = used(DAY, (timedelta(minutes=90), 10_000))

    assert usage.left == 0
    assert used(DAY, (timedelta(hours=24, minutes=6), 10_000)).left == 10_000


def test_the_tightest_quota_decides() -> None:
    assert room([used(DAY), used(MINUTE, (timedelta(seconds=20), 29))]) == 1
    assert room([]) is None


def test_it_says_when_there_will_be_room() -> None:
    usage = used(MINUTE, (timedelta(seconds=50), 10), (timedelta(seconds=10), 20))

    again = allows_again_at([usage], NOW, wanted=10)
    later = allows_again_at([usage], NOW, wanted=11)

    assert allows_again_at([used(MINUTE)], NOW, wanted=30) is None
    assert again == slice_of(Window.MINUTE, NOW - timedelta(seconds=50)) + timedelta(seconds=61)
    assert later is not None
    assert timedelta(seconds=50) < later - NOW <= timedelta(seconds=51)


def test_what_is_lent_comes_free_a_window_from_now_at_the_latest() -> None:
    again = allows_again_at([used(MINUTE, lent=30)], NOW)

    assert again is not None
    assert timedelta(minutes=1) <= again - NOW <= timedelta(seconds=61)


def check_window(
    left_of: Callable[[Quota, list[Slice], datetime], int], moves: list[tuple[float, int]]
) -> None:
    """Take what is said to be left, and look at every window that ends at a hand-over."""
    quota = Quota(Window.MINUTE, QuotaUnit.MESSAGES, 100)
    now, sent = NOW, []
    slices: list[Slice] = []
    for wait, wanted in moves:
        now += timedelta(seconds=wait)
        amount = min(wanted, left_of(quota, slices, now))
        slices.append(Slice(slice_of(quota.window, now), amount))
        sent.append((now, amount))
    for end, _ in sent:
        within = sum(amount for at, amount in sent if end - SPANS[quota.window] <= at <= end)
        assert within <= quota.most


def left_by_the_book(quota: Quota, slices: list[Slice], now: datetime) -> int:
    return usage_of(quota, slices, 0, now).left


def left_by_the_calendar(quota: Quota, slices: list[Slice], now: datetime) -> int:
    """A window that begins afresh each minute."""
    began = now.replace(second=0, microsecond=0)
    return quota.most - sum(one.amount for one in slices if one.began_at >= began)


def left_too_early(quota: Quota, slices: list[Slice], now: datetime) -> int:
    """A slice that is forgotten when its beginning, not its end, left the window."""
    since = now - SPANS[quota.window]
    return quota.most - sum(one.amount for one in slices if one.began_at > since)


MOVES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.1, 0.7, 1.0, 5.0, 29.0, 30.0, 59.3, 60.0, 60.9]),
        st.integers(1, 150),
    ),
    min_size=2,
    max_size=30,
)


@given(moves=MOVES)
def test_no_window_ever_holds_more_than_the_quota(moves: list[tuple[float, int]]) -> None:
    check_window(left_by_the_book, moves)


@pytest.mark.parametrize(
    ("broken", "moves"),
    [
        (left_by_the_calendar, [(59.0, 100), (5.0, 100)]),
        (left_too_early, [(0.6, 100), (59.5, 100)]),
    ],
)
def test_a_window_that_is_no_rolling_one_is_caught(
    broken: Callable[[Quota, list[Slice], datetime], int], moves: list[tuple[float, int]]
) -> None:
    with pytest.raises(AssertionError):
        check_window(broken, moves)


@given(
    window=st.sampled_from(list(Window)),
    ago=st.integers(0, 200_000_000).map(lambda ms: timedelta(milliseconds=ms)),
)
def test_what_is_read_from_the_database_is_what_still_counts(
    window: Window, ago: timedelta
) -> None:
    one = Slice(slice_of(window, NOW - ago), 1)

    assert (one.began_at > counts_from(window, NOW)) == (frees_at(window, one) > NOW)
    assert one.began_at <= NOW - ago < one.began_at + SLICES[window]


def test_twenty_thousand_through_ten_thousand_a_day_end_tomorrow() -> None:
    end = ends_at(20_000, [used(DAY)], NOW)

    assert end is not None
    assert timedelta(hours=24) <= end - NOW <= timedelta(hours=24, minutes=10)


def test_thirty_a_minute_make_an_hour_of_eighteen_hundred() -> None:
    end = ends_at(1800, [used(MINUTE)], NOW)

    assert end is not None
    assert timedelta(minutes=58) <= end - NOW <= timedelta(minutes=61)


def test_what_others_sent_today_delays_the_end() -> None:
    free = ends_at(5000, [used(DAY)], NOW)
    taken = ends_at(5000, [used(DAY, (timedelta(hours=20), 8000))], NOW)

    assert free == NOW
    assert taken is not None
    assert timedelta(hours=4) <= taken - NOW <= timedelta(hours=4, minutes=10)


@pytest.mark.parametrize(
    ("left", "rate", "end"),
    [(0, 5.0, NOW), (100, 5.0, NOW + timedelta(seconds=20)), (100, None, None)],
)
def test_without_a_quota_the_rate_decides(
    left: int, rate: float | None, end: datetime | None
) -> None:
    assert ends_at(left, [], NOW, per_second=rate) == end


def check_end(
    estimate: Callable[[int, Usage], datetime | None], most: int, left: int, begun: list[int]
) -> None:
    """Send everything as soon as the book allows, and compare the end with what was said."""
    quota = Quota(Window.MINUTE, QuotaUnit.RECIPIENTS, most)
    slices = [
        Slice(slice_of(quota.window, NOW - timedelta(seconds=3 * number + 1)), min(amount, most))
        for number, amount in enumerate(begun)
    ]
    slices = slices[: most // max([1, *[one.amount for one in slices]])]
    said = estimate(left, usage_of(quota, slices, 0, NOW))
    now = NOW
    while left:
        usage = usage_of(quota, slices, 0, now)
        taken = min(left, usage.left)
        left -= taken
        slices.append(Slice(slice_of(quota.window, now), taken))
        if left:
            now = allows_again_at([usage_of(quota, slices, 0, now)], now) or now
    assert said is not None
    assert abs(said - now) <= timedelta(seconds=2)


@given(
    most=st.integers(5, 200),
    left=st.integers(1, 1500),
    begun=st.lists(st.integers(1, 100), max_size=8),
)
def test_the_end_comes_when_it_was_said(most: int, left: int, begun: list[int]) -> None:
    check_end(lambda left, usage: ends_at(left, [usage], NOW), most, left, begun)


def test_an_estimate_that_forgets_what_was_sent_is_caught() -> None:
    def hopeful(left: int, usage: Usage) -> datetime | None:
        return ends_at(left, [Usage(quota=usage.quota)], NOW)

    with pytest.raises(AssertionError):
        check_end(hopeful, 100, 100, [100])
