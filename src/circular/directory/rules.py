"""An audience as a rule: who belongs to it, how it is written down, and its digest. Pure.

Rule 1: a rule is an OR of clauses; a clause is an AND of fields; a field is an OR of values.
Rule 2: an empty field asks nothing; a clause without fields is everybody; a rule without clauses
        is nobody. Nobody reaches everybody by leaving something out of a rule.
Rule 3: only active accounts belong to any audience.
Rule 4: `compile_rule` and `belongs` say the same of every account; a property test holds them to it.
Rule 5: the digest is of the meaning as written: order and repetition of clauses and values do not
        change it.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

MOST_CLAUSES = 50  # what a person can still read as a sentence
MOST_VALUES = 500  # programmes of a large university
MOST_VALUE = 200  # characters: the width of the columns


class Field(StrEnum):
    """What a clause may ask about an account, in the order in which it is said."""

    GROUPS = "groups"
    UNITS = "units"
    PROGRAMMES = "programmes"
    FACULTIES = "faculties"
    CAMPUSES = "campuses"


class RuleError(ValueError):
    """What was given is no rule. The message is for developers; the code is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """People of these groups who are also in these faculties, programmes, campuses and units."""

    groups: frozenset[str] = frozenset()
    faculties: frozenset[str] = frozenset()
    programmes: frozenset[str] = frozenset()
    campuses: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()

    def values(self, field: Field) -> frozenset[str]:
        match field:
            case Field.GROUPS:
                return self.groups
            case Field.FACULTIES:
                return self.faculties
            case Field.PROGRAMMES:
                return self.programmes
            case Field.CAMPUSES:
                return self.campuses
            case Field.UNITS:
                return self.units


@dataclass(frozen=True, slots=True)
class Rule:
    """Everybody whom at least one clause names."""

    clauses: tuple[Clause, ...]


class AccountLike(Protocol):
    """What a rule looks at in an account."""

    @property
    def groups(self) -> Collection[str]: ...
    @property
    def faculty(self) -> str: ...
    @property
    def programme(self) -> str: ...
    @property
    def campus(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def active(self) -> bool: ...


EVERYBODY = Rule((Clause(),))
NOBODY = Rule(())

COLUMNS: Mapping[Field, str] = {
    Field.FACULTIES: "faculty",
    Field.PROGRAMMES: "programme",
    Field.CAMPUSES: "campus",
    Field.UNITS: "unit",
}


def belongs(rule: Rule, account: AccountLike) -> bool:
    """Tell whether the account is in the audience, by the meaning of the rule."""
    return account.active and any(_meets(clause, account) for clause in rule.clauses)


def _meets(clause: Clause, account: AccountLike) -> bool:
    return (
        (not clause.groups or not clause.groups.isdisjoint(account.groups))
        and (not clause.faculties or account.faculty in clause.faculties)
        and (not clause.programmes or account.programme in clause.programmes)
        and (not clause.campuses or account.campus in clause.campuses)
        and (not clause.units or account.unit in clause.units)
    )


def compile_rule(rule: Rule) -> tuple[str, list[list[str]]]:
    """Return the rule as a condition over `directory_account a`, with its parameters.

    Shapes:  one parenthesized expression for psycopg's %s; parameters are lists of strings
    """
    if not rule.clauses:
        return "(false)", []
    conditions: list[str] = []
    parameters: list[list[str]] = []
    for clause in canonical(rule).clauses:
        parts: list[str] = []
        for field in Field:
            values = sorted(clause.values(field))
            if not values:
                continue
            parts.append(
                "a.groups && %s::varchar[]"
                if field is Field.GROUPS
                else f"a.{COLUMNS[field]} = ANY(%s::varchar[])"
            )
            parameters.append(values)
        conditions.append(f"({' AND '.join(parts)})" if parts else "(true)")
    return f"(a.active AND ({' OR '.join(conditions)}))", parameters


def canonical(rule: Rule) -> Rule:
    """Return the rule with its clauses in one order, each once."""
    return Rule(tuple(sorted(set(rule.clauses), key=_sort_key)))


def _sort_key(clause: Clause) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(sorted(clause.values(field))) for field in Field)


def rule_to_json(rule: Rule) -> dict[str, list[dict[str, list[str]]]]:
    """Return the rule as plain JSON values: canonical order, empty fields left out."""
    return {
        "clauses": [
            {field.value: sorted(clause.values(field)) for field in Field if clause.values(field)}
            for clause in canonical(rule).clauses
        ]
    }


def rule_from_json(value: object) -> Rule:
    """Read back a rule from JSON values that anybody may have sent.

    Raises:  RuleError with a code, for whatever is not exactly a rule
    """
    if not isinstance(value, Mapping) or set(value) != {"clauses"}:
        raise RuleError("not_a_rule", "a rule is an object with the one key 'clauses'")
    clauses = value["clauses"]
    if not isinstance(clauses, Sequence) or isinstance(clauses, str | bytes):
        raise RuleError("not_a_rule", "'clauses' is a list")
    if len(clauses) > MOST_CLAUSES:
        raise RuleError("too_many_clauses", f"more than {MOST_CLAUSES} clauses")
    return Rule(tuple(_clause(clause) for clause in clauses))


def _clause(value: object) -> Clause:
    if not isinstance(value, Mapping) or not set(value) <= {field.value for field in Field}:
        raise RuleError("not_a_clause", "a clause is an object with known fields")
    return Clause(**{field.value: _values(value.get(field.value, ())) for field in Field})


def _values(value: object) -> frozenset[str]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise RuleError("not_a_list", "the values of a field are a list")
    if len(value) > MOST_VALUES:
        raise RuleError("too_many_values", f"more than {MOST_VALUES} values")
    for item in value:
        if not isinstance(item, str) or not item or len(item) > MOST_VALUE or "\0" in item:
            raise RuleError("not_a_value", "a value is a text of reasonable length")
    return frozenset(value)


def digest(rule: Rule) -> str:
    """Return the SHA-256 of the canonical JSON, in hexadecimal."""
    text = json.dumps(rule_to_json(rule), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Phrase:
    """One clause as it is said: who, then where; the words come from `labels`."""

    groups: tuple[str, ...]
    places: tuple[tuple[Field, tuple[str, ...]], ...]


def describe(rule: Rule) -> tuple[Phrase, ...]:
    """Return the parts of the sentence that names the audience; nothing for nobody."""
    return tuple(
        Phrase(
            groups=tuple(sorted(clause.groups)),
            places=tuple(
                (field, tuple(sorted(clause.values(field))))
                for field in Field
                if field is not Field.GROUPS and clause.values(field)
            ),
        )
        for clause in canonical(rule).clauses
    )
