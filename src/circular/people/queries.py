"""Answers about people, posts, units and the institution, as frozen rows.

Every question about roles is a question about a day; without one it is the institution's today.
"""

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from circular.people.models import (
    Holding,
    Institution,
    Membership,
    OneTimeLink,
    Person,
    Post,
    Sender,
    Unit,
    canonical,
)
from circular.people.roles import Role, Standing, Term, roles_on


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionRow:
    """What the house knows of its institution; the defaults hold until an administrator says more."""

    name: str
    short_name: str
    domain: str
    communications_name: str
    it_name: str
    confirm_automatically: bool
    separate_duties: bool
    drafts_address: str
    language: str
    accent: str
    accent_deep: str
    accent_soft: str
    on_accent: str
    tick: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    id: int
    email: str
    full_name: str
    phone: str
    is_active: bool
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRow:
    id: int
    code: str
    name: str
    role: Role
    mailbox: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRow:
    id: int
    code: str
    name: str
    kind: str
    mailbox: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRow:
    id: int
    unit: int
    display_name: str
    address: str
    reply_to: str


def institution() -> InstitutionRow:
    """Return the institution's row, or its defaults while nobody has filled it in."""
    row = Institution.objects.filter(pk=1).first() or Institution()
    return InstitutionRow(
        name=row.name,
        short_name=row.short_name or row.name,
        domain=row.domain,
        communications_name=row.communications_name,
        it_name=row.it_name,
        confirm_automatically=row.confirm_automatically,
        separate_duties=row.separate_duties,
        drafts_address=row.drafts_address,
        language=row.language,
        accent=row.accent,
        accent_deep=row.accent_deep,
        accent_soft=row.accent_soft,
        on_accent=row.on_accent,
        tick=row.tick,
    )


def _person(row: Person) -> PersonRow:
    return PersonRow(
        id=row.pk,
        email=row.email,
        full_name=row.full_name,
        phone=row.phone,
        is_active=row.is_active,
        language=row.language,
    )


def _post(row: Post) -> PostRow:
    return PostRow(
        id=row.pk, code=row.code, name=row.name, role=Role(row.role), mailbox=row.mailbox
    )


def _unit(row: Unit) -> UnitRow:
    return UnitRow(id=row.pk, code=row.code, name=row.name, kind=row.kind, mailbox=row.mailbox)


def _sender(row: Sender) -> SenderRow:
    return SenderRow(
        id=row.pk,
        unit=row.unit_id,
        display_name=row.display_name,
        address=row.address,
        reply_to=row.reply_to or row.address,
    )


def held_on(day: date, prefix: str = "") -> Q:
    """Return the condition that a holding covers the day."""
    still = Q(**{f"{prefix}until_on__isnull": True}) | Q(**{f"{prefix}until_on__gte": day})
    return Q(**{f"{prefix}from_on__lte": day}) & still


def person(person_id: int) -> PersonRow | None:
    row = Person.objects.filter(pk=person_id).first()
    return None if row is None else _person(row)


def person_by_address(address: str) -> PersonRow | None:
    """Return the active person with this address, however it is capitalized.

    Index: people_person.email (unique)
    """
    row = Person.objects.filter(email=canonical(address), is_active=True).first()
    return None if row is None else _person(row)


def standing_of(person_id: int) -> Standing | None:
    """Return what decides the person's roles, in two queries."""
    row = (
        Person.objects.filter(pk=person_id)
        .annotate(belongs=Exists(Membership.objects.filter(person=OuterRef("pk"))))
        .first()
    )
    if row is None:
        return None
    terms = Holding.objects.filter(person=person_id, post__active=True).values_list(
        "post__role", "from_on", "until_on"
    )
    return Standing(
        is_active=row.is_active,
        is_administrator=row.is_superuser,
        belongs_to_a_unit=row.belongs,
        posts=tuple((Role(role), Term(from_on, until_on)) for role, from_on, until_on in terms),
    )


def roles_of(person_id: int, on: date | None = None) -> frozenset[Role]:
    """Return the roles a person has on a day; an unknown or deactivated person has none."""
    standing = standing_of(person_id)
    if standing is None:
        return frozenset()
    return roles_on(standing, on or timezone.localdate())


def posts_of(person_id: int, on: date | None = None) -> list[PostRow]:
    """Return the posts a person holds on a day, titular ones before those held by delegation."""
    holdings = (
        Holding.objects.filter(
            held_on(on or timezone.localdate()), person=person_id, person__is_active=True
        )
        .filter(post__active=True)
        .select_related("post")
        .order_by("acting", "post__code")
    )
    return [_post(holding.post) for holding in holdings]


def post_for(role: Role) -> PostRow | None:
    """Return the institution's post for a role: the active one that was created first."""
    row = Post.objects.filter(role=role.value, active=True).order_by("pk").first()
    return None if row is None else _post(row)


def post_of(person_id: int, role: Role, on: date | None = None) -> PostRow | None:
    """Return the post through which a person has a role, to sign an act with it."""
    return next((post for post in posts_of(person_id, on) if post.role is role), None)


def holders_of(post_id: int, on: date | None = None) -> list[PersonRow]:
    """Return the active people who hold the post on a day, those acting for a holder first."""
    holdings = (
        Holding.objects.filter(
            held_on(on or timezone.localdate()), post=post_id, person__is_active=True
        )
        .select_related("person")
        .order_by("-acting", "person__full_name")
    )
    return list({holding.person_id: _person(holding.person) for holding in holdings}.values())


def units_of(person_id: int) -> list[UnitRow]:
    """Return the active units for which a person may ask, by name."""
    rows = Unit.objects.filter(memberships__person=person_id, active=True).order_by("name", "pk")
    return [_unit(row) for row in rows]


def unit(unit_id: int) -> UnitRow | None:
    row = Unit.objects.filter(pk=unit_id).first()
    return None if row is None else _unit(row)


def units() -> list[UnitRow]:
    """Return every active unit, by name."""
    return [_unit(row) for row in Unit.objects.filter(active=True).order_by("name", "pk")]


def unit_by_name(name: str) -> UnitRow | None:
    """Return the active unit that somebody names by code or full name, as people write it."""
    sought = " ".join(name.split())
    row = (
        Unit.objects.filter(active=True)
        .filter(Q(code__iexact=sought) | Q(name__iexact=sought))
        .order_by("pk")
        .first()
    )
    return None if row is None else _unit(row)


def senders_of_unit(unit_id: int) -> list[SenderRow]:
    """Return the catalogue of a unit: the only senders its requests may carry."""
    rows = Sender.objects.filter(unit=unit_id, active=True).order_by("display_name", "pk")
    return [_sender(row) for row in rows]


def senders_for(person_id: int) -> list[SenderRow]:
    """Return every sender that a person may use through a unit."""
    rows = Sender.objects.filter(
        unit__memberships__person=person_id, unit__active=True, active=True
    ).order_by("unit__name", "display_name", "pk")
    return [_sender(row) for row in rows]


def sender(sender_id: int) -> SenderRow | None:
    row = Sender.objects.filter(pk=sender_id, active=True).first()
    return None if row is None else _sender(row)


def is_empty() -> bool:
    """Tell whether nobody has ever opened this house: no institution and no person."""
    return not Institution.objects.exists() and not Person.objects.exists()


def has_administrator() -> bool:
    return Person.objects.filter(is_superuser=True, is_active=True).exists()


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A one-time link that still opens its door, and for whom."""

    email: str
    full_name: str


def invitation(token_digest: str, now: datetime) -> LinkRow | None:
    """Return whom an unused invitation is for."""
    row = (
        OneTimeLink.objects.filter(
            digest=token_digest,
            purpose=OneTimeLink.Purpose.INVITATION,
            used_at__isnull=True,
            expires_at__gt=now,
            person__is_active=True,
        )
        .select_related("person")
        .first()
    )
    if row is None or row.person is None:
        return None
    return LinkRow(row.person.email, row.person.full_name)


def first_access_is_open(token_digest: str, now: datetime) -> bool:
    """Tell whether this link still makes the first administrator."""
    return (
        not has_administrator()
        and OneTimeLink.objects.filter(
            digest=token_digest,
            purpose=OneTimeLink.Purpose.FIRST_ACCESS,
            used_at__isnull=True,
            expires_at__gt=now,
        ).exists()
    )


def people_listed(sought: str = "") -> QuerySet[Person]:
    """Return people by name for the administration page, with what the list shows of each.

    Index: people_person_by_name
    """
    rows = Person.objects.annotate(
        invited=Exists(OneTimeLink.objects.filter(person=OuterRef("pk"), used_at__isnull=True))
    ).order_by("full_name", "pk")
    if sought:
        rows = rows.filter(Q(full_name__icontains=sought) | Q(email__icontains=sought))
    return rows.prefetch_related("holdings__post", "memberships__unit")


def posts_listed() -> QuerySet[Post]:
    return Post.objects.select_related("unit").prefetch_related("holdings__person").order_by("code")


def units_listed() -> QuerySet[Unit]:
    return (
        Unit.objects.select_related("parent")
        .annotate(people_count=Count("memberships", distinct=True))
        .annotate(sender_count=Count("senders", filter=Q(senders__active=True), distinct=True))
        .order_by("name", "pk")
    )


def senders_listed() -> QuerySet[Sender]:
    return Sender.objects.select_related("unit").order_by("unit__name", "display_name", "pk")
