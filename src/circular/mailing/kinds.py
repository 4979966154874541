"""The words that name a mailing: its kind, its class and its state. Pure.

Everything that leaves the house is a mailing, a one-line receipt too (design §3); the kind says
which of its few differences apply, the class is the requester's promise to the reader.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class MailingKind(StrEnum):
    """What a mailing is for."""

    CIRCULAR = "circular"
    TEST = "test"
    LETTER = "letter"
    SECRET = "secret"  # noqa: S105 - a sign-in code: its body is dropped after the verdict
    ANCHOR = "anchor"  # the daily head of the archive, sent to the witnesses


class MailClass(StrEnum):
    """What the reader is told about the message; decides the policy for doubts."""

    OFFICIAL = "oficial"
    INFORMATIVE = "informativo"
    PROMOTIONAL = "promocional"


class MailingState(StrEnum):
    """How far a mailing is; ``settled`` means that no recipient is pending."""

    DRAFT = "draft"
    FROZEN = "frozen"
    RELEASED = "released"
    PAUSED = "paused"
    SETTLED = "settled"
    CANCELLED = "cancelled"


class Priority(IntEnum):
    """Smaller goes first: a person who waits for a code is not behind 40,000 others."""

    SECRET = 0
    LETTER = 10
    TEST = 20
    URGENT = 30
    NORMAL = 50


# A mailing in one of these states may have rows that dispatch leases. A settled one may still owe
# its witnesses a copy: they stand outside the totals.
LEASABLE_STATES = (MailingState.RELEASED, MailingState.SETTLED)

# Why a circular pauses itself when the office lets none leave now (`workflow.windows`).
OUTSIDE_WINDOW = "outside_window"
RELAY_TROUBLE = "relay_"  # how the codes of a relay's own troubles begin (`dispatch.trouble`)


def stands_still(self_paused: str) -> bool:
    """Say whether a deadline waits for what a mailing paused itself for: a window, a quota, a person.

    The trouble of a relay (its codes begin with its name) is no such wait: nobody knows that it ends,
    so the deadline goes on and at last says so.
    """
    return bool(self_paused) and not self_paused.startswith(RELAY_TROUBLE)
