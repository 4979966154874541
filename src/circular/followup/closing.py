"""Counts, sightings and dates in; what is due out: a verdict, another look, a reminder. Pure.

Rule 1: sent is proved, not assumed. A positive verdict needs balanced totals, nobody pending,
        nobody in doubt, at least one witness, and every witness's copy equal to what was approved.
Rule 2: a copy that differs, or totals that do not balance, is a negative verdict at once; but
        nothing is decided while somebody is pending or in doubt.
Rule 3: a copy that was not seen is never called arrived. It is looked for again until the limit;
        then it is a negative verdict.
Rule 4: a mailbox that cannot be read proves nothing either way: past the limit a person decides.
        The same holds without witnesses and for a sending by other means: the clerk holds the case,
        and the reminders of activity 5 go on.
Rule 5: one reminder per time that came due; at the escalation the process owner is told; after it
        the reminders go on. A limit that passed while nobody looked is noticed in office hours.

Sources: design.md §1 (verify), §2.2, §2.7, §2.8; practice.md §5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from circular.workflow.acts import Figures


class Reason(StrEnum):
    """Why a verdict is what it is. Shown to people: every member has a translated sentence."""

    TOTALS_BALANCE = "totals_balance"
    TOTALS_DIFFER = "totals_differ"
    STILL_PENDING = "still_pending"
    NOBODY_IN_DOUBT = "nobody_in_doubt"
    SOMEBODY_IN_DOUBT = "somebody_in_doubt"
    CONTENT_AS_APPROVED = "content_as_approved"
    CONTENT_NOT_AS_APPROVED = "content_not_as_approved"
    WITNESSES_RECEIVED = "witnesses_received"
    WITNESS_NOT_SEEN = "witness_not_seen"
    WITNESS_UNREADABLE = "witness_unreadable"
    NO_WITNESS = "no_witness"
    TEXT_EQUALS = "text_equals"
    TEXT_DIFFERS = "text_differs"
    OTHER_MEANS = "other_means"


GOOD = frozenset(
    {
        Reason.TOTALS_BALANCE,
        Reason.NOBODY_IN_DOUBT,
        Reason.CONTENT_AS_APPROVED,
        Reason.WITNESSES_RECEIVED,
        Reason.TEXT_EQUALS,
    }
)


class Sight(StrEnum):
    """What was seen of one witness's copy."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_SEEN = "not_seen"
    UNREADABLE = "unreadable"  # the mailbox could not be opened or read


class Outcome(StrEnum):
    """What a look at a case came to."""

    WAITING = "waiting"  # look again later
    HELD = "held"  # a person has to decide
    POSITIVE = "positive"
    NEGATIVE = "negative"


FINAL = frozenset({Outcome.POSITIVE, Outcome.NEGATIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingFacts:
    """What one sending looks like now."""

    by_other_means: bool
    figures: Figures
    as_approved: bool  # what was put on the wire bears the approved digest
    sights: tuple[Sight, ...]  # one per witness
    limit_at: datetime | None  # when the copies must have been seen


@dataclass(frozen=True, slots=True)
class Decision:
    """What is due, and the reasons in the order in which they are told."""

    outcome: Outcome
    reasons: tuple[Reason, ...]


def decide(facts: SendingFacts, now: datetime) -> Decision:
    """Decide what the verification of a sending comes to."""
    reasons = tuple(_reasons(facts))
    if Reason.STILL_PENDING in reasons:
        return Decision(Outcome.WAITING, reasons)
    if Reason.SOMEBODY_IN_DOUBT in reasons:
        return Decision(Outcome.HELD, reasons)
    if {Reason.TOTALS_DIFFER, Reason.CONTENT_NOT_AS_APPROVED, Reason.TEXT_DIFFERS} & set(reasons):
        return Decision(Outcome.NEGATIVE, reasons)
    if facts.by_other_means or Reason.NO_WITNESS in reasons:
        return Decision(Outcome.HELD, reasons)
    past = facts.limit_at is not None and now >= facts.limit_at
    if Reason.WITNESS_NOT_SEEN in reasons:
        # One copy that never came is enough: an unreadable mailbox beside it changes nothing.
        return Decision(Outcome.NEGATIVE if past else Outcome.WAITING, reasons)
    if Reason.WITNESS_UNREADABLE in reasons:
        return Decision(Outcome.HELD if past else Outcome.WAITING, reasons)
    return Decision(Outcome.POSITIVE, reasons)


def _reasons(facts: SendingFacts) -> Sequence[Reason]:
    found = [Reason.TOTALS_BALANCE if facts.figures.balance else Reason.TOTALS_DIFFER]
    if facts.figures.pending:
        found.append(Reason.STILL_PENDING)
    found.append(Reason.SOMEBODY_IN_DOUBT if facts.figures.in_doubt else Reason.NOBODY_IN_DOUBT)
    if facts.by_other_means:
        return [*found, Reason.OTHER_MEANS]
    found.append(
        Reason.CONTENT_AS_APPROVED if facts.as_approved else Reason.CONTENT_NOT_AS_APPROVED
    )
    sights = set(facts.sights)
    if not sights:
        return [*found, Reason.NO_WITNESS]
    if Sight.NOT_SEEN in sights:
        found.append(Reason.WITNESS_NOT_SEEN)
    if Sight.UNREADABLE in sights:
        found.append(Reason.WITNESS_UNREADABLE)
    if Sight.DIFFERENT in sights:
        found.append(Reason.TEXT_DIFFERS)
    if sights == {Sight.EQUAL}:
        found += [Reason.WITNESSES_RECEIVED, Reason.TEXT_EQUALS]
    return found


# A mail on the campus arrives within seconds; a witness at a provider may be greylisted (RFC 6647
# §5: a few minutes). Looking costs one IMAP visit.
SOONEST = timedelta(seconds=3)
LATEST = timedelta(minutes=10)
# What a person has to decide changes when he acts, not by itself.
HELD_FOR = timedelta(minutes=1)


def next_look_at(attempts: int, outcome: Outcome, now: datetime) -> datetime:
    """Say when to look again after this many looks: soon at first, then ever later."""
    if outcome is Outcome.HELD:
        return now + HELD_FOR
    doubled = SOONEST * (1 << min(attempts, 12))  # 4096 times is far beyond LATEST
    return now + min(doubled, LATEST)


class Due(StrEnum):
    """What an unfulfilled duty calls for."""

    NOTHING = "nothing"
    REMIND = "remind"
    ESCALATE = "escalate"
    LAPSE = "lapse"


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyFacts:
    """An open duty as the clerk's round meets it."""

    is_draft: bool  # nobody filed it: it is no case yet
    due_at: datetime
    next_reminder_at: datetime | None
    reminders: int
    escalate_after: int
    escalated: bool
    office_open: bool


# A limit may fall on the last minute of the day, and a round comes seconds later.
STILL_ON_TIME = timedelta(hours=1)


def what_is_due(duty: DutyFacts, now: datetime) -> Due:
    """Say what the silence about a duty calls for now."""
    if duty.is_draft:
        return Due.LAPSE if now >= duty.due_at else Due.NOTHING
    if now < duty.due_at or duty.next_reminder_at is None or now < duty.next_reminder_at:
        return Due.NOTHING
    if not duty.office_open and now - duty.next_reminder_at > STILL_ON_TIME:
        return Due.NOTHING
    if not duty.escalated and duty.reminders >= duty.escalate_after:
        return Due.ESCALATE
    return Due.REMIND
