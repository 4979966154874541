"""Recipients on loan: lent to one worker, kept on loan while it lives, given back as verdicts.

Rules
1. A lease is durable before anything is offered, and only the lease is a permission to offer.
2. First offers go through a mailing once, by id: a lease is a range, and writes no recipient's row.
   Whoever waits for a later offer carries the lease's number.
3. A verdict's state, totals and entry are the ledger's (`outcomes.services`), and so is the fence: a
   verdict of a lease that was recovered moves nobody but those whom the recovery left in doubt.

Locks:   the mailing's row, then the lease's, then recipients, chain heads last
Sources: design §2.2; docs/decisions/0063.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from circular.dispatch import queries
from circular.dispatch.ceiling import admit
from circular.dispatch.grants import Grant, spend_all, take
from circular.dispatch.models import Lease, LeaseState
from circular.evidence.actors import RELAY, Actor
from circular.mailing import services as mailing
from circular.mailing.rendering import RecipientFacts
from circular.outcomes import services as outcomes
from circular.outcomes.lines import Lent
from circular.outcomes.services import Settled

MOST_CLOSED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """People on loan to one worker, with what it takes to print their copies.

    Shapes:  ``people`` in the order in which they are offered the message; ``attempts`` says of those
             who were offered it before how often
    """

    lent: Lent
    people: Sequence[RecipientFacts]
    attempts: Mapping[int, int]

    @property
    def recipients(self) -> tuple[int, ...]:
        """Name them by id."""
        return tuple(person.id for person in self.people)


@transaction.atomic
def lease_batch(
    mailing_id: int,
    *,
    relay: int | None,
    worker: int,
    limit: int,
    lasts: timedelta,
    paused_with: int | None = None,
) -> Batch | None:
    """Lend a batch of people who may be offered their message now; None when nobody may.

    ``paused_with`` as for ``grants.take``.

    Shapes:  whoever was promised another try comes first, longest waiting first; then first offers
    Locks:   the relay where it has quotas, the mailing (no key), the recipients who are tried again
             (no key, skipping what others hold)
    Repeat:  lends other people
    """
    grant = Grant(limit) if relay is None else take(relay, limit, paused_with=paused_with)
    held = _hold_leasable(mailing_id) if grant.recipients else None
    if held is None:
        return None
    wanted = grant.recipients if held.ceiling is None else held.ceiling.allows(grant.recipients)
    if not wanted:
        return None
    loan = _Loan(mailing_id, relay, worker, lasts, replace(grant, recipients=wanted))
    batch = _lease_again(loan) or _lease_range(loan, held.frontier)
    if batch is not None and held.ceiling is not None:
        _use_up(mailing_id, held.ceiling.after(len(batch.people)))
    return batch


@dataclass(frozen=True, slots=True)
class _Ceiling:
    """The operator's ceiling as it stands in the mailing's row, and the database's time."""

    per_minute: int
    paced_until: datetime | None
    now: datetime

    def allows(self, wanted: int) -> int:
        return admit(self.per_minute, self.paced_until, self.now, wanted).count

    def after(self, lent: int) -> datetime:
        return admit(self.per_minute, self.paced_until, self.now, lent).paced_until


@dataclass(frozen=True, slots=True)
class _Leasable:
    """A mailing under lock: how far first offers went, and how fast it may go."""

    frontier: int
    ceiling: _Ceiling | None


def _use_up(mailing_id: int, until: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE mailing_mailing SET paced_until = %s WHERE id = %s", [until, mailing_id]
        )


@dataclass(frozen=True, slots=True)
class _Loan:
    """What all ways to lend have in common."""

    mailing: int
    relay: int | None
    worker: int
    lasts: timedelta
    grant: Grant


def _hold_leasable(mailing_id: int) -> _Leasable | None:
    """Hold the mailing; None when nobody may be offered it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.frontier, m.per_minute, m.paced_until, clock_timestamp()
            FROM mailing_mailing AS m
            WHERE m.id = %(mailing)s AND {queries.LEASABLE} FOR NO KEY UPDATE
            """,  # noqa: S608 - our own words
            {**queries.LEASABLE_VALUES, "mailing": mailing_id},
        )
        row = cursor.fetchone()
    if row is None:
        return None
    frontier, per_minute, paced_until, now = row
    return _Leasable(
        frontier, None if per_minute is None else _Ceiling(per_minute, paced_until, now)
    )


def _lease_again(loan: _Loan) -> Batch | None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, address, fields, attempts FROM mailing_recipient
            WHERE mailing_id = %s AND lease IS NULL AND next_try_at <= now() AND state = 'pending'
            ORDER BY next_try_at, id
            LIMIT %s
            FOR NO KEY UPDATE SKIP LOCKED
            """,
            [loan.mailing, loan.grant.recipients],
        )
        rows = cursor.fetchall()
        if not rows:
            return None
        lease = _lend(loan, len(rows))
        cursor.execute(
            "UPDATE mailing_recipient SET lease = %s WHERE id = ANY (%s)",
            [lease, [row[0] for row in rows]],
        )
    return Batch(
        lent=Lent(lease, loan.mailing),
        people=[_facts(row) for row in rows],
        attempts={row[0]: row[3] for row in rows},
    )


def _lease_range(loan: _Loan, frontier: int) -> Batch | None:
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                """
                SELECT id, address, fields, state = 'pending' AND next_try_at IS NULL
                FROM mailing_recipient WHERE mailing_id = %s AND id > %s ORDER BY id LIMIT %s
                """,
                [loan.mailing, frontier, loan.grant.recipients],
            )
            rows = cursor.fetchall()
            if not rows:
                return None
            first, frontier = rows[0][0], rows[-1][0]
            cursor.execute(
                "UPDATE mailing_mailing SET frontier = %s WHERE id = %s", [frontier, loan.mailing]
            )
            people = [_facts(row) for row in rows if row[3]]
            if people:
                break
    lease = _lend(loan, len(people), first, frontier)
    return Batch(lent=Lent(lease, loan.mailing, first, frontier), people=people, attempts={})


def _facts(row: tuple[int, str, str, object]) -> RecipientFacts:
    # Django's cursors give JSON as it is written.
    return RecipientFacts(id=row[0], address=row[1], fields=json.loads(row[2]))


def _lend(loan: _Loan, count: int, first: int = 0, last: int = 0) -> int:
    reserved = count if loan.grant.is_counted else 0
    with connection.cursor() as cursor:
        # The database's clock says when it runs out, for every host alike.
        cursor.execute(
            "INSERT INTO dispatch_lease (mailing_id, relay_id, worker_id, at, until, state,"
            " leased_count, first, last, messages_out, recipients_out)"
            " VALUES (%s, %s, %s, %s, clock_timestamp() + %s * interval '1 second', 'open', %s, %s, %s, %s, %s)"
            " RETURNING id",
            [
                loan.mailing,
                loan.relay,
                loan.worker,
                timezone.now(),
                loan.lasts.total_seconds(),
                count,
                first,
                last,
                reserved,
                reserved,
            ],
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def renew_leases(worker: int, *, lasts: timedelta) -> set[int]:
    """Keep what a worker has on loan; gives the leases that are still its own.

    Repeat:  each call starts the time afresh
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE dispatch_lease SET until = clock_timestamp() + %s * interval '1 second'"
            " WHERE worker_id = %s AND state = 'open' RETURNING id",
            [lasts.total_seconds(), worker],
        )
        return {row[0] for row in cursor.fetchall()}


@transaction.atomic
def settle_offers(lines: str, *, lent: Collection[Lent], by: Actor = RELAY) -> Settled:
    """Record what became of people on loan; a lease that nobody is under any more ends with it.

    Shapes:  ``lines`` as ``outcomes.lines`` writes them; ``lent`` names every lease in them
    Locks:   the mailings, then as ``outcomes.settle_lines``, then the leases that end
    Repeat:  the second call finds nobody under the lease
    """
    settled = outcomes.settle_lines(lines, lent=list(lent), by=by)
    if settled.over:
        close_leases(settled.over, LeaseState.SETTLED)
    used = Counter(_tried(lines))
    spend_all({lease: (count, count) for lease, count in used.items()})
    return settled


def _tried(lines: str) -> Iterator[int]:
    """Give the lease of each verdict that says something was offered."""
    for line in lines.splitlines():
        lease, _, verdict, _ = line.split("\t", 3)
        if lease and verdict != "untried":
            yield int(lease)


def close_leases(leases: Sequence[int], state: LeaseState) -> None:
    """End leases that are open; the caller holds their mailings."""
    Lease.objects.filter(pk__in=leases, state=LeaseState.OPEN).update(
        state=state, ended_at=timezone.now()
    )


def hold(lease: int) -> Lease | None:
    """Hold a lease's mailing and then the lease, if it is still open."""
    mailing_id = Lease.objects.filter(pk=lease).values_list("mailing", flat=True).first()
    if mailing_id is None:
        return None
    mailing.hold_all([mailing_id])
    return (
        Lease.objects.select_for_update(no_key=True).filter(pk=lease, state=LeaseState.OPEN).first()
    )


def lent_by(lease: Lease) -> Lent:
    """Say what a lease lends."""
    return Lent(lease.pk, lease.mailing_id, lease.first, lease.last)


def on_loan(lent: Lent) -> list[int]:
    """Name those under a lease without a recorded verdict; the caller holds the mailing."""
    with connection.cursor() as cursor:
        if lent.last:
            cursor.execute(
                "SELECT id FROM mailing_recipient WHERE mailing_id = %s AND id BETWEEN %s AND %s"
                " AND state = 'pending' AND next_try_at IS NULL ORDER BY id",
                [lent.mailing, lent.first, lent.last],
            )
        else:
            cursor.execute(
                "SELECT id FROM mailing_recipient WHERE lease = %s AND state = 'pending'"
                " ORDER BY id",
                [lent.lease],
            )
        return [row[0] for row in cursor.fetchall()]
