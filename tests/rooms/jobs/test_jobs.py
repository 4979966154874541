"""Jobs: they exist when the act's transaction commits, run at least once, and fail as recorded facts."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import pytest
from django.db import connection, transaction

from circular import jobs
from circular.evidence.chain import HOUSE
from circular.evidence.queries import entries_of

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True, slots=True)
class Greet(jobs.Job):
    """A job of this test."""

    name: ClassVar[str] = "test.greet"
    whom: int


@dataclass(frozen=True, slots=True)
class Stumble(jobs.Job):
    """A job that fails."""

    name: ClassVar[str] = "test.stumble"


@dataclass(frozen=True, slots=True)
class Tick(jobs.Job):
    """A round."""

    name: ClassVar[str] = "test.tick"


class StumbledError(Exception):
    """An error whose text holds what must not be recorded."""

    code = "stumbled"


greeted: list[int] = []
ticked = threading.Semaphore(0)


@jobs.runs(Greet)
def greet(job: Greet) -> None:
    """Remember whom."""
    greeted.append(job.whom)


@jobs.runs(Stumble)
def stumble(_: Stumble) -> None:
    """Fail."""
    raise StumbledError("anna@example.org")


@jobs.runs(Tick, every=timedelta(milliseconds=200))
def tick(_: Tick) -> None:
    """Count."""
    ticked.release()


@pytest.fixture(autouse=True)
def _nobody_greeted(transactional_db: None) -> Iterator[None]:
    greeted.clear()
    with (
        connection.cursor() as cursor
    ):  # the test runner does not empty tables that are not Django's
        cursor.execute("DELETE FROM procrastinate_jobs")
    yield
    greeted.clear()


def waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
        (count,) = cursor.fetchone() or (0,)
        return int(count)


def test_a_job_enqueued_in_a_committed_act_is_done() -> None:
    with transaction.atomic():
        jobs.enqueue(Greet(7))

    jobs.drain()

    assert greeted == [7]
    assert waiting() == 0


def test_a_job_enqueued_in_an_act_that_failed_never_existed() -> None:
    with transaction.atomic():
        jobs.enqueue(Greet(7))
        transaction.set_rollback(True)

    jobs.drain()

    assert greeted == []


def test_a_failed_job_ends_as_an_entry_without_its_text_and_the_next_job_is_done() -> None:
    jobs.enqueue(Stumble())
    jobs.enqueue(Greet(8))

    jobs.drain()

    [entry] = entries_of(HOUSE, act="job_failed")
    assert entry.facts == {"job": "test.stumble", "error": "stumbled"}
    assert greeted == [8]


def test_the_same_failure_soon_again_is_no_news() -> None:
    for _ in range(3):
        assert not jobs.run(Stumble())

    assert len(entries_of(HOUSE, act="job_failed")) == 1


def test_a_worker_does_rounds_until_it_is_told_to_stop() -> None:
    async def work() -> None:
        stop = asyncio.Event()
        worker = asyncio.create_task(jobs.run_worker(stop))
        for _ in range(3):
            assert await asyncio.to_thread(ticked.acquire, timeout=10)
        stop.set()
        await asyncio.wait_for(worker, timeout=10)

    asyncio.run(work())


def test_a_worker_whose_connections_are_cut_goes_on_working() -> None:
    connection.close()  # the test's own would be cut too

    async def work() -> None:
        stop = asyncio.Event()
        worker = asyncio.create_task(jobs.run_worker(stop))
        assert await asyncio.to_thread(ticked.acquire, timeout=10)
        await asyncio.to_thread(cut_all_other_connections)
        while ticked.acquire(blocking=False):
            pass
        for _ in range(4):
            assert await asyncio.to_thread(ticked.acquire, timeout=30)
        stop.set()
        await asyncio.wait_for(worker, timeout=20)

    asyncio.run(work())


def test_a_job_whose_worker_died_is_done_by_another() -> None:
    jobs.enqueue(Greet(9))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing'")  # and nobody does it

    async def work() -> None:
        stop = asyncio.Event()
        worker = asyncio.create_task(jobs.run_worker(stop))
        for _ in range(100):
            if greeted:
                break
            await asyncio.sleep(0.1)
        stop.set()
        await asyncio.wait_for(worker, timeout=20)

    asyncio.run(work())

    assert greeted == [9]


def cut_all_other_connections() -> None:
    """Do to the worker what a restart of PostgreSQL does."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    finally:
        connection.close()


def test_every_round_can_be_done_once_without_a_queue() -> None:
    while ticked.acquire(blocking=False):
        pass

    failed = jobs.run_rounds_once()

    assert failed == []
    assert ticked.acquire(blocking=False)
    assert waiting() == 0


def test_two_functions_cannot_claim_one_job() -> None:
    with pytest.raises(ValueError, match=r"test\.greet"):
        jobs.runs(Greet)(greet)
