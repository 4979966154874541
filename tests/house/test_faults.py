"""The table of faults at its reduced size: the far side's own file judges, and a liar is caught.

Each scenario is played twice: with the real sender, where the judge must find nothing, and with a
sender that is broken on purpose, which the judge must find out. `make faults ARGS=--full` plays them
at the size before a release.
"""

from collections.abc import Callable, Iterator

import pytest

from faults.ground import Ground
from faults.scenarios import SCENARIOS, run

NEEDS = {2: ("strace", "strace")}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Give a PostgreSQL of our own, which may be killed."""
    one = Ground(tmp_path_factory.mktemp("ground"), durable=False)
    yield one
    one.leave()


@pytest.mark.parametrize("number", sorted(SCENARIOS))
def test_nobody_is_forgotten_and_nobody_is_mailed_twice_in_silence_when(
    number: int, ground: Ground, require_program: Callable[[str, str], str]
) -> None:
    for program, package in [NEEDS[number]] if number in NEEDS else []:
        require_program(program, package)

    found = run(ground, number)

    assert found.problems == [], found.figures


@pytest.mark.parametrize("number", sorted(SCENARIOS))
def test_a_sender_that_is_broken_on_purpose_is_caught_when(
    number: int, ground: Ground, require_program: Callable[[str, str], str]
) -> None:
    for program, package in [NEEDS[number]] if number in NEEDS else []:
        require_program(program, package)

    found = run(ground, number, broken=SCENARIOS[number].caught)

    assert found.problems, found.figures
