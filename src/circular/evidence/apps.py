"""Registers the archive with Django."""

from django.apps import AppConfig


class EvidenceConfig(AppConfig):
    """The archive knows nobody; other rooms register what they want exported."""

    name = "circular.evidence"
    label = "evidence"
    default_auto_field = "django.db.models.BigAutoField"
