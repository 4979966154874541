"""How Django knows this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IntakeConfig(AppConfig):
    name = "circular.intake"
    label = "intake"
    verbose_name = _("Ventanilla")
