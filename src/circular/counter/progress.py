"""How far a case is along the five activities, from its state and its times. Pure.

Rules:
1. The state decides; a final state that came early is read from the times of what was reached.
2. An activity is *now* when everything before it is done and the case is open.
"""

from dataclasses import dataclass
from datetime import datetime

from circular.workflow.states import FINAL, State

DONE_IN_STATE: dict[State, int] = {
    State.DRAFT: 0,
    State.FILED: 1,
    State.IN_REVIEW: 1,
    State.RETURNED: 1,
    State.APPROVED: 1,
    State.FORWARDED: 2,
    State.SCHEDULED: 2,
    State.SENDING: 2,
    State.PAUSED: 2,
    State.SENT: 3,
    State.CONFIRMED: 4,
    State.VERIFIED: 5,
    State.CLOSED: 5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """When a case passed the points that end an activity."""

    filed_at: datetime | None = None
    forwarded_at: datetime | None = None
    sent_at: datetime | None = None
    confirmed_at: datetime | None = None
    verified_at: datetime | None = None


def activities_done(state: State, reached: Reached) -> int:
    """Return how many of the five are done."""
    if state in DONE_IN_STATE:
        return DONE_IN_STATE[state]
    done = 0
    for at in (
        reached.filed_at,
        reached.forwarded_at,
        reached.sent_at,
        reached.confirmed_at,
        reached.verified_at,
    ):
        if at is None:
            break
        done += 1
    return done


def activity_now(state: State, done: int) -> int | None:
    """Return the activity in progress; a case that ended has none."""
    return None if state in FINAL or done >= 5 else done + 1
