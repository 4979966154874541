"""Say what an incoming message is, from the message and what the rooms know of it. Pure.

Rules, in this order; the first that fits decides
 1. Our own message in our own inbox, or one that went round too often, is a loop: nobody is answered.
 2. A delivery report settles a recipient only by a token of ours; without one a person looks at it.
 3. What a program wrote (RFC 3834) never makes a draft and never an answer.
 4. Exactly one From with exactly one readable address, or a person looks at it.
 5. An answer to a letter of a case is correspondence of that case, whoever wrote it: it moves nothing.
 6. An unknown or deactivated account is a stranger: kept, never answered.
 7. The same words by the same author again are one request.
 8. Anything else is a new request, and even that is only a draft: the From line is a claim, and the
    answer goes to the account's own mailbox.

Nothing here raises; every message is exactly one of these.
Sources: RFC 3834 §2; RFC 3464; design §2.6; reliability.md §2 rules 8 and 9, §3.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from circular.intake.words import Reason, SortedAs
from circular.mailformat.dsn import Action, Report
from circular.mailformat.incoming import Defect, Incoming, Sign

MOST_HOPS: Final = 50  # Postfix's hopcount_limit


class Standing(StrEnum):
    """What the directory says of the one address in From."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the rooms know of a message, looked up before it is sorted."""

    null_sender: bool = False  # the envelope's
    reports: tuple[Report, ...] = ()
    recipient: int | None = None  # named by a token of ours: envelope, or the returned message
    own_message: bool = False  # its Message-ID is one of ours
    own_addresses: frozenset[str] = frozenset()  # from which only Circular writes
    case: int | None = None  # named by a token of ours in References, or the letter answered
    answers_circular: bool = False  # it answers a mass mail, not a letter
    standing: Standing = Standing.UNKNOWN
    earlier: int | None = None  # the request that the same words made before
    answered_too_often: bool = False


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A known account asks for a mass mail."""

    author: str
    reason: Reason = Reason.KNOWN_ACCOUNT
    sorted_as: SortedAs = SortedAs.NEW_REQUEST


@dataclass(frozen=True, slots=True)
class ReplyToCase:
    """Correspondence of a case."""

    case: int
    author: str
    reason: Reason = Reason.ANSWERS_A_LETTER
    sorted_as: SortedAs = SortedAs.REPLY


@dataclass(frozen=True, slots=True)
class BounceReport:
    """A recipient of ours was not reached."""

    recipient: int
    is_permanent: bool
    status: str
    diagnostic: str
    reason: Reason = Reason.OUR_TOKEN
    sorted_as: SortedAs = SortedAs.BOUNCE


@dataclass(frozen=True, slots=True)
class UnmatchedReport:
    """A delivery report that names nobody of ours, or in words only: a person looks at it."""

    reason: Reason
    sorted_as: SortedAs = SortedAs.BOUNCE


@dataclass(frozen=True, slots=True)
class AutoReply:
    """A program wrote it; it is kept and answered by nobody."""

    reason: Reason
    sorted_as: SortedAs = SortedAs.AUTO_REPLY


@dataclass(frozen=True, slots=True)
class Stranger:
    """No account of this institution; kept in a tray, never answered."""

    author: str
    reason: Reason
    sorted_as: SortedAs = SortedAs.STRANGER


@dataclass(frozen=True, slots=True)
class Unsortable:
    """A person has to look at it."""

    reason: Reason
    sorted_as: SortedAs = SortedAs.UNSORTABLE


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same words by the same author made a request before."""

    request: int
    author: str
    reason: Reason = Reason.ARRIVED_BEFORE
    sorted_as: SortedAs = SortedAs.DUPLICATE


@dataclass(frozen=True, slots=True)
class Loop:
    """Our own mail came back in; answering would never end."""

    reason: Reason
    sorted_as: SortedAs = SortedAs.LOOP


Sorted = (
    NewRequest
    | ReplyToCase
    | BounceReport
    | UnmatchedReport
    | AutoReply
    | Stranger
    | Unsortable
    | Duplicate
    | Loop
)

# Mailboxes that no person writes from: RFC 2142 §5, RFC 5321 §4.5.1, and those that Sympa refuses.
_SYSTEM_MAILBOXES: Final = frozenset(
    [
        "mailer-daemon",
        "mail-daemon",
        "mailerdaemon",
        "postmaster",
        "post_master",
        "listserv",
        "majordomo",
        "sympa",
        "mailman",
        "no-reply",
        "noreply",
        "no_reply",
        "do-not-reply",
        "donotreply",
    ]
)


def sort(incoming: Incoming, known: Known) -> Sorted:
    """Say what a message is.

    Repeat:  the same message and knowledge give the same answer
    """
    if known.own_message:
        return Loop(Reason.OUR_OWN_MAIL)
    if incoming.hops > MOST_HOPS:
        return Loop(Reason.TOO_MANY_HOPS)
    program = _report(known) or _program(incoming, known)
    if program is not None:
        return program
    author = author_of(incoming)
    if isinstance(author, Reason):
        return Unsortable(author)
    # All that Circular writes carries a Message-ID of its own (above): this is a person who shares
    # our mailbox, or somebody who pretends. An answer to a case counts, anything else does not.
    if author in known.own_addresses and known.case is None:
        return Loop(Reason.OUR_OWN_ADDRESS)
    return _from_a_person(incoming, known, author)


def _program(incoming: Incoming, known: Known) -> UnmatchedReport | AutoReply | None:
    """Say what a program wrote; what a mail server wrote may be a bounce in words: for a person."""
    locals_ = {box.written.partition("@")[0].strip('"<').lower() for box in incoming.from_}
    if locals_ & _SYSTEM_MAILBOXES:
        return UnmatchedReport(Reason.SYSTEM_MAILBOX)
    if incoming.signs & {Sign.AUTO_SUBMITTED, Sign.AUTO_REPLY}:
        return AutoReply(Reason.AUTO_SUBMITTED)
    if known.null_sender or Sign.NULL_RETURN_PATH in incoming.signs:
        return UnmatchedReport(Reason.NULL_SENDER)
    if Sign.REPORT in incoming.signs:
        return UnmatchedReport(Reason.DELIVERY_REPORT)
    if incoming.signs & {Sign.LIST, Sign.BULK}:
        return AutoReply(Reason.BULK_OR_LIST)
    return None


def author_of(incoming: Incoming) -> str | Reason:
    """Return the one address that wrote, or why there is none that may count."""
    if not incoming.from_:
        return Reason.NO_FROM
    if len(incoming.from_) > 1:
        return Reason.SEVERAL_FROM
    return incoming.from_[0].address or Reason.UNREADABLE_FROM


def _report(known: Known) -> BounceReport | UnmatchedReport | None:
    told = [r for r in known.reports if r.action in (Action.FAILED, Action.DELAYED)]
    if told:
        if known.recipient is None:
            return UnmatchedReport(Reason.NO_TOKEN_OF_OURS)
        # A report on one copy names one recipient; if it names several, giving up weighs most.
        worst = next((r for r in told if r.is_permanent), told[0])
        return BounceReport(known.recipient, worst.is_permanent, worst.status, worst.diagnostic)
    return None


def _from_a_person(incoming: Incoming, known: Known, author: str) -> Sorted:
    if known.case is not None:
        return ReplyToCase(known.case, author)
    if known.standing is Standing.UNKNOWN:
        return Stranger(author, Reason.UNKNOWN_ADDRESS)
    if known.standing is Standing.INACTIVE:
        return Stranger(author, Reason.INACTIVE_ACCOUNT)
    if known.answers_circular:
        return Unsortable(Reason.ANSWERS_A_CIRCULAR)
    if known.earlier is not None:
        return Duplicate(known.earlier, author)
    if Defect.TOO_MANY_PARTS in incoming.defects:
        return Unsortable(Reason.TOO_MANY_PARTS)
    if Defect.TOO_DEEP in incoming.defects:
        return Unsortable(Reason.TOO_DEEP)
    if known.answered_too_often:
        return Unsortable(Reason.TOO_MANY_TODAY)
    return NewRequest(author)


# What a person looks at: the tray of unsorted mail.
FOR_A_PERSON: Final = frozenset({SortedAs.STRANGER, SortedAs.UNSORTABLE})
