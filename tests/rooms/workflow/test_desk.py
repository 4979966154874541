"""What the desk does with rows, letters and clocks, against the real database."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from circular.directory.services import import_accounts
from circular.evidence.actors import CLOCK, DOOR, RELAY, SYSTEM, Actor
from circular.evidence.export import export_case
from circular.evidence.queries import entries_of
from circular.evidence.services import case_chain
from circular.mailing.models import Mailing, Recipient
from circular.mailing.services import note_settled
from circular.people.models import Holding, Institution, Post
from circular.workflow import queries, services
from circular.workflow.acts import Act, Figures
from circular.workflow.content import Content
from circular.workflow.guards import Refusal
from circular.workflow.journal import deed_from_journal
from circular.workflow.models import (
    Correspondence,
    Duty,
    FilingSequence,
    Request,
    RequestVersion,
)
from circular.workflow.procedure import ProcedureError
from circular.workflow.queries.standing import facts_of
from circular.workflow.states import Channel, Stage, State, Verdict
from circular.workflow.transitions import Moved, NotMoved, replay

pytestmark = pytest.mark.django_db
Reach = Callable[[str], int]
FRIDAY = datetime(2026, 11, 13, 21, 58, tzinfo=UTC)  # 16:58 in Bogotá; Monday 16 is a holiday


def refusal(decision: object) -> Refusal:
    assert isinstance(decision, NotMoved), decision
    return decision.refusal


def row_of(request_id: int) -> Request:
    return Request.objects.select_related("version", "mailing", "procedure").get(pk=request_id)


def digest_of(request_id: int) -> str:
    version = row_of(request_id).version
    assert version is not None
    return version.digest


def acts_of(request_id: int) -> list[str]:
    return [entry.act for entry in entries_of(case_chain(request_id))]


def letters_of(request_id: int) -> list[str]:
    rows = Correspondence.objects.filter(request=request_id, direction="out").order_by("id")
    return list(rows.values_list("letter", flat=True))


def import_students(count: int) -> None:
    rows = "".join(f"est{each}@uni.example,E{each},student\n" for each in range(count))
    import_accounts(
        f"address,given_name,groups\n{rows}".encode(),
        name="cuentas.csv",
        keep_good=False,
        confirm=True,
        by=SYSTEM,
    )


def post_office(request_id: int, *, refuse: int = 0) -> None:
    """Settle the mailing: so many refused, everybody else accepted."""
    mailing = row_of(request_id).mailing_id
    assert mailing is not None
    waiting = list(
        Recipient.objects.filter(mailing=mailing, witness=False, state="pending")
        .order_by("id")
        .values_list("pk", flat=True)
    )
    Recipient.objects.filter(pk__in=waiting[:refuse]).update(state="refused", reason="refused")
    Recipient.objects.filter(pk__in=waiting[refuse:]).update(state="accepted")
    assert note_settled(mailing, by=RELAY)


# ---- drafts and filing


def test_the_same_form_sent_twice_is_one_draft(cast: Any, content: Content) -> None:
    first, second = (
        services.create_draft(
            content,
            by=cast.anna,
            requester=cast.anna.person,
            unit=cast.unit,
            channel=Channel.WEB,
            idempotency_key="abc",
        )
        for _ in range(2)
    )

    assert first == second
    assert acts_of(first) == ["drafted"]


def test_the_mail_that_asked_is_kept_once_with_its_draft(cast: Any, draft: int) -> None:
    def keep() -> int:
        return services.file_request_mail(
            draft,
            incoming=7,
            raw_digest="a" * 64,
            message_id="<1@uni.example>",
            address="anna@uni.example",
            subject="Solicitud",
            text="Quiero enviar un correo",
            person=cast.anna.person,
            at=timezone.now(),
            by=DOOR,
        )

    assert keep() == keep()
    assert acts_of(draft) == ["drafted", "received"]
    letter = Correspondence.objects.get(request=draft)
    assert (letter.direction, letter.message_id) == ("in", "<1@uni.example>")


def test_filing_twice_draws_one_number(cast: Any, draft: int) -> None:
    services.file_request(draft, by=cast.anna)

    again = services.file_request(draft, by=cast.anna)

    assert refusal(again) is Refusal.WRONG_STATE
    assert FilingSequence.objects.get().last == 1


def test_numbers_are_gapless_when_a_filing_fails(cast: Any, content: Content) -> None:
    drafts = [
        services.create_draft(
            content, by=cast.anna, requester=cast.anna.person, unit=cast.unit, channel=Channel.WEB
        )
        for _ in range(3)
    ]
    services.file_request(drafts[0], by=cast.anna)

    with transaction.atomic():
        services.file_request(drafts[1], by=cast.anna)
        transaction.set_rollback(True)  # the disk is full
    services.file_request(drafts[2], by=cast.anna)

    year = timezone.localdate().year
    numbers = [row_of(draft).filing_number for draft in drafts]
    assert numbers == [f"CIR-{year}-000001", None, f"CIR-{year}-000002"]


def test_a_draft_that_lacks_something_is_not_filed(cast: Any, content: Content) -> None:
    draft = services.create_draft(
        replace(content, audience=None, subject=" "),
        by=DOOR,
        requester=cast.anna.person,
        unit=None,
        channel=Channel.MAIL,
    )

    decision = services.file_request(draft, by=cast.anna)

    assert refusal(decision) is Refusal.INCOMPLETE
    assert isinstance(decision, NotMoved)
    assert decision.about["missing"] == "audience subject unit"


def test_a_text_that_can_never_be_sent_is_not_filed(cast: Any, content: Content) -> None:
    draft = services.create_draft(
        replace(content, text="Hola {{ apodo }}"),
        by=cast.anna,
        requester=cast.anna.person,
        unit=cast.unit,
        channel=Channel.WEB,
    )

    decision = services.file_request(draft, by=cast.anna)

    assert isinstance(decision, NotMoved)
    assert decision.about["missing"] == "unfit"


def test_only_the_requester_files(cast: Any, draft: int) -> None:
    assert refusal(services.file_request(draft, by=cast.mallory)) is Refusal.NOT_REQUESTER


def test_the_filed_version_is_sealed_by_the_database(cast: Any, draft: int) -> None:
    services.file_request(draft, by=cast.anna)

    with pytest.raises(ProgrammingError), transaction.atomic():
        RequestVersion.objects.filter(request=draft).update(subject="otro")


def test_the_receipt_says_the_dates_of_the_calendar(cast: Any, draft: int) -> None:
    with time_machine.travel(FRIDAY, tick=False):
        services.file_request(draft, by=cast.anna)

    duty = Duty.objects.get(request=draft, ended_at__isnull=True)
    assert (duty.stage, duty.owed_by) == (Stage.REVIEW, "communications")
    # 8 business hours from Friday 16:58 over a holiday Monday: Tuesday 16:58.
    assert duty.due_at == datetime(2026, 11, 17, 21, 58, tzinfo=UTC)
    assert letters_of(draft) == ["acknowledgement", "request_to_review"]


def test_a_draft_nobody_confirmed_lapses_without_a_number(cast: Any, draft: int) -> None:
    assert isinstance(services.lapse_draft(draft, by=CLOCK), Moved)

    row = row_of(draft)
    assert (row.state, row.filing_number) == (State.CANCELLED, None)


def test_a_case_keeps_the_procedure_that_was_in_force(cast: Any, draft: int) -> None:
    services.file_request(draft, by=cast.anna)

    procedure = queries.pinned(row_of(draft).procedure)

    assert (procedure.code, procedure.version) == ("PE-GE-2.3-PR-21", 1)
    with pytest.raises(ProgrammingError), transaction.atomic():
        connection.cursor().execute("UPDATE workflow_procedureversion SET source = ''")


def test_a_second_version_stands_beside_the_first_and_open_cases_stay_on_theirs(
    cast: Any, content: Content, draft: int
) -> None:
    services.file_request(draft, by=cast.anna)
    first = queries.procedure_source(queries.procedure_in_force())
    second = first.replace("version = 1\ntitle", "version = 2\ntitle").replace(
        "in_force_from = 2022-03-25", "in_force_from = 2023-01-01"
    )
    second += (
        '[[changes]]\non = 2023-01-01\nversion = 2\ncode = "PE-GE-2.3-PR-21"\ntext = "Ajuste."\n'
    )

    services.load_procedure(second, by=cast.vera)
    later = services.create_draft(
        content, by=cast.anna, requester=cast.anna.person, unit=cast.unit, channel=Channel.WEB
    )
    services.file_request(later, by=cast.anna)

    assert [each.version for each in queries.procedures()] == [2, 1]
    assert queries.pinned(row_of(draft).procedure).version == 1
    assert queries.pinned(row_of(later).procedure).version == 2


def test_another_text_for_a_known_version_is_refused(cast: Any, draft: int) -> None:
    source = queries.procedure_source(queries.procedure_in_force())

    with pytest.raises(ProcedureError, match="other_text"):
        services.load_procedure(source.replace("Recibir la", "Acoger la"), by=cast.vera)


def test_a_request_that_was_phoned_in_is_not_approved_by_who_wrote_it_down(
    cast: Any, content: Content
) -> None:
    draft = services.create_draft(
        content, by=cast.paula, requester=cast.anna.person, unit=cast.unit, channel=Channel.PHONE
    )
    assert isinstance(services.file_request(draft, by=cast.paula), Moved)
    services.take(draft, by=cast.paula)

    decision = services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=3)

    assert refusal(decision) is Refusal.REGISTERED_BY_YOU


# ---- review


def test_of_two_reviewers_at_once_the_second_is_told(cast: Any, draft: int) -> None:
    services.file_request(draft, by=cast.anna)
    services.take(draft, by=cast.paula)

    decision = services.take(draft, by=cast.pedro)

    assert refusal(decision) is Refusal.ALREADY_TAKEN


def test_a_second_approval_is_told_the_state(cast: Any, reach: Reach) -> None:
    draft = reach("in_review")
    services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=3)

    decision = services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=3)

    assert refusal(decision) is Refusal.WRONG_STATE


def test_an_approval_of_content_that_changed_is_refused(
    cast: Any, reach: Reach, content: Content
) -> None:
    draft = reach("in_review")
    seen = digest_of(draft)
    services.correct(draft, replace(content, text="Será el jueves."), by=cast.anna)

    decision = services.approve(draft, by=cast.paula, seen_digest=seen, seen_count=3)

    assert refusal(decision) is Refusal.CONTENT_CHANGED


def test_an_approval_of_another_count_is_refused(cast: Any, reach: Reach) -> None:
    draft = reach("in_review")

    decision = services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=300)

    assert refusal(decision) is Refusal.COUNT_CHANGED


def test_returned_and_resubmitted_is_a_new_version_and_the_old_one_stays(
    cast: Any, reach: Reach, content: Content
) -> None:
    draft = reach("in_review")
    services.return_request(draft, by=cast.paula, reason="Falta el lugar")
    assert Duty.objects.get(request=draft, ended_at__isnull=True).stage == Stage.CORRECT

    services.resubmit(
        draft, replace(content, text="Habrá una jornada en el coliseo."), by=cast.anna
    )

    row = row_of(draft)
    assert (row.state, row.reviewer_id) == (State.IN_REVIEW, cast.paula.person)
    texts = RequestVersion.objects.filter(request=draft).order_by("number")
    assert list(texts.values_list("number", "text")) == [
        (1, content.text),
        (2, "Habrá una jornada en el coliseo."),
    ]
    assert letters_of(draft)[-2:] == ["returned", "request_to_review"]


def test_a_rejection_keeps_its_words_out_of_the_chain(cast: Any, reach: Reach) -> None:
    draft = reach("in_review")

    services.reject(draft, by=cast.paula, reason="No es para todos", channel="El boletín")

    entry = entries_of(case_chain(draft))[-1]
    assert entry.act == "rejected"
    assert set(entry.facts) == {"from", "to", "reason", "channel", "letters"}
    assert row_of(draft).suggested_channel == "El boletín"


def test_a_sign_off_needs_a_test_of_that_very_content(
    cast: Any, reach: Reach, content: Content
) -> None:
    draft = reach("in_review")
    services.send_test(draft, by=cast.paula)
    services.correct(draft, replace(content, text="Será el jueves."), by=cast.anna)

    decision = services.sign_off(draft, by=cast.anna, seen_digest=digest_of(draft))

    assert refusal(decision) is Refusal.TEST_MISSING


def test_where_a_sign_off_is_required_nothing_is_approved_without(cast: Any, reach: Reach) -> None:
    draft = reach("in_review")
    rules = queries.desk_rules()
    services.set_desk_rules(
        count_tolerance_permille=20,
        require_sign_off=True,
        filing_prefix="CIR",
        hours=(
            (rules.morning_from, rules.morning_until),
            (rules.afternoon_from, rules.afternoon_until),
        ),
        by=cast.vera,
    )

    decision = services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=3)

    assert refusal(decision) is Refusal.SIGN_OFF_MISSING


def test_an_authority_over_the_audience_consents_before_the_hand_over(
    cast: Any, reach: Reach
) -> None:
    services.name_authority(cast.deans_post, "student", by=cast.vera)
    draft = reach("in_review")
    services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=3)
    assert row_of(draft).state == State.APPROVED
    assert letters_of(draft)[-1] == "consent_asked"
    assert refusal(services.forward(draft, by=cast.paula)) is Refusal.CONSENT_MISSING

    decision = services.authorise(draft, by=cast.dean, seen_digest=digest_of(draft))

    assert isinstance(decision, Moved)
    assert row_of(draft).state == State.FORWARDED
    assert acts_of(draft)[-2:] == ["authorised", "forwarded"]
    assert letters_of(draft)[-2:] == ["forwarded", "approved"]


def test_an_authority_sends_back_what_it_does_not_consent_to(cast: Any, reach: Reach) -> None:
    services.name_authority(cast.deans_post, "", by=cast.vera)
    draft = reach("in_review")
    services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=3)

    assert refusal(services.send_back(draft, by=cast.otto, reason="No")) is Refusal.NOT_IT
    assert isinstance(services.send_back(draft, by=cast.dean, reason="No es para todos"), Moved)

    row = row_of(draft)
    assert (row.state, row.approved_digest) == (State.IN_REVIEW, "")
    assert letters_of(draft)[-1] == "sent_back"


def test_when_an_authority_ends_what_waited_for_it_goes_on(cast: Any, reach: Reach) -> None:
    authority = services.name_authority(cast.deans_post, "student", by=cast.vera)
    draft = reach("in_review")
    services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=3)

    services.drop_authority(authority, by=cast.vera)

    assert Duty.objects.get(request=draft, ended_at__isnull=True).stage == Stage.FORWARD
    assert isinstance(services.forward(draft, by=cast.paula), Moved)


# ---- sending


def test_who_approved_does_not_send(cast: Any, reach: Reach) -> None:
    draft = reach("in_review")
    services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=3)
    tic = Post.objects.get(code="tic")
    Holding.objects.create(person_id=cast.paula.person, post=tic, from_on=date(2020, 1, 1))

    assert refusal(services.accept(draft, by=cast.paula)) is Refusal.APPROVED_BY_YOU


def test_who_approved_does_not_take_a_scheduled_sending_over_before_the_clock_starts_it(
    cast: Any, reach: Reach
) -> None:
    draft = reach("forwarded")
    services.schedule(draft, by=cast.otto, scheduled_at=timezone.now() + timedelta(hours=1))
    tic = Post.objects.get(code="tic")
    Holding.objects.create(person_id=cast.paula.person, post=tic, from_on=date(2020, 1, 1))

    assert refusal(services.take_over(draft, by=cast.paula)) is Refusal.APPROVED_BY_YOU


def test_who_consented_for_an_authority_does_not_send(cast: Any, reach: Reach) -> None:
    services.name_authority(cast.deans_post, "student", by=cast.vera)
    draft = reach("in_review")
    services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=3)
    services.authorise(draft, by=cast.dean, seen_digest=digest_of(draft))
    tic = Post.objects.get(code="tic")
    Holding.objects.create(person_id=cast.dean.person, post=tic, from_on=date(2020, 1, 1))

    assert refusal(services.accept(draft, by=cast.dean)) is Refusal.APPROVED_BY_YOU


def test_where_duties_are_not_separate_one_person_may_do_all_but_ask(
    cast: Any, reach: Reach
) -> None:
    Institution.objects.update(separate_duties=False)
    draft = reach("in_review")
    services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=3)
    tic = Post.objects.get(code="tic")
    Holding.objects.create(person_id=cast.paula.person, post=tic, from_on=date(2020, 1, 1))

    assert isinstance(services.accept(draft, by=cast.paula), Moved)


def test_an_audience_that_grew_is_refused_and_leaves_no_frozen_mailing(
    cast: Any, reach: Reach
) -> None:
    draft = reach("forwarded")
    import_students(40)

    decision = services.start(draft, by=cast.otto)

    assert refusal(decision) is Refusal.COUNT_CHANGED
    assert isinstance(decision, NotMoved)
    assert (decision.about["before"], decision.about["now"]) == (3, 40)
    assert not Mailing.objects.filter(case=draft, kind="circular").exists()
    assert row_of(draft).state == State.FORWARDED


def test_an_operator_may_accept_exactly_the_new_count(cast: Any, reach: Reach) -> None:
    draft = reach("forwarded")
    import_students(40)

    assert refusal(services.start(draft, by=cast.otto, accepted_count=39)) is Refusal.COUNT_CHANGED
    assert isinstance(services.start(draft, by=cast.otto, accepted_count=40), Moved)

    mailing = row_of(draft).mailing
    assert mailing is not None
    assert (mailing.state, mailing.audience) == ("released", 40)


def test_the_clock_starts_what_is_due_and_nothing_else(cast: Any, reach: Reach) -> None:
    draft = reach("forwarded")
    at = timezone.now() + timedelta(hours=3)
    services.schedule(draft, by=cast.otto, scheduled_at=at)

    assert services.start_due() == 0
    with time_machine.travel(at + timedelta(seconds=1), tick=False):
        assert services.start_due() == 1

    assert row_of(draft).state == State.SENDING
    started = entries_of(case_chain(draft))[-1]
    assert (started.act, started.by) == ("started", CLOCK)


def test_a_start_that_the_clock_may_not_make_is_held_and_told_once(cast: Any, reach: Reach) -> None:
    draft = reach("forwarded")
    at = timezone.now() + timedelta(hours=3)
    services.schedule(draft, by=cast.otto, scheduled_at=at)
    import_students(40)

    with time_machine.travel(at + timedelta(seconds=1), tick=False):
        assert services.start_due() == 0
        assert services.start_due() == 0

    assert (row_of(draft).state, row_of(draft).held) == (State.SCHEDULED, "count_changed")
    assert letters_of(draft).count("not_sent") == 1


def test_an_overdue_start_is_not_fired_late_in_silence(cast: Any, reach: Reach) -> None:
    draft = reach("forwarded")
    at = timezone.now() + timedelta(hours=3)
    services.schedule(draft, by=cast.otto, scheduled_at=at)

    with time_machine.travel(at + timedelta(minutes=121), tick=False):
        assert services.start_due() == 0
        assert services.start_due() == 0
        held = row_of(draft)
        by_a_person = services.start(draft, by=cast.otto)

    assert (held.state, held.held, held.mailing) == (State.SCHEDULED, "start_overdue", None)
    assert letters_of(draft).count("not_sent") == 1
    assert isinstance(by_a_person, Moved)


def test_a_start_that_is_only_a_little_late_is_made(cast: Any, reach: Reach) -> None:
    draft = reach("forwarded")
    at = timezone.now() + timedelta(hours=3)
    services.schedule(draft, by=cast.otto, scheduled_at=at)

    with time_machine.travel(at + timedelta(minutes=119), tick=False):
        assert services.start_due() == 1


def test_pause_and_resume_reach_the_mailing(cast: Any, reach: Reach) -> None:
    draft = reach("sending")

    services.pause(draft, by=cast.paula)
    paused = row_of(draft).mailing
    services.resume(draft, by=cast.otto)
    resumed = row_of(draft).mailing

    assert paused is not None
    assert resumed is not None
    assert (paused.state, resumed.state) == ("paused", "released")


def test_cancelling_a_sending_withdraws_everybody_who_waits(cast: Any, reach: Reach) -> None:
    draft = reach("sending")

    assert refusal(services.cancel(draft, by=cast.anna)) is Refusal.NOT_CANCELLED_BY_YOU
    assert isinstance(services.cancel(draft, by=cast.otto, reason="Error de fecha"), Moved)

    mailing = row_of(draft).mailing
    assert mailing is not None
    assert (mailing.pending, mailing.suppressed) == (0, 3)
    assert not Duty.objects.filter(request=draft, ended_at__isnull=True).exists()


def test_nothing_is_marked_sent_while_somebody_is_pending(cast: Any, reach: Reach) -> None:
    assert refusal(services.mark_sent(reach("sending"))) is Refusal.STILL_PENDING


def test_a_declared_sending_must_balance_and_bring_its_evidence(cast: Any, reach: Reach) -> None:
    draft = reach("forwarded")
    now = timezone.now()
    lame = Figures(audience=10, accepted=8, refused=1)
    sound = Figures(audience=10, accepted=9, refused=1)
    digest = services.attach(
        draft, name="informe.pdf", media_type="application/pdf", content=b"%PDF", by=cast.otto
    )

    def declare(figures: Figures, documents: list[str]) -> object:
        return services.declare_sent(
            draft,
            by=cast.otto,
            figures=figures,
            documents=documents,
            started_at=now - timedelta(hours=2),
            ended_at=now,
        )

    assert refusal(declare(lame, [digest])) is Refusal.FIGURES_DO_NOT_BALANCE
    assert refusal(declare(sound, ["f" * 64])) is Refusal.DOCUMENT_MISSING
    assert isinstance(declare(sound, [digest]), Moved)
    assert isinstance(services.confirm_to_communications(draft, by=cast.otto), Moved)
    assert isinstance(services.confirm_to_requester(draft, by=cast.paula), Moved)
    assert isinstance(
        services.verify(draft, by=cast.paula, verdict=Verdict.POSITIVE, checks=[(True, "Cuadra")]),
        Moved,
    )
    row = row_of(draft)
    assert (row.way, row.state) == ("external", State.VERIFIED)


def test_what_was_declared_and_found_not_sent_is_sent_by_circular_with_its_own_figures(
    cast: Any, reach: Reach
) -> None:
    draft = reach("forwarded")
    now = timezone.now()
    digest = services.attach(
        draft, name="informe.pdf", media_type="application/pdf", content=b"%PDF", by=cast.otto
    )
    services.declare_sent(
        draft,
        by=cast.otto,
        figures=Figures(audience=10, accepted=10),
        documents=[digest],
        started_at=now,
        ended_at=now,
    )
    services.find_not_sent(draft, by=cast.paula, reason="Nadie lo recibió")
    assert row_of(draft).ended_because == "Nadie lo recibió"

    services.start(draft, by=cast.otto)
    post_office(draft)
    services.mark_sent(draft)

    row = row_of(draft)
    assert (row.way, row.declared, row.state) == ("circular", None, State.SENT)
    assert entries_of(case_chain(draft))[-1].facts["accepted"] == 3


def test_the_missing_alone_are_offered_again_and_the_audience_stays(
    cast: Any, reach: Reach
) -> None:
    draft = reach("sending")
    post_office(draft, refuse=1)
    services.mark_sent(draft)

    services.resend_missing(draft, by=cast.otto)

    mailing = row_of(draft).mailing
    assert mailing is not None
    assert (mailing.state, mailing.audience) == ("released", 3)
    assert (mailing.accepted, mailing.pending) == (2, 1)
    assert row_of(draft).state == State.SENDING


def test_found_not_sent_reminds_it_and_a_new_start_reaches_only_the_missing(
    cast: Any, reach: Reach
) -> None:
    draft = reach("sending")
    post_office(draft, refuse=2)
    services.mark_sent(draft)

    services.find_not_sent(draft, by=cast.paula, reason="Nadie lo recibió")
    assert (row_of(draft).state, letters_of(draft)[-1]) == (State.FORWARDED, "not_sent")
    services.start(draft, by=cast.otto)

    mailing = row_of(draft).mailing
    assert mailing is not None
    assert (mailing.accepted, mailing.pending) == (1, 2)
    assert Mailing.objects.filter(case=draft, kind="circular").count() == 1


def test_an_erratum_goes_to_the_very_people_of_the_first_mailing(
    cast: Any, reach: Reach, content: Content
) -> None:
    first = reach("sending")
    post_office(first)
    services.mark_sent(first)
    import_students(40)
    erratum = services.issue_erratum(first, by=cast.anna, idempotency_key="e1")
    assert isinstance(erratum, int)
    services.update_draft(
        erratum, replace(content, audience=None, text="La fecha es el jueves."), by=cast.anna
    )
    services.file_request(erratum, by=cast.anna)
    services.take(erratum, by=cast.paula)
    services.approve(erratum, by=cast.paula, seen_digest=digest_of(erratum), seen_count=3)
    services.accept(erratum, by=cast.otto)

    assert isinstance(services.start(erratum, by=cast.otto), Moved)

    mailing = row_of(erratum).mailing
    assert mailing is not None
    assert (mailing.audience, mailing.same_recipients_as_id) == (3, row_of(first).mailing_id)
    assert row_of(erratum).erratum_of_id == first


def test_a_new_request_from_an_old_one_is_a_draft_of_its_own(cast: Any, reach: Reach) -> None:
    old = reach("in_review")

    new = services.copy_request(old, by=cast.anna)

    assert isinstance(new, int)
    row = row_of(new)
    assert (row.state, row.filing_number, row.copied_from_id) == (State.DRAFT, None, old)


# ---- the urgent lane, reminders, closing


def test_the_urgent_lane_shortens_the_limits_and_is_reviewed_by_another(
    cast: Any, reach: Reach
) -> None:
    services.name_urgent_post(cast.deans_post, by=cast.vera)
    with time_machine.travel(FRIDAY - timedelta(hours=6), tick=False):  # 10:58
        draft = reach("in_review")
        assert (
            refusal(services.declare_urgent(draft, by=cast.anna, reason="x"))
            is Refusal.NOT_URGENT_POST
        )
        services.declare_urgent(draft, by=cast.dean, reason="Corte de energía")

    assert letters_of(draft)[-2:] == ["urgent_declared", "urgent_declared"]
    duty = Duty.objects.get(request=draft, ended_at__isnull=True)
    assert duty.minutes == 120
    assert duty.due_at == FRIDAY - timedelta(hours=2)  # two business hours: 14:58


def test_an_urgent_case_closes_only_after_it_was_reviewed(cast: Any, reach: Reach) -> None:
    services.name_urgent_post(cast.deans_post, by=cast.vera)
    draft = reach("sending")
    Request.objects.filter(pk=draft).update(urgent=True, urgent_by=cast.dean.person)
    post_office(draft)
    services.mark_sent(draft)
    services.confirm_to_communications(draft, by=CLOCK)
    services.confirm_to_requester(draft, by=CLOCK)
    services.verify(draft, by=CLOCK, verdict=Verdict.POSITIVE, checks=[(True, "Cuadra")])

    assert refusal(services.close(draft, by=CLOCK)) is Refusal.URGENT_NOT_REVIEWED
    assert isinstance(services.review_afterwards(draft, by=cast.vera), Moved)
    assert isinstance(services.close(draft, by=CLOCK), Moved)


def test_a_reminder_goes_out_once_at_its_hour_and_then_the_owner_is_told(
    cast: Any, draft: int
) -> None:
    with time_machine.travel(FRIDAY, tick=False):
        services.file_request(draft, by=cast.anna)
    duty = Duty.objects.get(request=draft, ended_at__isnull=True)
    early = duty.due_at - timedelta(minutes=1)

    with time_machine.travel(early, tick=False):
        assert services.remind(duty.pk, by=CLOCK) is False
    with time_machine.travel(duty.due_at, tick=False):
        assert services.remind(duty.pk, by=CLOCK) is True
        assert services.remind(duty.pk, by=CLOCK) is False
    duty.refresh_from_db()
    # Tuesday 16:58 and 8 business hours more: Wednesday 16:58.
    assert duty.next_reminder_at == datetime(2026, 11, 18, 21, 58, tzinfo=UTC)
    with time_machine.travel(duty.next_reminder_at, tick=False):
        assert services.escalate(duty.pk, by=CLOCK) is True
        assert services.escalate(duty.pk, by=CLOCK) is False

    assert letters_of(draft)[-2:] == ["reminder", "escalation"]
    assert acts_of(draft)[-1] == "escalated"


def test_a_negative_verdict_waits_for_a_person(cast: Any, reach: Reach) -> None:
    draft = reach("sending")
    post_office(draft)
    services.mark_sent(draft)
    services.confirm_to_communications(draft, by=CLOCK)
    services.confirm_to_requester(draft, by=CLOCK)
    services.verify(
        draft,
        by=CLOCK,
        verdict=Verdict.NEGATIVE,
        reasons=["text_differs"],
        checks=[(False, "Lo recibido no es igual a lo aprobado")],
        difference=["-martes", "+jueves"],
    )

    assert refusal(services.close(draft, by=CLOCK)) is Refusal.NEGATIVE_NEEDS_A_PERSON
    assert refusal(services.close(draft, by=cast.paula)) is Refusal.REASON_MISSING
    assert Duty.objects.get(request=draft, ended_at__isnull=True).stage == Stage.VERIFY
    assert isinstance(services.close(draft, by=cast.paula, reason="Se corrigió aparte"), Moved)
    assert isinstance(services.reopen(draft, by=cast.vera, reason="Queja"), Moved)
    assert row_of(draft).state == State.CONFIRMED


def test_what_is_in_doubt_stops_the_verdict(cast: Any, reach: Reach) -> None:
    draft = reach("sending")
    post_office(draft)
    one = Recipient.objects.filter(mailing=row_of(draft).mailing_id).order_by("id").first()
    assert one is not None
    Recipient.objects.filter(pk=one.pk).update(state="in_doubt")
    services.mark_sent(draft)
    services.confirm_to_communications(draft, by=CLOCK)
    services.confirm_to_requester(draft, by=CLOCK)

    decision = services.verify(draft, by=CLOCK, verdict=Verdict.POSITIVE)

    assert refusal(decision) is Refusal.IN_DOUBT


# ---- papers, evidence, reads


def test_incoming_mail_is_filed_once_and_shown_to_the_post(cast: Any, reach: Reach) -> None:
    draft = reach("in_review")
    mail = {
        "raw_digest": "a" * 64,
        "message_id": "<1@uni.example>",
        "address": "anna@uni.example",
        "subject": "Re: Jornada",
        "text": "¿Alcanza a salir antes del viernes?",
        "person": cast.anna.person,
        "at": timezone.now(),
        "by": DOOR,
    }

    first = services.file_correspondence(draft, **mail)
    second = services.file_correspondence(draft, **mail)

    assert first == second
    assert letters_of(draft)[-1] == "correspondence"
    assert services.answer_correspondence(first, by=cast.paula, text="Sí, sale el jueves.") is True
    assert Correspondence.objects.get(pk=first).read_at is not None
    assert services.read_correspondence(first, by=cast.paula) is False


def test_the_journal_of_a_case_replays_to_its_row(cast: Any, reach: Reach) -> None:
    draft = reach("sending")
    post_office(draft)
    services.mark_sent(draft)
    services.confirm_to_communications(draft, by=CLOCK)
    entries = [entry for entry in entries_of(case_chain(draft)) if entry.act in set(Act)]
    now = facts_of(row_of(draft))
    start = replace(
        now,
        state=State.DRAFT,
        filing_number="",
        acknowledged=False,
        reviewer=None,
        approver=None,
        approved_digest="",
        approved_count=None,
        operator=None,
        started=False,
        confirmed_to_communications=False,
    )

    told = replay(
        start,
        [deed_from_journal(entry.act, entry.at, entry.by.person, entry.facts) for entry in entries],
    )

    assert told == now


def test_acts_that_are_open_say_who_may_and_why_not_yet(cast: Any, reach: Reach) -> None:
    draft = reach("in_review")

    def open_to(actor: Actor) -> dict[Act, Refusal | None]:
        assert actor.person is not None
        return {
            each.act: each.refusal
            for each in queries.acts_open_to(actor.person, draft, now=timezone.now())
        }

    paula, anna, otto = open_to(cast.paula), open_to(cast.anna), open_to(cast.otto)
    assert paula[Act.APPROVE] is None
    assert paula[Act.VERIFY] is Refusal.TOO_EARLY
    assert Act.START not in paula
    assert Act.APPROVE not in anna
    assert anna[Act.SIGN_OFF] is Refusal.TEST_MISSING
    assert otto[Act.START] is Refusal.TOO_EARLY
    assert open_to(cast.mallory) == {}


def test_the_acts_of_a_case_cost_few_queries(cast: Any, reach: Reach) -> None:
    draft = reach("in_review")

    with CaptureQueriesContext(connection) as asked:
        queries.acts_open_to(cast.paula.person, draft, now=timezone.now())

    assert len(asked) <= 10


def test_a_case_is_found_by_its_number_however_it_is_written(cast: Any, reach: Reach) -> None:
    draft = reach("in_review")
    number = row_of(draft).filing_number
    assert number is not None

    assert queries.case_by_number(f" {number.lower()} ") == draft
    assert queries.case_by_number("CIR-1999-000001") is None


def test_two_open_duties_of_one_stage_are_refused_by_the_database(cast: Any, draft: int) -> None:
    duty = Duty.objects.get(request=draft)

    with pytest.raises(IntegrityError), transaction.atomic():
        Duty.objects.create(
            request_id=draft,
            stage=duty.stage,
            owed_by=duty.owed_by,
            started_at=duty.started_at,
            due_at=duty.due_at,
            minutes=1,
        )


def test_the_exported_folder_holds_the_request_and_its_procedure(
    cast: Any, reach: Reach, tmp_path: Path
) -> None:
    draft = reach("in_review")

    export_case(draft, tmp_path / "caso", by=cast.vera)

    folder = tmp_path / "caso" / "solicitud"
    assert {path.name for path in folder.iterdir()} >= {
        "solicitud.json",
        "version-1.json",
        "correspondencia.json",
        "procedimiento.toml",
    }
