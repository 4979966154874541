"""The figures to start from are possible, dated and said in words."""

import pytest

from circular.dispatch.labels import PRESET_ADVICE, PRESET_NAMES
from circular.dispatch.presets import PRESETS, Preset
from circular.dispatch.quotas import QuotaUnit, Window


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)
def test_a_preset_is_possible_and_has_a_source(preset: Preset) -> None:
    assert preset.sources
    assert preset.read_on
    assert preset.verify
    assert preset.security in ("starttls", "tls")
    assert 1 <= preset.max_connections <= 100
    assert 1 <= preset.recipients_per_message <= 10_000
    assert len({(one.window, one.unit) for one in preset.quotas}) == len(preset.quotas)


def test_every_preset_is_told_in_words() -> None:
    keys = [preset.key for preset in PRESETS]

    assert list(PRESET_NAMES) == keys
    assert list(PRESET_ADVICE) == keys


def test_twenty_thousand_people_take_two_days_through_one_registered_sender_of_google() -> None:
    """practice.md §8."""
    google = next(preset for preset in PRESETS if preset.key == "google_user")

    (most,) = [one.most for one in google.quotas if one.unit is QuotaUnit.RECIPIENTS]
    assert 20_000 / most == 2


def test_exchange_takes_three_connections_and_thirty_a_minute() -> None:
    exchange = next(preset for preset in PRESETS if preset.key == "exchange_online")

    assert exchange.max_connections == 3
    assert [one.most for one in exchange.quotas if one.window is Window.MINUTE] == [30]
