"""The only writer of the front door: store, sort, hand on, answer.

Rules
1. `store_arrivals` commits the raw bytes before a door says 250; sorting comes afterwards.
2. A message is tried at most three times. Each try is counted before it begins, so that a message
   that kills its process is set aside too, with its bytes kept, before a person.
3. What a message caused (a draft, correspondence, a settled row) is in the same transaction as its
   being sorted: both or neither.
4. An answer goes to the account's own address in the directory, never to an address of the message.

Locks:  the incoming row, then what the called room locks, the heads of chains last.
"""

import hashlib
import logging
import secrets
import zoneinfo
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, assert_never

from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override as speaking

from circular import jobs
from circular.directory import queries as directory
from circular.directory.labels import audience as audience_in_words
from circular.directory.models import Account
from circular.directory.rules import RuleError, rule_from_json, rule_to_json
from circular.evidence.actors import DOOR, Actor
from circular.evidence.queries import blob
from circular.evidence.services import HOUSE, EntryDraft, append, store_blob, store_blobs
from circular.intake import queries
from circular.intake.arrivals import Arrival
from circular.intake.fields import Places
from circular.intake.identity import content_key_of, identity_of
from circular.intake.models import DraftLink, IncomingMail
from circular.intake.reading import Author, Named, Reading, read_request
from circular.intake.sorting import (
    AutoReply,
    BounceReport,
    Duplicate,
    Known,
    Loop,
    NewRequest,
    ReplyToCase,
    Sorted,
    Standing,
    Stranger,
    UnmatchedReport,
    Unsortable,
    author_of,
    sort,
)
from circular.intake.words import MailState, Reason, SortedAs
from circular.mailformat import dsn, tokens
from circular.mailformat.incoming import Incoming, header_values, parse
from circular.mailing import queries as mailing
from circular.mailing.cleaning import clean_html
from circular.mailing.kinds import MailClass, MailingKind
from circular.mailing.letters import Letter, voice_of_house
from circular.mailing.sealed import token_secret
from circular.mailing.services import post_letter
from circular.outcomes.services import settle_bounce
from circular.people import queries as people
from circular.people.accounts import KnownAccount, known_account
from circular.people.services import ensure_person
from circular.workflow import queries as desk
from circular.workflow import services as workflow
from circular.workflow.content import Attached, Content, missing
from circular.workflow.models import Request
from circular.workflow.states import Channel, Stage, State
from circular.workflow.transitions import Moved, NotMoved

logger = logging.getLogger(__name__)

MOST_ATTEMPTS: Final = 3  # as Mailman's MAX_BAK_COUNT
TRY_AGAIN_AFTER: Final = timedelta(
    minutes=1
)  # doubled each time: what failed was rarely the message
ANSWERS_A_DAY: Final = 10  # to one address, as Mailman; it stops every loop with a robot


# --- store ---------------------------------------------------------------------------------------


_STORED_ROW: Final = (
    "(%s, %s, %s, %s, %s, %s, %s::varchar[], %s, %s, 'stored', 0, '', '', '', '', '')"
)
_STORE: Final = """
    INSERT INTO intake_incomingmail
        (raw, identity, content_key, octets, door, mail_from, rcpt_to, received_at, repeats,
         state, attempts, failure, sorted_as, reason, author, subject)
    VALUES (row)
    ON CONFLICT (identity) DO UPDATE
        SET repeats = intake_incomingmail.repeats + excluded.repeats + 1
    RETURNING identity, id, xmax = 0
"""


@transaction.atomic
def store_arrivals(arrivals: Sequence[Arrival]) -> list[int]:
    """Store messages in one commit and leave a job for each new one; the ids, in their order.

    Three statements for any number of messages: a commit of one costs what a commit of many does.

    Locks:   identities in order, so that two doors never wait for each other in a circle
    Repeat:  the same message to the same recipients is one row; a repeat is counted
    Raises:  DatabaseError: nothing of the batch is stored
    """
    now = timezone.now()
    identities = [identity_of(each.raw, each.safe_rcpt_to) for each in arrivals]
    raws = store_blobs([each.raw for each in arrivals], media_type="message/rfc822")
    copies = Counter(identities)
    rows: dict[str, tuple[str | int | datetime | list[str], ...]] = {
        identity: (
            raw,
            identity,
            content_key_of(each.raw),
            len(each.raw),
            each.door.value,
            each.safe_mail_from,
            each.safe_rcpt_to,
            now,
            copies[identity] - 1,
        )
        for identity, raw, each in zip(identities, raws, arrivals, strict=True)
    }
    with connection.cursor() as cursor:
        cursor.execute(
            _STORE.replace("(row)", ", ".join([_STORED_ROW] * len(rows))),
            [value for identity in sorted(rows) for value in rows[identity]],
        )
        found = {identity: (number, is_new) for identity, number, is_new in cursor.fetchall()}
    jobs.enqueue_all(
        [jobs.SortIncoming(incoming=number) for number, is_new in found.values() if is_new]
    )
    return [found[identity][0] for identity in identities]


# --- sort ----------------------------------------------------------------------------------------


def sort_incoming(incoming_id: int) -> SortedAs | None:
    """Sort one stored message and do what follows from it; None when it has to be tried again.

    Locks:   the incoming row
    Repeat:  a message that is sorted already stays as it is
    Raises:  DatabaseError: the database is gone; the next round tries again
    """
    if not _begin_attempt(incoming_id):
        row = IncomingMail.objects.filter(pk=incoming_id).first()
        return SortedAs(row.sorted_as) if row is not None and row.sorted_as else None
    try:
        return _sort_once(incoming_id)
    except OperationalError:
        # The database, not the message: this try does not count, if it can still be said.
        _forget_attempt(incoming_id)
        raise
    except Exception as failure:
        logger.exception("incoming mail not sorted", extra={"incoming": incoming_id})
        _note_failure(incoming_id, type(failure).__name__)
        return None


@transaction.atomic
def _begin_attempt(incoming_id: int) -> bool:
    """Count a try before it begins; False when there is nothing (more) to try."""
    row = (
        IncomingMail.objects.select_for_update(no_key=True, skip_locked=True)
        .filter(pk=incoming_id, state=MailState.STORED.value)
        .first()
    )
    if row is None:
        return False
    if row.attempts >= MOST_ATTEMPTS:
        _set_aside(row, timezone.now())
        return False
    row.attempts += 1
    row.save(update_fields=["attempts"])
    return True


def _forget_attempt(incoming_id: int) -> None:
    try:
        IncomingMail.objects.filter(pk=incoming_id, attempts__gt=0).update(
            attempts=F("attempts") - 1
        )
    except DatabaseError:
        logger.warning("attempt stays counted", extra={"incoming": incoming_id})


@transaction.atomic
def _note_failure(incoming_id: int, failure: str) -> None:
    row = IncomingMail.objects.select_for_update(no_key=True).get(pk=incoming_id)
    now = timezone.now()
    row.failure = failure[:200]
    row.try_after = now + TRY_AGAIN_AFTER * 2 ** (row.attempts - 1)
    row.save(update_fields=["failure", "try_after"])
    if row.attempts >= MOST_ATTEMPTS:
        _set_aside(row, now)


def _set_aside(row: IncomingMail, now: datetime) -> None:
    row.state, row.sorted_at = MailState.SET_ASIDE.value, now
    row.reason = Reason.FAILED_THREE_TIMES.value
    row.save(update_fields=["state", "sorted_at", "reason"])
    append(
        EntryDraft(
            chain=HOUSE,
            act="mail_set_aside",
            by=DOOR,
            at=now,
            facts={"incoming": row.pk, "raw": row.raw, "attempts": row.attempts},
        )
    )


@transaction.atomic
def _sort_once(incoming_id: int) -> SortedAs:
    row = IncomingMail.objects.select_for_update(no_key=True).get(pk=incoming_id)
    if row.state != MailState.STORED.value:
        return SortedAs(row.sorted_as) if row.sorted_as else SortedAs.UNSORTABLE
    now = timezone.now()
    incoming = parse(blob(row.raw))
    _one_at_a_time(row.content_key)
    account = _account_of(incoming)
    decision = sort(incoming, _known(row, incoming, account, now))
    row.request = _carry_out(decision, row, incoming, account, now)
    written = author_of(incoming)
    row.author = "" if isinstance(written, Reason) else written
    row.subject = incoming.subject[:300]
    row.state, row.sorted_at = MailState.SORTED.value, now
    row.sorted_as, row.reason = decision.sorted_as.value, decision.reason.value
    row.save(
        update_fields=["request", "author", "subject", "state", "sorted_at", "sorted_as", "reason"]
    )
    append(
        EntryDraft(
            chain=HOUSE,
            act="mail_sorted",
            by=DOOR,
            at=now,
            facts={
                "incoming": row.pk,
                "raw": row.raw,
                "as": decision.sorted_as.value,
                "because": decision.reason.value,
                "request": row.request,
            },
        )
    )
    return decision.sorted_as


def _one_at_a_time(content_key: str) -> None:
    """Make two copies of the same words wait for each other until one of them is a request."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s)", [int(content_key[:15], 16)]
        )  # 60 bits: a bigint


def _account_of(incoming: Incoming) -> KnownAccount | None:
    """Return the active account or person behind the one address in From."""
    author = author_of(incoming)
    if isinstance(author, Reason):
        return None
    account = known_account(author)
    if account is not None:
        return account
    person = people.person_by_address(author)
    return None if person is None else KnownAccount(person.email, person.full_name, "")


def _standing(incoming: Incoming, account: KnownAccount | None) -> Standing:
    if account is not None:
        return Standing.ACTIVE
    author = author_of(incoming)
    if isinstance(author, Reason):
        return Standing.UNKNOWN
    was_known = Account.objects.filter(address=author).exists()
    return Standing.INACTIVE if was_known else Standing.UNKNOWN


def _known(
    row: IncomingMail, incoming: Incoming, account: KnownAccount | None, now: datetime
) -> Known:
    house = people.institution()
    secret = token_secret()
    case, answers_circular = _case_answered(incoming)
    return Known(
        null_sender=row.mail_from in ("", "<>"),
        reports=dsn.parse(incoming),
        recipient=_recipient_reported(row, incoming),
        own_message=tokens.recipient_of_message_id(secret, incoming.message_id) is not None,
        own_addresses=frozenset({house.drafts_address.lower()} - {""}),
        case=case,
        answers_circular=answers_circular,
        standing=_standing(incoming, account),
        earlier=_earlier(row),
        answered_too_often=account is not None
        and queries.answers_given(account.address, since=now - timedelta(days=1)) >= ANSWERS_A_DAY,
    )


def _recipient_reported(row: IncomingMail, incoming: Incoming) -> int | None:
    """Return the recipient that a token of ours names: in the envelope, or in what came back."""
    for address in row.rcpt_to:
        found = mailing.recipient_of_token(address)
        if found is not None:
            return found.id
    for identifier in header_values(incoming.returned, "message-id"):
        found = mailing.recipient_of_token(identifier)
        if found is not None:
            return found.id
    return None


def _case_answered(incoming: Incoming) -> tuple[int | None, bool]:
    """Return the case of the letter that a message answers, and whether it answers a circular."""
    secret = token_secret()
    answers_circular = False
    for identifier in (*incoming.in_reply_to, *reversed(incoming.references)):
        case = tokens.case_of_message_id(secret, identifier)
        if case is not None:
            return case, False
        answered = mailing.recipient_of_token(identifier)
        if answered is None:
            continue
        sent = mailing.mailing(answered.mailing)
        if sent.kind is MailingKind.CIRCULAR:
            answers_circular = True
        elif sent.case is not None:
            return sent.case, False
    return None, answers_circular


def _earlier(row: IncomingMail) -> int | None:
    """Return the request that the same words made before."""
    made = (
        IncomingMail.objects.filter(
            content_key=row.content_key,
            sorted_as=SortedAs.NEW_REQUEST.value,
            request__isnull=False,
        )
        .exclude(pk=row.pk)
        .values("request")
    )
    # A draft that lapsed never was a case: the same words may ask again.
    lapsed = Q(state=State.CANCELLED.value, filing_number__isnull=True)
    return (
        Request.objects.filter(pk__in=made)
        .exclude(lapsed)
        .order_by("pk")
        .values_list("pk", flat=True)
        .first()
    )


# --- hand on -------------------------------------------------------------------------------------


def _carry_out(
    decision: Sorted,
    row: IncomingMail,
    incoming: Incoming,
    account: KnownAccount | None,
    now: datetime,
) -> int | None:
    """Do what follows from a decision; the request concerned, if any."""
    match decision:
        case NewRequest():
            assert account is not None
            return _open_draft(row, incoming, account, now)
        case ReplyToCase(case, author):
            person = people.person_by_address(author)
            workflow.file_correspondence(
                case,
                raw_digest=row.raw,
                message_id=incoming.message_id[:998],
                address=author,
                subject=incoming.subject,
                text=incoming.text,
                person=None if person is None else person.id,
                at=row.received_at,
                by=DOOR,
            )
            return case
        case BounceReport(recipient, is_permanent, status, diagnostic):
            settle_bounce(
                recipient,
                at=row.received_at,
                enhanced=status,
                reply=diagnostic,
                permanent=is_permanent,
                by=DOOR,
            )
            return None
        case Duplicate(request):
            _tell_again(row, request, incoming, now)
            return request
        case AutoReply() | Stranger() | Unsortable() | UnmatchedReport() | Loop():
            return None
        case _:
            assert_never(decision)


def _open_draft(row: IncomingMail, incoming: Incoming, account: KnownAccount, now: datetime) -> int:
    """Make the draft and write to the account's own mailbox what was understood."""
    person_id = ensure_person(account, by=DOOR)
    reading = read_request(
        incoming, _author(person_id), _places(), now=now, zone=zoneinfo.ZoneInfo(settings.TIME_ZONE)
    )
    content = _content(reading, incoming)
    request_id = workflow.create_draft(
        content,
        by=DOOR,
        requester=person_id,
        unit=reading.unit,
        channel=Channel.MAIL,
        answer_to=account.address,
        contact_name=reading.contact_name,
        contact_phone=reading.contact_phone,
        idempotency_key=row.identity,
    )
    workflow.file_request_mail(
        request_id,
        incoming=row.pk,
        raw_digest=row.raw,
        message_id=incoming.message_id[:998],
        address=account.address,
        subject=incoming.subject,
        text=incoming.text,
        person=person_id,
        at=row.received_at,
        by=DOOR,
    )
    _post_link(row, request_id, person_id, incoming, now)
    return request_id


def _tell_again(row: IncomingMail, request_id: int, incoming: Incoming, now: datetime) -> None:
    """Give whoever writes the same words again a new link, as long as they are still a draft."""
    draft = queries.draft_of(request_id)
    first = DraftLink.objects.filter(request=request_id).order_by("pk").first()
    if not draft.is_draft or first is None:
        return
    since = now - timedelta(days=1)
    if queries.answers_given(first.address, since=since) < ANSWERS_A_DAY:
        _post_link(row, request_id, first.person_id, incoming, now)


def _author(person_id: int) -> Author:
    person = people.person(person_id)
    assert person is not None
    return Author(
        full_name=person.full_name,
        phone=person.phone,
        units=tuple(Named(u.id, (u.name, u.code)) for u in people.units_of(person_id)),
        senders=tuple(
            Named(s.id, (s.display_name, s.address), s.unit) for s in people.senders_for(person_id)
        ),
    )


def _places() -> Places:
    known = directory.choices()
    return Places(
        faculties=tuple(choice.value for choice in known.faculties),
        programmes=tuple(choice.value for choice in known.programmes),
        campuses=tuple(choice.value for choice in known.campuses),
    )


def _content(reading: Reading, incoming: Incoming) -> Content:
    return Content(
        sender=reading.sender,
        reply_to=reading.reply_to,
        subject=reading.subject,
        html=clean_html(reading.html) if reading.html.strip() else "",
        text=reading.text,
        attachments=tuple(
            Attached(
                name=file.name,
                media_type=file.media_type,
                digest=store_blob(file.content, media_type=file.media_type[:127]),
                octets=len(file.content),
                content_id=file.content_id,
                inline=file.inline,
            )
            for file in incoming.attachments
        ),
        audience=None if reading.rule is None else rule_to_json(reading.rule),
        audience_words=reading.audience_words,
        mail_class=MailClass(reading.mail_class or MailClass.INFORMATIVE),
        wanted_at=reading.wanted_at,
        wanted_words=reading.wanted_words,
        reason=reading.reason,
    )


# --- answer --------------------------------------------------------------------------------------


def _post_link(
    row: IncomingMail,
    request_id: int,
    person_id: int,
    incoming: Incoming,
    now: datetime,
) -> None:
    """Write to the account's own mailbox what was understood, with a link that only it gets."""
    person = people.person(person_id)
    assert person is not None
    draft = queries.draft_of(request_id)
    limit = desk.time_limits()[Stage.CONFIRM_DRAFT, False]
    expires_at = desk.office_calendar([now.year, now.year + 1]).add_business(now, limit.after)
    token = secrets.token_urlsafe(32)  # 256 bits
    DraftLink.objects.create(
        digest=hashlib.sha256(token.encode()).hexdigest(),
        request=request_id,
        incoming=row,
        person_id=person_id,
        address=person.email,
        created_at=now,
        expires_at=expires_at,
    )
    procedure = desk.procedure_in_force(timezone.localdate(now))
    with speaking(person.language):
        understood = _understood(draft, person.language)
        subject = draft.content.subject or _("(sin asunto)")
    post_letter(
        Letter.DRAFT_RECEIVED,
        to=person.email,
        context={
            "subject": subject,
            "link": f"{settings.BASE_URL}/b/{token}",
            "expires_at": expires_at,
            "understood": understood,
            "missing": sorted(missing(draft.content, unit=draft.unit, requester=person_id)),
            "procedure_code": procedure.code,
            "procedure_version": procedure.version,
        },
        case=request_id,
        language=person.language,
        in_thread=True,
        references=[incoming.message_id] if sound_identifier(incoming.message_id) else [],
        by=DOOR,
    )


def sound_identifier(identifier: str) -> bool:
    """Tell whether an identifier from outside is sound enough to stand in References."""
    return (
        5 <= len(identifier) <= 250
        and identifier[0] == "<"
        and identifier[-1] == ">"
        and identifier.isascii()
        and identifier.isprintable()
        and not set(identifier[1:-1]) & set("<> ")
    )


def _understood(draft: queries.DraftRow, language: str) -> list[tuple[str, str]]:
    """Say the fields that were read, in the order of the form."""
    content = draft.content
    unit = None if draft.unit is None else people.unit(draft.unit)
    sender = None if content.sender is None else people.sender(content.sender)
    inline = sum(file.inline for file in content.attachments)
    files = [file.name for file in content.attachments if not file.inline]
    rows = [
        ("unit", "" if unit is None else unit.name),
        ("responsible", draft.contact_name),
        ("sender", "" if sender is None else f"{sender.display_name} <{sender.address}>"),
        ("reply_to", content.reply_to),
        ("subject", content.subject),
        (
            "message",
            _("%(count)s caracteres") % {"count": len(content.text)}
            if content.text.strip()
            else "",
        ),
        ("images", str(inline) if inline else ""),
        ("attachments", ", ".join(files)),
        ("audience", _audience(content)),
        ("mail_class", content.mail_class.value),
        (
            "wanted_at",
            voice_of_house(language).moment(content.wanted_at)
            if content.wanted_at
            else content.wanted_words,
        ),
        ("reason", content.reason),
    ]
    return [(code, value) for code, value in rows if value]


def _audience(content: Content) -> str:
    if content.audience is None:
        return content.audience_words
    try:
        return audience_in_words(rule_from_json(content.audience))
    except RuleError:
        return content.audience_words


# --- the one-time page ---------------------------------------------------------------------------


@transaction.atomic
def file_by_link(
    link_id: int, content: Content, *, unit: int | None, contact_name: str, contact_phone: str
) -> Moved | NotMoved | None:
    """File the draft of a link as its holder completed it; None when the link no longer opens it.

    The mailbox is the proof: whoever holds the token acts as the person it was sent to.

    Locks:   the link, then the request
    Repeat:  a used link files nothing more
    """
    now = timezone.now()
    link = DraftLink.objects.select_for_update(no_key=True).get(pk=link_id)
    if link.used_at is not None or link.expires_at <= now:
        return None
    holder = people.person(link.person_id)
    if holder is None or not holder.is_active:
        return None  # the account ended after the link was written
    by = Actor.of(link.person_id)
    written = workflow.update_draft(
        link.request,
        content,
        by=by,
        unit=unit,
        contact_name=contact_name,
        contact_phone=contact_phone,
    )
    if isinstance(written, NotMoved):
        return written
    filed = workflow.file_request(link.request, by=by)
    if isinstance(filed, Moved):
        link.used_at = now
        link.save(update_fields=["used_at"])
        # Every other link to the same draft has done its work too.
        DraftLink.objects.filter(request=link.request, used_at__isnull=True).update(used_at=now)
    return filed


@transaction.atomic
def look_at(incoming_id: int, *, by: Actor) -> bool:
    """Note that a person has dealt with a message of the tray.

    Repeat:  the first person stays noted; False
    """
    now = timezone.now()
    row = IncomingMail.objects.select_for_update(no_key=True).filter(pk=incoming_id).first()
    if row is None or row.looked_at is not None:
        return False
    row.looked_at, row.looked_by_id = now, by.person
    row.save(update_fields=["looked_at", "looked_by"])
    append(
        EntryDraft(
            chain=HOUSE,
            act="mail_looked_at",
            by=by,
            at=now,
            facts={"incoming": row.pk, "raw": row.raw},
        )
    )
    return True
