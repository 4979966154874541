"""How far a case is along the five activities."""

from datetime import UTC, datetime

import pytest

from circular.counter.progress import Reached, activities_done, activity_now
from circular.workflow.states import FINAL, State

AT = datetime(2026, 11, 18, tzinfo=UTC)


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_place_on_the_line(state: State) -> None:
    assert 0 <= activities_done(state, Reached()) <= 5


@pytest.mark.parametrize(
    ("state", "done"), [(State.FILED, 1), (State.SENDING, 2), (State.SENT, 3), (State.CLOSED, 5)]
)
def test_the_state_says_what_is_done(state: State, done: int) -> None:
    assert activities_done(state, Reached()) == done


def test_a_cancelled_case_keeps_what_it_reached() -> None:
    assert activities_done(State.CANCELLED, Reached(filed_at=AT, forwarded_at=AT)) == 2


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_case_that_ended_has_nothing_in_progress(state: State) -> None:
    assert activity_now(state, 2) is None
