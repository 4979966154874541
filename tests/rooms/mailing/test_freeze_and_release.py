"""The audience is frozen once, and everything about a message is pinned at release."""

import email
import email.policy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError

from circular.directory.models import Account
from circular.evidence.actors import SYSTEM
from circular.evidence.chain import HOUSE, mailing_chain
from circular.evidence.queries import entries_of
from circular.mailing import queries, services
from circular.mailing.composing import Draft
from circular.mailing.errors import ContentAlteredError, RuleMismatchError, WrongStateError
from circular.mailing.kinds import MailingKind, MailingState
from circular.mailing.models import Mailing, Recipient, Stencil, WitnessMailbox

EVERYBODY: dict[str, object] = {"clauses": [{}]}
STUDENTS = {"clauses": [{"groups": ["student"]}]}


def test_every_active_account_becomes_one_row_and_the_totals_balance(
    frozen: Callable[[], int],
) -> None:
    mailing_id = frozen()

    totals = queries.mailing(mailing_id).totals

    assert (totals.audience, totals.pending) == (9, 9)
    assert totals.balances
    assert Recipient.objects.filter(mailing=mailing_id).count() == 9


def test_witnesses_are_extra_rows_outside_the_totals(accounts: None, draft: Draft) -> None:
    WitnessMailbox.objects.create(
        address="testigo1@unimacizo.example", imap_host="localhost", username="testigo1"
    )
    digest = services.save_stencil(services.compose_stencil(draft).content, by=SYSTEM)
    mailing_id = services.create_mailing(kind=MailingKind.CIRCULAR, stencil=digest, by=SYSTEM)

    count = services.freeze_audience(mailing_id, EVERYBODY, witnesses=True, by=SYSTEM)

    row = queries.mailing(mailing_id)
    assert count == row.totals.audience == 9
    assert (row.witnesses, row.witnesses_pending) == (1, 1)
    assert [one.address for one in queries.witness_recipients(mailing_id)] == [
        "testigo1@unimacizo.example"
    ]


def test_an_audience_that_was_not_approved_is_refused(accounts: None, draft: Draft) -> None:
    digest = services.save_stencil(services.compose_stencil(draft).content, by=SYSTEM)
    mailing_id = services.create_mailing(kind=MailingKind.CIRCULAR, stencil=digest, by=SYSTEM)

    with pytest.raises(RuleMismatchError):
        services.freeze_audience(mailing_id, STUDENTS, witnesses=False, by=SYSTEM)


def test_what_is_frozen_stays_frozen(frozen: Callable[[], int]) -> None:
    mailing_id = frozen()

    with pytest.raises(WrongStateError):
        services.freeze_audience(mailing_id, EVERYBODY, witnesses=False, by=SYSTEM)


def test_the_database_refuses_to_change_to_whom_a_mailing_goes(frozen: Callable[[], int]) -> None:
    mailing_id = frozen()

    with pytest.raises(ProgrammingError), transaction.atomic():
        Recipient.objects.filter(mailing=mailing_id).update(address="otra@unimacizo.example")


def test_the_database_refuses_totals_that_do_not_balance(frozen: Callable[[], int]) -> None:
    mailing_id = frozen()

    with pytest.raises(IntegrityError), transaction.atomic():
        Mailing.objects.filter(pk=mailing_id).update(accepted=1)


def test_the_database_refuses_to_change_approved_content(frozen: Callable[[], int]) -> None:
    digest = queries.mailing(frozen()).stencil

    with pytest.raises(ProgrammingError), transaction.atomic():
        Stencil.objects.filter(pk=digest).update(content={"format": "other"})
    with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM mailing_stencil WHERE digest = %s", [digest])


def test_a_released_mailing_has_work_and_a_second_release_changes_nothing(
    frozen: Callable[[], int],
) -> None:
    mailing_id = frozen()

    assert services.release_mailing(mailing_id, by=SYSTEM)
    assert not services.release_mailing(mailing_id, by=SYSTEM)

    assert queries.mailings_with_work() == [mailing_id]
    assert [entry.act for entry in entries_of(mailing_chain(mailing_id))] == ["frozen", "released"]


def test_a_message_is_the_same_octet_for_octet_when_it_is_printed_again(
    frozen: Callable[[], int],
) -> None:
    mailing_id = frozen()
    services.release_mailing(mailing_id, by=SYSTEM)
    someone = Recipient.objects.get(mailing=mailing_id, address="persona1@unimacizo.example")

    first = queries.printed_copy(someone.pk)
    again = queries.printed_copy(someone.pk)

    assert first == again
    message = email.message_from_bytes(first.raw, policy=email.policy.default)
    assert message["To"] == "Ana1 Gómez <persona1@unimacizo.example>"
    plain = message.get_body(("plain",))
    assert plain is not None
    assert "Cordial saludo, Anita:" in plain.get_content()
    found = queries.recipient_of_token(first.envelope_from)
    assert found is not None
    assert found.id == someone.pk


def test_content_that_no_longer_gives_the_approved_digest_is_not_printed(
    frozen: Callable[[], int],
) -> None:
    mailing_id = frozen()
    services.release_mailing(mailing_id, by=SYSTEM)
    approved = Mailing.objects.get(pk=mailing_id).stencil
    altered = Stencil.objects.create(
        digest="f" * 64,
        content=approved.content,
        mail_class=approved.mail_class,
        subject=approved.subject,
        created_at=approved.created_at,
    )
    queries.press_for(mailing_id)
    Mailing.objects.filter(pk=mailing_id).update(stencil=altered)

    with pytest.raises(ContentAlteredError):
        queries.press_for(mailing_id)


def test_an_erratum_goes_to_the_same_frozen_recipients(
    frozen: Callable[[], int], draft: Draft
) -> None:
    first = frozen()
    Account.objects.filter(address="persona1@unimacizo.example").update(active=False)
    digest = services.save_stencil(services.compose_stencil(draft).content, by=SYSTEM)
    second = services.create_mailing(
        kind=MailingKind.CIRCULAR, stencil=digest, same_recipients_as=first, by=SYSTEM
    )

    count = services.freeze_audience(second, witnesses=False, by=SYSTEM)

    assert count == 9
    assert Recipient.objects.filter(mailing=second, address="persona1@unimacizo.example").exists()


def test_a_test_goes_by_the_very_same_path_to_named_people(accounts: None, draft: Draft) -> None:
    digest = services.save_stencil(services.compose_stencil(draft).content, by=SYSTEM)

    mailing_id = services.send_test(
        digest,
        to=["Persona2@unimacizo.example", "persona2@unimacizo.example", "nadie"],
        case=None,
        by=SYSTEM,
    )

    row = queries.mailing(mailing_id)
    assert (row.kind, row.state, row.totals.audience) == (
        MailingKind.TEST,
        MailingState.RELEASED,
        1,
    )
    copy = queries.printed_copy(Recipient.objects.get(mailing=mailing_id).pk)
    assert b"Cordial saludo, Ana2:" in copy.raw


def test_a_paused_mailing_has_no_work_until_it_is_resumed(frozen: Callable[[], int]) -> None:
    mailing_id = frozen()
    services.release_mailing(mailing_id, by=SYSTEM)

    assert services.pause_mailing(mailing_id, by=SYSTEM)
    assert queries.mailings_with_work() == []

    assert services.resume_mailing(mailing_id, by=SYSTEM)
    assert queries.mailings_with_work() == [mailing_id]


def test_the_deadline_moves_by_as_long_as_the_pause_was(frozen: Callable[[], int]) -> None:
    mailing_id = frozen()
    services.release_mailing(mailing_id, by=SYSTEM)
    before = queries.mailing(mailing_id).deadline_at
    assert before is not None
    services.pause_mailing(mailing_id, by=SYSTEM)
    three_days_ago = datetime.now(UTC) - timedelta(days=3)
    Mailing.objects.filter(pk=mailing_id).update(
        paused_at=three_days_ago, deadline_at=before - timedelta(days=3)
    )
    assert queries.mailings_overdue(datetime.now(UTC)) == []

    services.resume_mailing(mailing_id, by=SYSTEM)

    after = queries.mailing(mailing_id).deadline_at
    assert after is not None
    assert abs(after - before) < timedelta(minutes=1)


def test_a_deadline_waits_for_a_quota_but_not_for_a_relay(frozen: Callable[[], int]) -> None:
    mailing_id = frozen()
    services.release_mailing(mailing_id, by=SYSTEM)
    now = datetime.now(UTC)

    def long_ago() -> None:
        Mailing.objects.filter(pk=mailing_id).update(
            self_paused_at=now - timedelta(days=3), deadline_at=now - timedelta(days=1)
        )

    services.pause_self(mailing_id, "relay_unreachable", by=SYSTEM)
    long_ago()
    assert queries.mailings_overdue(now) == [mailing_id]
    assert services.resume_self(mailing_id, by=SYSTEM)
    unmoved = queries.mailing(mailing_id).deadline_at
    services.pause_self(mailing_id, "quota_used", by=SYSTEM)
    long_ago()

    assert queries.mailings_overdue(now) == []
    assert not services.resume_self(mailing_id, by=SYSTEM, only="another")
    assert services.resume_self(mailing_id, by=SYSTEM, only="quota_used")
    moved = queries.mailing(mailing_id).deadline_at
    assert unmoved == now - timedelta(days=1)
    assert moved is not None
    assert abs(moved - now - timedelta(days=2)) < timedelta(minutes=1)


def test_a_resumed_mailing_has_no_pause_left_of_either_kind(frozen: Callable[[], int]) -> None:
    mailing_id = frozen()
    services.release_mailing(mailing_id, by=SYSTEM)
    services.pause_self(mailing_id, "quota", by=SYSTEM)
    services.pause_mailing(mailing_id, by=SYSTEM)

    assert services.resume_mailing(mailing_id, by=SYSTEM)

    row = queries.mailing(mailing_id)
    assert (row.state, row.self_paused) == (MailingState.RELEASED, "")


def test_a_new_frame_is_an_entry_and_leaves_what_was_composed_alone(
    accounts: None, draft: Draft
) -> None:
    before = services.compose_stencil(draft).content

    version = services.save_frame("<p>[[body]]</p>", "[[body]]", by=SYSTEM)

    assert version == 2
    assert services.compose_stencil(draft).content.frame_version == 2
    assert before.frame_version == 1
    assert list(entries_of(HOUSE))[-1].act == "frame_saved"


def test_a_mailing_that_pauses_itself_says_why(frozen: Callable[[], int]) -> None:
    mailing_id = frozen()
    services.release_mailing(mailing_id, by=SYSTEM)

    assert services.pause_self(mailing_id, "quota", by=SYSTEM)

    row = queries.mailing(mailing_id)
    assert (row.state, row.self_paused) == (MailingState.RELEASED, "quota")
    assert services.resume_mailing(mailing_id, by=SYSTEM)
    assert queries.mailing(mailing_id).self_paused == ""
