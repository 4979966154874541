"""How many connections a relay gets: one, then as many as it takes well. Pure.

Rules
1. It begins with one. While nothing was turned away, each message taken allows one connection more,
   so their number doubles with every round trip.
2. Whatever was turned away (a refused connection, 421, 432) shows a ceiling: what works beside it
   goes on, and one connection fewer than were tried is what it takes.
3. At a ceiling one more is tried after a while, and after a longer while each time that fails.
4. Never more than the office allows, never fewer than one.
5. Time is an argument, in seconds of any clock that does not jump.

When it fails: a relay that turns everything away has no connections; whether it rests is the
caller's decision (`trouble.Effect`), and `restart` begins again with one.

Sources: RFC 5681 §3.1 (slow start, the threshold after a loss); Postfix's initial_destination_concurrency
and destination concurrency feedback; Exchange Online takes three connections, 432 4.3.2.
"""

FIRST_PROBE = 60.0  # seconds at a ceiling before one more is tried
LONGEST_PROBE = 1800.0


class Pool:
    """The connections of one process with one relay, counted."""

    __slots__ = ("_allowed", "_ceiling", "_most", "_probe_after", "_probe_at", "_probing", "open")

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self.open = 0  # open or being opened
        self._restart()

    def _restart(self) -> None:
        self._allowed = 1
        self._ceiling: int | None = None
        self._probe_at = 0.0
        self._probe_after = FIRST_PROBE
        self._probing = False

    @property
    def allowed(self) -> int:
        """How many may be open, those being opened included."""
        return min(self._allowed, self._most)

    @property
    def wants_more(self) -> bool:
        """Whether one more may be opened now."""
        return self.open < self.allowed

    @property
    def ceiling(self) -> int | None:
        """What the relay showed to be too many, less one; None while it takes all we offer."""
        return self._ceiling

    def limit(self, most: int) -> None:
        """Follow the office, which may change its mind while mail is leaving."""
        self._most = max(1, most)

    def opened(self) -> None:
        """Count a connection from the moment in which it is tried."""
        self.open += 1

    def closed(self) -> None:
        """Count a connection out, however it ended."""
        self.open = max(0, self.open - 1)

    def took(self, count: int, now: float) -> None:
        """Note that the relay took so many messages."""
        if count <= 0 or self._allowed >= self._most:
            return
        if self._ceiling is None:
            self._allowed = min(self._most, self._allowed + count)
        elif self._allowed < self._ceiling:
            self._allowed = min(self._ceiling, self._allowed + count)
        elif now >= self._probe_at and self.open >= self._allowed:
            # The probe before this one, if there was one, was not turned away.
            self._probe_after = FIRST_PROBE if self._probing else self._probe_after
            self._probing = True
            self._ceiling = self._allowed = self._allowed + 1
            self._probe_at = now + self._probe_after

    def turned_away(self, now: float) -> None:
        """Note that a connection, counted in `open` still, was refused or sent away."""
        if self._probing:
            self._probe_after = min(2 * self._probe_after, LONGEST_PROBE)
        self._probing = False
        self._ceiling = self._allowed = min(max(1, self.open - 1), self._most)
        self._probe_at = now + self._probe_after

    def restart(self) -> None:
        """Begin again with one, after the relay rested."""
        self._restart()
