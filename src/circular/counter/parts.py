"""What the components of a page are made of: frozen values, filled by the views, drawn by templates.

Pure: no query, no clock. Widths are strings already, because a template would write a decimal comma.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

SMALLEST_SHARE = 0.45  # per cent: a segment thinner than this is not seen (look.md §3, Totals)


class Tone(StrEnum):
    """The tones of a state; each one is also an icon and a word."""

    OK = "c-ok"
    NOW = "c-now"
    WARN = "c-warn"
    BAD = "c-bad"
    DOUBT = "c-doubt"
    IDLE = "c-idle"
    PLAIN = ""


@dataclass(frozen=True, slots=True)
class Arc:
    """One fifth of the ring."""

    kind: str
    turn: int


@dataclass(frozen=True, slots=True)
class Ring:
    """The five activities at a glance."""

    done: int
    arcs: tuple[Arc, ...]
    size: int
    figure: bool


def ring_of(done: int, *, now: int | None, late: bool, size: int, figure: bool = True) -> Ring:
    """Return five arcs: done, then the one in progress (or late), then those to come."""
    kinds = [
        "done" if number <= done else ("late" if late else "now") if number == now else "todo"
        for number in range(1, 6)
    ]
    arcs = tuple(Arc(kind, -82 + 72 * index) for index, kind in enumerate(kinds))
    return Ring(done, arcs, size, figure)


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of the bar: a class, where it starts and how wide it is, in per cent."""

    css: str
    x: str
    width: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The six figures and the audience they must add up to."""

    audience: int
    accepted: int
    refused: int
    bounced: int
    suppressed: int
    in_doubt: int
    pending: int
    declared: bool = False

    @property
    def total(self) -> int:
        """Return the sum of the six."""
        return (
            self.accepted
            + self.refused
            + self.bounced
            + self.suppressed
            + self.in_doubt
            + self.pending
        )

    @property
    def missing(self) -> int:
        """Return by how much the six and the audience differ."""
        return self.audience - self.total

    @property
    def settled(self) -> int:
        """Return how many are not pending."""
        return self.total - self.pending

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Return the bar's stretches in the order of the equation; each figure above 0 is seen."""
        figures = (
            ("c-f-accepted", self.accepted),
            ("c-f-refused", self.refused),
            ("c-f-bounced", self.bounced),
            ("c-f-suppressed", self.suppressed),
            ("c-f-doubt", self.in_doubt),
            ("c-f-pending", self.pending),
        )
        if not self.total:
            return ()
        shares = [
            max(SMALLEST_SHARE, 100 * count / self.total) if count else 0.0 for _, count in figures
        ]
        # What the thin ones gained is taken from the widest, so that the bar still ends at 100.
        widest = shares.index(max(shares))
        shares[widest] -= sum(shares) - 100
        segments, x = [], 0.0
        for (css, count), share in zip(figures, shares, strict=True):
            if count:
                segments.append(Segment(css, f"{x:.2f}%", f"{share:.2f}%"))
                x += share
        return tuple(segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How much of a time limit is left, in business hours."""

    tone: Tone
    icon: str
    fact: str
    lines: tuple[str, ...] = ()
    track: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing that happened: what (with a link to the thing itself), when, who, and its seal."""

    icon: str
    what: str
    at: datetime
    by: str
    seal: str
    url: str = ""
    more: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One activity of the procedure as it stands in this case."""

    number: int
    title: str
    state: str
    duty: str
    when: str = ""
    tone: Tone = Tone.PLAIN
    when_icon: str = ""
    evidence: tuple[Evidence, ...] = ()
    pending: str = ""
    note: str = ""
    live: bool = False


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of the procedure with its activities."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One reason of a verdict."""

    tone: Tone
    icon: str
    fact: str
    more: str = ""
    seal: str = ""
    diff: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One act that this person may do now: a page of its own or a button that posts."""

    code: str
    label: str
    icon: str
    url: str
    post: bool = False
    harm: bool = False
    hidden: tuple[tuple[str, str], ...] = ()
    filled: bool = False


@dataclass(frozen=True, slots=True)
class NotYet:
    """One act that this person may do later, with the guard's own sentence."""

    label: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """What is wanted of the reader, first of all."""

    heading: str
    sentence: str = ""
    primary: Deed | None = None
    others: tuple[Deed, ...] = ()
    harm: tuple[Deed, ...] = ()
    not_yet: tuple[NotYet, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One matter in a tray."""

    url: str
    subject: str
    unit: str
    mail_class: str
    number: str
    ring: Ring
    clock: Clock | None
    do: str = ""
    do_more: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One lane of a tray: what stands together because it is due together."""

    code: str
    title: str
    css: str = ""
    icon: str = ""
    rows: tuple[Row, ...] = ()
