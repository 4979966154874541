"""Commands and bodies: nothing that leaves can be read as something else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.smtp.commands import (
    UnusablePathError,
    hello,
    mail_from,
    path_of,
    rcpt_to,
    wire_body,
)

LINES = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"\r\n.\r\n", b"\n.\n", b"\xc3"]),
    max_size=30,
).map(b"".join)


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
