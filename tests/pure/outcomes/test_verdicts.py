"""What a relay's answer means: the first digit decides, silence after the dot is doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.mailing.recipients import RecipientState
from circular.outcomes.verdicts import Verdict, reason_after, state_after, verdict_of
from variants import assert_catches


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (250, Verdict.ACCEPTED),
        (251, Verdict.ACCEPTED),
        (421, Verdict.DEFERRED),
        (452, Verdict.DEFERRED),
        (550, Verdict.REFUSED),
        (599, Verdict.REFUSED),
        (354, Verdict.IN_DOUBT),
    ],
)
def test_the_first_digit_decides(code: int, verdict: Verdict) -> None:
    """RFC 5321 §4.2.1"""
    assert verdict_of(code) is verdict


@given(st.integers(0, 999))
def test_every_code_has_a_verdict_and_only_2yz_is_acceptance(code: int) -> None:
    assert (verdict_of(code) is Verdict.ACCEPTED) == (code // 100 == 2)


def test_a_table_that_takes_what_is_no_error_for_acceptance_is_caught() -> None:
    right = verdict_of

    def hopeful(code: int) -> Verdict:
        return Verdict.ACCEPTED if 200 <= code < 400 else right(code)

    holds = test_every_code_has_a_verdict_and_only_2yz_is_acceptance
    assert_catches(holds, __name__, "verdict_of", hopeful)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_leads_to_a_state_and_refusals_carry_a_reason(verdict: Verdict) -> None:
    state = state_after(verdict)

    assert isinstance(state, RecipientState)
    assert (state is RecipientState.REFUSED) <= (reason_after(verdict) != "")
    assert (state is RecipientState.ACCEPTED) == (verdict is Verdict.ACCEPTED)
