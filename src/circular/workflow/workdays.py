"""Which days the institution does not work: public holidays from the library, recesses from rows.

Known gaps: the country is Colombia; another one is a decision of a later version.
Sources: practice.md §5 (`holidays` ≥ 0.109 knows the day of Ley 2578 of 2026; 0.90 does not).
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cache

import holidays

COUNTRY = "CO"


@cache
def public_holidays(year: int) -> Mapping[date, str]:
    """Return the public holidays of a year with their Spanish names."""
    return dict(holidays.country_holidays(COUNTRY, years=[year], language="es"))


def days_off(
    years: Iterable[int], recesses: Iterable[tuple[str, date, date]] = ()
) -> Mapping[date, str]:
    """Return every day off of those years; a holiday within a recess keeps its own name.

    Shapes: recesses are (name, first day, last day), the last one included
    """
    found: dict[date, str] = {}
    for name, first, last in recesses:
        day = first
        while day <= last:
            found[day] = name
            day += timedelta(days=1)
    for year in sorted(set(years)):
        found.update(public_holidays(year))
    return found
