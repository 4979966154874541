"""A mailbox that is a folder of .eml files: the double of an IMAP server, with the same questions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from circular.imap.mailbox import MESSAGES_LIMIT, Fetched, bears_id


@dataclass(frozen=True, slots=True)
class FolderMailbox:
    """Reads `*.eml` in name order; the first file has UID 1."""

    folder: Path

    def messages_with_id(self, message_id: str) -> tuple[Fetched, ...]:
        """Give the messages that bear this Message-ID."""
        return tuple(found for found in self._all() if bears_id(found.raw, message_id))

    def messages_after(self, uid: int, *, limit: int = MESSAGES_LIMIT) -> tuple[Fetched, ...]:
        """Give up to `limit` messages with a higher UID."""
        return tuple(found for found in self._all() if found.uid > uid)[:limit]

    def _all(self) -> list[Fetched]:
        return [
            Fetched(
                uid=uid,
                raw=(raw := path.read_bytes()),
                octets=len(raw),
                received_at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
            )
            for uid, path in enumerate(sorted(self.folder.glob("*.eml")), start=1)
        ]
