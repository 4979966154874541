"""The ring, the bar and the equation that a reader can add up (look.md §3)."""

from hypothesis import given
from hypothesis import strategies as st

from circular.counter import parts
from variants import assert_catches

counts = st.integers(0, 40_000)


def totals(**figures: int) -> parts.Totals:
    six = {name: count for name, count in figures.items() if name != "audience"}
    return parts.Totals(
        audience=figures.get("audience", sum(six.values())),
        accepted=six.get("accepted", 0),
        refused=six.get("refused", 0),
        bounced=six.get("bounced", 0),
        suppressed=six.get("suppressed", 0),
        in_doubt=six.get("in_doubt", 0),
        pending=six.get("pending", 0),
    )


def widths(value: parts.Totals) -> list[float]:
    return [float(segment.width.rstrip("%")) for segment in value.segments]


@given(counts, counts, counts, counts, counts, counts)
def test_the_bar_is_full_and_shows_every_figure_above_zero(
    accepted: int, refused: int, bounced: int, suppressed: int, in_doubt: int, pending: int
) -> None:
    value = totals(
        accepted=accepted,
        refused=refused,
        bounced=bounced,
        suppressed=suppressed,
        in_doubt=in_doubt,
        pending=pending,
    )
    above = [
        count for count in (accepted, refused, bounced, suppressed, in_doubt, pending) if count
    ]
    found = widths(value)
    assert len(found) == len(above)
    assert all(width >= 0.44 for width in found)
    assert not found or abs(sum(found) - 100) < 0.1


def test_a_bar_that_hides_a_few_people_is_caught() -> None:
    holds = test_the_bar_is_full_and_shows_every_figure_above_zero
    assert_catches(holds, parts, "SMALLEST_SHARE", 0.0)


def test_a_bar_of_nobody_has_no_segment() -> None:
    assert totals().segments == ()


def test_a_difference_is_computed_and_not_hidden() -> None:
    assert totals(audience=100, accepted=98).missing == 2
    assert totals(accepted=98, pending=2).missing == 0


def test_a_ring_has_five_arcs_and_one_of_them_is_now() -> None:
    ring = parts.ring_of(2, now=3, late=False, size=44)
    assert [arc.kind for arc in ring.arcs] == ["done", "done", "now", "todo", "todo"]


def test_a_late_activity_is_red_in_the_ring() -> None:
    assert parts.ring_of(4, now=5, late=True, size=44).arcs[4].kind == "late"


def test_a_ring_that_is_done_has_no_arc_in_progress() -> None:
    assert {arc.kind for arc in parts.ring_of(5, now=None, late=False, size=44).arcs} == {"done"}
