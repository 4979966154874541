"""The pages in a real browser: axe finds nothing, nothing scrolls sideways, and the console is quiet.

Needs Chromium (apt-get install chromium); look.md §8 is the rule.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from counter_town import Town, build_town, fill

PAGES = (
    ("paula", "/bandeja"),
    ("mallory", "/bandeja"),
    ("paula", "/expedientes"),
    ("paula", "{in_review}"),
    ("paula", "{sending}"),
    ("anna", "{returned}"),
    ("paula", "{closed}?vista=texto"),
    ("paula", "{external}"),
    ("otto", "{sending}/envio"),
    ("otto", "{sending}/actos/cancelar"),
    ("otto", "{accepted}/actos/comenzar"),
    ("otto", "{accepted}/actos/declarar-enviado"),
    ("paula", "{closed}/asientos/3"),
    ("anna", "/solicitudes/nueva"),
    ("anna", "/borradores/{draft}"),
    ("paula", "/procedimiento"),
    ("paula", "/calendario"),
    ("paula", "/bandeja/correo"),
    ("admin", "/administracion"),
    ("admin", "/administracion/reglas"),
    ("admin", "/administracion/recesos"),
    ("otto", "/administracion/servidores"),
    ("otto", "/administracion/servidores/nuevo"),
    ("paula", "/nada"),
)
WIDTHS = (1280, 390)

Opener = Callable[..., Page]


@pytest.fixture(autouse=True)
def _no_connection_outlives_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server's threads hang up, or the test database could not be dropped."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)


@pytest.fixture
def town(transactional_db: None) -> Town:
    return fill(build_town())


@pytest.fixture
def chromium(
    require_program: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Browser]:
    path = require_program("chromium", "chromium")
    # Playwright keeps an event loop in this thread; Django would refuse the test's own queries.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        # What the test itself asked stands in a connection of the loop's own context.
        connections.close_all()
        browser.close()


def cookie_of(town: Town, name: str) -> str:
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(town.people[name])
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def address(town: Town, path: str) -> str:
    cases = {name: f"/e/{number}" for name, number in town.cases.items()}
    return path.format(**cases, draft=town.draft)


def listener(faults: list[str], where: str) -> Callable[[ConsoleMessage], None]:
    """Return what notes everything that the console complains about, a page that is not there aside."""

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "404" not in message.text:
            faults.append(f"{where}: {message.text}")

    return note


def violations(page: Page) -> list[str]:
    """Return what axe finds: rule and place; the page within a preview is the letter's own."""
    found = Axe().run(page, context={"exclude": [["iframe"]]})
    return [
        f"{rule['id']}: {node['html'][:160]}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    live_server: Any, town: Town, chromium: Browser, scheme: Literal["light", "dark"]
) -> None:
    cookies = {name: cookie_of(town, name) for name in {name for name, _ in PAGES}}
    faults: list[str] = []

    for name, path in PAGES:
        context = chromium.new_context(color_scheme=scheme)
        context.add_cookies(
            [
                {
                    "name": settings.SESSION_COOKIE_NAME,
                    "value": cookies[name],
                    "url": live_server.url,
                }
            ]
        )
        page = context.new_page()
        page.on("console", listener(faults, f"{name} {path} {scheme}"))
        page.goto(live_server.url + address(town, path))
        page.wait_for_load_state("load")
        for width in WIDTHS:
            where = f"{name} {path} {width} {scheme}"
            page.set_viewport_size({"width": width, "height": 900})
            faults += [f"{where}: {found}" for found in violations(page)]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                faults.append(f"{where}: scrolls sideways")
        context.close()

    assert faults == []


@pytest.mark.timeout(300)
def test_the_sending_page_renews_its_figures_by_itself(
    live_server: Any, town: Town, chromium: Browser
) -> None:
    from circular.mailing.models import Recipient
    from circular.workflow.models import Request

    context = chromium.new_context()
    context.add_cookies(
        [
            {
                "name": settings.SESSION_COOKIE_NAME,
                "value": cookie_of(town, "otto"),
                "url": live_server.url,
            }
        ]
    )
    page = context.new_page()
    page.goto(f"{live_server.url}/e/{town.cases['sending']}/envio")
    before = page.locator("#avance-vivo .c-big").inner_text()
    mailing = Request.objects.get(filing_number=town.cases["sending"]).mailing_id

    one = Recipient.objects.filter(mailing=mailing, state="pending").first()
    assert one is not None
    Recipient.objects.filter(pk=one.pk).update(state="accepted")

    page.wait_for_function(
        "before => document.querySelector('#avance-vivo .c-big').innerText !== before",
        arg=before,
        timeout=10_000,
    )
    context.close()


@pytest.mark.timeout(300)
def test_the_count_follows_what_is_ticked(live_server: Any, town: Town, chromium: Browser) -> None:
    context = chromium.new_context()
    context.add_cookies(
        [
            {
                "name": settings.SESSION_COOKIE_NAME,
                "value": cookie_of(town, "anna"),
                "url": live_server.url,
            }
        ]
    )
    page = context.new_page()
    page.goto(f"{live_server.url}/solicitudes/nueva")

    page.get_by_label("Estudiantes").check()

    page.wait_for_selector("#publico-cuenta .c-big", timeout=10_000)
    assert "estudiantes" in page.locator("#publico-cuenta").inner_text()
    context.close()
