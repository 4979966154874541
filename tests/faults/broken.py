"""Senders that lie or forget on purpose: what the scenarios must catch, or they prove nothing.

Each changes one thing in the worker's own process, after a fork and before it begins.
"""

import dataclasses
from collections.abc import Callable
from typing import Any


def _says(wrong: str, right: str) -> Callable[[], None]:
    """Let every verdict of one kind be recorded as another."""

    def change() -> None:
        from circular.outcomes import services
        from circular.outcomes.lines import line_of, read_line
        from circular.outcomes.verdicts import Verdict

        settle = services._settle_lines

        def settle_wrongly(lines: str, lent: Any, by: Any) -> Any:
            return settle("".join(map(changed, lines.splitlines(keepends=True))), lent, by)

        def changed(line: str) -> str:
            found = read_line(line.removesuffix("\n"))
            if found is None or found[1].verdict is not Verdict(right):
                return line
            fact = dataclasses.replace(found[1], verdict=Verdict(wrong), reason="")
            return line_of(found[0], fact)

        setattr(services, "_settle_lines", settle_wrongly)  # noqa: B010 - mypy refuses the plain way

    return change


def _forgets_when_the_database_is_away() -> None:
    """Take a verdict for recorded although the statement failed."""
    from django.db import DatabaseError

    from circular.dispatch import lending
    from circular.outcomes.services import Settled

    settle = lending.settle_offers

    def settle_at_best(*what: Any, **how: Any) -> Settled:
        try:
            return settle(*what, **how)
        except DatabaseError:
            return Settled(moved={}, skipped=(), settled_mailings=())

    setattr(lending, "settle_offers", settle_at_best)  # noqa: B010 - mypy refuses the plain way


def _waits_for_ever() -> None:
    """Have no time-outs and no signs of life on the line."""
    from circular.smtp import session

    session.USER_TIMEOUT_MS = 3_600_000
    session.KEEPALIVE_IDLE = 3600
    for_ever = dict.fromkeys(session.DEFAULT_SECONDS, 3600.0)
    setattr(session.Timeouts, "of", lambda _self, phase: for_ever[phase])  # noqa: B010 - mypy refuses the plain way


BROKEN: dict[str, Callable[[], None]] = {
    "accepts_at_the_dot": _says("accepted", "in_doubt"),
    "offers_doubts_again": _says("untried", "in_doubt"),
    "refuses_the_deferred": _says("refused", "deferred"),
    "refuses_the_untried": _says("refused", "untried"),
    "forgets_when_the_database_is_away": _forgets_when_the_database_is_away,
    "waits_for_ever": _waits_for_ever,
}
