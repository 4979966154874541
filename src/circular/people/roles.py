"""What each role may do in the house, decided from the role alone.

Rule 1: roles come from posts held today, from a unit, or from being administrator; nowhere else.
Rule 2: a permission is granted by naming it here; whatever is not named is refused.
Rule 3: nothing here looks at a case; who may move one is the desk's business (`workflow.guards`).

An approver's authority over an audience is a row of the desk (`workflow.AudienceAuthority`), not the role.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """The parts that people play in the procedure."""

    REQUESTER = "requester"
    COMMUNICATIONS = "communications"
    APPROVER = "approver"
    TIC = "tic"
    QUALITY = "quality"
    DATA_PROTECTION = "data_protection"
    ADMINISTRATOR = "administrator"
    PROCESS_OWNER = "process_owner"


class Permission(StrEnum):
    """What a page or a service of the house asks before it opens."""

    REQUEST_MAILING = "request_mailing"
    SEE_ALL_CASES = "see_all_cases"
    SEE_AUDIENCES = "see_audiences"  # counts and samples without names
    SEE_ACCOUNTS = "see_accounts"  # addresses and names
    IMPORT_ACCOUNTS = "import_accounts"
    OPERATE_SENDING = "operate_sending"
    EXPORT_EVIDENCE = "export_evidence"
    ADMINISTER = "administer"


GRANTS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.REQUESTER: frozenset({Permission.REQUEST_MAILING}),
        Role.COMMUNICATIONS: frozenset(
            {Permission.REQUEST_MAILING, Permission.SEE_ALL_CASES, Permission.SEE_AUDIENCES}
        ),
        Role.APPROVER: frozenset({Permission.SEE_AUDIENCES}),
        Role.TIC: frozenset(
            {
                Permission.SEE_ALL_CASES,
                Permission.SEE_AUDIENCES,
                Permission.SEE_ACCOUNTS,
                Permission.IMPORT_ACCOUNTS,
                Permission.OPERATE_SENDING,
            }
        ),
        Role.QUALITY: frozenset({Permission.SEE_ALL_CASES, Permission.EXPORT_EVIDENCE}),
        Role.DATA_PROTECTION: frozenset(
            {
                Permission.SEE_ALL_CASES,
                Permission.SEE_AUDIENCES,
                Permission.SEE_ACCOUNTS,
                Permission.EXPORT_EVIDENCE,
            }
        ),
        # The administrator keeps the house in order and has no part in the procedure: whoever
        # appoints reviewers must not be one by that alone (design §2.4).
        Role.ADMINISTRATOR: frozenset(
            {
                Permission.ADMINISTER,
                Permission.SEE_AUDIENCES,
                Permission.SEE_ACCOUNTS,
                Permission.IMPORT_ACCOUNTS,
            }
        ),
        Role.PROCESS_OWNER: frozenset(
            {Permission.SEE_ALL_CASES, Permission.SEE_AUDIENCES, Permission.EXPORT_EVIDENCE}
        ),
    }
)


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Return everything that the roles together allow."""
    return frozenset().union(*(GRANTS[role] for role in roles))


def may(roles: Iterable[Role], permission: Permission) -> bool:
    """Tell whether any of the roles grants the permission."""
    return any(permission in GRANTS[role] for role in roles)


@dataclass(frozen=True, slots=True)
class Term:
    """The days on which somebody holds a post, both ends included; without end if there is none."""

    from_on: date
    until_on: date | None = None

    def covers(self, day: date) -> bool:
        return self.from_on <= day and (self.until_on is None or day <= self.until_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Everything that decides a person's roles on one day."""

    is_active: bool
    is_administrator: bool
    belongs_to_a_unit: bool
    posts: tuple[tuple[Role, Term], ...] = ()


def roles_on(standing: Standing, day: date) -> frozenset[Role]:
    """Return the roles of a person on that day; a deactivated person has none."""
    if not standing.is_active:
        return frozenset()
    roles = {role for role, term in standing.posts if term.covers(day)}
    if standing.is_administrator:
        roles.add(Role.ADMINISTRATOR)
    if standing.belongs_to_a_unit:
        roles.add(Role.REQUESTER)
    return frozenset(roles)
