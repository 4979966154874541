"""Store what arrives, many messages in one commit, and tell each sender only after it.

A commit waits for the disk; a door that commits message by message is as slow as the disk. Here
everything that arrived while the last commit was running goes into the next one (group commit).

Rules
1. `put` returns True only when the commit that holds the message has returned.
2. When a batch fails, each of its messages is tried alone, once: one that cannot be stored does not
   turn the others away. False means "temporary failure": the sender keeps the message and comes
   again, and a repeat of something stored after all is one row (`identity`).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from django.db import close_old_connections

from circular.intake.arrivals import Arrival

logger = logging.getLogger(__name__)

MOST_MESSAGES: Final = 100  # in one commit: some 100 ms of work, which is what a sender waits for
MOST_OCTETS: Final = 64_000_000  # in one commit; one message may be larger and goes alone

Answer = TypeVar("Answer")
Store = Callable[[Sequence[Arrival]], object]


class Storing:
    """One thread that writes, fed by any number of sessions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: asyncio.Queue[tuple[Arrival, asyncio.Future[bool]]] = asyncio.Queue()
        self._pending: set[asyncio.Future[bool]] = set()
        self._held: tuple[Arrival, asyncio.Future[bool]] | None = None
        # One thread, so that one database connection serves all batches.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="door-store")

    async def put(self, arrival: Arrival) -> bool:
        """Say whether the message is safe. Cancelling the caller does not cancel the storing."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pending.add(done)
        done.add_done_callback(self._pending.discard)
        self._waiting.put_nowait((arrival, done))
        return await asyncio.shield(done)

    async def beside(self, ask: Callable[[], Answer]) -> Answer:
        """Ask the database something in the thread that stores, over its connection."""

        def asked() -> Answer:
            close_old_connections()
            return ask()

        return await asyncio.get_running_loop().run_in_executor(self._thread, asked)

    async def idle(self) -> None:
        """Wait until nothing that was taken waits for its commit."""
        while self._pending:
            await asyncio.wait(set(self._pending))

    async def run(self) -> None:
        """Store until cancelled; what waits at that moment is answered with False."""
        loop = asyncio.get_running_loop()
        batch: list[tuple[Arrival, asyncio.Future[bool]]] = []
        try:
            while True:
                batch = await self._next_batch()
                arrivals = [arrival for arrival, _done in batch]
                safe = await loop.run_in_executor(self._thread, self._write, arrivals)
                for (_arrival, done), stored in zip(batch, safe, strict=True):
                    if not done.done():
                        done.set_result(stored)
                batch = []
        finally:
            for _arrival, done in batch:
                if not done.done():
                    done.set_result(False)
            while not self._waiting.empty():
                _arrival, done = self._waiting.get_nowait()
                if not done.done():
                    done.set_result(False)
            self._thread.submit(close_old_connections_for_good)
            self._thread.shutdown(wait=True)

    async def _next_batch(self) -> list[tuple[Arrival, asyncio.Future[bool]]]:
        first = self._held or await self._waiting.get()
        self._held = None
        batch, octets = [first], len(first[0].raw)
        while len(batch) < MOST_MESSAGES and not self._waiting.empty():
            following = self._waiting.get_nowait()
            octets += len(following[0].raw)
            if octets > MOST_OCTETS:
                self._held = following
                break
            batch.append(following)
        return batch

    def _write(self, arrivals: list[Arrival]) -> list[bool]:
        if self._written(arrivals):
            return [True] * len(arrivals)
        if len(arrivals) == 1:
            return [False]
        return [self._written([arrival]) for arrival in arrivals]

    def _written(self, arrivals: list[Arrival]) -> bool:
        close_old_connections()
        try:
            self._store(arrivals)
        except Exception as failure:  # noqa: BLE001 (the inbound-mail loop: the sender is told 451)
            logger.warning(
                "mail not stored",
                extra={"messages": len(arrivals), "error": type(failure).__name__},
            )
            return False
        return True


def close_old_connections_for_good() -> None:
    """Close the writing thread's database connection."""
    from django.db import connections

    connections.close_all()
