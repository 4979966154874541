"""Figures and times as the office writes them (look.md §4)."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.counter import formats
from variants import assert_catches

NOW = datetime(2026, 11, 18, 14, 26, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "spanish", "english"),
    [(0, "0", "0"), (118, "118", "118"), (14286, "14.286", "14,286"), (-56, "−56", "−56")],
)
def test_figures_are_grouped_as_the_language_does(value: int, spanish: str, english: str) -> None:
    assert formats.figure(value, "es") == spanish
    assert formats.figure(value, "en") == english


@given(st.integers(0, 10**12))
def test_a_grouped_figure_reads_back_as_the_same_number(value: int) -> None:
    assert int(formats.figure(value, "es").replace(".", "")) == value


def test_a_figure_that_is_rounded_is_caught() -> None:
    figure = formats.figure

    def rounded(value: int, language: str) -> str:
        return figure(round(value, -1), language)

    assert_catches(test_a_grouped_figure_reads_back_as_the_same_number, formats, "figure", rounded)


def test_a_share_that_is_not_whole_is_never_rounded_to_a_hundred() -> None:
    assert formats.percent(99_999, 100_000, "es") == "99\u00a0%"
    assert formats.percent(100_000, 100_000, "es") == "100\u00a0%"


def test_a_time_of_this_year_says_no_year() -> None:
    assert formats.moment(NOW, "es", now=NOW) == "18 nov, 14:26"


def test_a_time_of_another_year_says_its_year() -> None:
    assert (
        formats.moment(datetime(2025, 11, 18, 9, 5, tzinfo=UTC), "es", now=NOW)
        == "18 nov 2025, 09:05"
    )


def test_seconds_stand_only_where_they_are_asked_for() -> None:
    assert formats.moment(NOW, "es", now=NOW, seconds=True) == "18 nov, 14:26:10"


@pytest.mark.parametrize(
    ("days", "said"),
    [(0, "hoy, 14:26"), (-1, "ayer, 14:26"), (1, "mañana, 14:26"), (2, "viernes 20 nov, 14:26")],
)
def test_near_days_are_said_by_their_names(days: int, said: str) -> None:
    assert formats.moment_near(NOW + timedelta(days=days), "es", now=NOW) == said


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=20), "1 min"),
        (timedelta(minutes=34), "34 min"),
        (timedelta(hours=6, minutes=5), "6 h 5 min"),
        (timedelta(hours=16), "16 h"),
    ],
)
def test_business_spans_are_hours_and_minutes(span: timedelta, said: str) -> None:
    assert formats.business(span) == said


def test_a_seal_shows_both_ends_of_a_digest() -> None:
    assert formats.seal("8f2c" + "0" * 56 + "a4e1") == "8f2c…a4e1"
    assert formats.seal_long("8f2c19d7" + "0" * 48 + "03b6a4e1") == "8f2c 19d7 … 03b6 a4e1"


@pytest.mark.parametrize(
    ("value", "said"), [(38_000, "38 kB"), (900, "900 B"), (2_500_000, "2,5 MB")]
)
def test_sizes_are_said_as_mail_systems_say_them(value: int, said: str) -> None:
    assert formats.octets(value, "es") == said


@pytest.mark.parametrize(
    ("count", "feminine", "said"),
    [(1, False, "Un"), (1, True, "Una"), (6, False, "Seis"), (13, False, "13")],
)
def test_headings_begin_with_a_count_in_words(count: int, feminine: bool, said: str) -> None:
    assert formats.in_words(count, "es", feminine=feminine) == said


def test_a_day_says_its_weekday_when_asked() -> None:
    assert formats.day(date(2026, 11, 23), "es", today=NOW.date(), weekday=True) == "lunes 23 nov"
