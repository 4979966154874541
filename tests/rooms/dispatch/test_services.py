"""Leases and recovery: what the database holds decides who may be offered a message."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from circular.config.backup import HOLD
from circular.dispatch import lending, queries, recovery, services
from circular.dispatch.errors import RelayUnknownError
from circular.dispatch.lending import Batch
from circular.dispatch.models import Lease, Relay, Worker
from circular.dispatch.trouble import Trouble
from circular.evidence.actors import SYSTEM, Actor
from circular.evidence.chain import HOUSE, mailing_chain
from circular.evidence.queries import entries_of
from circular.mailing import services as mailing
from circular.mailing.kinds import MailClass
from circular.mailing.models import Mailing, Recipient
from circular.outcomes.lines import line_of
from circular.outcomes.verdicts import OutcomeFact, Verdict
from post_office import Release, Sink, apart, states

OTTO = Actor.of(7)
LASTS = timedelta(minutes=15)


def worker() -> int:
    now = timezone.now()
    return Worker.objects.create(host="here", pid=1, started_at=now, seen_at=now).pk


def lease(mailing_id: int, by: int, limit: int = 50) -> Batch:
    batch = lending.lease_batch(mailing_id, relay=None, worker=by, limit=limit, lasts=LASTS)
    assert batch is not None
    return batch


def test_two_workers_never_lease_the_same_person(release: Release) -> None:
    mailing_id = release(10)

    one, other = lease(mailing_id, worker(), 6), lease(mailing_id, worker(), 6)

    assert len(one.recipients) == 6
    assert len(other.recipients) == 4
    assert not set(one.recipients) & set(other.recipients)
    assert lending.lease_batch(mailing_id, relay=None, worker=1, limit=1, lasts=LASTS) is None


def test_nobody_is_leased_from_a_mailing_that_is_paused_by_a_person_or_by_itself(
    release: Release,
) -> None:
    mailing_id = release(3)
    mailing.pause_mailing(mailing_id, by=OTTO)
    assert lending.lease_batch(mailing_id, relay=None, worker=1, limit=1, lasts=LASTS) is None
    mailing.resume_mailing(mailing_id, by=OTTO)
    services.pause_circular(mailing_id, Trouble.SENDER_REFUSED)

    assert lending.lease_batch(mailing_id, relay=None, worker=1, limit=1, lasts=LASTS) is None
    assert queries.waiting(timezone.now()) == []


def test_a_ceiling_counts_for_all_workers_together_and_from_the_next_lease(
    release: Release,
) -> None:
    mailing_id = release(40)
    lease(mailing_id, worker(), 10)
    assert mailing.set_ceiling(mailing_id, 1, by=OTTO)

    first = lease(mailing_id, worker(), 10)
    other = lending.lease_batch(mailing_id, relay=None, worker=worker(), limit=10, lasts=LASTS)
    assert mailing.set_ceiling(mailing_id, None, by=OTTO)
    rest = lease(mailing_id, worker(), 50)

    assert (len(first.people), other, len(rest.people)) == (1, None, 29)
    assert [
        entry.facts["per_minute"]
        for entry in entries_of(mailing_chain(mailing_id))
        if entry.act == "ceiling_set"
    ] == [1, None]


def test_a_relays_trouble_shown_on_a_mailing_keeps_nobody_from_probing(release: Release) -> None:
    mailing_id = release(3)
    services.pause_circular(mailing_id, Trouble.UNREACHABLE)

    assert len(lease(mailing_id, worker()).recipients) == 3


def test_people_who_are_tried_again_carry_the_lease_and_go_first(release: Release) -> None:
    mailing_id = release(5)
    by = worker()
    first = lease(mailing_id, by, 2)
    untried = [
        OutcomeFact(recipient=one, verdict=Verdict.UNTRIED, at=timezone.now())
        for one in first.recipients
    ]
    lines = "".join(line_of(first.lent.lease, fact) for fact in untried)
    lending.settle_offers(lines, lent=[first.lent])

    again, others = lease(mailing_id, by, 5), lease(mailing_id, by, 5)

    assert again.recipients == first.recipients
    assert again.lent.last == 0
    assert len(others.recipients) == 3
    assert others.lent.first == others.recipients[0]
    carried = Recipient.objects.filter(lease=again.lent.lease).values_list("id", flat=True)
    assert set(carried) == set(again.recipients)


def test_recovery_that_calls_every_leased_person_untried_is_caught(release: Release) -> None:
    """Deliberately broken: what may have been offered goes back to the queue in silence."""
    mailing_id = release(2)
    batch = lease(mailing_id, worker())
    lines = "".join(
        line_of(
            batch.lent.lease,
            OutcomeFact(recipient=one, verdict=Verdict.UNTRIED, at=timezone.now()),
        )
        for one in batch.recipients
    )

    lending.settle_offers(lines, lent=[batch.lent])

    assert states(mailing_id) != {"in_doubt": 2}


def test_an_official_mail_of_a_lost_worker_is_offered_once_more_and_named(
    release: Release, tmp_path: Path
) -> None:
    mailing_id = release(2, mail_class=MailClass.OFFICIAL)
    lease(mailing_id, worker())
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))

    recovery.recover_leases(folder=tmp_path)

    assert states(mailing_id) == {"pending": 2}
    assert Recipient.objects.filter(possible_duplicate=True).count() == 2


def test_leases_are_renewed_while_their_worker_lives(release: Release, tmp_path: Path) -> None:
    mailing_id = release(3)
    alive = worker()
    batch = lease(mailing_id, alive)
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))

    assert lending.renew_leases(alive, lasts=LASTS) == {batch.lent.lease}

    assert recovery.recover_leases(folder=tmp_path).leases == 0


def test_a_verdict_that_comes_after_recovery_ends_the_doubt(
    release: Release, tmp_path: Path
) -> None:
    mailing_id = release(1)
    batch = lease(mailing_id, worker())
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))
    recovery.recover_leases(folder=tmp_path)
    assert states(mailing_id) == {"in_doubt": 1}
    fact = OutcomeFact(recipient=batch.recipients[0], verdict=Verdict.ACCEPTED, at=timezone.now())

    lending.settle_offers(line_of(batch.lent.lease, fact), lent=[batch.lent])

    assert states(mailing_id) == {"accepted": 1}


def test_a_lease_whose_making_was_committed_unheard_is_given_back(
    release: Release, tmp_path: Path
) -> None:
    mailing_id = release(3)
    me = worker()
    known, unheard = lease(mailing_id, me, 1), lease(mailing_id, me, 2)

    found = recovery.recover_leases(me=me, known={known.lent.lease}, folder=tmp_path)

    assert found.given_back == 2
    assert Lease.objects.get(pk=known.lent.lease).state == "open"
    assert Lease.objects.get(pk=unheard.lent.lease).state == "recovered"


def a_relay(port: int = 1) -> int:
    return services.add_relay(
        name="Relé", host="127.0.0.1", port=port, security="none", password="s3creto", by=OTTO
    )


def test_a_password_is_sealed_and_kept_when_none_is_given(transactional_db: None) -> None:
    relay = services.add_relay(
        name="Relé",
        host="correo.example",
        port=587,
        username="circular",
        password="s3creto",
        by=OTTO,
    )
    services.save_relay(
        relay_id=relay,
        name="Relé nuevo",
        host="correo.example",
        port=587,
        security="starttls",
        username="circular",
        by=OTTO,
    )

    row = Relay.objects.get(pk=relay)
    assert "s3creto" not in row.password_sealed
    access = queries.relay_access(relay)
    assert access is not None
    assert access.credentials is not None
    assert access.credentials.password == "s3creto"
    assert "s3creto" not in repr(access)
    acts = [entry.act for entry in entries_of(HOUSE)]
    assert acts.count("relay_saved") == 2


def test_a_relay_rests_longer_each_time_and_says_why(release: Release) -> None:
    mailing_id = release(1)
    relay = a_relay()

    first = services.note_trouble(relay, Trouble.UNREACHABLE, detail="no route", dice=0)
    again = services.note_trouble(relay, Trouble.UNREACHABLE, dice=0)

    assert first is not None
    assert again is None  # it rests: two sessions that fail together are one failure
    assert Mailing.objects.get(pk=mailing_id).self_paused == ""
    Relay.objects.update(resting_until=timezone.now())
    services.note_trouble(relay, Trouble.UNREACHABLE, dice=0)
    assert Mailing.objects.get(pk=mailing_id).self_paused == "relay_unreachable"
    services.note_working(relay)
    assert Mailing.objects.get(pk=mailing_id).self_paused == ""
    acts = [entry.act for entry in entries_of(HOUSE)]
    assert acts.count("relay_in_trouble") == acts.count("relay_works_again") == 1


def test_a_relay_on_trial_that_works(transactional_db: None, sink: Sink) -> None:
    async def scene() -> tuple[bool, int | None, list[str]]:
        async with sink() as far:
            found = await apart(lambda: services.test_relay(far.relay, by=SYSTEM))
            return found.ok, found.size, far.took()

    assert asyncio.run(scene()) == (True, 52428800, [])
    assert Relay.objects.get().worked_at is not None


@pytest.mark.parametrize(
    ("script", "trouble", "word"),
    [
        ('[[rule]]\nat = "connect"\nreply = "554 5.7.1 not you"', Trouble.BLOCKED, "not you"),
        ('[[rule]]\nat = "connect"\nreply = "hola"', Trouble.CONFUSED, ""),
        ('[[rule]]\nat = "ehlo"\nhang = "before"', Trouble.BROKEN_OFF, ""),
    ],
)
def test_a_relay_on_trial_that_does_not_work_says_what_it_said(
    transactional_db: None, sink: Sink, script: str, trouble: Trouble, word: str
) -> None:
    async def scene() -> tuple[bool, Trouble, str]:
        async with sink(script) as far:
            found = await apart(lambda: services.test_relay(far.relay, by=SYSTEM))
            return found.ok, found.trouble, found.detail

    ok, found, detail = asyncio.run(scene())

    assert not ok
    assert found is trouble
    assert word in detail
    assert Relay.objects.get().failures == 0  # a test sends nobody to rest


def test_a_relay_that_nobody_knows_is_named(transactional_db: None) -> None:
    with pytest.raises(RelayUnknownError):
        services.test_relay(99, by=SYSTEM)


def test_what_a_backup_takes_for_unsent_waits_for_a_person(release: Release) -> None:
    mailing_id = release(3)

    with connection.cursor() as cursor:
        cursor.execute(HOLD)

    assert lending.lease_batch(mailing_id, relay=None, worker=1, limit=1, lasts=LASTS) is None
    assert queries.waiting(timezone.now()) == []
    assert Trouble(Mailing.objects.get(pk=mailing_id).self_paused) is Trouble.RESTORED
    mailing.resume_mailing(mailing_id, by=OTTO)
    assert len(lease(mailing_id, worker()).recipients) == 3
