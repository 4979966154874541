"""Jobs: what one transaction leaves for a worker to do soon, and rounds that find what was lost.

Rule 1: this is the only module that imports Procrastinate. Rooms name a `Job`, enqueue it inside
        their transaction (both or neither), and say in their `tasks.py` what runs it.
Rule 2: rooms hand over by database state; a job only shortens the wait. Everything a job does is
        also found by a periodic round, so a lost job is late work, never lost work.
Rule 3: jobs run at least once, in any order, perhaps twice at the same time: what they call is
        idempotent and locks what it changes.
Rule 4: `run` is one of the three loops that catch everything; a failed job is handed to the recorder
        (the archive), and its work is found again by a round.

When it fails: a worker that loses the database tries again until it is back; a job that was being
        done by a worker that died is done again once its heartbeat is older than STALLED_AFTER.
Known gaps: rounds are timed by each worker's monotonic clock, so that a wall clock going back stops
        nothing; with n workers a round may run up to n times per interval.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import ClassVar, TypeVar, cast

import procrastinate
import psycopg
from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections, transaction
from django.utils.module_loading import autodiscover_modules
from procrastinate import exceptions as queue_errors
from procrastinate.contrib.django import DjangoApp
from procrastinate.contrib.django import app as django_app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.jobs import Status as JobStatus

logger = logging.getLogger(__name__)

STALLED_AFTER = 60.0  # seconds: six missed heartbeats of Procrastinate's ten
POLL_EVERY = 5.0  # seconds, when a notification got lost (Procrastinate's own default)
RECONNECT_AFTER = 2.0  # seconds: PostgreSQL restarts within a few
CONCURRENCY = 4  # jobs at a time per worker; each has one thread and one connection


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work by name; its fields are ids and codes, stored as JSON."""

    name: ClassVar[str]


@dataclass(frozen=True, slots=True)
class SortIncoming(Job):
    """Look at one stored incoming message."""

    name: ClassVar[str] = "intake.sort"
    incoming: int


@dataclass(frozen=True, slots=True)
class SortIncomingRound(Job):
    """Look for stored messages that nobody sorted."""

    name: ClassVar[str] = "intake.sort_round"


@dataclass(frozen=True, slots=True)
class StartScheduled(Job):
    """Start the cases whose scheduled time has come."""

    name: ClassVar[str] = "workflow.start_scheduled"


@dataclass(frozen=True, slots=True)
class SettleRound(Job):
    """Look for sendings with nobody pending: TIC and Communications confirm."""

    name: ClassVar[str] = "followup.settle"


@dataclass(frozen=True, slots=True)
class SettleCase(Job):
    """Confirm one case whose sending has settled."""

    name: ClassVar[str] = "followup.settle_case"
    request: int


@dataclass(frozen=True, slots=True)
class VerifyCase(Job):
    """Look whether one confirmed sending really was sent."""

    name: ClassVar[str] = "followup.verify_case"
    request: int


@dataclass(frozen=True, slots=True)
class CloseCase(Job):
    """Close one case with a positive verdict."""

    name: ClassVar[str] = "followup.close_case"
    request: int


@dataclass(frozen=True, slots=True)
class NoticeSilence(Job):
    """Remind or escalate about one duty."""

    name: ClassVar[str] = "followup.notice_silence"
    duty: int


@dataclass(frozen=True, slots=True)
class AnchorRound(Job):
    """Once a day send the house's head to the witnesses."""

    name: ClassVar[str] = "followup.anchor"


@dataclass(frozen=True, slots=True)
class VerifyRound(Job):
    """Check the sendings that wait for verification, and close what is verified."""

    name: ClassVar[str] = "followup.verify"


@dataclass(frozen=True, slots=True)
class RemindRound(Job):
    """Remind the posts that owe an act, escalate, and let stale drafts lapse."""

    name: ClassVar[str] = "followup.remind"


@dataclass(frozen=True, slots=True)
class NoteHeads(Job):
    """Note the chains' heads on the house."""

    name: ClassVar[str] = "evidence.note_heads"


@dataclass(frozen=True, slots=True)
class WatchClock(Job):
    """Notice a clock that went back."""

    name: ClassVar[str] = "evidence.watch_clock"


@dataclass(frozen=True, slots=True)
class RecoverLeases(Job):
    """Look for leases whose worker is gone."""

    name: ClassVar[str] = "dispatch.recover_leases"


@dataclass(frozen=True, slots=True)
class FailedJob:
    """What the recorder is told: never a message text, which may hold an address."""

    name: str
    error: str  # the exception's class, or its stable code when it has one


AnyJob = TypeVar("AnyJob", bound=Job)
Work = Callable[[AnyJob], object]
Recorder = Callable[[FailedJob], object]


@dataclass(frozen=True, slots=True)
class _Registered:
    kind: type[Job]
    work: Callable[[Job], object]
    every: timedelta | None


_registered: dict[str, _Registered] = {}
_recorders: list[Recorder] = []


def runs(
    kind: type[AnyJob], *, every: timedelta | None = None
) -> Callable[[Work[AnyJob]], Work[AnyJob]]:
    """Say in a room's `tasks.py` which function does a kind of job.

    With `every` it is a round: enqueued when a worker starts and again after each interval.

    Raises:  ValueError when two functions claim one name
    """

    def register(work: Work[AnyJob]) -> Work[AnyJob]:
        if kind.name in _registered:
            raise ValueError(f"two functions run {kind.name}")
        _registered[kind.name] = _Registered(kind, cast("Callable[[Job], object]", work), every)
        return work

    return register


def record_failures_with(recorder: Recorder) -> None:
    """Register what writes down a failed job; the archive does so when Django starts."""
    if recorder not in _recorders:
        _recorders.append(recorder)


def enqueue(job: Job) -> None:
    """Leave a job for a worker, in the caller's transaction: it exists when that commits.

    Repeat:  two jobs; what they call is idempotent
    """
    django_app.configure_task(job.name).defer(**asdict(job))


def enqueue_all(jobs: Sequence[Job]) -> None:
    """Leave several jobs of one kind in one statement, in the caller's transaction.

    Repeat:  as `enqueue`
    """
    if jobs:
        django_app.configure_task(jobs[0].name).batch_defer(*(asdict(job) for job in jobs))


def run(job: Job) -> bool:
    """Do a job now; say whether it succeeded. A failure ends as a recorded fact, never as a crash.

    Raises:  whatever the recorder raises (the database is gone): the queue then keeps the job
    """
    if job.name not in _registered:  # whoever runs a single job has not met every room yet
        autodiscover_modules("tasks")
    registered = _registered[job.name]
    try:
        registered.work(job)
    except Exception as failure:
        logger.exception("job failed", extra={"job": job.name})
        close_old_connections()
        error = str(getattr(failure, "code", "") or type(failure).__name__)
        for recorder in _recorders:
            recorder(FailedJob(job.name, error))
        return False
    return True


class _JobFailedError(Exception):
    """Tells the queue that a job failed; what failed is recorded already."""


def _worker_app() -> procrastinate.App:
    """Build the app that a worker runs: own connections, one task per registered job."""
    connector = cast("DjangoConnector", django_app.connector).get_worker_connector()
    app = DjangoApp(connector=connector)
    for registered in _registered.values():
        app.task(name=registered.kind.name)(_entry(registered.kind))
    return app


def _entry(kind: type[Job]) -> Callable[..., None]:
    def enter(**fields: object) -> None:
        if not run(kind(**fields)):
            raise _JobFailedError(kind.name)

    return enter


async def run_worker(stop: asyncio.Event) -> None:
    """Do jobs until `stop` is set, surviving a database that restarts.

    Repeat:  several workers, in any number of processes, share the work
    """
    autodiscover_modules("tasks")
    rounds = asyncio.create_task(_keep_rounds(stop), name="rounds")
    try:
        while not stop.is_set():
            try:
                await _work_until(stop)
            except (queue_errors.ProcrastinateException, psycopg.Error) as lost:
                logger.warning("job queue lost", extra={"error": type(lost).__name__})
            await _pause(stop, RECONNECT_AFTER)
    finally:
        await rounds


async def _work_until(stop: asyncio.Event) -> None:
    app = _worker_app()
    async with app.open_async():
        working = asyncio.create_task(
            app.run_worker_async(
                concurrency=CONCURRENCY,
                fetch_job_polling_interval=POLL_EVERY,
                delete_jobs="always",
                install_signal_handlers=False,
            ),
            name="jobs",
        )
        stopping = asyncio.create_task(stop.wait())
        reviving = asyncio.create_task(_revive_stalled(app, stop))
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, reviving, working):
            task.cancel()  # the worker finishes what it is doing
        ends = await asyncio.gather(working, stopping, reviving, return_exceptions=True)
        if isinstance(ends[0], Exception):
            raise ends[0]


async def _revive_stalled(app: procrastinate.App, stop: asyncio.Event) -> None:
    """Put back jobs whose worker died while doing them: they are idempotent (Rule 3)."""
    while not stop.is_set():
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER):
            try:
                await app.job_manager.retry_job(job)
            except queue_errors.UniqueViolation:  # the same round waits already
                await app.job_manager.finish_job(job, JobStatus.FAILED, delete_job=True)
        await _pause(stop, STALLED_AFTER)


async def _keep_rounds(stop: asyncio.Event) -> None:
    """Enqueue every round at start and after each of its intervals."""
    loop = asyncio.get_running_loop()
    due = {
        name: loop.time()
        for name, registered in _registered.items()
        if registered.every is not None
    }
    while not stop.is_set() and due:
        for name, at in due.items():
            interval = _registered[name].every
            if interval is None or at > loop.time():
                continue
            due[name] = loop.time() + interval.total_seconds()
            try:
                await sync_to_async(_enqueue_round, thread_sensitive=False)(name)
            except (DatabaseError, queue_errors.ProcrastinateException) as lost:
                logger.warning("round not enqueued", extra={"error": type(lost).__name__})
        await _pause(stop, max(0.05, min(due.values()) - loop.time()))


def _enqueue_round(name: str) -> None:
    """Enqueue a round unless one is waiting already, in a transaction of its own."""
    close_old_connections()
    try:
        with transaction.atomic():
            django_app.configure_task(name, queueing_lock=name).defer()
    except queue_errors.AlreadyEnqueued:
        pass
    finally:
        close_old_connections()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
    except TimeoutError:
        return


def run_rounds_once() -> list[str]:
    """Do every round now, in this process; give the names of those that failed.

    For `circular worker --once` (cron, tests under a false clock): follow it with `drain`.
    """
    autodiscover_modules("tasks")
    return [
        name
        for name, registered in sorted(_registered.items())
        if registered.every is not None and not run(registered.kind())
    ]


def drain() -> None:
    """Do what waits in the queue, then return: the real queue, for tests and the command line."""

    async def until_idle() -> None:
        app = _worker_app()
        async with app.open_async():
            await app.run_worker_async(
                wait=False,
                listen_notify=False,
                concurrency=1,
                delete_jobs="always",
                install_signal_handlers=False,
            )

    autodiscover_modules("tasks")
    asyncio.run(until_idle())
