"""The only writer of stencils and mailings: compose, freeze, release, hold, withdraw, post a letter.

Rules:
  1. Every act takes ``by=`` and owns its transaction; its evidence is appended as the last
     statement, on the mailing's chain (and on the case's for letters and tests).
  2. A mailing of kind *secret* leaves no chain of its own: its body is dropped after the verdict.
  3. Row states are moved by ``outcomes``; here rows are only made (freeze) and withdrawn (cancel).
     The counters follow by trigger in the same statement.

Locks:   the mailing row (no key) first, then its recipients by id, the heads of chains last.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext, override

from circular import jobs
from circular.directory.rules import compile_rule, digest, rule_from_json
from circular.evidence.actors import SYSTEM, Actor
from circular.evidence.services import HOUSE, EntryDraft, append, case_chain, mailing_chain
from circular.mailformat import tokens
from circular.mailformat.addresses import normalize
from circular.mailing import queries
from circular.mailing.composing import Composed, Draft, FrameFacts, compose, frame_problem
from circular.mailing.content import (
    ContentError,
    StencilContent,
    check,
    one_line,
    tidy,
)
from circular.mailing.errors import NotConfiguredError, RuleMismatchError, WrongStateError
from circular.mailing.kinds import MailClass, MailingKind, MailingState, Priority
from circular.mailing.letters import Letter, render_letter
from circular.mailing.models import Frame, Mailing, Recipient, Stencil, WitnessMailbox
from circular.mailing.recipients import Reason
from circular.mailing.sealed import seal, token_secret
from circular.people.postman import HouseLetter
from circular.people.queries import InstitutionRow, institution

# How long a message may be offered before it counts as expired. A notice that comes four days late
# is worse than none; a code is useless after its own lifetime. RFC 5321 §4.5.4.1 asks 4 to 5 days
# of a relay; we are the client before it.
OFFERED_FOR: Mapping[MailingKind, timedelta] = {
    MailingKind.CIRCULAR: timedelta(hours=48),
    MailingKind.TEST: timedelta(hours=24),
    MailingKind.LETTER: timedelta(days=5),
    MailingKind.ANCHOR: timedelta(days=5),
    MailingKind.SECRET: timedelta(days=1),
}
_PRIORITY: Mapping[MailingKind, Priority] = {
    MailingKind.CIRCULAR: Priority.NORMAL,
    MailingKind.TEST: Priority.TEST,
    MailingKind.LETTER: Priority.LETTER,
    MailingKind.ANCHOR: Priority.LETTER,
    MailingKind.SECRET: Priority.SECRET,
}
_CODE_OFFERED_FOR = timedelta(minutes=30)  # a sign-in code is not valid for longer
_MOST_NAMED = 50  # named addresses of a test or a letter; more is an audience


# ---- content ---------------------------------------------------------------------------------


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
    return compose(_with_notice(draft, notice), facts)


def _with_notice(draft: Draft, notice: str) -> Draft:
    return replace(draft, notice=notice)


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


# ---- a mailing's life ------------------------------------------------------------------------


@transaction.atomic
def create_mailing(
    *,
    kind: MailingKind,
    stencil: str,
    case: int | None = None,
    audience_rule: Mapping[str, object] | None = None,
    same_recipients_as: int | None = None,
    priority: Priority | None = None,
    language: str = "es",
    letter: str = "",
    in_reply_to: str = "",
    references: Sequence[str] = (),
    by: Actor,
) -> int:
    """Open a mailing of stored content and return its id; nobody is on it yet.

    Raises:  Stencil.DoesNotExist
    """
    del by  # the first act with an effect is the freeze, and its entry names the actor
    row = Stencil.objects.only("mail_class").get(pk=stencil)
    return Mailing.objects.create(
        kind=kind.value,
        stencil_id=stencil,
        case=case,
        letter=letter,
        language=language,
        mail_class=row.mail_class,
        priority=_PRIORITY[kind] if priority is None else priority,
        audience_rule=None if audience_rule is None else dict(audience_rule),
        same_recipients_as_id=same_recipients_as,
        in_reply_to=in_reply_to,
        references=list(references),
        created_at=timezone.now(),
    ).pk


_FREEZE_RULE = """
    INSERT INTO mailing_recipient (mailing_id, account_id, address, fields, witness, state, reason,
                                   attempts, next_try_at, possible_duplicate)
    SELECT %s, a.id, a.address,
           jsonb_build_object('given', a.given_name, 'family', a.family_name,
                              'preferred', a.preferred_name),
           false, 'pending', '', 0, %s, false
    FROM directory_account AS a
    WHERE a.active AND ({rule})
    ORDER BY a.id
    ON CONFLICT DO NOTHING
"""

_FREEZE_SAME = """
    INSERT INTO mailing_recipient (mailing_id, account_id, address, fields, witness, state, reason,
                                   attempts, next_try_at, possible_duplicate)
    SELECT %s, r.account_id, r.address, r.fields, false, 'pending', '', 0, %s, false
    FROM mailing_recipient AS r
    WHERE r.mailing_id = %s AND NOT r.witness
    ORDER BY r.id
"""


@transaction.atomic
def freeze_audience(
    mailing_id: int,
    rule_json: Mapping[str, object] | None = None,
    *,
    witnesses: bool,
    by: Actor,
) -> int:
    """Write one row per person and return how many (witnesses, extra rows, not counted).

    The audience is the mailing's own rule, or that of ``same_recipients_as``; a rule given here must
    be the one that the approved content names.

    Locks:   the mailing row (no key)
    Repeat:  a second call raises WrongStateError: what is frozen stays frozen
    Raises:  WrongStateError, RuleMismatchError
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if row.state != MailingState.DRAFT:
        raise WrongStateError(row.state)
    now = timezone.now()
    rule = rule_json if rule_json is not None else row.audience_rule
    facts: dict[str, str | int | None] = {"stencil": row.stencil_id}
    with connection.cursor() as cursor:
        if row.same_recipients_as_id is not None and rule_json is None:
            cursor.execute(_FREEZE_SAME, [mailing_id, now, row.same_recipients_as_id])
            facts["same_recipients_as"] = row.same_recipients_as_id
        elif rule is not None:
            _refuse_other_rule(row.stencil_id, rule)
            parsed = rule_from_json(rule)
            where, params = compile_rule(parsed)
            cursor.execute(_FREEZE_RULE.format(rule=where), [mailing_id, now, *params])
            facts["rule"] = digest(parsed)
        else:
            raise RuleMismatchError("a mailing without rule has no audience to freeze")
        count = int(cursor.rowcount)
    extra = _add_witnesses(mailing_id, now) if witnesses else 0
    Mailing.objects.filter(pk=mailing_id).update(
        state=MailingState.FROZEN,
        frozen_at=now,
        audience_rule=None if rule is None else dict(rule),
    )
    facts |= {"count": count, "witnesses": extra}
    append(EntryDraft(chain=mailing_chain(mailing_id), act="frozen", by=by, at=now, facts=facts))
    return count


def freeze_same_recipients(
    mailing_id: int, *, mailing_from: int, witnesses: bool, by: Actor
) -> int:
    """Freeze the very people of an earlier mailing (an *erratum*) and return how many.

    Raises:  WrongStateError
    """
    Mailing.objects.filter(pk=mailing_id, state=MailingState.DRAFT).update(
        same_recipients_as_id=mailing_from
    )
    return freeze_audience(mailing_id, witnesses=witnesses, by=by)


def _refuse_other_rule(stencil: str, rule: Mapping[str, object]) -> None:
    approved = queries.stencil(stencil).audience_rule
    if approved and digest(rule_from_json(json.loads(approved))) != digest(rule_from_json(rule)):
        raise RuleMismatchError(stencil)


def _add_witnesses(mailing_id: int, now: datetime) -> int:
    rows = [
        Recipient(mailing_id=mailing_id, address=address, witness=True, next_try_at=now)
        for address in WitnessMailbox.objects.filter(active=True)
        .order_by("id")
        .values_list("address", flat=True)
    ]
    return len(Recipient.objects.bulk_create(rows))


def _add_named(mailing_id: int, addresses: Sequence[str], now: datetime) -> int:
    """Put named addresses on a mailing, each once, with the names that the directory knows."""
    wanted: dict[str, None] = {}
    for address in addresses[:_MOST_NAMED]:
        canonical = normalize(address)
        if canonical is not None:
            wanted[canonical] = None
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO mailing_recipient (mailing_id, account_id, address, fields, witness, state,
                                           reason, attempts, next_try_at, possible_duplicate)
            SELECT %s, a.id, w.address,
                   CASE WHEN a.id IS NULL THEN '{}'::jsonb ELSE
                   jsonb_build_object('given', a.given_name, 'family', a.family_name,
                                      'preferred', a.preferred_name) END,
                   false, 'pending', '', 0, %s, false
            FROM unnest(%s::text[]) AS w(address)
            LEFT JOIN directory_account AS a ON a.address = w.address
            """,
            [mailing_id, now, list(wanted)],
        )
        return int(cursor.rowcount)


@transaction.atomic
def release_mailing(mailing_id: int, *, by: Actor, deadline_after: timedelta | None = None) -> bool:
    """Let dispatch lease the rows, and pin what every octet of the messages depends on.

    Locks:   the mailing row (no key)
    Repeat:  only a frozen mailing is released; a second call changes nothing and gives False
    Raises:  NotConfiguredError
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if row.state != MailingState.FROZEN:
        return False
    now = timezone.now()
    _pin(row, now, deadline_after)
    drafts = []
    # A letter of a case is proved by the case's own entry; opening a chain here would hold the
    # head of the house until the whole act commits.
    if row.kind != MailingKind.SECRET and (row.kind != MailingKind.LETTER or row.case is None):
        drafts.append(
            EntryDraft(
                chain=mailing_chain(mailing_id),
                act="released",
                by=by,
                at=now,
                facts={
                    "stencil": row.stencil_id,
                    "count": row.audience,
                    "witnesses": row.witnesses,
                    "deadline_at": row.deadline_at.isoformat() if row.deadline_at else None,
                },
            )
        )
    append(*drafts)
    return True


def _pin(row: Mailing, now: datetime, deadline_after: timedelta | None) -> None:
    house = institution()
    sender = queries.stencil(row.stencil_id).sender_address
    domain = house.domain or sender.rpartition("@")[2]
    if not domain:
        raise NotConfiguredError("the institution has no mail domain")
    row.message_domain = domain
    row.bounce_address = house.drafts_address or f"circular@{domain}"
    if row.kind in {MailingKind.CIRCULAR, MailingKind.TEST}:
        row.list_id = f"circulares.{domain}"
    kind = MailingKind(row.kind)
    row.released_at = now
    row.deadline_at = now + (OFFERED_FOR[kind] if deadline_after is None else deadline_after)
    row.state = MailingState.RELEASED
    row.save(
        update_fields=[
            "message_domain", "bounce_address", "list_id", "released_at", "deadline_at", "state",
        ]
    )  # fmt: skip
    row.refresh_from_db(fields=["audience", "witnesses"])


@transaction.atomic
def pause_mailing(mailing_id: int, *, by: Actor) -> bool:
    """Let nobody lease more rows; what is under way is settled as it comes.

    Locks:   the mailing row (no key)
    Repeat:  only a released mailing is paused; else False
    """
    return _move(
        mailing_id, {MailingState.RELEASED}, MailingState.PAUSED, "paused", {"paused_at"}, by=by
    )


@transaction.atomic
def resume_mailing(mailing_id: int, *, by: Actor) -> bool:
    """Let rows be leased again; a pause of the mailing's own ends as well.

    The deadline moves by as long as the pause was: nobody expires because somebody stopped to think.

    Locks:   the mailing row (no key), the mailing's chain
    Repeat:  only a paused mailing, or one that paused itself, is resumed; else False
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if row.state != MailingState.PAUSED and not row.self_paused:
        return False
    now = timezone.now()
    if row.state == MailingState.PAUSED:
        row.state = MailingState.RELEASED
        if row.paused_at is not None and row.deadline_at is not None:
            row.deadline_at += max(now - row.paused_at, timedelta())
    row.self_paused = ""
    row.save(update_fields=["state", "self_paused", "deadline_at"])
    append(
        EntryDraft(
            chain=mailing_chain(mailing_id),
            act="resumed",
            by=by,
            at=now,
            facts={"deadline_at": row.deadline_at.isoformat() if row.deadline_at else None},
        )
    )
    return True


@transaction.atomic
def pause_self(mailing_id: int, reason: str, *, by: Actor) -> bool:
    """Note in the mailing's own row why nothing is leased: a quota, a circuit breaker.

    Units:   ``reason`` is a code
    Repeat:  a mailing that has paused itself keeps its first reason; False
    """
    changed = Mailing.objects.filter(
        pk=mailing_id, state=MailingState.RELEASED, self_paused=""
    ).update(self_paused=reason)
    if changed:
        append(
            EntryDraft(
                chain=mailing_chain(mailing_id),
                act="self_paused",
                by=by,
                at=timezone.now(),
                facts={"reason": reason},
            )
        )
    return bool(changed)


@transaction.atomic
def resume_self(mailing_id: int, *, by: Actor) -> bool:
    """End a pause that the mailing gave itself.

    Repeat:  False when there is none
    """
    changed = Mailing.objects.filter(pk=mailing_id).exclude(self_paused="").update(self_paused="")
    if changed:
        append(
            EntryDraft(
                chain=mailing_chain(mailing_id),
                act="self_resumed",
                by=by,
                at=timezone.now(),
                facts={},
            )
        )
    return bool(changed)


@transaction.atomic
def cancel_mailing(mailing_id: int, *, by: Actor) -> bool:
    """Withdraw everybody who was not offered the message; who is being offered it is settled.

    Rows under lease are withdrawn later, if they come back unoffered (``outcomes.settle``).

    Locks:   the mailing row (no key), then its pending rows
    Repeat:  a settled or cancelled mailing is left alone: False
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if row.state in {MailingState.SETTLED, MailingState.CANCELLED}:
        return False
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE mailing_recipient SET state = 'suppressed', reason = %s"
            " WHERE mailing_id = %s AND state = 'pending' AND lease IS NULL",
            [Reason.CANCELLED.value, mailing_id],
        )
        withdrawn = cursor.rowcount
    Mailing.objects.filter(pk=mailing_id).update(state=MailingState.CANCELLED, cancelled_at=now)
    append(
        EntryDraft(
            chain=mailing_chain(mailing_id),
            act="cancelled",
            by=by,
            at=now,
            facts={"withdrawn": withdrawn},
        )
    )
    return True


def _move(
    mailing_id: int,
    allowed: set[MailingState],
    to: MailingState,
    act: str,
    stamps: set[str],
    *,
    by: Actor,
) -> bool:
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if row.state not in allowed:
        return False
    now = timezone.now()
    row.state = to
    for stamp in stamps:
        setattr(row, stamp, now)
    row.save(update_fields=["state", *stamps])
    append(EntryDraft(chain=mailing_chain(mailing_id), act=act, by=by, at=now, facts={}))
    return True


@transaction.atomic
def note_settled(mailing_id: int, *, by: Actor) -> bool:
    """Say in the row that nobody is pending any more; doubts do not stop it (design §1).

    Locks:   the mailing row (no key), the mailing's chain
    Repeat:  False when it is settled already or still owes somebody
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    drafts = settled_entries(row, by=by)
    if drafts is None:
        return False
    append(*drafts)
    return True


def settled_entries(row: Mailing, *, by: Actor) -> list[EntryDraft] | None:
    """Settle a mailing whose row the caller holds, and return the entries to append at the end.

    Repeat:  None when it is settled already or still owes somebody
    """
    row.refresh_from_db()
    if row.state not in {MailingState.RELEASED, MailingState.PAUSED} or row.pending:
        return None
    now = timezone.now()
    row.state = MailingState.SETTLED
    row.settled_at = now
    row.self_paused = ""
    row.save(update_fields=["state", "settled_at", "self_paused"])
    if row.kind == MailingKind.SECRET:
        drop_content(row.stencil_id)
        return []
    jobs.enqueue(jobs.SettleRound())
    return [
        EntryDraft(
            chain=mailing_chain(row.pk),
            act="settled",
            by=by,
            at=now,
            facts={
                "audience": row.audience,
                "accepted": row.accepted,
                "refused": row.refused,
                "bounced": row.bounced,
                "suppressed": row.suppressed,
                "in_doubt": row.in_doubt,
                "pending": row.pending,
            },
        )
    ]


def hold_mailing(mailing_id: int) -> Mailing:
    """Lock one mailing; for ``outcomes``, before it moves any row."""
    return Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)


def hold_mailings(recipients: Sequence[int]) -> list[Mailing]:
    """Lock the mailings of these recipients, by id; for ``outcomes``, before it moves any row.

    Mailing first, recipients next, heads of chains last: whoever keeps this order cannot lock
    himself and another out.
    """
    found = Recipient.objects.filter(pk__in=recipients).values("mailing")
    return list(Mailing.objects.select_for_update(no_key=True).filter(pk__in=found).order_by("id"))


@transaction.atomic
def reopen_for_offering(mailing_id: int, *, at: datetime) -> Mailing:
    """Make a settled or cancelled mailing leasable again, with a fresh deadline.

    For ``outcomes`` only, which moves the rows and records why in the same transaction.

    Locks:   the mailing row (no key)
    Raises:  WrongStateError for a mailing that was never released
    """
    row = Mailing.objects.select_for_update(no_key=True).get(pk=mailing_id)
    if row.released_at is None:
        raise WrongStateError(row.state)
    row.deadline_at = at + OFFERED_FOR[MailingKind(row.kind)]
    if row.state in {MailingState.SETTLED, MailingState.CANCELLED}:
        row.state = MailingState.RELEASED
        row.settled_at = None
    row.save(update_fields=["deadline_at", "state", "settled_at"])
    return row


def drop_content(stencil: str) -> None:
    """Drop the body of a secret; its digest stays."""
    Stencil.objects.filter(pk=stencil).update(content=None, subject="")


# ---- letters and tests -----------------------------------------------------------------------


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
    count = _add_named(mailing_id, addresses, now)
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
    thread = list(references)
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


# ---- witnesses -------------------------------------------------------------------------------


def add_witness(
    *,
    address: str,
    imap_host: str,
    imap_port: int,
    security: str,
    username: str,
    password: str,
    folder: str = "INBOX",
    by: Actor,
) -> int:
    """Add a witness mailbox; the password is sealed here.

    Raises:  ContentError for an address that is none
    """
    return save_witness(
        address=address,
        imap_host=imap_host,
        imap_port=imap_port,
        security=security,
        username=username,
        password=password,
        folder=folder,
        by=by,
    )


@transaction.atomic
def save_witness(
    *,
    address: str,
    imap_host: str,
    imap_port: int,
    security: str,
    username: str,
    password: str | None,
    folder: str = "INBOX",
    active: bool = True,
    witness_id: int | None = None,
    by: Actor,
) -> int:
    """Add or change a witness mailbox; a password of None keeps the one that is sealed.

    Raises:  ContentError for an address that is none
    """
    canonical = normalize(address)
    if canonical is None:
        raise ContentError("bad_address")
    values: dict[str, object] = {
        "address": canonical,
        "imap_host": imap_host.strip(),
        "imap_port": imap_port,
        "security": security,
        "username": username,
        "folder": folder.strip() or "INBOX",
        "active": active,
    }
    if password is not None:
        values["password_sealed"] = seal(password)
    if witness_id is None:
        row = WitnessMailbox.objects.create(**values)
    else:
        WitnessMailbox.objects.filter(pk=witness_id).update(**values)
        row = WitnessMailbox.objects.get(pk=witness_id)
    append(
        EntryDraft(
            chain=HOUSE,
            act="witness_saved",
            by=by,
            at=timezone.now(),
            facts={"witness": row.pk, "active": active},
        )
    )
    return row.pk
