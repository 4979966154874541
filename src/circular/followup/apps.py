"""Tells Django that the closing clerk exists."""

from django.apps import AppConfig
from typing_extensions import override


class FollowupConfig(AppConfig):
    """The room `followup`."""

    name = "circular.followup"
    label = "followup"
    default_auto_field = "django.db.models.BigAutoField"

    @override
    def ready(self) -> None:
        """Let the archive export what the clerk found."""
        from circular.followup import exports

        exports.register()
