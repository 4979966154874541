"""The case page: evidence, acts, permissions, and what a GET may never do."""

import json
import re
from datetime import date, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from circular.counter import queries
from circular.counter.deeds import DEEDS
from circular.evidence.actors import CLOCK, DOOR
from circular.evidence.queries import entries_of
from circular.evidence.services import case_chain, store_blob
from circular.mailing.models import Mailing, Recipient
from circular.mailing.queries import printed_copy
from circular.people.models import Holding, Post
from circular.workflow import services
from circular.workflow.guards import Refusal
from circular.workflow.models import Duty, Request
from circular.workflow.transitions import Moved, NotMoved
from counter_town import SignIn, Town, count, draft, some_settled, walk


def page(client: Client, number: str) -> str:
    answer = client.get(f"/e/{number}")
    assert answer.status_code == 200
    return answer.content.decode()


def hidden_fields(html: str, act: str) -> dict[str, str]:
    """Return what the page's own form for an act carries, as a browser would send it."""
    form = re.search(rf'<form[^>]*data-act="{act}".*?</form>', html, re.DOTALL)
    assert form is not None, f"no form for {act}"
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form[0]))


def post_act(client: Client, number: str, act: str, slug: str, **more: str) -> int:
    """Press a button of the case page."""
    fields = hidden_fields(page(client, number), act)
    fields.pop("csrfmiddlewaretoken")
    return client.post(f"/e/{number}/actos/{slug}", fields | more).status_code


def test_the_five_activities_stand_with_their_evidence(town: Town, browser: SignIn) -> None:
    html = page(browser("paula"), town.cases["closed"])

    for number in range(1, 6):
        assert f'id="actividad-{number}"' in html
    assert html.count("c-step is-done") == 5
    assert "Acuse de recibo con fechas esperadas" in html
    assert "Correo de traslado a la División TIC" in html
    assert "Verificado: el correo se envió como se aprobó" in html


def test_a_stranger_to_the_case_is_told_that_there_is_nothing(town: Town, browser: SignIn) -> None:
    mallory = browser("mallory")

    for number in town.cases.values():
        for path in ("", ".json", "/envio", "/mensaje", "/cifras", "/asientos/1", "/actos/tomar"):
            assert mallory.get(f"/e/{number}{path}").status_code == 404


def test_nobody_signed_in_is_led_to_the_entrance(town: Town) -> None:
    number = town.cases["closed"]

    answer = Client(SERVER_NAME="127.0.0.1").get(f"/e/{number}")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/entrar")


@pytest.mark.parametrize(
    ("state", "name"),
    [("in_review", "paula"), ("accepted", "otto"), ("sending", "otto"), ("confirmed", "paula")],
)
def test_reading_never_acts(town: Town, browser: SignIn, state: str, name: str) -> None:
    number = town.cases[state]
    row = Request.objects.get(filing_number=number)
    before = (row.state, len(entries_of(case_chain(row.pk))))
    client = browser(name)

    for deed in DEEDS:
        address = reverse("act", args=[number, deed.slug])
        assert client.get(address).status_code in {200, 302}
    assert client.head(f"/e/{number}/actos/aprobar").status_code == 302

    row.refresh_from_db()
    assert (row.state, len(entries_of(case_chain(row.pk)))) == before


def test_a_request_walks_through_the_buttons_of_the_pages(town: Town, browser: SignIn) -> None:
    number = walk(town, draft(town, "Jornada de salud"), "filed")
    anna, paula, otto = browser("anna"), browser("paula"), browser("otto")
    pk = Request.objects.get(filing_number=number).pk

    assert post_act(paula, number, "taken", "tomar") == 302
    assert post_act(paula, number, "tested", "probar") == 302
    assert post_act(anna, number, "signed_off", "visto-bueno") == 302
    assert post_act(paula, number, "approved", "aprobar") == 302
    assert post_act(otto, number, "accepted_by_it", "aceptar") == 302
    asked = otto.get(f"/e/{number}/actos/comenzar").content.decode()
    assert f"Comenzar el envío a {count(pk)} personas" in asked
    fields = hidden_fields(asked, "started")
    assert otto.post(f"/e/{number}/actos/comenzar", fields).status_code == 302
    assert post_act(otto, number, "paused", "pausar") == 302
    assert post_act(otto, number, "resumed", "reanudar") == 302

    assert Request.objects.get(pk=pk).state == "sending"


def test_the_second_of_two_reviewers_is_told_what_the_first_one_did(
    town: Town, browser: SignIn
) -> None:
    number = walk(town, draft(town, "Jornada de salud"), "in_review")

    answer = browser("paula").post(f"/e/{number}/actos/tomar")

    assert answer.status_code == 409
    assert "ya tiene esta solicitud" in answer.content.decode()


def test_an_approval_of_other_content_is_refused_with_its_remedy(
    town: Town, browser: SignIn
) -> None:
    number = walk(town, draft(town, "Jornada de salud"), "in_review")

    answer = browser("paula").post(
        f"/e/{number}/actos/aprobar", {"seen_digest": "0" * 64, "seen_count": "3"}
    )

    html = answer.content.decode()
    assert answer.status_code == 409
    assert "El contenido cambió después de que usted lo abrió." in html
    assert "Revise la diferencia" in html
    assert Request.objects.get(filing_number=number).state == "in_review"


def test_harm_has_a_page_of_its_own_that_counts_who_is_touched(town: Town, browser: SignIn) -> None:
    pk = draft(town, "Jornada de salud")
    number = walk(town, pk, "sending")
    some_settled(pk)
    otto = browser("otto")
    mailing = Request.objects.get(pk=pk).mailing
    assert mailing is not None
    pending = mailing.pending

    html = otto.get(f"/e/{number}/actos/cancelar").content.decode()

    assert f"{pending} personas no lo recibirán." in html
    assert f"Cancelar el envío a {pending} personas" in html
    assert "2 siguen en duda." in html
    assert "No cancelar" in html


def test_an_act_without_its_reason_keeps_the_page_and_says_what_to_write(
    town: Town, browser: SignIn
) -> None:
    number = walk(town, draft(town, "Jornada de salud"), "in_review")

    answer = browser("paula").post(f"/e/{number}/actos/devolver", {"reason": "  "})

    html = answer.content.decode()
    assert answer.status_code == 422
    assert "<title>Error:" in html
    assert html.count("Escriba qué hay que corregir") == 2
    assert Request.objects.get(filing_number=number).state == "in_review"


def test_acts_that_are_never_ones_own_are_absent(town: Town, browser: SignIn) -> None:
    html = page(browser("anna"), town.cases["in_review"])

    assert 'data-act="approved"' not in html
    assert 'data-act="started"' not in html


def test_acts_whose_turn_has_not_come_stand_with_their_reason(town: Town, browser: SignIn) -> None:
    html = page(browser("paula"), town.cases["sending"])

    assert "Se confirma cuando TIC confirme." in html


def test_the_message_stands_alone_under_its_own_policy(town: Town, browser: SignIn) -> None:
    answer = browser("paula").get(f"/e/{town.cases['sending']}/mensaje")

    policy = answer["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert answer["X-Frame-Options"] == "SAMEORIGIN"


def test_no_page_allows_anything_inline(town: Town, browser: SignIn) -> None:
    answer = browser("paula").get(f"/e/{town.cases['sending']}")
    html = answer.content.decode()

    assert "'unsafe-inline'" not in answer["Content-Security-Policy"]
    assert " style=" not in html
    assert not re.search(r"<script(?![^>]*src=)", html)
    assert not re.search(r"\son[a-z]+=", html)


def test_the_machine_gets_the_same_facts(town: Town, browser: SignIn) -> None:
    number = town.cases["closed"]

    found = json.loads(browser("paula").get(f"/e/{number}.json").content)

    assert found["filing_number"] == number
    assert found["state"] == "closed"
    assert [one["number"] for one in found["activities"]] == [1, 2, 3, 4, 5]
    assert all(one["evidence"] for one in found["activities"])
    assert found["audience"] == found["accepted"]
    assert len(found["confirmations"]) == 2
    assert all(one["message_id"].startswith("<") for one in found["confirmations"])
    assert found["verified"] is True


def test_the_operator_sets_how_fast_a_sending_may_go(town: Town, browser: SignIn) -> None:
    pk = draft(town, "Jornada de salud")
    number = walk(town, pk, "sending")
    address, otto = f"/e/{number}/envio/velocidad", browser("otto")
    sending = Mailing.objects.filter(case=pk, kind="circular")

    assert address in otto.get(f"/e/{number}/envio").content.decode()
    assert address not in browser("paula").get(f"/e/{number}/envio").content.decode()
    assert browser("paula").post(address, {"per_minute": "60"}).status_code == 403
    assert otto.post(address, {"per_minute": "0"}).status_code == 422
    assert otto.post(address, {"per_minute": "60"}).status_code == 302
    assert sending.get().per_minute == 60
    assert otto.post(address, {"per_minute": ""}).status_code == 302
    assert sending.get().per_minute is None


def test_a_doubt_is_resolved_once_by_a_person(town: Town, browser: SignIn) -> None:
    pk = draft(town, "Jornada de salud")
    number = walk(town, pk, "sending")
    some_settled(pk)
    doubtful = Recipient.objects.filter(mailing__case=pk, state="in_doubt").first()
    assert doubtful is not None
    otto = browser("otto")
    address = f"/e/{number}/envio/dudas/{doubtful.pk}"

    assert doubtful.address in otto.get(f"/e/{number}/envio").content.decode()
    assert browser("paula").post(address, {"resolution": "accepted"}).status_code == 403
    assert otto.post(address, {"resolution": "offer_again"}).status_code == 302
    answer = otto.post(address, {"resolution": "give_up"}, follow=True)

    doubtful.refresh_from_db()
    assert doubtful.state == "pending"
    assert doubtful.possible_duplicate
    assert "Esa duda ya no existe" in answer.content.decode()
    assert f'data-duplicate="{doubtful.address}"' in answer.content.decode()


def test_a_doubt_is_in_the_tray_of_those_who_may_resolve_it(town: Town, browser: SignIn) -> None:
    pk = draft(town, "Jornada de salud")
    walk(town, pk, "sending")
    some_settled(pk)
    otto = town.actor("otto").person
    assert otto is not None
    reader = queries.reader_of(otto)

    before = pk in queries.doubtful(reader).values_list("pk", flat=True)
    Request.objects.filter(pk=pk).update(approver_id=otto)
    as_approver = pk in queries.doubtful(reader).values_list("pk", flat=True)

    assert (before, as_approver) == (True, False)


def test_who_asked_reads_how_many_but_not_who_is_in_doubt(town: Town, browser: SignIn) -> None:
    pk = draft(town, "Jornada de salud")
    number = walk(town, pk, "sending")
    some_settled(pk)
    troubled = Recipient.objects.filter(mailing__case=pk, state__in=["in_doubt", "refused"])
    people = [one.address for one in troubled]
    assert people

    seen = browser("anna").get(f"/e/{number}/envio").content.decode()

    assert "Dos personas en duda" in seen
    assert not [one for one in people if one in seen]
    assert "Nadie está en duda" not in seen
    for_the_office = browser("paula").get(f"/e/{number}/envio").content.decode()
    assert [one for one in people if one in for_the_office] == people


def test_a_cancelled_sending_offers_nobody_the_message_again(town: Town, browser: SignIn) -> None:
    pk = draft(town, "Jornada de salud")
    number = walk(town, pk, "sending")
    some_settled(pk)
    otto = browser("otto")
    otto.post(f"/e/{number}/actos/cancelar", {"reason": "Cambió la fecha"})
    doubtful = Recipient.objects.filter(mailing__case=pk, state="in_doubt").first()
    assert doubtful is not None

    seen = otto.get(f"/e/{number}/envio").content.decode()
    otto.post(f"/e/{number}/envio/dudas/{doubtful.pk}", {"resolution": "offer_again"})

    waiting = queries.doubtful(queries.reader_of(town.people["otto"].pk))
    assert number in {one.filing_number for one in waiting}
    assert 'value="offer_again"' not in seen
    assert 'value="give_up"' in seen
    doubtful.refresh_from_db()
    assert doubtful.state == "in_doubt"


def test_cancelling_what_was_sent_in_part_does_not_say_that_nobody_has_it(
    town: Town, browser: SignIn
) -> None:
    number = walk(town, draft(town, "Jornada de salud"), "sent")
    browser("paula").post(
        f"/e/{number}/actos/no-enviado", {"reason": "La cuenta testigo no lo tiene"}
    )

    html = browser("anna").get(f"/e/{number}/actos/cancelar").content.decode()

    assert "Nadie lo ha recibido" not in html
    assert "Eso no se puede deshacer." in html


def test_silence_is_no_verdict(town: Town, browser: SignIn) -> None:
    pk = draft(town, "Jornada de salud")
    number = walk(town, pk, "confirmed")

    answer = browser("paula").post(f"/e/{number}/actos/verificar")

    assert answer.status_code == 409
    assert Request.objects.get(pk=pk).state == "confirmed"


def test_the_case_file_is_handed_out_by_post_only(town: Town, browser: SignIn) -> None:
    number = town.cases["closed"]
    quentin = browser("quentin")

    assert quentin.get(f"/e/{number}/expediente.zip").status_code == 405
    answer = quentin.post(f"/e/{number}/expediente.zip")

    assert answer.status_code == 200
    assert answer.getvalue()[:2] == b"PK"


@pytest.mark.parametrize(
    ("name", "may"),
    [("vera", True), ("quentin", True), ("paula", False), ("otto", False), ("anna", False)],
)
def test_the_case_file_leaves_the_house_with_those_who_may_export_it(
    town: Town, browser: SignIn, name: str, may: bool
) -> None:
    number = town.cases["closed"]
    client = browser(name)

    assert ("expediente.zip" in page(client, number)) is may
    answer = client.post(f"/e/{number}/expediente.zip")
    assert answer.getvalue()[:2] == b"PK" if may else answer.status_code == 403


def test_who_approved_a_case_neither_resumes_it_nor_decides_its_doubts(
    town: Town, browser: SignIn
) -> None:
    pk = draft(town, "Jornada de salud")
    number = walk(town, pk, "sending")
    some_settled(pk)
    otto, paula = browser("otto"), browser("paula")
    Holding.objects.create(
        person=town.people["paula"], post=Post.objects.get(code="tic"), from_on=date(2020, 1, 1)
    )
    post_act(otto, number, "paused", "pausar")
    doubtful = Recipient.objects.filter(mailing__case=pk, state="in_doubt").first()
    assert doubtful is not None
    address = f"/e/{number}/envio/dudas/{doubtful.pk}"

    seen = paula.get(f"/e/{number}/envio").content.decode()
    resumed = paula.post(f"/e/{number}/actos/reanudar")
    told = paula.post(address, {"resolution": "accepted"}, follow=True).content.decode()

    assert 'name="resolution"' not in seen
    assert "Debe enviarla otra persona" in seen
    assert resumed.status_code == 409
    assert "la institución separa las funciones" in told
    doubtful.refresh_from_db()
    assert doubtful.state == "in_doubt"
    assert Request.objects.get(pk=pk).state == "paused"
    otto.post(address, {"resolution": "accepted"})
    acts = [entry.act for entry in entries_of(case_chain(pk))]
    assert acts[-1] == "doubt_resolved"


def test_a_person_reminds_whoever_owes_it_at_the_mailbox_that_the_page_shows(
    town: Town, browser: SignIn
) -> None:
    pk = draft(town, "Jornada de salud")
    number = walk(town, pk, "accepted")
    paula = browser("paula")
    assert f"/e/{number}/actos/recordar" in page(paula, number)

    asked = paula.get(f"/e/{number}/actos/recordar").content.decode()
    fields = hidden_fields(asked, "reminded")
    answer = paula.post(f"/e/{number}/actos/recordar", fields, follow=True).content.decode()

    assert "Operador de envíos, tic@unimacizo.example" in asked
    assert "Programar o enviar" in asked
    assert "El recordatorio va en camino." in answer
    entry = entries_of(case_chain(pk))[-1]
    assert (entry.act, entry.by.post, entry.facts["reminder"]) == ("reminded", "comunicaciones", 0)
    letter = Mailing.objects.get(pk=entry.facts["letters"][0])  # type: ignore[index, misc]
    assert (letter.letter, letter.recipients.get().address) == (
        "reminder",
        "tic@unimacizo.example",
    )
    text = printed_copy(letter.recipients.get().pk).raw.decode()
    assert "El plazo vence" in text.replace("=\r\n", "")
    assert "Recordatorio" in page(paula, number)


def test_nobody_is_reminded_twice_within_the_hour_nor_of_what_they_owe_themselves(
    town: Town, browser: SignIn
) -> None:
    pk = draft(town, "Jornada de salud")
    number = walk(town, pk, "accepted")
    vera, otto, anna = browser("vera"), browser("otto"), browser("anna")

    assert vera.post(f"/e/{number}/actos/recordar").status_code == 302
    again = vera.post(f"/e/{number}/actos/recordar")

    assert again.status_code == 409
    assert "Ya se le recordó hace menos de una hora." in again.content.decode()
    assert "/actos/recordar" not in page(vera, number)
    for client in (otto, anna):
        assert "/actos/recordar" not in page(client, number)
        assert client.post(f"/e/{number}/actos/recordar").status_code == 409
    assert [entry.act for entry in entries_of(case_chain(pk))].count("reminded") == 1


def test_a_reminder_of_what_is_late_counts_towards_the_escalation(town: Town) -> None:
    pk = draft(town, "Jornada de salud")
    walk(town, pk, "accepted")
    duty = Duty.objects.get(request=pk, ended_at=None)
    due_at = timezone.now() - timedelta(minutes=5)
    Duty.objects.filter(pk=duty.pk).update(
        started_at=due_at - timedelta(days=2), due_at=due_at, next_reminder_at=due_at
    )

    assert isinstance(services.remind_now(pk, by=town.actor("paula")), Moved)

    duty.refresh_from_db()
    assert duty.reminders == 1
    assert duty.next_reminder_at is not None
    assert duty.next_reminder_at > timezone.now()
    assert not services.remind(duty.pk, by=CLOCK)


def test_a_reminder_without_a_mailbox_is_refused_and_leaves_nothing(town: Town) -> None:
    pk = draft(town, "Jornada de salud")
    walk(town, pk, "accepted")
    Post.objects.filter(code="tic").update(mailbox="")

    answer = services.remind_now(pk, by=town.actor("paula"))

    assert isinstance(answer, NotMoved)
    assert answer.refusal is Refusal.NO_MAILBOX
    assert "reminded" not in [entry.act for entry in entries_of(case_chain(pk))]


def test_declared_figures_must_add_up(town: Town, browser: SignIn) -> None:
    number = walk(town, draft(town, "Jornada de salud"), "accepted")

    answer = browser("otto").post(
        f"/e/{number}/actos/declarar-enviado",
        {
            "audience": "60",
            "accepted": "50",
            "refused": "2",
            "bounced": "0",
            "suppressed": "0",
            "on": "20/11/2026",
            "began": "14:00",
            "ended": "14:40",
        },
    )

    html = answer.content.decode()
    assert answer.status_code == 422
    assert "difieren en 8" in html
    assert "Adjunte el soporte del envío" in html
    assert 'value="50"' in html


@pytest.mark.parametrize("state", ["filed", "sending", "closed", "external"])
def test_a_case_page_needs_few_queries(
    town: Town, browser: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries, state: str
) -> None:
    paula = browser("paula")
    page(paula, town.cases["filed"])  # the first page of a process reads what it keeps

    with django_assert_max_num_queries(28):
        page(paula, town.cases[state])


def test_the_mail_that_asked_is_evidence_with_its_message_id(town: Town, browser: SignIn) -> None:
    pk = draft(town, "Pedido por correo")
    raw = store_blob(
        b"From: anna@unimacizo.example\r\n\r\nPido un correo.", media_type="message/rfc822"
    )
    services.file_request_mail(
        pk,
        incoming=1,
        raw_digest=raw,
        message_id="<uno@unimacizo.example>",
        address="anna@unimacizo.example",
        subject="Pedido",
        text="Pido un correo.",
        person=town.people["anna"].pk,
        at=timezone.now(),
        by=DOOR,
    )
    number = walk(town, pk, "filed")
    paula = browser("paula")

    found = json.loads(paula.get(f"/e/{number}.json").content)

    received = [one for one in found["activities"][0]["evidence"] if one["kind"] == "received"]
    assert [one["message_id"] for one in received] == ["<uno@unimacizo.example>"]
    link = re.search(
        r'href="(/e/[^"]+/cartas/\d+)">Solicitud recibida por correo', page(paula, number)
    )
    assert link is not None
    assert "Pido un correo." in paula.get(link[1]).content.decode()
    assert paula.get(f"{link[1]}/original").content.startswith(b"From: anna@")


def test_a_letter_that_came_in_is_answered_from_its_page(town: Town, browser: SignIn) -> None:
    number = town.cases["in_review"]
    row = Request.objects.get(filing_number=number)
    letter = services.file_correspondence(
        row.pk,
        raw_digest=store_blob(b"From: anna\r\n\r\nAlcanza?", media_type="message/rfc822"),
        message_id="<dos@unimacizo.example>",
        address="anna@unimacizo.example",
        subject="Re: su solicitud",
        text="¿Alcanza a salir antes del viernes?",
        person=town.people["anna"].pk,
        at=timezone.now(),
        by=DOOR,
    )
    paula = browser("paula")
    address = f"/e/{number}/cartas/{letter}"
    assert "También: leer la respuesta" in paula.get("/bandeja").content.decode()

    empty = paula.post(address, {"do": "answer", "reason": ""})
    sent = paula.post(address, {"do": "answer", "reason": "Sí, sale el jueves."})

    assert empty.status_code == 422
    assert sent.status_code == 302
    assert "Respuesta." in page(paula, number)


def test_an_answer_that_cannot_leave_is_not_called_sent(town: Town, browser: SignIn) -> None:
    number = town.cases["in_review"]
    letter = services.file_correspondence(
        Request.objects.get(filing_number=number).pk,
        raw_digest=store_blob(b"From: ???\r\n\r\nHola", media_type="message/rfc822"),
        message_id="",
        address="nadie",
        subject="Hola",
        text="Hola",
        person=None,
        at=timezone.now(),
        by=DOOR,
    )

    answer = browser("paula").post(
        f"/e/{number}/cartas/{letter}", {"do": "answer", "reason": "Buenos días."}
    )

    assert answer.status_code == 422
    assert "no trae una dirección que sirva" in answer.content.decode()


@pytest.mark.parametrize(
    ("name", "state", "slug"),
    [
        ("anna", "in_review", "rechazar"),
        ("paula", "accepted", "comenzar"),
        ("otto", "sent", "reenviar"),
    ],
)
def test_the_page_of_an_act_says_at_once_that_it_is_shut(
    town: Town, browser: SignIn, name: str, state: str, slug: str
) -> None:
    html = browser(name).get(f"/e/{town.cases[state]}/actos/{slug}").content.decode()

    assert 'role="alert"' in html
    assert "data-act=" not in html
