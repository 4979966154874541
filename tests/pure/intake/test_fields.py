"""What a mail states in plain lines is read; everything else is left to a person."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.intake.fields import (
    AudienceRead,
    Places,
    Understood,
    read_audience,
    read_class,
    read_date,
    read_fields,
    without_fields,
)
from variants import assert_catches

REQUEST = """Cordial saludo:

Remitente: División de Salud y Bienestar
Asunto: Jornada de salud: del 24 al 26
Destinatarios: estudiantes y docentes de la
  Facultad de Ingeniería
*Fecha:* 18 de noviembre, 2 p. m.
Público: otra cosa

Los invitamos a la jornada.

Asunto: esto ya es el mensaje.
"""
PLACES = Places(
    faculties=("Facultad de Ingeniería", "Facultad de Ciencias de la Salud"),
    programmes=("Derecho", "Ingeniería Civil"),
    campuses=("Centro", "Norte"),
)
TODAY = date(2026, 11, 13)


def test_the_lines_at_the_beginning_are_read_and_taken_out() -> None:
    understood = read_fields(REQUEST)

    assert understood.values == {
        "sender": "División de Salud y Bienestar",
        "subject": "Jornada de salud: del 24 al 26",
        "audience": "estudiantes y docentes de la Facultad de Ingeniería",
        "wanted_at": "18 de noviembre, 2 p. m.",
    }
    assert "Los invitamos a la jornada." in understood.message
    assert "Remitente" not in understood.message


def test_a_label_inside_the_text_belongs_to_the_text() -> None:
    assert "Asunto: esto ya es el mensaje." in read_fields(REQUEST).message


def test_the_first_statement_of_a_field_counts() -> None:
    assert read_fields("Público: estudiantes\nDestinatarios: todos\n").values == {
        "audience": "estudiantes"
    }


def test_a_message_without_fields_stays_as_it_is() -> None:
    text = "Hora: 8\nVean: http://x.example\n\nTexto."

    assert read_fields(text) == Understood(message=text)


def test_the_same_lines_disappear_from_the_html_and_its_tags_stay() -> None:
    html = "<div>Cordial saludo</div><p><b>Asunto:</b> Jornada&nbsp;de salud</p><p>Los <i>invitamos</i>.<br>Asunto: x</p>"
    understood = read_fields("Cordial saludo\n\nAsunto: Jornada de salud\n\nLos invitamos.\n")

    cleaned = without_fields(html, understood)

    assert (
        cleaned
        == "<div>Cordial saludo</div><p><b></b></p><p>Los <i>invitamos</i>.<br>Asunto: x</p>"
    )


@given(st.text(max_size=500))
def test_no_text_makes_the_reader_fail_and_reading_again_finds_nothing_already_read(
    text: str,
) -> None:
    understood = read_fields(text)

    assert len(understood.message) <= len(text)
    assert read_fields("").values == {}
    without_fields(text, understood)
    read_audience(text, PLACES)
    read_date(text, today=TODAY)
    read_class(text)


@given(
    st.dictionaries(
        st.sampled_from(["Remitente", "Asunto", "Motivo", "Responder a", "Dependencia"]),
        st.text("abcáñ @.:123", min_size=1, max_size=40).map(str.strip).filter(bool),
        min_size=1,
    )
)
def test_whatever_is_written_in_plain_lines_is_read_back(stated: dict[str, str]) -> None:
    codes = {
        "Remitente": "sender",
        "Asunto": "subject",
        "Motivo": "reason",
        "Responder a": "reply_to",
        "Dependencia": "unit",
    }
    text = (
        "\n".join(f"{label}: {value}" for label, value in stated.items()) + "\n\nEl texto sigue.\n"
    )

    assert read_fields(text).values == {codes[label]: value for label, value in stated.items()}
    assert read_fields(text).message == "El texto sigue."


def test_a_reader_that_ends_a_value_at_its_colon_is_caught() -> None:
    right = read_fields

    def hasty(text: str) -> Understood:
        understood = right(text)
        values = {code: words.partition(":")[0] for code, words in understood.values.items()}
        return Understood(values, understood.message)

    holds = test_whatever_is_written_in_plain_lines_is_read_back
    assert_catches(holds, __name__, "read_fields", hasty)


def test_a_reader_that_takes_every_text_for_a_date_is_caught() -> None:
    def trusting(text: str, *, today: date) -> datetime:
        return datetime.fromisoformat(text)

    holds = test_no_text_makes_the_reader_fail_and_reading_again_finds_nothing_already_read
    assert_catches(holds, __name__, "read_date", trusting, ValueError)


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("Estudiantes", AudienceRead(groups=("student",))),
        ("a todos los estudiantes y docentes", AudienceRead(groups=("student", "teaching"))),
        (
            "estudiantes, profesores y administrativos",
            AudienceRead(groups=("student", "teaching", "administrative")),
        ),
        (
            "toda la comunidad universitaria",
            AudienceRead(groups=("student", "teaching", "administrative")),
        ),
        ("Facultad de Ingeniería", AudienceRead(faculties=("Facultad de Ingeniería",))),
        (
            "estudiantes de la Facultad de Ingeniería",
            AudienceRead(groups=("student",), faculties=("Facultad de Ingeniería",)),
        ),
        ("docentes de la sede Norte", AudienceRead(groups=("teaching",), campuses=("Norte",))),
        (
            "estudiantes del programa de Derecho",
            AudienceRead(groups=("student",), programmes=("Derecho",)),
        ),
        ("estudiantes de la facultad de Magia", None),
        ("estudiantes y egresados", None),
        ("estudiantes menos los de primer semestre", None),
        ("", None),
    ],
)
def test_an_audience_is_read_only_when_every_word_is_understood(
    words: str, read: AudienceRead | None
) -> None:
    assert read_audience(words, PLACES) == read


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("18/11/2026 14:00", datetime(2026, 11, 18, 14)),  # noqa: DTZ001 (local, without zone on purpose)
        ("2026-11-18", datetime(2026, 11, 18, 8)),  # noqa: DTZ001
        ("miércoles 18 de noviembre de 2026 a las 2:30 p. m.", datetime(2026, 11, 18, 14, 30)),  # noqa: DTZ001
        ("18 de noviembre, 2 p.m.", datetime(2026, 11, 18, 14)),  # noqa: DTZ001
        ("3 de marzo", datetime(2027, 3, 3, 8)),  # noqa: DTZ001
        ("mañana a las 10", datetime(2026, 11, 14, 10)),  # noqa: DTZ001
        ("31/02/2027", None),
        ("18/11/2026 25:00", None),
        ("lo antes posible", None),
        ("29 de febrero", None),
    ],
)
def test_a_date_is_read_as_a_person_would_or_not_at_all(words: str, read: datetime | None) -> None:
    assert read_date(words, today=TODAY) == read


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("Oficial", "oficial"),
        ("informativa.", "informativo"),
        ("promocional", "promocional"),
        ("urgente", None),
    ],
)
def test_a_class_is_one_of_three(words: str, read: str | None) -> None:
    assert read_class(words) == read
