"""The fifteen states of a request, and which of them are open, waiting, sending or final.

Rules:
1. A state says where the case stands, never how late it is: *overdue* is a flag of a duty.
2. `paused` means that a person paused it; a mailing that pauses itself says so in its own row.
3. A draft that lapses becomes `cancelled` without ever having had a filing number.

Source: design §1.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a request stands. The values are stored and exported; never rename one."""

    DRAFT = "draft"
    FILED = "filed"
    IN_REVIEW = "in_review"
    RETURNED = "returned"
    REJECTED = "rejected"
    APPROVED = "approved"
    FORWARDED = "forwarded"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CONFIRMED = "confirmed"
    VERIFIED = "verified"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class Way(StrEnum):
    """Who puts the mail on the wire: Circular, or the IT Division by other means."""

    CIRCULAR = "circular"
    EXTERNAL = "external"


class Channel(StrEnum):
    """How a request reached the house."""

    WEB = "web"
    MAIL = "mail"
    PHONE = "phone"
    PAPER = "paper"
    HOUSE = "house"  # an erratum or a copy, made from another case


class Verdict(StrEnum):
    """What the verification of activity 5 found."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


class Stage(StrEnum):
    """What somebody owes, and so what a time limit can be set for."""

    CONFIRM_DRAFT = "confirm_draft"  # the requester completes and files the draft
    REVIEW = "review"  # Communications decides
    CORRECT = "correct"  # the requester corrects what was returned
    AUTHORISE = "authorise"  # an authority over the audience
    FORWARD = "forward"  # Communications hands over to the IT Division
    SEND = "send"  # the IT Division schedules and sends
    CONFIRM = "confirm"  # IT to Communications, Communications to the requester
    VERIFY = "verify"  # Communications checks that it was really sent
    REVIEW_AFTERWARDS = "review_afterwards"  # the urgent lane is looked at when the hurry is over


FINAL = frozenset({State.REJECTED, State.CLOSED, State.CANCELLED})
ON_THE_WIRE = frozenset({State.SENDING, State.PAUSED})
BEFORE_SCHEDULED = frozenset(
    {State.DRAFT, State.FILED, State.IN_REVIEW, State.RETURNED, State.APPROVED, State.FORWARDED}
)
OPEN = frozenset(State) - FINAL - {State.DRAFT}
