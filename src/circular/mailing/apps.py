"""Tells Django that the composing room exists."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from typing_extensions import override


class MailingConfig(AppConfig):
    """The composing room."""

    name = "circular.mailing"
    label = "mailing"
    verbose_name = _("Envíos")
    default_auto_field = "django.db.models.BigAutoField"

    @override
    def ready(self) -> None:
        """Lend the room of people our letters, and the archive our part of every case."""
        from circular.mailing import exports
        from circular.mailing.services import post_house_letter
        from circular.people.postman import register_postman

        register_postman(post_house_letter)
        exports.register()
