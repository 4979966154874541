"""Whatever the desk can refuse, it can say: in Spanish, the fact and then the remedy."""

import pytest

from circular.workflow import labels
from circular.workflow.guards import NEVER, Refusal
from circular.workflow.states import State
from circular.workflow.transitions import MOVES, NotMoved

ABOUT: dict[str, int | str] = {
    "act": "approved",
    "state": "in_review",
    "missing": "audience subject",
    "before": 14286,
    "now": 15000,
    "pending": 4519,
    "in_doubt": 2,
    "person": 7,
}


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_a_fact_and_a_remedy(refusal: Refusal) -> None:
    said = labels.sentence(NotMoved(refusal, ABOUT))

    assert said.endswith(".")
    assert "%(" not in said
    assert "!" not in said


@pytest.mark.parametrize("refusal", Refusal)
def test_a_refusal_known_only_by_its_code_can_be_said_too(refusal: Refusal) -> None:
    assert "%(" not in labels.refusal_sentence(refusal.value)


def test_every_refusal_is_given_by_some_guard_by_the_state_or_by_a_letter_without_mailbox() -> None:
    given = {refusal for move in MOVES.values() for refusal, _ in (move.who, *move.guards)}
    given |= {Refusal.WRONG_STATE, Refusal.TOO_EARLY, Refusal.NO_MAILBOX}

    assert set(Refusal) == given
    assert given >= NEVER


def test_figures_and_lists_are_written_as_the_office_writes_them() -> None:
    changed = labels.sentence(NotMoved(Refusal.COUNT_CHANGED, ABOUT))
    lacking = labels.sentence(NotMoved(Refusal.INCOMPLETE, ABOUT))

    assert "14.286" in changed
    assert "los destinatarios y el asunto" in lacking


def test_every_state_and_every_refusal_has_its_words() -> None:
    assert set(labels.STATES) == set(State)
    assert set(labels.REFUSALS) == set(Refusal)
