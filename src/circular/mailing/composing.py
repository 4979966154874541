"""A draft and the institution's frame become the content that is approved. Pure.

Rules:
  1. The frame is applied before approval, so that what is approved is what arrives; its version is
     part of the content.
  2. The text part is what the requester wrote for it, or else the words of the HTML.
  3. Merge fields stay open; one that does not exist is refused here, not at sending.
  4. Nothing a requester writes is looked up again: the places of the frame are filled in one pass.

Sources: design §2.3; look.md §5 (the message of a circular).
"""

from __future__ import annotations

import html as escaping
import re
from collections.abc import Mapping
from dataclasses import dataclass

import css_inline

from circular.mailformat.addresses import normalize
from circular.mailformat.flowing import flowing
from circular.mailformat.html import text_of
from circular.mailing.cleaning import Advice, advice_on, clean_html
from circular.mailing.content import (
    ContentError,
    StencilContent,
    StencilFile,
    canonical_json,
    check,
    one_line,
    open_fields,
    tidy,
)
from circular.mailing.kinds import MailClass

_PLACE = re.compile(r"\[\[([a-z_]+)\]\]")
PLACES = frozenset(
    {"institution", "unit", "subject", "body", "notice", "lang", "accent", "tick", "mail_word"}
)
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")
_ACCENT = "#1f4a93"  # look.css --c-accent
_TICK = "#17693a"  # look.css --c-tick


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFacts:
    """The frame in force and the institution's words in it."""

    version: int
    html: str
    text: str
    institution: str
    accent: str = _ACCENT
    tick: str = _TICK
    mail_word: str = "correo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a requester wants to send, as typed.

    Shapes:  ``html`` may be empty: the text becomes paragraphs; ``audience_rule`` plain JSON
    """

    sender_name: str
    sender_address: str
    reply_to: str = ""
    subject: str
    html: str = ""
    text: str = ""
    files: tuple[StencilFile, ...] = ()
    mail_class: MailClass = MailClass.INFORMATIVE
    audience_rule: object = None
    unit_name: str = ""
    notice: str = ""
    language: str = "es"


@dataclass(frozen=True, slots=True)
class Composed:
    """The content ready for approval, and what its author should look at first."""

    content: StencilContent
    advice: tuple[Advice, ...]


def frame_problem(html: str, text: str) -> str:
    """Say what is wrong with a frame as a code, or return nothing."""
    for part in (html, text):
        places = _PLACE.findall(part)
        if places.count("body") != 1:
            return "body_once"
        if not PLACES.issuperset(places):
            return "unknown_place"
    return ""


def compose(draft: Draft, frame: FrameFacts) -> Composed:
    """Return the content of a draft within the frame.

    Raises:  ContentError with a code that ``labels`` explains; cleaning.TooLongError
    """
    subject = one_line(draft.subject)
    body = clean_html(draft.html) if draft.html.strip() else paragraphs(draft.text)
    words = draft.text if draft.text.strip() else text_of(body)
    if not words.strip():
        raise ContentError("no_text")
    sender = normalize(draft.sender_address)
    if sender is None:
        raise ContentError("no_sender")
    reply_to = normalize(draft.reply_to) if draft.reply_to.strip() else sender
    if reply_to is None:
        raise ContentError("bad_reply_to")
    shared = {
        "institution": frame.institution,
        "unit": draft.unit_name,
        "subject": subject,
        "notice": draft.notice,
        "lang": "es-CO" if draft.language == "es" else draft.language,
        "mail_word": frame.mail_word,
        "accent": frame.accent if _COLOUR.match(frame.accent) else _ACCENT,
        "tick": frame.tick if _COLOUR.match(frame.tick) else _TICK,
    }
    framed = _fill(
        frame.html,
        {name: escaping.escape(value) for name, value in shared.items()} | {"body": body},
    )
    html = tidy(_inlined(framed))
    filled_text = _fill(frame.text, shared | {"body": tidy(words).strip("\n")})
    text = tidy(re.sub(r"\n{3,}", "\n\n", filled_text))  # an empty place leaves no hole
    content = StencilContent(
        sender_name=one_line(draft.sender_name),
        sender_address=sender,
        reply_to=reply_to,
        subject=subject,
        html=html,
        text=text,
        files=draft.files,
        mail_class=draft.mail_class,
        audience_rule=""
        if draft.audience_rule is None
        else canonical_json(draft.audience_rule).decode("utf-8"),
        language=draft.language,
        frame_version=frame.version,
        merge_fields=open_fields(subject, html, text),
    )
    attached = sum(file.octets for file in draft.files)
    return Composed(check(content), advice_on(body, draft.html, subject, attached))


def paragraphs(text: str) -> str:
    """Return plain text as HTML paragraphs that flow, addresses of pages as links."""
    blocks = re.split(r"\n\s*\n", flowing(tidy(text)).strip("\n"))
    return "\n".join(
        f"<p>{_linked(escaping.escape(block)).replace(chr(10), '<br>')}</p>"
        for block in blocks
        if block.strip()
    )


def _linked(escaped: str) -> str:
    return re.sub(
        r"https?://[^\s<>&\"']+(?:&amp;[^\s<>&\"']+)*[^\s<>&\"'.,;:)]",
        lambda match: f'<a href="{match[0]}">{match[0]}</a>',
        escaped,
    )


def _fill(template: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda match: values.get(match[1], ""), template)


def _inlined(html: str) -> str:
    return css_inline.CSSInliner(
        load_remote_stylesheets=False, keep_style_tags=False, keep_link_tags=False
    ).inline(html)
