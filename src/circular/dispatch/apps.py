"""Registers the post office with Django."""

from django.apps import AppConfig


class DispatchConfig(AppConfig):
    """The room's entry in INSTALLED_APPS."""

    name = "circular.dispatch"
    label = "dispatch"
    default_auto_field = "django.db.models.BigAutoField"
