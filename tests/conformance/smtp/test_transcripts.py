"""Every transcript in this folder ends as its header says: the file names are the rules."""

from pathlib import Path

import pytest

from circular.smtp.events import Settled
from conformance.smtp.play import Script, play

SCRIPTS = sorted(Path(__file__).parent.glob("*.smtp"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_transcript_ends_as_its_header_says(path: Path) -> None:
    script = Script.read(path)

    played = play(script)

    expected = [pair for pair in script.headers.get("outcome", "").split(", ") if pair]
    assert [" ".join(pair) for pair in sorted(played.outcome.items())] == expected
    assert played.lost == script.headers.get("lost", "")
    settled = [event for event in played.events if isinstance(event, Settled)]
    if "phase" in script.headers:
        assert {event.phase for event in settled} == {script.headers["phase"]}
    if "why" in script.headers:
        assert {event.why for event in settled} == {script.headers["why"]}


def test_there_are_transcripts_to_play() -> None:
    assert len(SCRIPTS) > 20
