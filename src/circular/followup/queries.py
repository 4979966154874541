"""What waits for the closing clerk, and what he found.

Indexes:  request_by_state (workflow), mailing_of_case (mailing), followup_to_look, duty_to_remind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q

from circular.evidence import queries as archive
from circular.evidence.chain import case_chain
from circular.followup import labels
from circular.followup.closing import FINAL, GOOD, DutyFacts, Outcome, Reason, Sight
from circular.followup.models import Confirmation, ConfirmationKind, Verification
from circular.mailing.kinds import MailingState
from circular.workflow.acts import Act
from circular.workflow.models import Duty, Request
from circular.workflow.queries import house
from circular.workflow.states import Stage, State, Verdict, Way

AT_A_TIME = 200  # cases per round: the rest is found by the next one


def cases_to_settle() -> list[int]:
    """Give the cases whose sending has nobody pending any more, or waits for a confirmation."""
    settled = Q(state=State.SENDING.value, mailing__state=MailingState.SETTLED.value)
    rows = Request.objects.filter(settled | Q(state=State.SENT.value))
    return list(rows.order_by("changed_at").values_list("id", flat=True)[:AT_A_TIME])


def cases_to_verify(now: datetime) -> list[int]:
    """Give the confirmed cases that were not looked at yet, or are to be looked at again."""
    later = Verification.objects.filter(next_look_at__gt=now).exclude(
        outcome__in=[outcome.value for outcome in FINAL]
    )
    rows = Request.objects.filter(state=State.CONFIRMED.value).exclude(
        id__in=later.values("request_id")
    )
    return list(rows.order_by("changed_at").values_list("id", flat=True)[:AT_A_TIME])


def cases_to_close() -> list[int]:
    """Give the cases with a positive verdict."""
    rows = Request.objects.filter(state=State.VERIFIED.value, verdict=Verdict.POSITIVE.value)
    return list(rows.order_by("changed_at").values_list("id", flat=True)[:AT_A_TIME])


def duties_come_due(now: datetime) -> list[int]:
    """Give the open duties that a reminder is due for, and the drafts that lapse."""
    lapsing = Q(stage=Stage.CONFIRM_DRAFT.value, due_at__lte=now)
    rows = Duty.objects.filter(
        Q(next_reminder_at__lte=now) | lapsing, ended_at__isnull=True
    ).order_by("due_at", "id")
    return list(rows.values_list("id", flat=True)[:AT_A_TIME])


def duty_facts(duty_id: int, now: datetime) -> tuple[int, DutyFacts] | None:
    """Give an open duty's request and what the clerk needs to know of it."""
    duty = (
        Duty.objects.filter(pk=duty_id, ended_at__isnull=True)
        .annotate(urgent=F("request__urgent"), state=F("request__state"))
        .first()
    )
    if duty is None:
        return None
    limit = house.time_limits()[Stage(duty.stage), duty.urgent]
    return duty.request_id, DutyFacts(
        is_draft=duty.stage == Stage.CONFIRM_DRAFT.value and duty.state == State.DRAFT.value,
        due_at=duty.due_at,
        next_reminder_at=duty.next_reminder_at,
        reminders=duty.reminders,
        escalate_after=limit.escalate_after,
        escalated=duty.escalated_at is not None,
        office_open=house.office_calendar().is_open(now),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """A case as the clerk meets it."""

    id: int
    state: State
    way: Way
    mailing: int | None
    approved_digest: str
    sent_at: datetime | None
    declared: Mapping[str, object]
    to_communications_at: datetime | None
    to_requester_at: datetime | None
    verify_by: datetime | None  # the limit of the duty to verify


def case(request_id: int) -> CaseRow:
    """Give a case."""
    row = Request.objects.get(pk=request_id)
    limit = (
        Duty.objects.filter(request=request_id, stage=Stage.VERIFY.value, ended_at__isnull=True)
        .values_list("due_at", flat=True)
        .first()
    )
    return CaseRow(
        id=row.pk,
        state=State(row.state),
        way=Way(row.way),
        mailing=row.mailing_id,
        approved_digest=row.approved_digest,
        sent_at=row.sent_at,
        declared=row.declared or {},
        to_communications_at=row.confirmed_to_communications_at,
        to_requester_at=row.confirmed_to_requester_at,
        verify_by=limit,
    )


def round_of(request_id: int) -> int:
    """Say which confirmation of a case is to be verified: resends and reopenings count."""
    acts = {Act.CONFIRM_TO_REQUESTER.value, Act.REOPEN.value}
    return sum(entry.act in acts for entry in archive.entries_of(case_chain(request_id)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationRow:
    """One confirmation, for pages and the demo."""

    kind: ConfirmationKind
    at: datetime
    mailing: int | None
    house_sequence: int
    house_digest: str


def confirmations(request_id: int) -> list[ConfirmationRow]:
    """Give a case's confirmations, oldest first."""
    return [
        ConfirmationRow(
            kind=ConfirmationKind(row.kind),
            at=row.at,
            mailing=row.mailing_id,
            house_sequence=row.house_sequence,
            house_digest=row.house_digest,
        )
        for row in Confirmation.objects.filter(request=request_id).order_by("at", "id")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRow:
    """What checking one sending came to, for pages."""

    round: int
    outcome: Outcome
    reasons: tuple[Reason, ...]
    sights: Sequence[Mapping[str, object]]
    difference: tuple[str, ...]
    attempts: int
    first_look_at: datetime
    last_look_at: datetime
    next_look_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One thing that a verification looked at, in the reader's language.

    Shapes:  tone is ok, bad, warn or idle; approved and received are one differing line each
    """

    tone: str
    fact: str
    more: str = ""
    seal: str = ""
    approved: str = ""
    received: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationView:
    """The last verification of a case as its page shows it."""

    outcome: Outcome
    checks: tuple[CheckView, ...]
    reasons: tuple[str, ...]  # codes, as `workflow.services.verify` takes them
    difference: tuple[str, ...]
    last_look_at: datetime
    next_look_at: datetime | None  # None after the verdict


def verification_of(request_id: int) -> VerificationView | None:
    """Give what the last verification of a case came to; None before the first look."""
    rows = verifications(request_id)
    if not rows:
        return None
    row = rows[-1]
    outcome = row.outcome
    if outcome not in FINAL:
        # A person may have decided what the clerk held: the desk knows.
        verdict = Request.objects.values_list("verdict", flat=True).get(pk=request_id)
        outcome = Outcome(verdict) if verdict else outcome
    return VerificationView(
        outcome=outcome,
        checks=tuple(_check(reason, row) for reason in row.reasons),
        reasons=tuple(reason.value for reason in row.reasons),
        difference=row.difference,
        last_look_at=row.last_look_at,
        next_look_at=None if outcome in FINAL else row.next_look_at,
    )


def _check(reason: Reason, row: VerificationRow) -> CheckView:
    fact = labels.sentence(reason)
    if reason in GOOD:
        tone = "ok"
    elif row.outcome is Outcome.WAITING:
        tone = "idle"
    else:
        tone = "bad" if row.outcome is Outcome.NEGATIVE else "warn"
    seen = sum(sight["sight"] in {Sight.EQUAL, Sight.DIFFERENT} for sight in row.sights)
    match reason:
        case Reason.WITNESSES_RECEIVED | Reason.WITNESS_NOT_SEEN | Reason.WITNESS_UNREADABLE:
            return CheckView(tone=tone, fact=fact, more=labels.seen_by(seen, len(row.sights)))
        case Reason.TEXT_EQUALS:
            return CheckView(tone=tone, fact=fact, seal=str(row.sights[0]["expected"]))
        case Reason.TEXT_DIFFERS:
            lost = (line[2:] for line in row.difference if line.startswith("- "))
            added = (line[2:] for line in row.difference if line.startswith("+ "))
            return CheckView(
                tone=tone, fact=fact, approved=next(lost, ""), received=next(added, "")
            )
        case _:
            return CheckView(tone=tone, fact=fact)


def verifications(request_id: int) -> list[VerificationRow]:
    """Give what checking a case came to, oldest first."""
    return [
        VerificationRow(
            round=row.round,
            outcome=Outcome(row.outcome),
            reasons=tuple(Reason(code) for code in row.reasons),
            sights=row.sights,
            difference=tuple(row.difference),
            attempts=row.attempts,
            first_look_at=row.first_look_at,
            last_look_at=row.last_look_at,
            next_look_at=row.next_look_at,
        )
        for row in Verification.objects.filter(request=request_id).order_by("round")
    ]
