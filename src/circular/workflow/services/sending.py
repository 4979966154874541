"""What the IT Division does with a case: accept, schedule, start, hold, pause, declare, send again.

Rule 1: start is the release: the audience is frozen, its count compared with the approved one, and
        only then are its rows leasable. A refusal leaves nothing behind.
Rule 2: what was sent once is never frozen again: a second start of the same case offers the same
        frozen mailing to those whom it still lacks.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from django.db import transaction
from django.utils import timezone, translation

from circular.evidence.actors import CLOCK, Actor
from circular.mailing import queries as mailing_queries
from circular.mailing import services as mailing
from circular.mailing.kinds import MailingKind, Priority
from circular.mailing.letters import Letter
from circular.outcomes import services as outcomes
from circular.outcomes.verdicts import Resolution
from circular.people import queries as people
from circular.people.roles import Role
from circular.workflow import labels
from circular.workflow.acts import Act, Deed, Figures
from circular.workflow.guards import Refusal
from circular.workflow.models import Request
from circular.workflow.services import writing
from circular.workflow.services.desk import Case, digest_of, open_case
from circular.workflow.states import Stage, State
from circular.workflow.transitions import Moved, NotMoved, objection


class _RefusedError(Exception):
    """Carries a refusal out of the savepoint that undoes the freeze."""

    def __init__(self, refusal: NotMoved) -> None:
        super().__init__(refusal.refusal)
        self.refusal = refusal


@transaction.atomic
def accept(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Accept a case for the IT Division; the operator is neither requester nor approver."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.ACCEPT)
    if isinstance(decision, Moved):
        case.prove()
    return decision


@transaction.atomic
def send_back(request_id: int, *, by: Actor, reason: str) -> Moved | NotMoved:
    """Send a case back to Communications with the reason; its approval ends."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.SEND_BACK, reason=digest_of(reason))
    if isinstance(decision, NotMoved):
        return decision
    case.row.ended_because = reason
    case.row.save(update_fields=["ended_because"])
    writing.to_office(
        case,
        Role.COMMUNICATIONS,
        Letter.SENT_BACK,
        writing.matter(case)
        | {"reason": reason, "sent_back_at": case.at, "due_at": case.due_at(Stage.REVIEW)},
    )
    case.prove()
    return decision


@transaction.atomic
def schedule(request_id: int, *, by: Actor, scheduled_at: datetime) -> Moved | NotMoved:
    """Set the time at which the clock starts the sending.

    Repeat:  sets it anew
    """
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.SCHEDULE, scheduled_at=scheduled_at)
    if isinstance(decision, NotMoved):
        return decision
    duty = case.duty(Stage.SEND)
    if duty is not None and scheduled_at > duty.due_at:
        # Sending is owed by the programmed time (practice.md §5), not before it.
        duty.due_at = scheduled_at
        if duty.reminders == 0:
            duty.next_reminder_at = scheduled_at
        duty.save(update_fields=["due_at", "next_reminder_at"])
    case.prove()
    return decision


@transaction.atomic
def start(request_id: int, *, by: Actor, accepted_count: int | None = None) -> Moved | NotMoved:
    """Release the sending: freeze the audience, compare its count, make its rows leasable.

    A count beyond the tolerance is refused, unless the operator accepts exactly that count.

    Locks:   the request row, then the new mailing (no key)
    Repeat:  a second call is refused with WRONG_STATE
    """
    case = open_case(request_id, by=by)
    plain = objection(case.facts, Deed(act=Act.START, by=case.doer, at=case.at))
    if plain is not None:
        return plain
    if case.facts.sending.exists:
        return _start_again(case)
    try:
        with transaction.atomic():
            mailing_id, decision = _freeze(case, accepted_count)
    except _RefusedError as refused:
        return refused.refusal
    row = case.row
    row.mailing_id = mailing_id
    # What was declared before it was found not sent stays in the archive; it is no figure of this.
    row.declared, row.declared_evidence = None, []
    row.save(update_fields=["mailing", "declared", "declared_evidence"])
    mailing.release_mailing(mailing_id, by=by)
    case.prove(mailing=mailing_id, audience=case.facts.count or 0, stencil=case.facts.digest)
    return decision


def _freeze(case: Case, accepted_count: int | None) -> tuple[int, Moved]:
    row, version = case.row, case.row.version
    assert version is not None
    corrected = row.erratum_of.mailing_id if row.erratum_of is not None else None
    mailing_id = mailing.create_mailing(
        kind=MailingKind.CIRCULAR,
        stencil=case.facts.digest,
        case=row.pk,
        audience_rule=version.audience if corrected is None else None,
        same_recipients_as=corrected,
        priority=Priority.URGENT if row.urgent else None,
        by=case.by,
    )
    count = mailing.freeze_audience(mailing_id, witnesses=True, by=case.by)
    case.facts = replace(case.facts, count=count)
    decision = case.attempt(Act.START, seen_count=accepted_count)
    if isinstance(decision, NotMoved):
        raise _RefusedError(decision)
    return mailing_id, decision


def _start_again(case: Case) -> Moved | NotMoved:
    """Offer what is already frozen to those whom it lacks."""
    decision = case.attempt(Act.START)
    if isinstance(decision, NotMoved):
        return decision
    assert case.row.mailing_id is not None
    again = outcomes.offer_missing_again(case.row.mailing_id, by=case.by)
    case.prove(mailing=case.row.mailing_id, again=again)
    return decision


def start_due(*, by: Actor = CLOCK) -> int:
    """Start what is scheduled and due; hold what may not start, and say so to the IT Division.

    Repeat:  what is held is not tried again before somebody schedules or starts it
    """
    due = Request.objects.filter(
        state=State.SCHEDULED.value, scheduled_at__lte=timezone.now(), held=""
    ).order_by("scheduled_at", "id")
    started = 0
    for request_id in list(due.values_list("pk", flat=True)):
        decision = start(request_id, by=by)
        if isinstance(decision, Moved):
            started += 1
        elif decision.refusal not in {Refusal.WRONG_STATE, Refusal.NOT_DUE}:
            hold(request_id, decision, by=by)
    return started


@transaction.atomic
def hold(request_id: int, because: NotMoved, *, by: Actor) -> Moved | NotMoved:
    """Note why the clock did not start a case, and tell the IT Division."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.HOLD, refusal=because.refusal.value)
    if isinstance(decision, NotMoved):
        return decision
    with translation.override(people.institution().language):
        why = labels.sentence(because)
    writing.to_office(
        case,
        Role.TIC,
        Letter.NOT_SENT,
        writing.matter(case)
        | {
            "found_at": case.at,
            "reason": why,
            "audience_count": writing.audience_count(case),
            "due_at": case.due_at(Stage.SEND),
        },
    )
    case.prove()
    return decision


@transaction.atomic
def pause(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Pause the sending; what is under way is settled as it comes."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.PAUSE)
    if isinstance(decision, Moved):
        if case.row.mailing_id is not None:
            mailing.pause_mailing(case.row.mailing_id, by=by)
        case.prove()
    return decision


@transaction.atomic
def resume(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Go on with a paused sending."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.RESUME)
    if isinstance(decision, Moved):
        if case.row.mailing_id is not None:
            mailing.resume_mailing(case.row.mailing_id, by=by)
        case.prove()
    return decision


@transaction.atomic
def set_ceiling(request_id: int, per_minute: int | None, *, by: Actor) -> NotMoved | None:
    """Let the sending go no faster than so many messages a minute; None: as the relays allow.

    Whoever may let it go on may also say how fast; None is returned when it is so.

    Repeat:  writes nothing the second time
    """
    case = open_case(request_id, by=by)
    facts = case.facts
    if facts.state is State.SENDING:
        facts = replace(facts, state=State.PAUSED)
    refused = objection(facts, Deed(act=Act.RESUME, by=case.doer, at=case.at))
    if refused is None and case.row.mailing_id is not None:
        mailing.set_ceiling(case.row.mailing_id, per_minute, by=by)
    return refused


@transaction.atomic
def declare_sent(
    request_id: int,
    *,
    by: Actor,
    figures: Figures,
    started_at: datetime,
    ended_at: datetime,
    documents: Sequence[str],
    note: str = "",
) -> Moved | NotMoved:
    """Record that the IT Division sent by other means: figures that balance, and the evidence.

    Shapes:  `documents` are digests of blobs that were attached to the case
    """
    case = open_case(request_id, by=by)
    row = case.row
    known = set(row.attachments.filter(digest__in=documents).values_list("digest", flat=True))
    decision = case.attempt(
        Act.DECLARE_SENT,
        figures=figures,
        documents=tuple(each for each in documents if each in known),
        reason=digest_of(note),
    )
    if isinstance(decision, NotMoved):
        return decision
    row.declared = {
        "figures": asdict(figures),
        "started_at": started_at.isoformat(),
        "ended_at": max(started_at, ended_at).isoformat(),
        "note": note,
    }
    row.declared_evidence = [each for each in documents if each in known]
    row.save(update_fields=["declared", "declared_evidence"])
    case.prove(started_at=started_at.isoformat(), ended_at=ended_at.isoformat())
    return decision


@transaction.atomic
def mark_sent(request_id: int, *, by: Actor = CLOCK) -> Moved | NotMoved:
    """Note that nobody is pending any more; doubts do not stop it (design §1).

    Repeat:  a second call is refused with WRONG_STATE
    """
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.MARK_SENT)
    if isinstance(decision, Moved):
        figures = writing.figures_of(case)
        case.prove(mailing=case.row.mailing_id, **asdict(figures))
    return decision


@transaction.atomic
def resend_missing(request_id: int, *, by: Actor, reason: str = "") -> Moved | NotMoved:
    """Offer the same frozen message again to those alone who did not get it."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.RESEND_MISSING, reason=digest_of(reason))
    if isinstance(decision, NotMoved):
        return decision
    assert case.row.mailing_id is not None
    again = outcomes.offer_missing_again(case.row.mailing_id, by=by)
    case.prove(mailing=case.row.mailing_id, again=again)
    return decision


@transaction.atomic
def resolve_doubt(
    request_id: int, recipient_id: int, resolution: Resolution, *, by: Actor
) -> Moved | NotMoved:
    """End the doubt about one recipient of the case's sending, as a person of the IT Division says.

    Repeat:  NOBODY_IN_DOUBT when somebody was first, or the answer came after all; WRONG_STATE for
             offering again what was cancelled
    """
    case = open_case(request_id, by=by)
    refused = objection(case.facts, Deed(act=Act.RESOLVE_DOUBT, by=case.doer, at=case.at))
    if refused is not None:
        return refused
    if resolution is Resolution.OFFER_AGAIN and case.facts.state is State.CANCELLED:
        return _not_resolved(case, Refusal.WRONG_STATE)
    doubtful = mailing_queries.recipient(recipient_id)
    if doubtful is None or doubtful.mailing != case.row.mailing_id:
        return _not_resolved(case, Refusal.NOBODY_IN_DOUBT)
    if not outcomes.resolve_doubt(recipient_id, resolution, by=by):
        return _not_resolved(case, Refusal.NOBODY_IN_DOUBT)
    decision = case.attempt(Act.RESOLVE_DOUBT)
    case.prove(recipient=recipient_id, resolution=resolution.value)
    return decision


def _not_resolved(case: Case, refusal: Refusal) -> NotMoved:
    return NotMoved(refusal, {"act": Act.RESOLVE_DOUBT.value, "state": case.facts.state.value})
