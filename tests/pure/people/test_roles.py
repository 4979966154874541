"""Roles come from posts held today, from a unit, or from being administrator; nowhere else."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from circular.people.roles import (
    GRANTS,
    Permission,
    Role,
    Standing,
    Term,
    may,
    permissions_of,
    roles_on,
)

TODAY = date(2026, 11, 18)
NOBODY = Standing(is_active=True, is_administrator=False, belongs_to_a_unit=False)


def holding(role: Role, from_on: date, until_on: date | None = None) -> Standing:
    return Standing(
        is_active=True,
        is_administrator=False,
        belongs_to_a_unit=False,
        posts=((role, Term(from_on, until_on)),),
    )


def test_somebody_without_post_or_unit_has_no_role() -> None:
    assert roles_on(NOBODY, TODAY) == frozenset()


def test_a_post_gives_its_role_from_its_first_day() -> None:
    assert roles_on(holding(Role.TIC, TODAY), TODAY) == {Role.TIC}


def test_a_post_gives_nothing_the_day_before_it_begins() -> None:
    assert roles_on(holding(Role.TIC, TODAY), TODAY - timedelta(days=1)) == frozenset()


def test_a_delegation_lasts_through_its_last_day() -> None:
    assert roles_on(holding(Role.QUALITY, TODAY, TODAY), TODAY) == {Role.QUALITY}


def test_a_delegation_is_over_the_day_after() -> None:
    standing = holding(Role.QUALITY, TODAY, TODAY)
    assert roles_on(standing, TODAY + timedelta(days=1)) == frozenset()


def test_who_belongs_to_a_unit_may_ask_for_it() -> None:
    standing = Standing(is_active=True, is_administrator=False, belongs_to_a_unit=True)
    assert may(roles_on(standing, TODAY), Permission.REQUEST_MAILING)


def test_an_administrator_has_no_part_in_the_procedure() -> None:
    assert Permission.OPERATE_SENDING not in permissions_of({Role.ADMINISTRATOR})
    assert Permission.SEE_ALL_CASES not in permissions_of({Role.ADMINISTRATOR})


def test_every_role_has_a_line_in_the_table_of_grants() -> None:
    assert set(GRANTS) == set(Role)


def test_every_permission_is_granted_to_somebody() -> None:
    assert permissions_of(Role) == set(Permission)


TERMS = st.builds(
    lambda start, days: Term(start, None if days is None else start + timedelta(days=days)),
    st.dates(date(2026, 1, 1), date(2027, 1, 1)),
    st.none() | st.integers(0, 400),
)
STANDINGS = st.builds(
    Standing,
    is_active=st.booleans(),
    is_administrator=st.booleans(),
    belongs_to_a_unit=st.booleans(),
    posts=st.lists(st.tuples(st.sampled_from(Role), TERMS), max_size=4).map(tuple),
)
Rule = Callable[[Standing, date], frozenset[Role]]


def check_that_nobody_has_a_role_without_a_reason(rule: Rule) -> None:
    @settings(phases=[Phase.explicit, Phase.generate])
    @given(STANDINGS, st.dates(date(2026, 1, 1), date(2027, 12, 31)))
    def holds(standing: Standing, day: date) -> None:
        roles = rule(standing, day)
        reasons = {role for role, term in standing.posts if term.covers(day)}
        if standing.is_administrator:
            reasons.add(Role.ADMINISTRATOR)
        if standing.belongs_to_a_unit:
            reasons.add(Role.REQUESTER)
        assert roles == (reasons if standing.is_active else set())

    holds()


def test_nobody_has_a_role_without_a_reason() -> None:
    check_that_nobody_has_a_role_without_a_reason(roles_on)


def test_a_rule_that_forgets_the_end_of_a_delegation_is_caught() -> None:
    def forgetful(standing: Standing, day: date) -> frozenset[Role]:
        endless = tuple((role, Term(term.from_on)) for role, term in standing.posts)
        return roles_on(
            Standing(
                is_active=standing.is_active,
                is_administrator=standing.is_administrator,
                belongs_to_a_unit=standing.belongs_to_a_unit,
                posts=endless,
            ),
            day,
        )

    with pytest.raises(AssertionError):
        check_that_nobody_has_a_role_without_a_reason(forgetful)
