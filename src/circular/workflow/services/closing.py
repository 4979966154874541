"""From the last message to the closed case: confirmations, verdict, reminders, closing.

Rule 1: the clerk (followup) decides when; here is what each act does to the case, and its letters.
Rule 2: a reminder is written once: its duty says when the next one is due, under the case's lock.
"""

from collections.abc import Sequence

from django.db import transaction

from circular.evidence.actors import Actor
from circular.evidence.services import case_chain, note_closing
from circular.mailing.letters import Letter
from circular.people import queries as people
from circular.people.roles import Role
from circular.workflow.acts import Act
from circular.workflow.guards import Refusal
from circular.workflow.models import Duty
from circular.workflow.queries.debtors import debtors, duty_due_first
from circular.workflow.services import writing
from circular.workflow.services.desk import Case, digest_of, open_case
from circular.workflow.states import Stage, Verdict
from circular.workflow.transitions import Moved, NotMoved


@transaction.atomic
def confirm_to_communications(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Write the IT Division's confirmation with figures and seal (activity 4, first half)."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.CONFIRM_TO_COMMUNICATIONS)
    if isinstance(decision, NotMoved):
        return decision
    figures = writing.figures_context(case)
    writing.to_office(
        case,
        Role.COMMUNICATIONS,
        Letter.CONFIRMATION_TO_COMMUNICATIONS,
        figures
        | {
            "operator": writing.signed_by(case.row.operator_id, Role.TIC),
            "audience": writing.audience_words(case),
            "content_digest": case.facts.digest,
        },
    )
    case.prove(**writing.seal_facts(figures))
    return decision


@transaction.atomic
def confirm_to_requester(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Write Communications' confirmation to the requester (activity 4, second half)."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.CONFIRM_TO_REQUESTER)
    if isinstance(decision, NotMoved):
        return decision
    figures = writing.figures_context(case)
    writing.to_requester(case, Letter.CONFIRMATION_TO_REQUESTER, figures)
    case.prove(**writing.seal_facts(figures))
    return decision


@transaction.atomic
def verify(
    request_id: int,
    *,
    by: Actor,
    verdict: Verdict,
    reasons: Sequence[str] = (),
    checks: Sequence[tuple[bool, str]] = (),
    difference: Sequence[str] = (),
) -> Moved | NotMoved:
    """Record the verdict of activity 5 with its reasons, and tell the requester.

    Shapes:  `reasons` are codes, for the archive; `checks` are (holds, sentence), for the letter
    """
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.VERIFY, verdict=verdict)
    if isinstance(decision, NotMoved):
        return decision
    figures = writing.figures_context(case)
    context: dict[str, object] = writing.matter(case) | {
        "verified_at": case.at,
        "verified_by": writing.signed_by(by.person, Role.COMMUNICATIONS),
        "checks": list(checks),
        "accepted": figures["accepted"],
        "audience_count": figures["audience_count"],
        "seal_sequence": figures["seal_sequence"],
        "seal_digest": figures["seal_digest"],
    }
    letter = Letter.VERDICT_POSITIVE
    if verdict is Verdict.NEGATIVE:
        letter = Letter.VERDICT_NEGATIVE
        context["difference"] = list(difference)
        writing.to_office(case, Role.COMMUNICATIONS, letter, context)
    writing.to_requester(case, letter, context)
    case.prove(reasons=list(reasons))
    return decision


@transaction.atomic
def find_not_sent(request_id: int, *, by: Actor, reason: str = "") -> Moved | NotMoved:
    """Record that it was not sent, and remind the IT Division of it (activity 5)."""
    case = open_case(request_id, by=by)
    missing = case.facts.sending.missing + case.facts.sending.pending
    decision = case.attempt(Act.FIND_NOT_SENT, reason=digest_of(reason))
    if isinstance(decision, NotMoved):
        return decision
    if reason:
        case.row.ended_because = reason
        case.row.save(update_fields=["ended_because"])
    writing.to_office(
        case,
        Role.TIC,
        Letter.NOT_SENT,
        writing.matter(case)
        | {
            "found_at": case.at,
            "reason": reason,
            "missing_count": missing or None,
            "audience_count": writing.audience_count(case),
            "due_at": case.due_at(Stage.SEND),
        },
    )
    case.prove(missing=missing)
    return decision


@transaction.atomic
def remind(duty_id: int, *, by: Actor) -> bool:
    """Remind whoever owes a duty that its limit was reached; False when none is due any more.

    Locks:   the request row (no key)
    Repeat:  a reminder sets when the next one is due, so a second round finds nothing to do
    """
    found = _due(duty_id, by)
    if found is None:
        return False
    case, duty = found
    if isinstance(case.attempt(Act.REMIND), NotMoved):
        return False
    _write_reminder(case, duty)
    return True


@transaction.atomic
def remind_now(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Remind whoever owes what is due first because a person asks for it, late or not yet late.

    Locks:   the request row (no key)
    Repeat:  within the hour refused with REMINDED_LATELY
    """
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.REMIND)
    if isinstance(decision, NotMoved):
        return decision
    duty = duty_due_first(request_id)
    assert duty is not None  # the guard OWED
    if not _write_reminder(case, duty):
        transaction.set_rollback(True)
        return NotMoved(Refusal.NO_MAILBOX)
    return decision


def _write_reminder(case: Case, duty: Duty) -> bool:
    """Write the letter and prove it; False when it had nowhere to go.

    A reminder before the limit counts for nothing: what is not late is not escalated.
    """
    limit = case.limit(Stage(duty.stage))
    late = duty.due_at <= case.at
    duty.reminded_at = case.at
    if late:
        duty.reminders += 1
        duty.next_reminder_at = case.calendar.add_business(case.at, limit.remind_every)
    duty.save(update_fields=["reminders", "reminded_at", "next_reminder_at"])
    role = Role(duty.owed_by)
    context = writing.matter(case) | {
        "stage": duty.stage,
        "owed_by": _owes(role),
        "started_at": duty.started_at,
        "due_at": duty.due_at,
        "limit_hours": duty.minutes // 60 or None,
        "number": duty.reminders if late else 0,
        "of": max(limit.escalate_after, duty.reminders),
        "next_at": duty.next_reminder_at,
        "next_hours": limit.remind_every_minutes // 60 or None,
        "next_escalates": duty.escalated_at is None and duty.reminders >= limit.escalate_after,
        "audience_count": writing.audience_count(case),
    }
    for debtor in debtors(case.row, case.facts, role):
        writing.post(
            case,
            Letter.REMINDER,
            to=debtor.mailbox,
            context=context,
            language=debtor.language,
        )
    written = bool(case.letters)
    case.prove(stage=duty.stage, duty=duty.pk, reminder=duty.reminders if late else 0)
    return written


@transaction.atomic
def escalate(duty_id: int, *, by: Actor) -> bool:
    """Tell the process owner that reminders had no effect; False when that is not due any more."""
    found = _due(duty_id, by)
    if found is None or found[1].escalated_at is not None:
        return False
    case, duty = found
    if isinstance(case.attempt(Act.ESCALATE), NotMoved):
        return False
    limit = case.limit(Stage(duty.stage))
    duty.escalated_at = case.at
    duty.next_reminder_at = case.calendar.add_business(case.at, limit.remind_every)
    duty.save(update_fields=["escalated_at", "next_reminder_at"])
    overdue = case.calendar.business_between(duty.due_at, case.at)
    context = writing.matter(case) | {
        "stage": duty.stage,
        "owed_by": _owes(Role(duty.owed_by)),
        "started_at": duty.started_at,
        "due_at": duty.due_at,
        "reminders": duty.reminders,
        "overdue_hours": int(overdue.total_seconds() // 3600) or None,
        "audience_count": writing.audience_count(case),
    }
    writing.to_office(case, Role.PROCESS_OWNER, Letter.ESCALATION, context)
    case.prove(stage=duty.stage, duty=duty.pk, reminder=duty.reminders)
    return True


def _due(duty_id: int, by: Actor) -> tuple[Case, Duty] | None:
    """Lock a duty's case, and return both if a reminder is due now."""
    request_id = Duty.objects.filter(pk=duty_id).values_list("request_id", flat=True).first()
    if request_id is None:
        return None
    case = open_case(request_id, by=by)
    duty = Duty.objects.get(pk=duty_id)
    if duty.ended_at is not None or duty.next_reminder_at is None:
        return None
    return (case, duty) if duty.next_reminder_at <= case.at else None


def _owes(role: Role) -> str:
    """Name who owes: an office by its name, a post by its own."""
    house = people.institution()
    if role is Role.TIC:
        return house.it_name
    if role is Role.COMMUNICATIONS:
        return house.communications_name
    found = people.post_for(role)
    return found.name if found is not None else house.communications_name


@transaction.atomic
def close(request_id: int, *, by: Actor, reason: str = "") -> Moved | NotMoved:
    """Close a verified case and note on the house that its chain is complete."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.CLOSE, reason=digest_of(reason))
    if isinstance(decision, Moved):
        if reason:
            case.row.ended_because = reason
            case.row.save(update_fields=["ended_because"])
        case.prove()
        note_closing(case_chain(request_id), by=by, at=case.at)
    return decision


@transaction.atomic
def reopen(request_id: int, *, by: Actor, reason: str) -> Moved | NotMoved:
    """Reopen a closed case: it is to be verified again."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.REOPEN, reason=digest_of(reason))
    if isinstance(decision, Moved):
        case.row.ended_because = reason
        case.row.closed_at = None
        case.row.save(update_fields=["ended_because", "closed_at"])
        case.prove()
    return decision
