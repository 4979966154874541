"""How long, and whose turn: figures in, figures out."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.dispatch.batching import BATCH, Pick, Waiting, next_batch
from circular.dispatch.pacing import JITTER, Pace, rest_after, rest_for, retry_after
from circular.dispatch.trouble import Trouble

PACE = Pace(first_retry=60, longest_retry=3600, first_rest=2, longest_rest=300)


def check_waits(
    wait_of: Callable[[int, float, Pace], timedelta], attempts: int, dice: float
) -> None:
    wait = wait_of(attempts, dice, PACE)
    assert timedelta(seconds=60) <= wait <= timedelta(seconds=3600 * (1 + JITTER))
    assert wait_of(attempts + 1, dice, PACE) >= wait


@given(attempts=st.integers(0, 10_000), dice=st.floats(0, 1))
def test_waits_grow_and_are_capped(attempts: int, dice: float) -> None:
    check_waits(retry_after, attempts, dice)


def test_waits_without_a_cap_are_caught() -> None:
    with pytest.raises(AssertionError):
        check_waits(lambda attempts, _dice, _pace: timedelta(seconds=60 * 2**attempts), 9, 0)


def test_two_people_deferred_together_do_not_come_back_together() -> None:
    assert retry_after(1, 0.1, PACE) != retry_after(1, 0.9, PACE)


def test_a_relay_rests_longer_each_time() -> None:
    rests = [rest_after(failures, 0, PACE).total_seconds() for failures in range(1, 12)]

    assert rests[:4] == [2, 4, 8, 16]
    assert rests[-1] == 300


@pytest.mark.parametrize(
    ("trouble", "rests"),
    [
        (Trouble.UNREACHABLE, [2, 4, 8, 16]),
        (Trouble.THROTTLED, [60, 120, 240, 300]),
        (Trouble.QUOTA, [900, 1800, 3600, 3600]),
    ],
)
def test_a_relay_that_asked_for_patience_gets_it(trouble: Trouble, rests: list[float]) -> None:
    found = [rest_for(trouble, failures, 0, PACE).total_seconds() for failures in range(1, 5)]

    assert found == rests


def waiting(mailing: int, priority: int) -> Waiting:
    return Waiting(mailing=mailing, priority=priority)


def test_letters_go_before_circulars() -> None:
    people = [waiting(1, 50), waiting(2, 10)]

    assert next_batch(people, {}, room=20) == Pick(2, 10, 20)


def test_two_circulars_share_the_relay() -> None:
    people = [waiting(1, 50), waiting(2, 50)]

    assert next_batch(people, {1: 30}, room=20) == Pick(2, 50, 20)


def test_nobody_waits_or_no_room_means_no_lease() -> None:
    assert next_batch([], {}, room=20) is None
    assert next_batch([waiting(1, 50)], {}, room=0) is None
    assert next_batch([waiting(1, 50)], {}, room=-3) is None


Chooser = Callable[[list[Waiting], dict[int, int], int], Pick | None]


def check_batch(choose: Chooser, people: list[Waiting], room: int) -> None:
    pick = choose(people, {}, room)
    assert pick is not None
    assert pick.limit == min(room, BATCH)
    assert pick.priority == min(one.priority for one in people)


@given(
    people=st.lists(st.builds(waiting, st.integers(1, 9), st.integers(0, 50)), min_size=1),
    room=st.integers(1, 500),
)
def test_a_batch_is_never_larger_than_the_policy_and_never_behind_something_urgent(
    people: list[Waiting], room: int
) -> None:
    check_batch(next_batch, people, room)


def test_a_queue_in_order_of_arrival_is_caught() -> None:
    def first_come(people: list[Waiting], _under_way: dict[int, int], room: int) -> Pick:
        return Pick(people[0].mailing, people[0].priority, min(room, BATCH))

    with pytest.raises(AssertionError):
        check_batch(first_come, [waiting(1, 50), waiting(2, 0)], 10)
