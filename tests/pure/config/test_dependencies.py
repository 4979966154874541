"""Every dependency says what it is for, and no line speaks of one that is gone."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("requirements", "section"), [("base.in", "## To run"), ("dev.in", "## To develop")]
)
def test_each_dependency_has_its_line_and_each_line_its_dependency(
    requirements: str, section: str
) -> None:
    wanted = re.findall(
        r"^[a-z][a-z0-9-]*", (ROOT / "requirements" / requirements).read_text(), flags=re.MULTILINE
    )
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")

    documented = re.findall(
        r"^\| `([^`]+)` \| \S", page.split(section, 1)[1].split("\n## ", 1)[0], flags=re.MULTILINE
    )

    assert documented == sorted(wanted)


@pytest.mark.parametrize("lock", ["base.txt", "dev.txt"])
def test_a_lock_file_names_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    pinned = re.findall(r"^[a-z][\w.\[\]-]*==\S+", text, flags=re.MULTILINE)

    assert pinned
    assert len(re.findall(r"^ +--hash=sha256:", text, flags=re.MULTILINE)) >= len(pinned)
    assert not re.search(r"https?://|file:|--index-url|--find-links", text)
