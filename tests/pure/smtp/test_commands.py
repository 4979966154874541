"""Commands and bodies: nothing that leaves can be read as something else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.smtp.bodies import Body, Piece
from circular.smtp.commands import (
    Credentials,
    Dsn,
    Notify,
    UnusablePathError,
    hello,
    mail_from,
    orcpt,
    path_of,
    rcpt_to,
)
from variants import assert_catches

LINES = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"\r\n.\r\n", b"\n.\n", b"\xc3"]),
    max_size=30,
).map(b"".join)


def wire_body(*parts: bytes | Piece) -> bytes:
    return b"".join(Body(*parts).dotted())


def unstuffed(wire: bytes) -> bytes:
    """What a right server stores: everything before the end of data, dots taken off."""
    body, end, rest = (b"\r\n" + wire).partition(b"\r\n.\r\n")
    assert end, "there is an end of data"
    assert not rest, "nothing stands behind the end of data"
    return (body + b"\r\n").replace(b"\r\n.", b"\r\n").removeprefix(b"\r\n")


def is_safe(wire: bytes) -> bool:
    """No bare CR or LF, and one end of data only, at the end."""
    ends = wire.count(b"\r\n")
    one_end = (b"\r\n" + wire).count(b"\r\n.\r\n") == 1 and wire.endswith(b".\r\n")
    return one_end and wire.count(b"\r") == ends and wire.count(b"\n") == ends


@given(raw=LINES | st.binary(max_size=60))
def test_a_body_has_no_bare_line_ends_and_one_end_of_data(raw: bytes) -> None:
    assert is_safe(wire_body(raw))


@given(raw=LINES)
def test_a_body_arrives_as_it_was_with_its_line_ends_made_crlf(raw: bytes) -> None:
    expected = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    if expected and not expected.endswith(b"\r\n"):
        expected += b"\r\n"

    assert unstuffed(wire_body(raw)) == expected


@pytest.mark.parametrize("raw", [b"a\n.\nMAIL FROM:<x@y>", b"a\r.\rx", b"a\r\n.\r\nx"], ids=repr)
def test_stuffing_that_sees_crlf_only_is_caught(raw: bytes) -> None:
    broken = raw.replace(b"\n.", b"\n..") + b"\r\n.\r\n"  # line ends left as they came

    assert not is_safe(broken) or raw == b"a\r\n.\r\nx"
    assert is_safe(wire_body(raw))


def is_one_command(command: bytes) -> bool:
    one_line = command.count(b"\r\n") == 1 and command.endswith(b"\r\n")
    return one_line and not any(octet < 0x20 or octet == 0x7F for octet in command[:-2])


@given(address=st.text(max_size=40) | st.from_regex(r"\A[a-z\"<>\r\n @\\\x00.]{1,20}\Z"))
def test_no_address_brings_a_second_command(address: str) -> None:
    try:
        path = path_of(address)
    except UnusablePathError:
        return
    assert is_one_command(rcpt_to(path))
    assert is_one_command(mail_from(path, size=1, eight_bit=True, utf8=True))


def test_an_address_written_as_it_came_is_caught() -> None:
    assert not is_one_command(rcpt_to(b"a@b>\r\nRCPT TO:<c@d"))


@pytest.mark.parametrize(
    "address",
    [
        "anna@example.org",
        "anna.o'neil+tag@example.org",
        '"anna b"@example.org',
        "anna@[192.0.2.1]",
        "ña@españa.example",
    ],
)
def test_a_usable_address_is_written_as_it_is(address: str) -> None:
    assert path_of(address) == address.encode()


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "unusable_address"),
        ("anna", "unusable_address"),
        ("anna@example.org>\r\nRCPT TO:<x@y.z", "unusable_address"),
        ("anna@example.org\x00", "unusable_address"),
        ("a b@example.org", "unusable_address"),
        ("anna@example.org> SIZE=1", "unusable_address"),
        ("anna@\udc80example.org", "unusable_address"),
        ("a" * 65 + "@example.org", "address_too_long"),
        ("anna@" + "x" * 300, "address_too_long"),
    ],
)
def test_an_unusable_address_is_refused_before_an_octet_leaves(address: str, why: str) -> None:
    with pytest.raises(UnusablePathError, match=why):
        path_of(address)


@pytest.mark.parametrize("name", ["x\r\nMAIL FROM:<>", "", "no such name", "-x"])
def test_a_name_that_cannot_be_said_becomes_an_address_literal(name: str) -> None:
    assert hello(b"EHLO", name) == b"EHLO [127.0.0.1]\r\n"


PARTS = st.lists(LINES | LINES.map(Piece), max_size=5)


@given(parts=PARTS)
def test_a_body_of_parts_is_as_safe_as_one_that_is_whole(parts: list[bytes | Piece]) -> None:
    assert is_safe(wire_body(*parts))


@given(parts=PARTS)
def test_a_body_says_the_same_octets_with_and_without_dots(parts: list[bytes | Piece]) -> None:
    body = Body(*parts)
    plain = b"".join(body.plain())

    assert unstuffed(wire_body(*parts)) == plain
    assert body.octets == len(plain)
    assert body.is_eight_bit is not plain.isascii()


def test_a_body_whose_dots_are_not_doubled_is_caught() -> None:
    def undotted(*parts: bytes | Piece) -> bytes:
        return b"".join(Body(*parts).plain()) + b".\r\n"

    for holds in (
        test_a_body_arrives_as_it_was_with_its_line_ends_made_crlf,
        test_a_body_says_the_same_octets_with_and_without_dots,
    ):
        assert_catches(holds, __name__, "wire_body", undotted)


def test_a_dot_that_begins_a_part_is_doubled_only_where_a_line_begins() -> None:
    assert wire_body(Piece(b"a"), Piece(b".b\r\n"), b"", Piece(b".c")) == b"a.b\r\n..c\r\n.\r\n"


def test_reports_are_asked_for_in_words_that_cannot_end_their_parameter() -> None:
    """RFC 3461 §4, §5; RFC 6533 §3"""
    dsn = Dsn(envid="a b+c", notify=frozenset({Notify.DELAY, Notify.FAILURE}))

    assert dsn.of_mail() == b" RET=HDRS ENVID=a+20b+2Bc"
    assert dsn.of_rcpt() == b" NOTIFY=FAILURE,DELAY"
    assert orcpt("a=b c@example.org") == b" ORCPT=rfc822;a+3Db+20c@example.org"
    assert orcpt("ñ+@example.org") == b" ORCPT=utf-8;\\x{F1}\\x{2B}@example.org"
    assert orcpt("x" * 600) == b""


@given(text=st.text(max_size=30))
def test_no_parameter_brings_a_second_command(text: str) -> None:
    try:
        more = Dsn(envid=text).of_mail()
    except ValueError:
        more = b""

    assert is_one_command(rcpt_to(b"a@b", orcpt(text)))
    assert is_one_command(mail_from(b"a@b", size=None, eight_bit=False, utf8=False, more=more))


def test_reports_that_cannot_be_asked_for_are_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="NEVER"):
        Dsn(notify=frozenset({Notify.NEVER, Notify.DELAY}))
    with pytest.raises(ValueError, match="too long"):
        Dsn(envid="x" * 101)


@pytest.mark.parametrize("password", ["a\0b", "a\1b", "a\r\nb", "x" * 9000, "\udc80"])
def test_a_password_that_would_change_its_own_frame_is_unusable(password: str) -> None:
    assert not Credentials("desk", password).are_usable
    assert Credentials("desk", "ñandú 1").are_usable
