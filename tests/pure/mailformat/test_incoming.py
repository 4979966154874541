"""Any bytes are read as a message, within bounds, and the traps of the trade are none."""

import email
import re
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.mailformat import dsn
from circular.mailformat.incoming import (
    MOST_DEPTH,
    MOST_PARTS,
    Defect,
    Incoming,
    Sign,
    file_name,
    mailboxes,
    parse,
)
from variants import assert_catches

MAILS = [
    "zbateson-mail-mime-parser",
    "stalwart-mail-parser",
    "mikel-mail",
    "mime4j",
    "mimekit",
    "flanker",
    "cpython-email",
    "redmine-mail-handler",
    "spamscope-mail-parser",
    "discourse-incoming",
    "espoofer",
    "sisimai",
    "flufl-bounce",
    "bounceparser",
]


def one_part(*fields: str, body: str = "Texto.") -> Incoming:
    return parse(("\r\n".join(fields) + "\r\n\r\n" + body).encode())


def sound(incoming: Incoming) -> bool:
    """Tell whether nothing in a message could break a header, a row or a page."""
    lines = [incoming.subject, incoming.message_id, *(file.name for file in incoming.attachments)]
    lines += [box.name for box in incoming.from_] + [box.address or "" for box in incoming.from_]
    return (
        not any(re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", line) for line in lines)
        and "\x00" not in incoming.text + incoming.html
        and incoming.text.encode("utf-8") is not None
        and incoming.parts <= MOST_PARTS + 1
    )


@given(st.binary(max_size=2000))
def test_any_octets_are_read_without_an_exception(raw: bytes) -> None:
    assert sound(parse(raw))


PIECES = st.sampled_from(
    [
        b"From: a@x.co\r\n",
        b"Subject: =?utf-8?q?=0ABcc:_x?=\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b'Content-Type: text/html; charset="unicode_escape"\r\n',
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Disposition: attachment; filename*0*=utf-8''%0A; filename*1=x\r\n",
        b"\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"=?utf-8?b?////?=",
        b"((((",
        b"\x00\xff\xfe",
        b" ",
    ]
)


@given(st.lists(PIECES, max_size=30))
def test_pieces_of_mail_in_any_order_are_read_without_an_exception(pieces: list[bytes]) -> None:
    assert sound(parse(b"".join(pieces)))


def test_a_reader_that_leaves_subjects_to_the_library_is_caught() -> None:
    right = parse

    def trusting(raw: bytes) -> Incoming:
        header = email.message_from_bytes(raw).get("Subject", "")
        return replace(right(raw), subject=str(make_header(decode_header(header))))

    holds = test_pieces_of_mail_in_any_order_are_read_without_an_exception
    assert_catches(holds, __name__, "parse", trusting)


def test_a_reader_that_takes_all_mail_for_utf_8_is_caught() -> None:
    right = parse

    def trusting(raw: bytes) -> Incoming:
        return right(raw.decode().encode())

    holds = test_any_octets_are_read_without_an_exception
    assert_catches(holds, __name__, "parse", trusting, UnicodeDecodeError)


def test_a_reader_that_keeps_a_line_break_of_an_encoded_word_would_be_caught() -> None:
    """The check above, shown to fail on a deliberately broken message."""
    broken = Incoming(
        **{field: getattr(one_part("From: a@x.co"), field) for field in Incoming.__slots__}
        | {"subject": "hi\nBcc: x@y"}
    )

    assert not sound(broken)


@pytest.mark.parametrize("name", MAILS)
def test_every_sample_of_a_corpus_is_read(name: str, corpora: Callable[[str], Any]) -> None:
    corpus = corpora(name)

    for sample in corpus.samples:
        assert sound(parse(corpus.raw(sample))), sample


def test_subjects_senders_and_texts_are_those_that_another_project_expects(
    corpora: Callable[[str], Any],
) -> None:
    corpus = corpora("zbateson-mail-mime-parser")

    for name, expected in corpus.samples.items():
        incoming = parse(corpus.raw(name))
        assert incoming.subject == expected["subject"], name
        assert [box.address for box in incoming.from_] == [expected["from"]["address"]], name
        assert " ".join(expected.get("text_equals", "").split())[:50] in " ".join(
            incoming.text.split()
        )


def test_parts_nested_a_thousand_deep_end_at_a_stated_depth() -> None:
    raw = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(1000)
    )

    incoming = parse(raw + b"\r\nfondo")

    assert Defect.TOO_DEEP in incoming.defects
    assert incoming.parts == MOST_DEPTH + 1


def test_ten_thousand_parts_end_at_a_stated_number() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        + b"--x\r\n\r\nhola\r\n" * 10_000
        + b"--x--"
    )

    incoming = parse(raw)

    assert Defect.TOO_MANY_PARTS in incoming.defects
    assert incoming.text.count("hola") <= MOST_PARTS


def test_five_hundred_nested_comments_in_from_are_one_address() -> None:
    incoming = one_part(f"From: {'(' * 500}x{')' * 500} ana@x.co")

    assert [box.address for box in incoming.from_] == ["ana@x.co"]


def test_a_newline_inside_an_encoded_subject_becomes_a_blank() -> None:
    assert one_part("Subject: =?utf-8?q?hi=0ABcc=3A_x=40y?=").subject == "hi Bcc: x@y"


@pytest.mark.parametrize(
    "written",
    [
        "ana@x.co, eva@y.co",
        "<admin@a.co>\\,<second@b.co>",
        "admin@a.co,<second@b.co>",
        "a@x.co: b@y.co;",
        "Grupo: a@x.co, b@y.co;",
        '"a@x.co" <b@y.co>, c@z.co',
    ],
)
def test_two_addresses_in_from_count_as_two(written: str) -> None:
    assert len(one_part(f"From: {written}").from_) >= 2


def test_two_from_fields_count_as_two_addresses() -> None:
    assert len(one_part("From: a@x.co", "From: a@x.co").from_) == 2


@pytest.mark.parametrize(
    "written",
    ["<a@x.co> <b@y.co>", "a@x.co b@y.co", "<a@x.co", '"a@x.co', "a@x.co (", "a@[1.2.3.4]", "x"],
)
def test_an_address_that_cannot_be_read_is_none(written: str) -> None:
    assert [box.address for box in one_part(f"From: {written}").from_] == [None]


def test_a_name_that_looks_like_an_address_is_only_a_name() -> None:
    (box,) = one_part('From: "rector@unimacizo.example" <evil@y.co>').from_

    assert (box.name, box.address) == ("rector@unimacizo.example", "evil@y.co")


@given(st.text('<>()",:;\\@ab. ', max_size=60))
def test_reading_an_address_list_never_fails_and_hides_no_at_sign_outside_comments(
    written: str,
) -> None:
    found = mailboxes(written, set())

    bare = re.sub(r'["(\\].*', "", written)  # what stands before the first quote or comment
    if "@" in bare:
        assert found


def test_a_list_that_is_nobodys_after_one_mistake_is_caught() -> None:
    def strict(written: str, _defects: set[str]) -> list[str]:
        return [address for _, address in getaddresses([written]) if address]

    holds = test_reading_an_address_list_never_fails_and_hides_no_at_sign_outside_comments
    assert_catches(holds, __name__, "mailboxes", strict)


def test_a_missing_or_unknown_charset_still_gives_the_words() -> None:
    spanish = "Jornada de salud y año".encode("cp1252")

    for charset in (b"", b'; charset="x-klingon"', b"; charset=unicode_escape", b"; charset=utf-8"):
        raw = (
            b"Content-Type: text/plain"
            + charset
            + b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            + spanish
        )
        assert parse(raw).text == "Jornada de salud y año"


def test_pictures_that_the_html_shows_are_inline_and_the_rest_are_files() -> None:
    raw = b"""Content-Type: multipart/related; boundary=b

--b
Content-Type: text/html

<p>Hola <img src="cid:uno"></p>
--b
Content-Type: image/png; name="uno.png"
Content-ID: <uno>
Content-Transfer-Encoding: base64

iVBORw==
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename="=?utf-8?q?A=C3=B1o.pdf?="

%PDF
--b--
"""
    incoming = parse(raw)

    assert [(file.name, file.inline, file.content) for file in incoming.attachments] == [
        ("uno.png", True, b"\x89PNG"),
        ("Año.pdf", False, b"%PDF"),
    ]
    assert incoming.text.strip() == "Hola"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\fotos\\arte.png", "arte.png"),
        ("a\r\nb.txt", "a b.txt"),
        ("", ""),
        (".", ""),
        ("x" * 300 + ".pdf", "x" * 100 + ".pdf"),
    ],
)
def test_a_file_name_has_no_path_and_no_line_end(written: str, name: str) -> None:
    assert file_name(written, set()) == name


@pytest.mark.parametrize(
    ("field", "sign"),
    [
        ("Auto-Submitted: auto-replied (vacation)", Sign.AUTO_SUBMITTED),
        ("Precedence: bulk", Sign.BULK),
        ("List-Id: <l.x.co>", Sign.LIST),
        ("Return-Path: <>", Sign.NULL_RETURN_PATH),
        ("X-Autoreply: yes", Sign.AUTO_REPLY),
        ("Subject: Respuesta =?utf-8?q?autom=C3=A1tica?=: Jornada", Sign.AUTO_REPLY),
    ],
)
def test_programs_that_write_are_known_by_their_signs(field: str, sign: Sign) -> None:
    """RFC 3834 §2"""
    assert one_part("From: a@x.co", field).signs == {sign}


def test_a_person_shows_none_of_the_signs() -> None:
    assert (
        one_part("From: a@x.co", "Auto-Submitted: no", "X-Auto-Response-Suppress: All").signs
        == set()
    )


def test_a_delivery_report_names_the_recipient_and_gives_back_the_message() -> None:
    raw = b"""From: MAILER-DAEMON@x.co
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

Lo sentimos.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; x.co

Final-Recipient: rfc822; Ana@x.co
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no
 existe
--b
Content-Type: text/rfc822-headers

Message-ID: <m@x.co>
--b--
"""
    incoming = parse(raw)

    (report,) = dsn.parse(incoming)
    assert (report.recipient, report.action, report.status) == (
        "ana@x.co",
        dsn.Action.FAILED,
        "5.1.1",
    )
    assert report.diagnostic == "550 5.1.1 no existe"
    assert b"<m@x.co>" in incoming.returned
    assert Sign.REPORT in incoming.signs
    assert incoming.text.strip() == "Lo sentimos."


def test_soft_line_ends_are_joined() -> None:
    """RFC 3676 §4.2"""
    incoming = one_part(
        "Content-Type: text/plain; format=flowed", body="Uno \r\ndos\r\n-- \r\nAna\r\n"
    )

    assert incoming.text == "Uno dos\n-- \nAna\n"


def test_a_header_of_fifty_megabytes_is_cut() -> None:
    assert Defect.HEADER_TOO_LONG in parse(b"X: " + b"a" * 50_000_000 + b"\r\n\r\n").defects


def test_a_body_of_octets_that_are_no_base64_costs_a_few_times_its_length() -> None:
    body = (
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"!" * 1_000_000
    )
    tracemalloc.start()

    parse(body)

    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 * len(body)
