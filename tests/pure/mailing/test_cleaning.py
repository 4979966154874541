"""What a requester writes arrives in every mail client and harms nobody; advice names what to mend."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from circular.mailformat.html import text_of
from circular.mailing.cleaning import Advice, TooLongError, clean, clean_html

LIVE = frozenset(
    [
        "script",
        "style",
        "iframe",
        "frame",
        "object",
        "embed",
        "applet",
        "form",
        "input",
        "button",
        "select",
        "textarea",
        "svg",
        "math",
        "base",
        "link",
        "meta",
        "video",
        "audio",
        "source",
        "template",
        "noscript",
    ]
)


class Judge(HTMLParser):
    """Collects what could act: elements, event attributes, schemes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in LIVE:
            self.faults.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in {"srcdoc", "formaction", "srcset", "background"}:
                self.faults.append(name)
            plain = re.sub(r"[\s\x00-\x20]", "", value or "").lower()
            if name in {"href", "src"} and re.match(r"(javascript|vbscript|data|file):", plain):
                self.faults.append(f"{name}={plain[:20]}")
            if name == "style" and re.search(r"url\(|expression|@import|position", plain):
                self.faults.append(f"style={plain[:40]}")


def faults_of(html: str) -> list[str]:
    judge = Judge()
    judge.feed(html)
    judge.close()
    return judge.faults


@pytest.mark.parametrize("name", ["html-xss", "xss-payload-list"])
def test_no_payload_leaves_anything_that_acts(corpora: Callable[[str], Any], name: str) -> None:
    left = {
        key: faults_of(clean_html(sample["input"]))
        for key, sample in corpora(name).samples.items()
        if "input" in sample
    }

    assert {key: faults for key, faults in left.items() if faults} == {}


def test_the_judge_above_catches_a_cleaner_that_cleans_nothing() -> None:
    payloads = [
        "<script>x</script>",
        '<img src=x onerror="x">',
        '<a href="java\nscript:x">',
        '<p style="background:url(x)">',
    ]

    assert all(faults_of(payload) for payload in payloads)


def test_newsletters_keep_their_words(corpora: Callable[[str], Any]) -> None:
    corpus = corpora("newsletter-html")

    for name, sample in corpus.samples.items():
        html = sample.get("input") or corpus.raw(name).decode("utf-8", "replace")
        before = set(re.findall(r"\w+", text_of(html)))
        after = set(re.findall(r"\w+", text_of(clean_html(html))))
        assert len(after & before) >= 0.97 * len(before), name


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<b",
                ">",
                "<table>",
                "<td>",
                "&lt;",
                "<a href=",
                '"',
                "style=",
                "<!--",
                "x",
                "<style>",
            ]
        )
    ).map("".join)
)
def test_cleaning_twice_changes_nothing_and_leaves_nothing_that_acts(html: str) -> None:
    once = clean_html(html)

    assert clean_html(once) == once
    assert faults_of(once) == []


def test_style_sheets_become_inline_styles() -> None:
    html = clean_html("<style>p { color: #123456; position: fixed }</style><p>Hola</p>")

    assert html == '<p style="color: #123456">Hola</p>' or "color" in html
    assert "position" not in html
    assert "<style" not in html


def test_tables_links_and_inline_images_stay() -> None:
    html = '<table width="600"><tbody><tr><td colspan="2"><a href="mailto:a@b.example">x</a>'
    html += '<img src="cid:a@b" alt="Afiche"></td></tr></tbody></table>'

    assert clean_html(html) == html


def test_html_beyond_any_mail_is_refused() -> None:
    with pytest.raises(TooLongError):
        clean_html("x" * 2_000_001)


@pytest.mark.parametrize(
    ("advice", "html", "subject"),
    [
        (Advice.EMPTY, "<p> </p>", ""),
        (Advice.IMAGE_ONLY, '<img src="cid:a" alt="Afiche de la jornada">', ""),
        (Advice.MISSING_ALT, '<p>Texto</p><img src="cid:a">', ""),
        (Advice.REMOTE_IMAGE, '<p>Texto</p><img src="https://x.example/a.png" alt="">', ""),
        (Advice.VAGUE_LINK, '<p>Vea <a href="https://x.example">aquí</a></p>', ""),
        (Advice.VAGUE_LINK, '<p>Vea <a href="https://x.example">Haga clic aquí</a></p>', ""),
        (Advice.HEADING_SKIPPED, "<h2>Uno</h2><h4>Dos</h4>", ""),
        (Advice.UPPERCASE_SUBJECT, "<p>Texto</p>", "JORNADA DE SALUD"),
        (Advice.LONG_SUBJECT, "<p>Texto</p>", "x" * 79),
        (Advice.CLIPPED, f"<p>{'palabra ' * 13000}</p>", ""),
        (Advice.PARTS_REMOVED, "<p>Texto</p><form>x</form>", ""),
        (Advice.PARTS_REMOVED, '<p>Texto</p><img alt="x" src="data:image/png;base64,AA">', ""),
    ],
)
def test_what_a_reader_would_trip_over_is_named(advice: Advice, html: str, subject: str) -> None:
    assert advice in clean(html, subject=subject).advice


def test_a_good_message_gets_no_advice() -> None:
    html = '<p>Del 24 al 26.</p><p><a href="https://x.example">Horarios por servicio</a></p>'

    assert clean(html, subject="Jornada de salud").advice == ()
