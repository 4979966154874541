"""Which relay takes the next batch: who may, who can, whose turn it is. Pure.

Rules
1. A relay that serves certain classes or audiences gets nothing else. A mailing whose audience is
   not told by groups fits only relays that serve every audience.
2. A relay that rests, or whose quota has no room, is passed over; the next rank takes its place.
   So a second relay of a higher rank is a fail-over, and one of the same rank shares the mail.
3. Within a rank the one that got the least for its weight is next; ties go to the lower number. One
   that has as much as it can work off is passed over for others of its rank, never for a later rank:
   weights hold while everybody keeps up, and a slow relay slows nobody.
4. One call decides about one batch: whom a relay holds already stays there.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from circular.dispatch.trouble import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A relay as the choice sees it."""

    relay: int
    rank: int = 100
    weight: int = 1
    classes: frozenset[str] = frozenset()  # empty: all
    groups: frozenset[str] = frozenset()  # empty: all
    rests_until: datetime | None = None
    room: int | None = None  # what its quotas allow now; None: no quota


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a mailing asks of its relay; groups of None: its audience is not told by groups."""

    mail_class: str
    groups: frozenset[str] | None = None


def groups_of(rule: object) -> frozenset[str] | None:
    """Give the groups that an audience rule names, None when somebody outside them may belong.

    Shapes:  ``rule`` as it stands in a mailing: {"clauses": [{"groups": [...]}, ...]}
    """
    clauses = rule.get("clauses") if isinstance(rule, dict) else None
    if not isinstance(clauses, list) or not clauses:
        return None
    named: set[str] = set()
    for clause in clauses:
        groups = clause.get("groups") if isinstance(clause, dict) else None
        if not groups:
            return None
        named.update(str(group) for group in groups)
    return frozenset(named)


def serves(route: Route, parcel: Parcel) -> bool:
    """Say whether the office lets this relay carry this mailing."""
    if route.classes and parcel.mail_class not in route.classes:
        return False
    if not route.groups:
        return True
    return bool(parcel.groups) and parcel.groups is not None and parcel.groups <= route.groups


def _is_up(route: Route, now: datetime) -> bool:
    return route.rests_until is None or route.rests_until <= now


def choose(
    routes: Iterable[Route],
    parcel: Parcel,
    load: Mapping[int, int],
    now: datetime,
    full: Collection[int] = (),
) -> int | None:
    """Give the relay of the next batch, None when nobody can take it now.

    Shapes:  ``load`` counts by relay the people that it got; ``full`` names those that have enough
    """
    able = [
        route
        for route in routes
        if serves(route, parcel) and _is_up(route, now) and route.room != 0
    ]
    if not able:
        return None
    chosen = min(
        able,
        key=lambda route: (
            route.rank,
            route.relay in full,
            load.get(route.relay, 0) / max(1, route.weight),
            route.relay,
        ),
    )
    return chosen.relay


def why_none(routes: Iterable[Route], parcel: Parcel, now: datetime) -> Trouble:
    """Say why `choose` gave nobody; NONE where a relay rests, whose row says why."""
    everybody = list(routes)
    if not everybody:
        return Trouble.NO_RELAY
    serving = [route for route in everybody if serves(route, parcel)]
    if not serving:
        return Trouble.NO_ROUTE
    if any(route.room == 0 and _is_up(route, now) for route in serving):
        return Trouble.OWN_QUOTA
    return Trouble.NONE
