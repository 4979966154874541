"""A mailing is opened, and its audience becomes rows: once, by one statement, never changed again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from django.db import connection, transaction
from django.utils import timezone

from circular.directory.rules import compile_rule, digest, rule_from_json
from circular.evidence.actors import Actor
from circular.evidence.services import EntryDraft, append, mailing_chain
from circular.mailformat.addresses import normalize
from circular.mailing import queries
from circular.mailing.errors import RuleMismatchError, WrongStateError
from circular.mailing.kinds import MailingKind, MailingState, Priority
from circular.mailing.models import Mailing, Recipient, Stencil, WitnessMailbox

_PRIORITY: Mapping[MailingKind, Priority] = {
    MailingKind.CIRCULAR: Priority.NORMAL,
    MailingKind.TEST: Priority.TEST,
    MailingKind.LETTER: Priority.LETTER,
    MailingKind.ANCHOR: Priority.LETTER,
    MailingKind.SECRET: Priority.SECRET,
}
_MOST_NAMED = 50  # named addresses of a test or a letter; more is an audience


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
                                   attempts, possible_duplicate)
    SELECT %s, a.id, a.address,
           jsonb_build_object('given', a.given_name, 'family', a.family_name,
                              'preferred', a.preferred_name),
           false, 'pending', '', 0, false
    FROM directory_account AS a
    WHERE a.active AND ({rule})
    ORDER BY a.id
    ON CONFLICT DO NOTHING
"""

_FREEZE_SAME = """
    INSERT INTO mailing_recipient (mailing_id, account_id, address, fields, witness, state, reason,
                                   attempts, possible_duplicate)
    SELECT %s, r.account_id, r.address, r.fields, false, 'pending', '', 0, false
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
            cursor.execute(_FREEZE_SAME, [mailing_id, row.same_recipients_as_id])
            facts["same_recipients_as"] = row.same_recipients_as_id
        elif rule is not None:
            _refuse_other_rule(row.stencil_id, rule)
            parsed = rule_from_json(rule)
            where, params = compile_rule(parsed)
            cursor.execute(_FREEZE_RULE.format(rule=where), [mailing_id, *params])
            facts["rule"] = digest(parsed)
        else:
            raise RuleMismatchError("a mailing without rule has no audience to freeze")
        count = int(cursor.rowcount)
    extra = _add_witnesses(mailing_id) if witnesses else 0
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


def _add_witnesses(mailing_id: int) -> int:
    rows = [
        Recipient(mailing_id=mailing_id, address=address, witness=True)
        for address in WitnessMailbox.objects.filter(active=True)
        .order_by("id")
        .values_list("address", flat=True)
    ]
    return len(Recipient.objects.bulk_create(rows))


def add_named(mailing_id: int, addresses: Sequence[str]) -> int:
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
                                           reason, attempts, possible_duplicate)
            SELECT %s, a.id, w.address,
                   CASE WHEN a.id IS NULL THEN '{}'::jsonb ELSE
                   jsonb_build_object('given', a.given_name, 'family', a.family_name,
                                      'preferred', a.preferred_name) END,
                   false, 'pending', '', 0, false
            FROM unnest(%s::text[]) AS w(address)
            LEFT JOIN directory_account AS a ON a.address = w.address
            """,
            [mailing_id, list(wanted)],
        )
        return int(cursor.rowcount)
