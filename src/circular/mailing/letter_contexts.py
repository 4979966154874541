"""What a caller must hand over so that a letter can be written: one typed mapping per letter.

Rules
1. Values are plain: text, whole numbers, aware times, codes; sentences are made by `letter_wording`.
2. Texts that a person wrote (reasons, notes) may have several lines; every other text is one line.
3. A missing or an unknown key is refused before anything is rendered (`letters.render_letter`).

A mapping, not a class: whoever posts a letter writes a literal, and mypy checks it where it is
annotated with the name below.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NotRequired, TypedDict


class MatterContext(TypedDict):
    """Every letter about a matter, filed or not yet."""

    subject: str  # of the mass mail that was asked for


class CaseContext(MatterContext):
    """Every letter about a filed request."""

    filing_number: str  # CIR-2026-000412
    procedure_code: str  # PE-GE-2.3-PR-21
    procedure_version: int


class DraftReceivedContext(MatterContext):
    """A mail was understood as a draft; the one-time link shows and files it."""

    link: str  # absolute; opens the page of the draft
    expires_at: datetime
    understood: Sequence[tuple[str, str]]  # (field code of letter_wording.FIELDS, what was read)
    missing: Sequence[str]  # field codes
    procedure_code: str
    procedure_version: int


class AcknowledgementContext(CaseContext):
    """The radicado was drawn; the expected dates."""

    filed_at: datetime
    review_due_at: NotRequired[datetime | None]
    dispatch_due_at: NotRequired[datetime | None]
    wanted_at: NotRequired[datetime | None]
    confirmation_hours: NotRequired[int | None]  # business hours after the last message
    audience_count: NotRequired[int | None]
    skipped_days: NotRequired[Sequence[date]]  # non-working weekdays that moved the dates


class MissingContext(MatterContext):
    """Communications asks for what a draft or a filed request lacks."""

    filing_number: NotRequired[str | None]
    link: NotRequired[str]  # for a draft: its own page
    missing: NotRequired[Sequence[str]]  # field codes
    note: NotRequired[str]  # in the words of the person who asks
    procedure_code: str
    procedure_version: int


class ReturnedContext(CaseContext):
    """Returned for correction."""

    reason: str
    returned_at: datetime
    due_at: NotRequired[datetime | None]


class RejectedContext(CaseContext):
    """Refused for good, with the channel that suits it better."""

    reason: str
    channel: NotRequired[str]
    rejected_at: datetime


class ApprovedContext(CaseContext):
    """Told to the requester: approved and handed to the IT division."""

    approved_at: datetime
    wanted_at: NotRequired[datetime | None]
    dispatch_due_at: NotRequired[datetime | None]
    audience_count: NotRequired[int | None]
    content_digest: NotRequired[str]


class RequestToReviewContext(CaseContext):
    """Told to Communications: a request was filed, or came back corrected."""

    filed_at: datetime  # of this hand-over
    unit: str
    sender: str
    audience: str  # the rule in words
    audience_count: NotRequired[int | None]
    mail_class: str
    wanted_at: NotRequired[datetime | None]
    due_at: NotRequired[datetime | None]
    urgent: NotRequired[bool]
    resubmitted: NotRequired[bool]


class ConsentAskedContext(CaseContext):
    """Told to an authority over the audience: its authorisation is missing."""

    approved_at: datetime
    unit: str
    sender: str
    audience: str
    audience_count: NotRequired[int | None]
    mail_class: str
    wanted_at: NotRequired[datetime | None]
    due_at: NotRequired[datetime | None]
    content_digest: NotRequired[str]


class UrgentDeclaredContext(CaseContext):
    """Told to Communications and the IT division: the shorter limits run."""

    declared_at: datetime
    declared_by: str  # post, then person
    reason: str
    due_at: NotRequired[datetime | None]


class ForwardedContext(CaseContext):
    """Told to the IT division: activity 2, the hand-over."""

    forwarded_at: datetime
    unit: str
    sender: str
    audience: str  # the rule in words
    audience_count: NotRequired[int | None]
    mail_class: str  # oficial | informativo | promocional
    wanted_at: NotRequired[datetime | None]
    due_at: NotRequired[datetime | None]
    content_digest: NotRequired[str]


class SentBackContext(CaseContext):
    """The IT division sends the request back to Communications."""

    reason: str
    sent_back_at: datetime
    due_at: NotRequired[datetime | None]


class ProofContext(CaseContext):
    """A test message is on its way; the requester's sign-off is asked."""

    tested_at: datetime
    due_at: NotRequired[datetime | None]
    content_digest: str


class FiguresContext(CaseContext):
    """The six totals of a mailing and their sum, with start and end."""

    accepted: int
    refused: int
    bounced: int
    suppressed: int
    in_doubt: int
    pending: int
    audience_count: int
    started_at: datetime
    ended_at: datetime
    confirmed_at: datetime
    declared: NotRequired[bool]  # sent by other means: the figures are declared by the IT division
    seal_sequence: int  # head of the house chain
    seal_digest: str


class ConfirmationToCommunicationsContext(FiguresContext):
    """Activity 4, first half."""

    operator: str  # post, then person: "Operador de envíos (P. Ejemplo)"
    audience: str  # the rule in words
    content_digest: NotRequired[str]


class ConfirmationToRequesterContext(FiguresContext):
    """Activity 4, second half: verification in progress."""


class VerdictContext(CaseContext):
    """The verdict of the verification and its reasons."""

    verified_at: datetime
    verified_by: NotRequired[str]
    checks: Sequence[tuple[bool, str]]  # (holds, the sentence)
    accepted: NotRequired[int]
    audience_count: NotRequired[int]
    seal_sequence: NotRequired[int]
    seal_digest: NotRequired[str]


class NegativeVerdictContext(VerdictContext):
    """A negative verdict also shows where the text received differs."""

    difference: NotRequired[Sequence[str]]  # unified diff lines


class ReminderContext(CaseContext):
    """A time limit was reached, or a person asks before it is (activity 5)."""

    stage: str  # code of letter_wording.STAGES
    owed_by: str  # name of the post
    started_at: datetime
    due_at: datetime
    limit_hours: NotRequired[int | None]  # business hours
    number: int  # this is reminder number … (0: the limit is still ahead)
    of: int  # … of this many before it escalates
    next_at: NotRequired[datetime | None]
    next_hours: NotRequired[int | None]
    next_escalates: NotRequired[bool]
    audience_count: NotRequired[int | None]


class EscalationContext(CaseContext):
    """The reminders had no effect; the process owner is told."""

    stage: str
    owed_by: str
    started_at: datetime
    due_at: datetime
    reminders: int
    overdue_hours: NotRequired[int | None]  # business hours past the limit
    audience_count: NotRequired[int | None]


class NotSentContext(CaseContext):
    """Found not sent: the reminder to the IT division."""

    found_at: datetime
    reason: NotRequired[str]
    missing_count: NotRequired[int | None]
    audience_count: NotRequired[int | None]
    due_at: NotRequired[datetime | None]


class CancelledContext(CaseContext):
    """The request was cancelled, by whom, and how many had been offered already."""

    cancelled_at: datetime
    cancelled_by: str
    reason: NotRequired[str]
    accepted: NotRequired[int | None]
    withdrawn: NotRequired[int | None]


class CorrespondenceContext(CaseContext):
    """A mail was filed on the case; shown to the post that holds it."""

    author: str  # address the mail came from
    received_at: datetime
    excerpt: str


class SignInCodeContext(TypedDict):
    """A one-time code for the page that asked for it."""

    code: str
    expires_at: datetime


class InvitationContext(TypedDict):
    """Somebody of the staff may set a password."""

    link: str
    expires_at: datetime
    post: NotRequired[str]
    full_name: NotRequired[str]


class AnchorContext(TypedDict):
    """The house head, sent outside every day."""

    sequence: int
    digest: str
    at: datetime
