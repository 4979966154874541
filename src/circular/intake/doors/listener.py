"""The LMTP and SMTP listener: takes a message, has it stored, and only then says 250.

Rules
1. 250 after the final dot means: the raw bytes are committed. A database that is down gives 451, and
   the sender keeps the message.
2. LMTP gets one reply for each recipient (RFC 2033 §4.2), all alike: one message is one row.
3. A message over the limit is refused at MAIL when its size is announced (RFC 1870 §6.1), otherwise
   while it is read, keeping nothing of it.
4. Recipients outside our domains are refused: the door relays nothing.
5. No login exists here, so no password can travel in the clear. The door listens beside the mail
   server that answers for authentication and spam; it is not meant to face the internet.

When it fails: a session that breaks is that session's loss; an error inside it is answered 451.
Known gaps: no STARTTLS (the default listens on loopback); no limit per sender, only in all.
Sources: RFC 2033, RFC 5321, RFC 1870, RFC 3848; "SMTP smuggling" (aiosmtpd ends a message at
CRLF . CRLF and at nothing else).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from typing_extensions import override

from circular.intake.arrivals import Arrival
from circular.intake.doors.storing import Storing
from circular.intake.words import Door

logger = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 50  # Postfix opens 20 to one destination by default
MOST_RECIPIENTS: Final = 100  # RFC 5321 §4.5.3.1.8 asks for at least that
# aiosmtpd turns longer lines away for good (500); real mailers do send paragraphs as one line.
LONGEST_LINE: Final = 1_000_000
PATIENCE: Final = 300.0  # seconds of silence; RFC 5321 §4.5.3.2.7

# aiosmtpd logs each command, addresses included, at INFO.
logging.getLogger("mail.log").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a door listens; port 0 takes a free one."""

    host: str
    port: int


class _Handler:
    """What aiosmtpd asks us during a session."""

    def __init__(
        self, storing: Storing, door: Door, takes: Callable[[str], Awaitable[bool]]
    ) -> None:
        self._storing = storing
        self._door = door
        self._takes = takes

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        if not await self._takes(address):
            return "550 5.7.1 Not an address of this house"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        raw = envelope.original_content
        safe = await self._storing.put(
            Arrival(
                raw=raw if isinstance(raw, bytes) else b"",
                # aiosmtpd leaves the brackets of the null sender standing.
                mail_from=(envelope.mail_from or "").removeprefix("<>"),
                rcpt_to=tuple(envelope.rcpt_tos),
                door=self._door,
            )
        )
        reply = "250 2.0.0 Stored" if safe else "451 4.3.0 Not stored, come again later"
        return per_recipient(reply, envelope) if self._door is Door.LMTP else reply

    async def handle_exception(self, error: Exception) -> str:
        logger.warning("session failed", extra={"error": type(error).__name__})
        return "451 4.3.0 Something went wrong here, come again later"


def per_recipient(reply: str, envelope: Envelope) -> str:
    """Say one reply once for each accepted recipient (RFC 2033 §4.2)."""
    return "\r\n".join([reply] * max(1, len(envelope.rcpt_tos)))


class _Smtp(SMTP):
    line_length_limit = LONGEST_LINE
    ended: Callable[[], None] | None = None

    @override
    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self.ended is not None:
            self.ended()


class _Lmtp(LMTP):
    line_length_limit = LONGEST_LINE
    ended: Callable[[], None] | None = None

    @override
    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self.ended is not None:
            self.ended()

    @override
    async def push(self, status: Any) -> None:
        # aiosmtpd 1.4.6 answers these two itself after the dot, and once only, in LMTP too.
        if isinstance(status, str) and status.startswith(
            ("552 Error: Too much mail data", "500 Line too long")
        ):
            assert self.envelope is not None
            status = per_recipient(status, self.envelope)
        await super().push(status)


class _TurnedAway(asyncio.Protocol):
    """One connection too many: told to come again (RFC 5321 §3.8)."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"421 4.3.2 Too many connections, come again later\r\n")
        transport.close()


class Listener:
    """The listening doors of one process, sharing one `Storing`."""

    def __init__(
        self,
        storing: Storing,
        *,
        takes: Callable[[str], Awaitable[bool]],
        largest_octets: int,
        hostname: str = "circular",
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._storing = storing
        self._takes = takes
        self._largest_octets = largest_octets
        self._hostname = hostname
        self._most_connections = most_connections
        self._open = 0
        self._servers: list[asyncio.Server] = []

    async def listen(self, door: Door, address: Address) -> int:
        """Open a door and return the port it listens on.

        Raises:  OSError when the address is taken
        """
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: self._session(door, loop), address.host, address.port
        )
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Take no new connection; those open are cut when the loop ends."""
        for server in self._servers:
            server.close()

    def _session(self, door: Door, loop: asyncio.AbstractEventLoop) -> asyncio.Protocol:
        if self._open >= self._most_connections:
            return _TurnedAway()
        kind: type[_Lmtp | _Smtp] = _Lmtp if door is Door.LMTP else _Smtp
        session = kind(
            _Handler(self._storing, door, self._takes),
            data_size_limit=self._largest_octets,
            enable_SMTPUTF8=True,
            hostname=self._hostname,
            ident="Circular",
            timeout=PATIENCE,
            loop=loop,
        )
        self._open += 1
        session.ended = self._ended
        return session

    def _ended(self) -> None:
        self._open -= 1
