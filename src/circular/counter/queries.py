"""Reads that combine rooms for a page: whose turn it is, which cases a reader may see, what happened.

Every list has a limit and relies on an index named at its function; no page counts recipients: the
mailing's counters are read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet

from circular.people import queries as people
from circular.people.models import Institution, Person, Post
from circular.people.roles import Permission, Role, may
from circular.workflow import queries as workflow
from circular.workflow.models import Authorisation, Correspondence, Duty, Request
from circular.workflow.states import FINAL, State

TRAY_LIMIT = 25  # matters drawn in one tray: what presses most; the rest moves up as they are done
OTHERS_LIMIT = 20  # "En manos de otros" is context, not work
PAGE = 25  # cases a page

# What a list shows of a request. A message may be megabytes, and a request has fifteen times.
LISTED = (
    "filing_number",
    "state",
    "urgent",
    "filed_at",
    "approved_count",
    "forwarded_at",
    "scheduled_at",
    "started_at",
    "sent_at",
    "confirmed_to_requester_at",
    "verified_at",
    "changed_at",
    "version__subject",
    "version__mail_class",
    "unit__name",
    "mailing__audience",
    "mailing__pending",
    "mailing__in_doubt",
)
OF_DUTY = ("stage", "owed_by", "started_at", "due_at", "minutes", "reminders")
TAKEN_STAGES = ("review", "forward")  # stages in which one reviewer holds the case for all


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who looks at a page, with what decides what they may see."""

    person: int
    roles: frozenset[Role]
    units: frozenset[int]
    posts: tuple[people.PostRow, ...] = ()
    # Over which groups each of their posts has authority; the empty code is any.
    authority: Mapping[int, frozenset[str]] = field(default_factory=dict)

    def may(self, permission: Permission) -> bool:
        """Tell whether a role of theirs grants the permission."""
        return may(self.roles, permission)


def reader_of(person_id: int) -> Reader:
    """Return the reader, in four queries; in five, who holds a post."""
    posts = tuple(people.posts_of(person_id))
    return Reader(
        person=person_id,
        roles=people.roles_of(person_id),
        units=frozenset(unit.id for unit in people.units_of(person_id)),
        posts=posts,
        authority=workflow.authority_of(post.id for post in posts) if posts else {},
    )


def _own(reader: Reader, prefix: str = "") -> Q:
    """Return the condition that a request is the reader's own or of a unit of theirs."""
    return (
        Q(**{f"{prefix}requester": reader.person})
        | Q(**{f"{prefix}registrar": reader.person})
        | Q(**{f"{prefix}unit__in": reader.units})
    )


# An erratum goes to the people of the case that it corrects, which may be an erratum itself.
AUDIENCES = ("version", "erratum_of__version", "erratum_of__erratum_of__version")


def _reaches(groups: frozenset[str], prefix: str = "") -> Q:
    """Return the condition that a request may reach one of the groups (the empty code: anybody)."""
    if "" in groups:
        return Q(**{f"{prefix}version__isnull": False})
    reached = Q()
    for name in AUDIENCES:
        audience = f"{prefix}{name}__audience"
        # A clause that names no group may reach people of any (`workflow.queries.standing`).
        reached |= Q(
            Func(
                F(audience),
                template="jsonb_path_exists(%(expressions)s, '$.clauses[*] ? (!exists(@.groups))')",
                output_field=BooleanField(),
            )
        )
        for group in groups:
            reached |= Q(**{f"{audience}__contains": {"clauses": [{"groups": [group]}]}})
    return reached


def _consent_owed(reader: Reader) -> Q:
    """Return the condition that a duty to authorise is one of the reader's posts' own."""
    owed = Q(pk__in=[])
    for post, groups in reader.authority.items():
        given = Authorisation.objects.filter(
            request=OuterRef("request"),
            post=post,
            digest=OuterRef("request__approved_digest"),
            at__gte=OuterRef("request__approved_at"),
        )
        owed |= _reaches(groups, "request__") & ~Q(Exists(given))
    return Q(owed_by=Role.APPROVER.value) & owed


def _authorised_by(reader: Reader) -> Q:
    """Return the condition that a request waited for a post of the reader's, or has its consent."""
    groups: frozenset[str] = frozenset().union(*reader.authority.values())
    asked = Duty.objects.filter(request=OuterRef("pk"), owed_by=Role.APPROVER.value)
    consented = Authorisation.objects.filter(
        request=OuterRef("pk"), post__in=[post.id for post in reader.posts]
    )
    return Q(Exists(consented)) | (Exists(asked) & _reaches(groups) if groups else Q(pk__in=[]))


def visible_to(reader: Reader) -> QuerySet[Request]:
    """Return the requests that a reader may open; a draft is seen by its unit and Communications."""
    rows = Request.objects.all()
    if reader.may(Permission.SEE_ALL_CASES):
        if Role.COMMUNICATIONS in reader.roles:
            return rows
        return rows.filter(Q(filing_number__isnull=False) | _own(reader))
    own = _own(reader)
    if reader.posts:
        return rows.filter(own | _authorised_by(reader))
    return rows.filter(own)


def case_by_number(reader: Reader, number: str) -> Request | None:
    """Return a case with what its page shows beside it, in one query.

    Index:  workflow_request.filing_number (unique)
    """
    return _whole(visible_to(reader)).filter(filing_number=number).first()


def draft_by_id(reader: Reader, request_id: int) -> Request | None:
    """Return a draft of the reader's, in one query."""
    return _whole(visible_to(reader)).filter(pk=request_id, filing_number__isnull=True).first()


def _whole(rows: QuerySet[Request]) -> QuerySet[Request]:
    return rows.select_related(
        "version__sender",
        "unit",
        "requester",
        "registrar",
        "reviewer",
        "operator",
        "approver",
        "mailing",
        "procedure",
        "erratum_of",
        "copied_from",
    )


def _listed(rows: QuerySet[Request]) -> QuerySet[Request]:
    """Return rows with what a list shows of each."""
    return rows.select_related("version", "unit", "mailing").only(*LISTED)


def _of_request() -> tuple[str, ...]:
    """Return what a list shows of a request, as seen from a row that belongs to it."""
    return tuple(f"request__{name}" for name in LISTED)


def duties_of(reader: Reader) -> QuerySet[Duty]:
    """Return what the reader owes now, the urgent first, then soonest first.

    Index:  duty_open_by_role (owed_by, due_at)
    """
    posts = {role.value for role in reader.roles} - {Role.REQUESTER.value, Role.APPROVER.value}
    mine = Q(owed_by__in=posts) | (Q(owed_by=Role.REQUESTER.value) & _own(reader, "request__"))
    if reader.authority:
        mine |= _consent_owed(reader)
    held = Q(stage__in=TAKEN_STAGES, request__reviewer__isnull=False) & ~Q(
        request__reviewer=reader.person
    )
    return (
        Duty.objects.filter(mine, ended_at__isnull=True)
        .exclude(held)
        .exclude(request__state__in=[state.value for state in FINAL])
        .select_related("request__version", "request__unit", "request__mailing")
        .only(*OF_DUTY, *_of_request())
        .order_by("-request__urgent", "due_at", "pk")
    )


def unread_letters(reader: Reader) -> QuerySet[Correspondence]:
    """Return letters that came in on cases and wait for Communications to read them.

    Index:  correspondence_unread
    """
    if Role.COMMUNICATIONS not in reader.roles:
        return Correspondence.objects.none()
    return (
        Correspondence.objects.filter(direction="in", read_at__isnull=True)
        .filter(request__filing_number__isnull=False)
        .select_related("request__version", "request__unit", "request__mailing")
        .only("at", *_of_request())
        .order_by("at")
    )


def doubtful(reader: Reader) -> QuerySet[Request]:
    """Return sendings with people in doubt, which wait for the reader in the IT Division to decide.

    Where duties are separate, who asked or approved may not; those wait for a colleague.
    """
    if Role.TIC not in reader.roles:
        return Request.objects.none()
    # A case that was found not sent, or cancelled half way, still has its doubts.
    states = (
        State.FORWARDED,
        State.SCHEDULED,
        State.SENDING,
        State.PAUSED,
        State.SENT,
        State.CONFIRMED,
        State.CANCELLED,
    )
    rows = Request.objects.filter(
        state__in=[state.value for state in states], mailing__in_doubt__gt=0
    )
    together = Institution.objects.filter(separate_duties=False)
    part_in_it = Q(requester=reader.person) | Q(approver=reader.person)
    rows = rows.filter(Q(Exists(together)) | ~part_in_it)
    return _listed(rows).order_by("started_at", "pk")


def waiting_count(reader: Reader) -> int:
    """Return how many matters wait for the reader: the figure beside "Bandeja"."""
    waiting = duties_of(reader).order_by().values_list("request_id", flat=True)
    letters = unread_letters(reader).order_by().values_list("request_id", flat=True)
    doubts = doubtful(reader).order_by().values_list("pk", flat=True)
    return waiting.union(letters, doubts).count()


def in_other_hands(reader: Reader, excluding: Iterable[int]) -> QuerySet[Request]:
    """Return open cases that the reader follows and that wait for somebody else, newest first.

    Index:  request_by_last_act (changed_at, id)
    """
    states = [state.value for state in State if state not in FINAL and state is not State.DRAFT]
    rows = visible_to(reader).filter(state__in=states).exclude(pk__in=list(excluding))
    if reader.roles & {Role.TIC} and Role.COMMUNICATIONS not in reader.roles:
        rows = rows.exclude(
            state__in=[State.FILED.value, State.IN_REVIEW.value, State.RETURNED.value]
        )
    return _listed(rows).order_by("-changed_at", "-pk")


def own_drafts(reader: Reader) -> QuerySet[Request]:
    """Return drafts that the reader began or that came from their mailbox."""
    rows = Request.objects.filter(state=State.DRAFT.value).filter(
        Q(requester=reader.person) | Q(registrar=reader.person)
    )
    return _listed(rows).order_by("-changed_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What somebody looks for in the list of cases."""

    words: str = ""
    state: str = ""
    unit: int | None = None
    mail_class: str = ""
    closed: bool | None = None


def cases(reader: Reader, sought: Sought) -> QuerySet[Request]:
    """Return cases by last act, the latest first.

    Index:  request_by_last_act; request_by_state for a state; the filing number for a number
    """
    rows = visible_to(reader).exclude(state=State.DRAFT.value)
    if sought.words:
        rows = rows.filter(
            Q(filing_number__icontains=sought.words)
            | Q(version__subject__icontains=sought.words)
            | Q(unit__name__icontains=sought.words)
        )
    if sought.state:
        rows = rows.filter(state=sought.state)
    if sought.unit is not None:
        rows = rows.filter(unit=sought.unit)
    if sought.mail_class:
        rows = rows.filter(version__mail_class=sought.mail_class)
    if sought.closed is not None:
        final = [state.value for state in FINAL]
        rows = rows.filter(state__in=final) if sought.closed else rows.exclude(state__in=final)
    return _listed(rows).order_by("-changed_at", "-pk")


def open_duties(request_ids: Iterable[int]) -> dict[int, Duty]:
    """Return the duty that is due first of each case."""
    rows = Duty.objects.filter(request__in=list(request_ids), ended_at__isnull=True).order_by(
        F("due_at").desc(), "-pk"
    )
    return {duty.request_id: duty for duty in rows}


def made_from(reader: Reader, request_id: int) -> list[tuple[str, bool]]:
    """Return the filed cases that were made from a case, and whether each is its erratum."""
    rows = visible_to(reader).filter(
        Q(erratum_of=request_id) | Q(copied_from=request_id), filing_number__isnull=False
    )
    return [
        (number, original == request_id)
        for number, original in rows.order_by("pk").values_list("filing_number", "erratum_of")[:20]
        if number
    ]


def names_of(person_ids: Iterable[int]) -> dict[int, str]:
    """Return the full names of people, in one query."""
    return dict(
        Person.objects.filter(pk__in={pk for pk in person_ids if pk}).values_list("pk", "full_name")
    )


def post_names(codes: Iterable[str]) -> dict[str, str]:
    """Return the names of posts by code, in one query."""
    return dict(
        Post.objects.filter(code__in={code for code in codes if code}).values_list("code", "name")
    )


def duties_on(request_id: int) -> list[Duty]:
    """Return every duty of a case, first to last."""
    return list(Duty.objects.filter(request=request_id).order_by("started_at", "pk"))


def letters_on(request_id: int) -> list[Correspondence]:
    """Return the correspondence of a case, first to last.

    Index:  correspondence_by_case (request, at)
    """
    return list(
        Correspondence.objects.filter(request=request_id)
        .select_related("person")
        .order_by("at", "pk")
    )
