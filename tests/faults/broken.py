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
        from circular.outcomes.verdicts import OutcomeFact, Verdict

        settle = services.settle

        def settle_wrongly(facts: Any, **how: Any) -> services.Settled:
            return settle([_changed(fact) for fact in facts], **how)

        def _changed(fact: OutcomeFact) -> OutcomeFact:
            if fact.verdict is not Verdict(right):
                return fact
            return dataclasses.replace(fact, verdict=Verdict(wrong), reason="")

        services.settle = settle_wrongly

    return change


def _forgets_when_the_database_is_away() -> None:
    """Take a verdict for recorded although the statement failed."""
    from django.db import DatabaseError

    from circular.dispatch import services
    from circular.outcomes.services import Settled

    settle = services.settle_offers

    def settle_at_best(facts: Any, **how: Any) -> Settled:
        try:
            return settle(facts, **how)
        except DatabaseError:
            return Settled(moved={}, skipped=(), settled_mailings=())

    services.settle_offers = settle_at_best


def _waits_for_ever() -> None:
    """Have no time-outs and no signs of life on the line."""
    from circular.smtp import session

    session.USER_TIMEOUT_MS = 3_600_000
    session.KEEPALIVE_IDLE = 3600
    for_ever = dict.fromkeys(session.DEFAULT_SECONDS, 3600.0)
    setattr(session.Timeouts, "of", lambda _self, phase: for_ever[phase])  # noqa: B010 - mypy refuses the plain way


def _believes_everybody_dead() -> None:
    """Take the leases of workers that live, and offer again what they have offered."""
    from circular.dispatch import services

    setattr(services, "_is_gone", lambda _worker: True)  # noqa: B010 - mypy refuses the plain way
    BROKEN["offers_doubts_again"]()


BROKEN: dict[str, Callable[[], None]] = {
    "accepts_at_the_dot": _says("accepted", "in_doubt"),
    "offers_doubts_again": _says("untried", "in_doubt"),
    "refuses_the_deferred": _says("refused", "deferred"),
    "refuses_the_untried": _says("refused", "untried"),
    "forgets_when_the_database_is_away": _forgets_when_the_database_is_away,
    "waits_for_ever": _waits_for_ever,
    "believes_everybody_dead": _believes_everybody_dead,
}
