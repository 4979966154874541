"""Signing in, people and the directory in a real browser: a passkey works, and axe finds nothing.

Needs Chromium (apt-get install chromium). The key is the browser's own virtual authenticator.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as installed
from django.db import connections
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, sync_playwright

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


@pytest.fixture(autouse=True)
def _no_connection_outlives_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server's threads hang up, or the test database could not be dropped."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)


@pytest.fixture
def chromium(
    require_program: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Browser]:
    path = require_program("chromium", "chromium")
    # Playwright keeps an event loop in this thread; Django would refuse the test's own queries.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def places(transactional_db: None) -> dict[str, object]:
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
        # Signed in before the browser starts: with an event loop in this thread, Django would open
        # a second connection that nobody closes.
        "session": session(),
    }


def session() -> str:
    client = Client(SERVER_NAME="localhost")
    client.force_login(Person.objects.get(email="amparo@u.example"))
    return client.cookies[installed.SESSION_COOKIE_NAME].value


def faults_of(page: Page, where: str, width: int) -> list[str]:
    found = Axe().run(page)
    faults = [
        f"{where}: {rule['id']}: {node['html'][:160]}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]
    if page.evaluate("document.documentElement.scrollWidth") > width:
        faults.append(f"{where}: scrolls sideways")
    return faults


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_on_the_pages_of_people_and_directory(
    live_server: Any, places: dict[str, object], chromium: Browser, width: int, scheme: Any
) -> None:
    faults: list[str] = []
    cookie = {
        "name": installed.SESSION_COOKIE_NAME,
        "value": places["session"],
        "url": live_server.url,
    }

    for paths, cookies in ((SIGNED_OUT, []), (ADMINISTRATOR, [cookie])):
        context = chromium.new_context(
            locale="es-CO", viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        context.add_cookies(cookies)  # type: ignore[arg-type]
        page = context.new_page()
        for path in paths:
            page.goto(live_server.url + path.format(**places))
            page.wait_for_load_state("networkidle")  # or a style sheet would outlive the test
            faults += faults_of(page, path, width)
        context.close()

    assert faults == []


@pytest.mark.timeout(300)
def test_a_person_adds_a_passkey_and_enters_with_it(
    live_server: Any, places: dict[str, object], chromium: Browser, settings: Any
) -> None:
    settings.BASE_URL = live_server.url.replace("127.0.0.1", "localhost")
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
    live_server: Any, places: dict[str, object], chromium: Browser
) -> None:
    context = chromium.new_context(locale="es-CO", java_script_enabled=False)
    page = context.new_page()

    page.goto(f"{live_server.url}/entrar")

    assert page.locator("button:visible").all_inner_texts() == ["Recibir el código"]
    page.fill("input[name=email]", "p001@u.example")
    page.click("main button:visible")
    assert page.locator("h1").inner_text() == "Escriba el código"
    context.close()
