"""The procedure is data: every field of the document, and nothing that is not so."""

import tomllib
from collections.abc import Callable
from datetime import date
from importlib import resources

import pytest
from hypothesis import Phase as Step
from hypothesis import given, settings
from hypothesis import strategies as st

from circular.workflow.procedure import Phase, Procedure, ProcedureError, parse_procedure

SOURCE = (
    resources.files("circular.procedures")
    .joinpath("PE-GE-2.3-PR-21", "1.toml")
    .read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def document() -> Procedure:
    return parse_procedure(SOURCE)


def test_the_five_activities_keep_number_phase_and_post(document: Procedure) -> None:
    assert [(each.number, each.phase) for each in document.activities] == [
        (1, Phase.PLANEAR),
        (2, Phase.HACER),
        (3, Phase.HACER),
        (4, Phase.VERIFICAR),
        (5, Phase.AJUSTAR),
    ]
    division = "División de Tecnologías de la Información y las Comunicaciones"
    assert [each.posts for each in document.activities] == [
        ("Profesional universitario",),
        ("Profesional universitario",),
        (division,),
        ("Profesional universitario", division),
        ("Profesional universitario",),
    ]
    assert [each.control_point for each in document.activities] == [
        "Solicitud a través de correo electrónico",
        "Solicitud a través de correo electrónico",
        "Envío de correo",
        "Correo electrónico",
        "Correo electrónico",
    ]


def test_the_head_and_the_history_are_those_of_the_document(document: Procedure) -> None:
    assert (document.code, document.version) == ("PE-GE-2.3-PR-21", 1)
    assert document.in_force_from == date(2022, 3, 25)
    assert document.normative_framework == "N/A"
    assert [change.text for change in document.changes] == ["Creación del Procedimiento."]
    assert [(each.step, each.on) for each in document.signatures] == [
        ("elaboró", date(2022, 3, 23)),
        ("revisó", None),
        ("revisó", None),
        ("aprobó", None),
    ]


def test_a_control_point_says_what_is_lacking(document: Procedure) -> None:
    fourth = document.activities[3]

    assert fourth.lacking({"confirmed_to_communications"}) == ("confirmed_to_requester",)
    assert not fourth.satisfied({"confirmed_to_communications"})
    assert fourth.satisfied({"confirmed_to_communications", "confirmed_to_requester"})


def test_a_declared_sending_satisfies_the_third_control_point(document: Procedure) -> None:
    assert document.activities[2].satisfied({"declared_sent"})


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("number = 2\n", "number = 3\n", r"activities\[2\]\.number out_of_sequence 3"),
        ('phase = "planear"', 'phase = "ajustar"', "activities phases_out_of_order"),
        ('phase = "planear"', 'phase = "pensar"', r"activities\[1\]\.phase none_of_these pensar"),
        ('"acknowledged"]\n', '"applauded"]\n', "evidence unknown_evidence applauded"),
        ('satisfied_by = [["verified"]]', "satisfied_by = []", "satisfied_by nothing_satisfies"),
        (
            'satisfied_by = [["verified"]]',
            'satisfied_by = [["taken"]]',
            "satisfied_by unknown_evidence taken",
        ),
        (
            'control_point = "Envío de correo"',
            'control_point = ""',
            "control_point no_text",
        ),
        ('roles = ["tic"]', 'roles = ["rector"]', "roles none_of_these rector"),
        ("in_force_from = 2022-03-25", 'in_force_from = "ayer"', "in_force_from no_day"),
        ("version = 1\ntitle", "version = 2\ntitle", "changes not_in_history 2"),
        ('title = "Envío de correo masivo"', 'titulo = "x"', "^unknown_key titulo"),
        ("[[activities]]", "[[actividades]]", "^unknown_key actividades"),
        ('code = "PE', "code = PE", "^not_toml"),
    ],
)
def test_a_slip_in_the_file_is_named(before: str, after: str, complaint: str) -> None:
    assert before in SOURCE

    with pytest.raises(ProcedureError, match=complaint):
        parse_procedure(SOURCE.replace(before, after))


def only_complains_as_promised(parse: Callable[[str], object], source: str) -> None:
    """State the law: a text is a procedure, or it is refused with a ProcedureError."""
    try:
        parse(source)
    except ProcedureError:
        return
    except Exception as surprise:
        raise AssertionError(f"{type(surprise).__name__} for a damaged file") from surprise


@st.composite
def damaged(draw: st.DrawFn) -> str:
    lines = SOURCE.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "swap", "value"])):
            case "drop":
                del lines[place]
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[place], lines[other] = lines[other], lines[place]
            case _:
                name = lines[place].partition("=")[0]
                value = draw(st.sampled_from(["1", '""', "[]", "[1]", "{}", "true", "2022-03-25"]))
                lines[place] = f"{name}= {value}"
    return "\n".join(lines)


@given(source=damaged())
def test_a_damaged_file_is_refused_and_nothing_else_happens(source: str) -> None:
    only_complains_as_promised(parse_procedure, source)


def test_a_reader_that_trusts_the_file_is_caught() -> None:
    def trusting(source: str) -> object:
        return [each["number"] for each in tomllib.loads(source)["activities"]]

    @settings(phases=[Step.generate], report_multiple_bugs=False, database=None)
    @given(source=damaged())
    def check(source: str) -> None:
        only_complains_as_promised(trusting, source)

    with pytest.raises(AssertionError):
        check()
