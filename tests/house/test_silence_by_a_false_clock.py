"""A case filed on a Friday at 17:00 before a holiday, by a false clock, judged from far mailboxes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from aiosmtpd.controller import Controller

import own_database
from circular.dispatch.models import Relay
from circular.workflow import services as desk
from circular.workflow.models import Duty, Request
from clerk import Cast, cast, draft
from ports import free_port

__all__ = ["cast", "draft"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
BOGOTA = ZoneInfo("America/Bogota")


def july(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Give a time of July 2026 in Bogotá: Friday the 10th, Monday the 13th a holiday."""
    return datetime(2026, 7, day, hour, minute, second, tzinfo=BOGOTA)


@dataclass(slots=True)
class FarMailboxes:
    """Takes every message and remembers to whom, what and with which date."""

    got: list[tuple[str, str, datetime]] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        message = message_from_bytes(envelope.content, policy=policy.default)
        at = parsedate_to_datetime(str(message["Date"])).astimezone(BOGOTA)
        self.got += [(rcpt, str(message["Subject"]), at) for rcpt in envelope.rcpt_tos]
        return "250 2.0.0 taken"

    def to_posts(self) -> list[tuple[str, datetime]]:
        """Give what the posts got, to the minute."""
        return [
            (rcpt, at.replace(second=0))
            for rcpt, _, at in self.got
            if rcpt.split("@")[0] in {"comunicaciones", "tic", "proceso"}
        ]


@pytest.fixture
def far() -> Iterator[FarMailboxes]:
    """Run the far side and make it our relay."""
    mailboxes = FarMailboxes()
    port = free_port()
    controller = Controller(mailboxes, hostname="127.0.0.1", port=port)
    controller.start()
    Relay.objects.create(name="lejos", host="127.0.0.1", port=port, security="none")
    try:
        yield mailboxes
    finally:
        controller.stop()


Work = Callable[[datetime], None]


@pytest.fixture
def work_at(require_program: Callable[[str, str], str], tmp_path: Path) -> Work:
    """Return what starts a real worker once, believing that it is another time."""
    faketime = require_program("faketime", "faketime")
    environment = own_database.environment(tmp_path) | {"TZ": "UTC"}

    def work(at: datetime) -> None:
        moment = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        ran = subprocess.run(
            [faketime, moment, sys.executable, "-m", "circular", "worker", "--once"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr[-3000:]

    return work


def test_reminders_leave_at_business_hours_over_a_long_weekend(
    cast: Cast, draft: int, far: FarMailboxes, work_at: Work
) -> None:
    with time_machine.travel(july(10, 17), tick=False):
        desk.file_request(draft, by=cast.anna)
    duty = Duty.objects.get(request=draft, stage="review")
    assert duty.due_at == july(14, 17)

    for moment in (
        july(10, 17, 1),  # Friday: the acknowledgement
        july(11, 10),  # Saturday
        july(13, 10),  # Monday, holiday
        july(14, 16, 55),  # Tuesday, five minutes before the limit
        july(14, 17, 0, 30),  # the limit: first reminder
        july(14, 17, 20),  # nothing more is due
        july(15, 17, 1),  # eight business hours on: second reminder
        july(16, 17, 2),  # and again: the process owner
    ):
        work_at(moment)

    assert far.to_posts() == [
        ("comunicaciones@uni.example", july(10, 17)),  # the request itself
        ("comunicaciones@uni.example", july(14, 17)),
        ("comunicaciones@uni.example", july(15, 17, 1)),
        ("proceso@uni.example", july(16, 17, 2)),
    ]
    assert Request.objects.get(pk=draft).state == "filed"
    number = Request.objects.get(pk=draft).filing_number
    assert all(str(number) in subject for _, subject, _ in far.got)
