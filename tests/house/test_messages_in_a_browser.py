"""What a requester writes does nothing in a real browser, and what we send is accessible there.

The static check of the same payloads is ``tests/pure/mailing/test_cleaning.py``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

import circular.mailing
from browsing import sideways, violations
from circular.mailing.cleaning import clean_html
from circular.mailing.composing import Draft, FrameFacts, compose
from circular.mailing.rendering import preview

FRAMES = Path(circular.mailing.__file__).parent / "frames"


def effects_of(chromium: Browser, bodies: list[str]) -> list[str]:
    """Load pieces of HTML, touch what can be touched, and return everything that happened."""
    seen: list[str] = []
    context = chromium.new_context()
    page = context.new_page()

    def note_dialog(dialog: Any) -> None:
        seen.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def refuse(route: Route) -> None:
        if route.request.resource_type != "image":
            seen.append(f"{route.request.resource_type} {route.request.url}")
        route.abort()

    page.on("dialog", note_dialog)
    page.on("framenavigated", lambda frame: seen.append(f"navigated {frame.url}"))
    # Nothing leaves this machine; a message may ask for images, and for nothing else.
    page.route("**/*", refuse)
    for body in bodies:
        page.set_content(f"<!doctype html><body>{body}</body>", wait_until="domcontentloaded")
        page.evaluate(
            """() => document.querySelectorAll('body *').forEach(one => {
                for (const kind of ['mouseover', 'focus', 'click', 'load', 'error'])
                    one.dispatchEvent(new Event(kind, {bubbles: true, cancelable: true}))
            })"""
        )
    context.close()
    return [one for one in seen if one != "navigated about:blank"]


def payloads(corpora: Callable[[str], Any]) -> list[str]:
    found = [
        sample["input"]
        for name in ("html-xss", "xss-payload-list")
        for sample in corpora(name).samples.values()
        if isinstance(sample.get("input"), str)
    ]
    # Many to a page: a payload that closes its neighbours would be cleaned alone in a message.
    return [
        "<hr>".join(clean_html(payload) for payload in found[start : start + 50])
        for start in range(0, len(found), 50)
    ]


def test_no_payload_does_anything_in_a_browser(
    chromium: Browser, corpora: Callable[[str], Any]
) -> None:
    assert effects_of(chromium, payloads(corpora)) == []


@pytest.mark.parametrize(
    "live",
    [
        "<script>alert(1)</script>",
        '<img src="x" onerror="alert(1)">',
        '<p onclick="alert(1)">x</p>',
        '<iframe src="https://evil.example/"></iframe>',
    ],
)
def test_the_check_above_catches_html_that_was_not_cleaned(chromium: Browser, live: str) -> None:
    assert effects_of(chromium, [live]) != []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_in_a_message_within_the_frame(
    chromium: Browser, scheme: Any, width: int
) -> None:
    frame = FrameFacts(
        version=1,
        html=(FRAMES / "default.html").read_text(encoding="utf-8"),
        text=(FRAMES / "default.txt").read_text(encoding="utf-8"),
        institution="Universidad del Macizo",
    )
    draft = Draft(
        sender_name="Bienestar",
        sender_address="bienestar@unimacizo.example",
        subject="Jornada de salud y bienestar",
        html="<p>Cordial saludo, {{nombre}}:</p><h2>Servicios</h2><ul><li>Vacunación</li></ul>"
        '<p>Vea los <a href="https://x.example/">horarios por servicio</a>.</p>'
        "<blockquote>Traiga su carné.</blockquote>"
        "<table><tr><th scope='col'>Día</th><th scope='col'>Hora</th></tr>"
        "<tr><td>24</td><td>8 a. m.</td></tr></table>",
        unit_name="División de Salud y Bienestar",
        notice="Correo informativo autorizado por Comunicaciones, radicado CIR-2026-000412.",
    )
    shown = preview(compose(draft, frame).content, {"given": "Ana"})
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_content(shown.html)

    # A mail client owns the page: its landmarks are not the message's business (look.md §8).
    found = violations(page, but=frozenset({"region", "landmark-one-main"}))
    wide = sideways(page)
    page.close()

    assert found == []
    assert not wide
