"""Tells Django that the ledger exists."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OutcomesConfig(AppConfig):
    """The ledger."""

    name = "circular.outcomes"
    label = "outcomes"
    verbose_name = _("Resultados")
    default_auto_field = "django.db.models.BigAutoField"
