"""Answers about accounts and audiences; an audience is always a rule, never a list of people.

Indexes: directory_account_groups (GIN), …_fac, …_prog, …_cam, …_unit (active rows only),
directory_account_sought (full text) for the search, address (unique).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from circular.directory.models import Account, Import, Upload
from circular.directory.rules import Rule, compile_rule
from circular.directory.tables import GROUPS, folded
from circular.mailformat.addresses import normalize
from circular.people.accounts import KnownAccount

MOST_COMBINATIONS = 200  # of groups; there are eight with today's three


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    id: int
    address: str
    given_name: str
    family_name: str
    preferred_name: str
    groups: tuple[str, ...]
    unit: str
    faculty: str
    programme: str
    campus: str
    active: bool

    @property
    def name(self) -> str:
        """The name to greet with: the preferred one where there is one."""
        return self.preferred_name or self.given_name

    @property
    def full_name(self) -> str:
        return f"{self.name} {self.family_name}".strip()


@dataclass(frozen=True, slots=True)
class GroupCount:
    """How many people of the audience are in a group; '' is those in none."""

    group: str
    count: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """An audience by group. The counts of the groups less `repeated` are the total."""

    total: int
    groups: tuple[GroupCount, ...]
    repeated: int  # copies that people in several groups do not get
    in_several: int  # how many people those are


@dataclass(frozen=True, slots=True)
class SampleRow:
    """Somebody of the audience, told without name: groups and place."""

    groups: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class SourceDate:
    """When and from what the directory was last made whole."""

    at: datetime
    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that an audience may name, and how many active accounts have it."""

    value: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Everything that an audience can choose from, as of the last import."""

    groups: tuple[Choice, ...] = ()
    faculties: tuple[Choice, ...] = ()
    programmes: tuple[Choice, ...] = ()
    campuses: tuple[Choice, ...] = ()
    units: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    id: int
    at: datetime
    source_name: str
    by_name: str
    good: int
    added: int
    changed: int
    deactivated: int


@dataclass(frozen=True, slots=True)
class UploadRow:
    id: int
    name: str
    content: bytes


def _account(row: Account) -> AccountRow:
    return AccountRow(
        id=row.pk,
        address=row.address,
        given_name=row.given_name,
        family_name=row.family_name,
        preferred_name=row.preferred_name,
        groups=tuple(row.groups),
        unit=row.unit,
        faculty=row.faculty,
        programme=row.programme,
        campus=row.campus,
        active=row.active,
    )


def account_by_address(address: str) -> AccountRow | None:
    """Return the active account with this address, however it is capitalized."""
    row = Account.objects.filter(address=normalize(address) or "", active=True).first()
    return None if row is None else _account(row)


def known_account(address: str) -> KnownAccount | None:
    """Tell the room of people who owns a mailbox."""
    row = account_by_address(address)
    return None if row is None else KnownAccount(row.address, row.full_name, row.unit)


def count(rule: Rule) -> int:
    """Return how many people the audience has now; each counts once."""
    condition, parameters = compile_rule(rule)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM directory_account a WHERE {condition}",  # noqa: S608
            parameters,
        )
        return int(cursor.fetchone()[0])


def breakdown(rule: Rule) -> Breakdown:
    """Return the audience by group, with the overlap that makes it add up."""
    condition, parameters = compile_rule(rule)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT a.groups, count(*) FROM directory_account a WHERE {condition}"  # noqa: S608
            " GROUP BY a.groups ORDER BY count(*) DESC LIMIT %s",
            [*parameters, MOST_COMBINATIONS],
        )
        combinations = [(tuple(groups), number) for groups, number in cursor.fetchall()]
    return add_up(combinations, asked_groups(rule))


def asked_groups(rule: Rule) -> frozenset[str]:
    """Return the groups that the rule speaks of; all of them if some clause names none."""
    if not all(clause.groups for clause in rule.clauses):
        return frozenset()
    return frozenset().union(*(clause.groups for clause in rule.clauses))


def add_up(
    found: Sequence[tuple[tuple[str, ...], int]], asked: frozenset[str] = frozenset()
) -> Breakdown:
    """Turn counts per combination of groups into counts per group and what they have in common.

    With `asked`, groups beyond those are not spoken of: who asks for students and teachers does not
    want to read that some of them work in an office too.
    """
    combinations = [
        (tuple(group for group in groups if not asked or group in asked), number)
        for groups, number in found
    ]
    by_group: dict[str, int] = {}
    for groups, number in combinations:
        for group in groups or ("",):
            by_group[group] = by_group.get(group, 0) + number
    known = [*GROUPS, *sorted(set(by_group) - {*GROUPS, ""}), ""]
    return Breakdown(
        total=sum(number for _, number in combinations),
        groups=tuple(GroupCount(group, by_group[group]) for group in known if by_group.get(group)),
        repeated=sum((len(groups) - 1) * number for groups, number in combinations if groups),
        in_several=sum(number for groups, number in combinations if len(groups) > 1),
    )


def sample(rule: Rule, n: int = 5) -> list[SampleRow]:
    """Return a few people of the audience without names, the same ones until the list changes."""
    condition, parameters = compile_rule(rule)
    with connection.cursor() as cursor:
        # Knuth's multiplicative hash of the id: scattered over the audience, the same at each look.
        cursor.execute(
            f"""
            SELECT groups, coalesce(nullif(programme, ''), nullif(unit, ''), nullif(faculty, ''),
                                    campus)
              FROM directory_account
             WHERE id IN (SELECT a.id FROM directory_account a WHERE {condition}
                           ORDER BY (a.id * 2654435761) %% 4294967296 LIMIT %s)
             ORDER BY (id * 2654435761) %% 4294967296
            """,  # noqa: S608 - the condition is compiled, its values are parameters
            [*parameters, n],
        )
        return [SampleRow(tuple(groups), place) for groups, place in cursor.fetchall()]


def source_date() -> SourceDate | None:
    """Return the date of the directory, or None while nothing was imported."""
    row = Import.objects.order_by("-at").values_list("at", "source_name").first()
    return None if row is None else SourceDate(*row)


def choices() -> Choices:
    """Return what audiences can choose from, counted by the last import.

    Index: directory_import_latest
    """
    found = Import.objects.order_by("-at").values_list("choices", flat=True).first() or {}
    # jsonb keeps its keys by length: people look for them by alphabet.
    return Choices(
        **{
            field: tuple(
                Choice(value, number)
                for value, number in sorted(values.items(), key=lambda item: _place(item[0]))
            )
            for field, values in found.items()
        }
    )


def _place(value: str) -> tuple[int, str]:
    return (GROUPS.index(value) if value in GROUPS else len(GROUPS), folded(value))


def active_count() -> int:
    """Return how many accounts are active, as the last import counted them: only it changes them.

    Index: directory_import_latest
    """
    counts = Import.objects.order_by("-at").values_list("counts", flat=True).first()
    return 0 if counts is None else int(counts["active_after"])


def accounts_found(sought: str, *, after: str = "", most: int = 50) -> list[AccountRow]:
    """Return accounts by address whose address, name or id has words that begin so.

    Shapes:  by address, from the one that follows `after`
    Index:   directory_account_sought for words, the unique address for the order
    """
    rows = Account.objects.filter(address__gt=after).order_by("address")
    words = folded(sought).split()
    if words:
        rows = rows.extra(  # the lookup of contrib.postgres does not know prefixes
            where=["to_tsvector('simple', coalesce(sought, '')) @@ to_tsquery('simple', %s)"],
            params=[" & ".join(f"{word}:*" for word in words)],
        )
    return [_account(row) for row in rows[:most]]


def imports_made(most: int = 20) -> list[ImportRow]:
    """Return the latest imports, newest first."""
    rows = Import.objects.select_related("by").defer("choices").order_by("-at")[:most]
    return [
        ImportRow(
            id=row.pk,
            at=row.at,
            source_name=row.source_name,
            by_name="" if row.by is None else row.by.full_name,
            good=row.counts["good"],
            added=row.counts["added"],
            changed=row.counts["changed"],
            deactivated=row.counts["deactivated"],
        )
        for row in rows
    ]


def upload_of(upload_id: int, person_id: int) -> UploadRow | None:
    """Return a file that waits for a decision, to the person who brought it and nobody else."""
    row = Upload.objects.filter(pk=upload_id, by=person_id).first()
    return None if row is None else UploadRow(row.pk, row.name, bytes(row.content))
