"""The letters of a case: who gets which, with which facts, in whose language.

Rule 1: letters to an office go to the mailbox of its post, never to a person.
Rule 2: a letter that has no address is not written, and the act goes on: the trace of the act then
        names no letter, and the page shows that none went out.
Rule 3: every letter is one mailing and one line of the case's correspondence.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from circular.directory.labels import audience as audience_in_words
from circular.directory.rules import RuleError, rule_from_json
from circular.evidence.chain import Fact
from circular.evidence.services import case_chain, mailing_chain, seal
from circular.mailing import services as mailing
from circular.mailing.content import ContentError
from circular.mailing.letters import Letter
from circular.people import queries as people
from circular.people.roles import Role
from circular.workflow.acts import Figures
from circular.workflow.models import Correspondence
from circular.workflow.queries import house
from circular.workflow.services.desk import Case
from circular.workflow.states import Stage


def to_requester(case: Case, letter: Letter, context: Mapping[str, object]) -> int | None:
    """Write to the mailbox that the request named, in the requester's language."""
    row = case.row
    requester = row.requester
    address = row.answer_to or (requester.email if requester is not None else "")
    language = requester.language if requester is not None else people.institution().language
    return post(case, letter, to=address, context=context, language=language)


def to_office(case: Case, role: Role, letter: Letter, context: Mapping[str, object]) -> int | None:
    """Write to the mailbox of the post that has a role."""
    found = people.post_for(role)
    address = found.mailbox if found is not None else ""
    return post(case, letter, to=address, context=context, language=people.institution().language)


def to_post(case: Case, post_id: int, letter: Letter, context: Mapping[str, object]) -> int | None:
    """Write to the mailbox of one named post."""
    found = next((each for each in people.posts_listed() if each.pk == post_id), None)
    address = found.mailbox if found is not None else ""
    return post(case, letter, to=address, context=context, language=people.institution().language)


def post(
    case: Case, letter: Letter, *, to: str, context: Mapping[str, object], language: str
) -> int | None:
    """Post one letter of the case and keep it with the case's correspondence."""
    if not to:
        return None
    try:
        mailing_id = mailing.post_letter(
            letter,
            to=to,
            context=context,
            case=case.row.pk,
            language=language,
            in_thread=True,
            by=case.by,
        )
    except ContentError:
        return None  # an address that is none: the act stands, and names no letter
    Correspondence.objects.create(
        request=case.row,
        direction=Correspondence.Direction.OUT,
        at=case.at,
        letter=letter.value,
        mailing_id=mailing_id,
        address=to,
        subject=case.row.version.subject if case.row.version is not None else "",
    )
    case.letters.append(mailing_id)
    return mailing_id


def matter(case: Case) -> dict[str, object]:
    """Return what every letter of a filed case holds."""
    procedure = house.pinned(case.row.procedure)
    version = case.row.version
    return {
        "subject": " ".join(version.subject.split()) if version is not None else "",
        "filing_number": case.row.filing_number or "",
        "procedure_code": procedure.code,
        "procedure_version": procedure.version,
    }


def audience_words(case: Case) -> str:
    """Say in words who is written to."""
    version = case.row.version
    if version is None:
        return ""
    if version.audience is None:
        return " ".join(version.audience_words.split())
    try:
        return audience_in_words(rule_from_json(version.audience))
    except RuleError:
        return " ".join(version.audience_words.split())


def unit_name(case: Case) -> str:
    """Return the name of the unit that asks."""
    return case.row.unit.name if case.row.unit is not None else ""


def sender_name(case: Case) -> str:
    """Return the visible sender as people read it."""
    version = case.row.version
    if version is None or version.sender is None:
        return ""
    return f"{version.sender.display_name} <{version.sender.address}>"


def signed_by(person_id: int | None, role: Role) -> str:
    """Name the post first and then the person, as every page and letter does."""
    post_row = people.post_for(role)
    if person_id is None:
        return post_row.name if post_row is not None else "Circular"
    own = people.post_of(person_id, role) or post_row
    person = people.person(person_id)
    name = person.full_name if person is not None else ""
    return f"{own.name} ({name})" if own is not None and name else name


def figures_of(case: Case) -> Figures:
    """Return the six totals of the sending: counted by Circular, or declared by the IT Division."""
    row = case.row
    if row.declared is not None:
        return Figures(**row.declared["figures"])
    if row.mailing is None:
        return Figures(audience=0, accepted=0)
    sent = row.mailing
    return Figures(
        audience=sent.audience,
        accepted=sent.accepted,
        refused=sent.refused,
        bounced=sent.bounced,
        suppressed=sent.suppressed,
        pending=sent.pending,
        in_doubt=sent.in_doubt,
    )


def times_of(case: Case) -> tuple[datetime, datetime]:
    """Return when the sending began and ended."""
    row = case.row
    if row.declared is not None:
        return (
            datetime.fromisoformat(row.declared["started_at"]),
            datetime.fromisoformat(row.declared["ended_at"]),
        )
    started = row.started_at or case.at
    ended = row.mailing.settled_at if row.mailing is not None else None
    return started, max(started, ended or row.sent_at or case.at)


def figures_context(case: Case) -> dict[str, object]:
    """Return figures, times and seal, as both confirmations hold them."""
    figures = figures_of(case)
    started_at, ended_at = times_of(case)
    chains = [case_chain(case.row.pk)]
    if case.row.mailing_id is not None:
        chains.append(mailing_chain(case.row.mailing_id))
    head = seal(*chains, by=case.by)  # the letter then proves both up to the entry before
    return matter(case) | {
        "accepted": figures.accepted,
        "refused": figures.refused,
        "bounced": figures.bounced,
        "suppressed": figures.suppressed,
        "in_doubt": figures.in_doubt,
        "pending": figures.pending,
        "audience_count": figures.audience,
        "started_at": started_at,
        "ended_at": ended_at,
        "confirmed_at": case.at,
        "declared": case.row.declared is not None,
        "seal_sequence": head.sequence,
        "seal_digest": head.digest,
    }


def seal_facts(figures: Mapping[str, object]) -> dict[str, Fact]:
    """Return the seal that stands in a confirmation letter, as its entry keeps it."""
    return {
        "seal": str(figures["seal_digest"]),
        "seal_sequence": int(str(figures["seal_sequence"])),
    }


def audience_count(case: Case) -> int | None:
    """Return how many are written to, as far as it is known."""
    if case.row.mailing is not None and case.row.mailing.audience:
        return case.row.mailing.audience
    return case.row.approved_count if case.row.approved_count is not None else case.facts.count


def acknowledge(case: Case) -> None:
    """Write the receipt with the expected dates."""
    calendar = case.calendar
    review_due = case.due_at(Stage.REVIEW)
    dispatch_due = None
    skipped: Sequence[tuple[object, str]] = ()
    if review_due is not None:
        dispatch = calendar.deadline(review_due, case.limit(Stage.FORWARD).after)
        dispatch_due = dispatch.at
        skipped = calendar.closed_days(case.at, dispatch.at)
    version = case.row.version
    to_requester(
        case,
        Letter.ACKNOWLEDGEMENT,
        matter(case)
        | {
            "filed_at": case.row.filed_at,
            "review_due_at": review_due,
            "dispatch_due_at": dispatch_due,
            "wanted_at": version.wanted_at if version is not None else None,
            "confirmation_hours": max(1, case.limit(Stage.CONFIRM).minutes // 60),
            "audience_count": case.facts.count or None,
            "skipped_days": [day for day, _ in skipped],
        },
    )


def _request_facts(case: Case) -> dict[str, object]:
    """Return what an office needs to know of a request before it opens the page."""
    version = case.row.version
    assert version is not None
    return matter(case) | {
        "unit": unit_name(case),
        "sender": sender_name(case),
        "audience": audience_words(case),
        "audience_count": audience_count(case),
        "mail_class": version.mail_class,
        "wanted_at": version.wanted_at,
    }


def ask_for_review(case: Case, *, resubmitted: bool) -> None:
    """Tell Communications that a request waits for its review, new or corrected."""
    to_office(
        case,
        Role.COMMUNICATIONS,
        Letter.REQUEST_TO_REVIEW,
        _request_facts(case)
        | {
            "filed_at": case.at,
            "due_at": case.due_at(Stage.REVIEW),
            "urgent": case.row.urgent,
            "resubmitted": resubmitted,
        },
    )


def ask_for_consent(case: Case) -> None:
    """Tell every authority over the audience whose consent is still lacking."""
    for post_id in sorted(case.facts.authorities - case.facts.consents):
        to_post(
            case,
            post_id,
            Letter.CONSENT_ASKED,
            _request_facts(case)
            | {
                "approved_at": case.row.approved_at or case.at,
                "due_at": case.due_at(Stage.AUTHORISE),
                "content_digest": case.row.approved_digest,
            },
        )


def tell_urgency(case: Case, reason: str) -> None:
    """Tell both offices that a case goes into the urgent lane, by whose word and why."""
    person = people.person(case.by.person) if case.by.person is not None else None
    posts = people.posts_of(person.id) if person is not None else []
    calling = next((post for post in posts if post.id in case.facts.urgent_posts), None)
    name = person.full_name if person is not None else ""
    due = case.row.duties.filter(ended_at__isnull=True).order_by("due_at").first()
    for role in (Role.COMMUNICATIONS, Role.TIC):
        to_office(
            case,
            role,
            Letter.URGENT_DECLARED,
            matter(case)
            | {
                "declared_at": case.at,
                "declared_by": f"{calling.name} ({name})" if calling is not None else name,
                "reason": reason,
                "due_at": due.due_at if due is not None else None,
            },
        )


def hand_over(case: Case) -> None:
    """Write the two letters of activity 2: to the IT Division, and to the requester."""
    version = case.row.version
    assert version is not None
    send_due = case.due_at(Stage.SEND)
    to_office(
        case,
        Role.TIC,
        Letter.FORWARDED,
        _request_facts(case)
        | {
            "forwarded_at": case.at,
            "due_at": send_due,
            "content_digest": case.row.approved_digest,
        },
    )
    to_requester(
        case,
        Letter.APPROVED,
        matter(case)
        | {
            "approved_at": case.row.approved_at or case.at,
            "wanted_at": version.wanted_at,
            "dispatch_due_at": send_due,
            "audience_count": case.row.approved_count,
            "content_digest": case.row.approved_digest,
        },
    )
