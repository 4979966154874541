"""From a settled sending to a closed case, and what is told when it was not really sent."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from circular.evidence import queries as archive
from circular.evidence.chain import HOUSE, case_chain, mailing_chain
from circular.evidence.export import export_case
from circular.evidence.verify import verify as verify_archive
from circular.followup import queries, services
from circular.followup.closing import Outcome, Reason
from circular.followup.models import Confirmation, Verification
from circular.imap.mailbox import Fetched, Mailbox, MailboxAccount, UnreachableError
from circular.mailing.models import Mailing, Stencil
from circular.people.models import Institution
from circular.workflow import services as desk
from circular.workflow.acts import Figures
from circular.workflow.models import Duty, Request
from circular.workflow.states import Verdict

pytestmark = pytest.mark.django_db
Settled = Callable[..., int]


def state(request_id: int) -> str:
    return str(Request.objects.get(pk=request_id).state)


def letters(request_id: int, letter: str) -> list[Mailing]:
    return list(Mailing.objects.filter(case=request_id, letter=letter).order_by("id"))


def text_of(mailing: Mailing) -> str:
    content: dict[str, Any] = Stencil.objects.get(pk=mailing.stencil_id).content or {}
    return str(content["text"])


def test_a_settled_sending_is_confirmed_verified_and_closed(settled: Settled, inbox: Any) -> None:
    request_id = settled()
    services.settle_case(request_id)
    inbox.receive(request_id)

    outcome = services.verify_case(request_id, opening=inbox.opening)
    closed = services.close_case(request_id)

    assert outcome is Outcome.POSITIVE
    assert closed
    assert state(request_id) == "closed"
    assert len(letters(request_id, "confirmation_to_communications")) == 1
    assert len(letters(request_id, "confirmation_to_requester")) == 1
    assert len(letters(request_id, "verdict_positive")) == 1
    assert verify_archive().sound


def test_the_seal_in_a_confirmation_letter_proves_the_case_up_to_there(settled: Settled) -> None:
    request_id = settled()

    services.settle_case(request_id)

    [letter] = letters(request_id, "confirmation_to_communications")
    first, _ = queries.confirmations(request_id)
    assert first.mailing == letter.pk
    assert first.house_digest[:8] in text_of(letter).replace(" ", "")
    report = verify_archive(anchors=[first.house_digest])
    assert report.sound
    assert report.anchored_to == first.house_sequence
    noted = [
        entry.facts["chains"]
        for entry in archive.entries_of(HOUSE, act="heads")
        if entry.sequence <= first.house_sequence
    ]
    assert f"case:{request_id}" in str(noted)


def test_the_confirmation_says_the_six_totals(settled: Settled) -> None:
    request_id = settled(est0="refused")

    services.settle_case(request_id)

    [letter] = letters(request_id, "confirmation_to_communications")
    text = text_of(letter)
    assert "2" in text
    assert "aceptad" in text.lower()
    assert "rechazad" in text.lower()


def test_a_repeated_round_confirms_nothing_twice(settled: Settled) -> None:
    request_id = settled()

    for _ in range(3):
        services.settle_case(request_id)

    assert Confirmation.objects.filter(request=request_id).count() == 2
    assert len(letters(request_id, "confirmation_to_requester")) == 1


def test_the_confirmation_to_the_requester_waits_for_a_person_where_the_institution_says_so(
    settled: Settled, cast: Any
) -> None:
    Institution.objects.update(confirm_automatically=False)
    request_id = settled()

    services.settle_case(request_id)

    assert state(request_id) == "sent"
    assert len(letters(request_id, "confirmation_to_communications")) == 1
    assert letters(request_id, "confirmation_to_requester") == []
    desk.confirm_to_requester(request_id, by=cast.paula)
    assert state(request_id) == "confirmed"
    services.verify_case(request_id)
    by_hand = queries.confirmations(request_id)[1]
    assert by_hand.kind == "requester"
    assert by_hand.mailing == letters(request_id, "confirmation_to_requester")[0].pk
    assert verify_archive(anchors=[by_hand.house_digest]).sound


def test_the_exported_case_holds_what_the_clerk_found(
    settled: Settled, inbox: Any, cast: Any, tmp_path: Any
) -> None:
    request_id = settled()
    services.settle_case(request_id)
    inbox.receive(request_id)
    services.verify_case(request_id, opening=inbox.opening)
    [anchor, _] = [row.house_digest for row in queries.confirmations(request_id)]

    export_case(request_id, tmp_path / "expediente", by=cast.paula)

    verified = json.loads((tmp_path / "expediente/cierre/verificaciones.json").read_text())
    assert [row["outcome"] for row in verified] == ["positive"]
    script = [sys.executable, "-I", "-S", str(tmp_path / "expediente/verificar.py")]
    ran = subprocess.run([*script, "--ancla", anchor], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    raw = verified[0]["sights"][0]["raw"]
    assert (tmp_path / f"expediente/mensajes/{raw}.eml").is_file()


def test_one_word_altered_in_the_witness_mailbox_is_a_negative_verdict_with_the_difference(
    settled: Settled, inbox: Any
) -> None:
    request_id = settled()
    services.settle_case(request_id)
    inbox.receive(request_id, altered=(b"martes", b"jueves"))

    outcome = services.verify_case(request_id, opening=inbox.opening)

    assert outcome is Outcome.NEGATIVE
    [found] = queries.verifications(request_id)
    assert Reason.TEXT_DIFFERS in found.reasons
    assert any(line.startswith("-") and "martes" in line for line in found.difference)
    assert any(line.startswith("+") and "jueves" in line for line in found.difference)
    view = queries.verification_of(request_id)
    assert view is not None
    [differs] = [check for check in view.checks if check.received]
    assert (differs.tone, "jueves" in differs.received) == ("bad", True)
    told = letters(request_id, "verdict_negative")
    assert told
    assert any("jueves" in text_of(letter) for letter in told)
    assert not services.close_case(request_id)
    assert state(request_id) == "verified"


def test_the_copy_that_was_read_is_kept_as_evidence(settled: Settled, inbox: Any) -> None:
    request_id = settled()
    services.settle_case(request_id)
    inbox.receive(request_id)

    services.verify_case(request_id, opening=inbox.opening)

    mailing_id = Request.objects.get(pk=request_id).mailing_id
    assert mailing_id is not None
    [entry] = archive.entries_of(mailing_chain(mailing_id), act="witness_copy")
    assert entry.facts["expected"] == entry.facts["received"]
    assert b"Jornada de salud" in archive.blob(str(entry.facts["raw"]))
    verified = next(e for e in archive.entries_of(case_chain(request_id)) if e.act == "verified")
    assert "text_equals" in verified.facts["reasons"]  # type: ignore[operator]


def test_a_copy_that_was_not_seen_is_looked_for_again_and_never_called_arrived(
    settled: Settled, inbox: Any
) -> None:
    request_id = settled()
    services.settle_case(request_id)

    first = services.verify_case(request_id, opening=inbox.opening)
    inbox.receive(request_id)
    second = services.verify_case(request_id, opening=inbox.opening)

    assert (first, second) == (Outcome.WAITING, Outcome.POSITIVE)
    view = queries.verification_of(request_id)
    assert view is not None
    assert {check.tone for check in view.checks} == {"ok"}
    assert any(check.seal for check in view.checks)
    [row] = queries.verifications(request_id)
    assert row.attempts == 2


def test_a_copy_that_never_comes_is_a_negative_verdict_at_the_limit(
    settled: Settled, inbox: Any
) -> None:
    request_id = settled()
    services.settle_case(request_id)
    limit_is_over(request_id)

    outcome = services.verify_case(request_id, opening=inbox.opening)

    assert outcome is Outcome.NEGATIVE
    [row] = queries.verifications(request_id)
    assert Reason.WITNESS_NOT_SEEN in row.reasons
    assert Reason.WITNESSES_RECEIVED not in row.reasons


def limit_is_over(request_id: int) -> None:
    now = timezone.now()
    Duty.objects.filter(request=request_id, stage="verify").update(started_at=now, due_at=now)


@contextmanager
def nobody_answers(_: MailboxAccount) -> Iterator[Mailbox]:
    raise UnreachableError("refused")
    yield


def test_a_mailbox_that_cannot_be_read_proves_nothing_and_past_the_limit_a_person_decides(
    settled: Settled, inbox: Any
) -> None:
    request_id = settled()
    services.settle_case(request_id)

    waiting = services.verify_case(request_id, opening=nobody_answers)
    limit_is_over(request_id)
    held = services.verify_case(request_id, opening=nobody_answers)

    assert (waiting, held) == (Outcome.WAITING, Outcome.HELD)
    assert state(request_id) == "confirmed"
    [row] = queries.verifications(request_id)
    assert row.sights[0]["code"] == "mailbox_unreachable"


def test_a_copy_too_long_to_be_read_whole_is_not_called_different(
    settled: Settled, inbox: Any
) -> None:
    request_id = settled()
    services.settle_case(request_id)
    inbox.receive(request_id)

    @contextmanager
    def cutting(account: MailboxAccount) -> Iterator[Mailbox]:
        class Cut:
            def messages_with_id(self, message_id: str) -> tuple[Fetched, ...]:
                with inbox.opening(account) as whole:
                    found = whole.messages_with_id(message_id)
                return tuple(replace(copy, raw=copy.raw[:200]) for copy in found)

            def messages_after(self, uid: int, *, limit: int = 1) -> tuple[Fetched, ...]:
                return ()

        yield Cut()

    assert services.verify_case(request_id, opening=cutting) is Outcome.WAITING
    [row] = queries.verifications(request_id)
    assert row.sights[0]["code"] == "copy_too_long"


def test_before_the_first_look_there_is_nothing_to_show(settled: Settled) -> None:
    assert queries.verification_of(settled()) is None


def test_somebody_in_doubt_holds_the_verdict(settled: Settled, inbox: Any) -> None:
    request_id = settled(est1="in_doubt")
    services.settle_case(request_id)
    inbox.receive(request_id)

    assert services.verify_case(request_id, opening=inbox.opening) is Outcome.HELD
    assert state(request_id) == "confirmed"


def test_without_a_witness_a_person_has_to_verify(settled: Settled) -> None:
    request_id = settled()
    services.settle_case(request_id)

    assert services.verify_case(request_id) is Outcome.HELD
    [row] = queries.verifications(request_id)
    assert Reason.NO_WITNESS in row.reasons


def test_what_a_person_decided_about_a_held_case_is_shown(settled: Settled, cast: Any) -> None:
    request_id = settled()
    services.settle_case(request_id)
    services.verify_case(request_id)

    desk.verify(request_id, by=cast.paula, verdict=Verdict.POSITIVE, reasons=["no_witness"])

    view = queries.verification_of(request_id)
    assert view is not None
    assert (view.outcome, view.next_look_at) == (Outcome.POSITIVE, None)


def test_a_sending_by_other_means_is_confirmed_and_held_for_a_person(
    forwarded: Callable[[], int], cast: Any
) -> None:
    request_id = forwarded()
    document = desk.attach(
        request_id, name="registro.txt", media_type="text/plain", content=b"ok", by=cast.otto
    )
    now = timezone.now()
    desk.declare_sent(
        request_id,
        by=cast.otto,
        figures=Figures(audience=3, accepted=3),
        started_at=now,
        ended_at=now,
        documents=[document],
    )

    services.settle_case(request_id)

    assert state(request_id) == "confirmed"
    assert services.verify_case(request_id) is Outcome.HELD
    [row] = queries.verifications(request_id)
    assert Reason.OTHER_MEANS in row.reasons


def test_a_verdict_is_given_once_and_stays(settled: Settled, inbox: Any) -> None:
    request_id = settled()
    services.settle_case(request_id)
    inbox.receive(request_id)
    services.verify_case(request_id, opening=inbox.opening)

    assert services.verify_case(request_id, opening=inbox.opening) is None
    with pytest.raises(DatabaseError), transaction.atomic():
        Verification.objects.update(outcome="negative")


def test_a_reopened_case_is_verified_anew(settled: Settled, inbox: Any, cast: Any) -> None:
    request_id = settled()
    services.settle_case(request_id)
    inbox.receive(request_id)
    services.verify_case(request_id, opening=inbox.opening)
    services.close_case(request_id)

    desk.reopen(request_id, by=cast.paula, reason="Alguien dice que no llegó.")
    outcome = services.verify_case(request_id, opening=inbox.opening)

    assert outcome is Outcome.POSITIVE
    assert [row.round for row in queries.verifications(request_id)] == [1, 2]


def test_a_resend_to_the_missing_is_confirmed_and_verified_anew(
    settled: Settled, inbox: Any, cast: Any
) -> None:
    from circular.evidence.actors import RELAY
    from circular.mailing.models import Recipient
    from circular.mailing.services import note_settled

    request_id = settled(est0="refused")
    services.settle_case(request_id)
    inbox.receive(request_id)
    desk.resend_missing(request_id, by=cast.otto)
    mailing_id = Request.objects.get(pk=request_id).mailing_id
    assert mailing_id is not None
    Recipient.objects.filter(mailing=mailing_id).update(
        state="accepted", reason="", next_try_at=None
    )
    note_settled(mailing_id, by=RELAY)

    services.settle_case(request_id)
    outcome = services.verify_case(request_id, opening=inbox.opening)

    assert outcome is Outcome.POSITIVE
    assert len(letters(request_id, "confirmation_to_requester")) == 2


def test_the_day_s_anchor_goes_to_every_witness_once(settled: Settled, witness: str) -> None:
    settled()

    assert services.send_anchor()
    assert not services.send_anchor()

    [mailing] = Mailing.objects.filter(kind="anchor")
    assert [row.address for row in mailing.recipients.all()] == [witness]
    [entry] = archive.entries_of(HOUSE, act="anchored")
    assert verify_archive(anchors=[str(entry.facts["head"])]).sound
    assert str(entry.facts["head"])[:8] in text_of(mailing).replace(" ", "")


def test_without_a_witness_there_is_no_anchor(settled: Settled) -> None:
    settled()

    assert not services.send_anchor()


def test_the_rounds_ask_a_fixed_number_of_queries_when_nothing_waits(
    cast: Any, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(5):
        assert queries.cases_to_settle() == []
        assert queries.cases_to_verify(timezone.now()) == []
        assert queries.cases_to_close() == []
        assert queries.duties_come_due(timezone.now()) == []
    assert connection.in_atomic_block
