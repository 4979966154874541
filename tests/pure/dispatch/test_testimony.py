"""What a dead worker's journal proves: a world in which workers die at any octet, and the far side's book.

The judge is what the far side took, never what the worker believed: whoever is called untried was not
handed over, whoever stands with an answer was answered so, and all others are in doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circular.dispatch.testimony import Testimony as Told
from circular.dispatch.testimony import handing_over, is_untried, read
from circular.outcomes.lines import line_of
from circular.outcomes.verdicts import OutcomeFact, Verdict

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
LEASE = 7
Life = tuple[list[list[int]], list[bool], int, int]  # groups, answered, moment of death, cut
Untried = Callable[[Told | None, int, int], bool]
Read = Callable[[str], Told]


@dataclass
class World:
    """One worker's life: what it wrote, and what the far side took and answered, step by step."""

    people: int
    written: str = ""
    taken: set[int] = field(default_factory=set)
    answered: set[int] = field(default_factory=set)
    # (octets written so far, taken, answered) after each step
    moments: list[tuple[int, frozenset[int], frozenset[int]]] = field(default_factory=list)

    def note(self) -> None:
        self.moments.append((len(self.written), frozenset(self.taken), frozenset(self.answered)))


def answer(recipient: int) -> str:
    fact = OutcomeFact(recipient=recipient, verdict=Verdict.ACCEPTED, at=NOW, code=250)
    return line_of(LEASE, fact)


def lived(groups: list[list[int]], answers: list[bool], *, line_first: bool = True) -> World:
    """Let a worker hand over groups of people in one write each, and hear some of them answered."""
    world = World(people=sum(map(len, groups)))
    world.note()
    for group, is_answered in zip(groups, answers, strict=True):
        line = handing_over(LEASE, group)
        if line_first:
            world.written += line
            world.note()
            world.taken.update(group)
        else:
            world.taken.update(group)
            world.note()
            world.written += line
        world.note()
        if is_answered:
            world.answered.update(group)
            world.note()
            world.written += "".join(map(answer, group))
            world.note()
    return world


@st.composite
def lives(draw: st.DrawFn) -> Life:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    groups, number = [], 1
    for size in sizes:
        groups.append(list(range(number, number + size)))
        number += size
    answers = draw(st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes)))
    return groups, answers, draw(st.integers(0, 40)), draw(st.integers(0, 30))


def whole(text: str) -> Told:
    return read([text], whole=True)


def check(
    life: Life,
    *,
    untried: Untried = is_untried,
    reading: Read = whole,
    line_first: bool = True,
) -> None:
    """Kill the worker at one moment, and hold what its journal proves against the far side."""
    groups, answers, moment, _ = life
    world = lived(groups, answers, line_first=line_first)
    octets, taken, answered = world.moments[moment % len(world.moments)]
    found = reading(world.written[:octets])
    told = found.answered.get(LEASE, set())
    for person in range(1, world.people + 1):
        if person in told:
            continue
        if untried(found, LEASE, person):
            assert person not in taken, "somebody who has it would be sent another"
    assert told <= answered, "nobody said that"


@given(lives())
def test_nobody_who_was_handed_over_is_called_untried(
    life: Life,
) -> None:
    check(life)


@given(lives())
def test_only_those_handed_over_and_not_answered_are_in_doubt(
    life: Life,
) -> None:
    groups, answers, moment, _ = life
    world = lived(groups, answers)
    octets, taken, _ = world.moments[moment % len(world.moments)]
    found = whole(world.written[:octets])

    doubtful = {
        person
        for person in range(1, world.people + 1)
        if person not in found.answered.get(LEASE, set()) and not is_untried(found, LEASE, person)
    }

    last_write = set(groups[-1]).union(*groups)
    assert doubtful <= last_write
    # No more than were handed over without a recorded answer, and one write about to leave.
    unanswered = taken - found.answered.get(LEASE, set())
    assert len(doubtful - unanswered) <= max(map(len, groups))


@given(lives())
def test_a_torn_end_calls_nobody_untried_who_was_handed_over(
    life: Life,
) -> None:
    """A line that is torn announces what has not happened: the write comes before the hand-over."""
    groups, answers, moment, cut = life
    world = lived(groups, answers)
    octets, taken, _ = world.moments[moment % len(world.moments)]
    following = world.written[octets:].partition("\n")[0]
    found = whole(world.written[:octets] + following[:cut])

    for person in taken - found.answered.get(LEASE, set()):
        assert not is_untried(found, LEASE, person)


def test_without_a_whole_journal_everybody_on_loan_is_in_doubt() -> None:
    of_an_earlier_start = read([handing_over(LEASE, [1])], whole=False)

    assert not is_untried(of_an_earlier_start, LEASE, 2)
    assert not is_untried(None, LEASE, 2)
    assert is_untried(whole(handing_over(LEASE, [1])), LEASE, 2)


@given(st.text(alphabet="0123456789\t,\nabc\ufffd", max_size=60))
def test_noise_is_no_testimony_about_anybody_else(noise: str) -> None:
    found = whole(f"{noise}\n{handing_over(LEASE, [1, 2])}{answer(1)}")

    assert {1, 2} <= found.handed_over[LEASE]
    assert 1 in found.answered[LEASE]


# ---- deliberately broken variants: each is caught ------------------------------------------------


def trusting(_: Told | None, lease: int, recipient: int) -> bool:
    """Takes everybody without an answer for untried."""
    del lease, recipient
    return True


def reads_torn_lines(text: str) -> Told:
    """Takes the torn end for a line."""
    return whole(text + "\n")


def forgets_the_last(text: str) -> Told:
    """Leaves out the last line, which is whole."""
    return whole("\n".join(text.split("\n")[:-2]) + "\n")


@pytest.mark.parametrize(
    "broken",
    [
        {"untried": trusting},
        {"reading": forgets_the_last},
        {"line_first": False},
    ],
)
def test_a_worker_or_a_reader_that_is_broken_is_caught(broken: dict[str, object]) -> None:
    @settings(database=None, max_examples=400)
    @given(lives())
    def holds(life: Life) -> None:
        check(life, **broken)  # type: ignore[arg-type]

    with pytest.raises(AssertionError):
        holds()


def test_a_reader_of_torn_lines_is_caught() -> None:
    """A torn list of numbers names somebody else: 1,2 of 1,23."""
    text = handing_over(LEASE, [1, 23])[:-2]

    assert reads_torn_lines(text).handed_over == {LEASE: {1, 2}}
    assert whole(text).handed_over == {}
