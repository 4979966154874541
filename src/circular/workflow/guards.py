"""The objections: why an act is refused, as small questions over facts and deed. Pure.

Rules:
1. A guard is true when it objects. The first objection, in the order of the table in
   `transitions`, is the one that the person is told.
2. Every refusal has a translated sentence in `labels`: the fact, then the remedy.
3. Refusals in NEVER depend on who somebody is: such an act is not even shown to that person.
   All others mean *not now*, and are shown with their sentence.
"""

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum

from circular.people.roles import Role
from circular.workflow.acts import Deed
from circular.workflow.facts import RequestFacts
from circular.workflow.states import BEFORE_SCHEDULED, State, Verdict, Way


class Refusal(StrEnum):
    """Why an act was not allowed. Shown to people: every member has a translated sentence."""

    WRONG_STATE = "wrong_state"
    TOO_EARLY = "too_early"
    NOT_COMMUNICATIONS = "not_communications"
    NOT_IT = "not_it"
    NOT_REQUESTER = "not_requester"
    NOT_AUTHORITY = "not_authority"
    NOT_OVERSEER = "not_overseer"
    NOT_URGENT_POST = "not_urgent_post"
    NOT_INVOLVED = "not_involved"
    MACHINE_ONLY = "machine_only"
    NOT_CANCELLED_BY_YOU = "not_cancelled_by_you"
    ALREADY_TAKEN = "already_taken"
    ALREADY_YOURS = "already_yours"
    HELD_BY_ANOTHER = "held_by_another"
    ALREADY_DONE = "already_done"
    OWN_REQUEST = "own_request"
    REGISTERED_BY_YOU = "registered_by_you"
    APPROVED_BY_YOU = "approved_by_you"
    OWN_URGENCY = "own_urgency"
    REASON_MISSING = "reason_missing"
    INCOMPLETE = "incomplete"
    CONTENT_CHANGED = "content_changed"
    APPROVAL_VOID = "approval_void"
    COUNT_UNSEEN = "count_unseen"
    COUNT_CHANGED = "count_changed"
    EMPTY_AUDIENCE = "empty_audience"
    TEST_MISSING = "test_missing"
    SIGN_OFF_MISSING = "sign_off_missing"
    CONSENT_MISSING = "consent_missing"
    NOT_ACCEPTED = "not_accepted"
    TIME_PAST = "time_past"
    TIME_MISSING = "time_missing"
    NOT_DUE = "not_due"
    START_OVERDUE = "start_overdue"
    FIGURES_MISSING = "figures_missing"
    FIGURES_DO_NOT_BALANCE = "figures_do_not_balance"
    FIGURES_OPEN = "figures_open"
    DOCUMENT_MISSING = "document_missing"
    SENT_BY_CIRCULAR = "sent_by_circular"
    SENT_OUTSIDE = "sent_outside"
    STILL_PENDING = "still_pending"
    IN_DOUBT = "in_doubt"
    IT_NOT_CONFIRMED = "it_not_confirmed"
    VERDICT_MISSING = "verdict_missing"
    NEGATIVE_NEEDS_A_PERSON = "negative_needs_a_person"
    NOTHING_OWED = "nothing_owed"
    OWED_BY_YOU = "owed_by_you"
    REMINDED_LATELY = "reminded_lately"
    NO_MAILBOX = "no_mailbox"
    NOBODY_MISSING = "nobody_missing"
    NOBODY_IN_DOUBT = "nobody_in_doubt"
    NOT_URGENT = "not_urgent"
    ALREADY_URGENT = "already_urgent"
    URGENT_NOT_REVIEWED = "urgent_not_reviewed"


NEVER = frozenset(
    {
        Refusal.NOT_COMMUNICATIONS,
        Refusal.NOT_IT,
        Refusal.NOT_REQUESTER,
        Refusal.NOT_AUTHORITY,
        Refusal.NOT_OVERSEER,
        Refusal.NOT_URGENT_POST,
        Refusal.NOT_INVOLVED,
        Refusal.MACHINE_ONLY,
        Refusal.NOT_CANCELLED_BY_YOU,
    }
)

BETWEEN_REMINDERS = timedelta(hours=1)  # that people send; a second one sooner is impatience

Guard = Callable[[RequestFacts, Deed], bool]  # True means: this guard objects
Objection = tuple[Refusal, Guard]


def _has(deed: Deed, *roles: Role) -> bool:
    return not deed.by.roles.isdisjoint(roles)


def speaks_for(facts: RequestFacts, deed: Deed) -> bool:
    """Say whether the doer asked, belongs to the unit that asked, or wrote it down for them."""
    by = deed.by
    if by.person is None:
        return False
    return by.person in {facts.requester, facts.registrar} or facts.unit in by.units


def is_requester(facts: RequestFacts, deed: Deed) -> bool:
    """Say whether the doer asked or belongs to the unit that asked; who wrote it down does not."""
    by = deed.by
    if by.person is None:
        return False
    return by.person == facts.requester or facts.unit in by.units


def may_cancel(facts: RequestFacts, deed: Deed) -> bool:
    """Say whether this doer cancels: the requester before scheduled, the offices later."""
    if facts.state in BEFORE_SCHEDULED:
        return speaks_for(facts, deed)
    return _has(deed, Role.COMMUNICATIONS, Role.TIC)


def beyond_tolerance(facts: RequestFacts) -> bool:
    """Say whether the audience now differs too much from the one that was approved."""
    if facts.count is None or facts.approved_count is None:
        return False
    return differs(facts.approved_count, facts.count, facts.tolerance_permille)


def differs(before: int, now: int, permille: int) -> bool:
    """Say whether two counts are further apart than so many thousandths of the first."""
    return abs(now - before) * 1000 > before * permille


def owes_it(facts: RequestFacts, deed: Deed) -> bool:
    """Say whether what is due first is owed by the doer."""
    match facts.owed_by:
        case Role.REQUESTER:
            return is_requester(facts, deed)
        case Role.APPROVER:
            return not (facts.authorities - facts.consents).isdisjoint(deed.by.posts)
        case role:
            return role in deed.by.roles


# Who.
ONLY_MACHINES: Objection = (Refusal.MACHINE_ONLY, lambda _, deed: not deed.by.machine)
COMMUNICATIONS: Objection = (
    Refusal.NOT_COMMUNICATIONS,
    lambda _, deed: not _has(deed, Role.COMMUNICATIONS),
)
COMMUNICATIONS_OR_MACHINE: Objection = (
    Refusal.NOT_COMMUNICATIONS,
    lambda _, deed: not (deed.by.machine or _has(deed, Role.COMMUNICATIONS)),
)
IT: Objection = (Refusal.NOT_IT, lambda _, deed: not _has(deed, Role.TIC))
IT_OR_MACHINE: Objection = (
    Refusal.NOT_IT,
    lambda _, deed: not (deed.by.machine or _has(deed, Role.TIC)),
)
AN_OFFICE: Objection = (
    Refusal.NOT_IT,
    lambda _, deed: not _has(deed, Role.TIC, Role.COMMUNICATIONS),
)
REQUESTER: Objection = (Refusal.NOT_REQUESTER, lambda facts, deed: not is_requester(facts, deed))
SPEAKS_FOR_REQUESTER: Objection = (
    Refusal.NOT_REQUESTER,
    lambda facts, deed: not speaks_for(facts, deed),
)
SPEAKS_OR_MACHINE: Objection = (
    Refusal.NOT_REQUESTER,
    lambda facts, deed: not (deed.by.machine or speaks_for(facts, deed)),
)
SPEAKS_OR_REVIEWS: Objection = (
    Refusal.NOT_REQUESTER,
    lambda facts, deed: not (speaks_for(facts, deed) or _has(deed, Role.COMMUNICATIONS)),
)
MAY_CANCEL: Objection = (
    Refusal.NOT_CANCELLED_BY_YOU,
    lambda facts, deed: not may_cancel(facts, deed),
)
OVERSEER: Objection = (
    Refusal.NOT_OVERSEER,
    lambda _, deed: not _has(deed, Role.PROCESS_OWNER, Role.QUALITY),
)
MAY_REOPEN: Objection = (
    Refusal.NOT_OVERSEER,
    lambda _, deed: not _has(deed, Role.COMMUNICATIONS, Role.PROCESS_OWNER, Role.QUALITY),
)
MAY_REMIND: Objection = (
    Refusal.NOT_OVERSEER,
    lambda _, deed: (
        not (deed.by.machine or _has(deed, Role.COMMUNICATIONS, Role.PROCESS_OWNER, Role.QUALITY))
    ),
)
URGENT_POST: Objection = (
    Refusal.NOT_URGENT_POST,
    lambda facts, deed: facts.urgent_posts.isdisjoint(deed.by.posts),
)
AUTHORITY: Objection = (
    Refusal.NOT_AUTHORITY,
    lambda facts, deed: (
        deed.post is None or deed.post not in facts.authorities or deed.post not in deed.by.posts
    ),
)
MAY_SEND_BACK: Objection = (
    Refusal.NOT_IT,
    lambda facts, deed: (
        facts.authorities.isdisjoint(deed.by.posts)
        if facts.state is State.APPROVED
        else not _has(deed, Role.TIC)
    ),
)
MAY_FORWARD: Objection = (
    Refusal.NOT_COMMUNICATIONS,
    lambda facts, deed: (
        not (_has(deed, Role.COMMUNICATIONS) or not facts.authorities.isdisjoint(deed.by.posts))
    ),
)
MAY_TAKE_OVER: Objection = (
    Refusal.NOT_INVOLVED,
    lambda facts, deed: (
        not _has(deed, Role.COMMUNICATIONS if facts.state is State.IN_REVIEW else Role.TIC)
    ),
)

# Whose case it is, and separation of duties (design §2.4).
FREE: Objection = (
    Refusal.ALREADY_TAKEN,
    lambda facts, deed: facts.reviewer not in {None, deed.by.person},
)
FREE_OPERATOR: Objection = (
    Refusal.ALREADY_TAKEN,
    lambda facts, deed: facts.operator not in {None, deed.by.person},
)
NOT_ACCEPTED_YET: Objection = (
    Refusal.ALREADY_YOURS,
    lambda facts, deed: facts.operator is not None and facts.operator == deed.by.person,
)
ANOTHERS: Objection = (
    Refusal.ALREADY_YOURS,
    lambda facts, deed: (
        deed.by.person == (facts.reviewer if facts.state is State.IN_REVIEW else facts.operator)
    ),
)
HELD: Objection = (
    Refusal.NOT_ACCEPTED,
    lambda facts, _: facts.state is not State.IN_REVIEW and facts.operator is None,
)
HOLDS_IT: Objection = (
    Refusal.HELD_BY_ANOTHER,
    lambda facts, deed: (
        deed.by.person != (facts.reviewer if facts.state is State.IN_REVIEW else facts.operator)
    ),
)
REVIEWS_IT: Objection = (
    Refusal.HELD_BY_ANOTHER,
    lambda facts, deed: deed.by.person != facts.reviewer,
)
REVIEWS_OR_SPEAKS: Objection = (
    Refusal.HELD_BY_ANOTHER,
    lambda facts, deed: not speaks_for(facts, deed) and deed.by.person != facts.reviewer,
)
OPERATES_IT: Objection = (
    Refusal.HELD_BY_ANOTHER,
    lambda facts, deed: (
        not deed.by.machine and facts.operator is not None and deed.by.person != facts.operator
    ),
)
NOT_OWN_REQUEST: Objection = (
    Refusal.OWN_REQUEST,
    lambda facts, deed: deed.by.person is not None and deed.by.person == facts.requester,
)
NOT_REGISTRAR: Objection = (
    Refusal.REGISTERED_BY_YOU,
    lambda facts, deed: (
        facts.separate_duties and deed.by.person is not None and deed.by.person == facts.registrar
    ),
)
NOT_OWN_TO_SEND: Objection = (
    Refusal.OWN_REQUEST,
    lambda facts, deed: (
        facts.separate_duties and deed.by.person is not None and deed.by.person == facts.requester
    ),
)
NOT_APPROVER: Objection = (
    Refusal.APPROVED_BY_YOU,
    lambda facts, deed: (
        facts.separate_duties
        and deed.by.person is not None
        and deed.by.person in {facts.approver, *facts.consenters}
    ),
)
NOT_OWN_URGENCY: Objection = (
    Refusal.OWN_URGENCY,
    lambda facts, deed: deed.by.person is not None and deed.by.person == facts.urgent_by,
)

# What the act needs.
REASON: Objection = (Refusal.REASON_MISSING, lambda _, deed: not deed.reason)
COMPLETE: Objection = (Refusal.INCOMPLETE, lambda facts, _: bool(facts.missing))
NEW_COMPLETE: Objection = (
    Refusal.INCOMPLETE,
    lambda _, deed: bool(deed.missing) or not deed.new_digest,
)
SEEN: Objection = (
    Refusal.CONTENT_CHANGED,
    lambda facts, deed: not facts.digest or deed.seen_digest != facts.digest,
)
SEEN_IF_SAID: Objection = (
    Refusal.CONTENT_CHANGED,
    lambda facts, deed: bool(deed.seen_digest) and deed.seen_digest != facts.digest,
)
APPROVAL_HOLDS: Objection = (
    Refusal.APPROVAL_VOID,
    lambda facts, _: not facts.approved_digest or facts.approved_digest != facts.digest,
)
COUNT_SEEN: Objection = (Refusal.COUNT_UNSEEN, lambda _, deed: deed.seen_count is None)
COUNT_AS_SEEN: Objection = (
    Refusal.COUNT_CHANGED,
    lambda facts, deed: (
        facts.count is not None
        and deed.seen_count is not None
        and differs(deed.seen_count, facts.count, facts.tolerance_permille)
    ),
)
COUNT_AS_APPROVED: Objection = (
    Refusal.COUNT_CHANGED,
    lambda facts, deed: beyond_tolerance(facts) and deed.seen_count != facts.count,
)
SOMEBODY: Objection = (Refusal.EMPTY_AUDIENCE, lambda facts, _: facts.count == 0)
TESTED: Objection = (
    Refusal.TEST_MISSING,
    lambda facts, _: not facts.digest or facts.tested_digest != facts.digest,
)
SIGNED_OFF: Objection = (
    Refusal.SIGN_OFF_MISSING,
    lambda facts, _: facts.require_sign_off and facts.signed_off_digest != facts.digest,
)
CONSENTED: Objection = (Refusal.CONSENT_MISSING, lambda facts, _: not facts.consented)
NOT_CONSENTED_YET: Objection = (
    Refusal.ALREADY_DONE,
    lambda facts, deed: deed.post in facts.consents,
)
ACCEPTED: Objection = (Refusal.NOT_ACCEPTED, lambda facts, _: facts.operator is None)
TIME_GIVEN: Objection = (Refusal.TIME_MISSING, lambda _, deed: deed.scheduled_at is None)
TIME_AHEAD: Objection = (
    Refusal.TIME_PAST,
    lambda _, deed: deed.scheduled_at is not None and deed.scheduled_at <= deed.at,
)
DUE: Objection = (
    Refusal.NOT_DUE,
    lambda facts, deed: (
        deed.by.machine and (facts.scheduled_at is None or facts.scheduled_at > deed.at)
    ),
)
# The system was down at the time: what is said hours late may be wrong by then.
NOT_OVERDUE: Objection = (
    Refusal.START_OVERDUE,
    lambda facts, deed: (
        deed.by.machine
        and facts.scheduled_at is not None
        and deed.at - facts.scheduled_at > timedelta(minutes=facts.start_late_minutes)
    ),
)
FIGURES: Objection = (Refusal.FIGURES_MISSING, lambda _, deed: deed.figures is None)
FIGURES_BALANCE: Objection = (
    Refusal.FIGURES_DO_NOT_BALANCE,
    lambda _, deed: deed.figures is not None and not deed.figures.balance,
)
FIGURES_FINAL: Objection = (
    Refusal.FIGURES_OPEN,
    lambda _, deed: (
        deed.figures is not None and bool(deed.figures.pending or deed.figures.in_doubt)
    ),
)
DOCUMENT: Objection = (Refusal.DOCUMENT_MISSING, lambda _, deed: not deed.documents)
NOT_RELEASED: Objection = (Refusal.SENT_BY_CIRCULAR, lambda facts, _: facts.sending.exists)
OURS: Objection = (Refusal.SENT_OUTSIDE, lambda facts, _: facts.way is Way.EXTERNAL)
SETTLED: Objection = (
    Refusal.STILL_PENDING,
    lambda facts, _: (
        facts.way is Way.CIRCULAR and (not facts.sending.settled or facts.sending.pending > 0)
    ),
)
NO_DOUBT: Objection = (
    Refusal.IN_DOUBT,
    lambda facts, _: facts.way is Way.CIRCULAR and facts.sending.in_doubt > 0,
)
SOMEBODY_MISSING: Objection = (Refusal.NOBODY_MISSING, lambda facts, _: facts.sending.missing == 0)
SOMEBODY_IN_DOUBT: Objection = (
    Refusal.NOBODY_IN_DOUBT,
    lambda facts, _: facts.sending.in_doubt == 0,
)
IT_CONFIRMED: Objection = (
    Refusal.IT_NOT_CONFIRMED,
    lambda facts, _: not facts.confirmed_to_communications,
)
OWED: Objection = (Refusal.NOTHING_OWED, lambda facts, _: facts.owed_by is None)
ANOTHER_OWES: Objection = (
    Refusal.OWED_BY_YOU,
    lambda facts, deed: not deed.by.machine and owes_it(facts, deed),
)
# The clock keeps its own timetable: the duty says when its next reminder is due.
NOT_REMINDED_LATELY: Objection = (
    Refusal.REMINDED_LATELY,
    lambda facts, deed: (
        not deed.by.machine
        and facts.reminded_at is not None
        and deed.at - facts.reminded_at < BETWEEN_REMINDERS
    ),
)
VERDICT: Objection = (Refusal.VERDICT_MISSING, lambda _, deed: deed.verdict is None)
PERSON_CLOSES_NEGATIVE: Objection = (
    Refusal.NEGATIVE_NEEDS_A_PERSON,
    lambda facts, deed: facts.verdict is Verdict.NEGATIVE and deed.by.machine,
)
NEGATIVE_HAS_REASON: Objection = (
    Refusal.REASON_MISSING,
    lambda facts, deed: facts.verdict is Verdict.NEGATIVE and not deed.reason,
)
URGENCY_REVIEWED: Objection = (
    Refusal.URGENT_NOT_REVIEWED,
    lambda facts, _: facts.urgent and not facts.reviewed_afterwards,
)
IS_URGENT: Objection = (Refusal.NOT_URGENT, lambda facts, _: not facts.urgent)
NOT_URGENT_YET: Objection = (Refusal.ALREADY_URGENT, lambda facts, _: facts.urgent)
NOT_ACKNOWLEDGED: Objection = (Refusal.ALREADY_DONE, lambda facts, _: facts.acknowledged)
NOT_CONFIRMED: Objection = (
    Refusal.ALREADY_DONE,
    lambda facts, _: facts.confirmed_to_communications,
)
NOT_REVIEWED: Objection = (Refusal.ALREADY_DONE, lambda facts, _: facts.reviewed_afterwards)
