"""Tells Django that the composing room exists."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MailingConfig(AppConfig):
    """The composing room."""

    name = "circular.mailing"
    label = "mailing"
    verbose_name = _("Envíos")
    default_auto_field = "django.db.models.BigAutoField"
