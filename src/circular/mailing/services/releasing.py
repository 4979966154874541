"""A frozen mailing is released, held, withdrawn and settled; what its octets depend on is pinned here.

Row states are moved by ``outcomes``; here none is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from circular import jobs
from circular.evidence.actors import Actor
from circular.evidence.services import EntryDraft, append, mailing_chain
from circular.mailing import queries
from circular.mailing.errors import NotConfiguredError, WrongStateError
from circular.mailing.kinds import MailingKind, MailingState, stands_still
from circular.mailing.models import Mailing, Recipient, Stencil
from circular.people.queries import institution

# How long a message may be offered before it counts as expired. A notice that comes four days late
# is worse than none; a code is useless after its own lifetime. RFC 5321 §4.5.4.1 asks 4 to 5 days
# of a relay; we are the client before it.
OFFERED_FOR: Mapping[MailingKind, timedelta] = {
    MailingKind.CIRCULAR: timedelta(hours=48),
    MailingKind.TEST: timedelta(hours=24),
    MailingKind.LETTER: timedelta(days=5),
    MailingKind.ANCHOR: timedelta(days=5),
    MailingKind.SECRET: timedelta(days=1),
}


@transaction.atomic
def release_mailing(mailing_id: int, *, by: Actor, deadline_after: timedelta | None = None) -> bool:
    """Let dispatch lease the rows, and pin what every octet of the messages depends on.

    Locks:   the mailing row (no key)
    Repeat:  only a frozen mailing is released; a second call changes nothing and gives False
    Raises:  NotConfiguredError
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if row.state != MailingState.FROZEN:
        return False
    now = timezone.now()
    _pin(row, now, deadline_after)
    drafts = []
    # A letter of a case is proved by the case's own entry; opening a chain here would hold the
    # head of the house until the whole act commits.
    if row.kind != MailingKind.SECRET and (row.kind != MailingKind.LETTER or row.case is None):
        drafts.append(
            EntryDraft(
                chain=mailing_chain(mailing_id),
                act="released",
                by=by,
                at=now,
                facts={
                    "stencil": row.stencil_id,
                    "count": row.audience,
                    "witnesses": row.witnesses,
                    "deadline_at": row.deadline_at.isoformat() if row.deadline_at else None,
                },
            )
        )
    append(*drafts)
    return True


def _pin(row: Mailing, now: datetime, deadline_after: timedelta | None) -> None:
    house = institution()
    sender = queries.stencil(row.stencil_id).sender_address
    domain = house.domain or sender.rpartition("@")[2]
    if not domain:
        raise NotConfiguredError("the institution has no mail domain")
    row.message_domain = domain
    row.bounce_address = house.drafts_address or f"circular@{domain}"
    if row.kind in {MailingKind.CIRCULAR, MailingKind.TEST}:
        row.list_id = f"circulares.{domain}"
    kind = MailingKind(row.kind)
    row.released_at = now
    row.deadline_at = now + (OFFERED_FOR[kind] if deadline_after is None else deadline_after)
    row.state = MailingState.RELEASED
    row.save(
        update_fields=[
            "message_domain", "bounce_address", "list_id", "released_at", "deadline_at", "state",
        ]
    )  # fmt: skip
    row.refresh_from_db(fields=["audience", "witnesses"])


@transaction.atomic
def pause_mailing(mailing_id: int, *, by: Actor) -> bool:
    """Let nobody lease more rows; what is under way is settled as it comes.

    Locks:   the mailing row (no key)
    Repeat:  only a released mailing is paused; else False
    """
    return _move(
        mailing_id, {MailingState.RELEASED}, MailingState.PAUSED, "paused", {"paused_at"}, by=by
    )


@transaction.atomic
def resume_mailing(mailing_id: int, *, by: Actor) -> bool:
    """Let rows be leased again; a pause of the mailing's own ends as well.

    The deadline moves by as long as it stood still: nobody expires because somebody stopped to think.

    Locks:   the mailing row (no key), the mailing's chain
    Repeat:  only a paused mailing, or one that paused itself, is resumed; else False
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if row.state != MailingState.PAUSED and not row.self_paused:
        return False
    now = timezone.now()
    _end_self_pause(row, now)
    if row.state == MailingState.PAUSED:
        row.state = MailingState.RELEASED
        if row.paused_at is not None and row.deadline_at is not None:
            row.deadline_at += max(now - row.paused_at, timedelta())
    row.save(update_fields=["state", "self_paused", "self_paused_at", "deadline_at"])
    append(
        EntryDraft(
            chain=mailing_chain(mailing_id),
            act="resumed",
            by=by,
            at=now,
            facts={"deadline_at": row.deadline_at.isoformat() if row.deadline_at else None},
        )
    )
    return True


def _end_self_pause(row: Mailing, now: datetime) -> None:
    """Clear a row's own pause; the deadline moves by as long as it stood still for it."""
    if stands_still(row.self_paused) and row.self_paused_at is not None and row.deadline_at:
        # A pause of a person's that came meanwhile counts for itself.
        until = row.paused_at if row.state == MailingState.PAUSED and row.paused_at else now
        row.deadline_at += max(until - row.self_paused_at, timedelta())
    row.self_paused, row.self_paused_at = "", None


@transaction.atomic
def pause_self(
    mailing_id: int, reason: str, *, by: Actor, instead_of: Collection[str] = ()
) -> bool:
    """Note in the mailing's own row why nothing is leased: a quota, a window, a circuit breaker.

    Units:   ``reason`` is a code; ``instead_of`` are those that it takes the place of
    Repeat:  a mailing that has paused itself for another reason keeps its first; False
    """
    now = timezone.now()
    changed = Mailing.objects.filter(
        pk=mailing_id, state=MailingState.RELEASED, self_paused__in=["", *instead_of]
    ).update(self_paused=reason, self_paused_at=now)
    if changed:
        append(
            EntryDraft(
                chain=mailing_chain(mailing_id),
                act="self_paused",
                by=by,
                at=now,
                facts={"reason": reason},
            )
        )
    return bool(changed)


@transaction.atomic
def resume_self(mailing_id: int, *, by: Actor, only: str = "") -> bool:
    """End a pause that the mailing gave itself; with ``only``, one for that reason alone.

    The deadline moves by as long as it stood still.

    Locks:   the mailing row (no key), the mailing's chain
    Repeat:  False when there is none
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if not row.self_paused or (only and row.self_paused != only):
        return False
    now = timezone.now()
    _end_self_pause(row, now)
    row.save(update_fields=["self_paused", "self_paused_at", "deadline_at"])
    append(EntryDraft(chain=mailing_chain(mailing_id), act="self_resumed", by=by, at=now, facts={}))
    return True


@transaction.atomic
def set_ceiling(mailing_id: int, per_minute: int | None, *, by: Actor) -> bool:
    """Let a mailing leave no faster than so many messages a minute; None: as the relays allow.

    Locks:   the mailing row (no key), the mailing's chain
    Repeat:  False when it is so already
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if row.per_minute == per_minute:
        return False
    row.per_minute, row.paced_until = per_minute, None
    row.save(update_fields=["per_minute", "paced_until"])
    append(
        EntryDraft(
            chain=mailing_chain(mailing_id),
            act="ceiling_set",
            by=by,
            at=timezone.now(),
            facts={"per_minute": per_minute},
        )
    )
    return True


def mark_cancelled(row: Mailing, *, at: datetime) -> bool:
    """Note in a row that the caller holds that the mailing is withdrawn; nothing is leased any more.

    For ``outcomes`` only, which withdraws the people in the same transaction.

    Repeat:  a settled or cancelled mailing is left alone: False
    """
    if row.state in {MailingState.SETTLED, MailingState.CANCELLED}:
        return False
    row.state, row.cancelled_at = MailingState.CANCELLED, at
    row.save(update_fields=["state", "cancelled_at"])
    return True


def _move(
    mailing_id: int,
    allowed: set[MailingState],
    to: MailingState,
    act: str,
    stamps: set[str],
    *,
    by: Actor,
) -> bool:
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if row.state not in allowed:
        return False
    now = timezone.now()
    row.state = to
    for stamp in stamps:
        setattr(row, stamp, now)
    row.save(update_fields=["state", *stamps])
    append(EntryDraft(chain=mailing_chain(mailing_id), act=act, by=by, at=now, facts={}))
    return True


@transaction.atomic
def note_settled(mailing_id: int, *, by: Actor) -> bool:
    """Say in the row that nobody is pending any more; doubts do not stop it (design §1).

    Locks:   the mailing row (no key), the mailing's chain
    Repeat:  False when it is settled already or still owes somebody
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    drafts = settled_entries(row, by=by)
    if drafts is None:
        return False
    append(*drafts)
    return True


def settled_entries(row: Mailing, *, by: Actor) -> list[EntryDraft] | None:
    """Settle a mailing whose row the caller holds, and return the entries to append at the end.

    Repeat:  None when it is settled already or still owes somebody
    """
    row.refresh_from_db(fields=["state", "pending"])
    if row.state not in {MailingState.RELEASED, MailingState.PAUSED} or row.pending:
        return None
    now = timezone.now()
    row.refresh_from_db()
    row.state = MailingState.SETTLED
    row.settled_at = now
    row.self_paused, row.self_paused_at = "", None
    row.save(update_fields=["state", "settled_at", "self_paused", "self_paused_at"])
    if row.kind == MailingKind.SECRET:
        drop_content(row.stencil_id)
        return []
    jobs.enqueue(jobs.SettleRound())
    return [
        EntryDraft(
            chain=mailing_chain(row.pk),
            act="settled",
            by=by,
            at=now,
            facts={
                "audience": row.audience,
                "accepted": row.accepted,
                "refused": row.refused,
                "bounced": row.bounced,
                "suppressed": row.suppressed,
                "in_doubt": row.in_doubt,
                "pending": row.pending,
            },
        )
    ]


def hold_mailing(mailing_id: int) -> Mailing:
    """Lock one mailing; for ``outcomes``, before it moves any row."""
    return Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)


def hold_all(mailings: Iterable[int]) -> list[Mailing]:
    """Lock mailings, by id; for ``outcomes`` and ``dispatch``, before any of their rows moves."""
    wanted = sorted(set(mailings))
    return list(Mailing.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("id"))


def close_frontier(row: Mailing) -> None:
    """Note in a row that the caller holds that nobody waits for a first offer any more.

    For ``outcomes`` only, which has just withdrawn everybody beyond the frontier.
    """
    last = Recipient.objects.filter(mailing=row).aggregate(last=Max("id"))["last"]
    Mailing.objects.filter(pk=row.pk).update(frontier=last or 0)


def hold_mailings(recipients: Sequence[int]) -> list[Mailing]:
    """Lock the mailings of these recipients, by id; for ``outcomes``, before it moves any row.

    Mailing first, recipients next, heads of chains last: whoever keeps this order cannot lock
    himself and another out.
    """
    found = Recipient.objects.filter(pk__in=recipients).values("mailing")
    return list(Mailing.objects.select_for_update(no_key=True).filter(pk__in=found).order_by("id"))


@transaction.atomic
def reopen_for_offering(mailing_id: int, *, at: datetime) -> Mailing:
    """Make a settled or cancelled mailing leasable again, with a fresh deadline.

    For ``outcomes`` only, which moves the rows and records why in the same transaction.

    Locks:   the mailing row (no key)
    Raises:  WrongStateError for a mailing that was never released
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if row.released_at is None:
        raise WrongStateError(row.state)
    row.deadline_at = at + OFFERED_FOR[MailingKind(row.kind)]
    if row.state in {MailingState.SETTLED, MailingState.CANCELLED}:
        row.state = MailingState.RELEASED
        row.settled_at = None
    row.save(update_fields=["deadline_at", "state", "settled_at"])
    return row


def drop_content(stencil: str) -> None:
    """Drop the body of a secret; its digest stays."""
    Stencil.objects.filter(pk=stencil).update(content=None, subject="")
