"""Audiences are counted by the database exactly as the rule means them."""

import re
from pathlib import Path

import pytest
from django.utils import translation
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from circular.directory import labels, queries, rules, words
from circular.directory.commands import count_rule, lines_of
from circular.directory.models import Account
from circular.directory.rules import (
    EVERYBODY,
    Clause,
    Rule,
    RuleError,
    belongs,
    compile_rule,
)
from circular.directory.services import import_accounts
from circular.directory.words import rule_from_text
from circular.evidence.actors import SYSTEM

pytestmark = pytest.mark.django_db

GROUPS = ["student", "teaching", "administrative"]
FACULTIES = ["Artes", "Ingeniería", "Salud"]
CAMPUSES = ["Centro", "Norte"]


@pytest.fixture
def university() -> None:
    """Everybody who could be: each set of groups in each faculty and campus, some inactive."""
    lines = ["correo;nombres;grupos;facultad;programa;sede;dependencia;activo"]
    for number in range(8):
        groups = ",".join(group for bit, group in enumerate(GROUPS) if number >> bit & 1)
        for faculty in FACULTIES:
            for campus in CAMPUSES:
                address = f"p{len(lines)}@u.edu.co"
                active = "no" if len(lines) % 7 == 0 else "si"
                lines.append(
                    f"{address};Ana;{groups};{faculty};Programa de {faculty};{campus};;{active}"
                )
    import_accounts(
        "\n".join(lines).encode(), name="u.csv", keep_good=False, confirm=True, by=SYSTEM
    )


def some(values: list[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from([*values, "de otra parte"]), max_size=2)


RULES = st.lists(
    st.builds(Clause, groups=some(GROUPS), faculties=some(FACULTIES), campuses=some(CAMPUSES)),
    max_size=3,
).map(lambda clauses: Rule(tuple(clauses)))


def disagreement(rule: Rule, condition: str, parameters: list[list[str]]) -> set[str]:
    """Return the addresses on which the SQL and the meaning of the rule differ."""
    meant = {account.address for account in Account.objects.all() if belongs(rule, account)}
    found = Account.objects.raw(
        f"SELECT a.id, a.address FROM directory_account a WHERE {condition}", parameters
    )
    return meant ^ {account.address for account in found}


@pytest.mark.usefixtures("university")
def test_the_database_selects_whom_the_rule_means() -> None:
    @settings(max_examples=60)
    @given(RULES)
    def holds(rule: Rule) -> None:
        assert disagreement(rule, *compile_rule(rule)) == set()
        assert queries.count(rule) == sum(belongs(rule, row) for row in Account.objects.all())

    holds()


@pytest.mark.usefixtures("university")
def test_a_compiler_that_forgets_the_inactive_is_caught() -> None:
    @settings(max_examples=60, phases=[Phase.explicit, Phase.generate])
    @given(RULES)
    def holds(rule: Rule) -> None:
        condition, parameters = compile_rule(rule)
        assert disagreement(rule, condition.replace("a.active AND", ""), parameters) == set()

    with pytest.raises(AssertionError):
        holds()


@pytest.mark.usefixtures("university")
def test_a_breakdown_adds_up_and_says_who_gets_one_copy_instead_of_two() -> None:
    parts = queries.breakdown(EVERYBODY)

    assert parts.total == queries.count(EVERYBODY)
    assert sum(part.count for part in parts.groups) - parts.repeated == parts.total
    assert parts.in_several > 0


@pytest.mark.usefixtures("university")
def test_a_sample_tells_groups_and_place_and_never_a_name() -> None:
    rows = queries.sample(rule_from_text("grupo=estudiante facultad=Artes"), 3)

    said = [labels.sample(row.groups, row.place) for row in rows]
    assert len(said) == 3
    assert all(words.endswith(", Programa de Artes") for words in said)
    assert not any("Ana" in words or "@" in words for words in said)


@pytest.mark.usefixtures("university")
def test_the_choices_are_those_of_the_last_import_in_alphabetical_order() -> None:
    choices = queries.choices()

    assert [choice.value for choice in choices.faculties] == FACULTIES
    assert [choice.value for choice in choices.groups] == GROUPS
    assert sum(choice.count for choice in choices.campuses) == queries.active_count()


def test_without_any_import_there_is_nobody_and_no_source_date() -> None:
    assert queries.count(EVERYBODY) == 0
    assert queries.source_date() is None
    assert queries.choices() == queries.Choices()


@pytest.mark.usefixtures("university")
def test_an_audience_is_said_as_a_sentence() -> None:
    rule = rule_from_text('grupo=docente,estudiante facultad="Ingeniería" | sede=Norte')

    assert labels.sentence(rule) == (
        "Lo recibirán: todas las cuentas de la sede Norte; estudiantes y docentes de la facultad"
        " Ingeniería."
    )


@pytest.mark.usefixtures("university")
def test_the_command_line_counts_an_audience() -> None:
    lines = count_rule("grupo=estudiante")

    assert lines[0] == "Lo recibirán: estudiantes."
    assert lines[1].endswith("personas")
    assert lines[-1].endswith("u.csv")


@pytest.mark.parametrize(
    "text", ["", "grupo=x", "color=azul", "{", 'sede="Norte', "sede=A |", "[]"]
)
def test_every_refused_rule_is_explained_in_words(text: str) -> None:
    with pytest.raises(RuleError) as refused:
        count_rule(text)

    assert str(refused.value) == str(labels.RULE_FAULTS[refused.value.code])


def test_every_code_of_a_refused_rule_has_its_sentence() -> None:
    source = "".join(
        Path(str(module.__file__)).read_text(encoding="utf-8") for module in (rules, words)
    )

    assert set(re.findall(r'RuleError\(\s*"(\w+)"', source)) == set(labels.RULE_FAULTS)


def test_the_command_line_names_bad_lines_and_what_to_do() -> None:
    report = import_accounts(
        b"correo\nana\n", name="c.csv", keep_good=False, confirm=False, by=SYSTEM
    )

    with translation.override("es"):
        lines = lines_of(report)

    assert lines == [
        "línea 2: «ana» no es una dirección de correo",
        "No se importó nada: 1 línea está mal.",
        "Corrija la lista, o importe solo las líneas buenas con --keep-good.",
    ]


@pytest.mark.usefixtures("university")
def test_accounts_are_found_by_the_beginning_of_any_word() -> None:
    assert len(queries.accounts_found("an")) == 48
    assert [row.address for row in queries.accounts_found("P12")] == ["p12@u.edu.co"]
    assert queries.accounts_found("zzz") == []
    assert queries.accounts_found("' & | ! :* )") == queries.accounts_found("")
