"""A relay gets one connection, then as many as it takes well."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from circular.dispatch.slow_start import FIRST_PROBE, Pool


def opened(pool: Pool) -> Pool:
    while pool.wants_more:
        pool.opened()
    return pool


def test_it_begins_with_one_connection_and_doubles_with_each_round() -> None:
    pool = Pool(20)
    rounds = []

    for _ in range(6):
        opened(pool)
        rounds.append(pool.open)
        pool.took(pool.open, now=0)

    assert rounds == [1, 2, 4, 8, 16, 20]


def test_nothing_grows_before_something_was_taken() -> None:
    pool = opened(Pool(20))

    assert pool.open == 1
    assert not pool.wants_more


def test_what_is_turned_away_shows_how_many_it_takes() -> None:
    pool = opened(Pool(20))
    pool.took(9, now=0)
    for _ in range(4):
        pool.opened()

    pool.turned_away(now=0)
    pool.closed()

    assert pool.allowed == 4
    pool.took(1000, now=1)
    assert pool.allowed == 4


def test_one_more_is_tried_after_a_while_and_later_each_time_it_fails() -> None:
    pool = opened(Pool(20))
    pool.took(9, now=0)
    pool.opened()
    pool.turned_away(now=0)
    pool.closed()
    waits = []

    now = 0.0
    for _ in range(3):
        since = now
        while not pool.wants_more:
            now += 1
            pool.took(1, now)
        waits.append(now - since)
        pool.opened()
        pool.turned_away(now)
        pool.closed()

    assert waits == [FIRST_PROBE, 2 * FIRST_PROBE, 4 * FIRST_PROBE]


def test_after_a_rest_it_begins_with_one_again() -> None:
    pool = opened(Pool(20))
    pool.took(9, now=0)
    pool.restart()

    assert pool.allowed == 1


def test_the_office_may_change_its_mind() -> None:
    pool = opened(Pool(20))
    pool.took(15, now=0)
    pool.limit(3)

    assert pool.allowed == 3


def check_manners(make: Callable[[int], Pool], most: int, takes: int) -> None:
    """Ten minutes with a relay that takes so many connections and no more."""
    pool = make(most)
    turned_away = 0
    for second in range(600):
        while pool.wants_more:
            pool.opened()
            if pool.open > takes:
                turned_away += 1
                pool.turned_away(second)
                pool.closed()
        assert 1 <= pool.allowed <= most
        pool.took(pool.open, second)
    assert pool.open == min(most, takes)
    assert turned_away <= 5


@given(most=st.integers(1, 100), takes=st.integers(1, 100))
def test_it_finds_what_a_relay_takes_and_seldom_asks_for_more(most: int, takes: int) -> None:
    check_manners(Pool, most, takes)


class Deaf(Pool):
    """A pool that hears no refusal."""

    __slots__ = ()

    @override
    def turned_away(self, now: float) -> None:
        self._allowed = max(1, self.open - 1)


def test_a_pool_that_hears_no_refusal_is_caught() -> None:
    with pytest.raises(AssertionError):
        check_manners(Deaf, 20, 3)
