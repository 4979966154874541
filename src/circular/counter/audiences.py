"""An audience in words and figures that add up: the sentence, the groups, the overlap, a sample."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from django.utils.translation import ngettext

from circular.counter import formats, trays
from circular.directory import labels
from circular.directory import queries as directory
from circular.directory.queries import Breakdown, SampleRow
from circular.directory.rules import Rule, RuleError, rule_from_json


def rule_of_json(value: object) -> Rule | None:
    """Read a stored rule; None where there is none yet."""
    if not value:
        return None
    try:
        return rule_from_json(value)
    except RuleError:
        return None


@lru_cache(maxsize=256)
def _measured(rule: Rule, as_of: datetime | None) -> tuple[Breakdown, tuple[SampleRow, ...]]:
    """Return the figures of a rule in the directory of one import.

    Only an import changes the directory, so what was counted once holds until the next; a page of a
    large audience would else count it at each look. The acts themselves count anew.
    """
    del as_of
    return directory.breakdown(rule), tuple(directory.sample(rule))


def figures(rule: Rule, *, frozen: int = 0, sample: bool = True) -> dict[str, Any]:
    """Return an audience as its sheet shows it: today's figures, and the frozen one if there is."""
    source = directory.source_date()
    broken, some = _measured(rule, source.at if source is not None else None)
    count = frozen or broken.total
    return {
        "people": ngettext("%(count)s persona", "%(count)s personas", count)
        % {"count": formats.figure(count, trays.lang())},
        "sentence": labels.audience(rule) + ".",
        "rows": [(labels.group(row.group).capitalize(), row.count) for row in broken.groups],
        "repeated": -broken.repeated,
        "in_several": broken.in_several,
        "total": broken.total,
        "frozen": frozen,
        "source": source.at if source is not None else None,
        "sample": [labels.sample(row.groups, row.place) for row in some] if sample else [],
    }
