"""The tables of the composing room: stencils, mailings and one row per recipient.

Rules that the database keeps, whatever the code does:
  1. The audience of a mailing equals the sum of its six counters (check constraint), and the
     counters follow the recipients' states in the same statement (trigger): design §2.1.
  2. To whom a mailing goes does not change once it is written (trigger): rows are frozen.
  3. A stencil's content never changes; it may only be dropped whole, which is what happens to a
     sign-in code after its verdict.

Known gaps: rows are not partitioned yet; retention prunes them in a later issue.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, F, Q, When
from typing_extensions import override

from circular.mailing.kinds import MailClass, MailingKind, MailingState, Priority
from circular.mailing.recipients import RecipientState


def choices_of(words: type[StrEnum]) -> list[tuple[str, str]]:
    """Give Django the values of an enum; people read ``labels``, never these."""
    return [(word.value, word.value) for word in words]


def _one_of(field: str, words: type[StrEnum], name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{field}__in": [word.value for word in words]}), name=name
    )


_PROBLEMS = ["refused", "bounced", "suppressed", "in_doubt"]


class Frame(models.Model):
    """One version of the institution's frame around every circular; never edited, only succeeded.

    ``html`` and ``text`` hold ``[[body]]`` once; ``composing`` names the other places.
    """

    version = models.PositiveIntegerField(unique=True)
    html = models.TextField()
    text = models.TextField()
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        "people.Person", null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        triggers: ClassVar = [
            pgtrigger.Protect(name="frame_is_frozen", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    @override
    def __str__(self) -> str:
        return f"frame {self.version}"


class Stencil(models.Model):
    """Content as approved, under the SHA-256 of its canonical bytes."""

    digest = models.CharField(primary_key=True, max_length=64)
    content = models.JSONField(null=True)
    mail_class = models.CharField(max_length=12, choices=choices_of(MailClass))
    subject = models.TextField()
    frame_version = models.PositiveIntegerField(default=0)  # 0: our own letter, without a frame
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="stencil_digest_is_sha256"
            ),
            _one_of("mail_class", MailClass, "stencil_class_known"),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="stencil_is_kept", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="stencil_is_frozen",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "NEW.content IS NOT NULL OR OLD.digest <> NEW.digest"
                    " OR OLD.mail_class <> NEW.mail_class"
                    " OR OLD.frame_version <> NEW.frame_version"
                ),
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.digest[:12]


class Mailing(models.Model):
    """One stencil on its way to its recipients, with the six totals."""

    kind = models.CharField(max_length=8, choices=choices_of(MailingKind))
    stencil = models.ForeignKey(Stencil, on_delete=models.PROTECT, related_name="mailings")
    case = models.BigIntegerField(null=True)  # workflow.Request: that room stands above this one
    letter = models.CharField(max_length=40, blank=True, default="")
    language = models.CharField(max_length=5, default="es")
    mail_class = models.CharField(max_length=12, choices=choices_of(MailClass))
    priority = models.SmallIntegerField(default=Priority.NORMAL)
    state = models.CharField(
        max_length=9, choices=choices_of(MailingState), default=MailingState.DRAFT
    )
    audience_rule = models.JSONField(null=True)
    same_recipients_as = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="errata"
    )

    created_at = models.DateTimeField()
    frozen_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    self_paused = models.CharField(max_length=40, blank=True, default="")  # a reason code
    self_paused_at = models.DateTimeField(null=True)
    per_minute = models.PositiveIntegerField(null=True)  # the operator's ceiling; none: as it goes
    paced_until = models.DateTimeField(null=True)  # under a ceiling: up to when its share is used
    settled_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)  # nobody is offered the message after this

    # Pinned at release, so that every byte stays the same when it is offered again.
    message_domain = models.CharField(max_length=255, blank=True, default="")
    bounce_address = models.CharField(max_length=320, blank=True, default="")
    list_id = models.CharField(max_length=255, blank=True, default="")
    in_reply_to = models.TextField(blank=True, default="")
    references = ArrayField(models.TextField(), default=list, blank=True)

    audience = models.IntegerField(default=0)
    pending = models.IntegerField(default=0)
    accepted = models.IntegerField(default=0)
    refused = models.IntegerField(default=0)
    bounced = models.IntegerField(default=0)
    suppressed = models.IntegerField(default=0)
    in_doubt = models.IntegerField(default=0)
    witnesses = models.IntegerField(default=0)
    witnesses_pending = models.IntegerField(default=0)

    # First offers go through the recipients once, by id: up to here they were leased.
    frontier = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            _one_of("kind", MailingKind, "mailing_kind_known"),
            _one_of("mail_class", MailClass, "mailing_class_known"),
            _one_of("state", MailingState, "mailing_state_known"),
            models.CheckConstraint(
                condition=Q(
                    audience=F("pending")
                    + F("accepted")
                    + F("refused")
                    + F("bounced")
                    + F("suppressed")
                    + F("in_doubt")
                ),
                name="mailing_totals_balance",
            ),
            models.CheckConstraint(
                condition=Q(
                    pending__gte=0,
                    accepted__gte=0,
                    refused__gte=0,
                    bounced__gte=0,
                    suppressed__gte=0,
                    in_doubt__gte=0,
                    witnesses_pending__gte=0,
                ),
                name="mailing_totals_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["released", "paused", "settled"])
                | Q(released_at__isnull=False, deadline_at__isnull=False, frozen_at__isnull=False),
                name="mailing_released_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state="settled") | Q(pending=0), name="mailing_settled_owes_nobody"
            ),
            models.CheckConstraint(
                condition=Q(per_minute__isnull=True) | Q(per_minute__gte=1),
                name="mailing_ceiling_lets_somebody_pass",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["priority", "released_at", "id"],
                condition=Q(state__in=["released", "settled"])
                & (Q(pending__gt=0) | Q(witnesses_pending__gt=0)),
                name="mailing_with_work",
            ),
            models.Index(
                fields=["id"],
                condition=Q(state__in=["released", "paused"], pending=0),
                name="mailing_to_settle",
            ),
            models.Index(fields=["case", "kind", "id"], name="mailing_of_case"),
            models.Index(
                fields=["deadline_at"],
                condition=Q(state__in=["released", "settled"])
                & (Q(pending__gt=0) | Q(witnesses_pending__gt=0)),
                name="mailing_deadline",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


# The counters follow the rows in the same statement, whoever writes them. Only rows that changed
# state count; a lease alone touches no mailing. Deleting is retention: totals stay.
_COUNT = """
    UPDATE mailing_mailing AS m SET
        audience = m.audience + d.audience,
        pending = m.pending + d.pending,
        accepted = m.accepted + d.accepted,
        refused = m.refused + d.refused,
        bounced = m.bounced + d.bounced,
        suppressed = m.suppressed + d.suppressed,
        in_doubt = m.in_doubt + d.in_doubt,
        witnesses = m.witnesses + d.witnesses,
        witnesses_pending = m.witnesses_pending + d.witnesses_pending
    FROM (
        SELECT mailing_id,
            coalesce(sum(n) FILTER (WHERE NOT witness), 0)::int AS audience,
            coalesce(sum(n) FILTER (WHERE NOT witness AND state = 'pending'), 0)::int AS pending,
            coalesce(sum(n) FILTER (WHERE NOT witness AND state = 'accepted'), 0)::int AS accepted,
            coalesce(sum(n) FILTER (WHERE NOT witness AND state = 'refused'), 0)::int AS refused,
            coalesce(sum(n) FILTER (WHERE NOT witness AND state = 'bounced'), 0)::int AS bounced,
            coalesce(sum(n) FILTER (WHERE NOT witness AND state = 'suppressed'), 0)::int
                AS suppressed,
            coalesce(sum(n) FILTER (WHERE NOT witness AND state = 'in_doubt'), 0)::int AS in_doubt,
            coalesce(sum(n) FILTER (WHERE witness), 0)::int AS witnesses,
            coalesce(sum(n) FILTER (WHERE witness AND state = 'pending'), 0)::int
                AS witnesses_pending,
            bool_or(n <> 0) AS moved
        FROM (
            SELECT mailing_id, witness, state, sum(n) AS n
            FROM ({rows}) AS every_row
            GROUP BY mailing_id, witness, state
        ) AS per_state
        GROUP BY mailing_id
        ORDER BY mailing_id
    ) AS d
    WHERE m.id = d.mailing_id AND d.moved;
    RETURN NULL;
"""


class Recipient(models.Model):
    """One person's copy of one mailing: frozen in address and fields, exactly one state.

    Rules, so that an accepted row is written once more after the freeze, in place, touching no index
    (a *heap-only* update; ``fillfactor`` leaves the room for it):
      1. ``next_try_at`` is empty until the first offer brought no verdict; a first offer is leased
         as a range of ids up to ``Mailing.frontier`` (``dispatch.Lease``), which writes nothing here.
      2. Whoever waits for another offer has ``next_try_at``, and then ``lease`` while on loan.
      3. No index looks at ``state``; ``problem`` is empty for accepted and pending rows.
    """

    mailing = models.ForeignKey(
        Mailing, on_delete=models.PROTECT, related_name="recipients", db_index=False
    )
    account = models.ForeignKey(
        "directory.Account", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    address = models.CharField(max_length=320)
    fields = models.JSONField(default=dict)
    witness = models.BooleanField(default=False)
    state = models.CharField(
        max_length=10, choices=choices_of(RecipientState), default=RecipientState.PENDING
    )
    reason = models.CharField(max_length=40, blank=True, default="")
    lease = models.BigIntegerField(null=True)  # dispatch.Lease: that room stands above this one
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    possible_duplicate = models.BooleanField(default=False)
    problem = models.GeneratedField(
        expression=Case(When(state__in=_PROBLEMS, then=F("state")), default=None),
        output_field=models.CharField(max_length=10),
        db_persist=True,
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["mailing", "address", "witness"], name="recipient_one_copy_per_person"
            ),
            _one_of("state", RecipientState, "recipient_state_known"),
            models.CheckConstraint(
                condition=Q(lease__isnull=True) | Q(state="pending"),
                name="recipient_only_pending_is_leased",
            ),
            models.CheckConstraint(
                condition=Q(next_try_at__isnull=True) | Q(state="pending"),
                name="recipient_only_pending_is_tried_again",
            ),
            models.CheckConstraint(
                condition=Q(lease__isnull=True) | Q(next_try_at__isnull=False),
                name="recipient_first_offer_is_a_range",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["refused", "suppressed"]) | ~Q(reason=""),
                name="recipient_reason_given",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["mailing", "id"], name="recipient_of_mailing"),
            models.Index(
                fields=["mailing", "next_try_at", "id"],
                condition=Q(next_try_at__isnull=False, lease__isnull=True),
                name="recipient_tried_again",
            ),
            models.Index(
                fields=["lease"], condition=Q(lease__isnull=False), name="recipient_leased"
            ),
            models.Index(
                fields=["mailing", "problem", "id"],
                condition=Q(problem__isnull=False),
                name="recipient_problems",
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.ReadOnly(
                name="recipient_is_frozen", fields=["mailing", "address", "fields", "witness"]
            ),
            pgtrigger.Trigger(
                name="recipient_counts_insert",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="new_rows"),  # type: ignore[no-untyped-call]  # untyped
                func=_COUNT.replace(
                    "{rows}", "SELECT mailing_id, witness, state, 1 AS n FROM new_rows"
                ),
            ),
            pgtrigger.Trigger(
                name="recipient_counts_update",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                referencing=pgtrigger.Referencing(  # type: ignore[no-untyped-call]  # untyped
                    old="old_rows", new="new_rows"
                ),
                func=_COUNT.replace(
                    "{rows}",
                    "SELECT mailing_id, witness, state, 1 AS n FROM new_rows"
                    " UNION ALL SELECT mailing_id, witness, state, -1 AS n FROM old_rows",
                ),
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"recipient {self.pk} of {self.mailing_id}"


class MailboxSecurity(StrEnum):
    """How the connection to a witness mailbox is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class WitnessMailbox(models.Model):
    """A mailbox of our own that receives every circular, so that sending can be proved."""

    address = models.CharField(max_length=320, unique=True)
    imap_host = models.CharField(max_length=255)
    imap_port = models.PositiveIntegerField(default=993)
    security = models.CharField(
        max_length=8, choices=choices_of(MailboxSecurity), default=MailboxSecurity.TLS
    )
    username = models.CharField(max_length=320)
    password_sealed = models.TextField(blank=True, default="")
    folder = models.CharField(max_length=255, default="INBOX")
    active = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [_one_of("security", MailboxSecurity, "witness_security_known")]

    @override
    def __str__(self) -> str:
        return f"witness {self.pk}"
