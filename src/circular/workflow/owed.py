"""What somebody owes a case in each state. Pure.

Rule 1: the open duties of a case are a function of its facts; every act brings them in line.
Rule 2: while a case is returned, the office's clock stands still: only the requester owes.
"""

from collections.abc import Mapping
from types import MappingProxyType

from circular.people.roles import Role
from circular.workflow.facts import RequestFacts
from circular.workflow.limits import OWED_BY
from circular.workflow.states import Stage, State, Verdict

_STAGE_OF: Mapping[State, Stage] = MappingProxyType(
    {
        State.DRAFT: Stage.CONFIRM_DRAFT,
        State.FILED: Stage.REVIEW,
        State.IN_REVIEW: Stage.REVIEW,
        State.RETURNED: Stage.CORRECT,
        State.APPROVED: Stage.FORWARD,
        State.FORWARDED: Stage.SEND,
        State.SCHEDULED: Stage.SEND,
        State.SENDING: Stage.SEND,
        State.PAUSED: Stage.SEND,
        State.SENT: Stage.CONFIRM,
        State.CONFIRMED: Stage.VERIFY,
    }
)


def stages_owed(facts: RequestFacts) -> dict[Stage, Role]:
    """Return the stages that are open, each with the role that owes it."""
    owed: dict[Stage, Role] = {}
    stage = _STAGE_OF.get(facts.state)
    if facts.state is State.APPROVED and not facts.consented:
        stage = Stage.AUTHORISE
    if facts.state is State.VERIFIED and facts.verdict is Verdict.NEGATIVE:
        stage = Stage.VERIFY  # somebody has to decide what follows from it
    if stage is not None:
        owed[stage] = OWED_BY[stage]
    if stage is Stage.CONFIRM and facts.confirmed_to_communications:
        owed[stage] = Role.COMMUNICATIONS
    if (
        facts.urgent
        and not facts.reviewed_afterwards
        and facts.state in {State.SENT, State.CONFIRMED, State.VERIFIED}
    ):
        owed[Stage.REVIEW_AFTERWARDS] = OWED_BY[Stage.REVIEW_AFTERWARDS]
    return owed
