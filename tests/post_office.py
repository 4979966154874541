"""A released mailing to as many people as wanted, a scripted sink relay, and a sender to run."""

import asyncio
import json
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.db import OperationalError, connections

from circular.config.bench.manner import rules_of
from circular.config.bench.relay import Manner, start_sink
from circular.directory.services import import_accounts
from circular.dispatch import services as dispatch
from circular.dispatch.journal import keys_in
from circular.dispatch.pacing import Pace
from circular.dispatch.sender import run
from circular.evidence.actors import SYSTEM
from circular.mailing.kinds import MailClass
from circular.mailing.models import Mailing, Recipient
from circular.people.models import Institution
from circular.smtp.session import Timeouts
from circulars import release_circular

QUICK = Pace(
    first_retry=0.2,
    longest_retry=0.5,
    first_rest=0.1,
    longest_rest=0.3,
    throttled_rest=0.1,
    quota_rest=0.1,
    poll=0.05,
    recover_every=0.2,
    idle_session=0.3,
    stop_within=3,
)
Release = Callable[..., int]
T = TypeVar("T")


async def apart(question: Callable[[], T]) -> T:
    """Ask the database in a thread of its own, and leave no connection behind."""

    def ask() -> T:
        try:
            return question()
        finally:
            connections.close_all()

    return await asyncio.to_thread(ask)


@pytest.fixture
def release(transactional_db: None) -> Release:
    Institution.objects.create(
        name="Universidad del Macizo",
        short_name="Unimacizo",
        domain="unimacizo.example",
        drafts_address="solicitudes@circular.unimacizo.example",
    )

    def make(count: int = 10, mail_class: MailClass = MailClass.INFORMATIVE) -> int:
        lines = ["address", *(f"p{number}@unimacizo.example" for number in range(count))]
        import_accounts(
            "\n".join(lines).encode(), name="prueba.csv", keep_good=False, confirm=True, by=SYSTEM
        )
        return release_circular(mail_class, witnesses=False)

    return make


@dataclass
class Far:
    """The far side: what the sink took, from its own file."""

    manner: Manner
    port: int
    relay: int
    _record: Path = field(repr=False, default=Path())

    def took(self) -> list[str]:
        return [row["rcpt"] for row in self.rows()]

    async def has_taken(self, count: int) -> None:
        """Wait until so many copies stand in the file."""
        while len(self.took()) < count:  # noqa: ASYNC110 - a file is no event
            await asyncio.sleep(0.01)

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._record.read_text("utf-8").splitlines()]


Sink = Callable[..., AbstractAsyncContextManager[Far]]


@pytest.fixture
def sink(tmp_path: Path) -> Sink:
    number = count()

    @asynccontextmanager
    async def start(script: str = "", *, connections: int = 3, **manner: Any) -> Any:
        record = tmp_path / f"record-{next(number)}.jsonl"
        record.touch()
        settings = Manner(rules=rules_of(script), record=record, **manner)
        server = await start_sink(settings)
        port = server.sockets[0].getsockname()[1]
        relay = await apart(
            lambda: dispatch.add_relay(
                name=f"sink-{port}",
                host="127.0.0.1",
                port=port,
                security="none",
                max_connections=connections,
                by=SYSTEM,
            )
        )
        try:
            yield Far(settings, port, relay, record)
        finally:
            server.close()
            settings.close()

    return start


def answered(done: Callable[[], bool]) -> bool:
    """Ask, and take a database that is away for a no."""
    try:
        return done()
    except OperationalError:
        return False


async def send_until(
    done: Callable[[], bool], *, within: float = 20, patience: float = 3, pace: Pace = QUICK
) -> None:
    """Run a sender until something is true of the database; fails when it takes too long."""
    stop = asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="verdicts-") as name:
        folder = Path(name)
        sender = asyncio.create_task(
            run(stop, pace=pace, timeouts=Timeouts.at_most(patience), folder=folder)
        )
        try:
            async with asyncio.timeout(within):
                while not await apart(lambda: answered(done)):
                    assert not sender.done(), sender
                    await asyncio.sleep(0.05)
        finally:
            stop.set()
            await sender
        assert not keys_in(folder)  # a sender that ends has nothing left to tell


def states(mailing_id: int) -> dict[str, int]:
    """The counters that are not nought, checked against the rows."""
    row = Mailing.objects.get(pk=mailing_id)
    names = ("pending", "accepted", "refused", "bounced", "suppressed", "in_doubt")
    found = {name: getattr(row, name) for name in names if getattr(row, name)}
    rows = list(Recipient.objects.filter(mailing=mailing_id).values_list("state", flat=True))
    assert found == {state: rows.count(state) for state in set(rows)}
    return found


def settled(mailing_id: int) -> Callable[[], bool]:
    """Whether nobody is pending."""
    return lambda: Mailing.objects.get(pk=mailing_id).state == "settled"
