"""Our own letters, sign-in codes and tests: small mailings that are opened and released in one act.

A mailing of kind *secret* leaves no chain of its own and no digest: its body is dropped after the
verdict, and a short code could be guessed from either.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from circular.evidence.actors import SYSTEM, Actor
from circular.evidence.services import EntryDraft, append, case_chain
from circular.mailformat import tokens
from circular.mailformat.addresses import normalize
from circular.mailformat.headers import sound_identifier
from circular.mailing.content import ContentError, StencilContent, check, one_line, tidy
from circular.mailing.kinds import MailClass, MailingKind, MailingState
from circular.mailing.letters import Letter, render_letter
from circular.mailing.models import Mailing
from circular.mailing.sealed import token_secret
from circular.mailing.services.freezing import add_named, create_mailing
from circular.mailing.services.releasing import OFFERED_FOR, release_mailing
from circular.mailing.services.stencils import save_stencil
from circular.people.postman import HouseLetter
from circular.people.queries import institution

_CODE_OFFERED_FOR = timedelta(minutes=30)  # a sign-in code is not valid for longer


@transaction.atomic
def send_test(stencil: str, *, to: Sequence[str], case: int | None, by: Actor) -> int:
    """Send the very content of a stencil to named addresses, by the very same path.

    Shapes:  addresses that are none are left out; each gets one copy
    Repeat:  sends again
    Raises:  ContentError when nobody is left
    """
    mailing_id = create_mailing(kind=MailingKind.TEST, stencil=stencil, case=case, by=by)
    count = _send_to_named(mailing_id, to, by=by)
    if not count:
        raise ContentError("no_recipient")
    return mailing_id


def _send_to_named(
    mailing_id: int,
    addresses: Sequence[str],
    *,
    by: Actor,
    deadline_after: timedelta | None = None,
) -> int:
    now = timezone.now()
    count = add_named(mailing_id, addresses)
    row = Mailing.objects.get(pk=mailing_id)
    row.state = MailingState.FROZEN
    row.frozen_at = now
    row.save(update_fields=["state", "frozen_at"])
    if count:
        release_mailing(mailing_id, by=by, deadline_after=deadline_after)
    return count


@transaction.atomic
def post_letter(
    letter: Letter,
    *,
    to: str,
    context: Mapping[str, object],
    case: int | None,
    language: str,
    in_thread: bool = True,
    references: Sequence[str] = (),
    kind: MailingKind | None = None,
    by: Actor,
) -> int:
    """Write one of our own letters and release it to one address; returns the mailing.

    Shapes:  ``references`` are Message-IDs that the letter answers (the requester's own mail)
    Repeat:  posts again; the caller's own state decides whether a letter is due
    Raises:  ContentError for an address that is none; NotConfiguredError
    """
    rendered = render_letter(letter, context, language)
    if kind is None:
        kind = MailingKind.SECRET if letter.is_secret else MailingKind.LETTER
    return post_text(
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        to=to,
        case=case,
        language=language,
        kind=kind,
        letter=letter.value,
        in_thread=in_thread,
        references=references,
        # An invitation is good for days; only a code to sign in with is gone in minutes.
        deadline_after=_CODE_OFFERED_FOR
        if letter is Letter.SIGN_IN_CODE
        else OFFERED_FOR[MailingKind.LETTER],
        by=by,
    )


def post_house_letter(
    letter: HouseLetter, to: str, language: str, context: Mapping[str, object]
) -> int:
    """Post a letter of the room of people (a code, an invitation); returns the mailing."""
    return post_letter(
        Letter(letter.value),
        to=to,
        context=context,
        case=None,
        language=language,
        in_thread=False,
        by=SYSTEM,
    )


@transaction.atomic
def post_text(
    *,
    subject: str,
    text: str,
    html: str,
    to: str,
    case: int | None = None,
    language: str = "es",
    kind: MailingKind = MailingKind.LETTER,
    letter: str = "",
    in_thread: bool = False,
    references: Sequence[str] = (),
    deadline_after: timedelta | None = None,
    by: Actor,
) -> int:
    """Release one message of our own, already written, to one address; returns the mailing.

    Raises:  ContentError, NotConfiguredError
    """
    address = normalize(to)
    if address is None:
        raise ContentError("bad_address")
    house = institution()
    domain = house.domain or address.rpartition("@")[2]
    sender = house.drafts_address or f"circular@{domain}"
    content = check(
        StencilContent(
            sender_name=one_line(house.short_name or "Circular"),
            sender_address=sender,
            reply_to=sender,
            subject=one_line(subject),
            html=tidy(html) if html.strip() else "",
            text=tidy(text),
            # A letter that was lost is worse than one that came twice.
            mail_class=MailClass.OFFICIAL,
            language=language,
            salt=secrets.token_hex(16) if kind is MailingKind.SECRET else "",
        )
    )
    thread = [one for one in references if sound_identifier(one)]
    if in_thread and case is not None:
        thread.insert(0, tokens.case_message_id(token_secret(), case, domain))
    mailing_id = create_mailing(
        kind=kind,
        stencil=save_stencil(content, by=by),
        case=case,
        letter=letter,
        language=language,
        in_reply_to=thread[-1] if thread else "",
        references=thread,
        by=by,
    )
    _send_to_named(mailing_id, [address], by=by, deadline_after=deadline_after)
    if case is not None:
        # The digest of a secret is not noted: a short code could be guessed from it.
        known = {} if kind is MailingKind.SECRET else {"stencil": content.digest()}
        append(
            EntryDraft(
                chain=case_chain(case),
                act="letter_posted",
                by=by,
                at=timezone.now(),
                facts={"letter": letter, "mailing": mailing_id, **known},
            )
        )
    return mailing_id
