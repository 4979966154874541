"""What the desk remembers: requests, their versions, what is owed until when, and the filing book.

Rules:
1. A row says where a case stands now; the evidence chain says how it got there.
2. A version is sealed when it is filed: a trigger refuses to change it afterwards.
3. At most one open duty per request and stage; a filing number is never used twice.
4. Only `services` writes here.

Longer than 400 lines: the tables of one case are read together, and each says its own constraints.
"""

from datetime import time
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from pgtrigger import Delete, Protect, Update
from pgtrigger import Q as PgQ
from typing_extensions import override

from circular.mailing.kinds import MailClass
from circular.workflow.states import Channel, Stage, State, Verdict, Way


def _codes(kind: type[StrEnum]) -> list[tuple[str, str]]:
    """Return the stored codes; their names in words live in `labels`."""
    return [(code.value, code.value) for code in kind]


class ProcedureVersion(models.Model):
    """One version of a procedure, with its very text: loaded by an office or pinned by a case."""

    code = models.CharField(max_length=60)
    version = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    source = models.TextField()  # the TOML itself: a later edit of the file changes no old case
    stored_at = models.DateTimeField()

    class Meta:
        """One text per code and version."""

        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="procedure_version_once")
        ]
        triggers = [Protect(name="procedure_version_stays", operation=Update | Delete)]

    @override
    def __str__(self) -> str:
        """Return code and version."""
        return f"{self.code} v{self.version}"


class Request(models.Model):
    """One matter: a unit asks for a mass mail, and everything that becomes of it."""

    state = models.CharField(max_length=12, choices=_codes(State), default=State.DRAFT.value)
    way = models.CharField(max_length=10, choices=_codes(Way), default=Way.CIRCULAR.value)
    channel = models.CharField(max_length=10, choices=_codes(Channel), default=Channel.WEB.value)
    filing_number = models.CharField(max_length=40, unique=True, null=True)  # noqa: DJ001 (unique: drafts have none)
    filed_at = models.DateTimeField(null=True)
    procedure = models.ForeignKey(
        ProcedureVersion, on_delete=models.PROTECT, null=True, related_name="+"
    )
    idempotency_key = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001

    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    registrar = models.ForeignKey(  # who wrote it down for a unit that phoned or came with paper
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    unit = models.ForeignKey("people.Unit", on_delete=models.PROTECT, related_name="+", null=True)
    contact_name = models.CharField(max_length=200, blank=True)
    contact_phone = models.CharField(max_length=60, blank=True)
    answer_to = models.CharField(max_length=320, blank=True)  # the mailbox that gets our letters

    version = models.ForeignKey(
        "workflow.RequestVersion", on_delete=models.PROTECT, null=True, related_name="+"
    )
    erratum_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="errata"
    )
    copied_from = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="copies"
    )

    urgent = models.BooleanField(default=False)
    urgent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    urgent_because = models.TextField(blank=True)
    urgent_review = models.TextField(blank=True)  # what was found when it was looked at again
    reviewed_afterwards_at = models.DateTimeField(null=True)

    acknowledged_at = models.DateTimeField(null=True)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    tested_digest = models.CharField(max_length=64, blank=True)
    signed_off_digest = models.CharField(max_length=64, blank=True)
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    approved_digest = models.CharField(max_length=64, blank=True)
    approved_count = models.PositiveIntegerField(null=True)
    approved_at = models.DateTimeField(null=True)
    forwarded_at = models.DateTimeField(null=True)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    scheduled_at = models.DateTimeField(null=True)
    held = models.CharField(max_length=60, blank=True)  # why the clock did not start it (a refusal)
    mailing = models.ForeignKey(
        "mailing.Mailing", on_delete=models.PROTECT, related_name="+", null=True
    )
    started_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    declared = models.JSONField(
        null=True
    )  # the six figures and the two times of an external sending
    declared_evidence = models.JSONField(default=list)  # digests of blobs
    confirmed_to_communications_at = models.DateTimeField(null=True)
    confirmed_to_requester_at = models.DateTimeField(null=True)
    verdict = models.CharField(max_length=10, choices=_codes(Verdict), blank=True)
    verified_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    ended_because = models.TextField(blank=True)  # the words of a refusal, return or cancellation
    suggested_channel = models.TextField(blank=True)

    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()  # the last act

    class Meta:
        """What the database itself refuses, and the indexes that trays rely on."""

        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in State]), name="request_state_known"
            ),
            models.CheckConstraint(
                condition=Q(way__in=[w.value for w in Way]), name="request_way_known"
            ),
            models.CheckConstraint(
                condition=Q(channel__in=[c.value for c in Channel]), name="request_channel_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[State.DRAFT.value, State.CANCELLED.value])
                | Q(filing_number__isnull=False),
                name="request_beyond_draft_is_filed",
            ),
            models.CheckConstraint(
                condition=Q(filing_number__isnull=True, filed_at__isnull=True)
                | Q(filing_number__isnull=False, filed_at__isnull=False),
                name="request_number_and_time_together",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "-changed_at"], name="request_by_state"),
            models.Index(fields=["requester", "state"], name="request_by_requester"),
            models.Index(fields=["unit", "state"], name="request_by_unit"),
            models.Index(
                fields=["scheduled_at"], condition=Q(state="scheduled"), name="request_scheduled"
            ),
            models.Index(fields=["mailing"], name="request_by_mailing"),
            models.Index(fields=["-changed_at", "-id"], name="request_by_last_act"),
        ]

    @override
    def __str__(self) -> str:
        """Return the filing number, or say that it is a draft."""
        return self.filing_number or f"draft {self.pk}"


class RequestVersion(models.Model):
    """What was asked for, as written at one time; the old ones stay."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    sender = models.ForeignKey(
        "people.Sender", on_delete=models.PROTECT, null=True, related_name="+"
    )
    reply_to = models.CharField(max_length=320, blank=True)
    subject = models.TextField(blank=True)
    html = models.TextField(blank=True)
    text = models.TextField(blank=True)
    attachments = models.JSONField(default=list)  # name, media_type, digest, content_id, inline
    audience = models.JSONField(null=True)  # a rule as directory writes it
    audience_words = models.TextField(
        blank=True
    )  # what a mail asked for, as long as no rule is chosen
    mail_class = models.CharField(
        max_length=12, choices=_codes(MailClass), default=MailClass.INFORMATIVE.value
    )
    wanted_at = models.DateTimeField(null=True)
    wanted_words = models.TextField(
        blank=True
    )  # what a mail said, when it could not be read as a date
    reason = models.TextField(blank=True)
    digest = models.CharField(
        max_length=64, blank=True
    )  # of the stencil; empty while something is missing
    sealed = models.BooleanField(default=False)
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    written_at = models.DateTimeField()

    class Meta:
        """Numbered from 1; a sealed version never changes."""

        constraints = [
            models.UniqueConstraint(fields=["request", "number"], name="version_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="version_from_one"),
            models.CheckConstraint(
                condition=Q(mail_class__in=[c.value for c in MailClass]), name="version_class_known"
            ),
        ]
        triggers = [
            Protect(
                name="sealed_version_stays",
                operation=Update | Delete,
                condition=PgQ(old__sealed=True),
            ),
        ]

    @override
    def __str__(self) -> str:
        """Return which version of which request this is."""
        return f"request {self.request_id} version {self.number}"


class Duty(models.Model):
    """One thing that somebody owes a case until a time in business hours."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="duties")
    stage = models.CharField(max_length=20, choices=_codes(Stage))
    owed_by = models.CharField(max_length=20)  # a people.Role
    started_at = models.DateTimeField()
    due_at = models.DateTimeField()
    minutes = models.PositiveIntegerField()  # business minutes that were granted
    reminders = models.PositiveIntegerField(default=0)  # since the limit
    reminded_at = models.DateTimeField(null=True)  # the last time, by the clock or a person
    next_reminder_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=40, blank=True)  # the act that ended it

    class Meta:
        """One open duty per request and stage; the clerk's round reads what is due."""

        constraints = [
            models.UniqueConstraint(
                fields=["request", "stage"],
                condition=Q(ended_at__isnull=True),
                name="one_open_duty_per_stage",
            ),
            models.CheckConstraint(
                condition=Q(due_at__gte=F("started_at")), name="duty_due_after_start"
            ),
            models.CheckConstraint(
                condition=Q(stage__in=[s.value for s in Stage]), name="duty_stage_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_reminder_at"],
                condition=Q(ended_at__isnull=True),
                name="duty_to_remind",
            ),
            models.Index(
                fields=["owed_by", "due_at"],
                condition=Q(ended_at__isnull=True),
                name="duty_open_by_role",
            ),
        ]

    @override
    def __str__(self) -> str:
        """Return the stage and the request."""
        return f"{self.stage} of request {self.request_id}"


class TimeLimit(models.Model):
    """What an office changed of the time limits in `limits`; no row means the default holds."""

    stage = models.CharField(max_length=20, choices=_codes(Stage))
    urgent = models.BooleanField(default=False)
    minutes = models.PositiveIntegerField()
    remind_every_minutes = models.PositiveIntegerField()
    escalate_after = models.PositiveIntegerField()  # reminders that go out before the escalation

    class Meta:
        """One row per stage and lane."""

        constraints = [
            models.UniqueConstraint(
                fields=["stage", "urgent"], name="one_limit_per_stage_and_lane"
            ),
            models.CheckConstraint(
                condition=Q(remind_every_minutes__gte=15), name="reminders_apart"
            ),
            models.CheckConstraint(
                condition=Q(stage__in=[s.value for s in Stage]), name="limit_stage_known"
            ),
        ]

    @override
    def __str__(self) -> str:
        """Return the stage and its limit."""
        return f"{self.stage}: {self.minutes} min"


class Recess(models.Model):
    """Days on which the institution does not work and no library knows it."""

    name = models.CharField(max_length=200)
    from_on = models.DateField()
    until_on = models.DateField()  # inclusive

    class Meta:
        """A recess has at least one day."""

        constraints = [
            models.CheckConstraint(condition=Q(until_on__gte=F("from_on")), name="recess_in_order")
        ]
        ordering = ["from_on"]

    @override
    def __str__(self) -> str:
        """Return its name and first day."""
        return f"{self.name} {self.from_on}"


class DeskRules(models.Model):
    """The few choices of the desk that an office may change; one row, or the defaults."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    count_tolerance_permille = models.PositiveIntegerField(default=20)
    start_late_minutes = models.PositiveIntegerField(default=120)  # later, a person starts it
    require_sign_off = models.BooleanField(default=False)
    filing_prefix = models.CharField(max_length=12, default="CIR")
    procedure_code = models.CharField(max_length=60, default="PE-GE-2.3-PR-21")
    morning_from = models.TimeField(default=time(8))
    morning_until = models.TimeField(default=time(12))
    afternoon_from = models.TimeField(default=time(14))
    afternoon_until = models.TimeField(default=time(18))

    class Meta:
        """There is one, and its day is in order."""

        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="desk_rules_are_one_row"),
            models.CheckConstraint(
                condition=Q(morning_from__lt=F("morning_until"))
                & Q(morning_until__lte=F("afternoon_from"))
                & Q(afternoon_from__lt=F("afternoon_until")),
                name="office_hours_in_order",
            ),
        ]

    @override
    def __str__(self) -> str:
        """Return what it is."""
        return "desk rules"


class AudienceAuthority(models.Model):
    """A post that must agree before its audience is written to; none configured, none asked."""

    post = models.ForeignKey("people.Post", on_delete=models.CASCADE, related_name="+")
    group = models.CharField(max_length=40, blank=True)  # empty: every audience

    class Meta:
        """A post is named once for a group."""

        constraints = [models.UniqueConstraint(fields=["post", "group"], name="authority_once")]

    @override
    def __str__(self) -> str:
        """Return the post and the group."""
        return f"post {self.post_id} over {self.group or 'everybody'}"


class UrgentPost(models.Model):
    """A post that may call a case urgent."""

    post = models.OneToOneField("people.Post", on_delete=models.CASCADE, related_name="+")

    @override
    def __str__(self) -> str:
        """Return the post."""
        return f"post {self.post_id}"


class Authorisation(models.Model):
    """The consent of one authority to one exact content."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="authorisations")
    post = models.ForeignKey("people.Post", on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        """A post consents to a content once."""

        constraints = [
            models.UniqueConstraint(fields=["request", "post", "digest"], name="consent_once")
        ]

    @override
    def __str__(self) -> str:
        """Return who consented to what."""
        return f"post {self.post_id} to request {self.request_id}"


class FilingSequence(models.Model):
    """The filing book: the last number drawn in a year. Its row lock makes numbers gapless."""

    year = models.PositiveIntegerField(primary_key=True)
    last = models.PositiveIntegerField(default=0)

    @override
    def __str__(self) -> str:
        """Return the year and its last number."""
        return f"{self.year}: {self.last}"


class Correspondence(models.Model):
    """One letter of a case, in or out; the raw mail of an incoming one is a blob."""

    class Direction(models.TextChoices):
        """Seen from the house."""

        IN = "in", "in"
        OUT = "out", "out"

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="correspondence")
    direction = models.CharField(max_length=3, choices=Direction.choices)
    at = models.DateTimeField()
    letter = models.CharField(
        max_length=60, blank=True
    )  # mailing.letters.Letter of an outgoing one
    mailing_id = models.BigIntegerField(null=True)
    raw_digest = models.CharField(max_length=64, blank=True)
    message_id = models.TextField(blank=True)
    address = models.CharField(max_length=320, blank=True)  # the other side
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    subject = models.TextField(blank=True)
    text = models.TextField(blank=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        """The same raw mail is filed once on a case."""

        constraints = [
            models.UniqueConstraint(
                fields=["request", "raw_digest"],
                condition=~Q(raw_digest=""),
                name="raw_mail_once_per_case",
            )
        ]
        indexes = [
            models.Index(fields=["request", "at"], name="correspondence_by_case"),
            models.Index(
                fields=["request"],
                condition=Q(direction="in", read_at__isnull=True),
                name="correspondence_unread",
            ),
            models.Index(
                fields=["message_id"], condition=~Q(message_id=""), name="correspondence_by_id"
            ),
        ]

    @override
    def __str__(self) -> str:
        """Return the direction and the case."""
        return f"{self.direction} request {self.request_id}"


class Attachment(models.Model):
    """A supporting document put on a case: the paper of a request, the proof of an external sending."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="attachments")
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    digest = models.CharField(max_length=64)
    octets = models.PositiveBigIntegerField()
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    added_at = models.DateTimeField()

    class Meta:
        """A document is put on a case once."""

        constraints = [
            models.UniqueConstraint(fields=["request", "digest"], name="document_once_per_case")
        ]

    @override
    def __str__(self) -> str:
        """Return its name."""
        return self.name
