"""The time limits that hold until an office changes them. Pure.

Source: practice.md §5 (review 8 h, forward 4 h, sending by the programmed time or 16 h, confirmation
2 h after the last message, verification 8 h; a reminder at the limit, repeated every 8 h, after the
second the process owner); drafts lapse after 5 business days (40 h). The urgent lane is ours: a
quarter of the ordinary limits, because practice.md §1 measures urgency in hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from circular.people.roles import Role
from circular.workflow.states import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How long a stage may take in business minutes, and how its silence is noticed."""

    stage: Stage
    urgent: bool
    minutes: int
    remind_every_minutes: int
    escalate_after: int  # reminders before the escalation

    @property
    def after(self) -> timedelta:
        """Return the limit as business time."""
        return timedelta(minutes=self.minutes)

    @property
    def remind_every(self) -> timedelta:
        """Return the business time between two reminders."""
        return timedelta(minutes=self.remind_every_minutes)


# Stage: (ordinary hours, urgent hours, hours between reminders ordinary, urgent)
_HOURS: Mapping[Stage, tuple[float, float, float, float]] = MappingProxyType(
    {
        Stage.CONFIRM_DRAFT: (40, 40, 40, 40),
        Stage.REVIEW: (8, 2, 8, 2),
        Stage.CORRECT: (24, 4, 16, 4),
        Stage.AUTHORISE: (8, 2, 8, 2),
        Stage.FORWARD: (4, 1, 8, 1),
        Stage.SEND: (16, 2, 8, 1),
        Stage.CONFIRM: (2, 1, 8, 2),
        Stage.VERIFY: (8, 4, 8, 4),
        Stage.REVIEW_AFTERWARDS: (40, 40, 40, 40),
    }
)
ESCALATE_AFTER = 2

OWED_BY: Mapping[Stage, Role] = MappingProxyType(
    {
        Stage.CONFIRM_DRAFT: Role.REQUESTER,
        Stage.REVIEW: Role.COMMUNICATIONS,
        Stage.CORRECT: Role.REQUESTER,
        Stage.AUTHORISE: Role.APPROVER,
        Stage.FORWARD: Role.COMMUNICATIONS,
        Stage.SEND: Role.TIC,
        Stage.CONFIRM: Role.TIC,
        Stage.VERIFY: Role.COMMUNICATIONS,
        Stage.REVIEW_AFTERWARDS: Role.PROCESS_OWNER,
    }
)


def default_limits() -> dict[tuple[Stage, bool], Limit]:
    """Return the limit of every stage in both lanes."""
    return {
        (stage, urgent): Limit(
            stage=stage,
            urgent=urgent,
            minutes=round(60 * _HOURS[stage][int(urgent)]),
            remind_every_minutes=round(60 * _HOURS[stage][2 + int(urgent)]),
            escalate_after=ESCALATE_AFTER,
        )
        for stage in Stage
        for urgent in (False, True)
    }
