"""`circular procedure`: another institution brings its own procedure."""

import argparse
from pathlib import Path

import pytest

import circular
from circular.config import commands
from circular.config.configuration import Configuration
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
    own.write_text("code = 'X'", encoding="utf-8")

    assert run(own, follow=True) == 2

    assert capsys.readouterr().err
    assert house.procedure_in_force().code == "PE-GE-2.3-PR-21"
