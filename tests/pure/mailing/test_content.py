"""The digest covers everything a reader sees and nothing that may differ between two makings of it."""

import hashlib
import json
import re
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.mailing.content import (
    ContentError,
    StencilContent,
    StencilFile,
    check,
    filled,
    from_json,
    merge_values,
    one_line,
    open_fields,
    tidy,
)
from circular.mailing.kinds import MailClass
from variants import assert_catches

FILE = StencilFile(name="guía.pdf", media_type="application/pdf", digest="a" * 64, octets=9)
CONTENT = StencilContent(
    sender_name="Bienestar",
    sender_address="bienestar@unimacizo.example",
    reply_to="salud@unimacizo.example",
    subject="Jornada de salud",
    html="<p>Hola, {{nombre}}</p>\n",
    text="Hola, {{nombre}}\n",
    files=(FILE,),
    mail_class=MailClass.INFORMATIVE,
    audience_rule='{"clauses":[{}]}',
    frame_version=1,
    merge_fields=("nombre",),
)
OTHER: dict[str, Any] = {
    "sender_name": "Otro",
    "sender_address": "otro@unimacizo.example",
    "reply_to": "otro@unimacizo.example",
    "subject": "Otro",
    "html": "<p>Otro</p>\n",
    "text": "Otro\n",
    "files": (replace(FILE, digest="b" * 64),),
    "mail_class": MailClass.OFFICIAL,
    "audience_rule": '{"clauses":[]}',
    "language": "en",
    "frame_version": 2,
    "merge_fields": (),
    "salt": "0f" * 16,
}


@pytest.mark.parametrize("field", [field.name for field in fields(StencilContent)])
def test_a_change_anywhere_changes_the_digest(field: str) -> None:
    assert replace(CONTENT, **{field: OTHER[field]}).digest() != CONTENT.digest()


@pytest.mark.parametrize("field", [field.name for field in fields(StencilFile)])
def test_a_change_in_a_file_changes_the_digest(field: str) -> None:
    changed: dict[str, Any] = {field: 10 if field == "octets" else "otro"}
    other = replace(FILE, **changed)

    assert replace(CONTENT, files=(other,)).digest() != CONTENT.digest()


def test_the_digest_is_that_of_the_canonical_bytes_and_survives_the_database() -> None:
    stored = json.loads(json.dumps(CONTENT.to_json()))

    assert from_json(stored) == CONTENT
    assert from_json(stored).digest() == CONTENT.digest()
    assert hashlib.sha256(CONTENT.canonical()).hexdigest() == CONTENT.digest()


def test_content_of_another_format_is_refused() -> None:
    with pytest.raises(ContentError, match="unknown_format"):
        from_json(CONTENT.to_json() | {"format": "circular stencil 0"})


def test_two_texts_never_share_a_digest_by_running_into_each_other() -> None:
    one = replace(CONTENT, subject="ab", sender_name="c")
    two = replace(CONTENT, subject="a", sender_name="bc")

    assert one.digest() != two.digest()


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("no_subject", {"subject": ""}),
        ("no_sender", {"sender_address": "nadie"}),
        ("no_text", {"text": "\n"}),
        ("not_tidy", {"text": "a\r\nb\n"}),
        ("not_tidy", {"html": "sin fin de línea"}),
        ("not_tidy", {"subject": "dos  blancos"}),
        ("control_character", {"subject": "a\nBcc: b"}),
        ("bad_file", {"files": (replace(FILE, digest="no"),)}),
    ],
)
def test_content_that_could_never_be_sent_is_refused(code: str, change: dict[str, Any]) -> None:
    with pytest.raises(ContentError) as refused:
        check(replace(CONTENT, **change))

    assert refused.value.code == code


def test_a_merge_field_that_does_not_exist_is_named() -> None:
    with pytest.raises(ContentError) as refused:
        open_fields("Hola {{nombre}}, su {{cedula}}")

    assert (refused.value.code, refused.value.fact) == ("unknown_field", "cedula")


def test_only_named_fields_are_filled_and_values_are_not_looked_at_again() -> None:
    values = {"nombre": "{{apellidos}}", "apellidos": "Gómez"}

    assert filled("{{nombre}} {{apellidos}}", values, ("nombre",)) == "{{apellidos}} {{apellidos}}"
    assert filled("{{nombre}}", values, ()) == "{{nombre}}"


def test_a_person_without_preferred_name_is_called_by_the_given_one() -> None:
    assert merge_values({"given": "Ana", "family": "Gómez"})["nombre"] == "Ana"
    assert merge_values({"given": "Ana", "preferred": "Anita"})["nombre"] == "Anita"
    assert merge_values({})["nombre_completo"] == ""


@given(st.text())
def test_tidying_twice_changes_nothing(text: str) -> None:
    for tool in (tidy, one_line):
        try:
            once = tool(text)
        except ContentError:
            continue
        assert tool(once) == once
        assert "\r" not in once
        assert "\0" not in once


@given(st.dictionaries(st.sampled_from(["given", "family", "preferred"]), st.text()))
def test_no_name_brings_a_line_break_into_a_message(names: dict[str, str]) -> None:
    assert not set("\r\n\0") & set("".join(merge_values(names).values()))


def test_a_text_that_grows_at_each_tidying_is_caught() -> None:
    assert_catches(test_tidying_twice_changes_nothing, __name__, "tidy", lambda text: text + "\n")


def test_a_name_printed_as_it_came_is_caught() -> None:
    def raw(names: dict[str, str]) -> dict[str, str]:
        return {"nombre": names.get("given", "")}

    assert_catches(test_no_name_brings_a_line_break_into_a_message, __name__, "merge_values", raw)


@given(st.dictionaries(st.sampled_from(["given", "family", "preferred"]), st.text(max_size=12)))
def test_a_merge_value_is_one_line_without_surplus_blanks(fields: dict[str, str]) -> None:
    for value in merge_values(fields).values():
        assert value == " ".join(value.split())
        assert not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", value)
