"""Leases of workers that were lost are closed: with their journal's testimony, or in doubt.

Rules
1. A process that holds its journal is alive, whatever became of its connections: nobody but the
   end of its lease takes people from it, and then it is stopped first (`journal`).
2. With a whole journal only those who were handed over and not answered are in doubt.
3. Without one (the machine is gone, it lost its power, its disk was full) everybody on loan is, once
   the lease has run out: until then the machine may come back and tell.
4. Nothing here sends; whoever is untried waits again, at once.

Locks:   per lease: its mailing, its row, its recipients, chain heads last
Repeat:  a lease is closed once
Sources: design §2.2; RFC 1047; reliability.md §2 rules 3 to 6; docs/decisions/0063.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from circular.dispatch import lending
from circular.dispatch.grants import spend_all
from circular.dispatch.journal import Estate, keys_in
from circular.dispatch.models import Lease, LeaseState, Worker
from circular.dispatch.services import WORKER_LOCK, end_worker
from circular.dispatch.testimony import Testimony, is_untried
from circular.evidence.actors import RELAY, SYSTEM, Actor
from circular.mailing.recipients import Reason
from circular.outcomes import services as outcomes
from circular.outcomes.verdicts import OutcomeFact, Source, Verdict

logger = logging.getLogger(__name__)

MOST_LEASES = 1000  # in one round; the next one is seconds away


@dataclass(slots=True, kw_only=True)
class Recovered:
    """What recovery found."""

    leases: int = 0
    given_back: int = 0  # never offered: they wait again
    in_doubt: int = 0  # offered, or possibly offered, without a verdict on record
    replayed: int = 0  # their verdict stood in a journal


def verdict_folder() -> Path:
    """Return where the workers of this machine keep their journals."""
    folder: Path = settings.CIRCULAR.data_folder / "run" / "verdicts"
    return folder


def recover_leases(
    *,
    me: int | None = None,
    known: Collection[int] = (),
    folder: Path | None = None,
    by: Actor = SYSTEM,
) -> Recovered:
    """Close the leases of workers that are gone, and of those that let their leases run out.

    With ``me`` the caller's own leases that are not ``known`` to it are given back too: their making
    was committed but the answer was lost with the database connection.
    """
    total = Recovered()
    folder = folder or verdict_folder()
    told = _read_journals(folder, me, total, by)
    for lease in _open_leases(me or 0) if me is not None else []:
        if lease not in known:
            _close(lease, Testimony(whole=True), total, by)
    for lease in _run_out({me or 0} | told):
        _close(lease, None, total, by)
    for worker in Worker.objects.filter(ended_at__isnull=True).exclude(pk=me or 0)[:MOST_LEASES]:
        if not _open_leases(worker.pk) and _is_gone(worker.pk):
            end_worker(worker.pk)
    return total


def _read_journals(folder: Path, me: int | None, total: Recovered, by: Actor) -> set[int]:
    """Settle what the journals of this machine prove; name the workers that they speak for.

    Journals of a worker that this database does not know are left alone: they belong to another.
    """
    told = set()
    for key in keys_in(folder):
        worker = Worker.objects.filter(key=key).exclude(pk=me or 0).first()
        if worker is None:
            continue
        try:
            with Estate(folder, key) as estate:
                _settle_estate(estate, worker, total, by)
                if estate.is_whole:
                    told.add(worker.pk)
        except FileNotFoundError:
            continue  # somebody else was first
    return told


def _settle_estate(estate: Estate, worker: Worker, total: Recovered, by: Actor) -> None:
    if not estate.is_dead:
        if not _run_out(set(), of=worker.pk) or not estate.stop_owner():
            return
        # It hangs. It can hand nobody over any more, so what it wrote is all there is.
        logger.warning("a worker hangs and lost its leases", extra={"worker": worker.pk})
    elif not _is_gone(worker.pk):
        return  # its process ended, its connection not yet: what it last said may still be done
    testimony = estate.testimony()
    for lease in sorted({*_open_leases(worker.pk), *testimony.answers}):
        _replay(lease, testimony, total)
    for lease in _open_leases(worker.pk):
        _close(lease, testimony, total, by)
    if estate.is_dead and worker.ended_at is None:
        end_worker(worker.pk)  # the next round looks again, then the files go
    elif estate.is_dead:
        estate.forget()


def _replay(lease_id: int, testimony: Testimony, total: Recovered) -> None:
    lines = testimony.answers.get(lease_id)
    lease = Lease.objects.filter(pk=lease_id).first()
    if not lines or lease is None:
        return
    settled = lending.settle_offers("".join(lines), lent=[lending.lent_by(lease)], by=RELAY)
    total.replayed += sum(settled.moved.values())


def _open_leases(worker: int) -> list[int]:
    rows = Lease.objects.filter(worker=worker, state=LeaseState.OPEN).order_by("id")
    return list(rows.values_list("id", flat=True)[:MOST_LEASES])


def _run_out(but: Collection[int], *, of: int | None = None) -> list[int]:
    """Name open leases whose time is up by the database's clock, ``but`` those of some workers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM dispatch_lease WHERE state = 'open' AND until <= clock_timestamp()"
            " AND worker_id <> ALL (%(but)s::bigint[]) AND (%(of)s::bigint IS NULL OR worker_id = %(of)s)"
            " ORDER BY id LIMIT %(most)s",
            {"but": list(but), "of": of, "most": MOST_LEASES},
        )
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def _is_gone(worker: int) -> bool:
    """Say whether nobody holds a worker's lock; it is free again when this returns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [WORKER_LOCK, worker])
        row = cursor.fetchone()
    return bool(row and row[0])


@transaction.atomic
def _close(lease_id: int, testimony: Testimony | None, total: Recovered, by: Actor) -> None:
    """Close a lease whose worker can offer nothing under it any more."""
    lease = lending.hold(lease_id)
    if lease is None:
        return
    now = timezone.now()
    lent = lending.lent_by(lease)
    facts = []
    for recipient in lending.on_loan(lent):
        untried = is_untried(testimony, lease_id, recipient)
        facts.append(
            OutcomeFact(
                recipient=recipient,
                verdict=Verdict.UNTRIED if untried else Verdict.IN_DOUBT,
                at=now,
                reason="" if untried else Reason.WORKER_LOST.value,
                source=Source.POLICY,
            )
        )
    lending.close_leases([lease_id], LeaseState.RECOVERED)
    outcomes.settle(facts, lease=lent, by=by)
    doubtful = sum(fact.verdict is Verdict.IN_DOUBT for fact in facts)
    spend_all({lease_id: (doubtful, doubtful)})
    total.leases += 1
    total.in_doubt += doubtful
    total.given_back += len(facts) - doubtful
