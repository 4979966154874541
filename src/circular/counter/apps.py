"""Django's view of the counter: an application without models."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CounterConfig(AppConfig):
    """Pages, and nothing that is stored."""

    name = "circular.counter"
    label = "counter"
    verbose_name = _("Ventanilla")
