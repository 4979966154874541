"""Looks into witness mailboxes and says what was seen of each copy; writes nothing.

When it fails: a mailbox that cannot be read is a sight of its own, never an exception: the other
mailboxes are looked at all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from circular.followup.closing import Sight
from circular.imap.mailbox import (
    Fetched,
    Mailbox,
    MailboxAccount,
    MailboxError,
    Security,
    open_mailbox,
)
from circular.mailing import queries as mailing
from circular.mailing.content import StencilContent
from circular.mailing.queries import RecipientRow, WitnessRow
from circular.mailing.sealed import BrokenSealError, unseal
from circular.mailing.witnesscheck import compare

Open = Callable[[MailboxAccount], AbstractContextManager[Mailbox]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What was seen of one witness's copy."""

    recipient: int
    sight: Sight
    code: str = ""  # why a mailbox could not be read
    raw: bytes = b""  # the copy, when there is one
    expected_digest: str = ""
    received_digest: str = ""
    difference: tuple[str, ...] = ()


def look(mailing_id: int, *, opening: Open = open_mailbox) -> tuple[Sighting, ...]:
    """Look for every witness's copy of a mailing, one visit per mailbox.

    Shapes:  one sighting per witness row of the mailing, in their order
    """
    rows = mailing.witness_recipients(mailing_id)
    if not rows:
        return ()
    content = mailing.stencil(mailing.mailing(mailing_id).stencil)
    accounts = {witness.address: witness for witness in mailing.witnesses()}
    return tuple(_look_for(row, accounts.get(row.address), content, opening) for row in rows)


def _look_for(
    row: RecipientRow, witness: WitnessRow | None, content: StencilContent, opening: Open
) -> Sighting:
    if witness is None:
        # It was a witness when the audience was frozen, and is none any more.
        return Sighting(recipient=row.id, sight=Sight.UNREADABLE, code="witness_inactive")
    try:
        with opening(_account(witness)) as mailbox:
            found = mailbox.messages_with_id(row.message_id)
    except MailboxError as failure:
        return Sighting(recipient=row.id, sight=Sight.UNREADABLE, code=failure.code)
    except BrokenSealError as failure:
        return Sighting(recipient=row.id, sight=Sight.UNREADABLE, code=failure.code)
    return _worst(_compared(row, content, copy) for copy in found) or Sighting(
        recipient=row.id, sight=Sight.NOT_SEEN
    )


def _worst(sightings: Iterable[Sighting]) -> Sighting | None:
    """Give one sighting for a mailbox that holds several copies: one that differs decides."""
    all_of_them = list(sightings)
    return next(
        (each for each in all_of_them if each.sight is Sight.DIFFERENT),
        all_of_them[0] if all_of_them else None,
    )


def _compared(row: RecipientRow, content: StencilContent, copy: Fetched) -> Sighting:
    if copy.cut:
        # Longer than anything we send: not all of it was read, so nothing can be said of it.
        return Sighting(recipient=row.id, sight=Sight.UNREADABLE, code="copy_too_long")
    report = compare(copy.raw, content, row.fields)
    return Sighting(
        recipient=row.id,
        sight=Sight.EQUAL if report.equal else Sight.DIFFERENT,
        raw=copy.raw,
        expected_digest=report.expected_digest,
        received_digest=report.received_digest,
        difference=report.lines(),
    )


def _account(witness: WitnessRow) -> MailboxAccount:
    return MailboxAccount(
        host=witness.imap_host,
        port=witness.imap_port,
        security=Security(witness.security),
        username=witness.username,
        password=unseal(witness.password_sealed),
        folder=witness.folder,
    )
