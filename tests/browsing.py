"""Pages in a real browser: who reads them, what axe finds on them, and whether they scroll sideways.

The browser and the server are fixtures of `tests/house/conftest.py`; look.md §8 is the rule.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page

from circular.people.models import Person

RUN_AXE = "([where, how]) => axe.run(where, how).then(results => results.violations)"
EVERYWHERE: dict[str, object] = {"include": [["html"]]}


@contextmanager
def signed_in(
    browser: Browser, person: Person, url: str, **choices: Any
) -> Iterator[BrowserContext]:
    """Give a person's own browser, signed in."""
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(person)
    context = browser.new_context(**choices)
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])
    try:
        yield context
    finally:
        context.close()


def violations(
    page: Page,
    where: Mapping[str, object] = EVERYWHERE,
    *,
    but: frozenset[str] = frozenset(),
) -> list[str]:
    """Return what axe finds: rule and place."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    rules = {name: {"enabled": False} for name in sorted(but)}
    found = page.evaluate(RUN_AXE, [dict(where), {"resultTypes": ["violations"], "rules": rules}])
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


def sideways(page: Page) -> bool:
    """Say whether the page scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
