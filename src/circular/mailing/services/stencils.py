"""Content is composed within the frame and stored under its digest; frames succeed each other."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, override

from circular.evidence.actors import Actor
from circular.evidence.services import HOUSE, EntryDraft, append
from circular.mailing import queries
from circular.mailing.composing import Composed, Draft, FrameFacts, compose, frame_problem
from circular.mailing.content import ContentError, StencilContent, check, tidy
from circular.mailing.kinds import MailClass
from circular.mailing.models import Frame, Stencil
from circular.people.queries import InstitutionRow, institution


@transaction.atomic
def current_frame() -> queries.FrameRow:
    """Return the frame in force; the one that comes with Circular becomes version 1 on first use.

    Repeat:  several first uses at once store one row
    """
    frame = queries.newest_frame()
    if frame is not None:
        return frame
    html, text = queries.shipped_frame()
    Frame.objects.bulk_create(
        [Frame(version=1, html=html, text=text, created_at=timezone.now())],
        ignore_conflicts=True,
    )
    stored = Frame.objects.order_by("-version").first()
    assert stored is not None
    return queries.FrameRow(stored.version, stored.html, stored.text)


@transaction.atomic
def save_frame(html: str, text: str, *, by: Actor) -> int:
    """Put a new version of the frame in force; mailings already composed keep theirs.

    Raises:  ContentError when a frame has no place for the body, or a place nobody knows
    """
    problem = frame_problem(html, text)
    if problem:
        raise ContentError(problem)
    now = timezone.now()
    row = Frame.objects.create(
        version=current_frame().version + 1,
        html=tidy(html),
        text=tidy(text),
        created_at=now,
        created_by_id=by.person,
    )
    append(
        EntryDraft(
            chain=HOUSE,
            act="frame_saved",
            by=by,
            at=now,
            facts={
                "version": row.version,
                "html": hashlib.sha256(row.html.encode("utf-8")).hexdigest(),
                "text": hashlib.sha256(row.text.encode("utf-8")).hexdigest(),
            },
        )
    )
    return row.version


def compose_stencil(draft: Draft, *, filing_number: str = "") -> Composed:
    """Return a draft within the institution's frame, ready to be saved, with advice.

    The notice at the foot (who authorised it, under which number) is written here unless the
    draft brings its own.

    Raises:  ContentError with a code; cleaning.TooLongError
    """
    house = institution()
    frame = current_frame()
    with override(draft.language):
        facts = FrameFacts(
            version=frame.version,
            html=frame.html,
            text=frame.text,
            institution=house.name,
            **{
                name: value
                for name, value in (("accent", house.accent), ("tick", house.tick))
                if value
            },
            mail_word=gettext("correo"),
        )
        notice = draft.notice or _notice(draft.mail_class, house, filing_number)
    return compose(replace(draft, notice=notice), facts)


def _notice(mail_class: MailClass, house: InstitutionRow, filing_number: str) -> str:
    """Return the sentence that says who let this mail out."""
    sentences = {
        MailClass.OFFICIAL: gettext("Correo oficial autorizado por %(office)s"),
        MailClass.INFORMATIVE: gettext("Correo informativo autorizado por %(office)s"),
        MailClass.PROMOTIONAL: gettext("Correo promocional autorizado por %(office)s"),
    }
    sentence = sentences[mail_class] % {"office": house.communications_name}
    if filing_number:
        sentence += gettext(", radicado %(number)s") % {"number": filing_number}
    return f"{sentence}."


def save_stencil(content: StencilContent, *, by: Actor) -> str:
    """Store content under its digest and return the digest.

    Repeat:  the same content is one row
    Raises:  ContentError
    """
    del by  # who bound it to a case is that case's entry; the content itself has no author
    check(content)
    found = content.digest()
    Stencil.objects.bulk_create(
        [
            Stencil(
                digest=found,
                content=content.to_json(),
                mail_class=content.mail_class.value,
                subject=content.subject,
                frame_version=content.frame_version,
                created_at=timezone.now(),
            )
        ],
        ignore_conflicts=True,
    )
    return found
