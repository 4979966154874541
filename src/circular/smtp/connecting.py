"""A TCP connection to the first of a host's addresses that answers; nothing is left open behind it.

RFC 8305: families take turns, the resolver's first choice in front (§4), and the next address is
tried when one fails or has kept us waiting for a quarter of a second (§5).
"""

import asyncio
import socket
from collections import deque
from itertools import zip_longest
from typing import Any

ATTEMPT_DELAY = 0.25  # seconds; RFC 8305 §8

# As `getaddrinfo` gives them: family, type, protocol, canonical name, address.
Address = tuple[int, int, int, str, Any]


def in_turns(addresses: list[Address]) -> list[Address]:
    """Order addresses so that families take turns, beginning with that of the first."""
    first = [one for one in addresses if one[0] == addresses[0][0]] if addresses else []
    others = [one for one in addresses if one not in first]
    return [one for pair in zip_longest(first, others) for one in pair if one is not None]


async def connect(host: str, port: int, *, delay: float = ATTEMPT_DELAY) -> socket.socket:
    """Give a connected socket.

    Raises:  OSError of the first address that failed; UnicodeError for a name that cannot be one
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    waiting = deque(in_turns([(*one[:4], one[4]) for one in found]))
    running: set[asyncio.Task[socket.socket]] = set()
    failed: list[OSError] = []
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_try(waiting.popleft())))
            done, running = await asyncio.wait(
                running,
                timeout=delay if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                error = task.exception()
                if isinstance(error, OSError):
                    failed.append(error)
                elif error is None:
                    running |= done - {task}
                    return task.result()
                else:
                    raise error
    finally:
        await _drop(running)
    raise failed[0] if failed else OSError(f"{host} has no address")


async def _try(address: Address) -> socket.socket:
    family, kind, protocol, _, where = address
    link = socket.socket(family, kind, protocol)
    try:
        link.setblocking(False)
        await asyncio.get_running_loop().sock_connect(link, where)
    except BaseException:
        link.close()
        raise
    return link


async def _drop(attempts: set[asyncio.Task[socket.socket]]) -> None:
    """End attempts that nobody needs; one that has just succeeded is closed."""
    for task in attempts:
        task.cancel()
    for end in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(end, socket.socket):
            end.close()
