"""Draws the table of moves: the state diagram and the list of acts of docs/workflow.md. Pure.

`python -m circular.workflow.drawing docs/workflow.md` writes the page anew; a test compares it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from circular.workflow.acts import Act
from circular.workflow.guards import NEVER
from circular.workflow.limits import OWED_BY, default_limits
from circular.workflow.states import Stage, State
from circular.workflow.transitions import MOVES

HEAD = """# The desk: states, acts, guards

This page is made from the code (`python -m circular.workflow.drawing docs/workflow.md`); a test fails
when it lags behind. The table is `circular.workflow.transitions.MOVES`; the guards are in
`circular.workflow.guards`, their Spanish sentences in `circular.workflow.labels`.

An act is decided in this order: the state, who acts, whose case it is, what the act needs. The first
objection is the answer, and nothing has happened then. Approve and the last consent of an authority
lead on to *forwarded* in the same act where nobody else has to consent. Overdue is a flag of a duty,
not a state.
"""

LIMITS_HEAD = """Defaults, until an office changes them; a reminder goes out at the limit and is repeated;
after the reminders named here the process owner is told.

| Stage | Owed by | Limit | Urgent | Repeated every | Urgent | Reminders before escalation |
|---|---|---|---|---|---|---|"""


def page() -> str:
    """Return docs/workflow.md."""
    return "\n".join(
        [
            HEAD,
            "## States and the acts that change them\n",
            "```mermaid",
            *diagram(),
            "```\n",
            "## Every act\n",
            "| Act | Written as | From | To | Refused, in this order |",
            "|---|---|---|---|---|",
            *acts(),
            "",
            "Refusals that depend on who somebody is (the act is not even shown): "
            + ", ".join(f"`{refusal.value}`" for refusal in sorted(NEVER))
            + ".\n",
            "## Time limits, in business hours\n",
            LIMITS_HEAD,
            *limits(),
            "",
        ]
    )


def diagram() -> Iterator[str]:
    """Yield the Mermaid source of the state diagram, without the acts that change no state."""
    yield "stateDiagram-v2"
    yield "    [*] --> draft"
    arrows: dict[tuple[State, State], list[str]] = {}
    for act, move in MOVES.items():
        for source in State:
            if source in move.sources and move.target_from(source) is not source:
                arrows.setdefault((source, move.target_from(source)), []).append(_name(act))
    for (source, target), names in arrows.items():
        yield f"    {source.value} --> {target.value}: {', '.join(names)}"
    for state in (State.CLOSED, State.REJECTED, State.CANCELLED):
        yield f"    {state.value} --> [*]"


def acts() -> Iterator[str]:
    """Yield one row of the table for every act."""
    for act, move in MOVES.items():
        sources = ", ".join(state.value for state in State if state in move.sources)
        targets = {move.target_from(state) for state in move.sources}
        stays = all(move.target_from(state) is state for state in move.sources)
        to = "stays" if stays else ", ".join(s.value for s in State if s in targets)
        refusals = ", ".join(f"`{refusal.value}`" for refusal, _ in (move.who, *move.guards))
        yield f"| {_name(act)} | `{act.value}` | {sources} | {to} | {refusals} |"


def limits() -> Iterator[str]:
    """Yield one row of the table for every stage."""
    table = default_limits()
    for stage in Stage:
        usual, urgent = table[stage, False], table[stage, True]
        yield (
            f"| {stage.value} | {OWED_BY[stage].value} | {_hours(usual.minutes)}"
            f" | {_hours(urgent.minutes)} | {_hours(usual.remind_every_minutes)}"
            f" | {_hours(urgent.remind_every_minutes)} | {usual.escalate_after} |"
        )


def _hours(minutes: int) -> str:
    return f"{minutes / 60:g} h"


def _name(act: Act) -> str:
    return act.name.lower().replace("_", " ")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
