"""The accounts of the institution as its last import left them, and the imports themselves."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from typing_extensions import override


class Import(models.Model):
    """One reading of the whole list: when, by whom, from what, and what it changed."""

    at = models.DateTimeField()
    by = models.ForeignKey("people.Person", on_delete=models.PROTECT, null=True, related_name="+")
    digest = models.CharField(max_length=64)
    counts = models.JSONField()
    # What audiences can choose from, with active accounts of each, so that no page counts rows.
    choices = models.JSONField(default=dict)
    source_name = models.CharField(max_length=255)

    class Meta:
        verbose_name = _("importación")
        verbose_name_plural = _("importaciones")
        indexes = [models.Index(fields=["-at"], name="directory_import_latest")]

    @override
    def __str__(self) -> str:
        return f"{self.source_name} {self.at:%Y-%m-%d %H:%M}"


class Account(models.Model):
    """One institutional mailbox and what is known of its owner; absent ones stay, inactive."""

    address = models.CharField(max_length=320, unique=True)
    external_id = models.CharField(max_length=100, blank=True)
    given_name = models.CharField(max_length=200, blank=True)
    family_name = models.CharField(max_length=200, blank=True)
    preferred_name = models.CharField(max_length=200, blank=True)
    groups = ArrayField(models.CharField(max_length=40), default=list)
    unit = models.CharField(max_length=200, blank=True)
    faculty = models.CharField(max_length=200, blank=True)
    programme = models.CharField(max_length=200, blank=True)
    campus = models.CharField(max_length=200, blank=True)
    active = models.BooleanField(default=True)
    sought = models.TextField()  # address and names, casefolded and without accents
    # The import that last wrote this row: an unchanged row is not rewritten. Not indexed, so that
    # a change of other columns stays cheap.
    changed_in = models.ForeignKey(
        Import, on_delete=models.PROTECT, related_name="accounts", db_index=False
    )

    class Meta:
        verbose_name = _("cuenta")
        verbose_name_plural = _("cuentas")
        indexes = [
            GinIndex(fields=["groups"], name="directory_account_groups"),
            GinIndex(SearchVector("sought", config="simple"), name="directory_account_sought"),
            models.Index(
                fields=["faculty"], condition=Q(active=True), name="directory_account_fac"
            ),
            models.Index(
                fields=["programme"], condition=Q(active=True), name="directory_account_prog"
            ),
            models.Index(fields=["campus"], condition=Q(active=True), name="directory_account_cam"),
            models.Index(fields=["unit"], condition=Q(active=True), name="directory_account_unit"),
        ]

    @override
    def __str__(self) -> str:
        return self.address


class Upload(models.Model):
    """A file between its preview and the decision of the person who brought it; deleted after."""

    name = models.CharField(max_length=255)
    content = models.BinaryField()
    by = models.ForeignKey("people.Person", on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("archivo por confirmar")
        verbose_name_plural = _("archivos por confirmar")

    @override
    def __str__(self) -> str:
        return self.name
