"""The sender: takes what waits, offers it to a relay over as many sessions as it takes well.

One process, one event loop, one thread for the database (`books`). Three kinds of task:
    the feeder    looks who waits, leases batches, keeps a short queue, the most urgent in front;
    the sessions  each takes people from the queue, two at a time with PIPELINING, one without;
    the keepers   write marks and facts, renew the lock, recover what lost workers held.

Rules
1. A session opens before anybody is leased: a relay that is down costs nobody a lease.
2. A body leaves after its mark is durable (`books.mark`), never before.
3. Whatever ends a session settles everybody on it: the SMTP core says how, `trouble` what it means.
4. Pause and cancel stop the queue within `pace.poll`; what is on a session is finished.

When it fails: relay trouble lets the relay rest and is a row, an entry and, for circulars, a pause
that names its reason; a database that is away holds everything until it is back; anything
unforeseen in a session ends that session only, its people settled as the core says.

Length: the three kinds of task share the queue and what is under way; each would need the others.
Known gaps: one relay at a time (the next one only while the first rests); quotas and weights come
with the issue "The post office".
"""

import asyncio
import contextlib
import heapq
import logging
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from django.utils import timezone

from circular.dispatch import queries, services
from circular.dispatch.batching import BATCH, Waiting, next_batch
from circular.dispatch.books import Books, Loan
from circular.dispatch.dialling import dial, trouble_of
from circular.dispatch.pacing import DEFAULT_PACE, Pace, retry_after
from circular.dispatch.queries import RelayAccess
from circular.dispatch.trouble import Meaning, Scope, Trouble, meaning_of, trouble_of_session
from circular.mailing.rendering import Press, RecipientFacts, RenderedMessage
from circular.outcomes import services as outcomes
from circular.outcomes.verdicts import OutcomeFact, Source, Verdict
from circular.people.queries import institution
from circular.smtp.events import Lost, Settled
from circular.smtp.protocol import Envelope
from circular.smtp.session import Session, SessionFailedError, Timeouts

logger = logging.getLogger(__name__)

DEPTH = 2  # offers in flight on a session with PIPELINING: one answered while the next is said
MESSAGES_PER_SESSION = 500  # then a fresh connection, so that a load balancer can do its work
REFUSALS_IN_A_ROW = 25  # with nobody accepted in between: the circular pauses and asks a person
EXPIRE_EVERY = 10.0  # seconds
LAST_SECONDS = 3.0  # for the database to take what is left, once we are asked to stop


@dataclass(order=True, slots=True)
class _Job:
    """One person who is leased and waits for a session; the smallest goes first."""

    priority: int
    number: int
    recipient: int = field(compare=False)
    mailing: int = field(compare=False)
    lease: int = field(compare=False)
    press: Press | None = field(compare=False)
    person: RecipientFacts = field(compare=False)
    attempts: int = field(compare=False)
    is_lost: bool = field(compare=False, default=False)  # its lease is not ours any more


class Sender:
    """One sender process; `run` is the whole of its life."""

    def __init__(
        self,
        stop: asyncio.Event,
        *,
        pace: Pace = DEFAULT_PACE,
        timeouts: Timeouts | None = None,
        until_idle: bool = False,
        folder: Path | None = None,
    ) -> None:
        self._stop = stop
        self._until_idle = until_idle
        self._pace = pace
        self._timeouts = timeouts
        self._books = Books(pace, stop, folder)
        self._dice = random.Random()  # noqa: S311 - spreads waits, guards nothing
        self._queue: list[_Job] = []
        self._queued = asyncio.Condition()
        self._hungry = asyncio.Event()
        self._under_way: Counter[int] = Counter()
        self._waiting: list[Waiting] = []
        self._number = 0
        self._sessions: dict[asyncio.Task[None], int] = {}  # task → relay
        self._ready: Counter[int] = Counter()  # relay → sessions past the greeting
        self._cap: dict[int, int] = {}  # relay → sessions that it takes well
        self._refusals: Counter[int] = Counter()  # mailing → refused in a row
        self._broken_off: Counter[int] = Counter()  # recipient → sessions that ended on them
        self._marking: set[asyncio.Task[None]] = set()
        self._domain = ""

    async def run(self) -> None:
        """Send until told to stop; then finish what is on the sessions and give the rest back."""
        await self._books.open()
        await self._books.recover()
        keepers = [
            asyncio.create_task(self._books.keep_marks(), name="marks"),
            asyncio.create_task(self._books.keep_facts(), name="facts"),
        ]
        rounds = [
            asyncio.create_task(self._keep_house(), name="house"),
            asyncio.create_task(self._feed(), name="feeder"),
        ]
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([stopping, *keepers, *rounds], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stop.set()
            stopping.cancel()
            for task in rounds:
                task.cancel()
            await asyncio.gather(*rounds, return_exceptions=True)
            await self._wind_up()
            self._books.stop_keeping()
            await asyncio.wait(keepers, timeout=LAST_SECONDS)
            for task in keepers:
                task.cancel()
            ends = await asyncio.gather(*keepers, *rounds, return_exceptions=True)
            await self._books.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _wind_up(self) -> None:
        """Let sessions finish what they hold, within reason; give back what waits."""
        self._give_back(lambda _: True)
        async with self._queued:
            self._queued.notify_all()
        if self._sessions:
            _, late = await asyncio.wait(self._sessions, timeout=self._pace.stop_within)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=LAST_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await self._books.all_settled()

    # -- rounds -------------------------------------------------------------------------------

    async def _keep_house(self) -> None:
        loop = asyncio.get_running_loop()
        expire_at = loop.time()
        while True:
            await self._books.sign_of_life()
            found = await self._books.recover()
            if found.leases or found.replayed:
                logger.info("leases recovered", extra=asdict(found))
                self._hungry.set()
            if loop.time() >= expire_at:
                expire_at = loop.time() + EXPIRE_EVERY
                await self._books.ask(outcomes.expire_overdue)
                self._domain = await self._books.ask(lambda: institution().domain)
            await asyncio.sleep(self._pace.recover_every)

    async def _feed(self) -> None:
        """Look who waits, keep sessions for them, and keep the queue short but never empty."""
        while True:
            now = timezone.now()
            self._waiting = await self._books.ask(lambda now=now: queries.waiting(now))  # type: ignore[misc]
            await self._give_back_what_may_not_leave()
            relays = await self._books.ask(queries.relays_in_use)
            if not relays and self._waiting:
                await self._books.ask(services.note_missing_relay)
            relay = _usable(relays, now)
            if relay is None:
                self._give_back(lambda _: True)  # another host may reach a relay that we cannot
            else:
                self._keep_sessions(relay)
                await self._fill_queue(relay)
            if self._until_idle and self._is_idle(relay):
                self._stop.set()
            self._hungry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.poll):
                    await self._hungry.wait()

    def _is_idle(self, relay: RelayAccess | None) -> bool:
        """Whether nothing can be done now: nobody waits, or no relay takes mail."""
        nobody = not self._waiting and not self._queue
        return (nobody or relay is None) and not self._under_way

    async def _give_back_what_may_not_leave(self) -> None:
        queued = list({job.mailing for job in self._queue})
        if not queued:
            return
        leasable = await self._books.ask(lambda: queries.leasable_among(queued))
        self._give_back(lambda job: job.mailing not in leasable)

    def _give_back(self, unwanted: Callable[[_Job], bool]) -> None:
        """Return people who were leased and not offered: they wait again, at once."""
        returned = [job for job in self._queue if unwanted(job)]
        if returned:
            self._queue = [job for job in self._queue if not unwanted(job)]
            heapq.heapify(self._queue)
        for job in returned:
            self._settle(job, Verdict.UNTRIED, timezone.now())

    async def _fill_queue(self, relay: RelayAccess) -> None:
        waiting = list(self._waiting)
        while self._ready[relay.id]:
            short = len(self._queue) < 2 * DEPTH * max(self._ready[relay.id], 4)
            pick = next_batch(waiting, self._under_way, BATCH if short else 0)
            if pick is None:
                return
            loan = await self._books.lease(pick.mailing, relay=relay.id, limit=pick.limit)
            if loan is None or len(loan.batch.recipients) < pick.limit:
                waiting = [one for one in waiting if one.mailing != pick.mailing]
            if loan is not None:
                await self._queue_up(loan, pick.priority)
                self._keep_sessions(relay)

    async def _queue_up(self, loan: Loan, priority: int) -> None:
        for recipient, attempts in zip(loan.batch.recipients, loan.batch.attempts, strict=True):
            self._number += 1
            job = _Job(
                priority=priority,
                number=self._number,
                recipient=recipient,
                mailing=loan.batch.mailing,
                lease=loan.batch.lease,
                press=loan.press,
                person=loan.people[recipient],
                attempts=attempts,
            )
            self._under_way[job.mailing] += 1
            heapq.heappush(self._queue, job)
        async with self._queued:
            self._queued.notify(len(loan.batch.recipients))

    # -- sessions -----------------------------------------------------------------------------

    def _keep_sessions(self, relay: RelayAccess) -> None:
        """Have one session while somebody waits, and one more while the queue outgrows them."""
        if self._stop.is_set():
            return
        running = sum(1 for one in self._sessions.values() if one == relay.id)
        most = min(relay.max_connections, self._cap.get(relay.id, relay.max_connections))
        busy = running == self._ready[relay.id] and len(self._queue) > DEPTH * running
        if (running == 0 and (self._waiting or self._queue)) or (0 < running < most and busy):
            task = asyncio.create_task(self._man_session(relay), name=f"session-{relay.id}")
            self._sessions[task] = relay.id
            task.add_done_callback(lambda task: self._sessions.pop(task, None))

    async def _man_session(self, relay: RelayAccess) -> None:
        """Open a session and work on it until it ends; every end is a recorded fact."""
        try:
            session = await dial(relay, domain=self._domain, timeouts=self._timeouts)
        except SessionFailedError as failed:
            if self._ready[relay.id]:
                # The others work: it takes so many sessions and no more, which is no trouble.
                self._cap[relay.id] = self._ready[relay.id]
            else:
                detail = f"{failed.why}: {failed.detail}" if failed.detail else failed.why
                await self._note_trouble(relay, trouble_of(failed), detail)
            return
        offers: dict[int, _Job] = {}
        self._ready[relay.id] += 1
        try:
            self._hungry.set()
            await self._work(relay, session, offers)
        except Exception:
            # One of the three loops that catch everything (style.md §6.3): what the session's end
            # means for its people is settled below, by the core.
            logger.exception("session broke", extra={"relay": relay.id})
        finally:
            self._ready[relay.id] -= 1
            session.abandon("session_ended")
            for event in session.left_over():
                if isinstance(event, Settled):
                    self._digest(offers, event)

    async def _work(self, relay: RelayAccess, session: Session, offers: dict[int, _Job]) -> None:
        depth = DEPTH if session.capabilities.pipelining else 1
        most = min(session.capabilities.mail_max or MESSAGES_PER_SESSION, MESSAGES_PER_SESSION)
        begun = accepted = 0
        while True:
            while session.is_ready and len(offers) < depth and begun < most:
                job = self._next_job()
                if job is None:
                    break
                begun += self._offer(session, job, offers)
            if not offers and not session.has_events:
                if session.is_ready and begun < most and await self._somebody_waits():
                    continue
                await session.quit()
                return
            if offers and all(job.is_lost for job in offers.values()):
                session.abandon("lease_lost")  # no command takes back an envelope after its 354
            for event in await session.events():
                if isinstance(event, Lost) and not accepted:
                    # One that breaks off after work well done may go on at once.
                    trouble = trouble_of_session(event.why, event.phase, event.reply)
                    words = f": {event.reply.text}" if event.reply else ""
                    await self._note_trouble(relay, trouble, event.why + words)
                elif isinstance(event, Settled):
                    job, meaning = self._digest(offers, event)
                    accepted += meaning.verdict is Verdict.ACCEPTED
                    if accepted == 1 and meaning.verdict is Verdict.ACCEPTED:
                        await self._books.ask(
                            lambda: services.note_working(relay.id, size=session.capabilities.size)
                        )
                    if await self._act_on(relay, job, event, meaning):
                        most = 0  # finish what has begun here, take nobody else
            if not session.is_ready and not session.has_events:
                return

    def _offer(self, session: Session, job: _Job, offers: dict[int, _Job]) -> int:
        """Begin an offer; say how many have begun (none where the copy cannot be printed)."""
        if job.press is None:
            self._hold_back(job)
            return 0
        copy = _printed(job.press, job.person)
        if copy is None:
            reason = Trouble.MESSAGE_REFUSED.value
            self._settle(job, Verdict.REFUSED, timezone.now(), reason=reason, source=Source.POLICY)
            return 0
        offers[job.recipient] = job
        envelope = Envelope(
            key=job.recipient, sender=copy.envelope_from, recipients=(copy.rcpt,), raw=copy.raw
        )
        session.begin(envelope)
        if session.is_offering(job.recipient):
            self._soon(self._mark(session, job, offers))
        return 1

    def _hold_back(self, job: _Job) -> None:
        """Let everybody wait whose message nobody here can print: that is ours, not theirs."""
        self._broken_off[job.recipient] += 1
        wait = retry_after(self._broken_off[job.recipient], self._dice.random(), self._pace)
        now = timezone.now()
        self._settle(job, Verdict.UNTRIED, now, next_try=now + wait)
        self._soon(self._pause(job.mailing, Trouble.UNPRINTABLE))

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._marking.add(task)
        task.add_done_callback(self._marking.discard)

    async def _mark(self, session: Session, job: _Job, offers: dict[int, _Job]) -> None:
        """Make an offer durable while its commands travel; then its body may leave."""
        if await self._books.mark(job.recipient):
            session.clear(job.recipient)
            return
        job.is_lost = True
        if all(other.is_lost for other in offers.values()):
            session.abandon("lease_lost")

    def _digest(self, offers: dict[int, _Job], event: Settled) -> tuple[_Job, Meaning]:
        """Turn what the core says into a fact about one person."""
        job = offers.pop(event.key)
        meaning = meaning_of(event.verdict, event.phase, event.reply, event.why)
        now = timezone.now()
        next_try = None
        if meaning.verdict is Verdict.DEFERRED:
            next_try = now + retry_after(job.attempts + 1, self._dice.random(), self._pace)
        elif meaning.verdict is Verdict.UNTRIED:
            next_try = self._after_untried(job, meaning, now)
        reason = meaning.trouble.value if meaning.verdict is Verdict.REFUSED else ""
        self._settle(job, meaning.verdict, now, event=event, next_try=next_try, reason=reason)
        return job, meaning

    def _after_untried(self, job: _Job, meaning: Meaning, now: datetime) -> datetime | None:
        """Say when somebody is tried again who got no answer: at once, unless it keeps happening."""
        self._broken_off[job.recipient] += 1
        times = self._broken_off[job.recipient]
        if meaning.scope is not Scope.MAILING and times == 1:
            return None
        return now + retry_after(times, self._dice.random(), self._pace)

    def _settle(
        self,
        job: _Job,
        verdict: Verdict,
        at: datetime,
        *,
        event: Settled | None = None,
        next_try: datetime | None = None,
        reason: str = "",
        source: Source = Source.SMTP,
    ) -> None:
        reply = event.reply if event is not None else None
        self._under_way[job.mailing] -= 1
        if not self._under_way[job.mailing]:
            del self._under_way[job.mailing]
        if verdict is not Verdict.UNTRIED:
            self._broken_off.pop(job.recipient, None)
        fact = OutcomeFact(
            recipient=job.recipient,
            verdict=verdict,
            at=at,
            code=reply.code if reply else None,
            enhanced=reply.enhanced if reply else "",
            reply=reply.text if reply else (event.why if event else ""),
            next_try_at=next_try,
            reason=reason,
            source=source,
        )
        self._books.note(job.lease, fact)

    # -- trouble ------------------------------------------------------------------------------

    async def _act_on(
        self, relay: RelayAccess, job: _Job, event: Settled, meaning: Meaning
    ) -> bool:
        """Let the relay or the circular bear what is theirs; say whether this session is done."""
        if meaning.verdict is Verdict.ACCEPTED:
            self._refusals.pop(job.mailing, None)
        elif meaning.scope in (Scope.RELAY, Scope.SESSION) and meaning.trouble:
            detail = event.reply.text if event.reply else event.why
            await self._note_trouble(relay, meaning.trouble, detail)
            return True
        elif meaning.scope is Scope.MAILING:
            await self._pause(job.mailing, meaning.trouble)
        elif meaning.verdict is Verdict.REFUSED:
            self._refusals[job.mailing] += 1
            if self._refusals[job.mailing] >= REFUSALS_IN_A_ROW:
                await self._pause(job.mailing, Trouble.EVERYBODY_REFUSED)
        return False

    async def _pause(self, mailing_id: int, trouble: Trouble) -> None:
        self._refusals.pop(mailing_id, None)
        await self._books.ask(lambda: services.pause_circular(mailing_id, trouble))
        self._hungry.set()

    async def _note_trouble(self, relay: RelayAccess, trouble: Trouble, detail: str) -> None:
        logger.warning("relay in trouble", extra={"relay": relay.id, "trouble": trouble.value})
        dice = self._dice.random()
        await self._books.ask(
            lambda: services.note_trouble(
                relay.id, trouble, detail=detail, dice=dice, pace=self._pace
            )
        )
        self._hungry.set()

    def _next_job(self) -> _Job | None:
        if self._stop.is_set() or not self._queue:
            return None
        job = heapq.heappop(self._queue)
        if not self._queue:
            self._hungry.set()
        return job

    async def _somebody_waits(self) -> bool:
        """Wait for work as long as an idle connection is worth keeping."""
        self._hungry.set()
        try:
            async with asyncio.timeout(self._pace.idle_session), self._queued:
                await self._queued.wait_for(lambda: self._queue or self._stop.is_set())
        except TimeoutError:
            return False
        return not self._stop.is_set()


def _printed(press: Press, person: RecipientFacts) -> RenderedMessage | None:
    try:
        return press.print_copy(person)
    except Exception:
        # Part of the session's loop: a copy that cannot be printed is a fact about one person.
        logger.exception("copy cannot be printed", extra={"recipient": person.id})
        return None


def _usable(relays: Sequence[RelayAccess], now: datetime) -> RelayAccess | None:
    """Give the first relay that does not rest."""
    return next(
        (one for one in relays if one.resting_until is None or one.resting_until <= now), None
    )


async def run(
    stop: asyncio.Event,
    *,
    pace: Pace = DEFAULT_PACE,
    timeouts: Timeouts | None = None,
    until_idle: bool = False,
    folder: Path | None = None,
) -> None:
    """Send whatever is released until `stop` is set; in as many processes as wanted.

    With ``until_idle`` it ends by itself, too, when nobody waits whose time has come, or when no
    relay takes mail. ``folder`` holds the journal of verdicts (below the data folder, when none is
    given). Returns within about `pace.stop_within` and ten seconds of `stop`; what is on a
    session is finished or settled as the core says, what waits is given back.

    Raises:  the database's error, when that went away for good
    """
    await Sender(stop, pace=pace, timeouts=timeouts, until_idle=until_idle, folder=folder).run()
