"""The page about the desk says what the table says."""

from pathlib import Path

from circular.workflow.drawing import page

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_page_about_the_desk_keeps_step_with_the_code() -> None:
    written = (DOCS / "workflow.md").read_text(encoding="utf-8")

    assert written == page(), "python -m circular.workflow.drawing docs/workflow.md"
