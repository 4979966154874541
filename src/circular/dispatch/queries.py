"""Answers about relays, workers and waiting mail, as frozen values.

Indexes relied on: `mailing_with_work`, `recipient_of_mailing` and `recipient_tried_again` (who waits), `lease_open_by_worker`,
`worker_not_ended`; relays are few.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from django.db import connection
from django.db.models import F, Q

from circular.dispatch import grants
from circular.dispatch.batching import Waiting
from circular.dispatch.breaker import BreakerRules
from circular.dispatch.choosing import Parcel, Route, groups_of, serves
from circular.dispatch.models import (
    Lease,
    LeaseState,
    Relay,
    RelayQuota,
    Security,
    SendingRules,
    SignInMethod,
    Worker,
)
from circular.dispatch.quotas import SPANS, Usage, allows_again_at, ends_at, room
from circular.dispatch.trouble import PAUSES_THAT_END
from circular.mailing.kinds import LEASABLE_STATES
from circular.mailing.models import Mailing
from circular.mailing.sealed import BrokenSealError, unseal
from circular.smtp.commands import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayRow:
    """A relay as pages show it; its password is not among the fields."""

    id: int
    name: str
    host: str
    port: int
    security: Security
    verify: bool
    username: str
    has_password: bool
    max_connections: int
    rank: int
    weight: int
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    recipients_per_message: int
    messages_per_connection: int
    max_age: int
    depth: int
    sign_in: SignInMethod
    sign_dkim: bool
    active: bool
    resting_until: datetime | None
    failures: int
    trouble: str
    trouble_detail: str
    trouble_at: datetime | None
    worked_at: datetime | None
    size_limit: int | None  # octets a message may have, as it last said; None: it named no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayAccess:
    """A relay as a session needs it. The password shows in no repr."""

    id: int
    name: str
    host: str
    port: int
    security: Security
    verify: bool
    credentials: Credentials | None
    sealed_badly: bool  # the password cannot be opened with the present key
    max_connections: int
    resting_until: datetime | None
    failures: int
    rank: int = 100
    weight: int = 1
    classes: frozenset[str] = frozenset()  # empty: all
    groups: frozenset[str] = frozenset()  # empty: all
    recipients_per_message: int = 100
    messages_per_connection: int = 500
    max_age: int = 300  # seconds
    depth: int = 8
    sign_dkim: bool = False
    room: int | None = None  # people whom its quotas allow now; None: it has none
    room_at: datetime | None = None  # with no room: when there will be some


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A sender process, as the administration page shows it."""

    id: int
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    leased: int
    work: tuple[tuple[int, int], ...]  # mailing and how many of its people are on loan here


def _row(relay: Relay) -> RelayRow:
    return RelayRow(
        id=relay.pk,
        name=relay.name,
        host=relay.host,
        port=relay.port,
        security=Security(relay.security),
        verify=relay.verify,
        username=relay.username,
        has_password=bool(relay.password_sealed),
        max_connections=relay.max_connections,
        rank=relay.rank,
        weight=relay.weight,
        classes=tuple(relay.classes),
        groups=tuple(relay.groups),
        recipients_per_message=relay.recipients_per_message,
        messages_per_connection=relay.messages_per_connection,
        max_age=relay.max_age,
        depth=relay.depth,
        sign_in=SignInMethod(relay.sign_in),
        sign_dkim=relay.sign_dkim,
        active=relay.active,
        resting_until=relay.resting_until,
        failures=relay.failures,
        trouble=relay.trouble,
        trouble_detail=relay.trouble_detail,
        trouble_at=relay.trouble_at,
        worked_at=relay.worked_at,
        size_limit=relay.size_limit,
    )


def relays() -> list[RelayRow]:
    """Return all relays in the order in which they are tried."""
    return [_row(relay) for relay in Relay.objects.order_by("rank", "id")[:100]]


def relay(relay_id: int) -> RelayRow | None:
    """Return one relay, or None when there is none of this number."""
    found = Relay.objects.filter(pk=relay_id).first()
    return None if found is None else _row(found)


def _access(relay: Relay, held: Sequence[Usage] = (), now: datetime | None = None) -> RelayAccess:
    credentials, sealed_badly = None, False
    if relay.username:
        try:
            credentials = Credentials(
                relay.username,
                unseal(relay.password_sealed),
                bearer=relay.sign_in == SignInMethod.XOAUTH2,
            )
        except BrokenSealError:
            sealed_badly = True
    return RelayAccess(
        id=relay.pk,
        name=relay.name,
        host=relay.host,
        port=relay.port,
        security=Security(relay.security),
        verify=relay.verify,
        credentials=credentials,
        sealed_badly=sealed_badly,
        max_connections=relay.max_connections,
        resting_until=relay.resting_until,
        failures=relay.failures,
        rank=relay.rank,
        weight=relay.weight,
        classes=frozenset(relay.classes),
        groups=frozenset(relay.groups),
        recipients_per_message=relay.recipients_per_message,
        messages_per_connection=relay.messages_per_connection,
        max_age=relay.max_age,
        depth=relay.depth,
        sign_dkim=relay.sign_dkim,
        room=room(held),
        room_at=allows_again_at(held, now) if held and now is not None else None,
    )


def relays_in_use() -> list[RelayAccess]:
    """Return the active relays with what a session needs, in the order in which they are tried."""
    rows = list(Relay.objects.filter(active=True).order_by("rank", "id")[:100])
    held: dict[int, tuple[Usage, ...]] = {}
    now = None
    if RelayQuota.objects.exists():
        now = grants.database_now()
        held = grants.usages([row.pk for row in rows], now)
    return [_access(row, held.get(row.pk, ()), now) for row in rows]


def relay_access(relay_id: int) -> RelayAccess | None:
    """Return what a session with one relay needs, active or not."""
    found = Relay.objects.filter(pk=relay_id).first()
    return None if found is None else _access(found)


def breaker_rules() -> BreakerRules:
    """Return when a circular stops by itself, as the office says or as it is shipped."""
    row = SendingRules.objects.first()
    return BreakerRules() if row is None else BreakerRules(row.refused_percent, row.refused_least)


# A mailing may be leased from unless it paused itself for a reason of its own: a relay's trouble is
# shown there too, but it is the relay that rests.
LEASABLE = "m.state = ANY (%(states)s) AND m.self_paused = ANY (%(pauses)s)"
LEASABLE_VALUES: dict[str, list[str]] = {
    "states": [state.value for state in LEASABLE_STATES],
    "pauses": ["", *sorted(pause.value for pause in PAUSES_THAT_END)],
}


def waiting(now: datetime, limit: int = 50) -> list[Waiting]:
    """Return the mailings with somebody who may be offered the message now, most urgent first."""
    # Rules may be long; they are read only where a relay serves some audiences and not others.
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.id, m.priority, m.mail_class, m.self_paused, m.pending + m.witnesses_pending,
                CASE WHEN EXISTS (SELECT FROM dispatch_relay WHERE active AND groups <> '{{}}')
                    THEN m.audience_rule END
            FROM mailing_mailing AS m
            WHERE {LEASABLE} AND (m.pending > 0 OR m.witnesses_pending > 0)
                AND (
                    EXISTS (
                        SELECT FROM mailing_recipient AS r
                        WHERE r.mailing_id = m.id AND r.id > m.frontier
                    ) OR EXISTS (
                        SELECT FROM mailing_recipient AS r
                        WHERE r.mailing_id = m.id AND r.lease IS NULL AND r.next_try_at <= %(now)s
                    )
                )
            ORDER BY m.priority, m.released_at, m.id
            LIMIT %(limit)s
            """,  # noqa: S608 - our own words
            {**LEASABLE_VALUES, "now": now, "limit": limit},
        )
        rows = cursor.fetchall()
    return [
        Waiting(
            mailing=row[0],
            priority=row[1],
            mail_class=row[2],
            groups=None if row[5] is None else groups_of(json.loads(row[5])),
            self_paused=row[3],
            pending=row[4],
        )
        for row in rows
    ]


def leasable_among(mailings: list[int]) -> set[int]:
    """Return those of these mailings whose people may still be offered their message."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.id FROM mailing_mailing AS m WHERE m.id = ANY (%(ids)s) AND {LEASABLE}",  # noqa: S608 - our own words
            {**LEASABLE_VALUES, "ids": mailings},
        )
        return {row[0] for row in cursor.fetchall()}


def workers(ended_since: datetime | None = None) -> list[WorkerRow]:
    """Return the sender processes that have not ended, and those that ended lately, newest first.

    Shapes:  at most 200; who has not ended comes first
    """
    shown = Q(ended_at__isnull=True)
    if ended_since is not None:
        shown |= Q(ended_at__gte=ended_since)
    rows = list(
        Worker.objects.filter(shown).order_by(F("ended_at").desc(nulls_first=True), "-id")[:200]
    )
    work: dict[int, dict[int, int]] = {}
    for worker, mailing, count in Lease.objects.filter(
        worker__in=rows, state=LeaseState.OPEN
    ).values_list("worker", "mailing", "leased_count"):
        those = work.setdefault(worker, {})
        those[mailing] = those.get(mailing, 0) + count
    return [
        WorkerRow(
            id=row.pk,
            host=row.host,
            pid=row.pid,
            version=row.version,
            started_at=row.started_at,
            seen_at=row.seen_at,
            ended_at=row.ended_at,
            leased=sum(work.get(row.pk, {}).values()),
            work=tuple(sorted(work.get(row.pk, {}).items())),
        )
        for row in rows
    ]


# ---- quotas ----------------------------------------------------------------------------------


def quota_usages() -> dict[int, tuple[Usage, ...]]:
    """Return what counts now against the quotas of every relay that has some."""
    return grants.usages(Relay.objects.values_list("id", flat=True), grants.database_now())


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """When a mailing will be through, as far as quotas and the rate so far can say."""

    ends_at: datetime | None  # None: nothing says
    waits_until: datetime | None  # with no room in any quota now: when some comes back


def outlook(mailing_id: int, *, left: int, per_second: float | None = None) -> Outlook:
    """Estimate when so many people more will have been offered a mailing.

    What several relays carry together is shared among them as their tightest quotas are; one
    without a quota carries all.
    """
    row = Mailing.objects.filter(pk=mailing_id).values_list("mail_class", "audience_rule").first()
    if row is None:
        return Outlook(ends_at=None, waits_until=None)
    parcel = Parcel(row[0], groups_of(row[1]))
    relays = Relay.objects.filter(active=True).values_list("id", "classes", "groups")
    serving = [
        pk
        for pk, classes, groups in relays
        if serves(Route(relay=pk, classes=frozenset(classes), groups=frozenset(groups)), parcel)
    ]
    now = grants.database_now()
    held = grants.usages(serving, now)
    free = [pk for pk in serving if pk not in held]
    if free or not held:
        return Outlook(ends_at=ends_at(left, [], now, per_second=per_second), waits_until=None)
    carries = {
        pk: min(usage.quota.most / SPANS[usage.quota.window].total_seconds() for usage in those)
        for pk, those in held.items()
    }
    whole = sum(carries.values())
    ends = [
        ends_at(ceil(left * carries[pk] / whole), those, now, per_second=per_second)
        for pk, those in held.items()
    ]
    waits = [allows_again_at(those, now) for those in held.values()]
    return Outlook(
        ends_at=max((end for end in ends if end is not None), default=None),
        waits_until=None if None in waits else min(wait for wait in waits if wait is not None),
    )
