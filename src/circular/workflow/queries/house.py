"""The calendar, the time limits, the desk's choices and the procedures as they stand now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from circular.people.roles import Role
from circular.workflow.calendar import Calendar, OfficeHours
from circular.workflow.limits import OWED_BY, Limit, default_limits
from circular.workflow.models import (
    AudienceAuthority,
    DeskRules,
    ProcedureVersion,
    Recess,
    Request,
    TimeLimit,
    UrgentPost,
)
from circular.workflow.procedure import Procedure, ProcedureError, Slip, parse_procedure
from circular.workflow.states import Stage
from circular.workflow.workdays import days_off

YEARS_AHEAD = 2  # a limit that is longer than two years is none


@dataclass(frozen=True, slots=True, kw_only=True)
class RecessRow:
    """Days on which the institution does not work."""

    id: int
    name: str
    from_on: date
    until_on: date


def desk_rules() -> DeskRules:
    """Return the desk's choices; the defaults until an office changes one."""
    return DeskRules.objects.filter(pk=1).first() or DeskRules()


def recesses() -> list[RecessRow]:
    """Return all recesses, by first day."""
    return [
        RecessRow(id=row.pk, name=row.name, from_on=row.from_on, until_on=row.until_on)
        for row in Recess.objects.order_by("from_on", "id")
    ]


def time_limits() -> dict[tuple[Stage, bool], Limit]:
    """Return the limit in force of every stage, in both lanes."""
    limits = default_limits()
    for row in TimeLimit.objects.all():
        limits[Stage(row.stage), row.urgent] = Limit(
            stage=Stage(row.stage),
            urgent=row.urgent,
            minutes=row.minutes,
            remind_every_minutes=row.remind_every_minutes,
            escalate_after=row.escalate_after,
        )
    return limits


def office_calendar(
    years: Iterable[int] | None = None, *, rules: DeskRules | None = None
) -> Calendar:
    """Return when the institution works, for the years around now or those that are named."""
    rules = rules or desk_rules()
    this_year = timezone.localdate().year
    wanted = years or range(this_year - 1, this_year + YEARS_AHEAD + 1)
    return Calendar(
        OfficeHours(
            spans=(
                (rules.morning_from, rules.morning_until),
                (rules.afternoon_from, rules.afternoon_until),
            )
        ),
        ZoneInfo(settings.TIME_ZONE),
        days_off(wanted, [(row.name, row.from_on, row.until_on) for row in recesses()]),
    )


def authorities_over(groups: Iterable[str] | None) -> frozenset[int]:
    """Return the posts that must consent before these groups (None: any group) are written to."""
    rows = AudienceAuthority.objects.filter(post__active=True)
    if groups is not None:
        rows = rows.filter(group__in={*groups, ""})
    return frozenset(rows.values_list("post_id", flat=True))


def authority_of(posts: Iterable[int]) -> dict[int, frozenset[str]]:
    """Return over which groups each of these posts has authority (the empty code: over any).

    Shapes:  a post without authority is absent
    """
    found: dict[int, set[str]] = {}
    rows = AudienceAuthority.objects.filter(post__in=list(posts), post__active=True)
    for post, group in rows.values_list("post_id", "group"):
        found.setdefault(post, set()).add(group)
    return {post: frozenset(groups) for post, groups in found.items()}


def urgent_posts() -> frozenset[int]:
    """Return the posts that may call a case urgent."""
    return frozenset(UrgentPost.objects.values_list("post_id", flat=True))


@lru_cache(maxsize=64)
def _parsed(source: str) -> Procedure:
    return parse_procedure(source)


@lru_cache(maxsize=1)
def _shipped() -> dict[tuple[str, int], str]:
    """Return the source of every procedure that came with the programme, by code and version."""
    found: dict[tuple[str, int], str] = {}
    for folder in resources.files("circular.procedures").iterdir():
        if not folder.is_dir():
            continue
        for file in folder.iterdir():
            if file.name.endswith(".toml"):
                source = file.read_text(encoding="utf-8")
                procedure = _parsed(source)
                if (procedure.code, f"{procedure.version}.toml") != (folder.name, file.name):
                    raise ProcedureError(Slip.MISPLACED, f"{folder.name}/{file.name}")
                found[procedure.code, procedure.version] = source
    return found


def _sources() -> dict[tuple[str, int], str]:
    """Return the text of every version: those that cases are pinned to win over the package's."""
    stored = ProcedureVersion.objects.values_list("code", "version", "source")
    return _shipped() | {(code, version): source for code, version, source in stored}


def procedures() -> list[Procedure]:
    """Return every procedure that can be followed, by code, the newest version first."""
    return sorted(map(_parsed, _sources().values()), key=lambda each: (each.code, -each.version))


def procedure_in_force(on: date | None = None, *, rules: DeskRules | None = None) -> Procedure:
    """Return the version of the house's procedure in force on a day.

    Raises: ProcedureError when none is
    """
    day = on or timezone.localdate()
    code = (rules or desk_rules()).procedure_code
    fitting = [each for each in procedures() if each.code == code and each.in_force_from <= day]
    if not fitting:
        raise ProcedureError(Slip.NOT_IN_FORCE, found=code)
    return max(fitting, key=lambda each: (each.in_force_from, each.version))


def procedure_source(procedure: Procedure) -> str:
    """Return the text of a procedure: of the stored version, or the package's."""
    return _sources()[procedure.code, procedure.version]


def shipped_source(code: str, version: int) -> str | None:
    """Return the package's text of a version, if it came with the programme."""
    return _shipped().get((code, version))


def followed(procedure: Procedure) -> int:
    """Return how many cases are pinned to a version."""
    return Request.objects.filter(
        procedure__code=procedure.code, procedure__version=procedure.version
    ).count()


def pinned(procedure: ProcedureVersion | None) -> Procedure:
    """Return the procedure of a row that is at hand already."""
    return _parsed(procedure.source) if procedure is not None else procedure_in_force()


def owed_by(stage: Stage) -> Role:
    """Return the role that owes a stage."""
    return OWED_BY[stage]
