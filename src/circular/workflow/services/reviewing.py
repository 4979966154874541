"""What Communications does with a request: take, return, correct, reject, test, approve, hand over.

Rule 1: an approval binds the digest and the count that stood on the reviewer's screen.
Rule 2: where no authority over the audience is owed, the hand-over follows in the same act.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Max

from circular.evidence.actors import Actor
from circular.mailing import services as mailing
from circular.mailing.letters import Letter
from circular.outcomes import services as outcomes
from circular.people import queries as people
from circular.people.roles import Role
from circular.workflow.acts import Act, Deed
from circular.workflow.content import Content, missing
from circular.workflow.models import Authorisation, RequestVersion
from circular.workflow.services import writing
from circular.workflow.services.desk import Case, digest_of, open_case
from circular.workflow.services.drafting import compose_version, version_from
from circular.workflow.states import Stage, State
from circular.workflow.transitions import Moved, NotMoved, objection


def _plain(request_id: int, act: Act, *, by: Actor) -> Moved | NotMoved:
    """Do an act that changes the row and leaves its trace, and nothing else."""
    case = open_case(request_id, by=by)
    decision = case.attempt(act)
    if isinstance(decision, Moved):
        case.prove()
    return decision


@transaction.atomic
def acknowledge(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Write the receipt of a filed request, where filing could not (no address was known then)."""
    case = open_case(request_id, by=by, counted=True)
    decision = case.attempt(Act.ACKNOWLEDGE)
    if isinstance(decision, Moved):
        writing.acknowledge(case)
        case.prove()
    return decision


@transaction.atomic
def take(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Take a filed request into review; of two at once, the second is told who has it."""
    return _plain(request_id, Act.TAKE, by=by)


@transaction.atomic
def take_over(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Take a case over from the colleague who holds it."""
    return _plain(request_id, Act.TAKE_OVER, by=by)


@transaction.atomic
def release_case(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Put a case back so that a colleague may take it."""
    return _plain(request_id, Act.RELEASE_CASE, by=by)


@transaction.atomic
def return_request(request_id: int, *, by: Actor, reason: str) -> Moved | NotMoved:
    """Return a request for correction, with the reason; the office's clock stops."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.RETURN, reason=digest_of(reason))
    if isinstance(decision, NotMoved):
        return decision
    _keep_words(case, reason)
    writing.to_requester(
        case,
        Letter.RETURNED,
        writing.matter(case)
        | {"reason": reason, "returned_at": case.at, "due_at": case.due_at(Stage.CORRECT)},
    )
    case.prove()
    return decision


@transaction.atomic
def reject(request_id: int, *, by: Actor, reason: str, channel: str = "") -> Moved | NotMoved:
    """Refuse a request for good, with the reason and the channel that suits it better."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.REJECT, reason=digest_of(reason), channel=digest_of(channel))
    if isinstance(decision, NotMoved):
        return decision
    _keep_words(case, reason, channel)
    writing.to_requester(
        case,
        Letter.REJECTED,
        writing.matter(case) | {"reason": reason, "channel": channel, "rejected_at": case.at},
    )
    case.prove()
    return decision


def _keep_words(case: Case, reason: str, channel: str = "") -> None:
    case.row.ended_because = reason
    case.row.suggested_channel = channel
    case.row.save(update_fields=["ended_because", "suggested_channel"])


@transaction.atomic
def correct(
    request_id: int, content: Content, *, by: Actor, seen_digest: str = ""
) -> Moved | NotMoved:
    """Correct a request in review: a new version; sign-off and approval of the old one end."""
    return _new_version(request_id, Act.CORRECT, content, by=by, seen_digest=seen_digest)


@transaction.atomic
def resubmit(
    request_id: int, content: Content, *, by: Actor, seen_digest: str = ""
) -> Moved | NotMoved:
    """Bring a returned request back, corrected: a new version; the old one stays."""
    return _new_version(request_id, Act.RESUBMIT, content, by=by, seen_digest=seen_digest)


def _new_version(
    request_id: int, act: Act, content: Content, *, by: Actor, seen_digest: str
) -> Moved | NotMoved:
    case = open_case(request_id, by=by)
    row = case.row
    lacking = missing(
        content,
        unit=row.unit_id,
        requester=row.requester_id,
        same_recipients=row.erratum_of_id is not None,
    )
    digest = compose_version(row, content, by=by, number=row.filing_number or "")
    lacking = lacking or (frozenset() if digest else frozenset({"unfit"}))
    refusal = objection(
        case.facts,
        Deed(
            act=act,
            by=case.doer,
            at=case.at,
            missing=lacking,
            seen_digest=seen_digest,
            new_digest=digest,
        ),
    )
    if refusal is not None:
        return refusal
    last = RequestVersion.objects.filter(request=row).aggregate(last=Max("number"))["last"] or 0
    version = version_from(row, content, last + 1, by, case.at)
    version.digest, version.sealed = digest, True
    version.save()
    row.version = version
    decision = case.attempt(act, seen_digest=seen_digest, new_digest=digest)
    if act is Act.RESUBMIT:
        writing.ask_for_review(case, resubmitted=True)
    case.prove(version=version.number)
    return decision


@transaction.atomic
def send_test(request_id: int, *, by: Actor, to_operator: bool = False) -> Moved | NotMoved:
    """Send the very message, by the very path, to the requester and to whoever asks for the test.

    Repeat:  sends again
    """
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.SEND_TEST)
    if isinstance(decision, NotMoved):
        return decision
    row = case.row
    to = [row.answer_to or (row.requester.email if row.requester is not None else "")]
    reviewer = people.person(row.reviewer_id) if row.reviewer_id is not None else None
    asker = people.person(by.person) if by.person is not None else None
    operator = people.person(row.operator_id) if to_operator and row.operator_id else None
    to += [each.email for each in (reviewer, asker, operator) if each is not None]
    addresses = list(dict.fromkeys(filter(None, to)))
    test = mailing.send_test(case.facts.digest, to=addresses, case=row.pk, by=by)
    writing.to_requester(
        case,
        Letter.PROOF,
        writing.matter(case) | {"tested_at": case.at, "content_digest": case.facts.digest},
    )
    case.prove(mailing=test, digest=case.facts.digest, count=len(addresses))
    return decision


@transaction.atomic
def sign_off(request_id: int, *, by: Actor, seen_digest: str) -> Moved | NotMoved:
    """Give the requester's *visto bueno* on the test, bound to exactly that content."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.SIGN_OFF, seen_digest=seen_digest)
    if isinstance(decision, Moved):
        case.prove()
    return decision


@transaction.atomic
def approve(request_id: int, *, by: Actor, seen_digest: str, seen_count: int) -> Moved | NotMoved:
    """Approve exactly the content and the count that the reviewer saw, and hand over if that is all.

    Locks:   the request row (no key)
    Repeat:  a second call is refused with WRONG_STATE
    """
    case = open_case(request_id, by=by, counted=True)
    decision = case.attempt(Act.APPROVE, seen_digest=seen_digest, seen_count=seen_count)
    if isinstance(decision, NotMoved):
        return decision
    _hand_over_if_forwarded(case)
    case.prove(version=case.row.version.number if case.row.version is not None else 0)
    return decision


@transaction.atomic
def authorise(
    request_id: int, *, by: Actor, seen_digest: str, post: int | None = None
) -> Moved | NotMoved:
    """Consent as an authority over the audience; the last consent hands the case over.

    Repeat:  a post consents once; again is refused with ALREADY_DONE
    """
    case = open_case(request_id, by=by)
    owed = case.facts.authorities & case.doer.posts
    if post is None:
        post = min(owed - case.facts.consents, default=min(owed, default=None))
    decision = case.attempt(Act.AUTHORISE, seen_digest=seen_digest, post=post)
    if isinstance(decision, NotMoved):
        return decision
    assert post is not None
    assert by.person is not None
    Authorisation.objects.create(
        request=case.row, post_id=post, person_id=by.person, digest=seen_digest, at=case.at
    )
    _hand_over_if_forwarded(case)
    case.prove()
    return decision


@transaction.atomic
def forward(request_id: int, *, by: Actor) -> Moved | NotMoved:
    """Hand an approved case over to the IT Division, once everybody has consented."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.FORWARD)
    if isinstance(decision, NotMoved):
        return decision
    _hand_over_if_forwarded(case)
    case.prove()
    return decision


def _hand_over_if_forwarded(case: Case) -> None:
    if case.facts.state is State.FORWARDED:
        writing.hand_over(case)
    elif not case.facts.consents:
        writing.ask_for_consent(case)  # the approval itself; later consents ask nobody again


@transaction.atomic
def declare_urgent(request_id: int, *, by: Actor, reason: str) -> Moved | NotMoved:
    """Put a case in the urgent lane: shorter limits now, looked at again afterwards."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.DECLARE_URGENT, reason=digest_of(reason))
    if isinstance(decision, Moved):
        case.row.urgent_because = reason.strip()
        case.row.save(update_fields=["urgent_because"])
        _shorten(case, case.at)
        if case.row.filing_number:
            writing.tell_urgency(case, reason)
        case.prove()
    return decision


def _shorten(case: Case, at: datetime) -> None:
    """Bring the open duties forward to the limits of the urgent lane."""
    for duty in case.row.duties.filter(ended_at__isnull=True):
        limit = case.limit(Stage(duty.stage))
        due_at = case.calendar.add_business(at, limit.after)
        if due_at < duty.due_at:
            duty.due_at, duty.minutes = due_at, limit.minutes
            if duty.reminders == 0:
                duty.next_reminder_at = due_at
            duty.save(update_fields=["due_at", "minutes", "next_reminder_at"])


@transaction.atomic
def review_afterwards(request_id: int, *, by: Actor, note: str = "") -> Moved | NotMoved:
    """Record that somebody who did not call it urgent looked at an urgent case."""
    case = open_case(request_id, by=by)
    decision = case.attempt(Act.REVIEW_AFTERWARDS, reason=digest_of(note))
    if isinstance(decision, Moved):
        case.row.urgent_review = note.strip()
        case.row.save(update_fields=["urgent_review"])
        case.prove()
    return decision


@transaction.atomic
def cancel(request_id: int, *, by: Actor, reason: str = "") -> Moved | NotMoved:
    """Cancel: before scheduling by the requester, later by an office; what waits is withdrawn."""
    case = open_case(request_id, by=by)
    was_draft = case.facts.state is State.DRAFT
    decision = case.attempt(Act.CANCEL, reason=digest_of(reason))
    if isinstance(decision, NotMoved):
        return decision
    row = case.row
    _keep_words(case, reason)
    accepted = withdrawn = None
    if row.mailing is not None:
        outcomes.cancel_mailing(row.mailing.pk, by=by)
        row.mailing.refresh_from_db()
        if row.mailing.released_at is not None:
            accepted, withdrawn = row.mailing.accepted, row.mailing.suppressed
    if not was_draft:
        context = writing.matter(case) | {
            "cancelled_at": case.at,
            "cancelled_by": _name_of(case),
            "reason": reason,
            "accepted": accepted,
            "withdrawn": withdrawn,
        }
        writing.to_requester(case, Letter.CANCELLED, context)
        for role in (Role.COMMUNICATIONS, Role.TIC):
            if role is Role.COMMUNICATIONS or row.forwarded_at is not None:
                writing.to_office(case, role, Letter.CANCELLED, context)
    case.prove(withdrawn=withdrawn or 0)
    return decision


def _name_of(case: Case) -> str:
    if case.by.person is None:
        return "Circular"
    for role in (Role.TIC, Role.COMMUNICATIONS):
        if role in case.doer.roles:
            return writing.signed_by(case.by.person, role)
    person = people.person(case.by.person)
    return person.full_name if person is not None else ""
