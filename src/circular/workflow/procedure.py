"""A procedure of the quality system, read from its file and checked. Pure.

Rules:
1. A procedure has at least one activity; they are numbered 1, 2, 3 … in the order of the PHVA phases.
2. Every activity names a post, a control point, and the acts whose evidence satisfies it.
3. `satisfied_by` is a list of alternatives that must each be met: [["a"], ["b", "c"]] reads
   "a, and one of b or c".
4. Unknown keys are errors, so that a slip in a file does not vanish silently.

Raises: ProcedureError, naming the file's place and what may stand there, for anything that is not so;
        the sentences are in ``procedure_words``.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import Any, TypeVar

from circular.people.roles import Role
from circular.workflow.acts import Act
from circular.workflow.states import Stage

# Evidence that other rooms append to a case.
FOREIGN_ACTS = frozenset({"received", "drafted", "correspondence_received"})
KNOWN_ACTS = frozenset(act.value for act in Act) | FOREIGN_ACTS


class Slip(StrEnum):
    """What can be wrong with a procedure's file, or with asking for one."""

    NOT_TOML = "not_toml"
    UNKNOWN_KEY = "unknown_key"
    NO_ACTIVITY = "no_activity"
    PHASES_OUT_OF_ORDER = "phases_out_of_order"
    NOT_IN_HISTORY = "not_in_history"
    OUT_OF_SEQUENCE = "out_of_sequence"
    NOTHING_SATISFIES = "nothing_satisfies"
    NOBODY_ANSWERS = "nobody_answers"
    NO_TEXT = "no_text"
    NO_NUMBER = "no_number"
    NO_DAY = "no_day"
    NO_LIST = "no_list"
    NO_TABLES = "no_tables"
    NO_TEXTS = "no_texts"
    UNKNOWN_EVIDENCE = "unknown_evidence"
    NONE_OF_THESE = "none_of_these"
    OTHER_TEXT = "other_text"
    NOT_LOADED = "not_loaded"
    NOT_IN_FORCE = "not_in_force"
    MISPLACED = "misplaced"


class ProcedureError(ValueError):
    """A procedure's file is not what it must be, or no procedure is what was asked for."""

    def __init__(
        self, slip: Slip, place: str = "", *, found: object = "", allowed: Collection[str] = ()
    ) -> None:
        self.slip = slip
        self.place = place  # such as activities[2].phase; empty for the document itself
        self.found = str(found)
        self.allowed = tuple(allowed)
        super().__init__(" ".join(part for part in (place, slip.value, self.found) if part))


class Phase(StrEnum):
    """The phases of the PHVA circle, in order; the source document writes *ajustar* for the last."""

    PLANEAR = "planear"
    HACER = "hacer"
    VERIFICAR = "verificar"
    AJUSTAR = "ajustar"


PHASES = tuple(Phase)
Code = TypeVar("Code", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One activity of the procedure and what proves it."""

    number: int
    phase: Phase
    title: str  # short, for the line of activities
    text: str  # as the document has it
    posts: tuple[str, ...]
    roles: tuple[Role, ...]
    control_point: str
    stages: tuple[Stage, ...]
    evidence: tuple[str, ...]  # acts shown under it
    satisfied_by: tuple[tuple[str, ...], ...]

    def satisfied(self, acts: Collection[str]) -> bool:
        """Say whether these acts fulfil the control point."""
        return all(any(act in acts for act in choice) for choice in self.satisfied_by)

    def lacking(self, acts: Collection[str]) -> tuple[str, ...]:
        """Return the acts still lacking, the first of each alternative."""
        return tuple(
            choice[0] for choice in self.satisfied_by if not any(act in acts for act in choice)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the change history."""

    on: date
    version: int
    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who drafted, reviewed or approved, in which capacity and post, and when if it says so."""

    step: str
    name: str
    capacity: str
    post: str
    on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """One version of a procedure document."""

    code: str
    version: int
    title: str
    in_force_from: date
    language: str
    process: str
    responsible: str
    objective: str
    scope: str
    normative_framework: str
    formats: str
    definitions: str
    annexes: str
    activities: tuple[Activity, ...]
    changes: tuple[Change, ...]
    signatures: tuple[Signature, ...]
    digest: str  # of the file


TEXTS = (
    "code",
    "title",
    "language",
    "process",
    "responsible",
    "objective",
    "scope",
    "normative_framework",
    "formats",
    "definitions",
    "annexes",
)


def parse_procedure(source: str) -> Procedure:
    """Read and check one version of a procedure."""
    try:
        table = tomllib.loads(source)
    except tomllib.TOMLDecodeError as broken:
        raise ProcedureError(Slip.NOT_TOML, found=broken) from broken
    _only(table, {*TEXTS, "version", "in_force_from", "activities", "changes", "signatures"})
    activities = tuple(
        _activity(each, index) for index, each in enumerate(_tables(table, "activities"), start=1)
    )
    if not activities:
        raise ProcedureError(Slip.NO_ACTIVITY, "activities")
    places = [PHASES.index(activity.phase) for activity in activities]
    if places != sorted(places):
        raise ProcedureError(Slip.PHASES_OUT_OF_ORDER, "activities", allowed=PHASES)
    changes = tuple(_change(each, index) for index, each in enumerate(_tables(table, "changes"), 1))
    version = _number(table, "version")
    if version not in {change.version for change in changes}:
        raise ProcedureError(Slip.NOT_IN_HISTORY, "changes", found=version)
    return Procedure(
        **{name: _text(table, name) for name in TEXTS},
        version=version,
        in_force_from=_day(table, "in_force_from"),
        activities=activities,
        changes=changes,
        signatures=tuple(
            _signature(each, index) for index, each in enumerate(_tables(table, "signatures"), 1)
        ),
        digest=sha256(source.encode()).hexdigest(),
    )


def _activity(table: Mapping[str, Any], index: int) -> Activity:
    where = f"activities[{index}]"
    _only(
        table,
        {
            "number",
            "phase",
            "title",
            "text",
            "posts",
            "roles",
            "control_point",
            "stages",
            "evidence",
            "satisfied_by",
        },
        where,
    )
    number = _number(table, "number", where)
    if number != index:
        raise ProcedureError(
            Slip.OUT_OF_SEQUENCE, f"{where}.number", found=number, allowed=[str(index)]
        )
    evidence = _texts(table, "evidence", where)
    _known(evidence, KNOWN_ACTS, f"{where}.evidence")
    satisfied_by = tuple(
        _strings(choice, f"{where}.satisfied_by") for choice in _list(table, "satisfied_by", where)
    )
    for choice in satisfied_by:
        _known(choice, frozenset(evidence), f"{where}.satisfied_by")
    if not satisfied_by or not all(satisfied_by):
        raise ProcedureError(Slip.NOTHING_SATISFIES, f"{where}.satisfied_by", allowed=evidence)
    posts = _texts(table, "posts", where)
    if not posts:
        raise ProcedureError(Slip.NOBODY_ANSWERS, f"{where}.posts")
    return Activity(
        number=number,
        phase=_member(Phase, _text(table, "phase", where), f"{where}.phase"),
        title=_text(table, "title", where),
        text=_text(table, "text", where),
        posts=posts,
        roles=tuple(
            _member(Role, each, f"{where}.roles") for each in _texts(table, "roles", where)
        ),
        control_point=_text(table, "control_point", where),
        stages=tuple(
            _member(Stage, each, f"{where}.stages") for each in _texts(table, "stages", where)
        ),
        evidence=evidence,
        satisfied_by=satisfied_by,
    )


def _change(table: Mapping[str, Any], index: int) -> Change:
    where = f"changes[{index}]"
    _only(table, {"on", "version", "code", "text"}, where)
    return Change(
        on=_day(table, "on", where),
        version=_number(table, "version", where),
        code=_text(table, "code", where),
        text=_text(table, "text", where),
    )


def _signature(table: Mapping[str, Any], index: int) -> Signature:
    where = f"signatures[{index}]"
    _only(table, {"step", "name", "capacity", "post", "on"}, where)
    return Signature(
        step=_text(table, "step", where),
        name=_text(table, "name", where, empty=True),
        capacity=_text(table, "capacity", where, empty=True),
        post=_text(table, "post", where, empty=True),
        on=_day(table, "on", where) if "on" in table else None,
    )


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _only(table: Mapping[str, Any], allowed: set[str], where: str = "") -> None:
    unknown = sorted(set(table) - allowed)
    if unknown:
        raise ProcedureError(
            Slip.UNKNOWN_KEY, where, found=", ".join(unknown), allowed=sorted(allowed)
        )


def _text(table: Mapping[str, Any], name: str, where: str = "", *, empty: bool = False) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not (value.strip() or empty):
        raise ProcedureError(Slip.NO_TEXT, _at(where, name))
    return value


def _number(table: Mapping[str, Any], name: str, where: str = "") -> int:
    value = table.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ProcedureError(Slip.NO_NUMBER, _at(where, name))
    return value


def _day(table: Mapping[str, Any], name: str, where: str = "") -> date:
    value = table.get(name)
    if type(value) is not date:  # a datetime is a date too, and not what is meant
        raise ProcedureError(Slip.NO_DAY, _at(where, name))
    return value


def _list(table: Mapping[str, Any], name: str, where: str = "") -> list[Any]:
    value = table.get(name)
    if not isinstance(value, list):
        raise ProcedureError(Slip.NO_LIST, _at(where, name))
    return value


def _tables(table: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = _list(table, name) if name in table else []
    if not all(isinstance(each, dict) for each in found):
        raise ProcedureError(Slip.NO_TABLES, name)
    return found


def _strings(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ProcedureError(Slip.NO_TEXTS, where)
    return tuple(value)


def _texts(table: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    return _strings(table.get(name), _at(where, name))


def _known(codes: Collection[str], known: frozenset[str], where: str) -> None:
    unknown = sorted(set(codes) - known)
    if unknown:
        raise ProcedureError(
            Slip.UNKNOWN_EVIDENCE, where, found=", ".join(unknown), allowed=sorted(known)
        )


def _member(kind: type[Code], code: str, where: str) -> Code:
    try:
        return kind(code)
    except ValueError as unknown:
        raise ProcedureError(
            Slip.NONE_OF_THESE, where, found=code, allowed=[each.value for each in kind]
        ) from unknown
