"""From a relay's row to a session with it; and what a test of a relay finds out."""

import asyncio
import socket
import time
from dataclasses import dataclass

from circular.dispatch.models import Security
from circular.dispatch.queries import RelayAccess
from circular.dispatch.trouble import Effect, Trouble, effect_of_session, trouble_of_session
from circular.smtp.events import Phase
from circular.smtp.protocol import Encryption, Manners
from circular.smtp.session import (
    Limits,
    Place,
    Session,
    SessionFailedError,
    Timeouts,
    Watcher,
    open_session,
)

_ENCRYPTION = {
    Security.NONE: Encryption.NONE,
    Security.STARTTLS: Encryption.STARTTLS,
    Security.TLS: Encryption.TLS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayTest:
    """What happened when we greeted a relay, without offering it a message."""

    ok: bool
    trouble: Trouble = Trouble.NONE
    why: str = ""  # the session's own code
    detail: str = ""  # the relay's or the system's words
    milliseconds: int = 0
    encrypted: bool = False
    pipelining: bool = False
    size: int | None = None  # octets the relay takes at most, where it says so


def own_name(domain: str) -> str:
    """Give the name to greet with: this machine's where it is a full one (RFC 5321 §4.1.1.1)."""
    name = socket.gethostname()
    return name if "." in name.strip(".") else domain or "localhost"


async def dial(
    relay: RelayAccess,
    *,
    domain: str,
    timeouts: Timeouts | None = None,
    watcher: Watcher | None = None,
) -> Session:
    """Open a session with a relay as its row says; ``watcher`` is called by it from then on.

    Raises:  SessionFailedError
    """
    if relay.sealed_badly:
        raise SessionFailedError("password_cannot_be_opened", Phase.AUTH)
    place = Place(host=relay.host, port=relay.port, verify=relay.verify)
    manners = Manners(
        name=own_name(domain),
        encryption=_ENCRYPTION[relay.security],
        credentials=relay.credentials,
        # Whoever sets a relay without encryption and with a password has chosen it: a relay on
        # the same machine or in a closed network. The page says what it means.
        plain_credentials=relay.security is Security.NONE,
        depth=relay.depth,
    )
    limits = Limits(messages=relay.messages_per_connection, seconds=relay.max_age)
    return await open_session(place, manners, timeouts, limits=limits, watcher=watcher)


def effect_of_failure(failed: SessionFailedError) -> Effect:
    """Say what becomes of a relay with which no session came about."""
    if failed.why == "password_cannot_be_opened":
        return Effect.REST
    return effect_of_session(failed.why, failed.phase, failed.reply)


def trouble_of(failed: SessionFailedError) -> Trouble:
    """Say what a session that did not come about means."""
    if failed.why == "password_cannot_be_opened":
        return Trouble.SIGN_IN
    return trouble_of_session(failed.why, failed.phase, failed.reply)


async def try_out(
    relay: RelayAccess, *, domain: str, timeouts: Timeouts | None = None
) -> RelayTest:
    """Greet a relay, encrypt and sign in, say goodbye."""
    started = time.monotonic()
    try:
        session = await dial(relay, domain=domain, timeouts=timeouts)
    except SessionFailedError as failed:
        return RelayTest(
            ok=False,
            trouble=trouble_of(failed),
            why=failed.why,
            detail=failed.detail,
            milliseconds=round((time.monotonic() - started) * 1000),
        )
    found = RelayTest(
        ok=True,
        milliseconds=round((time.monotonic() - started) * 1000),
        encrypted=relay.security is not Security.NONE,
        pipelining=session.capabilities.pipelining,
        size=session.capabilities.size,
    )
    await session.quit()
    return found


def try_out_now(relay: RelayAccess, *, domain: str, timeouts: Timeouts | None = None) -> RelayTest:
    """Do the same for a caller without an event loop."""
    return asyncio.run(try_out(relay, domain=domain, timeouts=timeouts))
