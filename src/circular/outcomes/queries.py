"""Answers about what happened: doubts and problems by name, and the facts behind them.

Indexes relied on: ``recipient_problems`` (mailing, problem, id) and the outcomes' own by recipient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from circular.mailing import queries as mailing
from circular.mailing.queries import RecipientRow
from circular.mailing.recipients import RecipientState
from circular.outcomes.models import Outcome
from circular.outcomes.verdicts import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """One fact about one recipient."""

    id: int
    recipient: int
    mailing: int
    at: datetime
    state: RecipientState
    source: Source
    reason: str
    code: int | None
    enhanced: str
    reply: str
    lease: int | None
    person: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A recipient who did not get the message, or may not have, and the last fact about it."""

    recipient: RecipientRow
    last: OutcomeRow | None


def _row(outcome: Outcome) -> OutcomeRow:
    return OutcomeRow(
        id=outcome.pk,
        recipient=outcome.recipient_id,
        mailing=outcome.mailing_id,
        at=outcome.at,
        state=RecipientState(outcome.state),
        source=Source(outcome.source),
        reason=outcome.reason,
        code=outcome.code,
        enhanced=outcome.enhanced,
        reply=outcome.reply,
        lease=outcome.lease,
        person=outcome.person,
    )


def outcomes_of(recipient_id: int) -> list[OutcomeRow]:
    """Return everything that happened to one recipient, in order."""
    rows = Outcome.objects.filter(recipient=recipient_id).order_by("id")[:1000]
    return [_row(row) for row in rows]


def _with_last(recipients: list[RecipientRow]) -> list[Problem]:
    last = {
        row.recipient_id: _row(row)
        for row in Outcome.objects.filter(recipient__in=[one.id for one in recipients])
        .order_by("recipient_id", "-id")
        .distinct("recipient_id")
    }
    return [Problem(recipient=one, last=last.get(one.id)) for one in recipients]


def doubts(mailing_id: int, *, after: int = 0, limit: int = 200) -> list[Problem]:
    """Return who is in doubt, by name, with the fact that left the doubt."""
    return _with_last(
        mailing.people_with_problems(mailing_id, RecipientState.IN_DOUBT, after=after, limit=limit)
    )


def problems(mailing_id: int, *, after: int = 0, limit: int = 200) -> list[Problem]:
    """Return who was refused, bounced, suppressed or is in doubt, by name."""
    return _with_last(
        mailing.people_with_problems(
            mailing_id,
            RecipientState.REFUSED,
            RecipientState.BOUNCED,
            RecipientState.SUPPRESSED,
            RecipientState.IN_DOUBT,
            after=after,
            limit=limit,
        )
    )


def recent(mailing_id: int, *, limit: int = 20) -> list[OutcomeRow]:
    """Return the newest facts of a mailing, for the sending page."""
    rows = Outcome.objects.filter(mailing=mailing_id).order_by("-id")[:limit]
    return [_row(row) for row in rows]


def export_rows(mailing_id: int) -> Iterator[OutcomeRow]:
    """Give every fact of a mailing in order, for the case file."""
    rows = Outcome.objects.filter(mailing=mailing_id).order_by("id")
    return (_row(row) for row in rows.iterator(chunk_size=5000))
