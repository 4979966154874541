"""Two who act on one mailing at the same moment: one is first, nobody is lost, the totals hold."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection, connections

from circular.evidence.actors import RELAY, Actor
from circular.evidence.chain import mailing_chain
from circular.evidence.queries import entries_of
from circular.mailing import queries as mailing_queries
from circular.mailing import services as mailing_services
from circular.mailing.models import Recipient
from circular.outcomes import services
from circular.outcomes.models import Outcome
from circular.outcomes.verdicts import OutcomeFact, Resolution, Verdict

pytestmark = pytest.mark.django_db(transaction=True)

Release = Callable[..., int]
ANNA, OTTO = Actor.of(1), Actor.of(2)


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Do several things at the same moment, each on its own connection."""
    answers: list[object] = [None] * len(acts)
    start = threading.Barrier(len(acts))

    def run(place: int, act: Callable[[], object]) -> None:
        try:
            start.wait()
            answers[place] = act()
        except Exception as failure:  # noqa: BLE001 - the test compares what each one got
            answers[place] = failure
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def lease_halves(mailing_id: int) -> tuple[list[int], list[int]]:
    people = list(
        Recipient.objects.filter(mailing=mailing_id, witness=False)
        .order_by("id")
        .values_list("id", flat=True)
    )
    halves = people[:4], people[4:]
    with connection.cursor() as cursor:
        for number, half in enumerate(halves, start=1):
            cursor.execute(
                "UPDATE mailing_recipient SET lease = %s, next_try_at = now() WHERE id = ANY (%s)",
                [number, half],
            )
    return halves


def facts(people: list[int], verdict: Verdict = Verdict.ACCEPTED) -> list[OutcomeFact]:
    return [OutcomeFact(recipient=one, verdict=verdict, at=datetime.now(UTC)) for one in people]


def test_two_workers_settle_their_halves_and_exactly_one_settles_the_mailing(
    release: Release,
) -> None:
    mailing_id = release()
    first, second = lease_halves(mailing_id)

    answers = at_once(
        lambda: services.settle(facts(first), lease=1, by=RELAY),
        lambda: services.settle(facts(second), lease=2, by=RELAY),
    )

    totals = mailing_queries.mailing(mailing_id).totals
    assert (totals.accepted, totals.pending, totals.balances) == (9, 0, True)
    finished = [one.settled_mailings for one in answers if isinstance(one, services.Settled)]
    assert sorted(finished) == [(), (mailing_id,)]
    acts = [entry.act for entry in entries_of(mailing_chain(mailing_id))]
    assert acts.count("settled") == 1


def test_the_same_verdicts_settled_by_two_at_once_count_once(release: Release) -> None:
    mailing_id = release()
    first, _ = lease_halves(mailing_id)

    at_once(*[lambda: services.settle(facts(first), lease=1, by=RELAY)] * 3)

    assert Outcome.objects.filter(mailing=mailing_id).count() == len(first)
    assert mailing_queries.mailing(mailing_id).totals.accepted == len(first)


def test_of_two_people_who_end_one_doubt_the_second_is_told(release: Release) -> None:
    mailing_id = release()
    first, second = lease_halves(mailing_id)
    services.settle(facts(first, Verdict.IN_DOUBT), lease=1, by=RELAY)
    services.settle(facts(second), lease=2, by=RELAY)

    answers = at_once(
        lambda: services.resolve_doubt(first[0], Resolution.ACCEPTED, by=ANNA),
        lambda: services.resolve_doubt(first[0], Resolution.GIVE_UP, by=OTTO),
    )

    assert sorted(map(bool, answers)) == [False, True]
    assert [one for one in answers if isinstance(one, Exception)] == []


def test_a_cancellation_during_settling_leaves_nobody_out(release: Release) -> None:
    mailing_id = release()
    first, _ = lease_halves(mailing_id)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mailing_recipient SET lease = NULL WHERE lease = 2")

    answers = at_once(
        lambda: services.settle(facts(first, Verdict.UNTRIED), lease=1, by=RELAY),
        lambda: services.cancel_mailing(mailing_id, by=OTTO),
    )

    assert [one for one in answers if isinstance(one, Exception)] == []
    services.cancel_mailing(mailing_id, by=OTTO)
    totals = mailing_queries.mailing(mailing_id).totals
    assert totals.balances
    assert totals.pending + totals.suppressed == 9


def test_two_releases_at_once_release_once(release: Release) -> None:
    mailing_id = release()

    answers = at_once(
        lambda: mailing_services.pause_mailing(mailing_id, by=ANNA),
        lambda: mailing_services.pause_mailing(mailing_id, by=OTTO),
    )

    assert sorted(map(bool, answers)) == [False, True]
    acts = [entry.act for entry in entries_of(mailing_chain(mailing_id))]
    assert acts.count("paused") == 1
