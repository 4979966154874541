"""How Django knows this room, and what it tells the room of people."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from typing_extensions import override


class DirectoryConfig(AppConfig):
    name = "circular.directory"
    label = "directory"
    verbose_name = _("Directorio")

    @override
    def ready(self) -> None:
        from circular.directory.queries import known_account
        from circular.people.accounts import register_lookup

        register_lookup(known_account)
