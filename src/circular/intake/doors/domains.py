"""For which domains the doors take mail, asked of the database now and then, not for each recipient.

When it fails: with the database gone the last answer holds; without any, the sender is told to come
again (the exception ends as 451 in the session).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from django.db import DatabaseError

logger = logging.getLogger(__name__)

FRESH_FOR: Final = 10.0  # seconds: how long a changed domain may be unknown to a door


class Domains:
    """Which addresses are ours; an empty list of domains means that nobody has named one yet."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[frozenset[str]]],
        *,
        fresh_for: float = FRESH_FOR,
    ) -> None:
        self._ask = ask
        self._fresh_for = fresh_for
        self._known: frozenset[str] | None = None
        self._until = 0.0

    async def take(self, recipient: str) -> bool:
        """Tell whether the door takes mail for an address.

        Raises:  whatever asking raises, as long as nothing was ever known
        """
        now = asyncio.get_running_loop().time()
        if self._known is None or now >= self._until:
            self._until = now + self._fresh_for
            try:
                self._known = await self._ask()
            except DatabaseError:
                if self._known is None:
                    raise
                logger.warning("domains not renewed; the last answer holds")
        return not self._known or recipient.rpartition("@")[2].lower() in self._known
