"""What state one recipient of one mailing can be in, and which states may follow. Pure.

Rules:
  1. Every recipient has exactly one state at every moment; the lease is a column, not a state.
  2. ``pending`` covers never offered, deferred and leased alike.
  3. ``in_doubt`` ends only by a person, a policy, or a matching report.
  4. Nothing returns to ``pending`` but by an act that is recorded as a fact of its own.

Sources: design §2.1 and §2.2.
"""

from __future__ import annotations

from enum import StrEnum


class RecipientState(StrEnum):
    """Exactly one of these is true of every recipient."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    IN_DOUBT = "in_doubt"


class Reason(StrEnum):
    """Why a row is refused or suppressed; shown to people through ``labels``."""

    NONE = ""
    RELAY_REFUSED = "relay_refused"
    MESSAGE_REFUSED = "message_refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    GIVEN_UP = "given_up"
    BAD_ADDRESS = "bad_address"
    INACTIVE_ACCOUNT = "inactive_account"
    BOUNCED = "bounced"
    HUNG_UP = "hung_up"
    WORKER_LOST = "worker_lost"


# The order in which totals are always shown (look.md §3, "Totals").
TOTALS_ORDER: tuple[RecipientState, ...] = (
    RecipientState.ACCEPTED,
    RecipientState.REFUSED,
    RecipientState.BOUNCED,
    RecipientState.SUPPRESSED,
    RecipientState.IN_DOUBT,
    RecipientState.PENDING,
)

# States from which a person may choose to offer the message again (resend to the missing).
MISSING_STATES = frozenset(
    {RecipientState.REFUSED, RecipientState.BOUNCED, RecipientState.IN_DOUBT}
)
