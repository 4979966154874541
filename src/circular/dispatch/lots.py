"""People on loan who wait for a session: for each relay the most urgent in front. Pure."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from circular.mailing.rendering import Press, RecipientFacts
from circular.outcomes.lines import Lent


@dataclass(slots=True, eq=False)
class Lot:
    """The people of one lease; those who wait, and what their copies are printed with."""

    lent: Lent
    priority: int
    relay: int
    press: Press | None  # None: the content is gone or cannot be printed
    people: deque[RecipientFacts]
    attempts: dict[int, int] = field(default_factory=dict)
    is_lost: bool = False  # the lease is not ours any more


class Shelf:
    """Lots in the order in which they leave; counts who is under way, waiting or on a session."""

    def __init__(self) -> None:
        self._heaps: defaultdict[int, list[tuple[int, int, Lot]]] = defaultdict(list)  # by relay
        self._number = count()
        self.waiting: Counter[int] = Counter()  # by relay
        self.under_way: Counter[int] = Counter()  # by mailing

    def put(self, lot: Lot) -> None:
        """Add a lot behind those of its urgency."""
        if lot.people:
            heapq.heappush(self._heaps[lot.relay], (lot.priority, next(self._number), lot))
            self.waiting[lot.relay] += len(lot.people)
            self.under_way[lot.lent.mailing] += len(lot.people)

    def first(self, relay: int) -> Lot | None:
        """Give the lot whose people go next by a relay, with at least one in it."""
        heap = self._heaps[relay]
        return heap[0][2] if heap else None

    def take(self, lot: Lot) -> RecipientFacts:
        """Take the next person of its relay's first lot; `done` when there is a verdict."""
        self.waiting[lot.relay] -= 1
        person = lot.people.popleft()
        if not lot.people:
            heapq.heappop(self._heaps[lot.relay])
        return person

    def done(self, mailing: int, people: int = 1) -> None:
        """Note that people of this mailing are under way no more."""
        left = self.under_way[mailing] - people
        if left > 0:
            self.under_way[mailing] = left
        else:
            del self.under_way[mailing]

    def mailings(self) -> list[int]:
        """Name the mailings that somebody waits for."""
        return sorted({lot.lent.mailing for heap in self._heaps.values() for _, _, lot in heap})

    def remove(self, unwanted: Callable[[Lot], bool]) -> Iterator[tuple[Lot, RecipientFacts]]:
        """Take out everybody of some lots; they are still under way until `done`."""
        out: list[Lot] = []
        for relay, heap in self._heaps.items():
            going = [entry[2] for entry in heap if unwanted(entry[2])]
            if going:
                out += going
                self._heaps[relay] = [entry for entry in heap if not unwanted(entry[2])]
                heapq.heapify(self._heaps[relay])
        for lot in out:
            people, lot.people = lot.people, deque()
            self.waiting[lot.relay] -= len(people)
            for person in people:
                yield lot, person
