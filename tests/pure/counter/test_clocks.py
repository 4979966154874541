"""Tones of a time limit, in business hours (look.md §3, Clock)."""

from datetime import UTC, datetime, timedelta

import pytest

from circular.counter import clocks
from circular.counter.parts import Tone

START = datetime(2026, 11, 18, 8, 0, tzinfo=UTC)


def wall(a: datetime, b: datetime) -> timedelta:
    """Count all hours as business hours: these tests are about tones."""
    return max(timedelta(0), b - a)


def read(hours_used: float, *, granted: float = 8) -> clocks.Reading:
    return clocks.read(
        started_at=START,
        due_at=START + timedelta(hours=granted),
        granted=timedelta(hours=granted),
        now=START + timedelta(hours=hours_used),
        between=wall,
    )


@pytest.mark.parametrize(
    ("used", "tone"),
    [(0, Tone.OK), (5.9, Tone.OK), (6.1, Tone.WARN), (7.5, Tone.WARN), (9, Tone.BAD)],
)
def test_a_clock_warns_below_a_quarter_and_is_red_when_late(used: float, tone: Tone) -> None:
    assert read(used).tone is tone


def test_below_an_hour_is_a_warning_however_short_the_limit_is() -> None:
    assert read(0.5, granted=1.4).tone is Tone.WARN


def test_a_late_clock_says_by_how_much() -> None:
    reading = read(9.2)
    assert reading.late
    assert reading.span == timedelta(hours=1, minutes=12)


def test_the_track_never_leaves_its_box() -> None:
    assert read(4).track == "50%"
    assert read(20).track == "100%"
