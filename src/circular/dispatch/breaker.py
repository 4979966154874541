"""When so much of a circular is refused that a person must look first. Pure.

Rules
1. The last verdicts count, not all: a circular that went well for an hour and is refused by
   everybody now stops as soon as one that is refused from the start.
2. Two limits must be passed together: a share of the window and a number of people. A circular
   to five people never stops; one to forty thousand does not wait for a share of them.
3. Only what was said about a person or a copy counts: the relay's own trouble is not refusal.
4. A circular that goes on again starts with an empty window: a person has looked.
5. Each process counts for itself. With several, each sees its share of the same audience.
"""

from collections import deque
from dataclasses import dataclass

WINDOW = 200  # verdicts; enough for a share in whole percents, few enough to stop within seconds


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """The office's limits."""

    percent: int = 20  # a directory kept by hand refuses a few percent; a fifth is no accident
    least: int = 25  # refused people


class Breaker:
    """The last verdicts of each mailing."""

    __slots__ = ("_refused", "_seen", "rules")

    def __init__(self, rules: BreakerRules | None = None) -> None:
        self.rules = rules or BreakerRules()
        self._seen: dict[int, deque[bool]] = {}
        self._refused: dict[int, int] = {}

    def verdict(self, mailing: int, *, refused: bool) -> bool:
        """Note a verdict about one person; True when the mailing must pause now."""
        seen = self._seen.setdefault(mailing, deque())
        # Never a window too short for the number to be reached in it.
        if len(seen) >= max(WINDOW, 2 * self.rules.least):
            self._refused[mailing] = self._refused.get(mailing, 0) - seen.popleft()
        seen.append(refused)
        count = self._refused[mailing] = self._refused.get(mailing, 0) + refused
        if not refused or count < self.rules.least:
            return False
        return 100 * count >= self.rules.percent * len(seen)

    def accepted(self, mailing: int, count: int) -> None:
        """Note that so many people were accepted."""
        for _ in range(min(count, max(WINDOW, 2 * self.rules.least))):
            self.verdict(mailing, refused=False)

    def forget(self, mailing: int) -> None:
        """Begin again with an empty window."""
        self._seen.pop(mailing, None)
        self._refused.pop(mailing, None)

    def keep_only(self, mailings: set[int]) -> None:
        """Forget all others: what is not being sent has no window."""
        for mailing in [one for one in self._seen if one not in mailings]:
            self.forget(mailing)
