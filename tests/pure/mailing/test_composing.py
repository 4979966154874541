"""A draft within the frame: what is approved is what arrives, and no text of a person is a command."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.mailing.composing import Draft, FrameFacts, compose, frame_problem, paragraphs
from circular.mailing.content import ContentError
from variants import assert_catches


def test_the_frame_is_applied_and_the_merge_fields_stay_open(
    draft: Draft, frame: FrameFacts
) -> None:
    content = compose(draft, frame).content

    assert "Universidad del Macizo" in content.html
    assert "Cordial saludo, {{nombre}}:" in content.html
    assert "radicado CIR-2026-000412" in content.html
    assert content.merge_fields == ("nombre",)
    assert content.frame_version == 1
    assert "[[" not in content.html + content.text


def test_the_text_part_says_the_same_as_the_html(draft: Draft, frame: FrameFacts) -> None:
    text = compose(draft, frame).content.text

    assert text.split("\n")[:2] == ["Universidad del Macizo", "División de Salud y Bienestar"]
    assert "- Vacunación\n- Tamizaje" in text
    assert "\n-- \n" in text


def test_a_message_written_as_text_gets_paragraphs_and_links(
    draft: Draft, frame: FrameFacts
) -> None:
    content = compose(
        replace(draft, html="", text="Hola <b>\n\nMás en https://a.example/x?a=1&b=2."), frame
    ).content

    assert "Hola &lt;b&gt;" in content.html
    assert 'href="https://a.example/x?a=1&amp;b=2"' in content.html


def test_composing_twice_gives_the_same_digest(draft: Draft, frame: FrameFacts) -> None:
    assert compose(draft, frame).content.digest() == compose(draft, frame).content.digest()


def test_another_version_of_the_frame_is_other_content(draft: Draft, frame: FrameFacts) -> None:
    newer = replace(frame, version=2)

    assert compose(draft, newer).content.digest() != compose(draft, frame).content.digest()


def test_the_order_of_a_rules_keys_does_not_matter(draft: Draft, frame: FrameFacts) -> None:
    one = compose(replace(draft, audience_rule={"a": 1, "b": 2}), frame).content
    two = compose(replace(draft, audience_rule={"b": 2, "a": 1}), frame).content

    assert one.digest() == two.digest()


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("no_sender", {"sender_address": "bienestar"}),
        ("bad_reply_to", {"reply_to": "a@b, c@d"}),
        ("no_text", {"html": "", "text": "  "}),
        ("no_subject", {"subject": " "}),
        ("control_character", {"subject": "Hola\r\nBcc: todos@x.example"}),
        ("control_character", {"sender_name": "Rector\nX: y"}),
        ("unknown_field", {"html": "<p>{{cedula}}</p>"}),
    ],
)
def test_a_draft_that_cannot_be_sent_is_refused_with_a_code(
    draft: Draft, frame: FrameFacts, code: str, change: dict[str, str]
) -> None:
    with pytest.raises(ContentError) as refused:
        compose(replace(draft, **change), frame)  # type: ignore[arg-type]  # texts only

    assert refused.value.code == code


def test_nobody_can_write_a_place_of_the_frame_into_a_message(
    draft: Draft, frame: FrameFacts
) -> None:
    content = compose(replace(draft, html="<p>[[notice]] y [[body]]</p>"), frame).content

    assert "[[notice]] y [[body]]" in content.html


def test_an_accent_that_is_no_colour_is_not_put_into_a_style(
    draft: Draft, frame: FrameFacts
) -> None:
    evil = replace(frame, accent="red;background:url(https://x.example)")

    assert "url(" not in compose(draft, evil).content.html


@pytest.mark.parametrize(
    ("html", "text", "problem"),
    [
        ("[[body]]", "[[body]]", ""),
        ("", "[[body]]", "body_once"),
        ("[[body]][[body]]", "[[body]]", "body_once"),
        ("[[body]][[clave]]", "[[body]]", "unknown_place"),
    ],
)
def test_a_frame_has_the_body_once_and_no_unknown_place(html: str, text: str, problem: str) -> None:
    assert frame_problem(html, text) == problem


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_text_never_becomes_markup(text: str) -> None:
    html = paragraphs(f"{text} <script>alert(1)</script>")

    assert "<script" not in html


def test_paragraphs_of_text_as_it_came_are_caught() -> None:
    assert_catches(
        test_text_never_becomes_markup, __name__, "paragraphs", lambda text: f"<p>{text}</p>"
    )
