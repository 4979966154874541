"""Our own letters: which there are, what each needs, and each of them rendered whole.

A letter is a subject, a text part and an HTML part in the reader's language, made from one sheet
(`letter_layout`) that `letter_wording` fills. Sending one is `mailing.services.post_letter`.

When it fails: a context with a missing or unknown key raises `ContextMismatchError` before anything is
rendered; nothing is ever sent half filled.
"""

import zoneinfo
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, cast

from django.conf import settings
from django.utils import translation

from circular.mailing import letter_contexts as given
from circular.mailing import letter_wording as wording
from circular.mailing.letter_layout import RenderedLetter, Sheet, layout
from circular.mailing.letter_wording import Voice
from circular.people.queries import institution

__all__ = [
    "ContextMismatchError",
    "Letter",
    "RenderedLetter",
    "Voice",
    "render_letter",
    "voice_of_house",
]


class ContextMismatchError(TypeError):
    """A letter was given too little, or something it does not know."""


class Letter(StrEnum):
    """Every letter of the house. The values are stored with the mailing; never rename one."""

    DRAFT_RECEIVED = "draft_received"
    ACKNOWLEDGEMENT = "acknowledgement"
    MISSING = "missing"
    RETURNED = "returned"
    REJECTED = "rejected"
    APPROVED = "approved"
    REQUEST_TO_REVIEW = "request_to_review"
    CONSENT_ASKED = "consent_asked"
    URGENT_DECLARED = "urgent_declared"
    FORWARDED = "forwarded"
    SENT_BACK = "sent_back"
    PROOF = "proof"
    CONFIRMATION_TO_COMMUNICATIONS = "confirmation_to_communications"
    CONFIRMATION_TO_REQUESTER = "confirmation_to_requester"
    VERDICT_POSITIVE = "verdict_positive"
    VERDICT_NEGATIVE = "verdict_negative"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    NOT_SENT = "not_sent"
    CANCELLED = "cancelled"
    CORRESPONDENCE = "correspondence"
    SIGN_IN_CODE = "sign_in_code"
    INVITATION = "invitation"
    ANCHOR = "anchor"

    @property
    def is_secret(self) -> bool:
        """Tell whether the body holds something that opens a door, and so is dropped when settled."""
        return self in SECRETS


# Whoever could read the stored body could act as the person it was written to.
SECRETS = frozenset({Letter.DRAFT_RECEIVED, Letter.SIGN_IN_CODE, Letter.INVITATION})

# The type of the context and the function that words it.
_LETTERS: dict[Letter, tuple[Any, Callable[[Any, Voice], Sheet]]] = {
    Letter.DRAFT_RECEIVED: (given.DraftReceivedContext, wording.draft_received),
    Letter.ACKNOWLEDGEMENT: (given.AcknowledgementContext, wording.acknowledgement),
    Letter.MISSING: (given.MissingContext, wording.missing),
    Letter.RETURNED: (given.ReturnedContext, wording.returned),
    Letter.REJECTED: (given.RejectedContext, wording.rejected),
    Letter.APPROVED: (given.ApprovedContext, wording.approved),
    Letter.REQUEST_TO_REVIEW: (given.RequestToReviewContext, wording.request_to_review),
    Letter.CONSENT_ASKED: (given.ConsentAskedContext, wording.consent_asked),
    Letter.URGENT_DECLARED: (given.UrgentDeclaredContext, wording.urgent_declared),
    Letter.FORWARDED: (given.ForwardedContext, wording.forwarded),
    Letter.SENT_BACK: (given.SentBackContext, wording.sent_back),
    Letter.PROOF: (given.ProofContext, wording.proof),
    Letter.CONFIRMATION_TO_COMMUNICATIONS: (
        given.ConfirmationToCommunicationsContext,
        wording.confirmation_to_communications,
    ),
    Letter.CONFIRMATION_TO_REQUESTER: (
        given.ConfirmationToRequesterContext,
        wording.confirmation_to_requester,
    ),
    Letter.VERDICT_POSITIVE: (given.VerdictContext, wording.verdict_positive),
    Letter.VERDICT_NEGATIVE: (given.NegativeVerdictContext, wording.verdict_negative),
    Letter.REMINDER: (given.ReminderContext, wording.reminder),
    Letter.ESCALATION: (given.EscalationContext, wording.escalation),
    Letter.NOT_SENT: (given.NotSentContext, wording.not_sent),
    Letter.CANCELLED: (given.CancelledContext, wording.cancelled),
    Letter.CORRESPONDENCE: (given.CorrespondenceContext, wording.correspondence),
    Letter.SIGN_IN_CODE: (given.SignInCodeContext, wording.sign_in_code),
    Letter.INVITATION: (given.InvitationContext, wording.invitation),
    Letter.ANCHOR: (given.AnchorContext, wording.anchor),
}


def voice_of_house(language: str) -> Voice:
    """Speak for this installation: names from the institution's row, address from the settings."""
    house = institution()
    return Voice(
        institution=house.name,
        communications=house.communications_name,
        it=house.it_name,
        base_url=settings.BASE_URL,
        zone=zoneinfo.ZoneInfo(settings.TIME_ZONE),
        language=language if language in wording.MONTHS else "es",
    )


def render_letter(
    letter: Letter, context: Mapping[str, Any], language: str, *, voice: Voice | None = None
) -> RenderedLetter:
    """Render a letter complete, in the reader's language; the same facts stand in both parts.

    Raises: ContextMismatchError for a missing or unknown key; KeyError never.
    """
    shape, word = _LETTERS[letter]
    missing = shape.__required_keys__ - context.keys()
    unknown = context.keys() - shape.__required_keys__ - shape.__optional_keys__
    if missing or unknown:
        raise ContextMismatchError(
            f"{letter}: missing {sorted(missing)}, unknown {sorted(unknown)}"
        )
    speaker = voice_of_house(language) if voice is None else voice
    with translation.override(speaker.language):
        sheet = word(cast("Any", context), speaker)
        return layout(
            sheet,
            language=speaker.language,
            institution=speaker.institution,
            office=speaker.communications,
        )
