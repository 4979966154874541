"""How Django knows this room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DirectoryConfig(AppConfig):
    name = "circular.directory"
    label = "directory"
    verbose_name = _("Directorio")
