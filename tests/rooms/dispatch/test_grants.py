"""Quotas in the database: lent with a lease, used with a verdict, returned if not used."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.utils import timezone

from circular.dispatch import grants, queries, services
from circular.dispatch.grants import Grant
from circular.dispatch.models import Lease, LeaseState, QuotaUse, Relay, Worker
from circular.dispatch.quotas import Quota, QuotaUnit, Window
from circular.dispatch.services import Terms
from circular.dispatch.trouble import Trouble
from circular.evidence.actors import SYSTEM
from circular.mailing.models import Mailing
from post_office import Release

Take = Callable[[int, int], Grant]
AN_HOUR = Quota(Window.HOUR, QuotaUnit.RECIPIENTS, 100)


def a_relay(*quotas: Quota, relay_id: int | None = None) -> int:
    return services.save_relay(
        name="salida-1",
        host="127.0.0.1",
        port=2525,
        security="none",
        terms=Terms(quotas=quotas),
        relay_id=relay_id,
        by=SYSTEM,
    )


def a_worker() -> int:
    now = timezone.now()
    return Worker.objects.create(host="a", pid=1, started_at=now, seen_at=now).pk


@transaction.atomic
def lend(
    relay: int, mailing: int, worker: int, wanted: int, take: Take = grants.take
) -> Lease | None:
    grant = take(relay, wanted)
    if not grant.recipients:
        return None
    now = timezone.now()
    return Lease.objects.create(
        mailing_id=mailing,
        relay_id=relay,
        worker_id=worker,
        at=now,
        until=now + timedelta(minutes=15),
        leased_count=grant.recipients,
        messages_out=grant.recipients if grant.is_counted else 0,
        recipients_out=grant.recipients if grant.is_counted else 0,
    )


@transaction.atomic
def give_back(lease: Lease, used: int) -> None:
    grants.spend_all({lease.pk: (used, used)})
    Lease.objects.filter(pk=lease.pk).update(state=LeaseState.SETTLED, ended_at=timezone.now())


@transaction.atomic
def granted(relay: int, wanted: int, paused_with: int | None = None) -> Grant:
    return grants.take(relay, wanted, paused_with=paused_with)


def used_of(relay: int) -> int:
    return sum(QuotaUse.objects.filter(relay=relay).values_list("recipients", flat=True))


def left_of(relay: int) -> int:
    return grants.usages([relay], grants.database_now())[relay][0].left


@pytest.mark.django_db
def test_a_relay_without_quotas_grants_everything_and_counts_nothing() -> None:
    assert grants.take(a_relay(), 500) == Grant(500)


def test_what_is_lent_counts_and_what_was_not_used_comes_back(release: Release) -> None:
    relay, mailing, worker = a_relay(AN_HOUR), release(1), a_worker()

    lease = lend(relay, mailing, worker, 70)
    second = lend(relay, mailing, worker, 70)
    third = lend(relay, mailing, worker, 70)
    assert lease is not None
    assert second is not None
    assert (lease.leased_count, second.leased_count, third) == (70, 30, None)
    give_back(lease, used=20)

    assert used_of(relay) == 20
    assert left_of(relay) == 100 - 20 - 30


def test_what_is_used_while_the_lease_is_open_is_not_counted_twice(release: Release) -> None:
    relay, mailing, worker = a_relay(AN_HOUR), release(1), a_worker()
    lease = lend(relay, mailing, worker, 60)
    assert lease is not None

    grants.spend_all({lease.pk: (25, 25)})

    lease.refresh_from_db()
    assert (lease.recipients_out, used_of(relay), left_of(relay)) == (35, 25, 40)


def test_what_several_leases_used_is_recorded_together(release: Release) -> None:
    relay, mailing, worker = a_relay(AN_HOUR), release(1), a_worker()
    leases = [lend(relay, mailing, worker, 20) for _ in range(3)]
    used = {lease.pk: (number, number) for number, lease in enumerate(leases) if lease is not None}

    grants.spend_all(used)

    outs = Lease.objects.order_by("id").values_list("recipients_out", flat=True)
    assert list(outs) == [20, 19, 18]
    assert (used_of(relay), left_of(relay)) == (3, 40)


def test_an_hour_later_it_may_be_used_again(release: Release) -> None:
    relay, mailing, worker = a_relay(AN_HOUR), release(1), a_worker()
    lease = lend(relay, mailing, worker, 100)
    assert lease is not None
    give_back(lease, used=100)
    refused = granted(relay, 10)

    for use in QuotaUse.objects.all():
        use.began_at -= timedelta(minutes=61)
        use.save()

    assert refused.recipients == 0
    assert refused.next_at is not None
    assert timedelta(minutes=59) < refused.next_at - timezone.now() <= timedelta(minutes=61)
    assert granted(relay, 10).recipients == 10


def test_messages_and_recipients_are_counted_apart(release: Release) -> None:
    relay = a_relay(AN_HOUR, Quota(Window.MINUTE, QuotaUnit.MESSAGES, 30))
    mailing, worker = release(1), a_worker()
    lease = lend(relay, mailing, worker, 100)
    assert lease is not None

    grants.spend_all({lease.pk: (1, 30)})

    held = grants.usages([relay], grants.database_now())[relay]
    assert {usage.quota.unit: usage.used for usage in held} == {
        QuotaUnit.RECIPIENTS: 30,
        QuotaUnit.MESSAGES: 30,  # one used, twenty-nine still lent
    }


def test_a_quota_that_is_set_today_counts_what_left_before(release: Release) -> None:
    relay, mailing, worker = a_relay(), release(1), a_worker()
    lease = lend(relay, mailing, worker, 40)
    assert lease is not None
    give_back(lease, used=40)

    a_relay(AN_HOUR, relay_id=relay)

    assert left_of(relay) == 60


def test_a_mailing_that_waits_goes_on_only_when_it_is_worth_it(release: Release) -> None:
    relay, mailing, worker = a_relay(AN_HOUR), release(1), a_worker()
    lease = lend(relay, mailing, worker, 97)
    assert lease is not None
    give_back(lease, used=97)

    assert granted(relay, 50, paused_with=5000).recipients == 0
    assert granted(relay, 50, paused_with=2).recipients == 3
    assert granted(relay, 50).recipients == 3


def test_a_circular_says_that_it_waits_only_when_the_wait_is_long(release: Release) -> None:
    mailing, now = release(1), timezone.now()

    short = grants.wait_for_route(mailing, Trouble.OWN_QUOTA, now + timedelta(seconds=50))
    long = grants.wait_for_route(mailing, Trouble.OWN_QUOTA, now + timedelta(hours=5))

    assert (short, long) == (False, True)
    assert Mailing.objects.get(pk=mailing).self_paused == "quota_used"
    assert grants.goes_on(mailing)
    assert not grants.goes_on(mailing)
    assert Mailing.objects.get(pk=mailing).self_paused == ""


def test_a_circular_that_waits_for_a_quota_is_still_looked_at(release: Release) -> None:
    mailing = release(1)
    grants.wait_for_route(mailing, Trouble.OWN_QUOTA, timezone.now() + timedelta(hours=5))

    assert [one.mailing for one in queries.waiting(timezone.now())] == [mailing]


def test_the_sender_learns_how_much_room_there_is(release: Release) -> None:
    relay, mailing, worker = a_relay(AN_HOUR), release(1), a_worker()
    assert [one.room for one in queries.relays_in_use()] == [100]

    lend(relay, mailing, worker, 100)

    (found,) = queries.relays_in_use()
    assert found.room == 0
    assert found.room_at is not None


@pytest.mark.django_db
def test_old_slices_are_dropped() -> None:
    relay = a_relay(AN_HOUR)
    now = timezone.now()
    for hours in (0, 1, 3):
        QuotaUse.objects.create(
            relay_id=relay, window="hour", began_at=now - timedelta(hours=hours), recipients=1
        )

    assert grants.prune(now) == 1


def take_unlocked(relay: int, wanted: int) -> Grant:
    """What a sender would do that asks first and lends later."""
    left = left_of(relay)
    time.sleep(0.002)
    return Grant(min(wanted, left), is_counted=True)


def race(take: Take, relay: int, mailing: int, worker: int, seed: int) -> int:
    """Let six connections lend, use and return at once; give how much was used in all."""

    def work(number: int) -> int:
        dice, used = random.Random(seed * 100 + number), 0
        try:
            for _ in range(12):
                lease = lend(relay, mailing, worker, dice.randint(1, 9), take)
                if lease is not None:
                    part = dice.randint(0, lease.leased_count)
                    if dice.random() < 0.5:
                        first = part // 2
                        grants.spend_all({lease.pk: (first, first)})
                        give_back(lease, part - first)
                    else:
                        give_back(lease, part)
                    used += part
        finally:
            connections.close_all()
        return used

    with ThreadPoolExecutor(6) as threads:
        return sum(threads.map(work, range(6)))


@pytest.mark.parametrize("seed", range(5))
def test_workers_together_never_use_more_than_the_quota(release: Release, seed: int) -> None:
    relay, mailing, worker = a_relay(AN_HOUR), release(1), a_worker()

    used = race(grants.take, relay, mailing, worker, seed)

    assert used == used_of(relay)
    assert used <= 100
    assert left_of(relay) == 100 - used


def test_workers_that_ask_without_a_lock_are_caught(release: Release) -> None:
    mailing, worker = release(1), a_worker()

    overdrawn = 0
    for seed in range(5):
        Relay.objects.all().delete()
        overdrawn += race(take_unlocked, a_relay(AN_HOUR), mailing, worker, seed) > 100

    assert overdrawn
