"""From the first word to the radicado: drafts, what they lack, filing, copies and errata.

Rule 1: a draft has no number and is no case; filing draws the number in its own transaction, so
        that numbers are gapless per year.
Rule 2: the number stands at the foot of the message itself, so the content gets its final digest
        when it is filed; the version is sealed then.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction
from django.utils import timezone, translation

from circular.evidence.actors import Actor
from circular.evidence.services import EntryDraft, append, case_chain
from circular.mailing import services as mailing
from circular.mailing.cleaning import TooLongError
from circular.mailing.composing import Draft
from circular.mailing.content import ContentError, StencilFile
from circular.mailing.letters import Letter
from circular.people import queries as people
from circular.workflow.acts import Act, Deed
from circular.workflow.content import Content, missing
from circular.workflow.models import (
    FilingSequence,
    Request,
    RequestVersion,
)
from circular.workflow.queries import house, standing
from circular.workflow.services import writing
from circular.workflow.services.desk import Case, digest_of, open_case
from circular.workflow.services.documents import pin
from circular.workflow.states import Channel, State
from circular.workflow.transitions import Moved, NotMoved, objection


class Keep:
    """The value that leaves a field of a draft as it is."""


KEEP: Final = Keep()


@transaction.atomic
def create_draft(
    content: Content,
    *,
    by: Actor,
    requester: int | None,
    unit: int | None,
    channel: Channel,
    answer_to: str = "",
    contact_name: str = "",
    contact_phone: str = "",
    idempotency_key: str = "",
    erratum_of: int | None = None,
    copied_from: int | None = None,
) -> int:
    """Open a draft and return its id; whoever writes for another is noted as registrar.

    Repeat:  the same idempotency key gives the same draft
    """
    key = idempotency_key or None
    known = _by_key(key)
    if known is not None:
        return known
    now = timezone.now()
    registrar = by.person if by.person is not None and by.person != requester else None
    try:
        with transaction.atomic():
            row = Request.objects.create(
                channel=channel.value,
                idempotency_key=key,
                requester_id=requester,
                registrar_id=registrar,
                unit_id=unit,
                contact_name=contact_name,
                contact_phone=contact_phone,
                answer_to=answer_to,
                erratum_of_id=erratum_of,
                copied_from_id=copied_from,
                created_at=now,
                changed_at=now,
            )
    except IntegrityError:
        known = _by_key(key)
        if known is None:
            raise
        return known  # the same form came twice at once: the first one made it
    version = _write_version(row, content, 1, by, now)
    case = open_case(row.pk, by=by)
    case.open_duties(Act.UPDATE_DRAFT)
    facts: dict[str, str | int] = {"channel": channel.value, "version": version.number}
    if version.digest:
        facts["new_digest"] = version.digest
    if erratum_of is not None:
        facts["erratum_of"] = erratum_of
    if copied_from is not None:
        facts["copied_from"] = copied_from
    append(EntryDraft(chain=case_chain(row.pk), act="drafted", by=by, at=now, facts=facts))
    return row.pk


def _by_key(key: str | None) -> int | None:
    if key is None:
        return None
    return Request.objects.filter(idempotency_key=key).values_list("pk", flat=True).first()


def _write_version(
    row: Request, content: Content, number: int, by: Actor, at: datetime
) -> RequestVersion:
    """Store what was asked for as a version of its own, and make it the current one."""
    version = version_from(row, content, number, by, at)
    version.digest = compose_version(row, content, by=by)
    version.save()
    row.version = version
    row.save(update_fields=["version"])
    return version


def version_from(
    row: Request, content: Content, number: int, by: Actor, at: datetime
) -> RequestVersion:
    """Return a version with this content, not stored and without digest."""
    version = RequestVersion(request=row, number=number)
    _fill(version, content, by, at)
    return version


def _fill(version: RequestVersion, content: Content, by: Actor, at: datetime) -> None:
    version.sender_id = content.sender
    version.reply_to = content.reply_to.strip()
    version.subject = " ".join(content.subject.split())
    version.html = content.html
    version.text = content.text
    version.attachments = [asdict(each) for each in content.attachments]
    version.audience = dict(content.audience) if content.audience is not None else None
    version.audience_words = content.audience_words
    version.mail_class = content.mail_class.value
    version.wanted_at = content.wanted_at
    version.wanted_words = content.wanted_words
    version.reason = content.reason
    version.written_by_id = by.person
    version.written_at = at


def compose_version(row: Request, content: Content, *, by: Actor, number: str = "") -> str:
    """Store the stencil of a content and return its digest; nothing while it cannot be sent."""
    same = row.erratum_of_id is not None
    if missing(content, unit=row.unit_id, requester=row.requester_id, same_recipients=same):
        return ""
    assert content.sender is not None
    sender = people.sender(content.sender)
    if sender is None:
        return ""
    rule: object = content.audience
    if same and rule is None:
        rule = {"same_recipients_as_request": row.erratum_of_id}
    try:
        composed = mailing.compose_stencil(
            Draft(
                sender_name=sender.display_name,
                sender_address=sender.address,
                reply_to=content.reply_to or sender.reply_to,
                subject=content.subject,
                html=content.html,
                text=content.text,
                files=tuple(
                    StencilFile(
                        name=each.name,
                        media_type=each.media_type,
                        digest=each.digest,
                        octets=each.octets,
                        content_id=each.content_id,
                    )
                    for each in content.attachments
                ),
                mail_class=content.mail_class,
                audience_rule=rule,
                unit_name=row.unit.name if row.unit is not None else "",
            ),
            filing_number=number,
        )
    except (ContentError, TooLongError):
        return ""
    return mailing.save_stencil(composed.content, by=by)


@transaction.atomic
def update_draft(
    request_id: int,
    content: Content,
    *,
    by: Actor,
    requester: int | Keep | None = KEEP,
    unit: int | Keep | None = KEEP,
    answer_to: str | Keep = KEEP,
    contact_name: str | Keep = KEEP,
    contact_phone: str | Keep = KEEP,
) -> Moved | NotMoved:
    """Write a draft anew.

    Locks:   the request row (no key)
    """
    case = open_case(request_id, by=by)
    refusal = objection(case.facts, Deed(act=Act.UPDATE_DRAFT, by=case.doer, at=case.at))
    if refusal is not None:
        return refusal
    row, version = case.row, case.row.version
    assert version is not None
    if not isinstance(requester, Keep):
        row.requester_id = requester
    if not isinstance(unit, Keep):
        row.unit_id = unit
    if not isinstance(answer_to, Keep):
        row.answer_to = answer_to
    if not isinstance(contact_name, Keep):
        row.contact_name = contact_name
    if not isinstance(contact_phone, Keep):
        row.contact_phone = contact_phone
    _fill(version, content, by, case.at)
    version.digest = compose_version(row, content, by=by)
    version.save()
    decision = case.attempt(Act.UPDATE_DRAFT, new_digest=version.digest)
    case.prove(version=version.number)
    return decision


@transaction.atomic
def file_request(request_id: int, *, by: Actor, seen_digest: str = "") -> Moved | NotMoved:
    """File a draft: draw its number, seal its first version, acknowledge it with expected dates.

    Locks:   the request row, then the year's line of the filing book (no key)
    Repeat:  a second call is refused with WRONG_STATE and draws no number
    """
    case = open_case(request_id, by=by, counted=True)
    deed = Deed(act=Act.FILE, by=case.doer, at=case.at, seen_digest=seen_digest)
    refusal = objection(case.facts, deed)
    if refusal is not None:
        return refusal
    row, version = case.row, case.row.version
    assert version is not None
    procedure = house.procedure_in_force(timezone.localdate(case.at))
    number = _draw_number(timezone.localdate(case.at).year, case.rules.filing_prefix)
    content = standing.content_of(version)
    version.digest = compose_version(row, content, by=by, number=number)
    version.sealed = True
    version.save(update_fields=["digest", "sealed"])
    row.filing_number, row.filed_at = number, case.at
    row.procedure = pin(procedure, at=case.at)
    decision = case.attempt(
        Act.FILE, seen_digest=seen_digest, new_digest=version.digest, number=number
    )
    case.attempt_as_system(Act.ACKNOWLEDGE)
    writing.acknowledge(case)
    writing.ask_for_review(case, resubmitted=False)
    case.prove(
        channel=row.channel,
        version=version.number,
        procedure=procedure.code,
        procedure_version=procedure.version,
        procedure_digest=procedure.digest,
    )
    return decision


def _draw_number(year: int, prefix: str) -> str:
    """Return the next number of a year; the row's lock makes the book gapless."""
    FilingSequence.objects.bulk_create([FilingSequence(year=year)], ignore_conflicts=True)
    book = FilingSequence.objects.select_for_update(no_key=True).get(pk=year)
    book.last += 1
    book.save(update_fields=["last"])
    return f"{prefix}-{year}-{book.last:06d}"


@transaction.atomic
def lapse_draft(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Let a draft go that nobody confirmed in time; it never was a case."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.LAPSE)
    if isinstance(decision, Moved):
        case.prove()
    return decision


@transaction.atomic
def ask_missing(
    request_id: int,
    *,
    by: Actor,
    note: str = "",
    missing_fields: Sequence[str] = (),
    link: str = "",
) -> Moved | NotMoved:
    """Ask the requester for what is missing: a draft stays one, a case in review is returned."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.ASK_MISSING, reason=digest_of(note))
    if isinstance(decision, NotMoved):
        return decision
    procedure = house.pinned(case.row.procedure)
    if case.facts.state is State.RETURNED:
        case.row.ended_because = note
        case.row.save(update_fields=["ended_because"])
    context: dict[str, object] = {
        "subject": case.row.version.subject if case.row.version is not None else "",
        "missing": list(missing_fields) or sorted(case.facts.missing - {"unfit"}),
        "note": note,
        "procedure_code": procedure.code,
        "procedure_version": procedure.version,
    }
    if case.row.filing_number:
        context["filing_number"] = case.row.filing_number
    if link:
        context["link"] = link
    writing.to_requester(case, Letter.MISSING, context)
    case.prove(missing=list(missing_fields) or sorted(case.facts.missing))
    return decision


@transaction.atomic
def copy_request(request_id: int, *, by: Actor, idempotency_key: str = "") -> int | NotMoved:
    """Open a new draft with the content of an old case ("new request from this one").

    Repeat:  the same idempotency key gives the same draft
    """
    known = _by_key(idempotency_key or None)
    if known is not None:
        return known
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.COPY)
    if isinstance(decision, NotMoved):
        return decision
    new = _draft_from(case, by=by, idempotency_key=idempotency_key, erratum=False)
    case.prove(new_case=new)
    return new


@transaction.atomic
def issue_erratum(request_id: int, *, by: Actor, idempotency_key: str = "") -> int | NotMoved:
    """Open a linked draft that corrects a mailing, for exactly the people whom that one had.

    Repeat:  the same idempotency key gives the same draft
    """
    known = _by_key(idempotency_key or None)
    if known is not None:
        return known
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.ISSUE_ERRATUM)
    if isinstance(decision, NotMoved):
        return decision
    new = _draft_from(case, by=by, idempotency_key=idempotency_key, erratum=True)
    case.prove(new_case=new)
    return new


def _erratum_subject(subject: str) -> str:
    """Name the erratum in the institution's language, whoever opens it."""
    with translation.override(people.institution().language):
        return translation.gettext("Fe de erratas: %(subject)s") % {"subject": subject}


def _draft_from(case: Case, *, by: Actor, idempotency_key: str, erratum: bool) -> int:
    row = case.row
    assert row.version is not None
    old = standing.content_of(row.version)
    content = Content(
        sender=old.sender,
        reply_to=old.reply_to,
        subject=_erratum_subject(old.subject) if erratum else old.subject,
        html="" if erratum else old.html,
        text="" if erratum else old.text,
        attachments=() if erratum else old.attachments,
        audience=None if erratum else old.audience,
        mail_class=old.mail_class,
        reason=old.reason,
    )
    person = by.person if case.facts.requester is None else case.facts.requester
    mine = by.person in {row.requester_id, None} or row.unit_id in case.doer.units
    return create_draft(
        content,
        by=by,
        requester=by.person if mine and by.person is not None else person,
        unit=row.unit_id,
        channel=Channel.HOUSE,
        answer_to=row.answer_to,
        contact_name=row.contact_name,
        contact_phone=row.contact_phone,
        idempotency_key=idempotency_key,
        erratum_of=row.pk if erratum else None,
        copied_from=None if erratum else row.pk,
    )
