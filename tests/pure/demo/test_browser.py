"""The demo's browser sends back what a page offers, and nothing else."""

from circular.config.demo.browser import Page, _PageReader

PAGE = """
<title>CIR-2026-000001</title>
<div class="c-errors is-wrong"><h2>Error</h2><div>Escriba el asunto</div></div>
<form action="/e/1/aprobar" method="post" data-act="approved">
  <input type="hidden" name="seen" value="abc">
  <input name="note">
  <input type="checkbox" name="a" value="1" checked><input type="checkbox" name="b" value="1">
  <select name="unit"><option value="7">x</option><option value="8" selected>y</option></select>
  <select name="group" multiple><option value="s" selected></option><option value="t"></option></select>
  <textarea name="text">
Cordial saludo</textarea>
  <input name="off" value="x" disabled>
  <button name="how" value="fast">Aprobar</button>
</form>
<a href="cancelar" data-act="cancelled">Cancelar…</a>
"""


def read(text: str) -> Page:
    page = Page("http://127.0.0.1/e/1", text)
    _PageReader(page).feed(text)
    return page


def test_a_form_keeps_the_fields_it_offers() -> None:
    form = read(PAGE).form("approved")

    assert form is not None
    assert form.action == "http://127.0.0.1/e/1/aprobar"
    assert form.fields == {
        "seen": ["abc"],
        "note": [""],
        "a": ["1"],
        "unit": ["8"],
        "group": ["s"],
        "text": ["Cordial saludo"],
    }
    assert form.buttons == [("how", "fast")]


def test_a_marked_link_is_found_by_its_act() -> None:
    assert read(PAGE).links == {"cancelled": "http://127.0.0.1/e/cancelar"}


def test_the_error_summary_is_what_a_person_would_read() -> None:
    assert read(PAGE).errors.split() == ["Error", "Escriba", "el", "asunto"]


def test_an_act_that_is_not_on_the_page_cannot_be_done() -> None:
    assert read(PAGE).form("started") is None
