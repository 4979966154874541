"""The closing clerk's acts: confirm what settled, verify what was confirmed, remind, close.

Rule 1: a round asks `queries` what waits and does one case (or duty) per transaction; what the act
        means for the case, and its letters, is workflow's business.
Rule 2: before a confirmation the house notes the case's and the mailing's heads, so that the head
        that stands in the letter proves them too.
Rule 3: nothing happens twice: the request row is locked first, the state is asked again under the
        lock, and a unique constraint stands behind it.
Rule 4: mailboxes are read before the transaction, never inside it.

Locks:   the request row (no key) first, then what workflow locks, heads of chains last
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime

from django.db import transaction
from django.utils import timezone, translation

from circular.evidence import queries as archive
from circular.evidence import services as evidence
from circular.evidence.actors import CLOCK
from circular.evidence.chain import Head, case_chain, mailing_chain
from circular.evidence.services import HOUSE, EntryDraft, append
from circular.followup import labels, queries, witnesses
from circular.followup.closing import (
    FINAL,
    Decision,
    Due,
    Outcome,
    SendingFacts,
    decide,
    next_look_at,
    what_is_due,
)
from circular.followup.models import (
    Anchor,
    Confirmation,
    ConfirmationKind,
    Reminder,
    ReminderKind,
    Verification,
)
from circular.followup.queries import CaseRow
from circular.followup.witnesses import Open, Sighting
from circular.imap.mailbox import open_mailbox
from circular.mailing import queries as mailing
from circular.mailing import services as letters
from circular.mailing.kinds import MailingKind
from circular.mailing.letters import Letter
from circular.mailing.models import Mailing
from circular.outcomes import services as outcomes
from circular.people.queries import institution
from circular.workflow import services as desk
from circular.workflow.acts import Act, Figures
from circular.workflow.models import Duty, Request
from circular.workflow.states import State, Verdict, Way
from circular.workflow.transitions import Moved

CONFIRMING = {
    ConfirmationKind.COMMUNICATIONS: Act.CONFIRM_TO_COMMUNICATIONS,
    ConfirmationKind.REQUESTER: Act.CONFIRM_TO_REQUESTER,
}
FIGURES = tuple(each.name for each in fields(Figures))
MOST_LINES = 2000  # of a difference that is kept: a page shows it all, a letter the beginning


# ---- activity 4: the sending has settled ---------------------------------------------------------


def settle_case(request_id: int) -> None:
    """Take a case whose sending has settled as far as the clerk may: sent, told, told on.

    Repeat:  goes on from wherever the case stands
    """
    if queries.case(request_id).state is State.SENDING:
        desk.mark_sent(request_id, by=CLOCK)
    confirm_to_communications(request_id)
    if institution().confirm_automatically:
        confirm_to_requester(request_id)


@transaction.atomic
def confirm_to_communications(request_id: int) -> bool:
    """Let the IT Division's confirmation go to Communications, once per sending.

    Repeat:  False when it was told already, or the sending has not settled
    """
    case, head = _with_fresh_head(request_id)
    if case.state is not State.SENT or case.to_communications_at is not None:
        return False
    if not isinstance(desk.confirm_to_communications(request_id, by=CLOCK), Moved):
        return False
    _record(request_id, ConfirmationKind.COMMUNICATIONS, head)
    return True


@transaction.atomic
def confirm_to_requester(request_id: int) -> bool:
    """Let Communications' confirmation go to the requester, once per sending.

    Repeat:  False when it was told already, or IT has not confirmed
    """
    case, head = _with_fresh_head(request_id)
    if case.state is not State.SENT or case.to_communications_at is None:
        return False
    if not isinstance(desk.confirm_to_requester(request_id, by=CLOCK), Moved):
        return False
    _record(request_id, ConfirmationKind.REQUESTER, head)
    return True


def _with_fresh_head(request_id: int) -> tuple[CaseRow, Head]:
    """Lock a case, and let the house note its chains before a letter shows the house's head."""
    Request.objects.select_for_update(no_key=True).get(pk=request_id)
    case = queries.case(request_id)
    chains = [case_chain(request_id)]
    if case.mailing is not None:
        chains.append(mailing_chain(case.mailing))
    evidence.hold(case_chain(request_id))  # the case's head before the house's, always
    return case, evidence.seal(*chains, by=CLOCK)


def _record(request_id: int, kind: ConfirmationKind, head: Head) -> None:
    case = queries.case(request_id)
    letter = (
        Letter.CONFIRMATION_TO_COMMUNICATIONS
        if kind is ConfirmationKind.COMMUNICATIONS
        else Letter.CONFIRMATION_TO_REQUESTER
    )
    sent = Mailing.objects.filter(case=request_id, letter=letter.value).order_by("-id").first()
    at = (
        case.to_communications_at
        if kind is ConfirmationKind.COMMUNICATIONS
        else case.to_requester_at
    )
    if case.sent_at is None or at is None:
        raise ValueError(f"request {request_id} was confirmed without having been sent")
    Confirmation.objects.create(
        request_id=request_id,
        kind=kind.value,
        sent_at=case.sent_at,
        at=at,
        mailing=sent,
        house_sequence=head.sequence,
        house_digest=head.digest,
    )


# ---- activity 5: was it really sent? -------------------------------------------------------------


def _record_what_a_person_confirmed(case: CaseRow) -> None:
    """Record the confirmations that people made on a page; the seal stands in the act's entry."""
    if case.sent_at is None:
        return
    made = set(
        Confirmation.objects.filter(request=case.id, sent_at=case.sent_at).values_list(
            "kind", flat=True
        )
    )
    for kind, act in CONFIRMING.items():
        if kind.value in made:
            continue
        entries = archive.entries_of(case_chain(case.id), act=act.value)
        if not entries:
            continue
        sequence, digest = entries[-1].facts.get("seal_sequence"), entries[-1].facts.get("seal")
        if isinstance(sequence, int) and isinstance(digest, str):
            _record(case.id, kind, Head(sequence, digest))


def verify_case(request_id: int, *, opening: Open = open_mailbox) -> Outcome | None:
    """Check one confirmed sending against its totals and witness mailboxes; record what came of it.

    Repeat:  looks again; a verdict is given once. None when the case does not wait for one
    """
    case = queries.case(request_id)
    if case.state is not State.CONFIRMED:
        return None
    sightings: tuple[Sighting, ...] = ()
    if case.way is Way.CIRCULAR and case.mailing is not None:
        sightings = witnesses.look(case.mailing, opening=opening)
    return _judge(request_id, sightings, timezone.now())


@transaction.atomic
def _judge(request_id: int, sightings: tuple[Sighting, ...], now: datetime) -> Outcome | None:
    Request.objects.select_for_update(no_key=True).get(pk=request_id)
    case = queries.case(request_id)
    if case.state is not State.CONFIRMED:
        return None
    evidence.hold(case_chain(request_id))  # the house's order: case, mailing, recipients, house
    _record_what_a_person_confirmed(case)
    row, _ = Verification.objects.get_or_create(
        request_id=request_id,
        round=queries.round_of(request_id),
        defaults={"first_look_at": now, "last_look_at": now, "next_look_at": now},
    )
    if row.outcome in {outcome.value for outcome in FINAL}:
        return Outcome(row.outcome)
    raws = _keep(sightings)
    for each in sightings:
        if each.raw:
            outcomes.witness_seen(each.recipient, at=now, by=CLOCK)
    decision = decide(_sending(case, sightings), now)
    if decision.outcome in FINAL and not _told(case, decision, sightings):
        # The desk objects (a doubt came up meanwhile): its own round will say why.
        decision = Decision(Outcome.HELD, decision.reasons)
    row.outcome = decision.outcome.value
    row.reasons = [reason.value for reason in decision.reasons]
    row.sights = [
        {
            "recipient": each.recipient,
            "sight": each.sight.value,
            "code": each.code,
            "raw": raws.get(each.recipient, ""),
            "expected": each.expected_digest,
            "received": each.received_digest,
        }
        for each in sightings
    ]
    row.difference = [line for each in sightings for line in each.difference][:MOST_LINES]
    row.attempts += 1
    row.last_look_at = now
    row.next_look_at = next_look_at(row.attempts, decision.outcome, now)
    row.save()
    _prove_copies(case, sightings, raws, now)
    return decision.outcome


def _sending(case: CaseRow, sightings: tuple[Sighting, ...]) -> SendingFacts:
    if case.way is Way.EXTERNAL or case.mailing is None:
        return SendingFacts(
            by_other_means=True,
            figures=Figures(**{name: _declared(case, name) for name in FIGURES}),
            as_approved=False,
            sights=(),
            limit_at=case.verify_by,
        )
    sent = mailing.mailing(case.mailing)
    return SendingFacts(
        by_other_means=False,
        figures=Figures(**{name: getattr(sent.totals, name) for name in FIGURES}),
        as_approved=sent.stencil == case.approved_digest,
        sights=tuple(each.sight for each in sightings),
        limit_at=case.verify_by,
    )


def _declared(case: CaseRow, name: str) -> int:
    value = case.declared.get(name, 0)
    return value if isinstance(value, int) else 0


def _told(case: CaseRow, decision: Decision, sightings: tuple[Sighting, ...]) -> bool:
    """Give the verdict to the desk, which tells the requester."""
    positive = decision.outcome is Outcome.POSITIVE
    with translation.override(institution().language):
        checks = labels.checks(decision.reasons)
    moved = desk.verify(
        case.id,
        by=CLOCK,
        verdict=Verdict.POSITIVE if positive else Verdict.NEGATIVE,
        reasons=[reason.value for reason in decision.reasons],
        checks=checks,
        difference=[line for each in sightings for line in each.difference],
    )
    return isinstance(moved, Moved)


def _keep(sightings: tuple[Sighting, ...]) -> dict[int, str]:
    """Store the copies that were read, as evidence."""
    return {
        each.recipient: evidence.store_blob(each.raw, media_type="message/rfc822")
        for each in sightings
        if each.raw
    }


def _prove_copies(
    case: CaseRow, sightings: tuple[Sighting, ...], raws: dict[int, str], now: datetime
) -> None:
    """Enter each copy that was seen, once: the same bytes seen again are no news."""
    if case.mailing is None:
        return
    key = mailing_chain(case.mailing)
    known = {
        (entry.facts.get("recipient"), entry.facts.get("raw"))
        for entry in archive.entries_of(key, act="witness_copy")
    }
    news = [
        each
        for each in sightings
        if each.recipient in raws and (each.recipient, raws[each.recipient]) not in known
    ]
    if news:
        append(
            *(
                EntryDraft(
                    chain=key,
                    act="witness_copy",
                    by=CLOCK,
                    at=now,
                    facts={
                        "recipient": each.recipient,
                        "sight": each.sight.value,
                        "raw": raws[each.recipient],
                        "expected": each.expected_digest,
                        "received": each.received_digest,
                    },
                )
                for each in news
            )
        )


def close_case(request_id: int) -> bool:
    """Close a case with a positive verdict.

    Repeat:  False when it is closed, or something still stands against it
    """
    return isinstance(desk.close(request_id, by=CLOCK), Moved)


# ---- silence is noticed --------------------------------------------------------------------------


@transaction.atomic
def notice_silence(duty_id: int) -> Due:
    """Remind, escalate or let lapse, whatever one open duty calls for now.

    Locks:   the request row (no key), then what workflow locks
    Repeat:  NOTHING: the time that came due is noticed once, whatever the clock does
    """
    request_id = Duty.objects.filter(pk=duty_id).values_list("request_id", flat=True).first()
    if request_id is None:
        return Due.NOTHING
    Request.objects.select_for_update(no_key=True).get(pk=request_id)
    now = timezone.now()
    found = queries.duty_facts(duty_id, now)
    if found is None:
        return Due.NOTHING
    _, duty = found
    due = what_is_due(duty, now)
    if due is Due.LAPSE:
        return due if isinstance(desk.lapse_draft(request_id, by=CLOCK), Moved) else Due.NOTHING
    owed_at = duty.next_reminder_at
    if due is Due.NOTHING or owed_at is None:
        return Due.NOTHING
    kind = ReminderKind.ESCALATION if due is Due.ESCALATE else ReminderKind.REMINDER
    _, first_time = Reminder.objects.get_or_create(
        duty_id=duty_id,
        owed_at=owed_at,
        defaults={"kind": kind.value, "at": now},
    )
    if not first_time:
        return Due.NOTHING
    done = (
        desk.escalate(duty_id, by=CLOCK) if due is Due.ESCALATE else desk.remind(duty_id, by=CLOCK)
    )
    if not done:
        transaction.set_rollback(True)
        return Due.NOTHING
    return due


# ---- outside anchors -----------------------------------------------------------------------------


@transaction.atomic
def send_anchor() -> bool:
    """Send the house's head to every witness, once a day of the institution.

    Repeat:  False when it went out today, or nobody is a witness
    """
    now = timezone.now()
    today = timezone.localdate(now)
    addresses = [witness.address for witness in mailing.witnesses()]
    if not addresses or Anchor.objects.filter(on=today).exists():
        return False
    head = evidence.seal(by=CLOCK)
    if head.sequence == 0:
        return False
    anchor, first = Anchor.objects.get_or_create(
        on=today, defaults={"sequence": head.sequence, "digest": head.digest, "at": now}
    )
    if not first:
        return False
    posted = [
        letters.post_letter(
            Letter.ANCHOR,
            to=address,
            context={"sequence": anchor.sequence, "digest": anchor.digest, "at": now},
            case=None,
            language=institution().language,
            in_thread=False,
            kind=MailingKind.ANCHOR,
            by=CLOCK,
        )
        for address in addresses
    ]
    append(
        EntryDraft(
            chain=HOUSE,
            act="anchored",
            by=CLOCK,
            at=now,
            facts={"sequence": anchor.sequence, "head": anchor.digest, "mailings": posted},
        )
    )
    return True
