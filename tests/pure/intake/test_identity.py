"""The same message twice is one, and two messages are two."""

from collections.abc import Callable

from hypothesis import find, given
from hypothesis import strategies as st

from circular.intake.identity import content_key_of, identity_of

MAIL = b"From: ana@x.example\r\nSubject: Jornada\r\nMessage-ID: <1@x>\r\n\r\nTexto.\r\n"
HERE = ["solicitudes@x.example"]


def test_what_servers_write_on_top_does_not_make_it_another_message() -> None:
    again = b"Received: from a by b\r\n\twith LMTP\r\nAuthentication-Results: x\r\n" + MAIL

    assert identity_of(again, HERE) == identity_of(MAIL, HERE)


def test_line_ends_do_not_make_it_another_message() -> None:
    assert identity_of(MAIL.replace(b"\r\n", b"\n"), HERE) == identity_of(MAIL, HERE)


def test_other_recipients_make_it_another_message_of_the_same_content() -> None:
    assert identity_of(MAIL, ["otro@x.example"]) != identity_of(MAIL, HERE)


def test_a_new_message_id_on_the_same_words_is_the_same_content() -> None:
    resent = MAIL.replace(b"<1@x>", b"<2@x>")

    assert identity_of(resent, HERE) != identity_of(MAIL, HERE)
    assert content_key_of(resent) == content_key_of(MAIL)


def test_a_changed_word_is_another_content() -> None:
    assert content_key_of(MAIL.replace(b"Texto", b"Textos")) != content_key_of(MAIL)


def test_an_mbox_files_first_line_does_not_make_it_another_message() -> None:
    assert identity_of(b"From ana Mon Nov 23 10:00\n" + MAIL, HERE) == identity_of(MAIL, HERE)


def test_what_is_no_mail_at_all_is_not_taken_for_another_one() -> None:
    odd = [
        b"",
        b"garbage",
        b"other garbage",
        b"\0\1\2",
        b"From hell",
        b"From: a\ngarbage",
        b"From: a",
    ]

    assert len({identity_of(raw, HERE) for raw in odd}) == len(odd)
    assert len({content_key_of(raw) for raw in odd}) == len(odd)


def tells_bodies_apart(key_of: Callable[[bytes], str], first: bytes, second: bytes) -> bool:
    """Say whether two bodies under one header have one key exactly when they are one body."""
    one, other = (body.replace(b"\r\n", b"\n").rstrip(b"\n") for body in (first, second))
    keys = {key_of(b"From: a\n\n" + body) for body in (first, second)}
    return (len(keys) == 1) == (one == other)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_have_an_identity_and_different_bodies_differ(
    first: bytes, second: bytes
) -> None:
    assert tells_bodies_apart(content_key_of, first, second)
    assert len(identity_of(first, [])) == 64


def test_a_key_that_forgets_where_lines_end_is_caught() -> None:
    def forgetful(raw: bytes) -> str:
        return content_key_of(b"From: a\n\n" + b"".join(raw.split()))

    words = st.lists(st.sampled_from([b"a", b" ", b"\n"]), max_size=6).map(b"".join)
    find(st.tuples(words, words), lambda pair: not tells_bodies_apart(forgetful, *pair))
