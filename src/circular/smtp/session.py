"""The only socket of the SMTP client: moves octets between a relay and a `Conversation`.

Reading never waits for writing: the transport buffers what the relay does not take, and the next
piece of a body is taken only when that buffer has room, so unread replies cannot fill a window
(RFC 2920 §3.1) and a refusal stops a body that is still being written.

Time-outs run per phase, from the last whole reply or the last piece written; a relay that sends
one octet now and then makes no progress. RFC 5321 §4.5.3.2 gives the ceilings.

When it fails: `open_session` raises `SessionFailedError`; afterwards everything is an event.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from typing_extensions import override

from circular.smtp.capabilities import Capabilities
from circular.smtp.events import Event, Lost, Phase, Ready, TlsWanted
from circular.smtp.protocol import CHUNK_OCTETS, Conversation, Encryption, Envelope, Manners
from circular.smtp.replies import Reply

# Seconds. RFC 5321 §4.5.3.2 names minutes of patience as the least a client should have for a busy
# server across the world; a relay is near, so only the answer to the dot keeps the RFC's figure:
# giving up there leaves doubt.
DEFAULT_SECONDS: Mapping[Phase, float] = MappingProxyType(
    {
        Phase.CONNECT: 30,
        Phase.GREETING: 45,  # a stuck relay shows within a minute
        Phase.EHLO: 45,
        Phase.TLS: 60,
        Phase.AUTH: 60,
        Phase.MAIL: 120,
        Phase.RCPT: 120,
        Phase.DATA: 120,
        Phase.BODY: 180,  # §4.5.3.2.5: three minutes for each block
        Phase.DOT: 600,  # §4.5.3.2.6: ten minutes
        Phase.RSET: 60,
        Phase.QUIT: 5,
        Phase.IDLE: 600,
    }
)
# A half-open connection is noticed within a minute (research/reliability.md §6, scenario 12).
KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT = 30, 10, 3
USER_TIMEOUT_MS = 60_000


class SessionFailedError(Exception):
    """No session came about; `why` is a stable code, `detail` is for a person."""

    def __init__(self, why: str, phase: Phase, *, detail: str = "", reply: Reply | None = None):
        super().__init__(why)
        self.why, self.phase, self.detail, self.reply = why, phase, detail, reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a relay listens and how it proves who it is."""

    host: str
    port: int
    verify: bool = True
    cafile: str | None = None  # in addition to the system's; for relays with a private authority


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds of patience in each phase."""

    seconds: Mapping[Phase, float] = field(default_factory=lambda: DEFAULT_SECONDS)

    def of(self, phase: Phase) -> float:
        """Give the patience for one phase."""
        return self.seconds.get(phase, DEFAULT_SECONDS[phase])

    @classmethod
    def at_most(cls, ceiling: float) -> "Timeouts":
        """Give the defaults, none of them longer than this."""
        return cls({phase: min(wait, ceiling) for phase, wait in DEFAULT_SECONDS.items()})


def _tls_context(place: Place) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None)
    if place.cafile:
        context.load_verify_locations(place.cafile)
    if not place.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Wire(asyncio.Protocol):
    """The transport's side: hands octets to the conversation and wakes the session."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.events: list[Event] = []
        self.wake = asyncio.Event()
        self.transport: asyncio.Transport | None = None
        self.broken: Exception | None = None
        self._full = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=CHUNK_OCTETS)

    @override
    def data_received(self, data: bytes) -> None:
        self.note(self.conversation.receive(data))
        self.flush()

    @override
    def eof_received(self) -> None:
        self.note(self.conversation.receive(b""))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.broken = exc
        self.note(self.conversation.receive(b""))
        self.wake.set()

    @override
    def pause_writing(self) -> None:
        self._full = True

    @override
    def resume_writing(self) -> None:
        self._full = False
        self.flush()
        self.wake.set()  # a piece left: the patience for the next one starts now

    def note(self, events: list[Event]) -> None:
        if events:
            self.events += events
            self.wake.set()

    def flush(self) -> None:
        transport = self.transport
        while transport is not None and not self._full and not transport.is_closing():
            octets = self.conversation.take_outgoing()
            if not octets:
                return
            transport.write(octets)


class Session:
    """One connection to a relay that is past the greeting; made by `open_session`."""

    def __init__(self, wire: _Wire, timeouts: Timeouts) -> None:
        self._wire = wire
        self._timeouts = timeouts

    @property
    def capabilities(self) -> Capabilities:
        """What the relay announced, under TLS where TLS was asked for."""
        return self._wire.conversation.capabilities

    @property
    def is_ready(self) -> bool:
        """Whether an envelope may begin."""
        return self._wire.conversation.is_ready

    @property
    def has_events(self) -> bool:
        """Whether `events()` would answer at once."""
        return bool(self._wire.events)

    def is_offering(self, key: int) -> bool:
        """Whether this envelope has begun and is not finished."""
        return self._wire.conversation.is_offering(key)

    def begin(self, envelope: Envelope, *, cleared: bool = False) -> None:
        """Offer an envelope; what becomes of it comes out of `events()`."""
        self._wire.note(self._wire.conversation.begin(envelope, cleared=cleared))
        self._wire.flush()

    def clear(self, key: int) -> None:
        """Allow this envelope's body to leave: its offer is on record."""
        self._wire.conversation.clear(key)
        self._wire.flush()

    def abandon(self, why: str) -> None:
        """End it at once from our side; everybody open is settled in `events()`."""
        self._wire.note(self._wire.conversation.abandon(why))
        self.abort()

    def left_over(self) -> list[Event]:
        """Give the events that nobody has taken yet, without waiting."""
        events, self._wire.events = self._wire.events, []
        return events

    async def events(self) -> list[Event]:
        """Wait for the next events; a phase that takes too long ends the session, as an event.

        Shapes:  in the order in which they happened; empty only when the session is over
        """
        wire = self._wire
        while not wire.events:
            if wire.conversation.is_over:
                return []
            wire.flush()
            await self._wait()
        if wire.conversation.is_over:
            self.abort()
        return self.left_over()

    async def _wait(self) -> None:
        """Wait until something happens, as long as there is progress in time."""
        wire = self._wire
        phase, progress = wire.conversation.phase, wire.conversation.progress
        try:
            async with asyncio.timeout(self._timeouts.of(phase)):
                while not wire.events and wire.conversation.progress == progress:
                    wire.wake.clear()
                    await wire.wake.wait()
        except TimeoutError:
            wire.note(wire.conversation.abandon(f"timeout_at_{phase}"))

    async def quit(self) -> None:
        """Say goodbye and close; never takes longer than the patience for QUIT."""
        self._wire.conversation.quit()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeouts.of(Phase.QUIT)):
                while not self._wire.conversation.is_over:
                    await self.events()
        self.abort()

    def abort(self) -> None:
        """Close the socket now."""
        if self._wire.transport is not None:
            self._wire.transport.abort()


async def open_session(place: Place, manners: Manners, timeouts: Timeouts | None = None) -> Session:
    """Connect, greet, encrypt and sign in; give a session that is ready for envelopes.

    Raises: SessionFailedError, nothing else
    """
    patience = timeouts or Timeouts()
    wire = await _connect(place, manners, patience)
    session = Session(wire, patience)
    try:
        await _greet(session, wire, place, patience)
    except BaseException:
        session.abort()
        raise
    return session


async def _greet(session: Session, wire: _Wire, place: Place, timeouts: Timeouts) -> None:
    while True:
        for event in await session.events():
            match event:
                case Ready():
                    return
                case TlsWanted():
                    await _start_tls(wire, place, timeouts)
                case Lost():
                    detail = _detail(wire, event.reply)
                    raise SessionFailedError(
                        event.why, event.phase, reply=event.reply, detail=detail
                    )
                case _:  # nothing was begun, so nothing else can have happened
                    raise SessionFailedError("connection_closed", Phase.GREETING)


def _detail(wire: _Wire, reply: Reply | None) -> str:
    if reply is not None:
        return f"{reply.code} {reply.text}"
    return str(wire.broken or "")


async def _connect(place: Place, manners: Manners, timeouts: Timeouts) -> _Wire:
    loop = asyncio.get_running_loop()
    tls = _tls_context(place) if manners.encryption is Encryption.TLS else None
    why, detail = "", ""
    try:
        async with asyncio.timeout(timeouts.of(Phase.CONNECT)):
            transport, wire = await loop.create_connection(
                lambda: _Wire(Conversation(manners)),
                place.host,
                place.port,
                ssl=tls,
                server_hostname=place.host if tls else None,
                happy_eyeballs_delay=0.25,  # RFC 8305 §5: a quarter of a second before IPv4
            )
    except ssl.SSLCertVerificationError as error:
        why, detail = "certificate_refused", error.verify_message
    except ssl.SSLError as error:
        why, detail = "tls_failed", str(error.reason or error)
    except TimeoutError:
        why = "connect_timeout"
    except socket.gaierror as error:
        why, detail = "name_not_found", str(error.strerror)
    except (OSError, UnicodeError) as error:
        why, detail = "cannot_connect", str(error)
    else:
        _keep_alive(transport)
        return wire
    raise SessionFailedError(why, Phase.CONNECT, detail=detail)


async def _start_tls(wire: _Wire, place: Place, timeouts: Timeouts) -> None:
    assert wire.transport is not None
    loop = asyncio.get_running_loop()
    why, detail = "", ""
    try:
        async with asyncio.timeout(timeouts.of(Phase.TLS)):
            transport = await loop.start_tls(
                wire.transport, wire, _tls_context(place), server_hostname=place.host
            )
    except ssl.SSLCertVerificationError as error:
        why, detail = "certificate_refused", error.verify_message
    except TimeoutError:
        why = "timeout_at_tls"
    except OSError as error:  # ssl.SSLError is one
        why, detail = "tls_failed", str(error)
    else:
        if transport is not None:
            wire.connection_made(transport)
            wire.conversation.tls_started()
            return
        why = "tls_failed"
    raise SessionFailedError(why, Phase.TLS, detail=detail)


def _keep_alive(transport: asyncio.BaseTransport) -> None:
    """Let the kernel notice a peer that vanished; each option where the system has it."""
    link = transport.get_extra_info("socket")
    if link is None:
        return
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
        ("TCP_KEEPCNT", KEEPALIVE_COUNT),
        ("TCP_USER_TIMEOUT", USER_TIMEOUT_MS),
    ):
        if hasattr(socket, name):
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
