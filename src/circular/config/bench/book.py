"""The sink's own book: one line for each recipient of each message taken, written before the 250.

It judges a sender, so it says what came, not what was meant: envelope recipient, Message-ID, and a
digest of the octets. `durable` puts it on disk before anybody is told; then connections that took
something in the same moment share one fsync.
"""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Book:
    """A file that only grows."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self.durable = durable
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._lines: list[bytes] = []

    def take(self, sender: str, recipients: Sequence[str], raw: bytes) -> None:
        """Note a message; `write` puts it into the file."""
        found = _MESSAGE_ID.search(raw.partition(b"\r\n\r\n")[0])
        facts = {
            "from": sender,
            "message_id": found[1].decode("utf-8", "replace") if found else "",
            "digest": hashlib.sha256(raw).hexdigest(),
        }
        for recipient in recipients:
            self._lines.append(json.dumps({"rcpt": recipient, **facts}).encode() + b"\n")

    def write(self) -> None:
        """Put what was taken into the file, and onto the disk where that is wanted."""
        lines, self._lines = b"".join(self._lines), []
        while lines:
            lines = lines[os.write(self._file, lines) :]
        if self.durable:
            os.fdatasync(self._file)

    def close(self) -> None:
        """Write the rest and end."""
        self.write()
        os.close(self._file)
