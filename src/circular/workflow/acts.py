"""Every act on a request, as it is written into the evidence, and the deed that carries one.

Rules:
1. The value of an act is what the archive keeps; never rename one.
2. A deed holds ids, codes, counts, times and digests only. The words of a reason are a row of the
   case; the deed carries their digest, so that evidence proves them without repeating them.
3. Who acts is part of the deed: roles and posts are read once, under the same transaction.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from circular.people.roles import Role
from circular.workflow.states import Verdict


class Act(StrEnum):
    """What can be done to a request."""

    UPDATE_DRAFT = "draft_changed"
    FILE = "filed"
    LAPSE = "lapsed"
    ACKNOWLEDGE = "acknowledged"
    ASK_MISSING = "asked_for_missing"
    TAKE = "taken"
    TAKE_OVER = "taken_over"
    RELEASE_CASE = "released_case"
    RETURN = "returned"
    CORRECT = "corrected"
    RESUBMIT = "resubmitted"
    REJECT = "rejected"
    SEND_TEST = "tested"
    SIGN_OFF = "signed_off"
    APPROVE = "approved"
    AUTHORISE = "authorised"
    FORWARD = "forwarded"
    ACCEPT = "accepted_by_it"
    SEND_BACK = "sent_back"
    SCHEDULE = "scheduled"
    HOLD = "start_held"
    START = "started"
    PAUSE = "paused"
    RESUME = "resumed"
    CANCEL = "cancelled"
    DECLARE_SENT = "declared_sent"
    MARK_SENT = "sent"
    CONFIRM_TO_COMMUNICATIONS = "confirmed_to_communications"
    CONFIRM_TO_REQUESTER = "confirmed_to_requester"
    VERIFY = "verified"
    FIND_NOT_SENT = "found_not_sent"
    RESEND_MISSING = "resent_to_missing"
    RESOLVE_DOUBT = "doubt_resolved"
    REMIND = "reminded"
    ESCALATE = "escalated"
    ISSUE_ERRATUM = "erratum_issued"
    COPY = "copied"
    DECLARE_URGENT = "declared_urgent"
    REVIEW_AFTERWARDS = "reviewed_afterwards"
    CLOSE = "closed"
    REOPEN = "reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doer:
    """Who acts: a person with what they may do, or a machine (no person)."""

    person: int | None = None
    roles: frozenset[Role] = frozenset()
    posts: frozenset[int] = frozenset()
    units: frozenset[int] = frozenset()
    machine: bool = False


MACHINE = Doer(machine=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The six totals of a sending and the audience that they must add up to."""

    audience: int
    accepted: int
    refused: int = 0
    bounced: int = 0
    suppressed: int = 0
    pending: int = 0
    in_doubt: int = 0

    @property
    def balance(self) -> bool:
        """Say whether nobody is missing and nobody is counted twice."""
        six = (
            self.accepted,
            self.refused,
            self.bounced,
            self.suppressed,
            self.pending,
            self.in_doubt,
        )
        return min(six) >= 0 and sum(six) == self.audience


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One attempt at an act. What an act does not need stays empty."""

    act: Act
    by: Doer
    at: datetime
    seen_digest: str = ""  # the content on the screen of the person who decides
    seen_count: int | None = (
        None  # the audience on that screen; at start: the count that is accepted
    )
    new_digest: str = ""  # of the version that a correction brings
    missing: frozenset[str] = field(default_factory=frozenset)  # of that version
    reason: str = ""  # digest of the words
    channel: str = ""  # digest of the words that suggest another channel
    scheduled_at: datetime | None = None
    figures: Figures | None = None
    documents: tuple[str, ...] = ()  # digests of the supporting blobs
    verdict: Verdict | None = None
    refusal: str = ""  # why the clock holds a start
    post: int | None = None  # the post in whose name an authority consents
    number: str = ""  # the filing number that was drawn
