"""Which relay, how many sessions, and what its answers mean: one process, without a database."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from circular.dispatch import queries, services
from circular.dispatch.batching import Waiting
from circular.dispatch.breaker import BreakerRules
from circular.dispatch.models import Security
from circular.dispatch.queries import RelayAccess
from circular.dispatch.services import Terms
from circular.dispatch.traffic import Traffic
from circular.dispatch.trouble import Effect, Trouble
from circular.evidence.actors import SYSTEM
from post_office import Release

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
FIRST = RelayAccess(
    id=1, name="a", host="a.example", port=25, security=Security.NONE, verify=True,
    credentials=None, sealed_badly=False, max_connections=8, resting_until=None, failures=0, rank=10,
)  # fmt: skip
SECOND = replace(FIRST, id=2, name="b", rank=20)
LETTER = Waiting(mailing=7, priority=10, mail_class="oficial")


def working(traffic: Traffic, relay: RelayAccess, count: int) -> Traffic:
    """Let so many sessions work."""
    traffic.took(relay.id, 100, now=0)
    for _ in range(count):
        traffic.opened(relay.id)
        traffic.greeted(relay.id)
    return traffic


def test_mail_goes_by_the_next_relay_while_the_first_rests() -> None:
    resting = replace(FIRST, resting_until=NOW + timedelta(minutes=1))

    assert Traffic().relay_for(LETTER, [FIRST, SECOND], NOW) is FIRST
    assert Traffic().relay_for(LETTER, [resting, SECOND], NOW) is SECOND


def test_relays_of_one_rank_share_the_mail_by_weight() -> None:
    traffic, relays = Traffic(), [replace(FIRST, weight=3), replace(SECOND, rank=10)]
    taken: Counter[int] = Counter()

    for _ in range(40):
        relay = traffic.relay_for(LETTER, relays, NOW)
        assert relay is not None
        traffic.lent(relay.id, 50)
        taken[relay.id] += 1

    assert taken == {1: 30, 2: 10}


def test_a_relay_that_comes_back_gets_its_share_and_not_what_it_missed() -> None:
    traffic, relays = Traffic(), [FIRST, replace(SECOND, rank=10)]
    traffic.follow(relays[:1], BreakerRules(), (), NOW)
    traffic.lent(1, 5000)

    traffic.follow(relays, BreakerRules(), (), NOW)

    assert traffic.relay_for(LETTER, relays, NOW) is relays[0]


def test_one_that_has_enough_is_passed_over_for_its_rank_and_for_no_other() -> None:
    relays = [FIRST, replace(SECOND, rank=10), replace(SECOND, id=3, rank=20)]

    assert Traffic().relay_for(LETTER, relays, NOW, full={1}) is relays[1]
    assert Traffic().relay_for(LETTER, relays, NOW, full={1, 2}) is relays[0]


def test_a_quota_without_room_says_when_there_will_be_some() -> None:
    later = NOW + timedelta(hours=3)
    empty = replace(FIRST, room=0, room_at=later)

    assert Traffic().relay_for(LETTER, [empty], NOW) is None
    assert Traffic().why_none(LETTER, [empty], NOW) == (Trouble.OWN_QUOTA, later)


def test_sessions_grow_with_what_is_taken_and_never_beyond_what_the_office_allows() -> None:
    traffic = Traffic()
    traffic.follow([FIRST], BreakerRules(), (), NOW)

    allowed = [traffic.sessions_allowed(FIRST)]
    for _ in range(4):
        traffic.took(1, allowed[-1], now=0)
        allowed.append(traffic.sessions_allowed(FIRST))

    assert allowed == [1, 2, 4, 8, 8]


def test_one_session_too_many_costs_a_session_and_no_rest() -> None:
    traffic = Traffic()
    traffic.follow([FIRST], BreakerRules(), (), NOW)
    working(traffic, FIRST, 3)
    traffic.opened(1)

    rests = traffic.must_rest(1, Effect.SLOW, now=0, greeted=False)
    traffic.closed(1, greeted=False)

    assert not rests
    assert traffic.sessions_allowed(FIRST) == 3


@pytest.mark.parametrize(
    ("effect", "sessions", "greeted", "rests"),
    [
        (Effect.NONE, 1, True, False),
        (Effect.SLOW, 0, False, True),
        (Effect.SLOW, 1, True, True),
        (Effect.SLOW, 2, True, False),
        (Effect.REST, 5, True, True),
    ],
)
def test_a_relay_rests_when_nothing_else_works(
    effect: Effect, sessions: int, *, greeted: bool, rests: bool
) -> None:
    traffic = Traffic()
    traffic.follow([FIRST], BreakerRules(), (), NOW)
    working(traffic, FIRST, sessions)

    assert traffic.must_rest(1, effect, now=0, greeted=greeted) is rests
    if rests:
        assert traffic.sessions_allowed(FIRST) == 1


def test_a_mailing_that_is_refused_too_often_pauses_and_starts_afresh() -> None:
    traffic = Traffic(BreakerRules(percent=50, least=3))

    said = [traffic.refused(7) for _ in range(3)]
    again = traffic.refused(7)

    assert said == [None, None, Trouble.TOO_MANY_REFUSED]
    assert again is None


def test_what_is_not_leased_any_more_starts_with_an_empty_window() -> None:
    traffic = Traffic(BreakerRules(percent=50, least=3))
    traffic.refused(7)
    traffic.refused(7)

    traffic.follow([FIRST], BreakerRules(percent=50, least=3), {8}, NOW)

    assert traffic.refused(7) is None


def test_who_waits_is_known_by_class_and_by_groups_where_a_relay_asks_for_them(
    release: Release,
) -> None:
    mailing = release(3)
    (before,) = queries.waiting(datetime.now(UTC))
    services.save_relay(
        name="estudiantes", host="a.example", port=25, security="none",
        terms=Terms(groups=("student",)), by=SYSTEM,
    )  # fmt: skip

    (found,) = queries.waiting(datetime.now(UTC))

    assert before == found
    assert (found.mailing, found.mail_class, found.groups, found.pending) == (
        mailing,
        "informativo",
        None,  # everybody is told by no group
        3,
    )
