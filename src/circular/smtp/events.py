"""What a conversation tells its owner: each event is a fact, none asks for a decision here.

The two events of every message are tuples: a frozen dataclass takes three times as long to make.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from circular.smtp.capabilities import Capabilities
from circular.smtp.replies import Reply
from circular.smtp.verdicts import Verdict


class Phase(StrEnum):
    """Where in the conversation something happened; each has a time-out of its own."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"  # the body is being written
    DOT = "dot"  # the final dot is handed over, its reply awaited
    RSET = "rset"
    QUIT = "quit"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Ready:
    """The greeting is over: transactions may begin."""

    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class TlsWanted:
    """Start TLS on the socket now, then call `tls_started()`."""


@dataclass(frozen=True, slots=True)
class BodyWanted:
    """The relay said 354 and waits for a body that is not cleared; `clear()` lets it leave."""

    key: int


class Settled(NamedTuple):
    """One recipient's offer has ended; each recipient of each envelope gets exactly one."""

    key: int  # the envelope's
    recipient: int  # index into the envelope, from 0
    verdict: Verdict
    phase: Phase
    reply: Reply | None  # None when the relay said nothing
    why: str = ""  # a stable code when the reason is not a reply to this very command


class Finished(NamedTuple):
    """Everybody in this envelope is settled and the next one may follow on this session."""

    key: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The session is of no further use; close the socket."""

    why: str
    phase: Phase
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """We said goodbye and the relay agreed, or the relay left when nothing was open."""


Event = Ready | TlsWanted | BodyWanted | Settled | Finished | Lost | Closed
