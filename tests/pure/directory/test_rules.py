"""An audience rule means one thing, however it is written down."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from circular.directory.queries import add_up, asked_groups
from circular.directory.rules import (
    EVERYBODY,
    NOBODY,
    Clause,
    Field,
    Phrase,
    Rule,
    RuleError,
    belongs,
    compile_rule,
    describe,
    digest,
    rule_from_json,
    rule_to_json,
)
from circular.directory.words import rule_from_text
from variants import assert_catches

VALUES = st.frozensets(st.sampled_from(["Norte", "Centro", "Ingeniería", "student"]), max_size=3)
CLAUSES = st.builds(
    Clause, groups=VALUES, faculties=VALUES, programmes=VALUES, campuses=VALUES, units=VALUES
)
RULES = st.lists(CLAUSES, max_size=4).map(lambda clauses: Rule(tuple(clauses)))


def account(**values: Any) -> Any:
    plain = {
        "groups": ("student",),
        "faculty": "",
        "programme": "",
        "campus": "",
        "unit": "",
        "active": True,
    }
    return SimpleNamespace(**plain | values)


@given(RULES)
def test_a_rule_survives_json(rule: Rule) -> None:
    back = rule_from_json(json.loads(json.dumps(rule_to_json(rule))))
    assert set(back.clauses) == set(rule.clauses)
    assert digest(back) == digest(rule)


def test_a_json_that_loses_a_clause_is_caught() -> None:
    right = rule_to_json

    def forgetful(rule: Rule) -> object:
        return right(Rule(rule.clauses[:2]))

    assert_catches(test_a_rule_survives_json, __name__, "rule_to_json", forgetful)


@given(RULES, st.randoms())
def test_order_and_repetition_do_not_change_the_digest(rule: Rule, chance: Any) -> None:
    shuffled = [*rule.clauses, *rule.clauses]
    chance.shuffle(shuffled)
    assert digest(Rule(tuple(shuffled))) == digest(rule)


@given(RULES, RULES)
def test_rules_that_differ_have_digests_that_differ(one: Rule, other: Rule) -> None:
    assert (digest(one) == digest(other)) == (set(one.clauses) == set(other.clauses))


def test_a_digest_in_the_order_of_writing_is_caught() -> None:
    def in_order(rule: Rule) -> str:
        return json.dumps([rule_to_json(Rule((clause,))) for clause in rule.clauses])

    find(RULES, lambda rule: in_order(Rule(rule.clauses[::-1])) != in_order(rule))


def test_a_digest_that_forgets_a_clause_is_caught() -> None:
    def forgetful(rule: Rule) -> str:
        return digest(Rule(rule.clauses[:1]))

    find(
        st.tuples(RULES, RULES),
        lambda pair: (
            (forgetful(pair[0]) == forgetful(pair[1]))
            != (set(pair[0].clauses) == set(pair[1].clauses))
        ),
    )


def test_a_rule_without_clauses_is_nobody() -> None:
    assert not belongs(NOBODY, account())


def test_an_empty_clause_is_everybody_active() -> None:
    assert belongs(EVERYBODY, account())
    assert not belongs(EVERYBODY, account(active=False))


def test_a_clause_asks_for_all_its_fields() -> None:
    rule = Rule((Clause(groups=frozenset({"student"}), campuses=frozenset({"Norte"})),))
    assert belongs(rule, account(campus="Norte"))
    assert not belongs(rule, account(campus="Centro"))


def test_a_compiled_rule_never_forgets_that_accounts_must_be_active() -> None:
    condition, _ = compile_rule(EVERYBODY)
    assert condition.startswith("(a.active AND")


@given(RULES)
def test_no_value_of_a_rule_ever_stands_in_its_sql(rule: Rule) -> None:
    condition, parameters = compile_rule(rule)
    assert "Norte" not in condition
    assert condition.count("%s") == len(parameters)


def test_a_compiler_that_writes_values_into_its_sql_is_caught() -> None:
    right = compile_rule

    def careless(rule: Rule) -> tuple[str, list[list[str]]]:
        condition, parameters = right(rule)
        return condition % tuple(f"'{{{','.join(each)}}}'" for each in parameters), []

    holds = test_no_value_of_a_rule_ever_stands_in_its_sql
    assert_catches(holds, __name__, "compile_rule", careless)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "clauses",
        {},
        {"clauses": {}},
        {"clauses": "todos"},
        {"clauses": [[]]},
        {"clauses": [{"group": []}]},
        {"clauses": [{"groups": "student"}]},
        {"clauses": [{"groups": [1]}]},
        {"clauses": [{"groups": [""]}]},
        {"clauses": [{"groups": ["a\0b"]}]},
        {"clauses": [{"groups": ["x" * 201]}]},
        {"clauses": [{}] * 51},
        {"clauses": [], "more": 1},
    ],
    ids=repr,
)
def test_what_is_not_exactly_a_rule_is_refused(value: object) -> None:
    with pytest.raises(RuleError):
        rule_from_json(value)


def test_a_rule_is_described_in_the_order_in_which_it_is_said() -> None:
    rule = Rule((Clause(groups=frozenset({"teaching", "student"}), campuses=frozenset({"Norte"})),))
    assert describe(rule) == (Phrase(("student", "teaching"), ((Field.CAMPUSES, ("Norte",)),)),)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("todos", EVERYBODY),
        ("grupo=estudiante", Rule((Clause(groups=frozenset({"student"})),))),
        (
            'grupo=docentes,estudiante facultad="Ciencias de la Salud"',
            Rule(
                (
                    Clause(
                        groups=frozenset({"teaching", "student"}),
                        faculties=frozenset({"Ciencias de la Salud"}),
                    ),
                )
            ),
        ),
        (
            "sede=Norte | sede=Centro",
            Rule(
                (Clause(campuses=frozenset({"Norte"})), Clause(campuses=frozenset({"Centro"}))),
            ),
        ),
        (
            '{"clauses":[{"units":["Biblioteca"]}]}',
            Rule((Clause(units=frozenset({"Biblioteca"})),)),
        ),
    ],
)
def test_a_rule_typed_at_a_terminal_is_read(text: str, rule: Rule) -> None:
    assert digest(rule_from_text(text)) == digest(rule)


@pytest.mark.parametrize(
    "text", ["", "estudiantes", "grupo=marciano", "color=azul", "sede=Norte |", 'sede="Norte', "{"]
)
def test_what_is_no_rule_at_a_terminal_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        rule_from_text(text)


@given(
    st.dictionaries(
        st.frozensets(st.sampled_from(["student", "teaching", "administrative"])).map(
            lambda groups: tuple(sorted(groups))
        ),
        st.integers(0, 1000),
    )
)
def test_a_breakdown_adds_up_with_the_overlap_taken_off(
    combinations: dict[tuple[str, ...], int],
) -> None:
    parts = add_up(list(combinations.items()))
    assert sum(part.count for part in parts.groups) - parts.repeated == parts.total


def test_a_breakdown_that_takes_everybody_in_several_groups_off_once_is_caught() -> None:
    right = add_up

    def once(found: Any) -> object:
        parts = right(found)
        return replace(parts, repeated=parts.in_several)

    assert_catches(test_a_breakdown_adds_up_with_the_overlap_taken_off, __name__, "add_up", once)


def test_a_breakdown_speaks_of_the_groups_that_were_asked_for() -> None:
    found = [(("student",), 10), (("student", "teaching"), 2), (("administrative", "student"), 3)]

    parts = add_up(found, frozenset({"student", "teaching"}))

    assert [(part.group, part.count) for part in parts.groups] == [("student", 15), ("teaching", 2)]
    assert (parts.total, parts.repeated, parts.in_several) == (15, 2, 2)


def test_a_rule_with_a_clause_for_everybody_asks_for_no_group_in_particular() -> None:
    student = Clause(groups=frozenset({"student"}))

    assert asked_groups(Rule((student,))) == {"student"}
    assert asked_groups(Rule((student, Clause(campuses=frozenset({"Norte"}))))) == frozenset()
