"""The closing clerk's rules: sent is proved or not claimed, and silence is noticed once per limit."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.followup.closing import (
    FINAL,
    LATEST,
    Decision,
    Due,
    DutyFacts,
    Outcome,
    Reason,
    SendingFacts,
    Sight,
    decide,
    next_look_at,
    what_is_due,
)
from circular.workflow.acts import Figures
from variants import assert_catches

NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
LIMIT = NOON + timedelta(hours=8)
SOUND = SendingFacts(
    by_other_means=False,
    figures=Figures(audience=2000, accepted=1990, refused=6, bounced=1, suppressed=3),
    as_approved=True,
    sights=(Sight.EQUAL, Sight.EQUAL),
    limit_at=LIMIT,
)
Decide = Callable[[SendingFacts, datetime], Decision]


def counted(facts: SendingFacts, **figures: int) -> SendingFacts:
    """Return the same sending with other figures."""
    return replace(facts, figures=replace(facts.figures, **figures))


def test_balanced_totals_and_equal_copies_in_every_witness_mailbox_are_a_positive_verdict() -> None:
    assert decide(SOUND, NOON) == Decision(
        Outcome.POSITIVE,
        (
            Reason.TOTALS_BALANCE,
            Reason.NOBODY_IN_DOUBT,
            Reason.CONTENT_AS_APPROVED,
            Reason.WITNESSES_RECEIVED,
            Reason.TEXT_EQUALS,
        ),
    )


@pytest.mark.parametrize(
    ("facts", "now", "outcome", "because"),
    [
        (counted(SOUND, accepted=1989), NOON, Outcome.NEGATIVE, Reason.TOTALS_DIFFER),
        (counted(SOUND, accepted=2001, refused=-5), NOON, Outcome.NEGATIVE, Reason.TOTALS_DIFFER),
        (
            replace(SOUND, sights=(Sight.EQUAL, Sight.DIFFERENT)),
            NOON,
            Outcome.NEGATIVE,
            Reason.TEXT_DIFFERS,
        ),
        (replace(SOUND, as_approved=False), NOON, Outcome.NEGATIVE, Reason.CONTENT_NOT_AS_APPROVED),
        (
            replace(SOUND, sights=(Sight.EQUAL, Sight.NOT_SEEN)),
            NOON,
            Outcome.WAITING,
            Reason.WITNESS_NOT_SEEN,
        ),
        (
            replace(SOUND, sights=(Sight.EQUAL, Sight.NOT_SEEN)),
            LIMIT,
            Outcome.NEGATIVE,
            Reason.WITNESS_NOT_SEEN,
        ),
        (
            replace(SOUND, sights=(Sight.UNREADABLE,)),
            NOON,
            Outcome.WAITING,
            Reason.WITNESS_UNREADABLE,
        ),
        (
            replace(SOUND, sights=(Sight.EQUAL, Sight.UNREADABLE)),
            LIMIT,
            Outcome.HELD,
            Reason.WITNESS_UNREADABLE,
        ),
        (replace(SOUND, sights=()), NOON, Outcome.HELD, Reason.NO_WITNESS),
        (
            counted(SOUND, accepted=1980, in_doubt=10),
            NOON,
            Outcome.HELD,
            Reason.SOMEBODY_IN_DOUBT,
        ),
        (
            counted(replace(SOUND, sights=(Sight.DIFFERENT,)), accepted=1980, in_doubt=10),
            LIMIT,
            Outcome.HELD,
            Reason.TEXT_DIFFERS,
        ),
        (counted(SOUND, accepted=1980, pending=10), NOON, Outcome.WAITING, Reason.STILL_PENDING),
        (replace(SOUND, by_other_means=True, sights=()), NOON, Outcome.HELD, Reason.OTHER_MEANS),
        (
            counted(replace(SOUND, by_other_means=True), accepted=1),
            NOON,
            Outcome.NEGATIVE,
            Reason.TOTALS_DIFFER,
        ),
    ],
    ids=str,
)
def test_anything_less_is_not_called_sent(
    facts: SendingFacts, now: datetime, outcome: Outcome, because: Reason
) -> None:
    decision = decide(facts, now)

    assert decision.outcome is outcome
    assert because in decision.reasons


FIGURES = st.builds(
    Figures,
    audience=st.integers(0, 4),
    accepted=st.integers(0, 4),
    refused=st.integers(0, 1),
    bounced=st.just(0),
    suppressed=st.integers(0, 1),
    pending=st.integers(0, 1),
    in_doubt=st.integers(0, 1),
)
BALANCED = st.builds(
    lambda accepted, refused: Figures(
        audience=accepted + refused, accepted=accepted, refused=refused
    ),
    st.integers(0, 4),
    st.integers(0, 1),
)
SENDINGS = st.builds(
    SendingFacts,
    by_other_means=st.booleans(),
    figures=FIGURES | BALANCED,
    as_approved=st.booleans(),
    sights=st.lists(st.sampled_from(Sight), max_size=3).map(tuple),
    limit_at=st.sampled_from([None, NOON, LIMIT]),
)


def claims_only_what_is_proved(decision: Decision, facts: SendingFacts) -> bool:
    """The property: positive means that all six promises of design §2.8 hold."""
    proved = (
        not facts.by_other_means
        and facts.figures.balance
        and facts.figures.pending == facts.figures.in_doubt == 0
        and facts.as_approved
        and len(facts.sights) > 0
        and set(facts.sights) == {Sight.EQUAL}
    )
    return (decision.outcome is Outcome.POSITIVE) is proved


@given(SENDINGS, st.sampled_from([NOON, LIMIT]))
def test_only_what_is_proved_is_called_sent(facts: SendingFacts, now: datetime) -> None:
    assert claims_only_what_is_proved(decide(facts, now), facts)


@given(SENDINGS)
def test_without_a_limit_nothing_that_may_still_arrive_is_called_not_sent(
    facts: SendingFacts,
) -> None:
    facts = replace(facts, limit_at=None, as_approved=True)

    decision = decide(facts, NOON)

    if facts.figures.balance and Sight.DIFFERENT not in facts.sights:
        assert decision.outcome is not Outcome.NEGATIVE


def test_a_clerk_that_sets_a_limit_of_its_own_is_caught() -> None:
    right = decide

    def impatient(facts: SendingFacts, now: datetime) -> Decision:
        return right(replace(facts, limit_at=now), now)

    holds = test_without_a_limit_nothing_that_may_still_arrive_is_called_not_sent
    assert_catches(holds, __name__, "decide", impatient)


def calls_the_unseen_arrived(facts: SendingFacts, now: datetime) -> Decision:
    """Broken on purpose: what was not seen counts as equal."""
    seen = tuple(Sight.EQUAL if each is Sight.NOT_SEEN else each for each in facts.sights)
    return decide(replace(facts, sights=seen), now)


def is_content_with_one_witness(facts: SendingFacts, now: datetime) -> Decision:
    """Broken on purpose: looks at the first witness only."""
    return decide(replace(facts, sights=facts.sights[:1]), now)


def overlooks_doubt(facts: SendingFacts, now: datetime) -> Decision:
    """Broken on purpose: counts those in doubt as accepted."""
    figures = facts.figures
    return decide(counted(facts, accepted=figures.accepted + figures.in_doubt, in_doubt=0), now)


@pytest.mark.parametrize(
    ("broken", "facts"),
    [
        (calls_the_unseen_arrived, replace(SOUND, sights=(Sight.NOT_SEEN,))),
        (is_content_with_one_witness, replace(SOUND, sights=(Sight.EQUAL, Sight.DIFFERENT))),
        (overlooks_doubt, counted(SOUND, accepted=1989, in_doubt=1)),
    ],
)
def test_the_property_catches_a_clerk_that_is_broken(broken: Decide, facts: SendingFacts) -> None:
    assert claims_only_what_is_proved(decide(facts, NOON), facts)
    assert not claims_only_what_is_proved(broken(facts, NOON), facts)


@given(st.integers(0, 10_000), st.sampled_from([each for each in Outcome if each not in FINAL]))
def test_the_next_look_is_later_but_never_too_late(attempts: int, outcome: Outcome) -> None:
    assert NOON < next_look_at(attempts, outcome, NOON) <= NOON + LATEST


def test_waits_that_grow_without_end_are_caught() -> None:
    def endless(attempts: int, _outcome: Outcome, now: datetime) -> datetime:
        return now + timedelta(minutes=1 + attempts)

    holds = test_the_next_look_is_later_but_never_too_late
    assert_catches(holds, __name__, "next_look_at", endless)


def test_the_first_looks_follow_each_other_quickly() -> None:
    waits = [next_look_at(attempts, Outcome.WAITING, NOON) - NOON for attempts in range(4)]

    assert waits == sorted(waits)
    assert waits[0] <= timedelta(seconds=5)


REVIEW = DutyFacts(
    is_draft=False,
    due_at=NOON,
    next_reminder_at=NOON,
    reminders=0,
    escalate_after=2,
    escalated=False,
    office_open=True,
)


@pytest.mark.parametrize(
    ("duty", "now", "due"),
    [
        (REVIEW, NOON - timedelta(seconds=1), Due.NOTHING),
        (REVIEW, NOON, Due.REMIND),
        (replace(REVIEW, reminders=1, next_reminder_at=LIMIT), NOON, Due.NOTHING),
        (replace(REVIEW, office_open=False), NOON + timedelta(minutes=5), Due.REMIND),
        (replace(REVIEW, office_open=False), NOON + timedelta(hours=5), Due.NOTHING),
        (replace(REVIEW, reminders=1, next_reminder_at=LIMIT), LIMIT, Due.REMIND),
        (replace(REVIEW, reminders=2, next_reminder_at=LIMIT), LIMIT, Due.ESCALATE),
        (replace(REVIEW, reminders=3, next_reminder_at=LIMIT, escalated=True), LIMIT, Due.REMIND),
        (replace(REVIEW, next_reminder_at=None), LIMIT, Due.NOTHING),
        (replace(REVIEW, is_draft=True), NOON - timedelta(seconds=1), Due.NOTHING),
        (replace(REVIEW, is_draft=True), NOON, Due.LAPSE),
        (replace(REVIEW, reminders=9, escalate_after=0), NOON, Due.ESCALATE),
    ],
)
def test_silence_about_a_duty_calls_for(duty: DutyFacts, now: datetime, due: Due) -> None:
    assert what_is_due(duty, now) is due
