"""Hard-wrapped paragraphs flow again; what was broken on purpose stays broken."""

import textwrap
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from circular.mailformat.flowing import NARROWEST, flowing
from variants import assert_catches

PROSE = (
    "del martes al jueves la división de salud y bienestar atiende sin cita en la sede del centro,"
    " de ocho a doce y de dos a cinco. traiga su carné y su documento de identidad; quien no los"
    " tenga puede pedir una constancia en la ventanilla del primer piso"
)
words = st.lists(
    st.text(alphabet="abcdefghijklmnñopqrstuvwxyzáéíóú", min_size=1, max_size=12),
    min_size=40,
    max_size=120,
)


@pytest.mark.parametrize("width", [64, 72, 76, 78])
def test_a_wrapped_paragraph_is_one_line_again(width: int) -> None:
    wrapped = textwrap.fill(PROSE, width)

    assert flowing(wrapped) == PROSE


def test_paragraphs_stay_apart() -> None:
    wrapped = textwrap.fill(PROSE, 72)

    assert flowing(f"Cordial saludo:\n\n{wrapped}\n\n{wrapped}\n\nAtentamente,\nAna") == (
        f"Cordial saludo:\n\n{PROSE}\n\n{PROSE}\n\nAtentamente,\nAna"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Lugar: Auditorio principal de la Facultad de Ciencias Humanas, sede Centro\nHora: 10 a. m.",
        "Vivir en la universidad también es cuidar lo que todos compartimos, así\n- el agua\n- la luz",
        "División de Salud y Bienestar\nUniversidad del Macizo\nExtensión 2140",
        "> " + "palabra " * 8 + "citada\n> y otra",
        "una línea que pasa de ochenta columnas, porque quien la escribió no parte sus renglones\ny otra",
        "",
        "\n\n",
    ],
)
def test_what_was_broken_on_purpose_stays(text: str) -> None:
    assert flowing(text) == text


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r"), max_size=400))
def test_no_word_is_added_lost_or_moved(text: str) -> None:
    assert flowing(text).split() == text.split()


def test_lines_joined_without_a_blank_are_caught() -> None:
    def tight(text: str) -> str:
        return "".join(text.splitlines())

    assert_catches(test_no_word_is_added_lost_or_moved, __name__, "flowing", tight)


@given(words, st.integers(66, 78))
def test_whatever_was_wrapped_flows(found: list[str], width: int) -> None:
    # Long words may leave every line narrower than anything that is taken for wrapped.
    assume(max(map(len, textwrap.wrap(" ".join(found), width))) >= NARROWEST)
    wrapped_prose_flows(flowing, found, width)


def wrapped_prose_flows(flow: Callable[[str], str], found: list[str], width: int) -> None:
    prose = " ".join(found)
    assert flow(textwrap.fill(prose, width)) == prose


def test_a_variant_that_looks_at_no_width_is_caught() -> None:
    def joins_all_long_lines(text: str) -> str:
        lines = text.split("\n")
        return "".join(line + (" " if len(line) > 70 else "\n") for line in lines[:-1]) + lines[-1]

    with pytest.raises(AssertionError):
        wrapped_prose_flows(joins_all_long_lines, PROSE.split(), 68)
