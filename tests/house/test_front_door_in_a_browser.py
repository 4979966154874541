"""The one-time page and every letter in a real browser: axe finds nothing, nothing scrolls sideways.

Needs Chromium (apt-get install chromium); look.md §8 is the rule.
"""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser

from bienestar import ANA, DRAFTS, furnish_office
from browsing import sideways, violations
from circular.directory.services import import_accounts
from circular.evidence.actors import SYSTEM
from circular.intake import services
from circular.intake.arrivals import Arrival
from circular.intake.words import Door
from circular.mailing.letters import Letter
from circular.mailing.models import Recipient

WIDTHS = (1280, 390)
# A mail client owns the page around a letter (look.md §8).
CLIENTS_OWN = frozenset({"landmark-one-main", "region"})


def letter_samples() -> ModuleType:
    """Return the letters' own test module: its samples are every letter with every fact."""
    path = Path(__file__).parents[1] / "rooms" / "letters" / "test_letters.py"
    spec = importlib.util.spec_from_file_location("letter_samples", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_letter(chromium: Browser, scheme: Any) -> None:
    samples = letter_samples()
    page = chromium.new_page(color_scheme=scheme, viewport={"width": 720, "height": 900})
    found = {}
    for letter in Letter:
        page.set_content(samples.written(letter).html)
        found[letter] = violations(page, but=CLIENTS_OWN)

    assert {letter: wrong for letter, wrong in found.items() if wrong} == {}


def test_no_letter_scrolls_sideways_on_a_telephone(chromium: Browser) -> None:
    samples = letter_samples()
    page = chromium.new_page(viewport={"width": 390, "height": 900})
    wide = []
    for letter in Letter:
        page.set_content(samples.written(letter).html)
        if sideways(page):
            wide.append(letter.value)

    assert wide == []


@pytest.fixture
def link(transactional_db: None) -> str:
    """The one-time link of a draft that came by mail."""
    furnish_office()
    accounts = (
        f"address;groups;faculty\n{ANA};administrative;\ne@unimacizo.example;student;Derecho\n"
    )
    import_accounts(accounts.encode(), name="c.csv", keep_good=False, confirm=True, by=SYSTEM)
    raw = (
        f"From: {ANA}\r\nSubject: Jornada\r\n\r\nDestinatarios: algunos\r\n\r\nVengan.\r\n".encode()
    )
    (number,) = services.store_arrivals(
        [Arrival(raw=raw, mail_from=ANA, rcpt_to=(DRAFTS,), door=Door.LMTP)]
    )
    services.sort_incoming(number)
    content = Recipient.objects.get().mailing.stencil.content or {}
    found = re.search(rf"^{re.escape(settings.BASE_URL)}(/b/\S+)$", content["text"], re.MULTILINE)
    assert found
    return found[1]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_person_files_a_draft_on_the_one_time_page_and_axe_finds_nothing(
    link: str, live_server: Any, chromium: Browser, width: int, scheme: Any
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, locale="es-CO"
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto(f"{live_server.url}{link}")
    opened = (violations(page), sideways(page))

    page.get_by_role("button", name="Radicar la solicitud").click()
    refused = (violations(page), sideways(page), page.title().startswith("Error:"))

    page.get_by_label("estudiantes").check()
    page.get_by_role("button", name="Radicar la solicitud").click()
    filed = (violations(page), sideways(page), page.locator(".c-stamp").inner_text()[:4])

    context.close()
    assert opened == ([], False)
    assert refused == ([], False, True)
    assert filed == ([], False, "CIR-")
