"""The sender's books: the one thread that talks to the database, in groups, and never forgets.

Marks (who is being offered a message) and facts (what became of it) come from many sessions at
once; they are collected while the statement before is under way and written together, so a commit
serves many people and still nobody's final dot leaves before their mark is durable.

When it fails: a statement that lost its connection is done again until it succeeds: every one of
them may be repeated (its fence is the lease). Facts wait meanwhile, in memory and in the journal of
this machine; without either their people are in doubt, which is the truth.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from circular.dispatch import services
from circular.dispatch.errors import NotAWorkerError
from circular.dispatch.journal import Journal
from circular.dispatch.pacing import Pace
from circular.dispatch.services import Batch
from circular.mailing import queries as mailing
from circular.mailing.rendering import Press, RecipientFacts
from circular.outcomes.verdicts import OutcomeFact

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
RETRY_SECONDS = 0.5
FACTS_WAIT_SECONDS = 0.05  # for company: one commit serves many people
MOST_FACTS_AT_ONCE = 500
MOST_PRESSES = 8
MOST_MISSES = 5
IDLE_TRANSACTION = "5s"  # ours take milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A batch with everything needed to print its copies."""

    batch: Batch
    press: Press | None  # None: the content is gone or cannot be printed
    people: dict[int, RecipientFacts]


class Books:
    """Everything the sender reads from and writes to the database."""

    def __init__(self, pace: Pace, stop: asyncio.Event, folder: Path | None = None) -> None:
        self._pace = pace
        self._folder = services.verdict_folder() if folder is None else folder
        self._journal: Journal | None = None
        self._stop = stop
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="books")
        self._lock: BaseDatabaseWrapper | None = None
        self._locked = False
        self._misses = 0
        self._presses: dict[int, Press] = {}
        self._open: dict[int, set[int]] = {}  # lease → people without a recorded verdict
        self._marks: dict[int, asyncio.Future[bool]] = {}
        self._facts: list[tuple[int, OutcomeFact]] = []
        self._marks_wanted = asyncio.Event()
        self._facts_wanted = asyncio.Event()
        # Marked, without a verdict on this machine: whom a kill at this moment leaves in doubt.
        self._at_risk: set[int] = set()
        self._recorded = asyncio.Event()
        self._closing = False
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

    async def open(self) -> int:
        """Register this process as a worker and hold its lock; gives its number."""
        self.worker = await self.ask(self._register)
        return self.worker

    def _register(self) -> int:
        worker, key = services.register_worker(on=self._lock_connection())
        self._locked = True
        self._journal = Journal(self._folder, key)
        return worker

    def _lock_connection(self) -> BaseDatabaseWrapper:
        if self._lock is None:
            # A connection of its own: the ledger's may be closed at any time, the lock may not.
            self._lock = connections["default"].copy()
        return self._lock

    async def sign_of_life(self) -> None:
        """Renew the lock where its connection was lost, and note that we live."""
        await self.ask(self._hold)

    def _hold(self) -> None:
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

    def stop_keeping(self) -> None:
        """Let the keepers end once everything they have is written."""
        self._closing = True
        self._facts_wanted.set()
        self._marks_wanted.set()
        self._recorded.set()

    async def close(self) -> None:
        """Give the worker's number back and end the thread."""
        loop = asyncio.get_running_loop()
        try:
            if self.worker:
                await loop.run_in_executor(self._thread, self._leave)
        except DatabaseError:
            logger.warning("left without saying so: recovery will notice")
        finally:
            if self._journal is not None:
                self._journal.close()
            await loop.run_in_executor(self._thread, connections.close_all)
            self._thread.shutdown(wait=True)

    def _leave(self) -> None:
        services.end_worker(self.worker)
        if self._lock is not None:
            self._lock.close()

    # -- leases -------------------------------------------------------------------------------

    def _lends(self) -> timedelta:
        return timedelta(seconds=self._pace.lease)

    async def lease(self, mailing_id: int, *, relay: int, limit: int) -> Loan | None:
        """Borrow a batch and what it takes to print its copies."""
        return await self.ask(lambda: self._lease(mailing_id, relay, limit))

    def _lease(self, mailing_id: int, relay: int, limit: int) -> Loan | None:
        batch = services.lease_batch(
            mailing_id, relay=relay, worker=self.worker, limit=limit, lasts=self._lends()
        )
        if batch is None:
            return None
        self._open[batch.lease] = set(batch.recipients)
        return Loan(
            batch=batch,
            press=self._press(mailing_id),
            people=mailing.recipient_facts(batch.recipients),
        )

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

    async def recover(self) -> services.Recovered:
        """Close what lost workers held, and what we hold without knowing."""
        return await self.ask(
            lambda: services.recover_leases(
                me=self.worker, known=set(self._open), folder=self._folder
            )
        )

    async def all_settled(self) -> None:
        """Wait until nobody leased here is without a recorded verdict."""
        while self._open:
            self._recorded.clear()
            await self._recorded.wait()

    # -- marks --------------------------------------------------------------------------------

    async def mark(self, recipient: int) -> bool:
        """Make an offer durable; False when the lease is not ours any more."""
        future = self._marks.get(recipient)
        if future is None:
            future = self._marks[recipient] = asyncio.get_running_loop().create_future()
            self._marks_wanted.set()
        return await future

    async def keep_marks(self) -> None:
        """Write marks in groups until the books close; never more at risk than the pace allows."""
        while not self._closing:
            await self._marks_wanted.wait()
            self._marks_wanted.clear()
            while self._marks and not self._closing:
                people = list(islice(self._marks, max(self._pace.at_risk - len(self._at_risk), 0)))
                if not people:
                    self._recorded.clear()
                    await self._recorded.wait()
                    continue
                marked = await self.ask(lambda people=people: self._mark(people))  # type: ignore[misc]
                self._at_risk |= marked
                for recipient in people:
                    future = self._marks.pop(recipient)
                    if not future.done():
                        future.set_result(recipient in marked)

    def _mark(self, people: Iterable[int]) -> set[int]:
        return services.mark_offered(list(people), worker=self.worker, lasts=self._lends())

    # -- facts --------------------------------------------------------------------------------

    def note(self, lease: int, fact: OutcomeFact) -> None:
        """Take a verdict; it is on this machine at once, and soon in the database."""
        if self._journal is not None:
            self._journal.write(lease, fact)
            if self._journal.works:
                self._no_longer_at_risk([fact.recipient])
        self._facts.append((lease, fact))
        self._facts_wanted.set()

    def _no_longer_at_risk(self, recipients: Iterable[int]) -> None:
        self._at_risk.difference_update(recipients)
        self._recorded.set()

    async def keep_facts(self) -> None:
        """Record verdicts in groups until the books close and nothing is left."""
        while not self._closing or self._facts:
            await self._facts_wanted.wait()
            if len(self._at_risk) < self._pace.at_risk and not self._closing:
                await asyncio.sleep(FACTS_WAIT_SECONDS)
            self._facts_wanted.clear()
            while self._facts:
                group = self._facts[:MOST_FACTS_AT_ONCE]
                del self._facts[:MOST_FACTS_AT_ONCE]
                by_lease: dict[int, list[OutcomeFact]] = {}
                for lease, fact in group:
                    by_lease.setdefault(lease, []).append(fact)
                for lease, facts in by_lease.items():
                    await self.ask(lambda lease=lease, facts=facts: self._settle(lease, facts))  # type: ignore[misc]
                recorded = [fact.recipient for _, fact in group]
                if self._journal is not None:
                    self._journal.recorded(recorded)
                self._no_longer_at_risk(recorded)

    def _settle(self, lease: int, facts: list[OutcomeFact]) -> None:
        left = self._open.get(lease, set()) - {fact.recipient for fact in facts}
        try:
            services.settle_offers(facts, lease=lease, closes=not left)
        except (OperationalError, InterfaceError):
            raise
        except DatabaseError:
            if len(facts) == 1:
                # The lease stays open: when it runs out, this person is in doubt, by name.
                logger.exception("a verdict cannot be recorded", extra={"lease": lease})
                return
            for fact in facts:
                self._settle(lease, [fact])
            return
        if left:
            self._open[lease] = left
        else:
            self._open.pop(lease, None)
