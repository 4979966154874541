"""The only writer of people, posts, units, senders and the institution; each change is an entry.

Rule 1: entries name rows by id and fields by name, never a person's name or address.
Rule 2: a change that changes nothing writes nothing, so a form sent twice leaves one entry.
Rule 3: nobody is deleted: people, units, posts and senders are deactivated, holdings end.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

from circular.evidence.actors import SYSTEM, Actor
from circular.evidence.services import HOUSE, EntryDraft, append
from circular.people import queries
from circular.people.accounts import KnownAccount
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
from circular.people.postman import HouseLetter, post_letter

INVITATION_LIVES = timedelta(days=7)  # a week of holidays must not void it
FIRST_ACCESS_LIVES = timedelta(days=3)  # a weekend between installing and signing in
TOKEN_OCTETS = 24  # 192 bits: beyond guessing

Row = TypeVar("Row", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Invited:
    """A person who may now set a password through a link; the token exists here and in the mail."""

    person: int
    token: str


def token_digest(token: str) -> str:
    """Return what is stored of a token: its SHA-256, enough for 192 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def _entry(act: str, by: Actor, at: datetime, **facts: str | int | bool | None) -> EntryDraft:
    return EntryDraft(chain=HOUSE, act=act, by=by, at=at, facts=facts)


def _changed(row: models.Model, values: Mapping[str, object]) -> list[str]:
    """Set the values on the row and return the names of those that differ."""
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    return changed


def _save(
    kind: type[Row], row_id: int | None, values: Mapping[str, object], *, act: str, by: Actor
) -> Row:
    """Create or change one row and leave the entry that names the changed fields.

    Locks:   the row (no key), then the house chain
    Repeat:  the same values again write nothing
    """
    if row_id is None:
        row = kind(**values)
        row.save(force_insert=True)
        changed = ["created"]
    else:
        rows = kind._default_manager  # noqa: SLF001 - Django's public name for it
        row = rows.select_for_update(no_key=True).get(pk=row_id)
        changed = _changed(row, values)
        if changed:
            row.save(update_fields=changed)
    if changed:
        facts = {"row": row.pk, "fields": ",".join(sorted(changed))[:80]}
        append(_entry(act, by, timezone.now(), **facts))
    return row


# --- people -------------------------------------------------------------------------------------


@transaction.atomic
def invite_person(
    *,
    email: str,
    full_name: str,
    phone: str = "",
    language: str = "es",
    administrator: bool = False,
    units: Collection[int] = (),
    mailed: bool = True,
    by: Actor,
) -> Invited:
    """Add a person and mail the link with which they set a password.

    `mailed=False` posts no letter: for seeds, where somebody else hands the link over.

    Repeat:  a second call for the address meets the unique address (IntegrityError)
    """
    person = Person(
        email=canonical(email),
        full_name=full_name,
        phone=phone,
        language=language,
        is_superuser=administrator,
        origin="invited",
    )
    person.set_unusable_password()
    person.save(force_insert=True)
    _set_units(person.pk, units)
    token = _new_link(person)
    if mailed:
        _post_invitation(person, token)
    now = timezone.now()
    append(_entry("person_invited", by, now, subject=person.pk, administrator=administrator))
    return Invited(person.pk, token)


@transaction.atomic
def invite_again(person_id: int, *, by: Actor) -> Invited | None:
    """Mail a new link and void the older ones; None for a person who is not active.

    Locks:   the person (no key)
    """
    person = Person.objects.select_for_update(no_key=True).filter(pk=person_id).first()
    if person is None or not person.is_active:
        return None
    token = _new_link(person)
    _post_invitation(person, token)
    append(_entry("person_invited", by, timezone.now(), subject=person.pk, administrator=False))
    return Invited(person.pk, token)


def _new_link(person: Person) -> str:
    now = timezone.now()
    OneTimeLink.objects.filter(person=person, used_at__isnull=True).update(used_at=now)
    token = secrets.token_urlsafe(TOKEN_OCTETS)
    OneTimeLink.objects.create(
        digest=token_digest(token),
        purpose=OneTimeLink.Purpose.INVITATION,
        person=person,
        created_at=now,
        expires_at=now + INVITATION_LIVES,
    )
    return token


def _post_invitation(person: Person, token: str) -> None:
    expires_at = timezone.now() + INVITATION_LIVES
    post_letter(
        HouseLetter.INVITATION,
        to=person.email,
        language=person.language,
        context={
            "link": f"{settings.BASE_URL}/invitacion/{token}",
            "expires_at": expires_at,
            "full_name": person.full_name,
        },
    )


@transaction.atomic
def update_person(
    person_id: int,
    *,
    full_name: str,
    phone: str,
    language: str,
    is_active: bool,
    administrator: bool,
    units: Collection[int],
    by: Actor,
) -> None:
    """Change what an administrator may change of a person; the address stays.

    Locks:   the person (no key)
    """
    person = Person.objects.select_for_update(no_key=True).get(pk=person_id)
    values = {
        "full_name": full_name,
        "phone": phone,
        "language": language,
        "is_active": is_active,
        "is_superuser": administrator,
    }
    changed = _changed(person, values)
    if changed:
        person.save(update_fields=changed)
    if _set_units(person_id, units):
        changed.append("units")
    if changed:
        fields = ",".join(sorted(changed))
        append(_entry("person_changed", by, timezone.now(), subject=person_id, fields=fields))


def _set_units(person_id: int, units: Collection[int]) -> bool:
    """Make the person's units exactly these; tell whether anything changed."""
    present = set(Membership.objects.filter(person=person_id).values_list("unit", flat=True))
    wanted = set(units)
    Membership.objects.filter(person=person_id, unit__in=present - wanted).delete()
    Membership.objects.bulk_create(
        [Membership(person_id=person_id, unit_id=unit) for unit in sorted(wanted - present)]
    )
    return present != wanted


@transaction.atomic
def set_preferences(person_id: int, *, language: str, theme: str) -> None:
    """Keep how a person wants to see the house; a matter of taste, so no entry."""
    Person.objects.filter(pk=person_id).update(language=language, theme=theme)


@transaction.atomic
def set_password(person_id: int, password: str, *, by: Actor) -> None:
    """Give a person a password; their other sessions and unused invitations end with it.

    Locks:   the person (no key)
    """
    person = Person.objects.select_for_update(no_key=True).get(pk=person_id)
    person.set_password(password)
    person.save(update_fields=["password"])
    now = timezone.now()
    OneTimeLink.objects.filter(person=person, used_at__isnull=True).update(used_at=now)
    append(_entry("password_set", by, now, subject=person_id))


@transaction.atomic
def ensure_person(account: KnownAccount, *, by: Actor = SYSTEM) -> int:
    """Return the person behind an account of the directory, made on first need.

    The account's unit becomes the person's where the institution has a unit of that name.

    Locks:   the person's address (unique)
    Repeat:  one person per address, whoever asks first
    """
    address = canonical(account.address)
    unusable = Person()
    unusable.set_unusable_password()
    person, created = Person.objects.get_or_create(
        email=address,
        defaults={
            "full_name": (account.full_name or address)[:200],
            "origin": "imported",
            "password": unusable.password,
            "language": queries.institution().language,
        },
    )
    if created:
        unit = queries.unit_by_name(account.unit) if account.unit else None
        if unit is not None:
            Membership.objects.create(person=person, unit_id=unit.id)
        append(_entry("person_added", by, timezone.now(), subject=person.pk, origin="imported"))
    return person.pk


def set_imported_active(addresses: Sequence[str], *, active: bool) -> int:
    """Let people who came from the directory go or come back with their account.

    Shapes:  addresses as the directory stores them; gives how many people changed
    """
    if not addresses:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE people_person SET is_active = %s"
            " WHERE origin = 'imported' AND is_active <> %s AND email = ANY(%s)",
            [active, active, list(addresses)],
        )
        return int(cursor.rowcount)


# --- one-time links -----------------------------------------------------------------------------


@transaction.atomic
def first_administrator_link() -> str | None:
    """Return the one-time address that makes the first administrator, or None if there is one.

    Repeat:  a new link each time; the older ones are void
    """
    if queries.has_administrator():
        return None
    now = timezone.now()
    OneTimeLink.objects.filter(
        purpose=OneTimeLink.Purpose.FIRST_ACCESS, used_at__isnull=True
    ).update(used_at=now)
    token = secrets.token_urlsafe(TOKEN_OCTETS)
    OneTimeLink.objects.create(
        digest=token_digest(token),
        purpose=OneTimeLink.Purpose.FIRST_ACCESS,
        created_at=now,
        expires_at=now + FIRST_ACCESS_LIVES,
    )
    return f"{settings.BASE_URL}/primer-acceso/{token}"


def _use_link(token: str, purpose: OneTimeLink.Purpose, now: datetime) -> OneTimeLink | None:
    """Consume a link that still opens its door.

    Locks:   the link (no key)
    """
    link = (
        OneTimeLink.objects.select_for_update(no_key=True)
        .filter(
            digest=token_digest(token), purpose=purpose, used_at__isnull=True, expires_at__gt=now
        )
        .first()
    )
    if link is not None:
        link.used_at = now
        link.save(update_fields=["used_at"])
    return link


@transaction.atomic
def open_house(
    token: str, *, email: str, full_name: str, password: str, institution: str, domain: str
) -> int | None:
    """Make the first administrator and name the institution; None for a link that opens nothing.

    Locks:   the link (no key)
    Repeat:  the link works once
    """
    now = timezone.now()
    if _use_link(token, OneTimeLink.Purpose.FIRST_ACCESS, now) is None:
        return None
    if queries.has_administrator():
        return None
    person = Person(email=canonical(email), full_name=full_name, is_superuser=True)
    person.set_password(password)
    person.save(force_insert=True)
    row = Institution.objects.filter(pk=1).first() or Institution()
    row.name, row.short_name = institution, row.short_name or institution[:60]
    row.domain = domain.casefold()
    row.save()
    append(_entry("house_opened", SYSTEM, now, subject=person.pk))
    return person.pk


@transaction.atomic
def accept_invitation(token: str, password: str) -> int | None:
    """Set the password of the invited person; None for a link that opens nothing.

    Locks:   the link, then the person (no key)
    Repeat:  the link works once
    """
    now = timezone.now()
    link = _use_link(token, OneTimeLink.Purpose.INVITATION, now)
    if link is None or link.person_id is None:
        return None
    person = Person.objects.select_for_update(no_key=True).get(pk=link.person_id)
    if not person.is_active:
        return None
    person.set_password(password)
    person.save(update_fields=["password"])
    append(_entry("invitation_accepted", Actor.of(person.pk), now, subject=person.pk))
    return person.pk


# --- posts, units, senders, the institution -----------------------------------------------------


@transaction.atomic
def save_post(
    post_id: int | None,
    *,
    code: str,
    name: str,
    role: str,
    mailbox: str,
    unit: int | None,
    active: bool = True,
    by: Actor,
) -> int:
    """Create or change a post."""
    values = {
        "code": code,
        "name": name,
        "role": role,
        "mailbox": canonical(mailbox),
        "unit_id": unit,
        "active": active,
    }
    return _save(Post, post_id, values, act="post_saved", by=by).pk


@transaction.atomic
def appoint(
    *,
    person: int,
    post: int,
    from_on: date,
    until_on: date | None = None,
    acting: bool = False,
    by: Actor,
) -> int:
    """Give a post to a person from a day on; *acting* is a delegation and must have an end.

    Repeat:  the same person, post and first day is one holding
    """
    holding, created = Holding.objects.get_or_create(
        person_id=person,
        post_id=post,
        from_on=from_on,
        defaults={"until_on": until_on, "acting": acting},
    )
    if created:
        append(
            _entry(
                "post_given",
                by,
                timezone.now(),
                subject=person,
                given=post,
                from_on=from_on.isoformat(),
                until_on=until_on.isoformat() if until_on else None,
                acting=acting,
            )
        )
    return holding.pk


@transaction.atomic
def end_holding(holding_id: int, *, until_on: date, by: Actor) -> bool:
    """Let a holding end on a day; False when it had ended by then or never began before it.

    Locks:   the holding (no key)
    """
    holding = Holding.objects.select_for_update(no_key=True).get(pk=holding_id)
    already = holding.until_on is not None and holding.until_on <= until_on
    if already or until_on < holding.from_on:
        return False
    holding.until_on = until_on
    holding.save(update_fields=["until_on"])
    append(
        _entry(
            "post_ended",
            by,
            timezone.now(),
            subject=holding.person_id,
            given=holding.post_id,
            until_on=until_on.isoformat(),
        )
    )
    return True


@transaction.atomic
def save_unit(
    unit_id: int | None,
    *,
    code: str,
    name: str,
    kind: str,
    parent: int | None = None,
    mailbox: str = "",
    active: bool = True,
    by: Actor,
) -> int:
    """Create or change a unit.

    Raises:  ValueError when the unit would stand below itself
    """
    if unit_id is not None and parent is not None and _stands_below(parent, unit_id):
        raise ValueError("a unit cannot stand below itself")
    values = {
        "code": code,
        "name": name,
        "kind": kind,
        "parent_id": parent,
        "mailbox": canonical(mailbox),
        "active": active,
    }
    return _save(Unit, unit_id, values, act="unit_saved", by=by).pk


def _stands_below(candidate: int, unit_id: int) -> bool:
    """Tell whether the candidate is the unit or stands anywhere below it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE above AS (
                SELECT id, parent_id FROM people_unit WHERE id = %s
                UNION SELECT u.id, u.parent_id FROM people_unit u JOIN above ON u.id = above.parent_id
            ) SELECT EXISTS (SELECT FROM above WHERE id = %s)
            """,
            [candidate, unit_id],
        )
        return bool(cursor.fetchone()[0])


@transaction.atomic
def save_sender(
    sender_id: int | None,
    *,
    unit: int,
    display_name: str,
    address: str,
    reply_to: str = "",
    active: bool = True,
    by: Actor,
) -> int:
    """Create or change an official sender of a unit."""
    values = {
        "unit_id": unit,
        "display_name": display_name,
        "address": canonical(address),
        "reply_to": canonical(reply_to),
        "active": active,
    }
    return _save(Sender, sender_id, values, act="sender_saved", by=by).pk


@transaction.atomic
def save_institution(values: Mapping[str, str | bool], *, by: Actor) -> None:
    """Fill in or change what the house knows of its institution.

    Locks:   the institution's row (no key)
    """
    fields = Institution._meta.fields  # noqa: SLF001 - Django's public name for it
    known = {field.name for field in fields} - {"id"}
    unknown = set(values) - known
    if unknown:
        raise ValueError(f"an institution has no {sorted(unknown)}")
    present = Institution.objects.filter(pk=1).exists()
    _save(Institution, 1 if present else None, dict(values), act="institution_saved", by=by)


def grant_units(person_id: int, units: Iterable[int], *, by: Actor) -> None:
    """Let a person ask for these units besides their own."""
    with transaction.atomic():
        rows = [Membership(person_id=person_id, unit_id=unit) for unit in units]
        Membership.objects.bulk_create(rows, ignore_conflicts=True)
        append(_entry("units_granted", by, timezone.now(), subject=person_id, count=len(rows)))
