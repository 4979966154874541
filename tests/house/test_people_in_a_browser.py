"""Signing in, people and the directory in a real browser: a passkey works, and axe finds nothing.

Needs Chromium (apt-get install chromium). The key is the browser's own virtual authenticator.
"""

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page

from browsing import sideways, signed_in, violations
from circular.directory.services import import_accounts, keep_upload
from circular.evidence.actors import SYSTEM
from circular.people import services
from circular.people.models import Person

PASSWORD = "tres ranas y un tambor"
SIGNED_OUT = ("/entrar", "/entrar/contrasena", "/invitacion/no-es", "{invitation}")
ADMINISTRATOR = (
    "/cuenta",
    "/administracion/personas",
    "/administracion/personas?q=nadie",
    "/administracion/personas/invitar",
    "/administracion/personas/{person}",
    "/administracion/cargos",
    "/administracion/cargos/{post}",
    "/administracion/dependencias",
    "/administracion/dependencias/{unit}",
    "/administracion/remitentes",
    "/administracion/remitentes/nuevo",
    "/administracion/institucion",
    "/directorio",
    "/directorio/importar",
    "/directorio/importar/{upload}",
    "/directorio/publicos?groups=student",
)
LIST = "correo;nombres;apellidos;grupos;facultad;programa;sede\n" + "".join(
    f"p{number:03}@u.example;Luz;Peña;estudiante;Artes;Música;Norte\n" for number in range(80)
)
KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def places(pages: str) -> dict[str, Any]:
    """Furnish a small house, and return what stands in the addresses of its pages."""
    services.save_institution(
        {"name": "Universidad del Macizo", "short_name": "Unimacizo", "domain": "u.example"},
        by=SYSTEM,
    )
    unit = services.save_unit(None, code="BIE", name="Bienestar", kind="administrative", by=SYSTEM)
    services.save_sender(
        None, unit=unit, display_name="Bienestar", address="b@u.example", by=SYSTEM
    )
    admin = services.invite_person(
        email="amparo@u.example", full_name="Amparo", administrator=True, mailed=False, by=SYSTEM
    )
    services.set_password(admin.person, PASSWORD, by=SYSTEM)
    otto = services.invite_person(
        email="otto@u.example", full_name="Otto", units=[unit], mailed=False, by=SYSTEM
    )
    post = services.save_post(
        None, code="tic", name="Operador", role="tic", mailbox="t@u.example", unit=None, by=SYSTEM
    )
    services.appoint(person=otto.person, post=post, from_on=timezone.localdate(), by=SYSTEM)
    import_accounts(LIST.encode(), name="lista.csv", keep_good=False, confirm=True, by=SYSTEM)
    bad = LIST.encode() + b"nadie;;;;;;\n"
    return {
        "unit": unit,
        "post": post,
        "person": otto.person,
        "upload": keep_upload(bad, name="mala.csv", by=admin.person),
        "invitation": f"/invitacion/{otto.token}",
        "admin": Person.objects.get(pk=admin.person),
    }


def faults_of(page: Page, where: str) -> list[str]:
    faults = [f"{where}: {found}" for found in violations(page)]
    return [*faults, f"{where}: scrolls sideways"] if sideways(page) else faults


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_on_the_pages_of_people_and_directory(
    pages: str, places: dict[str, Any], chromium: Browser, width: int, scheme: Any
) -> None:
    faults: list[str] = []
    choices: dict[str, Any] = {
        "locale": "es-CO",
        "viewport": {"width": width, "height": 900},
        "color_scheme": scheme,
    }

    with (
        chromium.new_context(**choices) as stranger,
        signed_in(chromium, places["admin"], pages, **choices) as administrator,
    ):
        for paths, context in ((SIGNED_OUT, stranger), (ADMINISTRATOR, administrator)):
            page = context.new_page()
            for path in paths:
                page.goto(pages + path.format(**places))
                page.wait_for_load_state("load")
                faults += faults_of(page, path)

    assert faults == []


@pytest.mark.timeout(300)
def test_a_person_adds_a_passkey_and_enters_with_it(
    pages: str, places: dict[str, Any], chromium: Browser, settings: Any
) -> None:
    settings.BASE_URL = pages
    context = chromium.new_context(locale="es-CO")
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})

    page.goto(f"{settings.BASE_URL}/entrar/contrasena?next=/cuenta")
    page.fill("input[name=email]", "amparo@u.example")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    page.fill("#llave", "Portátil")
    page.click("text=Añadir una llave")
    page.wait_for_selector("text=La llave «Portátil» ya sirve para entrar.")
    page.goto(f"{settings.BASE_URL}/salir")
    page.click("main button")
    page.click("button:has-text('Llave de acceso')")
    page.wait_for_url("**/bandeja")

    assert page.locator(".c-who").inner_text().startswith("Amparo")
    context.close()


@pytest.mark.timeout(300)
def test_without_script_the_way_in_by_code_is_there_and_no_button_without_effect(
    pages: str, places: dict[str, Any], chromium: Browser
) -> None:
    context = chromium.new_context(locale="es-CO", java_script_enabled=False)
    page = context.new_page()

    page.goto(f"{pages}/entrar")

    assert page.locator("button:visible").all_inner_texts() == ["Recibir el código"]
    page.fill("input[name=email]", "p001@u.example")
    page.click("main button:visible")
    assert page.locator("h1").inner_text() == "Escriba el código"
    context.close()
