"""Every noun of the house stands in the glossary, so that screens, code and people say the same."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROOMS = (
    "evidence", "people", "directory", "mailing", "outcomes", "dispatch", "workflow", "followup", "intake",
)  # fmt: skip
MODEL_BASES = {"Model", "AbstractBaseUser", "AbstractUser"}
ENUM_BASES = {"Enum", "StrEnum", "IntEnum", "TextChoices"}


def _base_names(node: ast.ClassDef) -> set[str]:
    return {
        base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
        for base in node.bases
    }


def nouns_of(source: str) -> set[str]:
    """Return the names of models and enums that a module defines publicly."""
    return {
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and _base_names(node) & (MODEL_BASES | ENUM_BASES)
    }


def glossary() -> set[str]:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    return set(re.findall(r"`([A-Za-z]+)`", text))


@pytest.mark.parametrize("room", ROOMS)
def test_every_model_and_enum_of_a_room_stands_in_the_glossary(room: str) -> None:
    files = (ROOT / "src" / "circular" / room).rglob("*.py")
    nouns = {
        noun
        for file in files
        if "migrations" not in file.parts
        for noun in nouns_of(file.read_text(encoding="utf-8"))
    }

    assert nouns, f"{room} defines no noun: is this still its place?"
    assert not nouns - glossary()


def test_a_missing_noun_would_be_found() -> None:
    assert nouns_of("class Unheard(models.Model): pass\nclass _Own(StrEnum): pass") == {"Unheard"}
