"""Asking for a mass mail: nothing typed is lost, and the same form sent twice is one request."""

import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from circular.workflow.models import Request
from counter_town import TEXT, SignIn, Town, draft


def filled(client: Client, town: Town, **more: object) -> dict[str, object]:
    """Return a complete form, with the key that the page gave."""
    html = client.get("/solicitudes/nueva").content.decode()
    key = re.search(r'name="key" value="([0-9a-f]+)"', html)
    assert key is not None
    wanted = timezone.localdate() + timedelta(days=6)
    return {
        "key": key[1],
        "kept": "",
        "clauses": "1",
        "unit": str(town.units["salud"].pk),
        "contact_name": "L. Muestra",
        "contact_phone": "Ext. 2140",
        "sender": str(town.sender),
        "reply_to": "",
        "subject": "Jornada de salud y bienestar",
        "text": TEXT,
        "html": "",
        "a0-groups": ["student", "administrative"],
        "a0-campuses": "Centro",
        "mail_class": "informativo",
        "wanted_on": wanted.strftime("%d/%m/%Y"),
        "wanted_time": "10:00",
        "reason": "Los servicios son gratuitos.",
        "do": "file",
    } | more


def test_a_complete_form_is_filed_and_leads_to_its_case(town: Town, browser: SignIn) -> None:
    anna = browser("anna")

    answer = anna.post("/solicitudes/nueva", filled(anna, town))

    assert answer.status_code == 302
    assert re.fullmatch(r"/e/CIR-\d{4}-\d{6}", answer["Location"])
    row = Request.objects.select_related("version").get(filing_number=answer["Location"][3:])
    assert row.state == "filed"
    assert row.version is not None
    assert row.version.audience == {
        "clauses": [{"campuses": ["Centro"], "groups": ["administrative", "student"]}]
    }


def test_the_same_form_sent_twice_is_one_request(town: Town, browser: SignIn) -> None:
    anna = browser("anna")
    form = filled(anna, town)
    before = Request.objects.count()

    first = anna.post("/solicitudes/nueva", form)
    second = anna.post("/solicitudes/nueva", form)

    assert first["Location"] == second["Location"]
    assert Request.objects.count() == before + 1


def test_what_is_wrong_is_said_above_and_at_its_field_and_nothing_is_lost(
    town: Town, browser: SignIn
) -> None:
    anna = browser("anna")
    form = filled(
        anna, town, subject="JORNADA DE SALUD GRATIS", wanted_on="", text="Lo que escribí"
    )

    answer = anna.post("/solicitudes/nueva", form)

    html = " ".join(answer.content.decode().split())
    assert answer.status_code == 422
    assert "<title>Error:" in html
    assert "No se pudo radicar: hay dos cosas por corregir" in html
    assert html.count("Escriba el asunto sin mayúsculas sostenidas") == 2
    assert html.count("Elija el día en que debe salir") == 2
    assert 'href="#id_subject"' in html
    assert "Lo que escribí" in html
    assert 'value="student" checked' in html
    assert re.search(r'value="Centro" selected', html)


def test_a_file_is_kept_while_something_else_is_corrected(town: Town, browser: SignIn) -> None:
    anna = browser("anna")
    file = SimpleUploadedFile("horarios.txt", b"de 8 a 12", content_type="text/plain")
    first = anna.post("/solicitudes/nueva", filled(anna, town, subject="", attached=file))
    html = first.content.decode()
    kept = re.search(r'name="kept" value="([^"]+)"', html)
    assert kept is not None
    assert "horarios.txt" in html

    second = anna.post("/solicitudes/nueva", filled(anna, town, kept=kept[1]))

    row = Request.objects.select_related("version").get(filing_number=second["Location"][3:])
    assert row.version is not None
    assert [one["name"] for one in row.version.attachments] == ["horarios.txt"]


def test_a_list_of_files_that_somebody_wrote_by_hand_is_no_list(
    town: Town, browser: SignIn
) -> None:
    anna = browser("anna")

    answer = anna.post("/solicitudes/nueva", filled(anna, town, kept="[{}]:forged"))

    row = Request.objects.select_related("version").get(filing_number=answer["Location"][3:])
    assert row.version is not None
    assert row.version.attachments == []


def test_nobody_types_a_sender_of_another_unit(town: Town, browser: SignIn) -> None:
    mallory = browser("mallory")

    answer = mallory.post(
        "/solicitudes/nueva", filled(mallory, town, unit=str(town.units["bibliotecas"].pk))
    )

    assert answer.status_code == 422


def test_a_draft_may_lack_almost_everything(town: Town, browser: SignIn) -> None:
    anna = browser("anna")
    form = filled(anna, town, subject="", text="", sender="", wanted_on="", reason="", do="save")
    form["a0-groups"] = []
    form["a0-campuses"] = ""

    answer = anna.post("/solicitudes/nueva", form)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/borradores/")
    assert anna.get(answer["Location"].split("#")[0]).status_code == 200


def test_a_date_that_is_none_is_answered_with_how_to_write_it(town: Town, browser: SignIn) -> None:
    anna = browser("anna")

    answer = anna.post("/solicitudes/nueva", filled(anna, town, wanted_on="31/2/2027", do="save"))

    assert answer.status_code == 422
    assert "Escriba la fecha como día/mes/año" in answer.content.decode()
    assert 'value="31/2/2027"' in answer.content.decode()


def test_the_count_follows_the_combinations(town: Town, browser: SignIn) -> None:
    anna = browser("anna")
    form = filled(anna, town)

    html = anna.post("/solicitudes/publico", form).content.decode()

    assert re.search(r'c-big mb-1">\d+ <span', html)
    assert "administrativos y estudiantes de la sede Centro" in html


def test_without_script_one_more_combination_is_one_more_answer(
    town: Town, browser: SignIn
) -> None:
    anna = browser("anna")

    answer = anna.post("/solicitudes/nueva", filled(anna, town, do="add"))

    html = answer.content.decode()
    assert answer.status_code == 200
    assert 'name="clauses" value="2"' in html
    assert 'name="a1-groups"' in html
    assert "Jornada de salud y bienestar" in html


def test_communications_writes_down_what_came_by_telephone(town: Town, browser: SignIn) -> None:
    paula = browser("paula")
    form = filled(paula, town, channel="phone", answer_to="bienestar@unimacizo.example")

    answer = paula.post("/solicitudes/nueva", form)

    row = Request.objects.get(filing_number=answer["Location"][3:])
    assert row.channel == "phone"
    assert row.answer_to == "bienestar@unimacizo.example"


def test_what_was_returned_is_corrected_as_a_new_version(town: Town, browser: SignIn) -> None:
    number = town.cases["returned"]
    anna = browser("anna")
    assert anna.get(f"/e/{number}/actos/presentar").status_code == 302
    form = filled(anna, town, subject="Torneo de ajedrez, el 3 de diciembre")

    answer = anna.post(f"/e/{number}/corregir", form)

    assert answer.status_code == 302
    row = Request.objects.select_related("version").get(filing_number=number)
    assert row.state == "in_review"
    assert row.version is not None
    assert row.version.number == 2
    assert row.versions.get(number=1).subject == "Torneo de ajedrez entre facultades"


def test_the_form_needs_few_queries(
    town: Town, browser: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    anna = browser("anna")

    with django_assert_max_num_queries(30):
        anna.get("/solicitudes/nueva")


@pytest.mark.parametrize("do", ["file", "save"])
def test_a_draft_goes_on_in_its_own_form(town: Town, browser: SignIn, do: str) -> None:
    anna = browser("anna")
    pk = draft(town, "Otro borrador")

    answer = anna.post(f"/borradores/{pk}", filled(anna, town, do=do))

    assert answer.status_code == 302
    assert Request.objects.get(pk=pk).state == ("filed" if do == "file" else "draft")


def test_a_draft_is_thrown_away_only_after_a_question(town: Town, browser: SignIn) -> None:
    anna = browser("anna")
    pk = draft(town, "Sobra")

    asked = anna.get(f"/borradores/{pk}/descartar")
    assert "¿Descartar este borrador?" in asked.content.decode()
    assert Request.objects.get(pk=pk).state == "draft"

    assert anna.post(f"/borradores/{pk}/descartar").status_code == 302
    assert Request.objects.get(pk=pk).state == "cancelled"
    assert "ya no se puede radicar" in anna.get(f"/borradores/{pk}").content.decode()
