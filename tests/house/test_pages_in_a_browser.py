"""The pages in a real browser: axe finds nothing, nothing scrolls sideways, and the console is quiet.

Needs Chromium (apt-get install chromium); look.md §8 is the rule.
"""

from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage

from browsing import sideways, signed_in, violations
from circular.mailing.models import Recipient
from circular.workflow.models import Request
from counter_town import Town, build_town, fill

PAGES = (
    ("paula", "/bandeja"),
    ("mallory", "/bandeja"),
    ("paula", "/expedientes"),
    ("paula", "{in_review}"),
    ("paula", "{sending}"),
    ("anna", "{returned}"),
    ("paula", "{closed}?vista=texto"),
    ("paula", "{closed}/constancia"),
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
    ("paula", "/directorio/publicos?conjuntos=2&groups=student&y1-groups=teaching"),
    ("paula", "/ayuda"),
    ("paula", "/ayuda/enviar"),
    ("anna", "/datos-personales"),
    ("anna", "/accesibilidad"),
    ("admin", "/bandeja"),
    ("admin", "/administracion"),
    ("admin", "/administracion/puesta-en-marcha"),
    ("admin", "/administracion/marco"),
    ("admin", "/administracion/reglas"),
    ("admin", "/administracion/recesos"),
    ("otto", "/administracion/servidores"),
    ("otto", "/administracion/servidores/nuevo"),
    ("otto", "/administracion/servidores/nuevo?modelo=amazon_ses"),
    ("otto", "/administracion/servidores/reglas"),
    ("otto", "/administracion/procesos"),
    ("paula", "/nada"),
)
WIDTHS = (1280, 390)
# The page within a preview is the letter's own.
BUT_PREVIEWS = {"exclude": [["iframe"]]}


@pytest.fixture(scope="module")
def town(pages: str) -> Town:
    """Build a case in every state, once for all the tests that look at them."""
    return fill(build_town())


def address(town: Town, path: str) -> str:
    cases = {name: f"/e/{number}" for name, number in town.cases.items()}
    return path.format(**cases, draft=town.draft)


def listener(faults: list[str], where: str) -> Callable[[ConsoleMessage], None]:
    """Return what notes everything that the console complains about, a page that is not there aside."""

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "404" not in message.text:
            faults.append(f"{where}: {message.text}")

    return note


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    pages: str, town: Town, chromium: Browser, scheme: Literal["light", "dark"]
) -> None:
    faults: list[str] = []

    for name, of_one in groupby(sorted(PAGES), key=itemgetter(0)):
        with signed_in(chromium, town.people[name], pages, color_scheme=scheme) as context:
            for _name, path in of_one:
                page = context.new_page()
                page.on("console", listener(faults, f"{name} {path} {scheme}"))
                page.goto(pages + address(town, path))
                page.wait_for_load_state("load")
                for width in WIDTHS:
                    where = f"{name} {path} {width} {scheme}"
                    page.set_viewport_size({"width": width, "height": 900})
                    faults += [f"{where}: {found}" for found in violations(page, BUT_PREVIEWS)]
                    if sideways(page):
                        faults.append(f"{where}: scrolls sideways")
                page.close()

    assert faults == []


@pytest.mark.timeout(300)
def test_the_sending_page_renews_its_figures_by_itself(
    pages: str, town: Town, chromium: Browser
) -> None:
    with signed_in(chromium, town.people["otto"], pages) as context:
        page = context.new_page()
        page.goto(f"{pages}/e/{town.cases['sending']}/envio")
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


@pytest.mark.timeout(300)
def test_the_count_follows_what_is_ticked(pages: str, town: Town, chromium: Browser) -> None:
    with signed_in(chromium, town.people["anna"], pages) as context:
        page = context.new_page()
        page.goto(f"{pages}/solicitudes/nueva")

        page.get_by_label("Estudiantes").check()

        page.wait_for_selector("#publico-cuenta .c-big", timeout=10_000)
        assert "estudiantes" in page.locator("#publico-cuenta").inner_text()
