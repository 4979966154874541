"""What is put on a case from outside: incoming correspondence and supporting documents."""

from datetime import datetime

from django.db import IntegrityError, transaction

from circular.evidence.actors import Actor
from circular.evidence.services import EntryDraft, append, case_chain, store_blob
from circular.mailing import services as mailing
from circular.mailing.content import ContentError
from circular.mailing.letters import Letter
from circular.people import queries as people
from circular.people.roles import Role
from circular.workflow.models import Attachment, Correspondence
from circular.workflow.services import writing
from circular.workflow.services.desk import Case, open_case
from circular.workflow.states import State

# The states in which the IT Division holds the case, so that mail about it is theirs to read.
WITH_IT = frozenset({State.FORWARDED, State.SCHEDULED, State.SENDING, State.PAUSED})
EXCERPT = 600  # characters of an incoming mail that the letter to the post quotes


@transaction.atomic
def file_correspondence(
    request_id: int,
    *,
    raw_digest: str,
    message_id: str,
    address: str,
    subject: str,
    text: str,
    person: int | None,
    at: datetime,
    by: Actor,
) -> int:
    """File an incoming mail on its case and show it to the post that holds the case.

    Locks:   the request row (no key)
    Repeat:  the same raw mail is filed once; its first row is returned
    """
    case = open_case(request_id, by=by)
    row, is_new = _filed(
        case,
        raw_digest,
        message_id=message_id,
        address=address,
        subject=subject,
        text=text,
        person=person,
        at=at,
    )
    if not is_new:
        return row.pk
    role = Role.TIC if State(case.row.state) in WITH_IT else Role.COMMUNICATIONS
    office = people.post_for(role)
    if case.row.filing_number and office is not None and office.mailbox != address:
        writing.to_office(
            case,
            role,
            Letter.CORRESPONDENCE,
            writing.matter(case)
            | {
                "author": address,
                "received_at": at,
                "excerpt": text.strip()[:EXCERPT],
            },
        )
    append(
        EntryDraft(
            chain=case_chain(request_id),
            act="correspondence_received",
            by=by,
            at=case.at,
            facts={"correspondence": row.pk, "raw": raw_digest, "letters": list(case.letters)},
        )
    )
    return row.pk


@transaction.atomic
def file_request_mail(
    request_id: int,
    *,
    incoming: int,
    raw_digest: str,
    message_id: str,
    address: str,
    subject: str,
    text: str,
    person: int | None,
    at: datetime,
    by: Actor,
) -> int:
    """Keep the mail that asked with its draft: the control point of activity 1.

    Locks:   the request row (no key)
    Repeat:  the same raw mail is filed once; its first row is returned
    """
    case = open_case(request_id, by=by)
    row, is_new = _filed(
        case,
        raw_digest,
        message_id=message_id,
        address=address,
        subject=subject,
        text=text,
        person=person,
        at=at,
        read_at=case.at,  # it is the request itself: nobody has to be told
    )
    if is_new:
        append(
            EntryDraft(
                chain=case_chain(request_id),
                act="received",
                by=by,
                at=case.at,
                facts={"incoming": incoming, "raw": raw_digest, "received_at": at.isoformat()},
            )
        )
    return row.pk


def _filed(
    case: Case,
    raw_digest: str,
    *,
    message_id: str,
    address: str,
    subject: str,
    text: str,
    person: int | None,
    at: datetime,
    read_at: datetime | None = None,
) -> tuple[Correspondence, bool]:
    """Return the row of an incoming mail on its case, and whether it was made now."""
    return Correspondence.objects.get_or_create(
        request=case.row,
        raw_digest=raw_digest,
        defaults={
            "direction": Correspondence.Direction.IN,
            "at": at,
            "message_id": message_id,
            "address": address,
            "person_id": person,
            "subject": subject,
            "text": text,
            "read_at": read_at,
        },
    )


@transaction.atomic
def read_correspondence(correspondence_id: int, *, by: Actor) -> bool:
    """Note that the post has read an incoming mail; False when that is noted already."""
    row = Correspondence.objects.filter(pk=correspondence_id).first()
    if row is None:
        return False
    case = open_case(row.request_id, by=by)
    changed = Correspondence.objects.filter(pk=correspondence_id, read_at__isnull=True).update(
        read_at=case.at
    )
    if changed:
        append(
            EntryDraft(
                chain=case_chain(row.request_id),
                act="correspondence_read",
                by=by,
                at=case.at,
                facts={"correspondence": correspondence_id},
            )
        )
    return bool(changed)


@transaction.atomic
def answer_correspondence(correspondence_id: int, *, by: Actor, text: str) -> bool:
    """Answer an incoming mail from its case, in the case's thread, and note it as read.

    Repeat:  answers again; False when there is no such mail, nothing to say, or no address
    """
    row = Correspondence.objects.filter(
        pk=correspondence_id, direction=Correspondence.Direction.IN
    ).first()
    if row is None or not text.strip():
        return False
    case = open_case(row.request_id, by=by)
    number, subject = case.row.filing_number or "", " ".join(row.subject.split())
    person = people.person(row.person_id) if row.person_id is not None else None
    language = person.language if person is not None else people.institution().language
    try:
        with transaction.atomic():
            mailing_id = mailing.post_text(
                subject=subject if not number or number in subject else f"[{number}] {subject}",
                text=text,
                html="",
                to=row.address,
                case=row.request_id,
                language=language,
                letter="answer",
                in_thread=True,
                references=[row.message_id] if row.message_id else [],
                by=by,
            )
    except ContentError:
        return False
    Correspondence.objects.create(
        request=case.row,
        direction=Correspondence.Direction.OUT,
        at=case.at,
        letter="answer",
        mailing_id=mailing_id,
        address=row.address,
        person_id=by.person,
        subject=subject,
        text=text,
    )
    Correspondence.objects.filter(pk=correspondence_id, read_at__isnull=True).update(
        read_at=case.at
    )
    append(
        EntryDraft(
            chain=case_chain(row.request_id),
            act="correspondence_answered",
            by=by,
            at=case.at,
            facts={"correspondence": correspondence_id, "letters": [mailing_id]},
        )
    )
    return True


@transaction.atomic
def attach(request_id: int, *, name: str, media_type: str, content: bytes, by: Actor) -> str:
    """Put a supporting document on a case and return its digest.

    Repeat:  the same bytes are one document of a case
    """
    case = open_case(request_id, by=by)
    digest = store_blob(content, media_type=media_type)
    try:
        with transaction.atomic():
            Attachment.objects.create(
                request=case.row,
                name=name[:200],
                media_type=media_type,
                digest=digest,
                octets=len(content),
                added_by_id=by.person,
                added_at=case.at,
            )
    except IntegrityError:
        return digest
    append(
        EntryDraft(
            chain=case_chain(request_id),
            act="document_attached",
            by=by,
            at=case.at,
            facts={"document": digest, "octets": len(content)},
        )
    )
    return digest
