"""Random people do random things to a request: it never gets where it must not be.

Each law is checked by a machine that is also run on deliberately broken tables and must notice.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from circular.people.roles import Role
from circular.workflow import guards
from circular.workflow.acts import MACHINE, Act, Deed, Doer, Figures
from circular.workflow.facts import RequestFacts, Sending
from circular.workflow.journal import deed_from_journal
from circular.workflow.states import FINAL, State, Verdict, Way
from circular.workflow.transitions import (
    MOVES,
    Move,
    Moved,
    NotMoved,
    decide,
    replay,
)

NOON = datetime(2026, 11, 13, 17, 0, tzinfo=UTC)
ANNA, PAULA, OTTO, DEAN, QUINN = 1, 2, 3, 4, 5
UNIT, DEANS_POST, URGENT_POST = 10, 20, 21
PEOPLE = (
    Doer(person=ANNA, roles=frozenset({Role.REQUESTER}), units=frozenset({UNIT})),
    # Anna again, also in both offices: nobody may be everything at once.
    Doer(
        person=ANNA,
        roles=frozenset({Role.COMMUNICATIONS, Role.TIC, Role.REQUESTER}),
        units=frozenset({UNIT}),
    ),
    Doer(person=PAULA, roles=frozenset({Role.COMMUNICATIONS, Role.TIC})),
    Doer(person=OTTO, roles=frozenset({Role.TIC, Role.COMMUNICATIONS})),
    Doer(
        person=DEAN,
        roles=frozenset({Role.APPROVER}),
        posts=frozenset({DEANS_POST, URGENT_POST}),
    ),
    Doer(person=QUINN, roles=frozenset({Role.PROCESS_OWNER})),
    MACHINE,
)
HANDED_OVER = frozenset(
    {
        State.FORWARDED,
        State.SCHEDULED,
        State.SENDING,
        State.PAUSED,
        State.SENT,
        State.CONFIRMED,
        State.VERIFIED,
        State.CLOSED,
    }
)


# What every act could need, so that a plain attempt fails only for who, when and in which state.
PLAIN = Deed(
    act=Act.FILE,
    by=MACHINE,
    at=NOON,
    seen_digest="aa",
    seen_count=100,
    new_digest="aa",
    reason="ee",
    scheduled_at=NOON + timedelta(hours=1),
    figures=Figures(audience=100, accepted=100),
    documents=("ff",),
    verdict=Verdict.POSITIVE,
    post=DEANS_POST,
    number="CIR-2026-000001",
)
TWISTS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"seen_digest": "bb"},
    {"new_digest": "bb"},
    {"seen_count": None},
    {"seen_count": 500},
    {"reason": ""},
    {"scheduled_at": NOON - timedelta(hours=1)},
    {"figures": Figures(audience=100, accepted=90, refused=9)},
    {"figures": Figures(audience=100, accepted=101, refused=0)},
    {"figures": Figures(audience=100, accepted=90, in_doubt=10)},
    {"documents": ()},
    {"verdict": Verdict.NEGATIVE},
    {"verdict": None},
    {"post": None},
)
HAPPY_PATH = (
    (Act.FILE, ANNA),
    (Act.ACKNOWLEDGE, None),
    (Act.TAKE, PAULA),
    (Act.APPROVE, PAULA),
    (Act.AUTHORISE, DEAN),
    (Act.ACCEPT, OTTO),
    (Act.SCHEDULE, OTTO),
    (Act.START, OTTO),
    (Act.MARK_SENT, None),
    (Act.CONFIRM_TO_COMMUNICATIONS, None),
    (Act.CONFIRM_TO_REQUESTER, None),
    (Act.VERIFY, PAULA),
)
WORKED = (
    Sending(exists=True, settled=True),
    Sending(exists=True, settled=True),
    Sending(exists=True, settled=False, pending=1),
    Sending(exists=True, settled=True, in_doubt=1),
    Sending(exists=True, settled=True, missing=1),
)


def laws(before: RequestFacts, deed: Deed, after: RequestFacts) -> None:
    """State what must hold after any act at all."""
    if before.state in {State.REJECTED, State.CANCELLED}:
        assert after.state is before.state
    if after.state not in {State.DRAFT, State.CANCELLED}:
        assert after.filing_number
    if after.state in HANDED_OVER:
        assert after.approved_digest == after.digest, "what goes out is what was approved"
        assert after.approver not in {None, after.requester}, "nobody approves their own request"
        assert after.authorities <= after.consents
    if after.state in {State.SENDING, State.PAUSED}:
        assert after.operator is not None
    if after.separate_duties and after.operator is not None:
        assert after.operator not in {after.approver, after.requester, *after.consenters}
    if deed.act is Act.MARK_SENT or (deed.act is Act.VERIFY and after.way is Way.CIRCULAR):
        assert after.sending.settled
        assert after.sending.pending == 0
    if deed.act is Act.VERIFY and after.way is Way.CIRCULAR:
        assert after.sending.in_doubt == 0, "doubt is resolved before anything is verified"
    if after.state in {State.VERIFIED, State.CLOSED}:
        assert after.confirmed_to_communications
        assert after.confirmed_to_requester
        assert after.verdict is not None
    if deed.act is Act.CLOSE:
        assert not (after.verdict is Verdict.NEGATIVE and deed.by.machine)
        assert after.reviewed_afterwards or not after.urgent
    if deed.act in {Act.RESUME, Act.RESOLVE_DOUBT} and after.separate_duties:
        apart = {after.approver, after.requester, *after.consenters}
        assert deed.by.person not in apart, "who asked or approved decides nothing of the sending"
    if deed.act is Act.DECLARE_SENT:
        assert deed.figures is not None
        assert deed.figures.balance
        assert deed.documents


class Desk(RuleBasedStateMachine):
    """A request among people who try everything."""

    moves: ClassVar[Mapping[Act, Move]] = MOVES
    near: ClassVar[tuple[Act, ...]] = ()  # where a hunt looks: the acts that a variant broke

    def __init__(self) -> None:
        super().__init__()
        self.start = self.facts = RequestFacts(id=1)
        self.journal: list[str] = []

    @initialize(
        authorities=st.sampled_from([frozenset(), frozenset({DEANS_POST})]),
        separate=st.booleans(),
        verdict=st.sampled_from(Verdict),
        steps=st.sampled_from(range(len(HAPPY_PATH), -1, -1)),
    )
    def begin(
        self, authorities: frozenset[int], separate: bool, verdict: Verdict, steps: int
    ) -> None:
        self.start = self.facts = RequestFacts(
            id=1,
            requester=ANNA,
            unit=UNIT,
            digest="aa",
            authorities=authorities,
            urgent_posts=frozenset({URGENT_POST}),
            separate_duties=separate,
            count=100,
        )
        people = {doer.person: doer for doer in PEOPLE if doer is not PEOPLE[1]}
        for act, person in HAPPY_PATH if self.near else HAPPY_PATH[:steps]:
            if self.near and self.facts.state in MOVES[self.near[0]].sources:
                break
            if act is Act.MARK_SENT:
                self.world(sending=Sending(exists=True, settled=True))
            self.attempt(replace(PLAIN, act=act, by=people[person], verdict=verdict))

    @precondition(lambda self: not self.near)
    @rule(
        act=st.integers(0, 30),
        by=st.sampled_from(PEOPLE),
        twist=st.sampled_from(TWISTS),
        as_it_is=st.booleans(),
    )
    def somebody_acts(self, act: int, by: Doer, twist: dict[str, Any], as_it_is: bool) -> None:
        possible = [each for each in Act if self.facts.state in self.moves[each].sources]
        possible = [each for each in possible if each in self.near] or possible
        deed = replace(PLAIN, act=possible[act % len(possible)], by=by)
        if as_it_is:
            deed = replace(deed, seen_digest=self.facts.digest, new_digest=self.facts.digest)
        self.attempt(replace(deed, **twist))

    @precondition(lambda self: bool(self.near))
    @rule(
        first=st.integers(0, len(PEOPLE) - 1),
        twist=st.sampled_from(TWISTS),
        worked=st.sampled_from(WORKED),
    )
    def everybody_tries_what_was_broken(
        self, first: int, twist: dict[str, Any], worked: Sending
    ) -> None:
        if self.facts.started:
            self.world(sending=worked)
        for act in self.near:
            for by in (*PEOPLE[first:], *PEOPLE[:first]):
                self.attempt(replace(PLAIN, act=act, by=by, **twist))

    @precondition(lambda self: not self.near)
    @rule(by=st.sampled_from(PEOPLE), act=st.sampled_from(Act))
    def somebody_acts_out_of_turn(self, by: Doer, act: Act) -> None:
        self.attempt(replace(PLAIN, act=act, by=by))

    @precondition(lambda self: not self.near)
    @rule(worked=st.sampled_from(WORKED))
    def the_post_office_works(self, worked: Sending) -> None:
        if self.facts.started:
            self.world(sending=worked)

    @precondition(lambda self: not self.near)
    @rule(count=st.sampled_from([0, 100, 101, 500]))
    def the_directory_changes(self, count: int) -> None:
        self.world(count=count)

    def world(self, **changes: Any) -> None:
        self.facts = replace(self.facts, **changes)
        self.start = replace(self.start, **changes)

    def attempt(self, deed: Deed) -> None:
        before = self.facts
        decision = decide(before, deed, self.moves)
        if not isinstance(decision, Moved):
            return
        self.facts = decision.facts
        assert decision.trail[0].act is deed.act
        for trace in decision.trail:
            entry = {
                "act": trace.act.value,
                "at": trace.at.isoformat(),
                "person": deed.by.person,
                "facts": dict(trace.facts),
            }
            self.journal.append(json.dumps(entry))
        laws(before, deed, self.facts)

    @invariant()
    def the_journal_replays_to_the_same_case(self) -> None:
        entries = [json.loads(line) for line in self.journal]
        told = replay(
            self.start,
            [
                deed_from_journal(
                    entry["act"],
                    datetime.fromisoformat(entry["at"]),
                    entry["person"],
                    entry["facts"],
                )
                for entry in entries
            ],
        )
        assert told == self.facts

    @invariant()
    def the_last_entry_names_the_state(self) -> None:
        if self.journal:
            assert json.loads(self.journal[-1])["facts"]["to"] == self.facts.state


ENOUGH = settings(max_examples=40, stateful_step_count=10, deadline=None)
# No shrinking: that a broken desk is caught is enough; the seed is fixed so that it always is.
HUNT = settings(
    max_examples=2000,
    stateful_step_count=5,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    verbosity=Verbosity.quiet,
)
TestDesk = Desk.TestCase
TestDesk.settings = ENOUGH


def without(act: Act, *refusals: guards.Refusal) -> dict[Act, Move]:
    kept = tuple(pair for pair in MOVES[act].guards if pair[0] not in refusals)
    assert len(kept) < len(MOVES[act].guards)
    return {**MOVES, act: replace(MOVES[act], guards=kept)}


R = guards.Refusal
BROKEN: dict[str, dict[Act, Move]] = {
    "who may approve their own request": {
        **without(Act.APPROVE, R.OWN_REQUEST),
        Act.TAKE: replace(MOVES[Act.TAKE], guards=()),
    },
    "who approves what they did not see": without(Act.APPROVE, R.CONTENT_CHANGED),
    "who marks sent what still waits": without(Act.MARK_SENT, R.STILL_PENDING),
    "who verifies in doubt": without(Act.VERIFY, R.IN_DOUBT),
    "who believes figures that do not add up": without(Act.DECLARE_SENT, R.FIGURES_DO_NOT_BALANCE),
    "who closes a negative verdict by clockwork": without(Act.CLOSE, R.NEGATIVE_NEEDS_A_PERSON),
    "who revives the rejected": {
        **MOVES,
        Act.TAKE: replace(MOVES[Act.TAKE], sources=frozenset({State.FILED, State.REJECTED})),
        Act.CANCEL: replace(MOVES[Act.CANCEL], sources=frozenset(State), target=State.DRAFT),
    },
    "whose effect the journal does not tell": {
        **MOVES,
        Act.TAKE: replace(
            MOVES[Act.TAKE],
            effect=lambda facts, deed: replace(facts, reviewer=deed.by.person, held="secret"),
        ),
    },
}


@pytest.mark.parametrize("variant", BROKEN)
def test_the_machine_catches_a_desk(variant: str) -> None:
    class BrokenDesk(Desk):
        moves = BROKEN[variant]
        near = tuple(act for act in Act if BROKEN[variant][act] is not MOVES[act])

    with pytest.raises(AssertionError):
        run_state_machine_as_test(BrokenDesk, settings=HUNT)


def test_the_law_catches_a_desk_where_the_approver_takes_the_sending_over() -> None:
    scheduled = RequestFacts(
        id=1,
        state=State.SCHEDULED,
        filing_number="CIR-2026-000001",
        requester=ANNA,
        digest="aa",
        approved_digest="aa",
        approver=PAULA,
        operator=OTTO,
    )
    deed = replace(PLAIN, act=Act.TAKE_OVER, by=PEOPLE[2])

    broken = decide(scheduled, deed, without(Act.TAKE_OVER, R.APPROVED_BY_YOU))

    assert isinstance(broken, Moved)
    with pytest.raises(AssertionError):
        laws(scheduled, deed, broken.facts)
    refused = decide(scheduled, deed)
    assert isinstance(refused, NotMoved)
    assert refused.refusal is R.APPROVED_BY_YOU


@pytest.mark.parametrize(
    ("act", "state"),
    [(Act.RESUME, State.PAUSED), (Act.RESOLVE_DOUBT, State.SENT)],
)
@pytest.mark.parametrize(
    ("by", "refusal"), [(PEOPLE[1], R.OWN_REQUEST), (PEOPLE[2], R.APPROVED_BY_YOU)]
)
def test_the_law_catches_a_desk_where_who_asked_or_approved_decides_on_the_sending(
    act: Act, state: State, by: Doer, refusal: guards.Refusal
) -> None:
    sending = RequestFacts(
        id=1,
        state=state,
        filing_number="CIR-2026-000001",
        requester=ANNA,
        digest="aa",
        approved_digest="aa",
        approver=PAULA,
        operator=OTTO,
        sending=Sending(exists=True, settled=True, in_doubt=1),
    )
    deed = replace(PLAIN, act=act, by=by)

    broken = decide(sending, deed, without(act, refusal))

    assert isinstance(broken, Moved)
    with pytest.raises(AssertionError):
        laws(sending, deed, broken.facts)
    refused = decide(sending, deed)
    assert isinstance(refused, NotMoved)
    assert refused.refusal is refusal
    assert isinstance(decide(replace(sending, separate_duties=False), deed), Moved)


@pytest.mark.parametrize(
    ("by", "owed_by", "ago", "refusal"),
    [
        (PEOPLE[2], Role.REQUESTER, None, None),
        (PEOPLE[5], Role.TIC, None, None),
        (PEOPLE[2], Role.TIC, None, R.OWED_BY_YOU),
        (PEOPLE[1], Role.REQUESTER, None, R.OWED_BY_YOU),
        (PEOPLE[0], Role.TIC, None, R.NOT_OVERSEER),
        (PEOPLE[4], Role.TIC, None, R.NOT_OVERSEER),
        (PEOPLE[5], None, None, R.NOTHING_OWED),
        (PEOPLE[5], Role.TIC, timedelta(minutes=59), R.REMINDED_LATELY),
        (PEOPLE[5], Role.TIC, timedelta(hours=1), None),
        (MACHINE, Role.TIC, timedelta(minutes=1), None),
    ],
)
def test_who_may_remind_whom_and_how_soon_again(
    by: Doer, owed_by: Role | None, ago: timedelta | None, refusal: guards.Refusal | None
) -> None:
    facts = RequestFacts(
        id=1,
        state=State.FORWARDED,
        requester=ANNA,
        unit=UNIT,
        owed_by=owed_by,
        reminded_at=NOON - ago if ago is not None else None,
    )

    decision = decide(facts, replace(PLAIN, act=Act.REMIND, by=by))

    assert (decision.refusal if isinstance(decision, NotMoved) else None) is refusal


def test_every_act_has_a_line_in_the_table() -> None:
    assert set(MOVES) == set(Act)


def test_nothing_leads_out_of_a_rejection_or_a_cancellation() -> None:
    leaving = {
        act
        for act, move in MOVES.items()
        for source in move.sources & {State.REJECTED, State.CANCELLED}
        if move.target_from(source) is not source
    }
    assert leaving == set()


def test_only_reopening_leads_out_of_a_closed_case() -> None:
    leaving = {
        act
        for act, move in MOVES.items()
        if State.CLOSED in move.sources and move.target_from(State.CLOSED) is not State.CLOSED
    }
    assert leaving == {Act.REOPEN}
    assert State.CLOSED in FINAL
