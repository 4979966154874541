"""Rows of the post office: where mail is handed over, who hands it over, and what is out on loan.

A relay's row holds what an office may change; its rest (a back-off after trouble) is written by the
workers and shared by all of them through this row. A lease is the loan of a batch of recipients to
one worker: `mailing.Recipient.lease` is its number. The lease, and only the lease, is a permission to
offer; a worker that vanished leaves its leases open, and `services.recover_leases` closes them.
"""

from uuid import uuid4

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from typing_extensions import override


class Security(models.TextChoices):
    """How a session with a relay is protected."""

    NONE = "none", _("Sin cifrado")
    STARTTLS = "starttls", _("STARTTLS (obligatorio)")
    TLS = "tls", _("TLS desde el inicio")


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
    active = models.BooleanField(_("activo"), default=True)

    # Written by the workers: trouble that is the relay's, never a recipient's (trouble.py).
    resting_until = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    trouble = models.CharField(max_length=40, blank=True, default="", editable=False)
    trouble_detail = models.CharField(max_length=500, blank=True, default="", editable=False)
    trouble_at = models.DateTimeField(null=True, editable=False)
    # The last test or session that reached the end of the greeting and sign-in.
    worked_at = models.DateTimeField(null=True, editable=False)

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
        ]

    @override
    def __str__(self) -> str:
        """Name what the office calls it."""
        return self.name


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
    """A batch of recipients of one mailing on loan to one worker."""

    mailing = models.ForeignKey("mailing.Mailing", on_delete=models.CASCADE, related_name="+")
    relay = models.ForeignKey(Relay, on_delete=models.SET_NULL, null=True, related_name="+")
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="leases")
    at = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(max_length=10, choices=LeaseState.choices, default=LeaseState.OPEN)
    leased_count = models.PositiveIntegerField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Only open leases are searched for; there are never many."""

        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["worker"],
                condition=models.Q(state=LeaseState.OPEN),
                name="lease_open_by_worker",
            )
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
        ]

    @override
    def __str__(self) -> str:
        """Name the loan."""
        return f"lease {self.pk}"
