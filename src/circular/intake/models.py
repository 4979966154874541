"""What the front door remembers: every message that came in, and the one-time links it gave out.

Rules
1. A row exists before the door answers 250; its bytes are a blob of the archive.
2. The same message to the same recipients is one row, however often it is handed in (`identity`).
3. Of a link only the digest of its token is kept; the token stands in one letter and nowhere else.
"""

from enum import StrEnum

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from typing_extensions import override

from circular.intake.words import Door, MailState, Reason, SortedAs


def _codes(kind: type[StrEnum]) -> list[tuple[str, str]]:
    return [(code.value, code.value) for code in kind]


def _one_of(
    field: str, kind: type[StrEnum], name: str, *, blank: bool = False
) -> models.CheckConstraint:
    values = [code.value for code in kind] + ([""] if blank else [])
    return models.CheckConstraint(condition=Q(**{f"{field}__in": values}), name=name)


class IncomingMail(models.Model):
    """One message that came in, as it came in, and what became of it."""

    raw = models.CharField(max_length=64)  # SHA-256: evidence.Blob
    identity = models.CharField(max_length=64, unique=True)
    # The same words from the same author, whatever Message-ID and way they came (reliability §6, 20).
    content_key = models.CharField(max_length=64, db_index=True)
    octets = models.BigIntegerField()
    door = models.CharField(max_length=8, choices=_codes(Door))
    mail_from = models.CharField(max_length=320, blank=True)  # envelope; empty is the null sender
    rcpt_to = ArrayField(models.CharField(max_length=320), default=list)
    received_at = models.DateTimeField()
    repeats = models.PositiveIntegerField(default=0)

    state = models.CharField(
        max_length=9, choices=_codes(MailState), default=MailState.STORED.value
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    try_after = models.DateTimeField(null=True)  # null: at once
    failure = models.CharField(max_length=200, blank=True)  # the last error, its kind only
    sorted_as = models.CharField(max_length=12, choices=_codes(SortedAs), blank=True)
    reason = models.CharField(max_length=24, choices=_codes(Reason), blank=True)
    sorted_at = models.DateTimeField(null=True)
    author = models.CharField(
        max_length=320, blank=True
    )  # of the From line, when it is exactly one
    subject = models.CharField(max_length=300, blank=True)
    request = models.BigIntegerField(null=True)  # workflow.Request
    looked_at = models.DateTimeField(null=True)  # a person has dealt with it
    looked_by = models.ForeignKey(
        "people.Person", on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(state="stored"), name="incoming_to_sort"),
            models.Index(
                fields=["-received_at"],
                condition=Q(looked_at__isnull=True),
                name="incoming_to_look_at",
            ),
            models.Index(fields=["request"], name="incoming_of_request"),
        ]
        constraints = [
            _one_of("door", Door, "incoming_door_known"),
            _one_of("state", MailState, "incoming_state_known"),
            _one_of("sorted_as", SortedAs, "incoming_sort_known", blank=True),
            _one_of("reason", Reason, "incoming_reason_known", blank=True),
            models.CheckConstraint(
                condition=Q(state="stored", sorted_at__isnull=True)
                | (~Q(state="stored") & Q(sorted_at__isnull=False)),
                name="incoming_sorted_has_time",
            ),
            models.CheckConstraint(
                condition=Q(raw__regex=r"^[0-9a-f]{64}$"), name="incoming_raw_is_sha256"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"mail {self.pk}"


class DraftLink(models.Model):
    """The link that shows a draft and files it, once, for whoever holds the mailbox."""

    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the token
    request = models.BigIntegerField(db_index=True)  # workflow.Request
    incoming = models.ForeignKey(IncomingMail, on_delete=models.PROTECT, related_name="links")
    person = models.ForeignKey("people.Person", on_delete=models.PROTECT, related_name="+")
    address = models.CharField(max_length=320)  # of the account; nobody else was told the token
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["address", "created_at"], name="draft_link_by_address")]
        constraints = [
            models.CheckConstraint(
                condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="draft_link_digest_is_sha256"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")), name="draft_link_lasts"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"link {self.pk}"
