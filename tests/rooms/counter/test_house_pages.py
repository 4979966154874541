"""First steps, help, data, accessibility and the frame: what they say is looked up, not remembered."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from circular.counter import readiness
from circular.counter.help import HELP
from circular.counter.readiness import Standing
from circular.dispatch.models import Relay
from circular.mailing.models import WitnessMailbox
from circular.people.models import Holding, Institution, Person, Post, Sender
from circular.people.roles import Role
from counter_town import SignIn, Town


def standing(code: str) -> Standing:
    found = {step.code: step.standing for step in readiness.steps(timezone.now())}
    return found[code]


def said(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


@pytest.fixture
def first(db: None) -> Client:
    """The first administrator of an empty house."""
    person = Person.objects.create(email="casa@example.org", full_name="A. Casa", is_superuser=True)
    client = Client()
    client.force_login(person)
    return client


def test_the_first_administrator_is_led_to_what_is_missing(first: Client) -> None:
    answer = first.get("/")

    assert answer.headers["Location"] == "/administracion/puesta-en-marcha"
    html = said(first, "/administracion/puesta-en-marcha")
    assert "Puesta en marcha: faltan nueve cosas" in html
    assert "No hay por dónde enviar." in html
    assert "Faltan 9 cosas para poder enviar." in said(first, "/bandeja")


def test_a_relay_is_done_when_it_answered_not_when_it_was_saved(db: None) -> None:
    relay = Relay.objects.create(name="salida-1", host="correo.example.org", port=587)
    assert standing("relay") is Standing.MISSING

    relay.worked_at = timezone.now()
    relay.save()
    assert standing("relay") is Standing.DONE

    relay.failures = 1
    relay.save()
    assert standing("relay") is Standing.MISSING


def test_a_post_that_nobody_holds_today_is_missing(town: Town) -> None:
    assert standing(Role.TIC.value) is Standing.DONE

    yesterday = timezone.localdate() - timedelta(days=1)
    Holding.objects.filter(post__role=Role.TIC).update(until_on=yesterday)
    assert standing(Role.TIC.value) is Standing.MISSING


def test_what_was_taken_away_is_missing_again(town: Town) -> None:
    assert standing("senders") is Standing.DONE

    Sender.objects.update(active=False)
    assert standing("senders") is Standing.MISSING


def test_what_deserves_a_look_does_not_stand_in_the_way(town: Town, browser: SignIn) -> None:
    found = readiness.steps(timezone.now())
    missing = {step.code for step in found if step.standing is Standing.MISSING}
    assert missing == {"relay", "workers", "witnesses"}

    WitnessMailbox.objects.create(
        address="testigo@example.org", imap_host="imap.example.org", username="testigo"
    )
    assert readiness.missing(readiness.steps(timezone.now())) == 2
    assert "Faltan 2 cosas para poder enviar." in said(browser("admin"), "/bandeja")
    assert "para poder enviar" not in said(browser("paula"), "/bandeja")


def test_only_the_administrator_sees_the_first_steps_and_the_frame(
    town: Town, browser: SignIn
) -> None:
    for path in ("/administracion/puesta-en-marcha", "/administracion/marco"):
        assert browser("paula").get(path).status_code == 403


def test_help_is_that_of_the_readers_roles_and_any_other_can_be_read(
    town: Town, browser: SignIn
) -> None:
    mine = said(browser("otto"), "/ayuda")
    assert "Resuelva las dudas" in mine
    assert "Tome un asunto de su bandeja" not in mine

    assert "Tome un asunto de su bandeja" in said(browser("otto"), "/ayuda/revisar")
    assert browser("otto").get("/ayuda/nada").status_code == 404


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_its_help_and_every_door_in_it_opens_for_that_role(
    town: Town, role: Role
) -> None:
    person = Person.objects.create(
        email="nueva@example.org", full_name="N", is_superuser=role is Role.ADMINISTRATOR
    )
    if role is Role.REQUESTER:
        person.memberships.create(unit=town.units["salud"])
    elif role is not Role.ADMINISTRATOR:
        post = Post.objects.create(code="nuevo", name="Nuevo", role=role, mailbox="n@example.org")
        Holding.objects.create(person=person, post=post, from_on=timezone.localdate())
    client = Client()
    client.force_login(person)
    html = said(client, f"/ayuda/{HELP[role].slug}")
    assert str(HELP[role].title) in html

    from django.urls import reverse

    for step in HELP[role].steps:
        if step.door:
            assert client.get(reverse(step.door), follow=True).status_code == 200


def test_data_and_accessibility_are_for_everybody(town: Town, client: Client) -> None:
    html = said(client, "/datos-personales")
    assert "Universidad del Macizo" in html
    assert "comunicaciones@unimacizo.example" in html
    assert "WCAG 2.2" in said(client, "/accesibilidad")


def test_the_post_for_data_protection_is_the_one_to_ask(town: Town, client: Client) -> None:
    Post.objects.create(
        code="datos",
        name="Oficial de protección de datos",
        role=Role.DATA_PROTECTION,
        mailbox="datos@unimacizo.example",
    )
    html = said(client, "/datos-personales")
    assert "datos@unimacizo.example" in html
    assert "comunicaciones@unimacizo.example" not in html


def test_the_frame_shows_a_message_that_nobody_gets(town: Town, browser: SignIn) -> None:
    html = said(browser("admin"), "/administracion/marco")
    assert "Viene con Circular" in html

    answer = browser("admin").get("/administracion/marco/muestra")
    assert "Universidad del Macizo" in answer.content.decode()
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_a_frame_without_a_mail_domain_says_what_is_missing(first: Client) -> None:
    Institution.objects.update(domain="")  # the town of the other tests has one
    assert "Falta el dominio de correo de la institución." in said(first, "/administracion/marco")
    assert first.get("/administracion/marco/muestra").status_code == 404


def test_the_certificate_of_a_closed_case_says_who_when_and_how_many(
    town: Town, browser: SignIn
) -> None:
    html = said(browser("paula"), f"/e/{town.cases['closed']}/constancia")

    assert "Constancia de un correo masivo" in html
    assert "5. Verificar que se envió" in html
    assert "cuadra" in html
    assert "La cadena del expediente está íntegra hasta el asiento" in html


def test_only_a_closed_case_has_a_certificate_and_only_for_its_readers(
    town: Town, browser: SignIn
) -> None:
    assert browser("paula").get(f"/e/{town.cases['sent']}/constancia").status_code == 404
    assert browser("mallory").get(f"/e/{town.cases['closed']}/constancia").status_code == 404
