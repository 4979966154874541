"""The listener on real sockets: nothing is acknowledged that is not stored, and too much is refused."""

import asyncio
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from django.db import OperationalError

from circular.intake.arrivals import Arrival
from circular.intake.doors.domains import Domains
from circular.intake.doors.listener import Address, Listener
from circular.intake.doors.storing import Storing
from circular.intake.words import Door

MAIL = b"From: ana@x.example\r\nSubject: Jornada\r\n\r\nTexto.\r\n.punto\r\n"
HERE = "solicitudes@unimacizo.example"
LIMIT = 1_000_000


@dataclass
class Shelf:
    """Where the doors of a test store; it can be told to fail."""

    kept: list[Arrival] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    fails: Callable[[Sequence[Arrival]], bool] = lambda _arrivals: False
    ports: dict[Door, int] = field(default_factory=dict)

    def store(self, arrivals: Sequence[Arrival]) -> None:
        if self.fails(arrivals):
            raise OSError("no space left on device")
        self.batches.append(len(arrivals))
        self.kept += arrivals


async def ours() -> frozenset[str]:
    return frozenset({"unimacizo.example"})


@contextmanager
def doors(shelf: Shelf, most_connections: int = 50) -> Iterator[Shelf]:
    """Keep both doors open in a thread of their own."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def keep_open() -> None:
        storing = Storing(shelf.store)
        listener = Listener(
            storing,
            takes=Domains(ours).take,
            largest_octets=LIMIT,
            most_connections=most_connections,
        )
        writing = asyncio.create_task(storing.run())
        for door in (Door.LMTP, Door.SMTP):
            shelf.ports[door] = await listener.listen(door, Address("127.0.0.1", 0))
        ready.set()
        await stop.wait()
        await listener.close()
        await storing.idle()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    def live() -> None:
        loop.run_until_complete(keep_open())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()

    thread = threading.Thread(target=live)
    thread.start()
    assert ready.wait(10)
    try:
        yield shelf
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with doors(Shelf()) as shelf:
        yield shelf


def smtp(shelf: Shelf) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", shelf.ports[Door.SMTP], timeout=20)


def lmtp(shelf: Shelf) -> smtplib.LMTP:
    return smtplib.LMTP("127.0.0.1", shelf.ports[Door.LMTP], timeout=20)


def test_a_message_is_stored_byte_for_byte_before_it_is_acknowledged(shelf: Shelf) -> None:
    with smtp(shelf) as client:
        assert client.sendmail("ana@x.example", [HERE], MAIL) == {}

        (arrival,) = shelf.kept  # before the connection ends
    assert arrival == Arrival(raw=MAIL, mail_from="ana@x.example", rcpt_to=(HERE,), door=Door.SMTP)


def test_a_store_that_fails_makes_the_sender_come_again(shelf: Shelf) -> None:
    shelf.fails = lambda _arrivals: True

    with smtp(shelf) as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("ana@x.example", [HERE], MAIL)

    assert refused.value.smtp_code == 451
    assert shelf.kept == []


def test_one_message_that_cannot_be_stored_does_not_turn_its_neighbours_away() -> None:
    async def story() -> list[bool]:
        shelf = Shelf(fails=lambda arrivals: any(b"veneno" in each.raw for each in arrivals))
        storing = Storing(shelf.store)
        waiting = [
            asyncio.ensure_future(
                storing.put(Arrival(raw=raw, mail_from="", rcpt_to=(), door=Door.LMTP))
            )
            for raw in (b"uno", b"veneno", b"tres")
        ]
        await asyncio.sleep(0)
        writing = asyncio.create_task(storing.run())
        safe = await asyncio.gather(*waiting)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        return safe

    assert asyncio.run(story()) == [True, False, True]


def test_everything_that_waits_goes_into_one_commit() -> None:
    async def story() -> list[int]:
        shelf = Shelf()
        storing = Storing(shelf.store)
        waiting = [
            asyncio.ensure_future(
                storing.put(Arrival(raw=b"x", mail_from="", rcpt_to=(), door=Door.LMTP))
            )
            for _ in range(30)
        ]
        await asyncio.sleep(0)
        writing = asyncio.create_task(storing.run())
        await asyncio.gather(*waiting)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        return shelf.batches

    assert asyncio.run(story()) == [30]


def test_a_mail_of_200_megabytes_is_refused_when_its_size_is_announced(shelf: Shelf) -> None:
    """RFC 1870 §6.1"""
    with smtp(shelf) as client:
        client.ehlo()
        assert client.esmtp_features["size"] == str(LIMIT)

        code, _text = client.mail("ana@x.example", ["SIZE=200000000"])

    assert code == 552
    assert shelf.kept == []


def test_a_mail_that_hides_its_size_is_refused_after_the_dot_and_nothing_of_it_is_kept(
    shelf: Shelf,
) -> None:
    client = smtp(shelf)
    client.ehlo()
    client.esmtp_features.pop("size")

    with client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("ana@x.example", [HERE], MAIL + b"x" * 70 + b"\r\n" * LIMIT)

    assert refused.value.smtp_code == 552
    assert shelf.kept == []


def replies_to(port: int, *commands: bytes, greeting: bytes) -> list[bytes]:
    """Say each command after the last reply and return all reply lines."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        stream = connection.makefile("rb")
        stream.readline()
        connection.sendall(greeting + b"\r\n")
        while stream.readline()[3:4] == b"-":
            pass
        found = []
        for command in commands:
            connection.sendall(command)
            found.append(stream.readline().rstrip())
        connection.settimeout(0.3)
        try:
            while line := stream.readline():
                found.append(line.rstrip())
        except TimeoutError:
            pass
        return found


def test_lmtp_says_for_each_recipient_that_the_message_is_stored(shelf: Shelf) -> None:
    """RFC 2033 §4.2"""
    found = replies_to(
        shelf.ports[Door.LMTP],
        b"MAIL FROM:<>\r\n",
        b"RCPT TO:<a@unimacizo.example>\r\n",
        b"RCPT TO:<b@unimacizo.example>\r\n",
        b"DATA\r\n",
        b"Subject: x\r\n\r\nx\r\n.\r\n",
        greeting=b"LHLO prueba",
    )

    assert [line[:3] for line in found] == [b"250", b"250", b"250", b"354", b"250", b"250"]
    assert shelf.kept[0].rcpt_to == ("a@unimacizo.example", "b@unimacizo.example")
    assert shelf.kept[0].mail_from == ""


def test_lmtp_refuses_a_message_that_is_too_long_once_for_each_recipient(shelf: Shelf) -> None:
    found = replies_to(
        shelf.ports[Door.LMTP],
        b"MAIL FROM:<>\r\n",
        b"RCPT TO:<a@unimacizo.example>\r\n",
        b"RCPT TO:<b@unimacizo.example>\r\n",
        b"DATA\r\n",
        b"x" * 900 + (b"\r\n" + b"x" * 900) * (LIMIT // 900) + b"\r\n.\r\n",
        greeting=b"LHLO prueba",
    )

    assert [line[:3] for line in found[-2:]] == [b"552", b"552"]
    assert shelf.kept == []


def test_mail_for_other_domains_is_not_taken(shelf: Shelf) -> None:
    with smtp(shelf) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.sendmail("ana@x.example", ["otro@elsewhere.example"], MAIL)

    assert refused.value.recipients["otro@elsewhere.example"][0] == 550


def test_a_line_of_half_a_megabyte_is_taken_as_it_is(shelf: Shelf) -> None:
    long = MAIL + b"y" * 500_000 + b"\r\n"

    with smtp(shelf) as client:
        client.sendmail("ana@x.example", [HERE], long)

    assert shelf.kept[0].raw == long


@pytest.mark.parametrize("ending", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n\x00.\r\n"])
def test_only_crlf_dot_crlf_ends_a_message(ending: bytes, shelf: Shelf) -> None:
    """SMTP smuggling (CERT VU#302671): what follows another ending stays inside the message."""
    smuggled = b"Subject: x\r\n\r\nuno" + ending + b"MAIL FROM:<evil@x.example>\r\n"

    found = replies_to(
        shelf.ports[Door.SMTP],
        b"MAIL FROM:<ana@x.example>\r\n",
        b"RCPT TO:<" + HERE.encode() + b">\r\n",
        b"DATA\r\n",
        smuggled + b".\r\n",
        greeting=b"EHLO prueba",
    )

    assert [line[:3] for line in found] == [b"250", b"250", b"354", b"250"]
    assert len(shelf.kept) == 1
    assert b"MAIL FROM:<evil@x.example>" in shelf.kept[0].raw


def test_one_connection_too_many_is_told_to_come_again() -> None:
    with doors(Shelf(), most_connections=1) as shelf, smtp(shelf) as first:
        first.noop()

        with pytest.raises(smtplib.SMTPConnectError) as refused:
            smtp(shelf)

        assert refused.value.smtp_code == 421


def test_a_connection_that_ended_makes_room_for_another() -> None:
    with doors(Shelf(), most_connections=1) as shelf:
        for _ in range(3):
            with smtp(shelf) as client:
                client.sendmail("ana@x.example", [HERE], MAIL)
            threading.Event().wait(0.1)  # the server learns of the end a moment later

        assert len(shelf.kept) == 3


def test_the_last_known_domains_hold_while_the_database_is_gone() -> None:
    async def story() -> list[bool]:
        answers: list[frozenset[str]] = [frozenset({"unimacizo.example"})]

        async def ask() -> frozenset[str]:
            if not answers:
                raise OperationalError
            return answers.pop()

        domains = Domains(ask, fresh_for=0)
        return [
            await domains.take(who) for who in ("a@UniMacizo.example", HERE, "a@elsewhere.example")
        ]

    assert asyncio.run(story()) == [True, True, False]


def test_while_no_domain_is_named_nothing_is_turned_away() -> None:
    async def nothing() -> frozenset[str]:
        return frozenset()

    assert asyncio.run(Domains(nothing).take("a@anywhere.example"))
