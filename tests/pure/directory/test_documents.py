"""What the guides say about the accounts file is what the reader understands."""

import re
from pathlib import Path

import pytest

from circular.directory.tables import ACTIVE_WORDS, ALIASES, GROUP_WORDS

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("guide", ["accounts-file.md", "archivo-de-cuentas.md"])
def test_every_word_that_the_reader_knows_stands_in_the_guide(guide: str) -> None:
    text = (DOCS / guide).read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE))
    told = {(word, code) for code, words in rows.items() for word in words.strip().split(", ")}

    known = {(alias, column.value) for alias, column in ALIASES.items()} | set(GROUP_WORDS.items())

    assert told == known
    assert all(word in text for word in ACTIVE_WORDS)
