"""What may be handed to a relay now: lent with a lease, used with a verdict, returned if not used.

A relay without quotas costs nothing here. With quotas, leases of one relay are granted one after
the other (its row is locked), each together with the lease that it pays for, so all workers of all
hosts share one book. What is lent and not used counts as used now; when the lease ends it comes back
by itself, because only open leases are counted. What was used moves from the lease to a slice of
time in one statement: nobody ever sees it in both, or in neither.

Locks:   `take`: the relay row (no key). `spend_all`: lease rows, then slices by relay and window
Repeat:  none of these may be repeated alone; they stand in the transaction of a lease or a verdict
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from circular.dispatch.models import Relay, RelayQuota
from circular.dispatch.quotas import (
    SLICES,
    SPANS,
    Quota,
    QuotaUnit,
    Slice,
    Usage,
    Window,
    allows_again_at,
    counts_from,
    room,
    usage_of,
    worth_going_on,
)
from circular.dispatch.trouble import PAUSES_OF_ROUTES, Trouble
from circular.evidence.actors import RELAY, Actor
from circular.mailing import services as mailing
from circular.mailing.kinds import MailingKind
from circular.mailing.models import Mailing

# relay, window ("": what is lent), beginning of the slice, messages, recipients
_UseRow = tuple[int, str, datetime | None, int, int]
# A pause for a quota is said when the wait is longer than this; a shorter one is only pacing.
WAIT_WORTH_SAYING = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Grant:
    """How many people may be lent to a worker for one relay now."""

    recipients: int
    is_counted: bool = False  # the relay has quotas: the lease must say how much it holds
    next_at: datetime | None = None  # with nobody granted: when to ask again


def usages(relays: Iterable[int], now: datetime) -> dict[int, tuple[Usage, ...]]:
    """Return what counts against each quota of these relays; relays without quotas are left out."""
    quotas: dict[int, list[Quota]] = {}
    for row in RelayQuota.objects.filter(relay__in=list(relays)).order_by("relay", "id"):
        quota = Quota(Window(row.window), QuotaUnit(row.unit), row.most)
        quotas.setdefault(row.relay_id, []).append(quota)
    if not quotas:
        return {}
    cutoffs = [(window.value, counts_from(window, now)) for window in Window]
    with connection.cursor() as cursor:
        # One statement: what moves from a lease to a slice meanwhile is seen in one of them.
        cursor.execute(
            """
            SELECT u.relay_id, u."window", u.began_at, u.messages, u.recipients
            FROM dispatch_quotause AS u
            JOIN unnest(%(windows)s::text[], %(cutoffs)s::timestamptz[]) AS c (name, after)
                ON u."window" = c.name AND u.began_at > c.after
            WHERE u.relay_id = ANY (%(relays)s)
            UNION ALL
            SELECT l.relay_id, '', NULL, sum(l.messages_out), sum(l.recipients_out)
            FROM dispatch_lease AS l
            WHERE l.relay_id = ANY (%(relays)s) AND l.state = 'open'
            GROUP BY l.relay_id
            """,
            {
                "windows": [name for name, _ in cutoffs],
                "cutoffs": [after for _, after in cutoffs],
                "relays": list(quotas),
            },
        )
        rows: list[_UseRow] = cursor.fetchall()
    found: dict[int, tuple[Usage, ...]] = {}
    for relay, those in quotas.items():
        mine = [row for row in rows if row[0] == relay]
        found[relay] = tuple(_usage(quota, mine, now) for quota in those)
    return found


def _usage(quota: Quota, rows: Sequence[_UseRow], now: datetime) -> Usage:
    by_messages = quota.unit is QuotaUnit.MESSAGES
    slices = [
        Slice(began_at, int(messages if by_messages else recipients))
        for _, window, began_at, messages, recipients in rows
        if window == quota.window and began_at is not None
    ]
    lent = sum(
        int(messages if by_messages else recipients)
        for _, window, _, messages, recipients in rows
        if window == ""
    )
    return usage_of(quota, slices, lent, now)


def database_now() -> datetime:
    """Return the time by the one clock that all hosts share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


def take(relay_id: int, wanted: int, *, paused_with: int | None = None) -> Grant:
    """Say how many of the wanted people may be lent for this relay in this transaction.

    The caller makes the lease with as much in ``messages_out`` and ``recipients_out`` before the
    transaction ends. ``paused_with`` is how many people a mailing that waits for a quota has left:
    it goes on only when it is worth going on, so that it does not say *paused*, *goes on* with
    every slice of a day.

    Locks:   the relay row (no key), when it has quotas
    """
    if not RelayQuota.objects.filter(relay_id=relay_id).exists():
        return Grant(wanted)
    if not Relay.objects.select_for_update(no_key=True).filter(pk=relay_id).exists():
        return Grant(0, is_counted=True)
    now = database_now()
    held = usages([relay_id], now).get(relay_id)
    if held is None:
        return Grant(wanted)
    left = room(held) or 0
    least = 1 if paused_with is None else worth_going_on(held, paused_with)
    if left < least:
        return Grant(0, is_counted=True, next_at=allows_again_at(held, now, least))
    return Grant(min(wanted, left), is_counted=True)


def spend_all(used: Mapping[int, tuple[int, int]]) -> None:
    """Move what was offered and answered from leases to the slices of their relays' quotas.

    Call it last in the transaction: whoever holds a slice must wait for nobody.

    Shapes:  ``used`` gives by lease how many messages and how many recipients
    Locks:   the lease rows that hold a grant, then slices in order of relay and window
    """
    counted = [(lease, *those) for lease, those in sorted(used.items()) if any(those)]
    if not counted:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH used AS (
                SELECT * FROM unnest(%(leases)s::bigint[], %(messages)s::bigint[],
                    %(recipients)s::bigint[]) AS used (lease, messages, recipients)
            ),
            returned AS (
                UPDATE dispatch_lease AS l
                SET messages_out = greatest(l.messages_out - used.messages, 0),
                    recipients_out = greatest(l.recipients_out - used.recipients, 0)
                FROM used
                WHERE l.id = used.lease AND (l.messages_out > 0 OR l.recipients_out > 0)
            ),
            by_relay AS (
                SELECT l.relay_id, sum(used.messages) AS messages, sum(used.recipients) AS recipients
                FROM used JOIN dispatch_lease AS l ON l.id = used.lease
                GROUP BY l.relay_id
            )
            INSERT INTO dispatch_quotause AS u
                (relay_id, "window", began_at, messages, recipients)
            SELECT DISTINCT r.relay_id, q."window",
                to_timestamp(floor(extract(epoch FROM clock.now) / w.width) * w.width) AS began,
                r.messages, r.recipients
            FROM by_relay AS r
            JOIN dispatch_relayquota AS q ON q.relay_id = r.relay_id
            JOIN unnest(%(windows)s::text[], %(widths)s::float8[]) AS w (name, width)
                ON w.name = q."window"
            CROSS JOIN (SELECT clock_timestamp() AS now) AS clock
            ORDER BY r.relay_id, q."window"
            ON CONFLICT (relay_id, "window", began_at) DO UPDATE
            SET messages = u.messages + excluded.messages,
                recipients = u.recipients + excluded.recipients
            """,
            {
                "leases": [lease for lease, _, _ in counted],
                "messages": [messages for _, messages, _ in counted],
                "recipients": [recipients for _, _, recipients in counted],
                "windows": [window.value for window in Window],
                "widths": [SLICES[window].total_seconds() for window in Window],
            },
        )


def recall(relay_id: int, windows: Iterable[Window], now: datetime) -> None:
    """Count what left before a window had a quota: everything its leases held is taken for sent."""
    for window in windows:
        width = SLICES[window].total_seconds()
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO dispatch_quotause AS u
                    (relay_id, "window", began_at, messages, recipients)
                SELECT l.relay_id, %(window)s, to_timestamp(
                        floor(extract(epoch FROM coalesce(l.ended_at, %(now)s)) / %(width)s) * %(width)s
                    ) AS began, sum(l.leased_count), sum(l.leased_count)
                FROM dispatch_lease AS l
                WHERE l.relay_id = %(relay)s
                    AND coalesce(l.ended_at, %(now)s) > %(after)s
                GROUP BY l.relay_id, began
                ON CONFLICT (relay_id, "window", began_at) DO UPDATE
                SET messages = greatest(u.messages, excluded.messages),
                    recipients = greatest(u.recipients, excluded.recipients)
                """,
                {
                    "relay": relay_id,
                    "window": window.value,
                    "width": width,
                    "now": now,
                    "after": counts_from(window, now),
                },
            )


def prune(now: datetime) -> int:
    """Drop slices that no window counts any more."""
    dropped = 0
    for window in Window:
        with connection.cursor() as cursor:
            cursor.execute(
                'DELETE FROM dispatch_quotause WHERE "window" = %s AND began_at < %s',
                [window.value, counts_from(window, now) - SPANS[window]],
            )
            dropped += cursor.rowcount
    return dropped


@transaction.atomic
def wait_for_route(
    mailing_id: int, trouble: Trouble, until: datetime | None = None, *, by: Actor = RELAY
) -> bool:
    """Let a circular say that no relay has room for it, or serves it, when the wait is worth saying.

    Repeat:  a mailing that has paused itself keeps its first reason; False
    """
    if trouble not in PAUSES_OF_ROUTES:
        raise ValueError(trouble)
    if until is not None and until - database_now() < WAIT_WORTH_SAYING:
        return False
    if not Mailing.objects.filter(pk=mailing_id, kind=MailingKind.CIRCULAR.value).exists():
        return False
    return mailing.pause_self(mailing_id, trouble.value, by=by)


@transaction.atomic
def goes_on(mailing_id: int, *, by: Actor = RELAY) -> bool:
    """End a pause for want of a route, once somebody was lent again.

    Repeat:  False when there is none
    """
    reasons = [trouble.value for trouble in PAUSES_OF_ROUTES]
    waits = Mailing.objects.filter(pk=mailing_id, self_paused__in=reasons).exists()
    return waits and mailing.resume_self(mailing_id, by=by)
