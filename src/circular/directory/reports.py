"""What an import did, or why it did nothing: values for pages and the command line. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from circular.directory.tables import BadLine, Fault

# More than this share of the active accounts gone at once is more often a wrong file than a
# graduation; the number is ours, a page and a person decide.
PLAUSIBLE_SHARE = 0.2
MOST_BAD_SHOWN = 1000  # a page or a terminal shows no more; the count is always whole


class ImportOutcome(StrEnum):
    """How an import ended."""

    IMPORTED = "imported"
    UNREADABLE = "unreadable"
    BAD_LINES = "bad_lines"
    NOBODY = "nobody"
    NEEDS_CONFIRMATION = "needs_confirmation"
    READY = "ready"  # a preview: it would be imported as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How the list differs from the directory."""

    added: int = 0
    added_inactive: int = 0  # of the added ones: listed, but as inactive
    changed: int = 0  # reactivated ones among them
    reactivated: int = 0
    unchanged: int = 0
    deactivated: int = 0  # absent from the list, or listed as inactive
    kept: int = 0  # active accounts whose line is bad: left as they are
    active_before: int = 0

    @property
    def active_after(self) -> int:
        came = self.added - self.added_inactive + self.reactivated
        return self.active_before + came - self.deactivated

    @property
    def is_plausible(self) -> bool:
        """Tell whether so many accounts may well have gone since the last list."""
        return self.deactivated <= PLAUSIBLE_SHARE * self.active_before


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """Everything to say about one file."""

    outcome: ImportOutcome
    name: str
    digest: str
    good: int = 0
    bad_count: int = 0
    bad: Sequence[BadLine] = ()  # the first MOST_BAD_SHOWN
    changes: Changes = Changes()
    fault: Fault | None = None
    detail: str = ""
    ignored: Sequence[str] = ()
    encoding: str = ""
    delimiter: str = ""
    import_id: int | None = None

    @property
    def done(self) -> bool:
        return self.outcome is ImportOutcome.IMPORTED
