"""The only socket of the SMTP client: moves octets between a relay and a `Conversation`.

Reading never waits for writing: the transport buffers what the relay does not take, and the next
piece of a body is taken only when that buffer has room, so unread replies cannot fill a window
(RFC 2920 §3.1) and a refusal stops a body that is still being written.

Two ways to use a session. A `Watcher` is called from within the event loop, once for all that one
read brought, and what it begins leaves in one write when it returns: no task, future or timer is made
for a message. Without one, `await session.events()` gives the same events.

The owner's record. `Watcher.handing_over` is called before the write that holds the end of a body,
`Watcher.happened` right after the read that holds its reply; so a journal written in both knows, at
every moment, who was handed over and who was answered.

Time-outs run per phase, from the last whole reply or the last piece written; a relay that sends
one octet now and then makes no progress. RFC 5321 §4.5.3.2 gives the ceilings.

When it fails: `open_session` raises `SessionFailedError`; afterwards everything is an event.
"""

import asyncio
import contextlib
import logging
import math
import os
import socket
import ssl
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

from typing_extensions import override

from circular.smtp.capabilities import Capabilities
from circular.smtp.connecting import connect
from circular.smtp.events import Event, Lost, Phase, Ready, TlsWanted
from circular.smtp.protocol import CHUNK_OCTETS, Conversation, Encryption, Envelope, Manners
from circular.smtp.replies import Reply

logger = logging.getLogger(__name__)

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
READ_OCTETS = 65_536  # of one read: some 500 replies
TICK_SECONDS = 1.0  # how often time-outs are looked at
DISTRUST_SECONDS = 3600  # for which a relay that announced CHUNKING and could not gets DATA
CONTEXT_SECONDS = 600  # for which an authority's certificates are not read again
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

    @property
    def shortest(self) -> float:
        """The least patience there is."""
        return min(self.of(phase) for phase in Phase)

    @classmethod
    def at_most(cls, ceiling: float) -> "Timeouts":
        """Give the defaults, none of them longer than this."""
        return cls({phase: min(wait, ceiling) for phase, wait in DEFAULT_SECONDS.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one connection is used before it is replaced; a load balancer needs that."""

    messages: int = sys.maxsize
    seconds: float = math.inf


class Watcher(Protocol):
    """The owner's side of a session; both are called in the event loop and must not block."""

    def handing_over(self, session: "Session", keys: list[int]) -> None:
        """Record that these envelopes are about to be handed over; the write follows.

        When it raises, nothing of that write leaves: the session ends and those are untried.
        """

    def happened(self, session: "Session", events: list[Event]) -> None:
        """Take the events of one read, in order; may call `begin` while there is `room`."""


class _Wire(asyncio.BufferedProtocol):
    """The transport's side: hands octets to the conversation and wakes or calls the owner."""

    def __init__(self, conversation: Conversation, place: Place) -> None:
        self.conversation = conversation
        self.place = place
        self.events: list[Event] = []
        self.wake = asyncio.Event()  # something happened, for an owner who waits for it
        self.over = asyncio.Event()
        self.transport: asyncio.Transport | None = None
        self.broken: Exception | None = None
        self.watcher: Watcher | None = None
        self.session: Session | None = None
        self._buffer = bytearray(READ_OCTETS)
        self._view = memoryview(self._buffer)
        self._full = False
        self.is_busy = False  # the watcher is being called: what it begins leaves when it returns

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._full = False
        transport.set_write_buffer_limits(high=CHUNK_OCTETS)

    @override
    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        self.note(self.conversation.receive(bytes(self._view[:nbytes])))

    @override
    def eof_received(self) -> None:
        self.note(self.conversation.receive(b""))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.broken = exc
        if exc is not None:
            self._read_the_rest()
        self.note(self.conversation.receive(b""))

    def _read_the_rest(self) -> None:
        """Hear what the relay said before it broke off and the transport did not read any more.

        A write that fails ends the transport, and behind it answers (a 421, or a 250) may lie
        unread: each of them is somebody who is not in doubt. Under TLS they cannot be read.
        """
        transport = self.transport
        if transport is None or transport.get_extra_info("sslcontext") is not None:
            return
        link = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            while not self.conversation.is_over and (data := os.read(link.fileno(), READ_OCTETS)):
                self.note(self.conversation.receive(data))

    @override
    def pause_writing(self) -> None:
        self._full = True

    @override
    def resume_writing(self) -> None:
        self._full = False
        self.flush()

    def note(self, events: list[Event]) -> None:
        """Pass events on to the owner, then write what there is to say."""
        self.events += events
        if self.is_busy:
            return  # begun from within the watcher: the loop below goes on
        watcher, session = self.watcher, self.session
        if watcher is None or session is None:
            if events:
                self.wake.set()
            self._look_whether_over()
        else:
            self.is_busy = True
            try:
                while self.events:
                    happened, self.events = self.events, []
                    watcher.happened(session, happened)
            finally:
                self.is_busy = False
                self._look_whether_over()
        if not self.conversation.is_over:
            self.flush()

    def _look_whether_over(self) -> None:
        if self.conversation.is_over:
            self.over.set()
            if self.conversation.chunking_refused:
                _without_chunking[self.place] = asyncio.get_running_loop().time()
            if self.watcher is not None and self.transport is not None:
                self.transport.abort()

    def flush(self) -> None:
        """Write what may be said, as long as the transport takes it."""
        transport, conversation = self.transport, self.conversation
        while transport is not None and not (self._full or self.is_busy or transport.is_closing()):
            octets = conversation.take_outgoing()
            if not octets:
                return
            keys = conversation.take_handed_over()
            if keys and self.watcher is not None and not self._record(keys):
                return
            transport.write(octets)
            if not conversation.has_more:
                return

    def _record(self, keys: list[int]) -> bool:
        """Let the owner record who is handed over; without a record nothing leaves."""
        assert self.watcher is not None
        assert self.session is not None
        try:
            self.watcher.handing_over(self.session, keys)
        except Exception:
            # One of the three loops that catch everything (style.md §6.3): the end of the session
            # says of each what became of them.
            logger.exception("hand-over not recorded")
            self.note(self.conversation.abandon("not_recorded", unwritten=keys))
            return False
        return True


class Session:
    """One connection to a relay that is past the greeting; made by `open_session`."""

    def __init__(self, wire: _Wire, timeouts: Timeouts, limits: Limits) -> None:
        self._wire = wire
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._moved = self._loop.time()
        self._ends = self._moved + limits.seconds
        self._most = limits.messages
        self._progress = -1
        self._begun = 0
        self._tick_seconds = min(TICK_SECONDS, timeouts.shortest / 4)
        self._ticking = self._loop.call_later(self._tick_seconds, self._tick)

    @property
    def capabilities(self) -> Capabilities:
        """What the relay announced, under TLS where TLS was asked for."""
        return self._wire.conversation.capabilities

    @property
    def is_ready(self) -> bool:
        """Whether an envelope may begin."""
        return self._wire.conversation.is_ready

    @property
    def is_over(self) -> bool:
        """Whether this session has ended."""
        return self._wire.conversation.is_over

    @property
    def is_spent(self) -> bool:
        """Whether it has carried as many messages, or lasted as long, as a connection should."""
        return self._begun >= self._most or self._loop.time() >= self._ends

    @property
    def room(self) -> int:
        """How many envelopes may begin now; 0 when it is full, spent or over."""
        room = self._wire.conversation.room
        if not room or self.is_spent:
            return 0
        return min(room, self._most - self._begun)

    @property
    def offering(self) -> int:
        """How many envelopes have begun and are not finished."""
        return self._wire.conversation.open_offers

    def is_offering(self, key: int) -> bool:
        """Whether this envelope has begun and is not finished."""
        return self._wire.conversation.is_offering(key)

    def heed(self, capabilities: Capabilities) -> None:
        """Carry no more messages than the relay announced for one connection (RFC 9422 §4)."""
        if capabilities.mail_max is not None:
            self._most = min(self._most, capabilities.mail_max)

    def watch(self, watcher: Watcher) -> None:
        """Call this owner from now on; what happened so far comes at once."""
        self._wire.watcher = watcher
        self._wire.session = self
        self._wire.note([])

    def begin(self, envelope: Envelope, *, cleared: bool = False) -> None:
        """Offer an envelope; what becomes of it comes as events."""
        self._begun += 1
        wire = self._wire
        events = wire.conversation.begin(envelope, cleared=cleared)
        if events or not wire.is_busy:
            wire.note(events)

    def begin_all(self, envelopes: Iterable[Envelope]) -> None:
        """Offer several envelopes, cleared, in as few writes as they fit in."""
        begin = self._wire.conversation.begin
        events: list[Event] = []
        for envelope in envelopes:
            self._begun += 1
            events += begin(envelope, cleared=True)
        self._wire.note(events)

    def clear(self, key: int) -> None:
        """Allow this envelope's body to leave: its offer is on record."""
        self._wire.conversation.clear(key)
        self._wire.flush()

    def abandon(self, why: str) -> None:
        """End it at once from our side; everybody open is settled, as events."""
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
            wire.wake.clear()
            await wire.wake.wait()
        if wire.conversation.is_over:
            self.abort()
        return self.left_over()

    def _tick(self) -> None:
        """Look whether there was progress within the patience for what is awaited."""
        conversation = self._wire.conversation
        if conversation.is_over:
            return
        now = self._loop.time()
        if conversation.progress != self._progress:
            self._progress, self._moved = conversation.progress, now
        elif now - self._moved >= self._timeouts.of(conversation.phase):
            self._wire.note(conversation.abandon(f"timeout_at_{conversation.phase}"))
            return
        self._ticking = self._loop.call_later(self._tick_seconds, self._tick)

    def leave(self) -> None:
        """Say goodbye behind everything that has begun; `over()` tells when it came to that."""
        self._wire.conversation.quit()
        self._wire.flush()

    async def quit(self) -> None:
        """Say goodbye and close; never takes longer than the patience for QUIT."""
        self.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeouts.of(Phase.QUIT)):
                await self.over()
        if not self.is_over:
            self.abandon("timeout_at_quit")
        self.abort()

    async def over(self) -> None:
        """Wait until the session has ended, whatever ended it; its events have been given out."""
        await self._wire.over.wait()

    def abort(self) -> None:
        """Close the socket now."""
        self._ticking.cancel()
        if self._wire.transport is not None:
            self._wire.transport.abort()


async def open_session(
    place: Place,
    manners: Manners,
    timeouts: Timeouts | None = None,
    *,
    limits: Limits | None = None,
    watcher: Watcher | None = None,
) -> Session:
    """Connect, greet, encrypt and sign in; give a session that is ready for envelopes.

    Raises: SessionFailedError, nothing else
    """
    patience = timeouts or Timeouts()
    wire = await _connect(place, manners, patience)
    session = Session(wire, patience, limits or Limits())
    try:
        await _greet(session, wire, place, patience)
    except BaseException:
        session.abort()
        raise
    session.heed(session.capabilities)
    if watcher is not None:
        session.watch(watcher)
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


_contexts: dict[Place, tuple[float, ssl.SSLContext]] = {}
_without_chunking: dict[Place, float] = {}  # relays that announced it and could not, and when


def _that_fit(manners: Manners, place: Place) -> Manners:
    """Leave BDAT away from a relay that has lately shown that it only announces it."""
    seen = _without_chunking.get(place)
    if seen is None or asyncio.get_running_loop().time() - seen > DISTRUST_SECONDS:
        return manners
    return replace(manners, chunking=False)


def _tls_context(place: Place) -> ssl.SSLContext:
    """Give what proves a relay; reading all authorities takes milliseconds, so it is kept a while."""
    now = asyncio.get_running_loop().time()
    kept = _contexts.get(place)
    if kept is not None and 0 <= now - kept[0] < CONTEXT_SECONDS:
        return kept[1]
    context = ssl.create_default_context()
    if place.cafile:
        context.load_verify_locations(place.cafile)
    if not place.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _contexts[place] = (now, context)
    return context


async def _connect(place: Place, manners: Manners, timeouts: Timeouts) -> _Wire:
    loop = asyncio.get_running_loop()
    why, detail = "", ""
    try:
        async with asyncio.timeout(timeouts.of(Phase.CONNECT)):
            tls = _tls_context(place) if manners.encryption is Encryption.TLS else None
            link = await connect(place.host, place.port)
            try:
                transport, wire = await loop.create_connection(
                    lambda: _Wire(Conversation(_that_fit(manners, place)), place),
                    sock=link,
                    ssl=tls,
                    server_hostname=place.host if tls else None,
                )
            except BaseException:
                link.close()
                raise
    except ssl.SSLCertVerificationError as error:
        why, detail = "certificate_refused", error.verify_message
    except ssl.SSLError as error:
        why, detail = "tls_failed", str(error.reason or error)
    except TimeoutError:
        why = "connect_timeout"
    except socket.gaierror as error:
        why, detail = "name_not_found", str(error.strerror)
    except (OSError, ValueError) as error:  # UnicodeError is one; so is a port that cannot be
        why, detail = "cannot_connect", str(error)
    except OverflowError as error:
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
    except (OSError, ValueError) as error:  # ssl.SSLError is one; a name no certificate can have
        why, detail = "tls_failed", str(error)
    else:
        if transport is not None:
            wire.connection_made(transport)
            wire.conversation.tls_started()
            wire.flush()
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
