"""Everything that a guard may look at, read under one row lock. Pure.

Rules:
1. A guard sees these facts and the deed, nothing else.
2. What the case itself decides (`state` … `reviewed_afterwards`) changes only by an act, so that the
   journal explains it; what the house or the post office decides (`missing` … `sending`) is looked
   up again each time.
"""

from dataclasses import dataclass, field
from datetime import datetime

from circular.people.roles import Role
from circular.workflow.states import State, Verdict, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How far the mailing of a case is, in the words a guard needs."""

    exists: bool = False
    settled: bool = False
    pending: int = 0
    in_doubt: int = 0
    missing: int = 0  # refused or withdrawn: those a resend would reach


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """One request at one moment."""

    id: int
    # what acts decide
    state: State = State.DRAFT
    way: Way = Way.CIRCULAR
    filing_number: str = ""
    acknowledged: bool = False
    urgent: bool = False
    urgent_by: int | None = None
    reviewer: int | None = None
    digest: str = ""  # of the current version's stencil
    tested_digest: str = ""
    signed_off_digest: str = ""
    approver: int | None = None
    approved_digest: str = ""
    approved_count: int | None = None
    consents: frozenset[int] = field(default_factory=frozenset)  # posts, to the current digest
    consenters: frozenset[int] = field(default_factory=frozenset)  # the people behind them
    operator: int | None = None
    scheduled_at: datetime | None = None
    held: str = ""
    started: bool = False
    confirmed_to_communications: bool = False
    confirmed_to_requester: bool = False
    verdict: Verdict | None = None
    reviewed_afterwards: bool = False
    # who asked
    requester: int | None = None
    registrar: int | None = None
    unit: int | None = None
    # what the house decides
    missing: frozenset[str] = field(default_factory=frozenset)  # codes of fields still empty
    count: int | None = None  # of the audience now; None when it was not counted for this act
    authorities: frozenset[int] = field(default_factory=frozenset)  # posts that must consent
    urgent_posts: frozenset[int] = field(default_factory=frozenset)
    separate_duties: bool = True
    require_sign_off: bool = False
    tolerance_permille: int = 20
    start_late_minutes: int = 120  # how long after its time the clock may still start it
    sending: Sending = field(default_factory=Sending)
    owed_by: Role | None = None  # who owes what is due first
    reminded_at: datetime | None = None  # of it, the last time

    @property
    def consented(self) -> bool:
        """Say whether every authority over the audience has agreed to this content."""
        return self.authorities <= self.consents
