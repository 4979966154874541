"""The front door with its real database: what was acknowledged is there, whatever is killed afterwards."""

import os
import smtplib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.db import connection, connections

import own_database
from circular.directory.services import import_accounts
from circular.evidence.actors import SYSTEM
from circular.evidence.models import Blob, Entry
from circular.intake import services
from circular.intake.arrivals import Arrival
from circular.intake.models import IncomingMail
from circular.intake.words import Door
from circular.people.models import Institution
from circular.workflow.models import Request

pytestmark = pytest.mark.django_db(transaction=True)

DRAFTS = "solicitudes@unimacizo.example"
CHILD = """
import asyncio
import django
django.setup()
from circular.intake import doors
asyncio.run(doors.run(
    lmtp=("127.0.0.1", 0), smtp=None, largest_octets=1_000_000, stop=asyncio.Event(),
    opened=lambda _door, port: print(port, flush=True),
))
"""


@pytest.fixture(autouse=True)
def house() -> None:
    Institution.objects.update_or_create(
        pk=1, defaults={"name": "U", "domain": "unimacizo.example", "drafts_address": DRAFTS}
    )


@contextmanager
def door(database: str = "") -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run the door in a process of its own, so that it can be killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env={
            **os.environ,
            "CIRCULAR_DATABASE_URL": database or own_database.address(),
            "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        yield child, int(child.stdout.readline())
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def send(port: int, name: str, acknowledged: list[str]) -> None:
    mail = f"From: x@elsewhere.example\r\nMessage-ID: <{name}@x>\r\n\r\n{name}\r\n".encode()
    with smtplib.LMTP("127.0.0.1", port, timeout=20) as client:
        if client.sendmail("x@elsewhere.example", [DRAFTS], mail) == {}:
            acknowledged.append(name)


def stored() -> set[str]:
    raws = Blob.objects.filter(digest__in=IncomingMail.objects.values("raw"))
    return {bytes(blob.content).split()[-1].decode() for blob in raws}


def test_every_message_that_was_acknowledged_survives_the_kill_of_the_door() -> None:
    acknowledged: list[str] = []
    with door() as (child, port):

        def sender(first: int) -> None:
            for number in range(first, first + 200):
                try:
                    send(port, f"m{number}", acknowledged)
                except (OSError, smtplib.SMTPException):
                    return

        threads = [threading.Thread(target=sender, args=(first,)) for first in (0, 1000, 2000)]
        for thread in threads:
            thread.start()
        while len(acknowledged) < 60:
            threading.Event().wait(0.01)
        child.kill()
        for thread in threads:
            thread.join(30)

    assert set(acknowledged) <= stored()
    assert len(acknowledged) >= 60


def test_a_database_connection_that_breaks_costs_a_retry_and_no_message() -> None:
    acknowledged: list[str] = []
    with door() as (_child, port):
        send(port, "antes", acknowledged)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        codes: list[int] = []
        while "despues" not in acknowledged and len(codes) < 3:
            try:
                send(port, "despues", acknowledged)
            except smtplib.SMTPDataError as refused:
                codes.append(refused.smtp_code)

    assert set(codes) <= {451}

    assert acknowledged == ["antes", "despues"]
    assert stored() == {"antes", "despues"}


def test_what_is_handed_in_twice_is_stored_once() -> None:
    acknowledged: list[str] = []
    with door() as (_child, port):
        send(port, "igual", acknowledged)
        send(port, "igual", acknowledged)

    assert acknowledged == ["igual", "igual"]
    assert IncomingMail.objects.get().repeats == 1


def test_a_door_whose_database_is_down_tells_the_sender_to_come_again() -> None:
    with (
        door("postgresql://nobody:x@127.0.0.1:1/none") as (_child, port),
        pytest.raises(smtplib.SMTPRecipientsRefused) as refused,
    ):
        send(port, "x", [])

    assert refused.value.recipients[DRAFTS][0] == 451


def in_threads(*works: Callable[[], object]) -> None:
    """Do several things at once, each over a database connection of its own."""

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def known_account(address: str) -> None:
    import_accounts(
        f"address;groups\n{address};student\n".encode(),
        name="c.csv",
        keep_good=False,
        confirm=True,
        by=SYSTEM,
    )


def arrivals(count: int, *, same_words: bool) -> list[int]:
    return services.store_arrivals(
        [
            Arrival(
                raw=(
                    f"From: ana@unimacizo.example\r\nMessage-ID: <{n}@x>\r\n\r\n"
                    f"{'igual' if same_words else n}\r\n"
                ).encode(),
                mail_from="ana@unimacizo.example",
                rcpt_to=(DRAFTS,),
                door=Door.LMTP,
            )
            for n in range(count)
        ]
    )


def test_copies_sorted_at_the_same_moment_are_one_draft() -> None:
    known_account("ana@unimacizo.example")
    ids = arrivals(4, same_words=True)

    in_threads(*(partial(services.sort_incoming, number) for number in ids))

    assert Request.objects.count() == 1
    assert set(IncomingMail.objects.values_list("state", flat=True)) == {"sorted"}


def test_one_message_sorted_by_four_workers_at_once_is_sorted_once() -> None:
    known_account("ana@unimacizo.example")
    (number,) = arrivals(1, same_words=True)

    in_threads(*(partial(services.sort_incoming, number) for _ in range(4)))

    assert Request.objects.count() == 1
    assert Entry.objects.filter(act="mail_sorted").count() == 1


def test_workers_that_sort_side_by_side_never_wait_for_each_other_in_a_circle() -> None:
    known_account("ana@unimacizo.example")
    ids = arrivals(8, same_words=False)

    in_threads(
        *(
            partial(lambda some: [services.sort_incoming(n) for n in some], ids[k::4])
            for k in range(4)
        )
    )

    assert IncomingMail.objects.filter(state="sorted", attempts=1).count() == 8
    assert Request.objects.count() == 8
