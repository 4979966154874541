"""When so much is refused that a person must look first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from circular.dispatch.breaker import WINDOW, Breaker, BreakerRules
from variants import assert_catches


def stops_at(verdicts: list[bool], rules: BreakerRules | None = None) -> int | None:
    """After how many verdicts the mailing pauses."""
    breaker = Breaker(rules)
    for number, refused in enumerate(verdicts, 1):
        if breaker.verdict(1, refused=refused):
            return number
    return None


def test_one_that_is_refused_from_the_start_stops_after_twenty_five() -> None:
    assert stops_at([True] * 1000) == 25


def test_one_that_went_well_for_long_and_is_refused_now_stops_soon() -> None:
    assert stops_at([False] * 30_000 + [True] * 1000) == 30_000 + 40


def test_a_directory_with_one_bad_address_in_ten_goes_on() -> None:
    assert stops_at(([True] + [False] * 9) * 1000) is None


def test_a_circular_to_few_people_never_stops() -> None:
    assert stops_at([True] * 24) is None


def test_the_office_decides_how_much_is_too_much() -> None:
    assert stops_at(([True] + [False] * 9) * 1000, BreakerRules(percent=10, least=10)) == 91


def test_the_refused_do_not_add_up_across_mailings() -> None:
    breaker = Breaker()

    assert not any(breaker.verdict(number, refused=True) for number in range(100))


def test_after_a_person_looked_the_window_is_empty() -> None:
    breaker = Breaker()
    assert [breaker.verdict(1, refused=True) for _ in range(25)][-1]

    breaker.forget(1)

    assert not any(breaker.verdict(1, refused=True) for _ in range(24))


def test_what_is_not_sent_any_more_has_no_window() -> None:
    breaker = Breaker()
    for _ in range(24):
        breaker.verdict(1, refused=True)

    breaker.keep_only({2})

    assert not breaker.verdict(1, refused=True)


@given(
    verdicts=st.lists(st.booleans(), max_size=20) | st.lists(st.booleans(), max_size=600),
    percent=st.integers(1, 100),
    least=st.integers(1, 5) | st.integers(1, 150),
)
def test_it_stops_exactly_when_both_limits_are_passed(
    verdicts: list[bool], percent: int, least: int
) -> None:
    width = max(WINDOW, 2 * least)

    def passed(number: int) -> bool:
        window = verdicts[max(0, number - width) : number]
        enough = sum(window) >= least and 100 * sum(window) >= percent * len(window)
        return verdicts[number - 1] and enough

    expected = next((number for number in range(1, len(verdicts) + 1) if passed(number)), None)

    assert stops_at(verdicts, BreakerRules(percent, least)) == expected


def test_a_breaker_with_one_limit_or_no_memory_is_caught() -> None:
    class OneLimit(Breaker):
        def __init__(self, rules: BreakerRules | None = None) -> None:
            super().__init__(BreakerRules((rules or BreakerRules()).percent, least=1))

    class NoWindow(Breaker):
        @override
        def verdict(self, mailing: int, *, refused: bool) -> bool:
            self.forget(mailing)
            return super().verdict(mailing, refused=refused)

    holds = test_it_stops_exactly_when_both_limits_are_passed
    assert_catches(holds, __name__, "Breaker", OneLimit)
    assert_catches(holds, __name__, "Breaker", NoWindow)


def test_a_breaker_that_counts_everything_ever_sent_would_be_seen() -> None:
    """The window is what makes it quick: the share of all 30,040 would be far below the limit."""
    verdicts = [False] * 30_000 + [True] * 40

    assert 100 * sum(verdicts) < 20 * len(verdicts)
    with pytest.raises(AssertionError):
        assert stops_at(verdicts) is None
