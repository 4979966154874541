"""What a relay's answer means for one recipient: the vocabulary, and reply → verdict. Pure.

Rules:
  1. The first digit of a reply decides (RFC 5321 §4.2.1): an unknown code keeps its class.
  2. Silence after the final dot is doubt, never failure; silence before it is *untried*.
  3. A verdict is not a state: ``state_after`` says which state it leads to.

Sources: design §2.1 and §2.2; RFC 5321 §4.2.1; RFC 3463 §2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from circular.mailing.recipients import Reason, RecipientState
from circular.smtp.verdicts import VERDICT_OF_CLASS, Verdict

__all__ = [
    "OutcomeFact",
    "Resolution",
    "Source",
    "Verdict",
    "reason_after",
    "state_after",
    "verdict_of",
]


class Source(StrEnum):
    """Who or what an outcome comes from."""

    SMTP = "smtp"
    BOUNCE = "bounce"
    PERSON = "person"
    POLICY = "policy"
    EXPIRY = "expiry"
    CANCEL = "cancel"
    WITNESS = "witness"


class Resolution(StrEnum):
    """What a person decides about a recipient in doubt."""

    ACCEPTED = "accepted"
    OFFER_AGAIN = "offer_again"
    GIVE_UP = "give_up"


def verdict_of(code: int) -> Verdict:
    """Read a final reply by its first digit; anything else than 2, 4 or 5 is no answer.

    Source: RFC 5321 §4.2.1. A 3yz is intermediate and cannot end a transaction, so a relay that
    says it after the final dot leaves doubt.
    """
    return VERDICT_OF_CLASS.get(code // 100, Verdict.IN_DOUBT)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFact:
    """One verdict on one recipient, ready to be settled.

    Units: ``at`` and ``next_try_at`` are aware UTC; ``next_try_at`` matters for deferred and
    untried only, and None means at once.
    """

    recipient: int
    verdict: Verdict
    at: datetime
    code: int | None = None
    enhanced: str = ""
    reply: str = ""
    next_try_at: datetime | None = None
    reason: str = ""  # a code; without one the verdict's own (``reason_after``)
    source: Source = Source.SMTP


def state_after(verdict: Verdict) -> RecipientState:
    """Say which state a verdict leads to."""
    match verdict:
        case Verdict.ACCEPTED:
            return RecipientState.ACCEPTED
        case Verdict.REFUSED:
            return RecipientState.REFUSED
        case Verdict.IN_DOUBT:
            return RecipientState.IN_DOUBT
        case Verdict.DEFERRED | Verdict.UNTRIED:
            return RecipientState.PENDING
        case _:
            assert_never(verdict)


def reason_after(verdict: Verdict) -> Reason:
    """Say which reason code stands on a row that a relay's verdict moved."""
    match verdict:
        case Verdict.REFUSED:
            return Reason.RELAY_REFUSED
        case Verdict.IN_DOUBT:
            return Reason.HUNG_UP
        case Verdict.ACCEPTED | Verdict.DEFERRED | Verdict.UNTRIED:
            return Reason.NONE
        case _:
            assert_never(verdict)
