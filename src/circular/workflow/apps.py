"""Registers the desk and what it puts into an exported case file."""

from django.apps import AppConfig
from typing_extensions import override


class WorkflowConfig(AppConfig):
    """The room `workflow`."""

    name = "circular.workflow"
    label = "workflow"

    @override
    def ready(self) -> None:
        """Register what the archive should export of every case."""
        from circular.workflow import exports

        exports.register()
