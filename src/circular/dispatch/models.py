"""Rows of the post office: where mail is handed over, who hands it over, and what is out on loan.

A relay's row holds what an office may change; its rest (a back-off after trouble) is written by the
workers and shared by all of them through this row. A lease is the loan of a batch of recipients to
one worker: `mailing.Recipient.lease` is its number. The lease, and only the lease, is a permission to
offer; a worker that vanished leaves its leases open, and `services.recover_leases` closes them. A
quota is what a relay takes within a window; what was used of it stands in `QuotaUse` and in the open
leases (`grants`).
"""

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from typing_extensions import override

from circular.dispatch.quotas import QuotaUnit, Window


class Security(models.TextChoices):
    """How a session with a relay is protected."""

    NONE = "none", _("Sin cifrado")
    STARTTLS = "starttls", _("STARTTLS (obligatorio)")
    TLS = "tls", _("TLS desde el inicio")


class SignInMethod(models.TextChoices):
    """How we say who we are to a relay that asks for it."""

    PASSWORD = "password", _("Usuario y contraseña")  # PLAIN or LOGIN, as the relay offers
    XOAUTH2 = "xoauth2", _("XOAUTH2: la contraseña es un token de acceso")


class Relay(models.Model):
    """A mail server that takes our mail and carries it further."""

    name = models.CharField(_("nombre"), max_length=80, unique=True)
    host = models.CharField(_("servidor"), max_length=253)
    port = models.PositiveIntegerField(
        _("puerto"), default=25, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    security = models.CharField(
        _("seguridad"), max_length=8, choices=Security.choices, default=Security.STARTTLS
    )
    verify = models.BooleanField(_("verificar el certificado"), default=True)
    username = models.CharField(_("usuario"), max_length=254, blank=True, default="")
    # Sealed by mailing.sealed; never shown again on a page.
    password_sealed = models.TextField(blank=True, default="", editable=False)
    max_connections = models.PositiveSmallIntegerField(
        _("conexiones simultáneas por proceso"),
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    # The order in which relays are tried; the next one is used while this one rests.
    rank = models.PositiveSmallIntegerField(_("orden"), default=100)
    # Relays of one rank share the mail by weight.
    weight = models.PositiveSmallIntegerField(
        _("peso"), default=1, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    # Whom it may serve; empty: everybody.
    classes = ArrayField(models.CharField(max_length=12), default=list, blank=True)
    groups = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    # How it is to be treated. RFC 5321 §4.5.3.1.8: every server takes at least 100 recipients.
    recipients_per_message = models.PositiveIntegerField(
        default=100, validators=[MinValueValidator(1), MaxValueValidator(10_000)]
    )
    messages_per_connection = models.PositiveIntegerField(
        default=500, validators=[MinValueValidator(1), MaxValueValidator(1_000_000)]
    )
    max_age = models.PositiveIntegerField(  # seconds; Postfix's smtp_connection_reuse_time_limit
        default=300, validators=[MinValueValidator(5), MaxValueValidator(86_400)]
    )
    # Offers in flight on one connection where the relay takes CHUNKING (RFC 3030).
    depth = models.PositiveSmallIntegerField(
        default=8, validators=[MinValueValidator(1), MaxValueValidator(64)]
    )
    sign_in = models.CharField(
        max_length=8, choices=SignInMethod.choices, default=SignInMethod.PASSWORD
    )
    sign_dkim = models.BooleanField(_("firmar con DKIM"), default=False)
    active = models.BooleanField(_("activo"), default=True)

    # Written by the workers: trouble that is the relay's, never a recipient's (trouble.py).
    resting_until = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    trouble = models.CharField(max_length=40, blank=True, default="", editable=False)
    trouble_detail = models.CharField(max_length=500, blank=True, default="", editable=False)
    trouble_at = models.DateTimeField(null=True, editable=False)
    # The last test or session that reached the end of the greeting and sign-in.
    worked_at = models.DateTimeField(null=True, editable=False)
    # Octets a message may have, as it said then (RFC 1870); null: it named no limit.
    size_limit = models.PositiveBigIntegerField(null=True, editable=False)

    class Meta:
        """Order of use, and what the database itself refuses."""

        ordering = ["rank", "id"]
        verbose_name = _("servidor de salida")
        verbose_name_plural = _("servidores de salida")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(security__in=Security.values), name="relay_security_known"
            ),
            models.CheckConstraint(
                condition=models.Q(port__gte=1, port__lte=65535), name="relay_port_in_range"
            ),
            models.CheckConstraint(
                condition=models.Q(max_connections__gte=1), name="relay_has_a_connection"
            ),
            models.CheckConstraint(
                condition=models.Q(sign_in__in=SignInMethod.values), name="relay_sign_in_known"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    weight__gte=1,
                    recipients_per_message__gte=1,
                    messages_per_connection__gte=1,
                    max_age__gte=1,
                    depth__gte=1,
                ),
                name="relay_can_be_used",
            ),
        ]

    @override
    def __str__(self) -> str:
        """Name what the office calls it."""
        return self.name


class RelayQuota(models.Model):
    """How much a relay takes within a rolling window, as its operator says."""

    relay = models.ForeignKey(Relay, on_delete=models.CASCADE, related_name="quotas")
    window = models.CharField(max_length=12, choices=[(one.value, one.value) for one in Window])
    unit = models.CharField(max_length=10, choices=[(one.value, one.value) for one in QuotaUnit])
    most = models.PositiveBigIntegerField(validators=[MinValueValidator(1)])

    class Meta:
        """One figure for each window and unit."""

        ordering = ["relay", "id"]
        constraints = [
            models.UniqueConstraint(fields=["relay", "window", "unit"], name="relay_quota_once"),
            models.CheckConstraint(
                condition=models.Q(
                    window__in=[one.value for one in Window],
                    unit__in=[one.value for one in QuotaUnit],
                    most__gte=1,
                ),
                name="relay_quota_possible",
            ),
        ]

    @override
    def __str__(self) -> str:
        """Say the quota in one breath."""
        return f"{self.most} {self.unit}/{self.window}"


class QuotaUse(models.Model):
    """What a relay was handed in one slice of a window; slices are summed, never single sends."""

    relay = models.ForeignKey(Relay, on_delete=models.CASCADE, related_name="+")
    window = models.CharField(max_length=12, choices=[(one.value, one.value) for one in Window])
    began_at = models.DateTimeField()
    messages = models.PositiveBigIntegerField(default=0)
    recipients = models.PositiveBigIntegerField(default=0)

    class Meta:
        """One row for each slice; the index of the constraint serves every question."""

        ordering = ["relay", "window", "began_at"]
        constraints = [
            models.UniqueConstraint(fields=["relay", "window", "began_at"], name="quota_use_once"),
            models.CheckConstraint(
                condition=models.Q(window__in=[one.value for one in Window]),
                name="quota_use_window_known",
            ),
        ]

    @override
    def __str__(self) -> str:
        """Name the slice."""
        return f"{self.relay_id} {self.window} {self.began_at}"


class SendingRules(models.Model):
    """When a circular stops by itself and asks a person; one row for the house."""

    refused_percent = models.PositiveSmallIntegerField(
        default=20, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    refused_least = models.PositiveIntegerField(
        default=25, validators=[MinValueValidator(1), MaxValueValidator(100_000)]
    )

    class Meta:
        """There is one."""

        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="sending_rules_are_one"),
            models.CheckConstraint(
                condition=models.Q(
                    refused_percent__gte=1, refused_percent__lte=100, refused_least__gte=1
                ),
                name="sending_rules_possible",
            ),
        ]

    @override
    def __str__(self) -> str:
        """Say the rule."""
        return f"{self.refused_percent} % of at least {self.refused_least}"


class Worker(models.Model):
    """One running sender process; alive while it holds the advisory lock of its number."""

    # Names its journal on its machine; a number could mean another database's worker there.
    key = models.UUIDField(default=uuid4, unique=True)
    host = models.CharField(max_length=253)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=40, blank=True, default="")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Workers that have not ended are the ones that are looked at."""

        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(ended_at__isnull=True), name="worker_not_ended"
            )
        ]

    @override
    def __str__(self) -> str:
        """Name the process."""
        return f"{self.host}:{self.pid}"


class LeaseState(models.TextChoices):
    """What became of a loan."""

    OPEN = "open", _("abierto")
    SETTLED = "settled", _("devuelto")
    RECOVERED = "recovered", _("recuperado")


class Lease(models.Model):
    """A batch of recipients of one mailing on loan to one worker.

    With `first` and `last` it lends the first offer to everybody between them who has none yet;
    without, those rows that carry its number.
    """

    mailing = models.ForeignKey("mailing.Mailing", on_delete=models.CASCADE, related_name="+")
    relay = models.ForeignKey(Relay, on_delete=models.SET_NULL, null=True, related_name="+")
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="leases")
    at = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(max_length=10, choices=LeaseState.choices, default=LeaseState.OPEN)
    leased_count = models.PositiveIntegerField()
    first = models.BigIntegerField(default=0)
    last = models.BigIntegerField(default=0)
    # What this loan may still use of its relay's quotas; it counts as used while the loan is open.
    messages_out = models.PositiveIntegerField(default=0)
    recipients_out = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Only open leases are searched for; there are never many."""

        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["worker"],
                condition=models.Q(state=LeaseState.OPEN),
                name="lease_open_by_worker",
            ),
            models.Index(
                fields=["relay"],
                condition=models.Q(state=LeaseState.OPEN),
                name="lease_open_by_relay",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=LeaseState.values), name="lease_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state=LeaseState.OPEN, ended_at__isnull=True)
                | (~models.Q(state=LeaseState.OPEN) & models.Q(ended_at__isnull=False)),
                name="lease_ends_when_it_is_closed",
            ),
            models.CheckConstraint(
                condition=models.Q(first=0, last=0)
                | models.Q(first__gt=0, last__gte=models.F("first")),
                name="lease_range_is_one",
            ),
        ]

    @override
    def __str__(self) -> str:
        """Name the loan."""
        return f"lease {self.pk}"
