"""Measures what the SMTP client costs: CPU time of its own process for each message of 5,000 octets.

    python tools/measure_smtp.py [--messages N]

1. The core alone, no sockets: BDAT and DATA, personal headers on a shared body.
2. A session on loopback with a relay in another process that answers as little as it can, over 10
   connections: BDAT with 10 in flight, and DATA. User and system time apart; sockets are most of DATA.

The first line is how long a plain loop takes on this machine at this moment, to compare runs by.
"""

import argparse
import asyncio
import gc
import multiprocessing
import resource
import time
from multiprocessing.connection import Connection

from typing_extensions import override

from circular.smtp.bodies import Body, Piece
from circular.smtp.events import Event, Settled
from circular.smtp.protocol import Conversation, Envelope, Manners
from circular.smtp.session import Place, Session, open_session
from circular.smtp.verdicts import Verdict

HEADERS = (
    b"From: desk@example.org\r\nSubject: Circular 12 of the year\r\n"
    + b"X-Line: what differs\r\n" * 7
)
SHARED = Piece(b"\r\n" + (b"x" * 74 + b"\r\n") * 63)
EXTENSIONS = b"250-PIPELINING\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n"
QUEUED = b"250 2.0.0 Ok: queued as 4XyZ%d\r\n"


def envelope(key: int) -> Envelope:
    """Give a message of some 5,000 octets for one person, from a sender of their own."""
    sender = f"rebotes+{key:08x}0123456789abcdef@unimacizo.example"
    person = f"persona.apellido{key}@unimacizo.example"
    return Envelope(key, sender, (person,), Body(HEADERS, SHARED))


class Relay(asyncio.Protocol):
    """Answers by counting line ends and octets; looks at nothing else."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.buffer, self.in_body = transport, b"", False
        transport.write(b"220 relay\r\n")

    @override
    def data_received(self, data: bytes) -> None:
        """Answer whatever is whole."""
        buffer, answers, at = self.buffer + data, [], 0
        while True:
            if self.in_body:
                end = buffer.find(b"\r\n.\r\n", max(at - 4, 0))
                if end < 0:
                    break
                at, self.in_body = end + 5, False
                answers.append(QUEUED % end)
                continue
            end = buffer.find(b"\n", at)
            if end < 0:
                break
            verb = buffer[at : at + 4]
            if verb == b"BDAT":
                size = int(buffer[at + 5 : end].split()[0])
                if len(buffer) - end - 1 < size:
                    break
                end += size
                answers.append(QUEUED % size)
            elif verb == b"EHLO":
                answers.append(b"250-relay\r\n" + EXTENSIONS + b"250 CHUNKING\r\n")
            elif verb == b"DATA":
                self.in_body = True
                answers.append(b"354 go\r\n")
            else:
                answers.append(b"250 2.1.0 Ok\r\n")
            at = end + 1
        self.buffer = buffer[at:]
        if answers:
            self.transport.write(b"".join(answers))


def serve(pipe: Connection) -> None:
    """Be the relay, in a process of its own."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Relay, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


class Owner:
    """Keeps every session full until all messages are settled."""

    def __init__(self, count: int) -> None:
        self.count, self.begun, self.settled = count, 0, 0
        self.done = asyncio.Event()

    def handing_over(self, session: Session, keys: list[int]) -> None:
        """Take note of nothing: a journal is the ledger's."""

    def happened(self, session: Session, events: list[Event]) -> None:
        """Count who is settled, and offer the next."""
        for event in events:
            if isinstance(event, Settled):
                self.settled += 1
                assert event.verdict is Verdict.ACCEPTED, event
        self.fill(session)
        if self.settled >= self.count:
            self.done.set()

    def fill(self, session: Session) -> None:
        """Begin as many as there is room for."""
        for _ in range(min(session.room, self.count - self.begun)):
            session.begin(envelope(self.begun), cleared=True)
            self.begun += 1


async def over_sockets(port: int, count: int, *, chunking: bool) -> tuple[float, float, float]:
    """Send over 10 connections; user and system µs for a message, and messages a second."""
    owner = Owner(count)
    manners = Manners(name="desk.example.org", chunking=chunking)
    place = Place(host="127.0.0.1", port=port)
    sessions = [await open_session(place, manners) for _ in range(10)]
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    for session in sessions:
        session.watch(owner)
        owner.fill(session)
    await owner.done.wait()
    after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - started
    for session in sessions:
        session.abort()
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return user / count * 1e6, system / count * 1e6, count / seconds


def core_alone(count: int, *, chunking: bool) -> float:
    """Play a relay that takes everything, without a socket; µs for a message."""
    us = Conversation(Manners(name="desk.example.org"))
    us.receive(b"220 relay\r\n")
    us.take_outgoing()
    us.receive(
        b"250-relay\r\n" + EXTENSIONS + (b"250 CHUNKING\r\n" if chunking else b"250 HELP\r\n")
    )
    begun = settled = 0
    under_way = False  # with DATA: an envelope was said and waits for 354
    started = time.process_time()
    while settled < count:
        for _ in range(us.room):
            us.begin(envelope(begun), cleared=True)
            begun += 1
        us.take_outgoing()
        ends = len(us.take_handed_over())
        if chunking:
            first = b"" if not settled else b"250 2.0.0 Ok\r\n"
            each = b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n" + QUEUED % begun
            answer = each + (first or b"250 2.0.0 Ok\r\n").join([b"", *[each] * (ends - 1)])
        else:
            answer = b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n"
            answer = QUEUED % begun + answer if under_way else answer
            under_way = True
        settled += sum(isinstance(event, Settled) for event in us.receive(answer))
    assert not us.is_over
    return (time.process_time() - started) / settled * 1e6


def plain_loop() -> float:
    """Time a million turns of nothing, in milliseconds."""
    started = time.process_time()
    for _ in range(1_000_000):
        pass
    return (time.process_time() - started) * 1e3


def main() -> None:
    """Print a line for each way, the best of five."""
    parser = argparse.ArgumentParser(description="What the SMTP client costs in CPU time.")
    parser.add_argument("--messages", type=int, default=20_000)
    count = parser.parse_args().messages
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
    print(f"a loop of a million turns: {min(plain_loop() for _ in range(5)):.1f} ms")
    for name, chunking in (("BDAT", True), ("DATA", False)):
        best = min(core_alone(count, chunking=chunking) for _ in range(5))
        print(f"core alone, {name}: {best:.1f} µs a message")
    ours, theirs = multiprocessing.Pipe()
    relay = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    relay.start()
    port = ours.recv()
    for name, chunking in (("BDAT", True), ("DATA", False)):
        runs = [asyncio.run(over_sockets(port, count, chunking=chunking)) for _ in range(5)]
        user, system, rate = min(runs, key=lambda run: run[0] + run[1])
        print(
            f"sessions, {name}: {user:.1f} µs user and {system:.1f} µs system a message"
            f" ({rate:,.0f} a second)"
        )
    relay.terminate()


if __name__ == "__main__":
    main()
