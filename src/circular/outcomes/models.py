"""The ledger's only table: facts are appended, never changed (the database refuses).

A row says what happened to one recipient, from which source, and which state it led to. The state
itself stands on the recipient and moves in the same statement (``services.settle``).
"""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from typing_extensions import override

from circular.mailing.recipients import RecipientState
from circular.outcomes.verdicts import Source


class Outcome(models.Model):
    """One thing that happened to one recipient.

    The database checks whole statements at once, not each row by itself: a foreign key's own check
    locks the recipient and costs as much as the rest of a verdict (docs/decisions/0063). Whoever
    deletes a recipient that has facts is refused by a trigger on that table.
    """

    recipient = models.ForeignKey(
        "mailing.Recipient", on_delete=models.PROTECT, related_name="outcomes", db_constraint=False
    )
    mailing = models.ForeignKey(
        "mailing.Mailing",
        on_delete=models.PROTECT,
        related_name="outcomes",
        db_index=False,
        db_constraint=False,
    )
    at = models.DateTimeField()
    state = models.CharField(
        max_length=10, choices=[(state.value, state.value) for state in RecipientState]
    )
    source = models.CharField(
        max_length=8, choices=[(source.value, source.value) for source in Source]
    )
    reason = models.CharField(max_length=40, blank=True, default="")
    code = models.SmallIntegerField(null=True)  # the relay's reply code, RFC 5321 §4.2
    enhanced = models.CharField(max_length=11, blank=True, default="")  # RFC 3463: 5.1.1
    reply = models.TextField(blank=True, default="")  # the relay's own words, cut at 1,000
    lease = models.BigIntegerField(null=True)
    person = models.BigIntegerField(null=True)  # who decided, when a person did

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in RecipientState]),
                name="outcome_state_known",
            ),
            models.CheckConstraint(
                condition=Q(source__in=[source.value for source in Source]),
                name="outcome_source_known",
            ),
            models.CheckConstraint(
                condition=Q(code__isnull=True) | Q(code__gte=200, code__lte=599),
                name="outcome_code_is_reply",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["lease"], condition=Q(lease__isnull=False), name="outcome_of_lease"
            ),
            models.Index(fields=["mailing", "id"], name="outcome_of_mailing"),
            # Reports about rows under lease: read whenever a lease ends, and next to none.
            models.Index(
                fields=["recipient"],
                condition=Q(source="bounce", state="pending"),
                name="outcome_bounce_waits",
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="outcome_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            ),
            pgtrigger.Trigger(
                name="outcome_is_somebodys",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="new_rows"),  # type: ignore[no-untyped-call]  # untyped
                func="""
                    IF EXISTS (
                        SELECT FROM new_rows AS n
                        WHERE NOT EXISTS (
                            SELECT FROM mailing_recipient AS r
                            WHERE r.id = n.recipient_id AND r.mailing_id = n.mailing_id
                        )
                    ) THEN
                        RAISE foreign_key_violation USING
                            MESSAGE = 'an outcome of a recipient that this mailing does not have';
                    END IF;
                    RETURN NULL;
                """,
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"outcome {self.pk}: {self.state}"
