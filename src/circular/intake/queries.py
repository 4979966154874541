"""What the front door can tell: what waits, what nobody sorted, and whose link a token is."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from circular.evidence.queries import blob
from circular.intake import labels
from circular.intake.models import DraftLink, IncomingMail
from circular.intake.sorting import FOR_A_PERSON
from circular.intake.words import MailState, Reason, SortedAs
from circular.mailformat.incoming import parse
from circular.people.queries import institution
from circular.workflow.content import Content
from circular.workflow.models import Request
from circular.workflow.queries.standing import content_of
from circular.workflow.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRow:
    """One incoming message as its readers need it."""

    id: int
    raw: str
    octets: int
    received_at: datetime
    mail_from: str
    author: str  # of the From line: a claim
    subject: str
    state: MailState
    sorted_as: SortedAs | None
    reason: Reason | None
    attempts: int
    repeats: int
    request: int | None
    looked_at: datetime | None

    @property
    def kind_words(self) -> str:
        """What it is, in words."""
        return str(labels.SORTED_AS[self.sorted_as]) if self.sorted_as else ""

    @property
    def reason_words(self) -> str:
        """Why it was sorted so, in words."""
        return str(labels.REASONS[self.reason]) if self.reason else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsortedMail:
    """A message of the tray, opened: its words as text, never its HTML."""

    row: MailRow
    from_: tuple[str, ...]
    to: tuple[str, ...]
    text: str
    attachments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """A one-time link; `used_at` set means that it filed its draft."""

    id: int
    request: int
    person: int
    address: str
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRow:
    """A draft as its author's one-time page shows it."""

    filing_number: str
    is_draft: bool
    unit: int | None
    contact_name: str
    contact_phone: str
    content: Content


def _mail(row: IncomingMail) -> MailRow:
    return MailRow(
        id=row.pk,
        raw=row.raw,
        octets=row.octets,
        received_at=row.received_at,
        mail_from=row.mail_from,
        author=row.author,
        subject=row.subject,
        state=MailState(row.state),
        sorted_as=SortedAs(row.sorted_as) if row.sorted_as else None,
        reason=Reason(row.reason) if row.reason else None,
        attempts=row.attempts,
        repeats=row.repeats,
        request=row.request,
        looked_at=row.looked_at,
    )


# What a person looks at: strangers, what could not be sorted, reports that name nobody, failures,
# and what somebody wrote from our own mailbox.
WAITING_FOR_A_PERSON = (
    Q(sorted_as__in=[kind.value for kind in FOR_A_PERSON])
    | Q(sorted_as=SortedAs.BOUNCE.value) & ~Q(reason=Reason.OUR_TOKEN.value)
    | Q(state=MailState.SET_ASIDE.value)
    | Q(reason=Reason.OUR_OWN_ADDRESS.value)
)


def unsorted(*, after: int | None = None, limit: int = 50) -> list[MailRow]:
    """Return the mail that waits for a person, the newest first; `after` is the last id shown.

    Index: incoming_to_look_at
    """
    rows = IncomingMail.objects.filter(WAITING_FOR_A_PERSON, looked_at__isnull=True)
    if after is not None:
        rows = rows.filter(pk__lt=after)
    return [_mail(row) for row in rows.order_by("-pk")[:limit]]


def unsorted_count() -> int:
    """Return how many messages wait for a person.

    Index: incoming_to_look_at
    """
    return IncomingMail.objects.filter(WAITING_FOR_A_PERSON, looked_at__isnull=True).count()


def unsorted_mail(incoming_id: int) -> UnsortedMail | None:
    """Open one message of the tray, also after it was dealt with."""
    row = IncomingMail.objects.filter(WAITING_FOR_A_PERSON, pk=incoming_id).first()
    if row is None:
        return None
    incoming = parse(blob(row.raw))
    return UnsortedMail(
        row=_mail(row),
        from_=tuple(box.written for box in incoming.from_),
        to=tuple(box.written for box in incoming.to),
        text=incoming.text,
        attachments=tuple(file.name for file in incoming.attachments),
    )


def raw_of(incoming_id: int) -> bytes | None:
    """Return a message exactly as it came in."""
    row = IncomingMail.objects.filter(pk=incoming_id).first()
    return None if row is None else blob(row.raw)


def stored_unsorted(now: datetime, *, older_than: timedelta, most: int = 500) -> list[int]:
    """Return what was stored a while ago and still waits: its job was lost, or it failed once.

    Index: incoming_to_sort
    """
    rows = IncomingMail.objects.filter(
        Q(try_after__isnull=True, received_at__lte=now - older_than) | Q(try_after__lte=now),
        state=MailState.STORED.value,
    )
    return list(rows.order_by("pk").values_list("pk", flat=True)[:most])


def link_of_token(token: str) -> LinkRow | None:
    """Return the link that a token opens, whatever its age."""
    digest = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
    row = DraftLink.objects.filter(digest=digest).first()
    if row is None:
        return None
    return LinkRow(
        id=row.pk,
        request=row.request,
        person=row.person_id,
        address=row.address,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )


def draft_of(request_id: int) -> DraftRow:
    """Return what a one-time link opens."""
    row = Request.objects.select_related("version").get(pk=request_id)
    assert row.version is not None
    return DraftRow(
        filing_number=row.filing_number or "",
        is_draft=row.state == State.DRAFT.value,
        unit=row.unit_id,
        contact_name=row.contact_name,
        contact_phone=row.contact_phone,
        content=content_of(row.version),
    )


def answers_given(address: str, *, since: datetime) -> int:
    """Return how many automatic answers an address got.

    Index: draft_link_by_address
    """
    return DraftLink.objects.filter(address=address, created_at__gte=since).count()


def our_domains() -> frozenset[str]:
    """Return the domains for which the doors take mail; none while the institution has no address."""
    house = institution()
    return frozenset({house.domain.lower(), house.drafts_address.rpartition("@")[2].lower()} - {""})
