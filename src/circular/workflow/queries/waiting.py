"""What waits: for a person, for the clock, for a state. Open duties are the whole truth about it.

Indexes: duty_open_by_role (owed_by, due_at) and duty_to_remind, both of open duties only;
         request_by_state.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet

from circular.people import queries as people
from circular.people.roles import Role
from circular.workflow.models import Duty, Request
from circular.workflow.states import Stage, State

MOST = 500  # rows of one answer; a tray that is longer is worked off from the top


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One thing that waits for somebody."""

    duty: int
    request: int
    stage: Stage
    owed_by: Role
    started_at: datetime
    due_at: datetime
    reminders: int
    escalated_at: datetime | None
    urgent: bool


def _open_duties() -> QuerySet[Duty]:
    return Duty.objects.filter(ended_at__isnull=True)


def _of(person_id: int) -> Q:
    """Return the condition that a duty is owed by this person."""
    roles = people.roles_of(person_id) - {Role.REQUESTER}
    units = [unit.id for unit in people.units_of(person_id)]
    asked = Q(request__requester=person_id) | Q(request__unit__in=units)
    return Q(owed_by__in=[role.value for role in roles]) | (Q(owed_by=Role.REQUESTER.value) & asked)


def waiting_count(person_id: int) -> int:
    """Return how many things wait for a person."""
    return _open_duties().filter(_of(person_id)).count()


def waiting(person_id: int) -> list[Waiting]:
    """Return what waits for a person, the earliest limit first."""
    rows = _open_duties().filter(_of(person_id)).select_related("request")
    return [_row(duty) for duty in rows.order_by("due_at", "id")[:MOST]]


def duties_due(now: datetime) -> list[Waiting]:
    """Return the duties whose next reminder is due, the earliest first."""
    rows = _open_duties().filter(next_reminder_at__lte=now).select_related("request")
    return [_row(duty) for duty in rows.order_by("next_reminder_at", "id")[:MOST]]


def _row(duty: Duty) -> Waiting:
    return Waiting(
        duty=duty.pk,
        request=duty.request_id,
        stage=Stage(duty.stage),
        owed_by=Role(duty.owed_by),
        started_at=duty.started_at,
        due_at=duty.due_at,
        reminders=duty.reminders,
        escalated_at=duty.escalated_at,
        urgent=duty.request.urgent,
    )


def standing_in(state: State) -> list[int]:
    """Return the cases in a state, the one that has not changed longest first."""
    rows = Request.objects.filter(state=state.value).order_by("changed_at", "id")
    return list(rows.values_list("pk", flat=True)[:MOST])


def settled_sending() -> list[int]:
    """Return the cases in sending whose mailing owes nobody any more."""
    rows = Request.objects.filter(state=State.SENDING.value, mailing__state="settled")
    return list(rows.order_by("mailing__settled_at", "id").values_list("pk", flat=True)[:MOST])


def case_by_number(number: str) -> int | None:
    """Return the case with a filing number, however it is capitalized."""
    return (
        Request.objects.filter(filing_number=number.strip().upper())
        .values_list("pk", flat=True)
        .first()
    )


def number_of(request_id: int) -> str:
    """Return the filing number of a case; nothing for a draft."""
    found = Request.objects.filter(pk=request_id).values_list(F("filing_number"), flat=True).first()
    return found or ""
