"""The only writer of outcomes and of recipients' states after the freeze.

Rules:
  1. A fact and the state it leads to are one statement; the totals follow by trigger in it.
  2. A verdict counts once: the lease that obtained it is the fence (``settle.sql``).
  3. Only a person, a policy or a matching report ends a doubt (design §2.2); a witness mailbox ends
     it for its own row only.
  4. A report about a row under lease waits as a fact; the end of the lease applies it.
  5. The mailing that owes nobody anything is settled in the same transaction, and says so.

When it fails: nothing is written, the lease stands, and recovery will put the rows in doubt.
Locks:   the mailing row first, its recipients by id, the heads of chains last; always in this order.
Sources: design §2.1 and §2.2; reliability.md §2 rules 3 to 6; RFC 1047.
Over 400 lines: every way in which a row changes its state, best read at once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple, assert_never

import psycopg
from django.db import connection, transaction
from django.utils import timezone

from circular.evidence.actors import CLOCK, DOOR, Actor
from circular.evidence.services import EntryDraft, append, mailing_chain
from circular.mailing import queries as mailing_queries
from circular.mailing import services as mailing
from circular.mailing.kinds import MailingKind, MailingState
from circular.mailing.models import Mailing
from circular.mailing.recipients import Reason, RecipientState
from circular.outcomes.lines import Lent, line_of, written
from circular.outcomes.verdicts import OutcomeFact, Resolution, Source

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a call of ``settle`` did.

    Shapes:  ``moved`` by the state that was reached; ``skipped`` are recipients whose row was no
             longer under the lease; ``over`` are leases that nobody is under any more
    """

    moved: dict[RecipientState, int]
    skipped: tuple[int, ...]
    settled_mailings: tuple[int, ...]
    over: tuple[int, ...] = ()


class _Row(NamedTuple):
    """Rows that ``settle.sql`` moved alike; ``in_time`` unless their lease was recovered before."""

    lease: int | None
    mailing: int
    state: str
    in_time: bool
    recipients: list[int]


@lru_cache(maxsize=1)
def _settle_statement() -> str:
    return (resources.files("circular.outcomes") / "settle.sql").read_text(encoding="utf-8")


def settle(facts: Sequence[OutcomeFact], *, lease: Lent | int | None, by: Actor) -> Settled:
    """Record verdicts obtained under one lease, and move the rows: ``settle_lines`` for a few.

    A lease that is only a number is one that its rows carry.

    Shapes:  the first fact about a recipient counts
    Repeat:  a second call finds the lease gone and skips everybody
    """
    recipients = {fact.recipient for fact in facts}
    number = lease.lease if isinstance(lease, Lent) else lease
    if isinstance(lease, Lent):
        lent = [lease]
    else:
        lent = [Lent(number or 0, one) for one in mailing_queries.mailings_of(sorted(recipients))]
    done, settled = _settle_lines("".join(line_of(number, fact) for fact in facts), lent, by)
    return replace(settled, skipped=tuple(sorted(recipients - done)))


def settle_lines(lines: str, *, lent: Sequence[Lent], by: Actor) -> Settled:
    """Record verdicts of several leases, and move the rows.

    Deferred and untried rows stay pending from their next try on, or become refused (expired) when
    that is past the mailing's deadline, or suppressed when it was cancelled meanwhile.

    The archive gets one entry when nobody is under a lease any more, however many calls it took.

    Shapes:  ``lines`` as ``lines.line_of`` writes them; the first fact about a recipient counts;
             ``lent`` names every lease in them. ``skipped`` is left empty
    Locks:   the leases' mailings, their recipients, the mailings' chains
    Repeat:  a second call finds the rows moved and skips them
    """
    return _settle_lines(lines, lent, by)[1]


@transaction.atomic
def _settle_lines(lines: str, lent: Sequence[Lent], by: Actor) -> tuple[set[int], Settled]:
    if not lines:
        return set(), Settled(moved={}, skipped=(), settled_mailings=())
    held = mailing.hold_all({one.mailing for one in lent})
    reported = _waiting_reports([row.pk for row in held])
    ranges = [one for one in lent if one.last]
    # Planned once for each connection: planning costs as much as settling a hundred people.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            _settle_statement(),
            [
                lines,
                [one.lease for one in ranges],
                [one.first for one in ranges],
                [one.last for one in ranges],
            ],
            prepare=True,
        )
        rows = [_Row(*row) for row in cursor.fetchall()]
    touched = {row.lease for row in rows if row.in_time}
    over = [one for one in lent if one.lease in touched and not _somebody_under(one)]
    done = {one for row in rows for one in row.recipients}
    drafts = _batch_entries(rows, [one.lease for one in over], by)
    moved = Counter({RecipientState(row.state): 0 for row in rows})
    for row in rows:
        moved[RecipientState(row.state)] += len(row.recipients)
    for report in reported:
        if report.recipient in done and _bounce(report):
            drafts += _bounce_entries("bounced", report, DOOR)
            was = next(row.state for row in rows if report.recipient in row.recipients)
            moved.subtract([RecipientState(was)])
            moved.update([RecipientState.BOUNCED])
    finished, settled = _settle_mailings(held, by)
    if drafts or settled:
        append(*drafts, *settled)
    return done, Settled(
        moved=dict(+moved),
        skipped=(),
        settled_mailings=finished,
        over=tuple(one.lease for one in over),
    )


def _settle_mailings(
    held: Iterable[Mailing], by: Actor
) -> tuple[tuple[int, ...], list[EntryDraft]]:
    """Settle those that owe nobody any more; return which, and the entries to append."""
    finished: list[int] = []
    drafts: list[EntryDraft] = []
    for row in held:
        settled = mailing.settled_entries(row, by=by)
        if settled is not None:
            finished.append(row.pk)
            drafts += settled
    return tuple(finished), drafts


def _somebody_under(lent: Lent) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM mailing_recipient WHERE lease = %s LIMIT 1"
            if not lent.last
            else "SELECT FROM mailing_recipient WHERE mailing_id = %s AND id BETWEEN %s AND %s"
            " AND state = 'pending' AND next_try_at IS NULL LIMIT 1",
            [lent.mailing, lent.first, lent.last] if lent.last else [lent.lease],
        )
        return cursor.fetchone() is not None


def _batch_entries(rows: Sequence[_Row], over: Sequence[int], by: Actor) -> list[EntryDraft]:
    """Return one entry for each lease that nobody is under any more, however many calls it took.

    An answer that came after its lease was recovered is an entry of its own: *late_settled*.
    """
    late: dict[int | None, list[int]] = {}
    for row in rows:
        if not row.in_time:
            late.setdefault(row.lease, []).extend(row.recipients)
    drafts: list[EntryDraft] = []
    for lease, recipients in late.items():
        drafts += _entries("late_settled", _LATE_FACTS, [[lease], recipients], by)
    if over:
        drafts += _entries("batch_settled", _FACTS, [list(over)], by)
    return drafts


# The digest is over the facts as exported: one line each.
_DIGEST = """
    SELECT o.lease, o.mailing_id, count(*)::int, encode(sha256(convert_to(string_agg(
            concat(o.recipient_id, ' ', o.state, ' ', o.source, ' ', coalesce(o.code, 0), E'\\n'),
            '' ORDER BY o.id), 'UTF8')), 'hex'),
        array_agg(o.state)
    FROM {facts} AS o
    JOIN mailing_mailing AS m ON m.id = o.mailing_id
    WHERE m.kind <> 'secret'
    GROUP BY o.lease, o.mailing_id
    ORDER BY o.lease, o.mailing_id
"""
_FACTS = _DIGEST.format(facts="(SELECT * FROM outcomes_outcome WHERE lease = ANY (%s))")
_LATE_FACTS = _DIGEST.format(
    facts="(SELECT DISTINCT ON (recipient_id) * FROM outcomes_outcome"
    " WHERE lease = ANY (%s) AND recipient_id = ANY (%s) ORDER BY recipient_id, id DESC)"
)


def _entries(act: str, query: str, values: list[Any], by: Actor) -> list[EntryDraft]:
    """Return an entry per lease and mailing: counts by state, and a digest over the facts."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        found = cursor.fetchall()
    drafts = []
    for lease, mailing_id, count, rows, states in found:
        counts = Counter(states)
        drafts.append(
            EntryDraft(
                chain=mailing_chain(mailing_id),
                act=act,
                by=by,
                at=timezone.now(),
                facts={
                    "lease": lease,
                    "count": count,
                    **{state: counts[state] for state in sorted(counts)},
                    "rows": rows,
                },
            )
        )
    return drafts


def _secrets_among(mailings: Iterable[int]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM mailing_mailing WHERE id = ANY (%s) AND kind = %s",
            [list(mailings), MailingKind.SECRET.value],
        )
        return {row[0] for row in cursor.fetchall()}


# ---- one row at a time -----------------------------------------------------------------------

_MOVE = """
    WITH held AS (
        SELECT r.id, r.mailing_id FROM mailing_recipient AS r
        WHERE {which}
        ORDER BY r.id
        FOR NO KEY UPDATE
    ),
    moved AS (
        UPDATE mailing_recipient AS r SET
            state = %(state)s, reason = %(reason)s, lease = NULL,
            next_try_at = CASE WHEN %(state)s = 'pending' THEN %(at)s::timestamptz END,
            possible_duplicate = r.possible_duplicate OR (%(again)s AND r.state = 'in_doubt')
        FROM held AS h
        WHERE r.id = h.id
        RETURNING r.id, r.mailing_id
    )
    INSERT INTO outcomes_outcome (
        recipient_id, mailing_id, at, state, source, reason, code, enhanced, reply, lease, person
    )
    SELECT id, mailing_id, %(at)s, %(state)s, %(source)s, %(reason)s, %(code)s, %(enhanced)s,
           %(reply)s, NULL, %(person)s
    FROM moved
    ORDER BY id
    RETURNING recipient_id, mailing_id
"""


# Who waits beyond the frontier was never leased; behind it, whoever has no next try is on loan.
_NOT_ON_LOAN = (
    "r.mailing_id = %(mailing)s AND r.state = 'pending' AND r.lease IS NULL"
    " AND (r.next_try_at IS NOT NULL OR r.id > %(frontier)s)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    state: RecipientState
    reason: str
    source: Source
    at: datetime
    by: Actor
    code: int | None = None
    enhanced: str = ""
    reply: str = ""

    def carry_out(self, which: str, **facts: int | list[str]) -> list[tuple[int, int]]:
        """Move the rows that ``which`` names (our own SQL, never a value) and record why."""
        with connection.cursor() as cursor:
            cursor.execute(
                _MOVE.format(which=which),
                {
                    "state": self.state.value,
                    "reason": self.reason,
                    "source": self.source.value,
                    "at": self.at,
                    "again": self.state is RecipientState.PENDING,
                    "code": self.code,
                    "enhanced": self.enhanced[:11],
                    "reply": written(self.reply),
                    "person": self.by.person,
                    **facts,
                },
            )
            rows: list[tuple[int, int]] = cursor.fetchall()
            return rows


@transaction.atomic
def resolve_doubt(
    recipient_id: int, resolution: Resolution, *, by: Actor, reason: str = ""
) -> bool:
    """End one doubt as a person decided; offering again names a possible duplicate.

    Units:   ``reason`` is a code that stands in the entry; a note belongs to the case
    Locks:   the mailing, the recipient, the mailing's chain
    Repeat:  False when the row is in doubt no more: somebody else was first; and for offering
             again what was cancelled: nothing of it goes out any more
    """
    now = timezone.now()
    held = mailing.hold_mailings([recipient_id])
    if not held or not _is_in_doubt(recipient_id):
        return False
    mailing_id = held[0].pk
    cancelled = held[0].state == MailingState.CANCELLED
    if cancelled and resolution is Resolution.OFFER_AGAIN:
        return False
    match resolution:
        case Resolution.ACCEPTED:
            state, why = RecipientState.ACCEPTED, ""
        case Resolution.OFFER_AGAIN:
            mailing.reopen_for_offering(mailing_id, at=now)
            state, why = RecipientState.PENDING, "offered_again"
        case Resolution.GIVE_UP:
            state, why = RecipientState.REFUSED, Reason.GIVEN_UP.value
        case _:
            assert_never(resolution)
    move = _Move(state=state, reason=why, source=Source.PERSON, at=now, by=by)
    rows = move.carry_out("r.id = %(recipient)s AND r.state = 'in_doubt'", recipient=recipient_id)
    if not rows:
        return False
    append(
        EntryDraft(
            chain=mailing_chain(mailing_id),
            act="doubt_resolved",
            by=by,
            at=now,
            facts={
                "recipient": recipient_id,
                "resolution": resolution.value,
                "reason": reason or None,
            },
        )
    )
    return True


def _is_in_doubt(recipient_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM mailing_recipient WHERE id = %s AND state = 'in_doubt'", [recipient_id]
        )
        return cursor.fetchone() is not None


@transaction.atomic
def settle_bounce(
    recipient_id: int,
    *,
    at: datetime,
    enhanced: str = "",
    reply: str = "",
    permanent: bool = True,
    by: Actor = DOOR,
) -> bool:
    """Record a delivery report that named a recipient by our own token.

    A permanent one moves accepted, in doubt and pending rows to bounced; about a row under lease it
    waits as a fact until that lease has its verdict. One that only warns of a delay moves nothing,
    for the relay still tries.

    Locks:   its mailing, the recipient, the mailing's chain
    Repeat:  a row that has bounced stays, and a report that waits is not noted twice: False
    """
    if not permanent:
        return False
    held = mailing.hold_mailings([recipient_id])
    if not held:
        return False
    report = _Report(recipient_id, held[0].pk, at, enhanced, reply)
    if _bounce(report):
        _, settled = _settle_mailings(held, by)
        drafts = [*_bounce_entries("bounced", report, by), *settled]
    elif _let_wait(report):
        drafts = _bounce_entries("bounce_waits", report, by)
    else:
        return False
    if drafts:
        append(*drafts)
    return True


class _Report(NamedTuple):
    """A delivery report that says that a recipient's copy came back for good."""

    recipient: int
    mailing: int
    at: datetime
    enhanced: str
    reply: str


def _bounce(report: _Report) -> bool:
    """Move the row that a report names, unless a lease holds it or it is no row that can bounce."""
    move = _Move(
        state=RecipientState.BOUNCED,
        reason=Reason.BOUNCED.value,
        source=Source.BOUNCE,
        at=report.at,
        by=DOOR,
        enhanced=report.enhanced,
        reply=report.reply,
    )
    # A pending row can bounce too: it was in doubt, was offered once more, and the first copy
    # came back. While a lease holds it, the verdict of that lease comes first.
    rows = move.carry_out(
        "r.id = %(recipient)s AND (r.state IN ('accepted', 'in_doubt')"
        " OR (r.state = 'pending' AND r.lease IS NULL AND r.attempts > 0))",
        recipient=report.recipient,
    )
    return bool(rows)


def _let_wait(report: _Report) -> bool:
    """Record a report about a row under lease, once; `settle` applies it when the lease ends."""
    if any(one.recipient == report.recipient for one in _waiting_reports([report.mailing])):
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO outcomes_outcome (recipient_id, mailing_id, at, state, source, reason,"
            " code, enhanced, reply, lease, person)"
            " SELECT r.id, r.mailing_id, %(at)s, 'pending', 'bounce', 'bounce_waits', NULL,"
            " %(enhanced)s, %(reply)s, NULL, NULL"
            " FROM mailing_recipient AS r JOIN mailing_mailing AS m ON m.id = r.mailing_id"
            " WHERE r.id = %(recipient)s AND r.state = 'pending'"
            " AND (r.lease IS NOT NULL OR (r.next_try_at IS NULL AND r.id <= m.frontier))"
            " FOR NO KEY UPDATE OF r",
            {
                "recipient": report.recipient,
                "at": report.at,
                "enhanced": report.enhanced[:11],
                "reply": written(report.reply),
            },
        )
        return bool(cursor.rowcount > 0)


def _waiting_reports(mailings: Sequence[int]) -> list[_Report]:
    """Return the reports that came during a lease and after which nothing was recorded yet.

    Index:  outcome_bounce_waits, which next to no row is in
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.recipient_id, w.mailing_id, w.at, w.enhanced, w.reply"
            " FROM outcomes_outcome AS w"
            " WHERE w.mailing_id = ANY (%s) AND w.source = 'bounce' AND w.state = 'pending'"
            " AND NOT EXISTS (SELECT FROM outcomes_outcome AS later"
            "  WHERE later.recipient_id = w.recipient_id AND later.id > w.id)"
            " ORDER BY w.recipient_id",
            [list(mailings)],
        )
        return [_Report(*row) for row in cursor.fetchall()]


def _bounce_entries(act: str, report: _Report, by: Actor) -> list[EntryDraft]:
    """Return the entry of a report; a mailing of secrets has none."""
    if _secrets_among([report.mailing]):
        return []
    return [
        EntryDraft(
            chain=mailing_chain(report.mailing),
            act=act,
            by=by,
            at=timezone.now(),
            # A status that a stranger wrote is noted only when it looks like one (RFC 3463 §2).
            facts={
                "recipient": report.recipient,
                "status": report.enhanced if _STATUS.fullmatch(report.enhanced) else None,
            },
        )
    ]


@transaction.atomic
def witness_seen(recipient_id: int, *, at: datetime, by: Actor = CLOCK) -> bool:
    """Record that a witness mailbox holds its copy: that row's doubt is over, and only that row's.

    Locks:   its mailing, the recipient
    Repeat:  False when the row is no witness or was accepted already
    """
    mailing.hold_mailings([recipient_id])
    move = _Move(state=RecipientState.ACCEPTED, reason="", source=Source.WITNESS, at=at, by=by)
    rows = move.carry_out(
        "r.id = %(recipient)s AND r.witness AND r.state = 'in_doubt'", recipient=recipient_id
    )
    return bool(rows)


# ---- whole mailings --------------------------------------------------------------------------


@transaction.atomic
def cancel_mailing(mailing_id: int, *, by: Actor) -> bool:
    """Withdraw everybody who was not offered the message; who is being offered it is settled.

    Rows under lease are withdrawn later, if they come back unoffered (``settle``).

    Locks:   the mailing row (no key), then its pending rows by id, the mailing's chain
    Repeat:  a settled or cancelled mailing is left alone: False
    """
    now = timezone.now()
    row = mailing.hold_mailing(mailing_id)
    if not mailing.mark_cancelled(row, at=now):
        return False
    move = _Move(
        state=RecipientState.SUPPRESSED,
        reason=Reason.CANCELLED.value,
        source=Source.CANCEL,
        at=now,
        by=by,
    )
    rows = move.carry_out(
        _NOT_ON_LOAN,
        mailing=mailing_id,
        frontier=row.frontier,
    )
    mailing.close_frontier(row)
    append(
        EntryDraft(
            chain=mailing_chain(mailing_id),
            act="cancelled",
            by=by,
            at=now,
            facts={"withdrawn": len(rows)},
        )
    )
    return True


@transaction.atomic
def offer_missing_again(
    mailing_id: int,
    *,
    by: Actor,
    states: Sequence[RecipientState] = (RecipientState.REFUSED,),
) -> int:
    """Put those who got nothing back in the queue of the same frozen mailing; returns how many.

    Refused rows (expired ones too) and those withdrawn by a cancellation are offered again, and with
    ``states`` the bounced and the doubtful as well; the latter are named as possible duplicates.

    Locks:   the mailing row (no key), then the recipients by id
    Repeat:  rows that are pending already are not counted again
    Raises:  WrongStateError for a mailing that was never released
    """
    now = timezone.now()
    row = mailing.reopen_for_offering(mailing_id, at=now)
    move = _Move(state=RecipientState.PENDING, reason="", source=Source.PERSON, at=now, by=by)
    rows = move.carry_out(
        "r.mailing_id = %(mailing)s AND NOT r.witness AND (r.state = ANY (%(states)s)"
        " OR (r.state = 'suppressed' AND r.reason = 'cancelled'))",
        mailing=mailing_id,
        states=[state.value for state in states],
    )
    # When nobody was missing after all, the mailing is as settled as it was.
    _, settled = _settle_mailings([row], by)
    append(
        EntryDraft(
            chain=mailing_chain(mailing_id),
            act="offered_again",
            by=by,
            at=now,
            facts={"count": len(rows), "states": [state.value for state in states]},
        ),
        *settled,
    )
    return len(rows)


def expire_overdue(*, by: Actor = CLOCK) -> int:
    """Refuse, as expired, the rows whose mailing's deadline has passed; returns how many.

    Rows under lease are left to their verdict, and a paused mailing to whoever paused it.

    Mailings that owe nobody and do not say so yet are settled as well: the safety net below
    ``settle``.

    Locks:   one mailing at a time, each in a transaction of its own
    Repeat:  does nothing the second time
    """
    overdue = mailing_queries.mailings_overdue(timezone.now())
    total = sum(_expire(mailing_id, by=by) for mailing_id in overdue)
    for mailing_id in mailing_queries.mailings_to_settle():
        mailing.note_settled(mailing_id, by=by)
    return total


@transaction.atomic
def _expire(mailing_id: int, *, by: Actor) -> int:
    now = timezone.now()
    row = mailing.hold_mailing(mailing_id)
    move = _Move(
        state=RecipientState.REFUSED,
        reason=Reason.EXPIRED.value,
        source=Source.EXPIRY,
        at=now,
        by=by,
    )
    rows = move.carry_out(
        _NOT_ON_LOAN,
        mailing=mailing_id,
        frontier=row.frontier,
    )
    mailing.close_frontier(row)
    _, settled = _settle_mailings([row], by)
    drafts = [
        EntryDraft(
            chain=mailing_chain(mailing_id),
            act="expired",
            by=by,
            at=now,
            facts={"count": len(rows)},
        )
    ]
    if not rows or row.kind == MailingKind.SECRET:
        drafts = []
    append(*drafts, *settled)
    return len(rows)
