"""Answers about mailings, stencils and recipients, as frozen values. No lists without a limit.

Indexes relied on: ``mailing_with_work``, ``mailing_to_settle``, ``mailing_of_case``,
``recipient_problems``, ``recipient_one_copy_per_person``; the rest are primary keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib import resources

from django.db.models import Q

from circular.evidence import queries as archive
from circular.mailformat import tokens
from circular.mailing.content import StencilContent, from_json
from circular.mailing.errors import ContentAlteredError, ContentGoneError
from circular.mailing.kinds import (
    LEASABLE_STATES,
    RELAY_TROUBLE,
    MailClass,
    MailingKind,
    MailingState,
)
from circular.mailing.models import Frame, Mailing, Recipient, Stencil, WitnessMailbox
from circular.mailing.recipients import TOTALS_ORDER, RecipientState
from circular.mailing.rendering import Press, RecipientFacts, ReleaseFacts, RenderedMessage
from circular.mailing.sealed import token_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The six counters and their sum; they balance by construction (check constraint)."""

    audience: int
    accepted: int
    refused: int
    bounced: int
    suppressed: int
    in_doubt: int
    pending: int

    @property
    def balances(self) -> bool:
        """Say whether the six add up to the audience, computed and not assumed."""
        return self.audience == sum(self.by_state().values())

    def by_state(self) -> dict[RecipientState, int]:
        """Return the counters in the order in which they are always shown."""
        return {state: getattr(self, state.value) for state in TOTALS_ORDER}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailingRow:
    """A mailing as its readers need it."""

    id: int
    kind: MailingKind
    stencil: str
    case: int | None
    letter: str
    language: str
    mail_class: MailClass
    state: MailingState
    self_paused: str
    per_minute: int | None
    subject: str
    created_at: datetime
    frozen_at: datetime | None
    released_at: datetime | None
    paused_at: datetime | None
    settled_at: datetime | None
    cancelled_at: datetime | None
    deadline_at: datetime | None
    same_recipients_as: int | None
    witnesses: int
    witnesses_pending: int
    totals: Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientRow:
    """A recipient as its readers need it."""

    id: int
    mailing: int
    address: str
    fields: Mapping[str, str]
    witness: bool
    state: RecipientState
    reason: str
    attempts: int
    next_try_at: datetime | None  # empty before the first offer and after the last
    possible_duplicate: bool
    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessRow:
    """A witness mailbox; ``password_sealed`` opens with ``sealed.unseal``."""

    id: int
    address: str
    imap_host: str
    imap_port: int
    security: str
    username: str
    password_sealed: str
    folder: str


def _mailing_row(row: Mailing) -> MailingRow:
    return MailingRow(
        id=row.pk,
        kind=MailingKind(row.kind),
        stencil=row.stencil_id,
        case=row.case,
        letter=row.letter,
        language=row.language,
        mail_class=MailClass(row.mail_class),
        state=MailingState(row.state),
        self_paused=row.self_paused,
        per_minute=row.per_minute,
        subject=row.stencil.subject,
        created_at=row.created_at,
        frozen_at=row.frozen_at,
        released_at=row.released_at,
        paused_at=row.paused_at,
        settled_at=row.settled_at,
        cancelled_at=row.cancelled_at,
        deadline_at=row.deadline_at,
        same_recipients_as=row.same_recipients_as_id,
        witnesses=row.witnesses,
        witnesses_pending=row.witnesses_pending,
        totals=Totals(
            audience=row.audience,
            accepted=row.accepted,
            refused=row.refused,
            bounced=row.bounced,
            suppressed=row.suppressed,
            in_doubt=row.in_doubt,
            pending=row.pending,
        ),
    )


def _recipient_row(row: Recipient, domain: str) -> RecipientRow:
    return RecipientRow(
        id=row.pk,
        mailing=row.mailing_id,
        address=row.address,
        fields=row.fields,
        witness=row.witness,
        state=RecipientState(row.state),
        reason=row.reason,
        attempts=row.attempts,
        next_try_at=row.next_try_at,
        possible_duplicate=row.possible_duplicate,
        message_id=tokens.message_id(token_secret(), row.pk, domain) if domain else "",
    )


def mailing(mailing_id: int) -> MailingRow:
    """Return a mailing with its totals."""
    return _mailing_row(Mailing.objects.select_related("stencil").get(pk=mailing_id))


def mailings_of(recipients: Sequence[int]) -> list[int]:
    """Return the mailings that recipients are on."""
    found = Recipient.objects.filter(pk__in=recipients).values_list("mailing", flat=True)
    return sorted(set(found))


def mailings_of_case(case: int, kind: MailingKind | None = None) -> list[MailingRow]:
    """Return the mailings of a case, oldest first (a case has tens of them, not thousands)."""
    rows = Mailing.objects.filter(case=case).select_related("stencil").order_by("id")
    if kind is not None:
        rows = rows.filter(kind=kind.value)
    return [_mailing_row(row) for row in rows[:1000]]


def mailings_with_work(limit: int = 100) -> list[int]:
    """Return the mailings that may have rows to lease, the most urgent first."""
    return list(
        Mailing.objects.filter(state__in=[state.value for state in LEASABLE_STATES])
        .filter(Q(pending__gt=0) | Q(witnesses_pending__gt=0))
        .order_by("priority", "released_at", "id")
        .values_list("id", flat=True)[:limit]
    )


def mailings_to_settle(limit: int = 100) -> list[int]:
    """Return released mailings that owe nobody anything and do not say so yet."""
    return list(
        Mailing.objects.filter(
            state__in=[MailingState.RELEASED.value, MailingState.PAUSED.value], pending=0
        )
        .order_by("id")
        .values_list("id", flat=True)[:limit]
    )


def mailings_overdue(now: datetime, limit: int = 100) -> list[int]:
    """Return the mailings whose deadline has passed while somebody, or a witness, still waits.

    A paused one waits for a person, not for its deadline, which moves when it is resumed; so does
    one that stands still for a window or a quota.
    """
    waiting = Q(pending__gt=0) | Q(witnesses_pending__gt=0)
    goes_on = Q(self_paused="") | Q(self_paused__startswith=RELAY_TROUBLE)
    return list(
        Mailing.objects.filter(waiting, goes_on, state__in=LEASABLE_STATES, deadline_at__lte=now)
        .order_by("id")
        .values_list("id", flat=True)[:limit]
    )


def stencil(digest: str) -> StencilContent:
    """Return the content that a digest stands for.

    Raises:  ContentGoneError for a secret after its verdict
    """
    content = Stencil.objects.values_list("content", flat=True).get(pk=digest)
    if content is None:
        raise ContentGoneError(digest)
    return from_json(content)


def files_of(content: StencilContent) -> dict[str, bytes]:
    """Return the decoded files of a content by digest, from the archive."""
    return {file.digest: archive.blob(file.digest) for file in content.files}


def _release_facts(row: Mailing) -> ReleaseFacts:
    if row.released_at is None:
        raise ValueError(f"mailing {row.pk} is not released")
    return ReleaseFacts(
        kind=MailingKind(row.kind),
        released_at=row.released_at,
        message_domain=row.message_domain,
        bounce_address=row.bounce_address,
        list_id=row.list_id,
        in_reply_to=row.in_reply_to,
        references=tuple(row.references),
        secret=token_secret(),
    )


def press_for(mailing_id: int) -> Press:
    """Return the press of a released mailing; keep it for all copies of a batch.

    What is printed is what was approved: content that a superuser changed is not printed.

    Raises:  ContentGoneError; ContentAlteredError; ValueError when the mailing is not released
    """
    row = Mailing.objects.get(pk=mailing_id)
    content = stencil(row.stencil_id)
    if content.digest() != row.stencil_id:
        raise ContentAlteredError(row.stencil_id)
    return Press(content, _release_facts(row), files_of(content))


def recipient_facts(recipients: Sequence[int]) -> dict[int, RecipientFacts]:
    """Return what the press needs to know of each recipient."""
    rows = Recipient.objects.filter(pk__in=recipients).values_list("pk", "address", "fields")
    return {
        pk: RecipientFacts(id=pk, address=address, fields=fields) for pk, address, fields in rows
    }


def printed_copy(recipient_id: int) -> RenderedMessage:
    """Return one recipient's message again, octet for octet as it was offered.

    Raises:  ContentGoneError; ValueError when the mailing was never released
    """
    row = Recipient.objects.only("mailing_id").get(pk=recipient_id)
    return press_for(row.mailing_id).print_copy(recipient_facts([recipient_id])[recipient_id])


def recipient(recipient_id: int) -> RecipientRow | None:
    """Return one recipient, or None when retention has pruned the row."""
    row = Recipient.objects.select_related("mailing").filter(pk=recipient_id).first()
    return None if row is None else _recipient_row(row, row.mailing.message_domain)


def people_with_problems(
    mailing_id: int, *states: RecipientState, after: int = 0, limit: int = 200
) -> list[RecipientRow]:
    """Return the people of a mailing in these states, by id, from the one after ``after``.

    Shapes:  ``states`` are neither pending nor accepted: an index knows the others only
    """
    rows = (
        Recipient.objects.filter(
            mailing=mailing_id, problem__in=[state.value for state in states], witness=False
        )
        .filter(pk__gt=after)
        .order_by("id")
        .select_related("mailing")[:limit]
    )
    return [_recipient_row(row, row.mailing.message_domain) for row in rows]


def possible_duplicates(mailing_id: int, *, after: int = 0, limit: int = 200) -> list[RecipientRow]:
    """Return the people who may have got two copies, by name (design §2.2)."""
    rows = (
        Recipient.objects.filter(mailing=mailing_id, possible_duplicate=True, witness=False)
        .filter(pk__gt=after)
        .order_by("id")
        .select_related("mailing")[:limit]
    )
    return [_recipient_row(row, row.mailing.message_domain) for row in rows]


def witness_recipients(mailing_id: int) -> list[RecipientRow]:
    """Return the witness rows of a mailing."""
    rows = Recipient.objects.filter(mailing=mailing_id, witness=True).select_related("mailing")
    return [_recipient_row(row, row.mailing.message_domain) for row in rows.order_by("id")[:100]]


def recipient_of_token(address_or_message_id: str) -> RecipientRow | None:
    """Return the recipient named by our token in a bounce address or a Message-ID."""
    secret = token_secret()
    found = tokens.recipient_of_message_id(secret, address_or_message_id)
    if found is None:
        found = tokens.recipient_of_address(secret, address_or_message_id)
    return None if found is None else recipient(found)


def witnesses() -> list[WitnessRow]:
    """Return the active witness mailboxes."""
    return [
        WitnessRow(
            id=row.pk,
            address=row.address,
            imap_host=row.imap_host,
            imap_port=row.imap_port,
            security=row.security,
            username=row.username,
            password_sealed=row.password_sealed,
            folder=row.folder,
        )
        for row in WitnessMailbox.objects.filter(active=True).order_by("id")[:100]
    ]


@dataclass(frozen=True, slots=True)
class FrameRow:
    """A version of the frame; version 0 of a row that is not stored yet is never used."""

    version: int
    html: str
    text: str


def newest_frame() -> FrameRow | None:
    """Return the frame in force, or None while none was stored."""
    row = Frame.objects.order_by("-version").first()
    return None if row is None else FrameRow(row.version, row.html, row.text)


@lru_cache(maxsize=1)
def shipped_frame() -> tuple[str, str]:
    """Return the HTML and the text of the frame that comes with Circular."""
    folder = resources.files("circular.mailing") / "frames"
    html = (folder / "default.html").read_text(encoding="utf-8")
    return html, (folder / "default.txt").read_text(encoding="utf-8")
