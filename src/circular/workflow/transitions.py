"""Decide whether a request may move, and what the move proves. Pure: no clock, no database.

Rules:
1. The table MOVES is the only place that says which act leads from which states to which state.
2. For each act the state is looked at first, then who acts, then whose case it is, then what the
   act needs. The first objection is the answer; nothing has happened then.
3. An effect changes only what acts decide (see `facts`), and it depends only on the facts and the
   deed; so the journal of deeds, replayed, gives the same facts (`replay`).
4. Approve leads on to forward in the same act where no authority over the audience is owed; so does
   the last consent of an authority.

Longer than 400 lines, because the table is read in one piece.

Source: design §1 and §2.4. The drawing in docs/workflow.md is made from this table.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from circular.workflow import guards as g
from circular.workflow.acts import Act, Deed
from circular.workflow.facts import RequestFacts
from circular.workflow.guards import Objection, Refusal
from circular.workflow.journal import JournalFacts, journal_facts
from circular.workflow.states import FINAL, OPEN, State, Way

Effect = Callable[[RequestFacts, Deed], RequestFacts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One thing that an act proves: what the archive is to keep of it."""

    act: Act
    at: datetime
    before: State
    after: State
    facts: JournalFacts


@dataclass(frozen=True, slots=True)
class Moved:
    """The act is allowed; these are the facts after it, and its traces in order."""

    facts: RequestFacts
    trail: tuple[Trace, ...]


@dataclass(frozen=True, slots=True)
class NotMoved:
    """The act is refused; `about` holds codes and counts for the sentence."""

    refusal: Refusal
    about: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One line of the table: from where, by whom, on which conditions, to where."""

    sources: frozenset[State]
    target: State | None  # None: the state stays
    who: Objection
    guards: tuple[Objection, ...] = ()
    effect: Effect = lambda facts, _: facts
    targets: Mapping[State, State] = field(default_factory=dict)  # where it depends on the source

    def target_from(self, source: State) -> State:
        """Return the state after the act."""
        return self.targets.get(source, self.target or source)


def _from(*states: State) -> frozenset[State]:
    return frozenset(states)


def _new_content(facts: RequestFacts, deed: Deed) -> RequestFacts:
    """Bring other content: what was signed, approved or consented to does not hold for it."""
    if deed.new_digest == facts.digest:
        return facts
    return replace(
        facts,
        digest=deed.new_digest,
        tested_digest="",
        signed_off_digest="",
        approved_digest="",
        approved_count=None,
        approver=None,
        consents=frozenset(),
        consenters=frozenset(),
    )


def _file(facts: RequestFacts, deed: Deed) -> RequestFacts:
    # The number stands in the message's own foot, so filing gives the content its final digest.
    return replace(_new_content(facts, deed), filing_number=deed.number)


def _back_to_review(facts: RequestFacts, _: Deed) -> RequestFacts:
    return replace(
        facts,
        operator=None,
        scheduled_at=None,
        held="",
        approved_digest="",
        approved_count=None,
        approver=None,
        consents=frozenset(),
        consenters=frozenset(),
    )


def _unconfirm(facts: RequestFacts, _: Deed) -> RequestFacts:
    return replace(
        facts,
        confirmed_to_communications=False,
        confirmed_to_requester=False,
        verdict=None,
        scheduled_at=None,
        held="",
    )


def _take_over(facts: RequestFacts, deed: Deed) -> RequestFacts:
    if facts.state is State.IN_REVIEW:
        return replace(facts, reviewer=deed.by.person)
    return replace(facts, operator=deed.by.person)


def _let_go(facts: RequestFacts, _: Deed) -> RequestFacts:
    if facts.state is State.IN_REVIEW:
        return replace(facts, reviewer=None)
    return replace(facts, operator=None)


def _approve(facts: RequestFacts, deed: Deed) -> RequestFacts:
    return replace(
        facts,
        approver=deed.by.person,
        approved_digest=deed.seen_digest,
        approved_count=deed.seen_count,
        consents=frozenset(),
        consenters=frozenset(),
    )


def _consent(facts: RequestFacts, deed: Deed) -> RequestFacts:
    return replace(
        facts,
        consents=facts.consents | ({deed.post} if deed.post else set()),
        consenters=facts.consenters | ({deed.by.person} if deed.by.person else set()),
    )


S = State
MOVES: Mapping[Act, Move] = MappingProxyType(
    {
        Act.UPDATE_DRAFT: Move(
            sources=_from(S.DRAFT),
            target=None,
            who=g.SPEAKS_OR_MACHINE,
            effect=_new_content,
        ),
        Act.FILE: Move(
            sources=_from(S.DRAFT),
            target=S.FILED,
            who=g.SPEAKS_FOR_REQUESTER,
            guards=(g.COMPLETE, g.SEEN_IF_SAID),
            effect=_file,
        ),
        Act.LAPSE: Move(sources=_from(S.DRAFT), target=S.CANCELLED, who=g.ONLY_MACHINES),
        Act.ACKNOWLEDGE: Move(
            sources=_from(S.FILED),
            target=None,
            who=g.COMMUNICATIONS_OR_MACHINE,
            guards=(g.NOT_ACKNOWLEDGED,),
            effect=lambda facts, _: replace(facts, acknowledged=True),
        ),
        Act.ASK_MISSING: Move(
            sources=_from(S.DRAFT, S.IN_REVIEW),
            target=None,
            targets=MappingProxyType({S.IN_REVIEW: S.RETURNED}),
            who=g.COMMUNICATIONS_OR_MACHINE,
        ),
        Act.TAKE: Move(
            sources=_from(S.FILED),
            target=S.IN_REVIEW,
            who=g.COMMUNICATIONS,
            guards=(g.FREE, g.NOT_OWN_REQUEST),
            effect=lambda facts, deed: replace(facts, reviewer=deed.by.person),
        ),
        Act.TAKE_OVER: Move(
            sources=_from(S.IN_REVIEW, S.FORWARDED, S.SCHEDULED),
            target=None,
            who=g.MAY_TAKE_OVER,
            guards=(g.HELD, g.ANOTHERS, g.NOT_OWN_REQUEST, g.NOT_APPROVER),
            effect=_take_over,
        ),
        Act.RELEASE_CASE: Move(
            sources=_from(S.IN_REVIEW, S.FORWARDED),
            target=None,
            targets=MappingProxyType({S.IN_REVIEW: S.FILED}),
            who=g.MAY_TAKE_OVER,
            guards=(g.HELD, g.HOLDS_IT),
            effect=_let_go,
        ),
        Act.RETURN: Move(
            sources=_from(S.IN_REVIEW),
            target=S.RETURNED,
            who=g.COMMUNICATIONS,
            guards=(g.REVIEWS_IT, g.REASON),
        ),
        Act.CORRECT: Move(
            sources=_from(S.IN_REVIEW),
            target=None,
            who=g.SPEAKS_OR_REVIEWS,
            guards=(g.REVIEWS_OR_SPEAKS, g.NEW_COMPLETE, g.SEEN_IF_SAID),
            effect=_new_content,
        ),
        Act.RESUBMIT: Move(
            sources=_from(S.RETURNED),
            target=S.IN_REVIEW,
            who=g.SPEAKS_FOR_REQUESTER,
            guards=(g.NEW_COMPLETE, g.SEEN_IF_SAID),
            effect=_new_content,
        ),
        Act.REJECT: Move(
            sources=_from(S.IN_REVIEW),
            target=S.REJECTED,
            who=g.COMMUNICATIONS,
            guards=(g.REVIEWS_IT, g.REASON),
        ),
        Act.SEND_TEST: Move(
            sources=_from(S.IN_REVIEW, S.APPROVED, S.FORWARDED, S.SCHEDULED),
            target=None,
            who=g.AN_OFFICE,
            guards=(g.COMPLETE,),
            effect=lambda facts, _: replace(facts, tested_digest=facts.digest),
        ),
        Act.SIGN_OFF: Move(
            sources=_from(S.IN_REVIEW, S.APPROVED, S.FORWARDED, S.SCHEDULED),
            target=None,
            who=g.REQUESTER,
            guards=(g.SEEN, g.TESTED),
            effect=lambda facts, deed: replace(facts, signed_off_digest=deed.seen_digest),
        ),
        Act.APPROVE: Move(
            sources=_from(S.IN_REVIEW),
            target=S.APPROVED,
            who=g.COMMUNICATIONS,
            guards=(
                g.REVIEWS_IT,
                g.NOT_OWN_REQUEST,
                g.NOT_REGISTRAR,
                g.COMPLETE,
                g.SEEN,
                g.COUNT_SEEN,
                g.COUNT_AS_SEEN,
                g.SIGNED_OFF,
            ),
            effect=_approve,
        ),
        Act.AUTHORISE: Move(
            sources=_from(S.APPROVED),
            target=None,
            who=g.AUTHORITY,
            guards=(
                g.NOT_OWN_REQUEST,
                g.NOT_REGISTRAR,
                g.NOT_CONSENTED_YET,
                g.SEEN,
                g.APPROVAL_HOLDS,
            ),
            effect=_consent,
        ),
        Act.FORWARD: Move(
            sources=_from(S.APPROVED),
            target=S.FORWARDED,
            who=g.MAY_FORWARD,
            guards=(g.APPROVAL_HOLDS, g.CONSENTED),
        ),
        Act.ACCEPT: Move(
            sources=_from(S.FORWARDED),
            target=None,
            who=g.IT,
            guards=(g.FREE_OPERATOR, g.NOT_ACCEPTED_YET, g.NOT_OWN_TO_SEND, g.NOT_APPROVER),
            effect=lambda facts, deed: replace(facts, operator=deed.by.person),
        ),
        Act.SEND_BACK: Move(
            sources=_from(S.APPROVED, S.FORWARDED, S.SCHEDULED),
            target=S.IN_REVIEW,
            who=g.MAY_SEND_BACK,
            guards=(g.REASON, g.NOT_RELEASED),
            effect=_back_to_review,
        ),
        Act.SCHEDULE: Move(
            sources=_from(S.FORWARDED, S.SCHEDULED),
            target=S.SCHEDULED,
            who=g.IT,
            guards=(
                g.ACCEPTED,
                g.OPERATES_IT,
                g.NOT_OWN_TO_SEND,
                g.NOT_APPROVER,
                g.TIME_GIVEN,
                g.TIME_AHEAD,
                g.APPROVAL_HOLDS,
            ),
            effect=lambda facts, deed: replace(facts, scheduled_at=deed.scheduled_at, held=""),
        ),
        Act.HOLD: Move(
            sources=_from(S.SCHEDULED),
            target=None,
            who=g.ONLY_MACHINES,
            effect=lambda facts, deed: replace(facts, held=deed.refusal),
        ),
        Act.START: Move(
            sources=_from(S.FORWARDED, S.SCHEDULED),
            target=S.SENDING,
            who=g.IT_OR_MACHINE,
            guards=(
                g.ACCEPTED,
                g.OPERATES_IT,
                g.NOT_OWN_TO_SEND,
                g.NOT_APPROVER,
                g.DUE,
                g.NOT_OVERDUE,
                g.APPROVAL_HOLDS,
                g.SOMEBODY,
                g.COUNT_AS_APPROVED,
            ),
            effect=lambda facts, _: replace(
                facts, started=True, scheduled_at=None, held="", way=Way.CIRCULAR
            ),
        ),
        Act.PAUSE: Move(sources=_from(S.SENDING), target=S.PAUSED, who=g.AN_OFFICE),
        Act.RESUME: Move(
            sources=_from(S.PAUSED),
            target=S.SENDING,
            who=g.IT,
            guards=(g.NOT_OWN_TO_SEND, g.NOT_APPROVER),
        ),
        Act.CANCEL: Move(
            sources=_from(
                S.DRAFT,
                S.FILED,
                S.IN_REVIEW,
                S.RETURNED,
                S.APPROVED,
                S.FORWARDED,
                S.SCHEDULED,
                S.SENDING,
                S.PAUSED,
            ),
            target=S.CANCELLED,
            who=g.MAY_CANCEL,
        ),
        Act.DECLARE_SENT: Move(
            sources=_from(S.FORWARDED, S.SCHEDULED),
            target=S.SENT,
            who=g.IT,
            guards=(
                g.NOT_RELEASED,
                g.OPERATES_IT,
                g.NOT_OWN_TO_SEND,
                g.NOT_APPROVER,
                g.APPROVAL_HOLDS,
                g.FIGURES,
                g.FIGURES_BALANCE,
                g.FIGURES_FINAL,
                g.DOCUMENT,
            ),
            effect=lambda facts, deed: replace(
                facts, way=Way.EXTERNAL, operator=deed.by.person, scheduled_at=None, held=""
            ),
        ),
        Act.MARK_SENT: Move(
            sources=_from(S.SENDING),
            target=S.SENT,
            who=g.ONLY_MACHINES,
            guards=(g.SETTLED,),
        ),
        Act.CONFIRM_TO_COMMUNICATIONS: Move(
            sources=_from(S.SENT),
            target=None,
            who=g.IT_OR_MACHINE,
            guards=(g.NOT_CONFIRMED, g.SETTLED),
            effect=lambda facts, _: replace(facts, confirmed_to_communications=True),
        ),
        Act.CONFIRM_TO_REQUESTER: Move(
            sources=_from(S.SENT),
            target=S.CONFIRMED,
            who=g.COMMUNICATIONS_OR_MACHINE,
            guards=(g.IT_CONFIRMED, g.SETTLED),
            effect=lambda facts, _: replace(facts, confirmed_to_requester=True),
        ),
        Act.VERIFY: Move(
            sources=_from(S.CONFIRMED),
            target=S.VERIFIED,
            who=g.COMMUNICATIONS_OR_MACHINE,
            guards=(g.SETTLED, g.NO_DOUBT, g.VERDICT),
            effect=lambda facts, deed: replace(facts, verdict=deed.verdict),
        ),
        Act.FIND_NOT_SENT: Move(
            sources=_from(S.FORWARDED, S.SCHEDULED, S.SENT, S.CONFIRMED),
            target=S.FORWARDED,
            who=g.COMMUNICATIONS_OR_MACHINE,
            effect=_unconfirm,
        ),
        Act.RESEND_MISSING: Move(
            sources=_from(S.SENT, S.CONFIRMED, S.VERIFIED),
            target=S.SENDING,
            who=g.IT,
            guards=(
                g.OURS,
                g.SOMEBODY_MISSING,
                g.NOT_OWN_TO_SEND,
                g.NOT_APPROVER,
                g.APPROVAL_HOLDS,
            ),
            effect=_unconfirm,
        ),
        Act.RESOLVE_DOUBT: Move(
            sources=_from(
                S.FORWARDED,
                S.SCHEDULED,
                S.SENDING,
                S.PAUSED,
                S.SENT,
                S.CONFIRMED,
                S.VERIFIED,
                S.CANCELLED,
            ),
            target=None,
            who=g.IT,
            guards=(g.NOT_OWN_TO_SEND, g.NOT_APPROVER, g.SOMEBODY_IN_DOUBT),
        ),
        Act.REMIND: Move(
            sources=OPEN,
            target=None,
            who=g.MAY_REMIND,
            guards=(g.OWED, g.ANOTHER_OWES, g.NOT_REMINDED_LATELY),
        ),
        Act.ESCALATE: Move(sources=OPEN, target=None, who=g.COMMUNICATIONS_OR_MACHINE),
        Act.ISSUE_ERRATUM: Move(
            sources=_from(S.SENT, S.CONFIRMED, S.VERIFIED, S.CLOSED),
            target=None,
            who=g.SPEAKS_OR_REVIEWS,
            guards=(g.OURS,),
        ),
        Act.COPY: Move(sources=frozenset(State) - {S.DRAFT}, target=None, who=g.SPEAKS_OR_REVIEWS),
        Act.DECLARE_URGENT: Move(
            sources=_from(
                S.DRAFT, S.FILED, S.IN_REVIEW, S.RETURNED, S.APPROVED, S.FORWARDED, S.SCHEDULED
            ),
            target=None,
            who=g.URGENT_POST,
            guards=(g.NOT_URGENT_YET, g.REASON),
            effect=lambda facts, deed: replace(facts, urgent=True, urgent_by=deed.by.person),
        ),
        Act.REVIEW_AFTERWARDS: Move(
            sources=_from(S.SENT, S.CONFIRMED, S.VERIFIED),
            target=None,
            who=g.OVERSEER,
            guards=(g.IS_URGENT, g.NOT_REVIEWED, g.NOT_OWN_URGENCY),
            effect=lambda facts, _: replace(facts, reviewed_afterwards=True),
        ),
        Act.CLOSE: Move(
            sources=_from(S.VERIFIED),
            target=S.CLOSED,
            who=g.COMMUNICATIONS_OR_MACHINE,
            guards=(g.PERSON_CLOSES_NEGATIVE, g.NEGATIVE_HAS_REASON, g.URGENCY_REVIEWED),
        ),
        Act.REOPEN: Move(
            sources=_from(S.CLOSED),
            target=S.CONFIRMED,
            who=g.MAY_REOPEN,
            guards=(g.REASON,),
            effect=lambda facts, _: replace(facts, verdict=None),
        ),
    }
)

# How far along the line a state is; what is refused because its turn has not come says so.
PLACE: Mapping[State, int] = MappingProxyType(
    {
        S.DRAFT: 0,
        S.FILED: 1,
        S.IN_REVIEW: 2,
        S.RETURNED: 2,
        S.APPROVED: 3,
        S.FORWARDED: 4,
        S.SCHEDULED: 5,
        S.SENDING: 6,
        S.PAUSED: 6,
        S.SENT: 7,
        S.CONFIRMED: 8,
        S.VERIFIED: 9,
        S.CLOSED: 10,
        S.REJECTED: 10,
        S.CANCELLED: 10,
    }
)


def decide(facts: RequestFacts, deed: Deed, moves: Mapping[Act, Move] = MOVES) -> Moved | NotMoved:
    """Make the act, or say which guard objected first."""
    refusal = objection(facts, deed, moves)
    if refusal is not None:
        return refusal
    after = apply(facts, deed, moves)
    trail = (_trace(facts, deed, after),)
    if deed.act in {Act.APPROVE, Act.AUTHORISE} and after.consented:
        onward = replace(deed, act=Act.FORWARD)
        forwarded = apply(after, onward, moves)
        return Moved(forwarded, (*trail, _trace(after, onward, forwarded)))
    return Moved(after, trail)


def objection(
    facts: RequestFacts, deed: Deed, moves: Mapping[Act, Move] = MOVES
) -> NotMoved | None:
    """Return the first objection to the act, or None when nothing stands against it."""
    move = moves[deed.act]
    if facts.state not in move.sources:
        return NotMoved(
            _wrong(facts, deed, move), {"state": facts.state.value, "act": deed.act.value}
        )
    for refusal, objects in (move.who, *move.guards):
        if objects(facts, deed):
            return NotMoved(refusal, about(refusal, facts, deed))
    return None


def _wrong(facts: RequestFacts, deed: Deed, move: Move) -> Refusal:
    if deed.act is Act.TAKE and facts.state is State.IN_REVIEW:
        # Two reviewers at once: the second is told who has it, not a state.
        refusal, objects = move.who
        if objects(facts, deed):
            return refusal
        return Refusal.ALREADY_TAKEN if facts.reviewer != deed.by.person else Refusal.ALREADY_YOURS
    if facts.state not in FINAL and all(PLACE[facts.state] < PLACE[s] for s in move.sources):
        return Refusal.TOO_EARLY
    return Refusal.WRONG_STATE


def about(refusal: Refusal, facts: RequestFacts, deed: Deed) -> Mapping[str, int | str]:
    """Return the codes and counts that the sentence of a refusal names."""
    found: dict[str, int | str] = {"act": deed.act.value, "state": facts.state.value}
    match refusal:
        case Refusal.COUNT_CHANGED:
            before = facts.approved_count if deed.act is Act.START else deed.seen_count
            found |= {"before": before or 0, "now": facts.count or 0}
        case Refusal.STILL_PENDING:
            found["pending"] = facts.sending.pending
        case Refusal.IN_DOUBT:
            found["in_doubt"] = facts.sending.in_doubt
        case Refusal.INCOMPLETE:
            found["missing"] = " ".join(sorted(facts.missing | deed.missing))
        case Refusal.ALREADY_TAKEN | Refusal.HELD_BY_ANOTHER:
            holder = facts.operator if PLACE[facts.state] >= PLACE[S.FORWARDED] else facts.reviewer
            found["person"] = holder or 0
        case _:
            pass
    return found


def apply(facts: RequestFacts, deed: Deed, moves: Mapping[Act, Move] = MOVES) -> RequestFacts:
    """Return the facts after an allowed act."""
    move = moves[deed.act]
    return replace(move.effect(facts, deed), state=move.target_from(facts.state))


def _trace(before: RequestFacts, deed: Deed, after: RequestFacts) -> Trace:
    return Trace(
        act=deed.act,
        at=deed.at,
        before=before.state,
        after=after.state,
        facts=journal_facts(deed, before.state, after.state),
    )


def replay(start: RequestFacts, deeds: Iterable[Deed]) -> RequestFacts:
    """Return the facts that a journal of allowed deeds leads to."""
    facts = start
    for deed in deeds:
        facts = apply(facts, deed)
    return facts
