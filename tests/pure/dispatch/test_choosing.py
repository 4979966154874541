"""Which relay takes a batch: who may, who can, whose turn it is."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.dispatch.choosing import Parcel, Route, choose, groups_of, serves, why_none
from circular.dispatch.trouble import Trouble
from variants import assert_catches

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
FIRST = Route(relay=1, rank=10)
SECOND = Route(relay=2, rank=20)
OFFICIAL = Parcel("oficial")


def test_the_lowest_rank_goes_first() -> None:
    assert choose([SECOND, FIRST], OFFICIAL, {1: 999}, NOW) == 1


@pytest.mark.parametrize(
    "hindered",
    [replace(FIRST, rests_until=NOW + timedelta(seconds=1)), replace(FIRST, room=0)],
    ids=["it rests", "its quota is used up"],
)
def test_the_next_rank_takes_over_while(hindered: Route) -> None:
    assert choose([hindered, SECOND], OFFICIAL, {}, NOW) == 2


def test_a_rest_that_is_over_is_no_hindrance() -> None:
    assert choose([replace(FIRST, rests_until=NOW), SECOND], OFFICIAL, {}, NOW) == 1


def test_relays_of_one_rank_share_by_weight() -> None:
    routes = [Route(relay=1, weight=3), Route(relay=2, weight=1)]
    load: Counter[int] = Counter()

    for _ in range(400):
        chosen = choose(routes, OFFICIAL, load, NOW)
        assert chosen is not None
        load[chosen] += 50

    assert load[1] == 3 * load[2]


@pytest.mark.parametrize(
    ("classes", "groups", "parcel", "does"),
    [
        ((), (), Parcel("promocional"), True),
        (("oficial",), (), Parcel("oficial"), True),
        (("oficial",), (), Parcel("promocional"), False),
        ((), ("students",), Parcel("oficial", frozenset({"students"})), True),
        ((), ("students",), Parcel("oficial", frozenset({"students", "staff"})), False),
        ((), ("students",), Parcel("oficial", None), False),
        ((), ("students",), Parcel("oficial", frozenset()), False),
    ],
)
def test_a_relay_serves_whom_the_office_says(
    classes: tuple[str, ...], groups: tuple[str, ...], parcel: Parcel, *, does: bool
) -> None:
    route = Route(relay=1, classes=frozenset(classes), groups=frozenset(groups))

    assert serves(route, parcel) is does


@pytest.mark.parametrize(
    ("rule", "groups"),
    [
        ({"clauses": [{"groups": ["student"]}, {"groups": ["teaching"], "campuses": ["Sur"]}]}, {"student", "teaching"}),
        ({"clauses": [{"groups": ["student"]}, {"campuses": ["Sur"]}]}, None),
        ({"clauses": [{}]}, None),
        ({"clauses": []}, None),
        (None, None),
    ],
)  # fmt: skip
def test_the_groups_of_an_audience(rule: object, groups: set[str] | None) -> None:
    assert groups_of(rule) == groups


@pytest.mark.parametrize(
    ("routes", "trouble"),
    [
        ([], Trouble.NO_RELAY),
        ([replace(FIRST, classes=frozenset({"promocional"}))], Trouble.NO_ROUTE),
        ([replace(FIRST, room=0)], Trouble.OWN_QUOTA),
        ([replace(FIRST, rests_until=NOW + timedelta(minutes=1))], Trouble.NONE),
    ],
)
def test_nobody_can_take_it_because(routes: list[Route], trouble: Trouble) -> None:
    assert choose(routes, OFFICIAL, {}, NOW) is None
    assert why_none(routes, OFFICIAL, NOW) is trouble


ROUTES = st.lists(
    st.builds(
        Route,
        relay=st.integers(1, 1000),
        rank=st.integers(0, 3),
        weight=st.integers(1, 5),
        classes=st.frozensets(st.sampled_from(["oficial", "promocional"])),
        rests_until=st.sampled_from([None, NOW - timedelta(1), NOW + timedelta(1)]),
        room=st.sampled_from([None, 0, 5]),
    ),
    max_size=6,
    unique_by=lambda route: route.relay,
)


@given(routes=ROUTES, load=st.dictionaries(st.integers(1, 1000), st.integers(0, 500)))
def test_nobody_who_may_not_or_cannot_is_ever_chosen(
    routes: list[Route], load: dict[int, int]
) -> None:
    chosen = choose(routes, OFFICIAL, load, NOW)
    able = {
        route.relay: route.rank
        for route in routes
        if (not route.classes or "oficial" in route.classes)
        and (route.rests_until is None or route.rests_until <= NOW)
        and route.room != 0
    }

    assert (chosen is None) == (not able)
    if chosen is not None:
        assert able.get(chosen) == min(able.values())


@pytest.mark.parametrize(
    "overlooked",
    [{"room": None}, {"rests_until": None}, {"classes": frozenset()}, {"rank": 1}],
    ids=lambda overlooked: next(iter(overlooked)),
)
def test_a_choice_that_overlooks_something_is_caught(overlooked: dict[str, Any]) -> None:
    right = choose

    def careless(routes: list[Route], *rest: Any) -> int | None:
        return right([replace(route, **overlooked) for route in routes], *rest)

    assert_catches(test_nobody_who_may_not_or_cannot_is_ever_chosen, __name__, "choose", careless)
