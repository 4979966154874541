"""The sender: takes what waits, offers it to a relay over as many sessions as it takes well.

One process, one event loop, one thread for the database (`books`). Three kinds of task:
    the feeder    looks who waits, leases the next batch before the shelf is empty (`lots`);
    the sessions  each takes people from the shelf and hears what became of them (`line`);
    the keepers   record verdicts, renew lock and leases, recover what lost workers held.

Rules
1. A session opens before anybody is leased: a relay that is down costs nobody a lease.
2. Nobody's final dot leaves before it stands in the journal of this machine, under a lease of ours.
3. Pause and cancel empty the shelf within `pace.poll`; what is on a session is finished.

When it fails: relay trouble lets the relay rest and is a row, an entry and, for circulars, a pause
that names its reason; a database that is away holds everything until it is back; anything
unforeseen in a session ends that session only, its people settled as the core says.

Length: the three kinds of task share the shelf and the sessions; each would need the others.
"""

import asyncio
import contextlib
import gc
import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from django.utils import timezone

from circular.dispatch import grants, queries, services
from circular.dispatch.batching import BATCH, Waiting, batch_size, next_batch
from circular.dispatch.books import Books
from circular.dispatch.dialling import dial, effect_of_failure, trouble_of
from circular.dispatch.lending import Batch
from circular.dispatch.line import Line
from circular.dispatch.lots import Lot, Shelf
from circular.dispatch.pacing import DEFAULT_PACE, Pace, retry_after
from circular.dispatch.queries import RelayAccess
from circular.dispatch.traffic import Traffic
from circular.dispatch.trouble import (
    PAUSES_OF_ROUTES,
    Effect,
    Meaning,
    Scope,
    Trouble,
    effect_of_session,
    trouble_of_session,
)
from circular.mailing.rendering import Press, RecipientFacts
from circular.outcomes import services as outcomes
from circular.outcomes.lines import line_of
from circular.outcomes.verdicts import OutcomeFact, Verdict
from circular.people.queries import institution
from circular.smtp.events import Lost
from circular.smtp.session import Session, SessionFailedError, Timeouts

logger = logging.getLogger(__name__)

EXPIRE_EVERY = 10.0  # seconds
_COLLECT_RARELY = (50_000, 50, 1000)  # allocations, and younger rounds before an older one
_LOOK_SECONDS = 0.5  # between looks whether an idle session is still wanted
# Ends of our own making; a relay that announces CHUNKING and cannot gets DATA the next time.
_NO_TROUBLE = frozenset({"session_ended", "not_recorded", "chunking_refused"})
_WAITS_FOR_A_ROUTE = frozenset(trouble.value for trouble in PAUSES_OF_ROUTES)
LAST_SECONDS = 3.0  # for the database to take what is left, once we are asked to stop


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
        self.books = Books(pace, stop, folder)
        self.shelf = Shelf()
        self.traffic = Traffic()
        self._dice = random.Random()  # noqa: S311 - spreads waits, guards nothing
        self._hungry = asyncio.Event()
        self._waiting: list[Waiting] = []
        self._relays: Sequence[RelayAccess] = ()
        self._may_leave = False  # whether some relay takes some mailing that waits
        self._low_water: Counter[int] = Counter()  # relay → people below which more are leased
        self._stopping: set[int] = set()  # mailings whose pause is being recorded
        self._sessions: set[asyncio.Task[None]] = set()
        self._lines: dict[Line, Session] = {}
        self._broken_off: Counter[int] = Counter()  # recipient → sessions that ended on them
        self._errands: set[asyncio.Task[None]] = set()
        self._domain = ""
        self.reads = 0  # answers that came together count once: round trips that were waited for
        self._answered = 0
        self._per_second = 0.0
        self._looked_at = 0.0

    async def run(self) -> None:
        """Send until told to stop; then finish what is on the sessions and give the rest back."""
        await self.books.open()
        await self.books.recover()
        keeper = asyncio.create_task(self.books.keep_facts(self._wake), name="facts")
        rounds = [
            asyncio.create_task(self._keep_house(), name="house"),
            asyncio.create_task(self._feed(), name="feeder"),
        ]
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([stopping, keeper, *rounds], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stop.set()
            stopping.cancel()
            for task in rounds:
                task.cancel()
            await asyncio.gather(*rounds, return_exceptions=True)
            await self._wind_up()
            self.books.stop_keeping()
            await asyncio.wait([keeper], timeout=LAST_SECONDS)
            keeper.cancel()
            ends = await asyncio.gather(keeper, *rounds, return_exceptions=True)
            await self.books.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _wind_up(self) -> None:
        """Let sessions finish what they hold, within reason; give back what waits."""
        self._give_back(lambda _: True)
        if self._sessions:
            _, late = await asyncio.wait(self._sessions, timeout=self._pace.stop_within)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=LAST_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await self.books.all_settled()

    # -- rounds -------------------------------------------------------------------------------

    async def _keep_house(self) -> None:
        loop = asyncio.get_running_loop()
        expire_at = loop.time()
        while True:
            await self.books.sign_of_life()
            found = await self.books.recover()
            if found.leases or found.replayed:
                logger.info("leases recovered", extra=asdict(found))
                self._hungry.set()
            if loop.time() >= expire_at:
                expire_at = loop.time() + EXPIRE_EVERY
                await self.books.ask(outcomes.expire_overdue)
                self._domain = await self.books.ask(lambda: institution().domain)
            await asyncio.sleep(self._pace.recover_every)

    async def _feed(self) -> None:
        """Look who waits, keep sessions for them, and keep the shelf short but never empty."""
        loop = asyncio.get_running_loop()
        look_at = 0.0
        while True:
            if self.books.must_start_afresh:
                await self._start_afresh()
            if loop.time() >= look_at or not self._waiting:
                await self._look_around()
                look_at = loop.time() + self._pace.poll
            await self._fill_shelf()
            if self._until_idle and self._is_idle():
                self._stop.set()
            self._hungry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.poll):
                    await self._hungry.wait()

    async def _look_around(self) -> None:
        """Ask the database who waits and which relays take mail, and measure our pace."""
        loop, now = asyncio.get_running_loop(), timezone.now()
        passed = loop.time() - self._looked_at
        recent = self._answered / passed if self._looked_at else 0.0
        self._per_second = recent if not self._per_second else (self._per_second + recent) / 2
        self._looked_at, self._answered = loop.time(), 0
        self._waiting = await self.books.ask(lambda: queries.waiting(now))
        await self._give_back_what_may_not_leave()
        self._relays = await self.books.ask(queries.relays_in_use)
        rules = await self.books.ask(queries.breaker_rules)
        sending = {one.mailing for one in self._waiting} | set(self.shelf.under_way)
        self.traffic.follow(self._relays, rules, sending, now)
        if not self._relays and self._waiting:
            await self.books.ask(services.note_missing_relay)
        usable = {one.id for one in self._relays if _is_up(one, now)}
        # Another relay may take them, or another host may reach a relay that we cannot.
        self._give_back(lambda lot: lot.relay not in usable)

    async def _start_afresh(self) -> None:
        """Let go of everybody on loan: the leases are no permission any more."""
        for lot in {lot for line in self._lines for lot in line.lots()}:
            lot.is_lost = True
        self._give_back(lambda _: True)
        await self.books.start_afresh()

    def _is_idle(self) -> bool:
        """Whether nothing can be done now: nobody waits, or no relay takes what waits."""
        nobody = not self._waiting and not self.shelf.mailings()
        return (nobody or not self._may_leave) and not self.shelf.under_way

    async def _give_back_what_may_not_leave(self) -> None:
        waiting = self.shelf.mailings()
        if not waiting:
            return
        leasable = await self.books.ask(lambda: queries.leasable_among(waiting))
        self._give_back(lambda lot: lot.lent.mailing not in leasable)

    def _give_back(self, unwanted: Callable[[Lot], bool]) -> None:
        """Return people who were leased and not offered: they wait again, at once."""
        self._untried(list(self.shelf.remove(unwanted)), None)

    def _untried(
        self, returned: list[tuple[Lot, RecipientFacts]], next_try: datetime | None
    ) -> None:
        by_lot: dict[Lot, list[str]] = {}
        now = timezone.now()
        for lot, person in returned:
            self.settled(lot)
            fact = OutcomeFact(
                recipient=person.id, verdict=Verdict.UNTRIED, at=now, next_try_at=next_try
            )
            by_lot.setdefault(lot, []).append(line_of(lot.lent.lease, fact))
        for lot, lines in by_lot.items():
            self.books.note(lot.lent, "".join(lines), len(lines))

    async def _fill_shelf(self) -> None:
        """Lease for each relay what its sessions can take, whose turn it is first."""
        now = timezone.now()
        able = {one.id: one for one in self._relays}
        waiting = {one.mailing: one for one in self._waiting if one.mailing not in self._stopping}
        self._may_leave = False
        while waiting and not self._stop.is_set():
            pick = next_batch(list(waiting.values()), self.shelf.under_way, BATCH)
            assert pick is not None
            mailing = waiting[pick.mailing]
            relay = self.traffic.relay_for(mailing, list(able.values()), now)
            if relay is None:
                await self._say_why(mailing, list(able.values()), now)
                del waiting[pick.mailing]
                continue
            self._may_leave = True
            self._keep_sessions(relay)
            wanted = self._wanted(relay, pick.priority)
            if not wanted:
                del waiting[pick.mailing]
                continue
            waits = mailing.self_paused in _WAITS_FOR_A_ROUTE
            loan = await self.books.lease(
                pick.mailing,
                relay=relay.id,
                limit=wanted,
                paused_with=mailing.pending if waits else None,
            )
            if loan is None or len(loan[0].people) < wanted:
                del waiting[pick.mailing]
            if loan is None:
                self._waiting = [one for one in self._waiting if one.mailing != pick.mailing]
                continue
            count = len(loan[0].people)
            if relay.room is not None:
                able[relay.id] = replace(relay, room=max(0, relay.room - count))
            self._put(*loan, priority=pick.priority, relay=relay.id)
            self._keep_sessions(relay)
        for relay in able.values():
            # Everybody may be leased already, and a session that was worn out has to be replaced.
            if self.shelf.waiting[relay.id] and _is_up(relay, now):
                self._keep_sessions(relay)

    def _wanted(self, relay: RelayAccess, priority: int) -> int:
        """Say how many people to lease for a relay now; 0 while enough of them wait."""
        working = self.traffic.working(relay.id)
        if not working:
            return 0
        wanted = batch_size(self._per_second, 2 * relay.depth * max(working, 4))
        self._low_water[relay.id] = wanted // 2
        first = self.shelf.first(relay.id)
        if first is not None and self.shelf.waiting[relay.id] > wanted // 2:
            return 0 if priority >= first.priority else wanted
        return wanted

    async def _say_why(
        self, mailing: Waiting, relays: Sequence[RelayAccess], now: datetime
    ) -> None:
        """Let a circular say that no relay has room for it or serves it."""
        trouble, until = self.traffic.why_none(mailing, relays, now)
        if trouble in PAUSES_OF_ROUTES and not mailing.self_paused:
            await self.books.ask(lambda: grants.wait_for_route(mailing.mailing, trouble, until))

    def _put(self, batch: Batch, press: Press | None, *, priority: int, relay: int) -> None:
        self.traffic.lent(relay, len(batch.people))
        self.shelf.put(
            Lot(
                lent=batch.lent,
                priority=priority,
                relay=relay,
                press=press,
                people=deque(batch.people),
                attempts=dict(batch.attempts),
            )
        )
        self._wake()

    def _wake(self) -> None:
        """Let every session take as many as it has room for."""
        for line, session in list(self._lines.items()):
            line.fill(session)

    # -- sessions -----------------------------------------------------------------------------

    def _keep_sessions(self, relay: RelayAccess) -> None:
        """Have one session while somebody waits, and more while the shelf outgrows them."""
        allowed = self.traffic.sessions_allowed(relay)
        queue = self.shelf.waiting[relay.id]
        while not self._stop.is_set() and (running := self.traffic.sessions(relay.id)) < allowed:
            if running and queue <= relay.depth * running:
                return
            self.traffic.opened(relay.id)
            task = asyncio.create_task(self._man_session(relay), name=f"session-{relay.id}")
            self._sessions.add(task)
            task.add_done_callback(self._sessions.discard)

    async def _man_session(self, relay: RelayAccess) -> None:
        """Open a session and work on it until it ends; every end is a recorded fact."""
        line = Line(self, relay)
        session: Session | None = None
        try:
            session = await dial(
                relay,
                domain=self._domain,
                timeouts=self._timeouts,
                watcher=line,
            )
            self.traffic.greeted(relay.id)
            self._lines[line] = session
            self._hungry.set()
            await self._work(line, session)
        except SessionFailedError as failed:
            detail = f"{failed.why}: {failed.detail}" if failed.detail else failed.why
            self._bear(relay, effect_of_failure(failed), trouble_of(failed), detail, greeted=False)
        except Exception:
            # One of the three loops that catch everything (style.md §6.3): what the session's end
            # means for its people is settled below, by the core.
            logger.exception("session broke", extra={"relay": relay.id})
        finally:
            if session is not None:
                session.abandon("session_ended")
                del self._lines[line]
            self.traffic.closed(relay.id, greeted=session is not None)
            self._hungry.set()

    async def _work(self, line: Line, session: Session) -> None:
        """Stay with a session until it ends, is worn out, or has had nothing to do for a while."""
        loop = asyncio.get_running_loop()
        line.fill(session)
        idle_since: float | None = None
        while not session.is_over:
            if line.is_busy:
                idle_since = None
            else:
                idle_since = loop.time() if idle_since is None else idle_since
                tired = loop.time() - idle_since >= self._pace.idle_session
                if self._stop.is_set() or line.is_closing or session.is_spent or tired:
                    await session.quit()
                    return
            line.changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await line.changed.wait()

    # -- what a session asks ------------------------------------------------------------------

    def now(self) -> datetime:
        """Give the time."""
        return datetime.now(UTC)

    def may_offer(self) -> bool:
        """Say whether somebody new may be offered anything."""
        return not self._stop.is_set() and not self.books.is_full

    def running_low(self, relay: int) -> None:
        """Note that a session took people; whoever leases may have to lease more."""
        if self.shelf.waiting[relay] <= self._low_water[relay]:
            self._hungry.set()

    def took(self, lot: Lot, count: int) -> None:
        """Note that people of a lot were accepted."""
        mailing = lot.lent.mailing
        self._answered += count
        self.shelf.done(mailing, count)
        self.traffic.took(lot.relay, count, asyncio.get_running_loop().time())
        self.traffic.accepted(mailing, count)

    def settled(self, lot: Lot) -> None:
        """Note that somebody of a lot is under way no more, not accepted."""
        self.shelf.done(lot.lent.mailing)

    def works(self, relay: RelayAccess, size: int | None) -> None:
        """Note that a relay took mail in a session that has just begun."""
        self._soon(self._note_working(relay, size))

    def next_try(self, lot: Lot, person: RecipientFacts, meaning: Meaning) -> datetime | None:
        """Say when somebody is tried again; who was not tried: at once, unless it keeps happening."""
        self._answered += 1
        if meaning.verdict is Verdict.UNTRIED:
            self._broken_off[person.id] += 1
            times = self._broken_off[person.id]
            if meaning.scope is not Scope.MAILING and times == 1:
                return None
            return timezone.now() + retry_after(times, self._dice.random(), self._pace)
        self._broken_off.pop(person.id, None)
        if meaning.verdict is Verdict.DEFERRED:
            attempts = lot.attempts.get(person.id, 0) + 1
            return timezone.now() + retry_after(attempts, self._dice.random(), self._pace)
        return None

    def hold_back(self, lot: Lot, person: RecipientFacts | None = None) -> None:
        """Let everybody wait whose message nobody here can print: that is ours, not theirs."""
        mailing = lot.lent.mailing
        returned = list(self.shelf.remove(lambda one: one.lent.mailing == mailing))
        if person is not None:
            returned.append((lot, person))
        times = 1 + max((self._broken_off[one.id] for _, one in returned), default=0)
        self._broken_off.update(one.id for _, one in returned)
        wait = retry_after(times, self._dice.random(), self._pace)
        self._untried(returned, None if lot.is_lost else timezone.now() + wait)
        if not lot.is_lost:
            self._stop_mailing(mailing, Trouble.UNPRINTABLE)

    def act_on(self, relay: RelayAccess, lot: Lot, meaning: Meaning, detail: str) -> bool:
        """Let the relay or the circular bear what is theirs; say whether the session is done."""
        mailing = lot.lent.mailing
        if meaning.effect is not Effect.NONE:
            self._bear(relay, meaning.effect, meaning.trouble, detail, greeted=True)
            return True
        if meaning.scope is Scope.MAILING:
            self._stop_mailing(mailing, meaning.trouble)
        elif meaning.verdict is Verdict.REFUSED:
            trouble = self.traffic.refused(mailing)
            if trouble is not None:
                self._stop_mailing(mailing, trouble)
        return False

    def lost(self, relay: RelayAccess, event: Lost, accepted: int) -> None:
        """Note that a session ended; after work well done it is no trouble."""
        if event.why in _NO_TROUBLE:
            return
        trouble = trouble_of_session(event.why, event.phase, event.reply)
        effect = effect_of_session(event.why, event.phase, event.reply, accepted=accepted)
        words = f": {event.reply.text}" if event.reply else ""
        self._bear(relay, effect, trouble, event.why + words, greeted=True)

    # -- errands ------------------------------------------------------------------------------

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _note_working(self, relay: RelayAccess, size: int | None) -> None:
        await self.books.ask(lambda: services.note_working(relay.id, size=size))
        self._hungry.set()

    def _bear(
        self, relay: RelayAccess, effect: Effect, trouble: Trouble, detail: str, *, greeted: bool
    ) -> None:
        """Let a relay have fewer sessions, or rest, as its answer means."""
        now = asyncio.get_running_loop().time()
        if self.traffic.must_rest(relay.id, effect, now, greeted=greeted):
            # At once, for us; the next look shows the rest to everybody.
            self._relays = [one for one in self._relays if one.id != relay.id]
            self._soon(self._note_trouble(relay, trouble, detail))

    def _stop_mailing(self, mailing_id: int, trouble: Trouble) -> None:
        """Offer nobody else of a mailing from this moment on, and let it say why it pauses."""
        if mailing_id not in self._stopping:
            self._stopping.add(mailing_id)
            self._give_back(lambda lot: lot.lent.mailing == mailing_id)
            self._soon(self._pause(mailing_id, trouble))

    async def _pause(self, mailing_id: int, trouble: Trouble) -> None:
        await self.books.ask(lambda: services.pause_circular(mailing_id, trouble))
        self._waiting = [one for one in self._waiting if one.mailing != mailing_id]
        self._stopping.discard(mailing_id)
        self._hungry.set()

    async def _note_trouble(self, relay: RelayAccess, trouble: Trouble, detail: str) -> None:
        logger.warning("relay in trouble", extra={"relay": relay.id, "trouble": trouble.value})
        dice = self._dice.random()
        await self.books.ask(
            lambda: services.note_trouble(
                relay.id, trouble, detail=detail, dice=dice, pace=self._pace
            )
        )
        self._hungry.set()


def _is_up(relay: RelayAccess, now: datetime) -> bool:
    """Say whether a relay does not rest."""
    return relay.resting_until is None or relay.resting_until <= now


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
    sender = Sender(stop, pace=pace, timeouts=timeouts, until_idle=until_idle, folder=folder)
    before = gc.get_threshold()
    # A message leaves nothing behind that only the collector could find; looking for it as often as
    # Python does by itself costs a tenth of the processor's time (measured).
    gc.set_threshold(*_COLLECT_RARELY)
    try:
        await sender.run()
    finally:
        gc.set_threshold(*before)
