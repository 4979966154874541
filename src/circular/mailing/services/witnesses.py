"""The witness mailboxes of the institution, their passwords sealed."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from circular.evidence.actors import Actor
from circular.evidence.services import HOUSE, EntryDraft, append
from circular.mailformat.addresses import normalize
from circular.mailing.content import ContentError
from circular.mailing.errors import PasswordNeededError
from circular.mailing.models import WitnessMailbox
from circular.mailing.sealed import seal


def add_witness(
    *,
    address: str,
    imap_host: str,
    imap_port: int,
    security: str,
    username: str,
    password: str,
    folder: str = "INBOX",
    by: Actor,
) -> int:
    """Add a witness mailbox; the password is sealed here.

    Raises:  ContentError for an address that is none
    """
    return save_witness(
        address=address,
        imap_host=imap_host,
        imap_port=imap_port,
        security=security,
        username=username,
        password=password,
        folder=folder,
        by=by,
    )


@transaction.atomic
def save_witness(
    *,
    address: str,
    imap_host: str,
    imap_port: int,
    security: str,
    username: str,
    password: str | None,
    folder: str = "INBOX",
    active: bool = True,
    witness_id: int | None = None,
    by: Actor,
) -> int:
    """Add or change a witness mailbox; a password of None keeps the one that is sealed.

    Locks:   the mailbox's row (no key)
    Raises:  ContentError for an address that is none; PasswordNeededError for another host without
             the password typed again
    """
    canonical = normalize(address)
    if canonical is None:
        raise ContentError("bad_address")
    values: dict[str, object] = {
        "address": canonical,
        "imap_host": imap_host.strip(),
        "imap_port": imap_port,
        "security": security,
        "username": username,
        "folder": folder.strip() or "INBOX",
        "active": active,
    }
    if password is not None:
        values["password_sealed"] = seal(password)
    if witness_id is None:
        row = WitnessMailbox.objects.create(**values)
    else:
        row = WitnessMailbox.objects.select_for_update(no_key=True).get(pk=witness_id)
        if password is None and row.password_sealed and row.imap_host != values["imap_host"]:
            raise PasswordNeededError(str(witness_id))
        for name, value in values.items():
            setattr(row, name, value)
        row.save(update_fields=list(values))
    append(
        EntryDraft(
            chain=HOUSE,
            act="witness_saved",
            by=by,
            at=timezone.now(),
            facts={"witness": row.pk, "active": active},
        )
    )
    return row.pk
