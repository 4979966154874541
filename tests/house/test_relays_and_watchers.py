"""A session that calls its owner: what is recorded before a write, what one read brings, and its ends."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from typing_extensions import override

from circular.smtp import connecting
from circular.smtp.bodies import Body
from circular.smtp.events import Event, Lost, Phase, Settled
from circular.smtp.protocol import Envelope, Manners
from circular.smtp.session import (
    Limits,
    Place,
    Session,
    SessionFailedError,
    Timeouts,
    open_session,
)
from circular.smtp.verdicts import Verdict

BODY = Body(b"Subject: hi\r\n\r\nhello\r\n")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Relay:
    """A friendly relay with PIPELINING and CHUNKING, until its body number `trouble`."""

    extensions: tuple[str, ...] = ("PIPELINING", "CHUNKING")
    trouble: int = -1
    does: str = ""  # "hang", "silent", "421", "flood"
    bodies: int = 0
    connections: int = 0
    log: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 relay\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            self.log.append(verb)
            if verb == "BDAT" and self.does == "no bdat":
                writer.write(b"502 what?\r\n")
                continue
            if verb == "BDAT":
                await reader.readexactly(int(line.split()[1]))
            elif verb == "DATA":
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
            if verb in ("BDAT", "DATA"):
                self.bodies += 1
                if self.bodies - 1 == self.trouble:
                    if self.does == "flood":
                        writer.write(b"x" * 5_000_000)
                        await writer.drain()
                    if self.does == "421":
                        writer.write(b"421 closing\r\n")
                    if self.does == "silent":
                        await reader.read()
                    return
                self.log.append("end")
            if verb == "EHLO":
                rest = "".join(f"250-{word}\r\n" for word in self.extensions)
                writer.write(f"250-relay\r\n{rest}250 HELP\r\n".encode())
            else:
                writer.write(b"221 bye\r\n" if verb == "QUIT" else b"250 ok\r\n")
            if verb == "QUIT":
                return

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Place]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        try:
            yield Place(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        finally:
            server.close()


@dataclass
class Owner:
    """Sends `count` messages and keeps a journal of what it is told, in the order of telling."""

    count: int
    next: int = 0
    journal: list[str] = field(default_factory=list)
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    lost: str = ""
    most_at_once: int = 0
    cannot_write: bool = False

    def handing_over(self, session: Session, keys: list[int]) -> None:
        if self.cannot_write:
            raise OSError("disk full")
        self.most_at_once = max(self.most_at_once, len(keys))
        self.journal += [f"over {key}" for key in keys]

    def happened(self, session: Session, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Settled):
                assert event.key not in self.verdicts
                self.verdicts[event.key] = event.verdict
                self.journal.append(f"heard {event.key}")
            elif isinstance(event, Lost):
                self.lost = event.why
        self.fill(session)

    async def done(self, session: Session) -> None:
        """Wait until nothing is under way and nothing more will begin."""
        while not session.is_over:
            if not session.offering and (self.next == self.count or not session.room):
                return
            await asyncio.sleep(0.01)

    def fill(self, session: Session) -> None:
        for _ in range(min(session.room, self.count - self.next)):
            session.begin(envelope(self.next), cleared=True)
            self.next += 1


def envelope(key: int) -> Envelope:
    return Envelope(key=key, sender="a@example.org", recipients=("b@example.org",), raw=BODY)


async def send(
    relay: Relay, owner: Owner, *, limits: Limits | None = None, patience: float = 5, depth: int = 4
) -> None:
    async with relay.listening() as place:
        session = await open_session(
            place,
            Manners(name="a.example", depth=depth),
            Timeouts.at_most(patience),
            limits=limits,
            watcher=owner,
        )
        async with asyncio.timeout(20):
            owner.fill(session)
            await owner.done(session)
            await session.quit()
            await session.over()


@pytest.mark.parametrize("extensions", [("PIPELINING", "CHUNKING"), ("PIPELINING",), ()], ids=str)
def test_everybody_is_recorded_before_the_end_of_their_body_leaves(
    extensions: tuple[str, ...],
) -> None:
    owner, relay = Owner(50), Relay(extensions=extensions)

    asyncio.run(send(relay, owner))

    assert relay.bodies == 50
    assert set(owner.verdicts.values()) == {Verdict.ACCEPTED}
    assert all(
        owner.journal.index(f"over {key}") < owner.journal.index(f"heard {key}")
        for key in range(50)
    )


def test_an_owner_who_cannot_record_hands_nobody_over() -> None:
    owner, relay = Owner(5, cannot_write=True), Relay()

    asyncio.run(send(relay, owner))

    assert relay.bodies == 0
    assert owner.lost == "not_recorded"
    assert set(owner.verdicts.values()) == {Verdict.UNTRIED}


@pytest.mark.parametrize(
    ("does", "lost", "doubts"),
    [
        ("hang", "connection_closed", True),
        ("silent", "timeout_at_dot", True),
        ("flood", "reply_line_too_long", True),
        ("421", "relay_said_421", False),
    ],
)
def test_a_dead_connection_costs_only_what_it_carried(does: str, lost: str, doubts: bool) -> None:
    owner, relay = Owner(40), Relay(trouble=17, does=does)

    asyncio.run(send(relay, owner, patience=0.5))

    in_doubt = [key for key, verdict in owner.verdicts.items() if verdict is Verdict.IN_DOUBT]
    assert owner.lost == lost
    assert len(owner.verdicts) == owner.next
    assert [key for key, v in owner.verdicts.items() if v is Verdict.ACCEPTED] == list(range(17))
    assert bool(in_doubt) is doubts
    assert len(in_doubt) <= 4


def test_a_session_is_spent_after_its_messages_or_its_time() -> None:
    owner = Owner(50)

    asyncio.run(send(Relay(), owner, limits=Limits(messages=7)))
    assert owner.next == 7

    old = Owner(50)
    asyncio.run(send(Relay(), old, limits=Limits(seconds=0)))
    assert old.next == 0


def test_many_envelopes_leave_in_one_write_and_are_recorded_in_one_call() -> None:
    owner, relay = Owner(400), Relay()

    asyncio.run(send(relay, owner, depth=50))

    assert len(owner.verdicts) == 400
    assert owner.most_at_once == 50  # those behind the first BDAT, which goes alone, and one more


def test_a_relay_that_announces_fewer_messages_gets_no_more() -> None:
    """RFC 9422 §4.1"""
    owner = Owner(50)

    asyncio.run(send(Relay(extensions=("PIPELINING", "LIMITS MAILMAX=3")), owner))

    assert owner.next == 3


async def broken_off(owner: Owner) -> None:
    """Say 250, 250, 250 and 421 to what was sent, reset the connection, and let us write first."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        place = Place(host="127.0.0.1", port=server.getsockname()[1])
        opening = asyncio.create_task(open_session(place, Manners(), watcher=owner))
        relay, _ = await loop.sock_accept(server)
        with relay:
            await loop.sock_sendall(relay, b"220 relay\r\n")
            await loop.sock_recv(relay, 1000)
            await loop.sock_sendall(relay, b"250-relay\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
            session = await opening
            session.begin(envelope(0), cleared=True)
            await loop.sock_recv(relay, 1000)
            await loop.sock_sendall(relay, b"250 ok\r\n" * 3)
            while 0 not in owner.verdicts:  # noqa: ASYNC110 - what we wait for is no event
                await asyncio.sleep(0.001)
            for key in (1, 2, 3):
                session.begin(envelope(key), cleared=True)
            relay.send(b"250 ok\r\n" * 3 + b"250 reset\r\n421 closing\r\n")
            relay.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        session.begin(envelope(4), cleared=True)  # this write fails before anything is read
        await session.over()


def test_what_a_relay_said_before_it_broke_off_is_heard_though_our_write_failed_first() -> None:
    owner = Owner(0)

    asyncio.run(asyncio.wait_for(broken_off(owner), 10))

    assert owner.lost == "relay_said_421"
    assert {key: verdict.value for key, verdict in owner.verdicts.items()} == {
        0: "accepted",
        1: "accepted",
        2: "untried",
        3: "untried",
        4: "untried",
    }


def test_a_relay_that_only_announces_chunking_gets_data_from_then_on() -> None:
    relay = Relay(does="no bdat")

    async def scene() -> tuple[Owner, Owner]:
        owners = Owner(3), Owner(3)
        async with relay.listening() as place, asyncio.timeout(10):
            for owner in owners:
                session = await open_session(place, Manners(), watcher=owner)
                owner.fill(session)
                await owner.done(session)
                await session.quit()
        return owners

    first, second = asyncio.run(scene())

    assert first.lost == "chunking_refused"
    assert set(first.verdicts.values()) == {Verdict.UNTRIED}
    assert set(second.verdicts.values()) == {Verdict.ACCEPTED}


def address(family: int, where: str) -> connecting.Address:
    return (family, socket.SOCK_STREAM, 0, "", (where, 25))


def test_families_take_turns() -> None:
    """RFC 8305 §4"""
    six, four = socket.AF_INET6, socket.AF_INET
    found = [address(six, "a"), address(six, "b"), address(six, "c"), address(four, "d")]

    assert [one[4][0] for one in connecting.in_turns(found)] == ["a", "d", "b", "c"]
    assert connecting.in_turns([]) == []


class Resolver(asyncio.SelectorEventLoop):
    """A loop whose names are what the test says."""

    addresses: list[connecting.Address]

    @override
    async def getaddrinfo(self, *args: object, **kwargs: object) -> list[connecting.Address]:  # type: ignore[override]
        return self.addresses


def connected(addresses: list[tuple[str, int]], *, delay: float = 0.05) -> str:
    loop = Resolver()
    loop.addresses = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", where) for where in addresses]

    async def scene() -> str:
        link = await connecting.connect("relay.example", 25, delay=delay)
        with link:
            return str(link.getpeername()[0])

    try:
        return loop.run_until_complete(asyncio.wait_for(scene(), 10))
    finally:
        loop.close()


def test_an_address_that_refuses_is_followed_by_the_next_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        assert connected([("127.0.0.1", 1), ("127.0.0.1", port)], delay=60) == "127.0.0.1"


def test_an_address_that_says_nothing_holds_up_the_next_for_a_moment_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with ExitStack() as stack:
            full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            for _ in range(3):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())

            found = connected([full.getsockname(), ("127.0.0.1", port)])

    assert found == "127.0.0.1"


def test_a_host_without_an_address_that_answers_says_why() -> None:
    with pytest.raises(ConnectionRefusedError):
        connected([("127.0.0.1", 1), ("127.0.0.1", 1)])
    with pytest.raises(OSError, match="no address"):
        connected([])


@pytest.mark.parametrize("port", [-1, 65536, 1 << 70])
def test_a_port_that_cannot_be_is_a_reason_and_no_other_error(port: int) -> None:
    async def scene() -> SessionFailedError:
        with pytest.raises(SessionFailedError) as failed:
            await open_session(Place(host="127.0.0.1", port=port), Manners(), Timeouts.at_most(3))
        return failed.value

    assert asyncio.run(scene()).phase is Phase.CONNECT
