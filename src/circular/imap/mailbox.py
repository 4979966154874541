"""Reads a mailbox over IMAP and changes nothing in it; the only import of IMAPClient.

Rule 1: folders are opened read-only and bodies are fetched with PEEK: a witness mailbox looks the
        same after we looked.
Rule 2: every way a server can misbehave ends in a MailboxError with a stable code; a message is
        only what the server handed over, never a sign of trust.
Rule 3: sizes and times have limits: OCTETS_LIMIT per message (the rest is cut and marked),
        `timeout` for each reply and WHOLE_VISIT for all of it.

When it fails: MailboxError; the caller tries again later. "Not found" is an empty tuple, no error.
Known gaps: certificates are checked against the system's store (or SSL_CERT_FILE); there is no way
        to switch that off. Until the greeting is read, only `timeout` limits a server that drips.
Sources: RFC 3501 §6.4.4 (SEARCH HEADER), §6.4.5 (FETCH, partial), RFC 8314 §3.
"""

from __future__ import annotations

import imaplib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError, ProtocolError

# 30 MB of attachments (what we accept) grow by 37% in base64 with its line ends.
OCTETS_LIMIT = 48 * 1024 * 1024
MESSAGES_LIMIT = 50  # per visit: a round fetches a few and comes again
REPLY_TIMEOUT = 15.0  # seconds; a campus server answers in well under one
WHOLE_VISIT = 120.0  # seconds: a server that drips one octet at a time must not hold a worker
HEADER_PREFIX = 64 * 1024  # octets of headers looked at to compare a Message-ID


class Security(StrEnum):
    """How the connection is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxAccount:
    """Where a mailbox is and how to open it."""

    host: str
    port: int
    security: Security
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    timeout: float = REPLY_TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One message as the server handed it over."""

    uid: int
    raw: bytes
    octets: int  # what the server says the size is
    received_at: datetime | None

    @property
    def cut(self) -> bool:
        """Whether the message was longer than what we read."""
        return len(self.raw) < self.octets


class MailboxError(Exception):
    """The mailbox could not be read; `code` says in which way."""

    code = "mailbox"


class UnreachableError(MailboxError):
    """Nobody answers at that address, or not in time."""

    code = "mailbox_unreachable"


class EncryptionError(MailboxError):
    """TLS failed: a certificate that does not match, or a server without it."""

    code = "mailbox_encryption"


class AccessError(MailboxError):
    """The server refuses the user name or password."""

    code = "mailbox_access"


class FolderError(MailboxError):
    """There is no such folder, or it cannot be opened."""

    code = "mailbox_folder"


class GarbledError(MailboxError):
    """The server does not speak IMAP as it should."""

    code = "mailbox_garbled"


class Mailbox(Protocol):
    """What a caller may ask of an open mailbox; the test double has the same two questions."""

    def messages_with_id(self, message_id: str) -> tuple[Fetched, ...]:
        """Give the messages that bear this Message-ID (with angle brackets), oldest first."""

    def messages_after(self, uid: int, *, limit: int = MESSAGES_LIMIT) -> tuple[Fetched, ...]:
        """Give up to `limit` messages with a higher UID, lowest first."""


# What imaplib and IMAPClient let through when a server talks nonsense.
NONSENSE = (
    imaplib.IMAP4.error,
    IMAPClientError,
    ProtocolError,
    EOFError,
    ValueError,  # includes UnicodeDecodeError
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    RecursionError,
)


@contextmanager
def open_mailbox(account: MailboxAccount) -> Iterator[Mailbox]:
    """Open a folder read-only for one visit.

    Units:   at most WHOLE_VISIT seconds; then the connection is cut and the next question fails
    Raises:  MailboxError
    """
    client = _connect(account)
    watchdog = threading.Timer(WHOLE_VISIT, _cut, [client])
    watchdog.daemon = True
    watchdog.start()
    try:
        _sign_in(client, account)
        _open_folder(client, account.folder)
        yield _ImapMailbox(client)
    finally:
        watchdog.cancel()
        # Whatever the server makes of LOGOUT, the visit is over.
        with suppress(OSError, *NONSENSE):
            client.logout()
        with suppress(OSError, *NONSENSE):
            client.shutdown()


def _cut(client: Any) -> None:  # Any: IMAPClient carries no types
    with suppress(OSError, *NONSENSE):
        client.socket().shutdown(socket.SHUT_RDWR)


def _connect(account: MailboxAccount) -> Any:
    try:
        client = IMAPClient(
            account.host,
            account.port,
            ssl=account.security is Security.TLS,
            ssl_context=ssl.create_default_context(),
            timeout=account.timeout,
        )
    except ssl.SSLError as failure:
        raise EncryptionError(failure.reason or "TLS") from failure
    except OSError as failure:
        raise UnreachableError(type(failure).__name__) from failure
    except NONSENSE as failure:
        raise GarbledError(type(failure).__name__) from failure
    if account.security is Security.STARTTLS:
        try:
            client.starttls(ssl.create_default_context())
        except (OSError, *NONSENSE) as failure:
            _cut(client)
            with suppress(OSError, *NONSENSE):
                client.shutdown()
            raise EncryptionError(type(failure).__name__) from failure
    return client


def _sign_in(client: Any, account: MailboxAccount) -> None:
    try:
        client.login(account.username, account.password)
    except LoginError as failure:
        # IMAPClient 4.1 calls everything a LoginError, a lost connection too.
        cause = failure.__context__
        if isinstance(cause, OSError):
            raise UnreachableError(type(cause).__name__) from failure
        if isinstance(cause, imaplib.IMAP4.abort):
            raise GarbledError(type(cause).__name__) from failure
        raise AccessError("LOGIN refused") from failure
    except OSError as failure:
        raise UnreachableError(type(failure).__name__) from failure
    except NONSENSE as failure:
        raise GarbledError(type(failure).__name__) from failure


def _open_folder(client: Any, folder: str) -> None:
    try:
        client.select_folder(folder, readonly=True)
    except imaplib.IMAP4.abort as failure:
        raise GarbledError(type(failure).__name__) from failure
    except imaplib.IMAP4.error as failure:
        raise FolderError(folder) from failure
    except OSError as failure:
        raise UnreachableError(type(failure).__name__) from failure
    except NONSENSE as failure:
        raise GarbledError(type(failure).__name__) from failure


class _ImapMailbox:
    """An open folder."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def messages_with_id(self, message_id: str) -> tuple[Fetched, ...]:
        """Give the messages that bear exactly this Message-ID."""
        uids = self._search(["HEADER", "Message-ID", message_id])
        # SEARCH HEADER means "contains" (RFC 3501 §6.4.4), and some servers fold case.
        return tuple(
            found for found in self._fetch(uids[:MESSAGES_LIMIT]) if bears_id(found.raw, message_id)
        )

    def messages_after(self, uid: int, *, limit: int = MESSAGES_LIMIT) -> tuple[Fetched, ...]:
        """Give up to `limit` messages with a higher UID."""
        # "n:*" always holds the last message, even when its UID is lower (RFC 3501 §6.4.8).
        uids = [found for found in self._search(["UID", f"{uid + 1}:*"]) if found > uid]
        return self._fetch(uids[: min(limit, MESSAGES_LIMIT)])

    def _search(self, criteria: Sequence[str]) -> list[int]:
        with _typed():
            return sorted(int(uid) for uid in self._client.search(list(criteria)))

    def _fetch(self, uids: Sequence[int]) -> tuple[Fetched, ...]:
        return tuple(found for uid in uids if (found := self._fetch_one(uid)) is not None)

    def _fetch_one(self, uid: int) -> Fetched | None:
        with _typed():
            part = f"BODY.PEEK[]<0.{OCTETS_LIMIT}>"
            answer = self._client.fetch([uid], [part, "RFC822.SIZE", "INTERNALDATE"]).get(uid)
            if answer is None:
                return None  # expunged between SEARCH and FETCH
            raw = answer[b"BODY[]<0>"]
            octets = int(answer[b"RFC822.SIZE"])
            if not isinstance(raw, bytes):
                raise TypeError("a body that is no octets")
            return Fetched(
                uid=uid, raw=raw, octets=octets, received_at=_aware(answer.get(b"INTERNALDATE"))
            )


@contextmanager
def _typed() -> Iterator[None]:
    """Turn what a bad server provokes into a MailboxError."""
    try:
        yield
    except OSError as failure:
        raise UnreachableError(type(failure).__name__) from failure
    except NONSENSE as failure:
        raise GarbledError(type(failure).__name__) from failure


def _aware(at: object) -> datetime | None:
    if not isinstance(at, datetime):
        return None
    # IMAPClient gives local naive time unless told otherwise.
    return at.astimezone(UTC)


def bears_id(raw: bytes, message_id: str) -> bool:
    """Say whether a message's own header holds exactly this Message-ID."""
    header, _, _ = raw[:HEADER_PREFIX].replace(b"\r\n", b"\n").partition(b"\n\n")
    unfolded = header.replace(b"\n ", b" ").replace(b"\n\t", b" ")
    wanted = message_id.strip().encode("ascii", "replace")
    for line in unfolded.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() == b"message-id" and value.strip() == wanted:
            return True
    return False
