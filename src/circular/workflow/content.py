"""What a requester asks for, as one value that services take, and what it still lacks. Pure.

Known gaps: whether a text is fit to be sent (`mailing.content`) is asked when the stencil is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from circular.mailing.kinds import MailClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file of the message; its decoded bytes lie in the archive under their digest."""

    name: str
    media_type: str
    digest: str
    octets: int
    content_id: str = ""
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One version of what is asked for; anything may still be empty in a draft."""

    sender: int | None = None  # people.Sender id
    reply_to: str = ""
    subject: str = ""
    html: str = ""
    text: str = ""
    attachments: tuple[Attached, ...] = ()
    audience: Mapping[str, object] | None = None  # a rule as directory writes it
    audience_words: str = ""
    mail_class: MailClass = MailClass.INFORMATIVE
    wanted_at: datetime | None = None
    wanted_words: str = ""
    reason: str = ""


def missing(
    content: Content, *, unit: int | None, requester: int | None, same_recipients: bool = False
) -> frozenset[str]:
    """Return the codes of what must be there before a request can be filed (seed activity 1).

    The procedure asks for sender, subject and message; an audience and a unit are what a filing
    cannot do without. An erratum goes to the recipients of the mailing that it corrects.
    """
    lacking = {
        "unit": unit is None,
        "responsible": requester is None,
        "sender": content.sender is None,
        "subject": not content.subject.strip(),
        "message": not (content.html.strip() or content.text.strip()),
        "audience": content.audience is None and not same_recipients,
    }
    return frozenset(code for code, lacks in lacking.items() if lacks)
