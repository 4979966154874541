"""Any string is HTML of some kind, and its words come out in the order in which they are read."""

import time
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.mailformat.html import text_of
from variants import assert_catches


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Uno</p><p>Dos</p>", "Uno\n\nDos"),
        ("Uno<br>Dos", "Uno\nDos"),
        ("<ul><li>Uno</li><li>Dos</li></ul>Tres", "- Uno\n- Dos\n\nTres"),
        ("<ol><li>Uno<li>Dos</ol>", "1. Uno\n2. Dos"),
        ('<a href="https://x.example/a">Horarios</a>', "Horarios (https://x.example/a)"),
        ('<a href="https://x.example">https://x.example</a>', "https://x.example"),
        ('<a href="mailto:a@x.example?subject=b">Escriba</a>', "Escriba (a@x.example)"),
        ('<img src="cid:x" alt="Afiche">', "[Afiche]"),
        ("<style>p{}</style><script>x</script><title>t</title>a &amp; b&nbsp;c", "a & b c"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("", ""),
        ("<", "<"),
        ("<![", ""),
        ("a < b y b > a", "a < b y b > a"),
        ('<p title="a > b">Uno</p>', "Uno"),
        ("Uno<!-- dos -->tres", "Unotres"),
        ("Uno<svg><text>x</text></svg>dos", "Unodos"),
    ],
)
def test_what_a_reader_reads(html: str, text: str) -> None:
    assert text_of(html) == text


@given(
    st.text()
    | st.lists(st.sampled_from(["<p>", "</p", "<![", "<!--", "<a ", "href=", '"', "&#x", ">"])).map(
        "".join
    )
)
def test_it_never_raises(html: str) -> None:
    assert isinstance(text_of(html), str)


def test_a_reader_that_wants_it_well_formed_is_caught() -> None:
    def strict(html: str) -> str:
        return "".join(ET.fromstring(f"<x>{html}</x>").itertext())

    assert_catches(test_it_never_raises, __name__, "text_of", strict, ET.ParseError)


@pytest.mark.parametrize(
    "bomb",
    ["<a href='https://x.example'>" * 20_000 + "</a>" * 20_000, "<!--" * 50_000, "<ul>" * 50_000,
     "<a" * 50_000, "<" * 100_000, "</" * 50_000, "<![CDATA[" * 20_000, "&" * 100_000,
     "<a" * 50_000 + '"', "<a href=" * 50_000 + ">", "<p " + "x " * 100_000, "<title>" * 50_000],
    ids=["links", "comments", "lists", "open", "brackets", "ends", "cdata", "references",
         "quotation", "attributes", "unended", "titles"],
)  # fmt: skip
def test_a_bomb_is_read_in_reasonable_time(bomb: str) -> None:
    started = time.process_time()  # whatever else the machine does

    text_of(bomb)

    assert time.process_time() - started < 1
