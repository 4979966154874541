"""Tells Django that the closing clerk exists."""

from django.apps import AppConfig


class FollowupConfig(AppConfig):
    """The room `followup`."""

    name = "circular.followup"
    label = "followup"
    default_auto_field = "django.db.models.BigAutoField"
