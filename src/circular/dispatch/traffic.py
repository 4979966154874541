"""Which relay, how many sessions, and what a relay's answers mean for relay and mailing: one process.

The sender asks and tells; nothing here waits, and nothing here reads or writes the database. What all
processes share (quotas, rests, rules) comes in with `follow`, as fresh as the sender's last look.

Rules
1. A relay is chosen for each batch (`choosing`); whom it holds stays there.
2. Sessions grow from one (`slow_start`), and shrink by what is turned away.
3. A reply that slows a relay costs a session; only when no other session works there does the relay
   rest (`Effect.SLOW`). One that stops it lets it rest at once (`Effect.REST`).
4. A mailing of which too much is refused pauses (`breaker`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from circular.dispatch.batching import Waiting
from circular.dispatch.breaker import Breaker, BreakerRules
from circular.dispatch.choosing import Parcel, Route, choose, why_none
from circular.dispatch.queries import RelayAccess
from circular.dispatch.slow_start import Pool
from circular.dispatch.trouble import Effect, Trouble


def _route(relay: RelayAccess) -> Route:
    return Route(
        relay=relay.id,
        rank=relay.rank,
        weight=relay.weight,
        classes=relay.classes,
        groups=relay.groups,
        rests_until=relay.resting_until,
        room=relay.room,
    )


def _parcel(mailing: Waiting) -> Parcel:
    return Parcel(mailing.mail_class, mailing.groups)


class Traffic:
    """What one sender process knows of its relays and mailings."""

    def __init__(self, rules: BreakerRules | None = None) -> None:
        self._pools: dict[int, Pool] = {}
        self._working: Counter[int] = Counter()  # relay → sessions past the greeting
        self._got: Counter[int] = Counter()  # relay → people lent to it since `_able` changed
        self._able: frozenset[int] = frozenset()
        self._breaker = Breaker(rules)

    def follow(
        self,
        relays: Iterable[RelayAccess],
        rules: BreakerRules,
        leasable: Collection[int],
        now: datetime,
    ) -> None:
        """Take in what the office and the other processes changed since the last look."""
        self._breaker.rules = rules
        self._breaker.keep_only(set(leasable))
        able = set()
        for relay in relays:
            self._pool(relay.id).limit(relay.max_connections)
            if relay.room != 0 and (relay.resting_until is None or relay.resting_until <= now):
                able.add(relay.id)
        if able != self._able:
            # Whoever comes back gets its share from now on, not what it missed.
            self._able, self._got = frozenset(able), Counter()

    def _pool(self, relay_id: int) -> Pool:
        found = self._pools.get(relay_id)
        if found is None:
            found = self._pools[relay_id] = Pool(1)
        return found

    # -- which relay --------------------------------------------------------------------------

    def relay_for(
        self,
        mailing: Waiting,
        relays: Sequence[RelayAccess],
        now: datetime,
        full: Collection[int] = (),
    ) -> RelayAccess | None:
        """Choose the relay of the next batch of a mailing; None when nobody can take it now.

        ``full`` names the relays whose queue here is long enough; one of them is given when every
        other one of its rank is, too.
        """
        chosen = choose(map(_route, relays), _parcel(mailing), self._got, now, full)
        return next((relay for relay in relays if relay.id == chosen), None)

    def why_none(
        self, mailing: Waiting, relays: Sequence[RelayAccess], now: datetime
    ) -> tuple[Trouble, datetime | None]:
        """Say why no relay takes a mailing now, and when a quota will have room again."""
        trouble = why_none(map(_route, relays), _parcel(mailing), now)
        if trouble is not Trouble.OWN_QUOTA:
            return trouble, None
        moments = [relay.room_at for relay in relays if relay.room == 0 and relay.room_at]
        return trouble, min(moments, default=None)

    def lent(self, relay_id: int, count: int) -> None:
        """Note that so many people were leased for a relay."""
        self._got[relay_id] += count

    # -- how many sessions --------------------------------------------------------------------

    def sessions_allowed(self, relay: RelayAccess) -> int:
        """Say how many sessions with a relay may be open now, those being opened included."""
        pool = self._pool(relay.id)
        pool.limit(relay.max_connections)
        return pool.allowed

    def sessions(self, relay_id: int) -> int:
        """Say how many are open or being opened."""
        return self._pool(relay_id).open

    def opened(self, relay_id: int) -> None:
        """Count a session from the moment in which it is tried."""
        self._pool(relay_id).opened()

    def greeted(self, relay_id: int) -> None:
        """Note that a session is past the greeting and may carry mail."""
        self._working[relay_id] += 1

    def closed(self, relay_id: int, *, greeted: bool) -> None:
        """Count a session out, however it ended."""
        self._pool(relay_id).closed()
        if greeted:
            self._working[relay_id] = max(0, self._working[relay_id] - 1)

    def working(self, relay_id: int) -> int:
        """Say how many sessions are past the greeting."""
        return self._working[relay_id]

    def took(self, relay_id: int, count: int, now: float) -> None:
        """Note that a relay took so many messages.

        Units:   ``now`` in seconds of the event loop's clock
        """
        self._pool(relay_id).took(count, now)

    def must_rest(self, relay_id: int, effect: Effect, now: float, *, greeted: bool) -> bool:
        """Take in what an answer means for a relay; say whether it must rest.

        ``greeted`` says that the session which heard it is one of those that work. Call it before
        that session is counted out.
        """
        if effect is Effect.NONE:
            return False
        pool = self._pool(relay_id)
        others = self._working[relay_id] - greeted
        if effect is Effect.SLOW and others > 0:
            pool.turned_away(now)
            return False
        pool.restart()
        return True

    # -- when a mailing must pause ------------------------------------------------------------

    def accepted(self, mailing: int, count: int = 1) -> None:
        """Note that so many people of a mailing were accepted."""
        self._breaker.accepted(mailing, count)

    def refused(self, mailing: int) -> Trouble | None:
        """Note that somebody was refused; say why the mailing must pause, if it must."""
        if not self._breaker.verdict(mailing, refused=True):
            return None
        self._breaker.forget(mailing)
        return Trouble.TOO_MANY_REFUSED
