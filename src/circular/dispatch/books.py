"""The sender's books: the one thread that talks to the database, in groups, and never forgets.

What sessions learn is written to the journal of this machine at once, and to the database together:
a commit serves everybody who was answered while the one before was under way, and nobody's answer
waits longer than `pace.record_every` for company or stands behind more than `pace.unrecorded`.

When it fails: a statement that lost its connection is done again until it succeeds: every one of
them may be repeated (its fence is the lease). Answers wait meanwhile, in memory and in the journal.
When leases cannot be renewed in time, or somebody took this worker for lost, nobody is handed over
any more (`hand_over` raises); the sender then starts afresh.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from circular.dispatch import grants, lending, recovery, services
from circular.dispatch.errors import FencedError, JournalBrokenError, NotAWorkerError
from circular.dispatch.journal import Journal
from circular.dispatch.lending import Batch
from circular.dispatch.pacing import Pace
from circular.dispatch.recovery import Recovered
from circular.mailing import queries as mailing
from circular.mailing.rendering import Press
from circular.outcomes.lines import Lent

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
RETRY_SECONDS = 0.5
MOST_PRESSES = 8
MOST_MISSES = 5
IDLE_TRANSACTION = "5s"  # ours take milliseconds
WORTH_A_COMMIT = 1000  # answers; the more at once, the less each costs: measured, flat from here


class Books:
    """Everything the sender reads from and writes to the database."""

    def __init__(self, pace: Pace, stop: asyncio.Event, folder: Path | None = None) -> None:
        self._pace = pace
        self._folder = recovery.verdict_folder() if folder is None else folder
        self._journal: Journal | None = None
        self._stop = stop
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="books")
        self._lock: BaseDatabaseWrapper | None = None
        self._locked = False
        self._misses = 0
        self._presses: dict[int, Press] = {}
        self._open: dict[int, Lent] = {}  # by lease: with somebody whose verdict is not recorded
        self._lasts_until = 0.0  # on this process's own clock: no lease is ours after this
        self._fenced = False
        self._facts: list[tuple[Lent, str]] = []
        self._unwritten: list[str] = []  # lines for the journal, and the leases in them
        self._unwritten_leases: set[int] = set()
        self._wanted = asyncio.Event()
        self._recorded = asyncio.Event()
        self._closing = False
        self.unrecorded = self.most_unrecorded = 0
        self.worker = 0

    # -- the thread ---------------------------------------------------------------------------

    async def ask(self, question: Callable[[], Answer]) -> Answer:
        """Run something in the books' thread, again and again while the database is away.

        Raises:  the database's error, once we are asked to stop and have waited long enough
        """
        loop = asyncio.get_running_loop()
        away_since: float | None = None
        while True:
            try:
                return await loop.run_in_executor(self._thread, self._attempt, question)
            except (OperationalError, InterfaceError) as away:
                logger.warning("database away", extra={"error": type(away).__name__})
                away_since = loop.time() if away_since is None else away_since
                if self._stop.is_set() and loop.time() - away_since > self._pace.stop_within:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    def _attempt(self, question: Callable[[], Answer]) -> Answer:
        try:
            if connection.connection is None:
                self._limit_idle_transactions()
            return question()
        except DatabaseError:
            connection.close()
            raise

    def _limit_idle_transactions(self) -> None:
        """Let the server end our transaction when this process freezes within one.

        Its locks would stop every other worker on the same mailing.
        """
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_TRANSACTION}'")

    # -- being a worker -----------------------------------------------------------------------

    async def open(self, *, journal: bool = True) -> int:
        """Register this process as a worker and hold its lock; gives its number."""
        self.worker = await self.ask(lambda: self._register(journal))
        return self.worker

    def _register(self, journal: bool) -> int:
        began = time.monotonic()
        worker, key = services.register_worker(on=self._lock_connection())
        self._locked = True
        self._fenced = False
        self._lasts_until = began + self._pace.lease
        if journal:
            try:
                self._journal = Journal(self._folder, key)
            except JournalBrokenError as broken:
                logger.warning("no journal", extra={"error": str(broken)})
        return worker

    @property
    def must_start_afresh(self) -> bool:
        """Whether this worker's leases are no permission any more, or cannot be kept safe."""
        return self._fenced

    async def start_afresh(self) -> None:
        """Become another worker; who is on loan to the one before is settled, or recovered."""
        self._write_down()
        old, journal = self.worker, self._journal
        self._open.clear()
        self._journal = None
        broken = journal is not None and not journal.is_fenced
        if journal is not None:
            journal.close(finished=False)
        await self.ask(lambda: self._let_go(old))
        await self.open(journal=not broken)
        logger.warning("started afresh", extra={"was": old, "worker": self.worker})

    def _let_go(self, worker: int) -> None:
        services.end_worker(worker)
        if self._lock is not None:
            self._lock.close()
            self._locked = False

    def _lock_connection(self) -> BaseDatabaseWrapper:
        if self._lock is None:
            # A connection of its own: the ledger's may be closed at any time, the lock may not.
            self._lock = connections["default"].copy()
        return self._lock

    async def sign_of_life(self) -> None:
        """Renew the lock where its connection was lost, and the leases; note that we live."""
        lost = await self.ask(self._live)
        for lease in lost:
            self._open.pop(lease, None)
        if lost:
            logger.warning("leases were taken over", extra={"count": len(lost)})
            self._fenced = True

    def _live(self) -> set[int]:
        lock = self._lock_connection()
        try:
            if not self._locked:
                self._locked = services.hold_worker_lock(self.worker, lock)
            with lock.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:
            lock.close()
            self._locked = False
            raise
        # Whoever looks whether we live holds our lock for a moment: once or twice is no loss.
        self._misses = 0 if self._locked else self._misses + 1
        if self._misses > MOST_MISSES:
            raise NotAWorkerError(str(self.worker))
        services.sign_of_life(self.worker)
        began, known = time.monotonic(), set(self._open)
        ours = lending.renew_leases(self.worker, lasts=self._lends())
        self._lasts_until = began + self._pace.lease
        return known - ours

    def stop_keeping(self) -> None:
        """Let the keeper end once everything it has is written."""
        self._closing = True
        self._wanted.set()
        self._recorded.set()

    async def close(self) -> None:
        """Give the worker's number back and end the thread."""
        loop = asyncio.get_running_loop()
        finished = False
        try:
            if self.worker:
                await loop.run_in_executor(self._thread, self._let_go, self.worker)
                finished = not self._open and not self._facts
        except DatabaseError:
            logger.warning("left without saying so: recovery will notice")
        finally:
            if self._journal is not None:
                self._journal.close(finished=finished)
            await loop.run_in_executor(self._thread, connections.close_all)
            self._thread.shutdown(wait=True)

    # -- leases -------------------------------------------------------------------------------

    def _lends(self) -> timedelta:
        return timedelta(seconds=self._pace.lease)

    async def lease(
        self, mailing_id: int, *, relay: int, limit: int, paused_with: int | None = None
    ) -> tuple[Batch, Press | None] | None:
        """Borrow a batch and what it takes to print its copies."""
        return await self.ask(lambda: self._lease(mailing_id, relay, limit, paused_with))

    def _lease(
        self, mailing_id: int, relay: int, limit: int, paused_with: int | None
    ) -> tuple[Batch, Press | None] | None:
        batch = lending.lease_batch(
            mailing_id,
            relay=relay,
            worker=self.worker,
            limit=limit,
            lasts=self._lends(),
            paused_with=paused_with,
        )
        if batch is None:
            return None
        if paused_with is not None:
            grants.goes_on(mailing_id)
        self._open[batch.lent.lease] = batch.lent
        return batch, self._press(mailing_id)

    def _press(self, mailing_id: int) -> Press | None:
        if mailing_id in self._presses:
            return self._presses[mailing_id]
        try:
            press = mailing.press_for(mailing_id)
        except DatabaseError:
            raise
        except Exception:
            # Part of the SMTP session's loop (style.md §6.3): the mailing waits and says why.
            logger.exception("mailing cannot be printed", extra={"mailing": mailing_id})
            return None
        if len(self._presses) >= MOST_PRESSES:
            self._presses.pop(next(iter(self._presses)))
        self._presses[mailing_id] = press
        return press

    async def recover(self) -> Recovered:
        """Close what lost workers held, and what we hold without knowing."""
        return await self.ask(
            lambda: recovery.recover_leases(
                me=self.worker, known=set(self._open), folder=self._folder
            )
        )

    async def all_settled(self) -> None:
        """Wait until nobody leased here is without a recorded verdict."""
        while self._open or self._facts:
            self._recorded.clear()
            await self._recorded.wait()

    # -- handing over, and answers ------------------------------------------------------------

    def hand_over(self, lines: str, leases: Collection[int]) -> None:
        """Write down whose final dot is about to leave, and make sure that it still may.

        Raises:  FencedError, JournalBrokenError: it must not leave
        """
        if self._journal is not None:
            if self._unwritten:  # one write for what was answered and whom that makes room for
                lines = "".join([*self._unwritten, lines])
                leases = {*self._unwritten_leases, *leases}
                self._unwritten.clear()
                self._unwritten_leases.clear()
            try:
                self._journal.hand_over(lines, leases)
            except (FencedError, JournalBrokenError):
                self._fenced = True
                raise
        if self._fenced or time.monotonic() >= self._lasts_until:
            raise FencedError("lease_ran_out")

    def note(self, lent: Lent, lines: str, count: int) -> None:
        """Take verdicts of one lease, for the journal and then for the database.

        They are written down with the next hand-over, or before they are recorded: a session that
        has handed over nobody since holds no more than it may leave in doubt.
        """
        self._unwritten.append(lines)
        self._unwritten_leases.add(lent.lease)
        self._facts.append((lent, lines))
        self.unrecorded += count
        self.most_unrecorded = max(self.most_unrecorded, self.unrecorded)
        self._wanted.set()

    def _write_down(self) -> None:
        lines, leases = "".join(self._unwritten), set(self._unwritten_leases)
        self._unwritten.clear()
        self._unwritten_leases.clear()
        if self._journal is None or not lines:
            return
        try:
            self._journal.write(lines, leases)
        except JournalBrokenError as broken:
            if not self._fenced:
                logger.warning("the journal broke", extra={"error": str(broken)})
            self._fenced = True

    @property
    def is_full(self) -> bool:
        """Whether so many answers are unrecorded that nobody new is offered anything."""
        return self.unrecorded >= self._pace.unrecorded

    async def keep_facts(self, relieved: Callable[[], None] = lambda: None) -> None:
        """Record verdicts in groups until the books close and nothing is left."""
        while not self._closing or self._facts:
            await self._wanted.wait()
            if self.unrecorded < WORTH_A_COMMIT and not self._closing:
                await asyncio.sleep(self._pace.record_every)
            self._wanted.clear()
            facts, self._facts = self._facts, []
            if not facts:
                continue
            was_full = self.is_full
            self._write_down()
            try:
                await self.ask(lambda facts=facts: self._settle(facts))  # type: ignore[misc]
            except BaseException:
                self._facts = facts + self._facts
                raise
            self.unrecorded -= sum(lines.count("\n") for _, lines in facts)
            self._recorded.set()
            if was_full:
                relieved()

    def _settle(self, facts: list[tuple[Lent, str]]) -> None:
        lent = {one.lease: one for one, _ in facts}
        try:
            settled = lending.settle_offers(
                "".join(lines for _, lines in facts), lent=lent.values()
            )
        except (OperationalError, InterfaceError):
            raise
        except DatabaseError:
            self._settle_one_by_one(facts)
            return
        self._close(settled.over)

    def _settle_one_by_one(self, facts: list[tuple[Lent, str]]) -> None:
        """Record what can be: one verdict that the database refuses stops no other."""
        for lent, lines in facts:
            for line in lines.splitlines(keepends=True):
                try:
                    self._close(lending.settle_offers(line, lent=[lent]).over)
                except (OperationalError, InterfaceError):
                    raise
                except DatabaseError:
                    # The lease stays open: when we end, this person is in doubt, by name.
                    logger.exception("a verdict cannot be recorded", extra={"lease": lent.lease})

    def _close(self, leases: Iterable[int]) -> None:
        for lease in leases:
            self._open.pop(lease, None)
            if self._journal is not None:
                self._journal.closed(lease)
