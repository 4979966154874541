"""The writers of the post office: relays, workers, leases, and what becomes of them.

Rules
1. A lease is durable before anything is offered, and only the lease is a permission to offer.
2. An offer is durable before its final dot may leave (`mark_offered`); so after a crash what was
   never offered is offered again, and what was offered without a verdict is in doubt.
3. A worker that lost its leases cannot offer under them: `mark_offered` and `outcomes.settle` look
   at the lease, and recovery locks the rows before it looks at what was offered.
4. A verdict's state, totals and entry are the ledger's (`outcomes.services.settle`).

Locks:   a lease row, then its mailing, then recipients by id, chain heads last
Length:  relays, workers, leases and recovery share the lock order and the rows: one place for both.
Sources: design §2.2; reliability.md §2 rules 3 to 6.
"""

import os
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from circular import __version__
from circular.dispatch import queries
from circular.dispatch.dialling import RelayTest, try_out_now
from circular.dispatch.errors import NotAWorkerError, RelayUnknownError
from circular.dispatch.journal import sheets_in, verdicts_on
from circular.dispatch.models import Lease, LeaseState, Relay, Worker
from circular.dispatch.pacing import DEFAULT_PACE, Pace, rest_for
from circular.dispatch.relays import (
    Terms,
    add_relay,
    save_relay,
    save_sending_rules,
)
from circular.dispatch.trouble import PAUSES_OF_RELAYS, Trouble
from circular.evidence.actors import RELAY, SYSTEM, Actor
from circular.evidence.services import HOUSE, EntryDraft, append
from circular.mailing import services as mailing
from circular.mailing.kinds import LEASABLE_STATES, MailingKind
from circular.mailing.models import Mailing
from circular.mailing.recipients import Reason
from circular.outcomes import services as outcomes
from circular.outcomes.verdicts import OutcomeFact, Source, Verdict
from circular.people.queries import institution
from circular.smtp.session import Timeouts

# Services of this room that are kept in a file of their own.
__all__ = ["Terms", "add_relay", "save_relay", "save_sending_rules"]

# Advisory locks of this kind are ours: the four letters C, i, r, c as one number.
WORKER_LOCK = 0x43697263 - (1 << 31)
# A mailing says that it waits when its relay has failed this often in a row; a blip says nothing.
FAILURES_BEFORE_PAUSE = 2
MAX_DETAIL = 500
ON_TRIAL = Timeouts.at_most(10)  # seconds for each answer: a person waits for the page


# ---- relays ----------------------------------------------------------------------------------


@transaction.atomic
def note_trouble(
    relay_id: int,
    trouble: Trouble,
    *,
    detail: str = "",
    dice: float,
    pace: Pace = DEFAULT_PACE,
    by: Actor = RELAY,
) -> datetime | None:
    """Let a relay rest, longer each time, and let circulars say why they wait; gives until when.

    Units:   ``dice`` from 0 to 1
    Locks:   the relay row (no key), then chain heads
    Repeat:  each call is one more failure, unless the relay rests already: then None
    """
    now = timezone.now()
    row = Relay.objects.select_for_update(no_key=True).filter(pk=relay_id).first()
    if row is None or (row.resting_until is not None and row.resting_until > now):
        return None
    first = row.failures == 0
    row.failures += 1
    row.resting_until = now + rest_for(trouble, row.failures, dice, pace)
    row.trouble, row.trouble_at = trouble.value, now
    row.trouble_detail = detail.replace("\x00", "")[:MAX_DETAIL]
    row.save(update_fields=["failures", "resting_until", "trouble", "trouble_at", "trouble_detail"])
    usable = Relay.objects.filter(active=True, failures__lt=FAILURES_BEFORE_PAUSE).exists()
    if row.failures >= FAILURES_BEFORE_PAUSE and not usable:
        for one in _circulars_that_wait():
            mailing.pause_self(one, trouble.value, by=by)
    if first:
        append(
            EntryDraft(
                chain=HOUSE,
                act="relay_in_trouble",
                by=by,
                at=now,
                facts={"relay": relay_id, "trouble": trouble.value},
            )
        )
    return row.resting_until


@transaction.atomic
def note_working(relay_id: int, *, size: int | None = None, by: Actor = RELAY) -> None:
    """Note that a relay took mail, or passed its test: its rest and the pauses it caused end.

    Units:   ``size`` in octets, as its greeting announced; None when it named no limit

    Locks:   the relay row (no key), then chain heads
    Repeat:  writes nothing when there was no trouble
    """
    now = timezone.now()
    row = Relay.objects.select_for_update(no_key=True).filter(pk=relay_id).first()
    if row is None:
        return
    troubled = row.failures > 0
    row.failures, row.resting_until, row.trouble, row.trouble_detail = 0, None, "", ""
    row.worked_at, row.size_limit = now, size
    row.save(
        update_fields=[
            *("failures", "resting_until", "trouble", "trouble_detail", "worked_at", "size_limit")
        ]
    )
    for one in _circulars_that_wait(paused=True):
        mailing.resume_self(one, by=by)
    if troubled:
        append(
            EntryDraft(
                chain=HOUSE, act="relay_works_again", by=by, at=now, facts={"relay": relay_id}
            )
        )


@transaction.atomic
def pause_circular(mailing_id: int, trouble: Trouble, *, by: Actor = RELAY) -> bool:
    """Let a circular pause itself because every copy would meet the same trouble.

    Our own letters do not pause: nobody would resume them; they wait and are tried again.

    Repeat:  a mailing that has paused itself keeps its first reason; False
    """
    if not Mailing.objects.filter(pk=mailing_id, kind=MailingKind.CIRCULAR.value).exists():
        return False
    return mailing.pause_self(mailing_id, trouble.value, by=by)


@transaction.atomic
def note_missing_relay(*, by: Actor = SYSTEM) -> int:
    """Let circulars say that they wait because no relay is set; returns how many say so now.

    Repeat:  those that say why they wait already are left alone
    """
    return sum(
        mailing.pause_self(one, Trouble.NO_RELAY.value, by=by) for one in _circulars_that_wait()
    )


def _circulars_that_wait(*, paused: bool = False) -> list[int]:
    """Give the circulars with people to offer to; with ``paused`` those a relay's trouble paused."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM mailing_mailing WHERE state = ANY (%s) AND kind = %s"
            " AND (pending > 0 OR witnesses_pending > 0) AND self_paused = ANY (%s)"
            " ORDER BY id LIMIT 1000",
            [
                [state.value for state in LEASABLE_STATES],
                MailingKind.CIRCULAR.value,
                [pause.value for pause in PAUSES_OF_RELAYS] if paused else [""],
            ],
        )
        return [row[0] for row in cursor.fetchall()]


# ---- workers ---------------------------------------------------------------------------------


def hold_worker_lock(worker: int, on: BaseDatabaseWrapper) -> bool:
    """Take a worker's lock for as long as this connection lives; False when somebody has it.

    Repeat:  a session may take its own lock again
    """
    with on.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [WORKER_LOCK, worker])
        row = cursor.fetchone()
    return bool(row and row[0])


@transaction.atomic
def register_worker(*, on: BaseDatabaseWrapper, version: str = __version__) -> tuple[int, UUID]:
    """Give this process a number and a key, locked on ``on`` before anybody can see it.

    Raises:  NotAWorkerError when the lock of a new number is taken, which no worker does
    """
    now = timezone.now()
    row = Worker.objects.create(
        host=socket.gethostname()[:253],
        pid=os.getpid(),
        version=version,
        started_at=now,
        seen_at=now,
    )
    if not hold_worker_lock(row.pk, on):
        raise NotAWorkerError(str(row.pk))
    return row.pk, row.key


def sign_of_life(worker: int) -> None:
    """Note when a worker was last seen; one that was taken for lost is back."""
    Worker.objects.filter(pk=worker).update(seen_at=timezone.now(), ended_at=None)


def end_worker(worker: int) -> None:
    """Note that a worker ended of its own accord."""
    Worker.objects.filter(pk=worker, ended_at__isnull=True).update(ended_at=timezone.now())


# ---- leases ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """People on loan to one worker.

    Shapes:  ``attempts`` says for each recipient how often the message was offered before
    """

    lease: int
    mailing: int
    recipients: tuple[int, ...]
    attempts: tuple[int, ...]


@transaction.atomic
def lease_batch(
    mailing_id: int, *, relay: int | None, worker: int, limit: int, lasts: timedelta
) -> Batch | None:
    """Lend a batch of people who may be offered their message now; None when nobody may.

    Shapes:  longest waiting first, then by id
    Locks:   the recipients chosen (no key, skipping what others hold)
    Repeat:  lends other people
    """
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT r.id, r.attempts FROM mailing_recipient AS r
            JOIN mailing_mailing AS m ON m.id = r.mailing_id
            WHERE r.mailing_id = %(mailing)s AND r.state = 'pending' AND r.lease IS NULL
                AND r.next_try_at <= %(now)s AND {queries.LEASABLE}
            ORDER BY r.next_try_at, r.id
            LIMIT %(limit)s
            FOR NO KEY UPDATE OF r SKIP LOCKED
            """,  # noqa: S608 - our own words
            {**queries.LEASABLE_VALUES, "mailing": mailing_id, "now": now, "limit": limit},
        )
        rows = cursor.fetchall()
        if not rows:
            return None
        chosen = [row[0] for row in rows]
        lease = Lease.objects.create(
            mailing_id=mailing_id,
            relay_id=relay,
            worker_id=worker,
            at=now,
            until=now + lasts,
            leased_count=len(chosen),
        )
        cursor.execute(
            "UPDATE mailing_recipient SET lease = %s, leased_until = %s, offered_at = NULL"
            " WHERE id = ANY (%s)",
            [lease.pk, lease.until, chosen],
        )
    return Batch(
        lease=lease.pk,
        mailing=mailing_id,
        recipients=tuple(chosen),
        attempts=tuple(row[1] for row in rows),
    )


@transaction.atomic
def mark_offered(recipients: Collection[int], *, worker: int, lasts: timedelta) -> set[int]:
    """Record that these people are being offered their message; gives those who may be.

    Call it before the final dot can leave, and let nobody's leave who is not in the answer: their
    lease is not this worker's any more.

    Locks:   the recipients
    Repeat:  the same answer while the lease lasts
    """
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE mailing_recipient AS r SET offered_at = %(now)s, leased_until = %(until)s
            FROM dispatch_lease AS l
            WHERE r.id = ANY (%(ids)s) AND r.state = 'pending' AND r.lease = l.id
                AND l.worker_id = %(worker)s AND l.state = 'open'
            RETURNING r.id, l.id
            """,
            {"now": now, "until": now + lasts, "ids": sorted(recipients), "worker": worker},
        )
        rows = cursor.fetchall()
        cursor.execute(
            "UPDATE dispatch_lease SET until = %s WHERE id = ANY (%s) AND state = 'open'",
            [now + lasts, sorted({row[1] for row in rows})],
        )
    return {row[0] for row in rows}


@transaction.atomic
def settle_offers(
    facts: Sequence[OutcomeFact], *, lease: int, closes: bool, by: Actor = RELAY
) -> outcomes.Settled:
    """Record what became of people under one lease; ``closes`` ends it with them.

    Locks:   the lease row when it ends, then as ``outcomes.settle``
    Repeat:  the second call finds nobody under the lease
    """
    if closes:
        Lease.objects.filter(pk=lease, state=LeaseState.OPEN).update(
            state=LeaseState.SETTLED, ended_at=timezone.now()
        )
    return outcomes.settle(facts, lease=lease, by=by)


# ---- recovery --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What recovery found."""

    leases: int = 0
    given_back: int = 0  # never offered: they wait again
    in_doubt: int = 0  # offered, without a verdict on record
    replayed: int = 0  # their verdict stood in a journal


def verdict_folder() -> Path:
    """Return where the workers of this machine keep their journals."""
    folder: Path = settings.CIRCULAR.data_folder / "run" / "verdicts"
    return folder


def replay_journals(folder: Path, *, me: int | None = None, by: Actor = RELAY) -> int:
    """Record the verdicts that workers of this machine wrote down before they were lost.

    Sheets of a worker that this database does not know are left alone: they belong to another.

    Repeat:  what is recorded is skipped; a sheet goes once it was replayed
    """
    replayed = 0
    for key, sheets in sheets_in(folder).items():
        worker = Worker.objects.filter(key=key).exclude(pk=me or 0).first()
        if worker is None or not _is_gone(worker.pk):
            continue
        for sheet in sheets:
            by_lease: dict[int, list[OutcomeFact]] = {}
            for lease, fact in verdicts_on(sheet):
                by_lease.setdefault(lease, []).append(fact)
            for lease, facts in by_lease.items():
                settled = settle_offers(facts, lease=lease, closes=False, by=by)
                replayed += len(facts) - len(settled.skipped)
            sheet.unlink(missing_ok=True)
    return replayed


def recover_leases(
    *,
    me: int | None = None,
    known: Collection[int] = (),
    folder: Path | None = None,
    by: Actor = SYSTEM,
) -> Recovered:
    """Close the leases of workers that are gone: by their advisory lock, or because time is up.

    A worker holds the lock of its number on a connection of its own for as long as it lives, so a
    killed one is noticed at once; one that hangs keeps the lock, and its leases run out. With
    ``me`` the caller's own leases that are not ``known`` to it are closed too: their making was
    committed but the answer was lost with the database connection. The journals of this machine
    are replayed first, so that only those without an answer are in doubt.

    Locks:   per lease: its row (no key, skipping what others hold), its mailing, its recipients
    Repeat:  a lease is closed once
    """
    now = timezone.now()
    total = Recovered(replayed=replay_journals(folder or verdict_folder(), me=me))
    gone: set[int] = set()
    open_leases = Lease.objects.filter(state=LeaseState.OPEN).order_by("id")
    for lease, worker, until in open_leases.values_list("id", "worker", "until")[:1000]:
        lost = lease not in known if worker == me else (worker in gone or _is_gone(worker))
        if lost and worker != me:
            gone.add(worker)
        if lost or until <= now:
            total = _sum(total, _recover(lease, by=by))
    others = Worker.objects.filter(ended_at__isnull=True).exclude(pk=me or 0)
    for other in others.values_list("id", flat=True)[:1000]:
        if _is_gone(other):
            end_worker(other)
    return total


def _sum(one: Recovered, other: Recovered) -> Recovered:
    return Recovered(
        leases=one.leases + other.leases,
        given_back=one.given_back + other.given_back,
        in_doubt=one.in_doubt + other.in_doubt,
        replayed=one.replayed + other.replayed,
    )


@transaction.atomic
def _is_gone(worker: int) -> bool:
    """Say whether nobody holds a worker's lock; it is free again when this returns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [WORKER_LOCK, worker])
        row = cursor.fetchone()
    return bool(row and row[0])


@transaction.atomic
def _recover(lease_id: int, *, by: Actor) -> Recovered:
    lease = (
        Lease.objects.select_for_update(no_key=True, skip_locked=True)
        .filter(pk=lease_id, state=LeaseState.OPEN)
        .first()
    )
    if lease is None:
        return Recovered()
    now = timezone.now()
    lease.state, lease.ended_at = LeaseState.RECOVERED, now
    lease.save(update_fields=["state", "ended_at"])
    Mailing.objects.select_for_update(no_key=True).get(pk=lease.mailing_id)
    with connection.cursor() as cursor:
        # Under lock before looking: a worker that hung and wakes now either marked its offer
        # before this, and we see it, or finds the lease gone.
        cursor.execute(
            "SELECT id, offered_at FROM mailing_recipient"
            " WHERE lease = %s AND state = 'pending' ORDER BY id FOR NO KEY UPDATE",
            [lease_id],
        )
        rows = cursor.fetchall()
    facts = [
        OutcomeFact(
            recipient=recipient,
            verdict=Verdict.UNTRIED if offered_at is None else Verdict.IN_DOUBT,
            at=now,
            reason="" if offered_at is None else Reason.WORKER_LOST.value,
            source=Source.POLICY,
        )
        for recipient, offered_at in rows
    ]
    outcomes.settle(facts, lease=lease_id, by=by)
    doubtful = sum(fact.verdict is Verdict.IN_DOUBT for fact in facts)
    return Recovered(leases=1, given_back=len(facts) - doubtful, in_doubt=doubtful)


# ---- a relay on trial ------------------------------------------------------------------------


def test_relay(
    relay_id: int,
    *,
    by: Actor,
    timeouts: Timeouts = ON_TRIAL,  # noqa: PT028 - a test of a relay, not of this program
) -> RelayTest:
    """Greet a relay now, without offering it a message, and say what happened.

    For a caller without an event loop. A relay that works rests no longer; one that does not is
    not sent to rest by a test.

    Raises:  RelayUnknownError
    """
    access = queries.relay_access(relay_id)
    if access is None:
        raise RelayUnknownError(str(relay_id))
    found = try_out_now(access, domain=institution().domain, timeouts=timeouts)
    if found.ok:
        note_working(relay_id, size=found.size, by=by)
    append(
        EntryDraft(
            chain=HOUSE,
            act="relay_tested",
            by=by,
            at=timezone.now(),
            facts={"relay": relay_id, "ok": found.ok, "trouble": found.trouble.value or None},
        )
    )
    return found
