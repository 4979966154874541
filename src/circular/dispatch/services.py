"""The writers of the post office: relays and workers. Leases are `lending`'s and `recovery`'s.

Locks:   one relay's row, then chain heads
Sources: design §2.2; reliability.md §2 rules 3 to 6.
"""

import os
import socket
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from circular import __version__
from circular.dispatch import queries
from circular.dispatch.dialling import RelayTest, try_out_now
from circular.dispatch.errors import NotAWorkerError, RelayUnknownError
from circular.dispatch.models import Relay, Worker
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
