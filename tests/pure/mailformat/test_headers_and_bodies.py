"""A field holds what was meant and nothing else; a body is lines that every relay can carry."""

import email
import email.policy
import quopri
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.mailformat.headers import (
    UnsafeHeaderError,
    mailbox,
    parameter,
    raw_field,
    text_field,
)
from circular.mailformat.outgoing import Attachment, encode, quoted, quoted_line
from variants import assert_catches

PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200)


def unfolded(field: bytes) -> str:
    text = field.decode("utf-8").replace("\r\n ", " ").removesuffix("\r\n")
    return text.partition(": ")[2]


@given(PRINTABLE)
def test_a_subject_is_read_as_it_was_written(text: str) -> None:
    written = text.strip()

    field = text_field("Subject", written)

    assert field.isascii()
    assert field.endswith(b"\r\n")
    assert max(map(len, field.split(b"\r\n"))) <= 998
    if written.isascii() and "=?" not in written:
        assert unfolded(field).split() == written.split()
    else:
        assert str(make_header(decode_header(unfolded(field)))) == written


def test_a_subject_written_as_it_came_is_caught() -> None:
    def raw(name: str, text: str) -> bytes:
        return f"{name}: {text}\r\n".encode()

    assert_catches(test_a_subject_is_read_as_it_was_written, __name__, "text_field", raw)


@pytest.mark.parametrize("char", ["\r", "\n", "\0", "\x0b", "\x7f", "\x85", "\u2028", "\ud800"])
def test_a_control_character_in_a_value_is_refused(char: str) -> None:
    for build in (
        lambda: text_field("Subject", f"a{char}b"),
        lambda: raw_field("References", f"<a{char}b>"),
        lambda: mailbox(f"a{char}b", "a@x.example"),
        lambda: mailbox("a", f"a{char}b@x.example"),
        lambda: parameter("filename", f"a{char}b"),
    ):
        with pytest.raises(UnsafeHeaderError):
            build()


@pytest.mark.parametrize("name", ["", "Sub ject", "X:\r\nBcc", "Ünicode", "a" * 80])
def test_what_is_no_header_name_is_refused(name: str) -> None:
    with pytest.raises(UnsafeHeaderError):
        text_field(name, "x")


def test_long_text_is_folded_at_words() -> None:
    field = text_field("Subject", "palabra " * 40)

    assert all(len(line) <= 78 for line in field.split(b"\r\n"))


def test_a_long_encoded_subject_never_splits_a_character() -> None:
    field = text_field("Subject", "ñandú 🎓 " * 30)

    assert all(len(line) <= 78 for line in field.split(b"\r\n"))
    for word in field.decode().split()[1:]:
        make_header(decode_header(word))


def test_text_that_looks_encoded_is_encoded_itself() -> None:
    field = text_field("Subject", "=?utf-8?q?Hola?=")

    assert b"=?utf-8?q?Hola?=" not in field


@given(PRINTABLE)
def test_a_display_name_never_becomes_an_address(name: str) -> None:
    field = raw_field("To", *mailbox(name, "ana@x.example"))

    message = email.message_from_bytes(field + b"\r\n", policy=email.policy.default)
    assert [one.addr_spec for one in message["To"].addresses] == ["ana@x.example"]


def test_a_display_name_written_as_it_came_is_caught() -> None:
    def raw(name: str, address: str) -> list[str]:
        return [name or "x", f"<{address}>"]

    assert_catches(
        test_a_display_name_never_becomes_an_address, __name__, "mailbox", raw, Exception
    )


@pytest.mark.parametrize(
    "name", ["informe.pdf", 'in"for\\me.pdf', "año 2026.pdf", "ñ" * 120 + ".pdf"]
)
def test_a_file_name_is_read_as_it_was_written(name: str) -> None:
    part = encode(Attachment(name=name, media_type="application/pdf", content=b"x"))

    message = email.message_from_bytes(part.raw, policy=email.policy.default)
    assert message.get_filename() == name
    assert max(map(len, part.raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("odd", ["message/rfc822", "multipart/mixed", "x", "text/plain; a=b", ""])
def test_a_type_that_would_open_a_part_is_sent_as_octets(odd: str) -> None:
    part = encode(Attachment(name="a", media_type=odd, content=b"x"))

    assert part.raw.startswith(b"Content-Type: application/octet-stream;")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_quoted_printable_gives_the_text_back_in_short_ascii_lines(text: str) -> None:
    """RFC 2045 §6.7"""
    body = quoted(text)

    assert_quoted(body)
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    assert quopri.decodestring(body.replace(b"\r\n", b"\n")).decode() == lines


def assert_quoted(body: bytes) -> None:
    assert body.isascii()
    assert all(len(line) <= 76 for line in body.split(b"\r\n"))
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert b"\r" not in body.replace(b"\r\n", b"")
    assert not any(line.endswith((b" ", b"\t")) for line in body.split(b"\r\n"))
    assert b"=_" not in body  # no body can hold a boundary of ours


@pytest.mark.parametrize("broken", ["á".encode(), b"x" * 77, b"a ", b"a\nb", b"=_alt_"])
def test_the_property_above_catches_an_encoder_that_leaves_things_raw(broken: bytes) -> None:
    with pytest.raises(AssertionError):
        assert_quoted(broken)


def test_a_line_that_begins_with_from_is_not_left_to_be_quoted_by_a_mail_store() -> None:
    assert quoted_line("From here on") == b"=46rom here on"
