"""`circular procedure`: another institution brings its own procedure."""

import argparse
from pathlib import Path

import pytest
from django.utils import translation

import circular
from circular.config import commands
from circular.config.configuration import Configuration
from circular.workflow.procedure import ProcedureError, Slip
from circular.workflow.procedure_words import sentence_of
from circular.workflow.queries import house

pytestmark = pytest.mark.django_db

SHIPPED = Path(circular.__file__).parent / "procedures" / "PE-GE-2.3-PR-21" / "1.toml"


def run(file: Path, *, follow: bool) -> int:
    return commands.load_procedure(argparse.Namespace(file=file, follow=follow), Configuration())


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "own.toml"
    text = SHIPPED.read_text(encoding="utf-8")
    file.write_text(text.replace("PE-GE-2.3-PR-21", "COM-PR-07"), encoding="utf-8")
    return file


def test_a_procedure_is_loaded_beside_the_shipped_one(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(own, follow=False) == 0

    assert house.procedure_in_force().code == "PE-GE-2.3-PR-21"
    assert "COM-PR-07" in capsys.readouterr().out


def test_new_cases_follow_the_procedure_that_is_named(own: Path) -> None:
    assert run(own, follow=True) == 0

    assert house.procedure_in_force().code == "COM-PR-07"


def test_a_text_that_is_no_procedure_is_refused_and_changes_nothing(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = own.read_text(encoding="utf-8")
    own.write_text(text.replace('phase = "planear"', 'phase = "pensar"', 1), encoding="utf-8")

    assert run(own, follow=True) == 2

    assert capsys.readouterr().err == (
        "El procedimiento no sirve: en «activities[1].phase», no puede ser «pensar»; se permite:"
        " planear, hacer, verificar, ajustar.\n"
    )
    assert house.procedure_in_force().code == "PE-GE-2.3-PR-21"


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("slip", list(Slip))
def test_every_slip_has_its_sentence(slip: Slip, language: str) -> None:
    error = ProcedureError(slip, "activities[1]", found="XY", allowed=["UV", "VW"])

    with translation.override(language):
        said = sentence_of(error)

    assert "activities[1]" in said
    assert "%(" not in said
    assert slip.value not in said
    assert said.startswith({"es": "El procedimiento", "en": "The procedure"}[language])
