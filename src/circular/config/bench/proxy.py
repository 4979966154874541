"""`circular bench proxy`: a line that is far away: every octet arrives later, and it can be cut.

Each octet leaves half a round trip after it came, in both directions, in order and at any rate; so
a sender on loopback meets a relay across the country. SIGUSR1 cuts the line (connections stay and
nothing passes), SIGUSR2 mends it.

Known gaps: connections are accepted at once, so the handshake's own round trip is not felt; what
the proxy holds is acknowledged to the sender's kernel, as by a router with room for all.
"""

import asyncio
import json
import signal
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override


@dataclass(slots=True)
class Line:
    """What all connections through one proxy share.

    Units:   ``one_way`` seconds
    """

    host: str
    port: int
    one_way: float
    ends: set["End"] = field(default_factory=set)
    is_cut: bool = False
    connections: int = 0
    octets: int = 0

    def cut(self) -> None:
        """Let nothing pass."""
        self.is_cut = True

    def mend(self) -> None:
        """Let everything pass that waited."""
        self.is_cut = False
        for end in list(self.ends):
            end.pass_on()


class End(asyncio.Protocol):
    """One end of one connection; what comes in here leaves at the other, later."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.other: End | None = None
        self.transport: asyncio.Transport | None = None
        self.is_done = False  # everything that came in has left at the other end
        self._waiting: deque[tuple[float, bytes]] = deque()  # empty octets are the end

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._line.ends.add(self)

    @override
    def data_received(self, data: bytes) -> None:
        self._line.octets += len(data)
        self._later(data)

    @override
    def eof_received(self) -> bool:
        self._later(b"")
        return True  # the other direction stays open

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._line.ends.discard(self)
        self.transport = None
        self._later(b"")

    def _later(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._waiting.append((loop.time() + self._line.one_way, data))
        loop.call_at(self._waiting[-1][0], self.pass_on)

    def pass_on(self) -> None:
        """Let everything leave whose time has come, unless the line is cut."""
        if self._line.is_cut or self.other is None or self.other.transport is None:
            return
        now = asyncio.get_running_loop().time() + 0.0001  # a timer may wake a moment early
        while self._waiting and self._waiting[0][0] <= now:
            _, data = self._waiting.popleft()
            if data:
                self.other.transport.write(data)
            elif self.transport is None or self.other.is_done:
                self.other.transport.close()
                if self.transport is not None:
                    self.transport.close()
                return
            else:
                self.is_done = True
                self.other.transport.write_eof()


class Entrance(End):
    """The end that was called; it calls the other one."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._line.connections += 1
        self._calling = asyncio.create_task(self._call())

    async def _call(self) -> None:
        far = End(self._line)
        far.other = self
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: far, self._line.host, self._line.port
            )
        except OSError:
            if self.transport is not None:
                self.transport.abort()
            return
        self.other = far
        self.pass_on()


async def start_proxy(line: Line, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    """Start a proxy; the caller closes the server."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Entrance(line), host, port, backlog=512)


def add_parser(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add `proxy` to `circular bench`."""
    parser = subparsers.add_parser("proxy", help="a line with a round trip, before any relay")
    parser.add_argument("--listen", default="127.0.0.1:2526", metavar="HOST:PORT")
    parser.add_argument("--to", default="127.0.0.1:2525", metavar="HOST:PORT")
    parser.add_argument("--round-trip", type=float, default=20.0, metavar="MILLISECONDS")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Pass octets on until told to stop; print how many as one JSON line."""
    host, _, port = args.listen.rpartition(":")
    to_host, _, to_port = args.to.rpartition(":")
    try:
        line = Line(to_host or "127.0.0.1", int(to_port), args.round_trip / 2000)
        asyncio.run(_serve(line, host or "127.0.0.1", int(port)))
    except (OSError, ValueError) as error:
        print(f"circular bench proxy: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"connections": line.connections, "octets": line.octets}))
    return 0


async def _serve(line: Line, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, line.cut)
    loop.add_signal_handler(signal.SIGUSR2, line.mend)
    server = await start_proxy(line, host, port)
    address: Any = server.sockets[0].getsockname()
    print(json.dumps({"listening": [address[0], address[1]]}), flush=True)
    async with server:
        await stop.wait()
