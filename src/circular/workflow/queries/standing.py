"""What a guard may look at, read from rows: the facts of a request and the standing of a doer.

Rule 1: services read these under the lock of the request row; pages read them without.
Rule 2: an audience is counted only where an act depends on the count.
"""

from circular.directory import queries as directory
from circular.directory.rules import RuleError, rule_from_json
from circular.evidence.actors import Actor, ActorKind
from circular.mailing.kinds import MailClass, MailingState
from circular.mailing.models import Mailing
from circular.people import queries as people
from circular.people.roles import Role
from circular.workflow.acts import MACHINE, Doer
from circular.workflow.content import Attached, Content, missing
from circular.workflow.facts import RequestFacts, Sending
from circular.workflow.models import DeskRules, Request, RequestVersion
from circular.workflow.queries import house
from circular.workflow.queries.debtors import duty_due_first
from circular.workflow.states import OPEN, State, Verdict, Way


def doer_of(by: Actor) -> Doer:
    """Return who acts with what they may do today; a machine has no roles."""
    if by.kind is not ActorKind.PERSON or by.person is None:
        return MACHINE
    return doer(by.person)


def doer(person_id: int) -> Doer:
    """Return what a person may do today."""
    return Doer(
        person=person_id,
        roles=people.roles_of(person_id),
        posts=frozenset(post.id for post in people.posts_of(person_id)),
        units=frozenset(unit.id for unit in people.units_of(person_id)),
    )


def content_of(version: RequestVersion) -> Content:
    """Return what a version asks for."""
    return Content(
        sender=version.sender_id,
        reply_to=version.reply_to,
        subject=version.subject,
        html=version.html,
        text=version.text,
        attachments=tuple(Attached(**each) for each in version.attachments),
        audience=version.audience,
        audience_words=version.audience_words,
        mail_class=MailClass(version.mail_class),
        wanted_at=version.wanted_at,
        wanted_words=version.wanted_words,
        reason=version.reason,
    )


def groups_of(row: Request) -> frozenset[str] | None:
    """Return the groups that a request may reach; None, which is any, where a clause names no group.

    An erratum reaches the people of the case that it corrects.
    """
    version, corrected = row.version, row.erratum_of_id
    while corrected is not None:
        original = Request.objects.select_related("version").get(pk=corrected)
        version, corrected = original.version, original.erratum_of_id
    if version is None or version.audience is None:
        return frozenset()
    try:
        clauses = rule_from_json(version.audience).clauses
    except RuleError:
        return frozenset()
    if not all(clause.groups for clause in clauses):
        return None
    return frozenset().union(*(clause.groups for clause in clauses))


def count_of(row: Request) -> int:
    """Count the audience of a request now: its rule, or the people of the mailing it corrects."""
    if row.erratum_of_id is not None:
        counted = Mailing.objects.filter(
            pk__in=Request.objects.filter(pk=row.erratum_of_id).values("mailing")
        ).values_list("audience", flat=True)
        return counted.first() or 0
    if row.version is None or row.version.audience is None:
        return 0
    try:
        return directory.count(rule_from_json(row.version.audience))
    except RuleError:
        return 0


def sending_of(mailing: Mailing | None) -> Sending:
    """Return how far a mailing is, as guards need it."""
    if mailing is None or mailing.released_at is None:
        return Sending()
    return Sending(
        exists=True,
        settled=mailing.state in {MailingState.SETTLED, MailingState.CANCELLED},
        pending=mailing.pending,
        in_doubt=mailing.in_doubt,
        missing=mailing.refused,
    )


def missing_of(row: Request) -> frozenset[str]:
    """Return the codes of what a request lacks; `unfit` when it is all there but cannot be sent."""
    version = row.version
    if version is None:
        return frozenset({"message"})
    lacking = missing(
        content_of(version),
        unit=row.unit_id,
        requester=row.requester_id,
        same_recipients=row.erratum_of_id is not None,
    )
    return lacking or (frozenset() if version.digest else frozenset({"unfit"}))


def _consents(row: Request, digest: str) -> list[tuple[int, int]]:
    """Return post and person of each consent to the approval that holds."""
    if not row.approved_digest or row.approved_at is None:
        return []
    given = row.authorisations.filter(digest=digest, at__gte=row.approved_at)
    return list(given.values_list("post_id", "person_id"))


def facts_of(
    row: Request,
    *,
    count: int | None = None,
    rules: DeskRules | None = None,
    separate_duties: bool | None = None,
    urgent_posts: frozenset[int] | None = None,
) -> RequestFacts:
    """Return everything that a guard may look at, from a row with its version and mailing."""
    rules = rules or house.desk_rules()
    version = row.version
    if separate_duties is None:
        separate_duties = people.institution().separate_duties
    digest = version.digest if version is not None else ""
    consents = _consents(row, digest)
    duty = duty_due_first(row.pk) if row.state in OPEN else None
    return RequestFacts(
        id=row.pk,
        state=State(row.state),
        way=Way(row.way),
        filing_number=row.filing_number or "",
        acknowledged=row.acknowledged_at is not None,
        urgent=row.urgent,
        urgent_by=row.urgent_by_id,
        reviewer=row.reviewer_id,
        digest=digest,
        tested_digest=row.tested_digest,
        signed_off_digest=row.signed_off_digest,
        approver=row.approver_id,
        approved_digest=row.approved_digest,
        approved_count=row.approved_count,
        consents=frozenset(post for post, _ in consents)
        if row.state == State.APPROVED
        else frozenset(),
        consenters=frozenset(person for _, person in consents),
        operator=row.operator_id,
        scheduled_at=row.scheduled_at,
        held=row.held,
        started=row.started_at is not None,
        confirmed_to_communications=row.confirmed_to_communications_at is not None,
        confirmed_to_requester=row.confirmed_to_requester_at is not None,
        verdict=Verdict(row.verdict) if row.verdict else None,
        reviewed_afterwards=row.reviewed_afterwards_at is not None,
        requester=row.requester_id,
        registrar=row.registrar_id,
        unit=row.unit_id,
        missing=missing_of(row),
        count=count,
        authorities=house.authorities_over(groups_of(row))
        if row.state in {State.IN_REVIEW, State.APPROVED}
        else frozenset(),
        urgent_posts=house.urgent_posts() if urgent_posts is None else urgent_posts,
        separate_duties=separate_duties,
        require_sign_off=rules.require_sign_off,
        tolerance_permille=rules.count_tolerance_permille,
        start_late_minutes=rules.start_late_minutes,
        sending=sending_of(row.mailing),
        owed_by=Role(duty.owed_by) if duty is not None else None,
        reminded_at=duty.reminded_at if duty is not None else None,
    )
