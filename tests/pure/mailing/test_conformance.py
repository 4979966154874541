"""The octets of a message do not change by accident: a message offered again must be the same.

Each pair in ``tests/conformance/mail``: ``<case>.stencil.json`` (content, recipient, release) and
``<case>.eml`` (every octet). After a change on purpose, write the new file and say why in the commit.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from circular.mailing.content import from_json
from circular.mailing.kinds import MailingKind
from circular.mailing.rendering import RecipientFacts, ReleaseFacts, render

FOLDER = Path(__file__).resolve().parents[2] / "conformance" / "mail"
CASES = sorted(path.name.removesuffix(".stencil.json") for path in FOLDER.glob("*.stencil.json"))


def octets_of(case: dict[str, Any]) -> bytes:
    release = case["release"]
    return render(
        from_json(case["content"]),
        RecipientFacts(**case["recipient"]),
        ReleaseFacts(
            **release
            | {
                "kind": MailingKind(release["kind"]),
                "released_at": datetime.fromisoformat(release["released_at"]),
                "references": tuple(release["references"]),
                "secret": release["secret"].encode("ascii"),
            }
        ),
        {digest: bytes.fromhex(octets) for digest, octets in case["files"].items()},
    ).raw


@pytest.mark.parametrize("name", CASES)
def test_a_message_has_the_octets_that_are_written_down(name: str) -> None:
    case = json.loads((FOLDER / f"{name}.stencil.json").read_text(encoding="utf-8"))

    assert octets_of(case) == (FOLDER / f"{name}.eml").read_bytes()


@pytest.mark.parametrize("name", CASES)
def test_the_content_has_the_digest_that_is_written_down(name: str) -> None:
    """A stored approval must stay valid across versions of Circular."""
    case = json.loads((FOLDER / f"{name}.stencil.json").read_text(encoding="utf-8"))

    assert from_json(case["content"]).digest() == case["digest"]


def test_there_are_cases() -> None:
    assert {"circular", "letter"} <= set(CASES)
