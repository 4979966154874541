"""What the closing clerk remembers: confirmations, verifications, reminders and anchors.

Rule 1: each row is one thing that must not happen twice, and a unique constraint says so: a round
        that is repeated, or run by two workers, or after the clock went back, changes nothing.
Rule 2: a verification may be looked at again until it has a verdict; then it stays as it is.
"""

from __future__ import annotations

from enum import StrEnum

import pgtrigger
from django.db import models
from django.db.models import Q
from typing_extensions import override

from circular.followup.closing import Outcome


class ConfirmationKind(StrEnum):
    """Whom a confirmation tells (activity 4)."""

    COMMUNICATIONS = "communications"
    REQUESTER = "requester"


class ReminderKind(StrEnum):
    """How silence was broken (activity 5)."""

    REMINDER = "reminder"
    ESCALATION = "escalation"


def _codes(kind: type[StrEnum]) -> list[tuple[str, str]]:
    return [(code.value, code.value) for code in kind]


class Confirmation(models.Model):
    """One confirmation letter of one sending, with the house's head that stands in it."""

    request = models.ForeignKey("workflow.Request", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=14, choices=_codes(ConfirmationKind))
    sent_at = models.DateTimeField()  # of the sending that is confirmed: a resend is another one
    at = models.DateTimeField()
    mailing = models.ForeignKey(
        "mailing.Mailing", on_delete=models.PROTECT, related_name="+", null=True
    )
    house_sequence = models.BigIntegerField()
    house_digest = models.CharField(max_length=64)

    class Meta:
        """One letter to each per sending."""

        constraints = [
            models.UniqueConstraint(
                fields=["request", "kind", "sent_at"], name="followup_confirmed_once"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in ConfirmationKind]),
                name="followup_confirmation_kind",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="confirmation_stays", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    @override
    def __str__(self) -> str:
        return f"{self.kind} of request {self.request_id}"


class Verification(models.Model):
    """What became of checking one sending: the looks, then the verdict with its reasons."""

    request = models.ForeignKey("workflow.Request", on_delete=models.PROTECT, related_name="+")
    # Which confirmation of the case it checks: after a resend or a reopening, the next one.
    round = models.PositiveIntegerField()
    outcome = models.CharField(max_length=8, choices=_codes(Outcome), default=Outcome.WAITING.value)
    reasons = models.JSONField(default=list)  # codes of closing.Reason
    sights = models.JSONField(default=list)  # recipient, sight, code, raw and both digests
    difference = models.JSONField(default=list)  # lines of the diff, for a person to read
    attempts = models.PositiveIntegerField(default=0)
    first_look_at = models.DateTimeField()
    last_look_at = models.DateTimeField()
    next_look_at = models.DateTimeField()

    class Meta:
        """One per confirmation; the clerk asks for those that are due."""

        constraints = [
            models.UniqueConstraint(fields=["request", "round"], name="followup_verified_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=[outcome.value for outcome in Outcome]),
                name="followup_outcome_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_look_at"],
                condition=Q(outcome__in=[Outcome.WAITING.value, Outcome.HELD.value]),
                name="followup_to_look",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="verdict_stays",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(
                    old__outcome__in=[Outcome.POSITIVE.value, Outcome.NEGATIVE.value]
                ),
            ),
            pgtrigger.Protect(name="verification_stays", operation=pgtrigger.Delete),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.outcome} for request {self.request_id}"


class Reminder(models.Model):
    """One reminder or escalation about one duty, for one time that came due."""

    duty = models.ForeignKey("workflow.Duty", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=_codes(ReminderKind))
    owed_at = models.DateTimeField()  # the time that came due
    at = models.DateTimeField()

    class Meta:
        """Never twice for the same limit, whatever the clock does."""

        constraints = [
            models.UniqueConstraint(fields=["duty", "owed_at"], name="followup_reminded_once"),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in ReminderKind]),
                name="followup_reminder_kind",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="reminder_stays", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    @override
    def __str__(self) -> str:
        return f"{self.kind} of duty {self.duty_id}"


class Anchor(models.Model):
    """The house's head as it was sent outside on one day."""

    on = models.DateField(unique=True)
    sequence = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        """What stands outside is not changed inside."""

        triggers = [
            pgtrigger.Protect(name="anchor_stays", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    @override
    def __str__(self) -> str:
        return f"house {self.sequence} on {self.on}"
