"""What the archive raises when something exceptional happens."""

from __future__ import annotations

from collections.abc import Mapping


class EvidenceError(Exception):
    """Base of the archive's exceptions: a stable code and plain facts, translated at the edge."""

    code = "evidence"

    def __init__(self, **facts: str | int) -> None:
        """Keep the facts; the message is for logs."""
        super().__init__(f"{self.code} {facts}")
        self.facts: Mapping[str, str | int] = facts


class BlobMissingError(EvidenceError):
    """No blob has this digest (or retention has pruned it)."""

    code = "blob_missing"
