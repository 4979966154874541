"""The sample university's mailboxes, on disk before anybody is told that a message was taken.

Shapes:  one SQLite file; a message is one row per mailbox it was delivered to.
When it fails:  a full disk raises `sqlite3.OperationalError`, and the server answers 452.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    uid INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox TEXT NOT NULL,
    arrived_at TEXT NOT NULL,
    envelope_from TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    subject TEXT NOT NULL,
    raw BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS message_by_mailbox ON message (mailbox, uid);
CREATE INDEX IF NOT EXISTS message_by_id ON message (message_id);
CREATE TABLE IF NOT EXISTS outgoing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    envelope_from TEXT NOT NULL,
    envelope_to TEXT NOT NULL,
    raw BLOB NOT NULL,
    not_before REAL NOT NULL
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One message in one mailbox, without its octets."""

    uid: int
    mailbox: str
    arrived_at: str
    message_id: str
    sender: str
    subject: str
    octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message on its way to another server."""

    id: int
    envelope_from: str
    envelope_to: str
    raw: bytes


class MailStore:
    """Every mailbox of the sample university, in one durable file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._mine = threading.local()
        with self._connection() as connection:
            connection.executescript(SCHEMA)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Give this thread's connection; FULL means that a commit is on disk when it returns."""
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = sqlite3.connect(self._file, timeout=30)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        with connection:
            yield connection

    def deliver(
        self,
        mailboxes: Sequence[str],
        *,
        at: str,
        envelope_from: str,
        headers: tuple[str, str, str],
        raw: bytes,
    ) -> None:
        """Put one message into every mailbox named; headers are Message-ID, From and Subject."""
        with self._connection() as connection:
            connection.executemany(
                "INSERT INTO message (mailbox, arrived_at, envelope_from, message_id, sender, subject, raw)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(mailbox, at, envelope_from, *headers, raw) for mailbox in mailboxes],
            )

    def queue(self, *, envelope_from: str, envelope_to: str, raw: bytes, not_before: float) -> None:
        """Keep a message for another server until that server took it."""
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO outgoing (envelope_from, envelope_to, raw, not_before) VALUES (?, ?, ?, ?)",
                (envelope_from, envelope_to, raw, not_before),
            )

    def due(self, now: float) -> list[Outgoing]:
        """Return what may be offered now, oldest first, at most fifty."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, envelope_from, envelope_to, raw FROM outgoing"
                " WHERE not_before <= ? ORDER BY id LIMIT 50",
                (now,),
            ).fetchall()
        return [Outgoing(id=i, envelope_from=f, envelope_to=t, raw=raw) for i, f, t, raw in rows]

    def forward_done(self, outgoing_id: int) -> None:
        """Forget a message that the other server took."""
        with self._connection() as connection:
            connection.execute("DELETE FROM outgoing WHERE id = ?", (outgoing_id,))

    def put_off(self, outgoing_id: int, not_before: float) -> None:
        """Try a message again later."""
        with self._connection() as connection:
            connection.execute(
                "UPDATE outgoing SET not_before = ? WHERE id = ?", (not_before, outgoing_id)
            )

    def mailboxes(self, containing: str = "", limit: int = 50) -> list[tuple[str, int]]:
        """Return mailboxes whose address contains the text, with their number of messages."""
        with self._connection() as connection:
            return connection.execute(
                "SELECT mailbox, count(*) FROM message WHERE instr(mailbox, ?) > 0"
                " GROUP BY mailbox ORDER BY max(uid) DESC LIMIT ?",
                (containing.lower(), limit),
            ).fetchall()

    def messages(self, mailbox: str, limit: int = 200) -> list[Delivered]:
        """Return the messages of one mailbox, newest first."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT uid, mailbox, arrived_at, message_id, sender, subject, length(raw) FROM message"
                " WHERE mailbox = ? ORDER BY uid DESC LIMIT ?",
                (mailbox, limit),
            ).fetchall()
        return [
            Delivered(
                uid=uid,
                mailbox=box,
                arrived_at=at,
                message_id=message_id,
                sender=sender,
                subject=subject,
                octets=octets,
            )
            for uid, box, at, message_id, sender, subject, octets in rows
        ]

    def raw(self, mailbox: str, uid: int) -> bytes | None:
        """Return the octets of one message as they arrived, or None when there is none."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT raw FROM message WHERE mailbox = ? AND uid = ?", (mailbox, uid)
            ).fetchone()
        return row[0] if row else None

    def uids(self, mailbox: str, message_id: str | None = None) -> list[int]:
        """Return the uids of one mailbox in order, all or those of one Message-ID."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT uid FROM message WHERE mailbox = ? AND (? IS NULL OR message_id = ?) ORDER BY uid",
                (mailbox, message_id, message_id),
            ).fetchall()
        return [uid for (uid,) in rows]
