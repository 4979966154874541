"""Registers the archive with Django."""

from django.apps import AppConfig
from typing_extensions import override


class EvidenceConfig(AppConfig):
    """The archive knows nobody; other rooms register what they want exported."""

    name = "circular.evidence"
    label = "evidence"
    default_auto_field = "django.db.models.BigAutoField"

    @override
    def ready(self) -> None:
        """Let a failed job end as an entry on the house."""
        from circular import jobs
        from circular.evidence.services import record_failed_job

        jobs.record_failures_with(record_failed_job)
