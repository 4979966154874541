"""The front door with its real database: what was acknowledged is there, whatever is killed afterwards."""

import os
import smtplib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from django.db import connection

from circular.evidence.models import Blob
from circular.intake.models import IncomingMail
from circular.people.models import Institution

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


def database_url() -> str:
    """Name the test's own database as a child process reads it."""
    facts = connection.settings_dict
    return (
        f"postgresql://{quote(facts['USER'])}:{quote(facts['PASSWORD'])}"
        f"@{facts['HOST']}:{facts['PORT']}/{facts['NAME']}"
    )


@contextmanager
def door() -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run the door in a process of its own, so that it can be killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env={
            **os.environ,
            "CIRCULAR_DATABASE_URL": database_url(),
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
