"""The doors: the only code that takes mail in. Each stores raw bytes durably, then says so."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from circular.intake import queries, services
from circular.intake.arrivals import Arrival
from circular.intake.doors.domains import Domains
from circular.intake.doors.listener import Address, Listener
from circular.intake.doors.storing import Storing
from circular.intake.errors import TooLargeError
from circular.intake.words import Door


async def run(
    *,
    lmtp: tuple[str, int] | None,
    smtp: tuple[str, int] | None,
    largest_octets: int,
    stop: asyncio.Event,
    opened: Callable[[Door, int], object] = lambda _door, _port: None,
) -> None:
    """Keep the mail doors open until `stop` is set; what was taken by then is stored.

    Units:   `largest_octets` of one message, announced as SIZE
    Raises:  OSError when an address is taken
    """
    storing = Storing(services.store_arrivals)
    domains = Domains(lambda: storing.beside(queries.our_domains))
    listener = Listener(
        storing,
        takes=domains.take,
        largest_octets=largest_octets,
        hostname=socket.gethostname(),
    )
    writing = asyncio.create_task(storing.run(), name="door-store")
    try:
        for door, address in ((Door.LMTP, lmtp), (Door.SMTP, smtp)):
            if address is not None:
                opened(door, await listener.listen(door, Address(*address)))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, writing}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
    finally:
        await listener.close()
        await storing.idle()
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing


def receive(
    raw: bytes, *, largest_octets: int, mail_from: str = "", rcpt_to: tuple[str, ...] = ()
) -> int:
    """Store one message from stdin and return its id.

    Repeat:  the same message is one row
    Raises:  TooLargeError; DatabaseError is temporary (exit 75)
    """
    if len(raw) > largest_octets:
        raise TooLargeError(f"{len(raw)} octets, at most {largest_octets}")
    arrival = Arrival(raw=raw, mail_from=mail_from, rcpt_to=rcpt_to, door=Door.STDIN)
    return services.store_arrivals([arrival])[0]
