"""Tells Django that the ledger exists."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from typing_extensions import override


class OutcomesConfig(AppConfig):
    """The ledger."""

    name = "circular.outcomes"
    label = "outcomes"
    verbose_name = _("Resultados")
    default_auto_field = "django.db.models.BigAutoField"

    @override
    def ready(self) -> None:
        """Register what the archive exports of every case: every fact."""
        from circular.outcomes import exports

        exports.register()
