"""Trays and lists: what waits for whom, few queries, and empty states that say what comes next."""

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from circular.counter.views.errors import server_error
from circular.dispatch import queries as relays
from circular.dispatch import services as dispatch
from circular.evidence.actors import SYSTEM
from circular.mailing.models import WitnessMailbox
from circular.mailing.services import add_witness
from circular.people.models import Person
from counter_town import SignIn, Town

LISTS = {
    "paula": (
        "/bandeja",
        "/expedientes",
        "/expedientes?q=jornada",
        "/bandeja/correo",
        "/calendario",
        "/directorio/publicos?conjuntos=3&groups=student&y1-groups=teaching",
        "/ayuda",
        "/ayuda/enviar",
        "/datos-personales",
        "/accesibilidad",
    ),
    "otto": ("/bandeja", "/expedientes", "/administracion/servidores"),
    "anna": ("/bandeja", "/expedientes"),
    "admin": (
        "/bandeja",
        "/administracion",
        "/administracion/puesta-en-marcha",
        "/administracion/marco",
        "/administracion/marco/muestra",
        "/administracion/testigos",
        "/administracion/plazos",
        "/administracion/recesos",
        "/administracion/reglas",
    ),
}


@pytest.mark.parametrize(
    ("name", "path"), [(name, path) for name, paths in LISTS.items() for path in paths]
)
def test_a_list_needs_few_queries(
    town: Town,
    browser: SignIn,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    name: str,
    path: str,
) -> None:
    client = browser(name)

    with django_assert_max_num_queries(30):
        assert client.get(path).status_code == 200


def test_a_tray_says_first_how_much_waits(town: Town, browser: SignIn) -> None:
    html = browser("paula").get("/bandeja").content.decode()

    assert "asuntos esperan por usted" in html
    assert "En manos de otros" in html
    assert town.cases["filed"] in html


def test_what_waits_for_it_is_not_in_the_tray_of_communications(
    town: Town, browser: SignIn
) -> None:
    html = browser("otto").get("/bandeja").content.decode()

    mine = html.split('id="otros"')[0]
    assert town.cases["forwarded"] in mine
    assert town.cases["in_review"] not in mine


def test_a_tray_with_nothing_says_so_and_what_to_do(town: Town, browser: SignIn) -> None:
    html = browser("mallory").get("/bandeja").content.decode()

    assert "Nada espera por usted" in html
    assert "Solicitar un correo masivo" in html
    assert "CIR-" not in html


def test_a_whole_number_leads_straight_to_its_case(town: Town, browser: SignIn) -> None:
    number = town.cases["closed"]

    answer = browser("paula").get("/expedientes", {"q": number.lower()})

    assert answer["Location"] == f"/e/{number}"


def test_a_search_without_result_offers_the_way_back(town: Town, browser: SignIn) -> None:
    html = browser("paula").get("/expedientes?q=unicornio").content.decode()

    assert "Ningún expediente responde a lo que busca" in html


@pytest.mark.parametrize(
    "path",
    [
        "/expedientes?pagina=abc&estado=xx&clase=yy&dependencia=99999999999999",
        "/expedientes?q=%00",
        "/bandeja?falta=nada",
        "/bandeja/correo?despues=-1",
        "/procedimiento?version=9",
    ],
)
def test_an_odd_address_is_no_fault_of_ours(town: Town, browser: SignIn, path: str) -> None:
    assert browser("paula").get(path).status_code in {200, 302, 404}


def test_administration_is_shut_to_the_others(town: Town, browser: SignIn) -> None:
    for path in ("/administracion/reglas", "/administracion/testigos", "/administracion/plazos"):
        assert browser("paula").get(path).status_code == 403
        assert browser("anna").get(path).status_code == 403


def test_a_recess_is_noted_and_taken_away(town: Town, browser: SignIn) -> None:
    admin = browser("admin")
    form = {"name": "Vacaciones", "from_on": "20/12/2027", "until_on": "10/1/2028"}

    assert admin.post("/administracion/recesos", form).status_code == 302
    html = admin.get("/administracion/recesos").content.decode()
    assert "Vacaciones" in html

    wrong = admin.post("/administracion/recesos", form | {"until_on": "1/1/2027"})
    assert wrong.status_code == 422


def test_a_time_limit_is_typed_in_hours(town: Town, browser: SignIn) -> None:
    admin = browser("admin")
    path = "/administracion/plazos/review/ordinario"

    bad = admin.post(path, {"minutes": "ocho", "remind_every_minutes": "8", "escalate_after": "2"})
    good = admin.post(path, {"minutes": "6:30", "remind_every_minutes": "8", "escalate_after": "2"})

    assert bad.status_code == 422
    assert good.status_code == 302
    assert "6 h 30 min" in admin.get("/administracion/plazos").content.decode()


@pytest.mark.parametrize("username", ["circular", ""])
def test_a_password_is_never_said_to_a_server_that_somebody_else_names(
    town: Town, browser: SignIn, username: str
) -> None:
    relay = dispatch.add_relay(
        name="salida-9", host="127.0.0.1", port=1, security="none",
        username="circular", password="s3creto", by=SYSTEM,
    )  # fmt: skip
    form = {
        "name": "salida-9",
        "host": "localhost",
        "port": "1",
        "security": "none",
        "username": username,
        "max_connections": "2",
        "rank": "1",
        "active": "on",
    }

    answer = browser("otto").post(f"/administracion/servidores/{relay}", form)

    access = relays.relay_access(relay)
    assert access is not None
    if username:
        assert answer.status_code == 422
        assert "Escriba otra vez la contraseña" in answer.content.decode()
        assert access.host == "127.0.0.1"
    else:
        assert access.host == "localhost"
        row = relays.relay(relay)
        assert row is not None
        assert not row.has_password


def test_the_password_of_a_witness_is_not_said_to_another_server(
    town: Town, browser: SignIn
) -> None:
    witness = add_witness(
        address="testigo-9@unimacizo.example", imap_host="imap.example", imap_port=993,
        security="tls", username="testigo", password="s3creto", by=SYSTEM,
    )  # fmt: skip
    form = {
        "address": "testigo-9@unimacizo.example",
        "imap_host": "imap.elsewhere.example",
        "imap_port": "993",
        "security": "none",
        "username": "testigo",
        "folder": "INBOX",
    }

    answer = browser("admin").post(f"/administracion/testigos/{witness}", form)

    assert answer.status_code == 422
    assert WitnessMailbox.objects.get(pk=witness).imap_host == "imap.example"


def test_a_relay_that_does_not_answer_is_saved_and_said(town: Town, browser: SignIn) -> None:
    form = {
        "name": "salida-1",
        "host": "127.0.0.1",
        "port": "1",
        "security": "none",
        "max_connections": "2",
        "rank": "1",
        "active": "on",
    }

    answer = browser("otto").post("/administracion/servidores/nuevo", form, follow=True)

    html = answer.content.decode()
    assert "la prueba falló" in html
    assert "salida-1" in html
    only_tried = browser("otto").post(
        f"/administracion/servidores/{relays.relays()[0].id}/probar", follow=True
    )
    assert "La prueba falló" in only_tried.content.decode()
    assert "Se guardó" not in only_tried.content.decode()


def test_faults_wear_the_look_of_the_house(town: Town, browser: SignIn) -> None:
    answer = browser("paula").get("/nada/de/nada")

    assert answer.status_code == 404
    assert "Aquí no hay nada para usted" in answer.content.decode()
    assert 'lang="es-CO"' in answer.content.decode()


def test_health_is_told_to_anybody(db: None) -> None:
    answer = Client(SERVER_NAME="127.0.0.1").get("/healthz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def test_a_page_speaks_the_language_of_its_reader(town: Town, browser: SignIn) -> None:
    Person.objects.filter(pk=town.people["paula"].pk).update(language="en")

    assert 'lang="en"' in browser("paula").get("/bandeja").content.decode()


def answer_to(fault: Exception, rf: RequestFactory) -> HttpResponse:
    """Return what a person sees when a view raised this."""
    try:
        raise fault
    except type(fault):
        return server_error(rf.get("/bandeja"))


def test_a_database_that_is_away_is_said_and_comes_back(rf: RequestFactory) -> None:
    answer = answer_to(OperationalError("the server closed the connection"), rf)

    assert answer.status_code == 503
    assert answer["Retry-After"] == "60"
    assert "Nada se perdió" in answer.content.decode()


def test_a_fault_of_ours_has_a_code_and_no_trace(rf: RequestFactory, db: None) -> None:
    answer = answer_to(ZeroDivisionError("secret detail"), rf)

    html = answer.content.decode()
    assert answer.status_code == 500
    assert "con el código" in html
    assert "secret detail" not in html
