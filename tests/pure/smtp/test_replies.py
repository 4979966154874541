"""The reply parser: any cut of the stream gives the same replies, and nothing grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from circular.smtp.replies import (
    MAX_LINE_OCTETS,
    MAX_LINES,
    Reply,
    ReplyReader,
)

REPLY = st.builds(
    lambda code, texts, end: b"".join(
        b"%d%s%s%s" % (code, b"-" if n < len(texts) - 1 else b" ", text, end)
        for n, text in enumerate(texts)
    ),
    st.integers(200, 559).filter(lambda code: code % 100 < 60),
    st.lists(st.binary(max_size=20).filter(lambda t: b"\n" not in t), min_size=1, max_size=4),
    st.sampled_from([b"\r\n", b"\n"]),
)
STREAM = st.lists(REPLY | st.binary(max_size=12), max_size=6).map(b"".join)


def replies_of(chunks: list[bytes], reader: ReplyReader | None = None) -> list[Reply | str]:
    reader = reader or ReplyReader()
    found: list[Reply | str] = []
    for chunk in chunks:
        found += reader.read(chunk)
        if reader.broken:
            return [*found, reader.broken]
    return found


def cut(stream: bytes, sizes: list[int]) -> list[bytes]:
    chunks = []
    for size in sizes:
        chunks.append(stream[:size])
        stream = stream[size:]
    return [*chunks, stream]


def every_octet(stream: bytes) -> list[bytes]:
    return [stream[n : n + 1] for n in range(len(stream))]


@given(stream=STREAM, sizes=st.lists(st.integers(1, 9), max_size=8))
def test_any_cut_of_the_stream_gives_the_same_replies(stream: bytes, sizes: list[int]) -> None:
    whole = replies_of([stream])

    assert replies_of(cut(stream, sizes)) == whole
    assert replies_of(every_octet(stream)) == whole


def test_a_reader_that_looks_at_single_chunks_is_caught_by_the_two_cuts() -> None:
    class ForgetfulReader(ReplyReader):
        @override
        def read(self, data: bytes) -> list[Reply]:
            self._rest = b""  # deliberately broken: what was left over is lost
            return super().read(data)

    stream = b"250 ok\r\n354 go\r\n"

    assert replies_of([stream], ForgetfulReader()) != replies_of(
        every_octet(stream), ForgetfulReader()
    )


def check_codes(found: list[Reply | str]) -> None:
    for one in found:
        assert isinstance(one, Reply) or one.replace("_", "").isalpha()


@given(stream=st.binary(max_size=200))
def test_noise_gives_replies_or_one_stable_code(stream: bytes) -> None:
    check_codes(replies_of([stream]))


def test_a_reader_that_quotes_the_noise_is_caught() -> None:
    class TalkativeReader(ReplyReader):
        @override
        def read(self, data: bytes) -> list[Reply]:
            self.broken = f"what is {data!r}?"
            return []

    with pytest.raises(AssertionError):
        check_codes(replies_of([b"\x00\n"], TalkativeReader()))


def test_a_reply_of_several_lines_is_one_reply() -> None:
    assert replies_of([b"250-first\r\n250-second\r\n250 last\r\n"]) == [
        Reply(250, (b"first", b"second", b"last"))
    ]


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (b"x" * (MAX_LINE_OCTETS + 1), "reply_line_too_long"),
        (b"250-x\r\n" * (MAX_LINES + 1), "reply_of_too_many_lines"),
        (b"250-yes\r\n550 no\r\n", "reply_of_two_minds"),
        (b"\r\n", "no_smtp_reply"),
        (b"999 what\r\n", "no_smtp_reply"),
        (b"25\r\n", "no_smtp_reply"),
        (b"2500 ok\r\n", "no_smtp_reply"),
    ],
)
def test_what_is_no_reply_is_named(stream: bytes, why: str) -> None:
    assert replies_of([stream]) == [why]


@pytest.mark.parametrize(
    ("code", "line", "enhanced"),
    [
        (550, b"5.1.1 unknown", "5.1.1"),
        (450, b"4.2.1 <a@b>: busy", "4.2.1"),
        (550, b"4.1.1 of another mind", ""),
        (250, b"2.0.0", "2.0.0"),
        (550, b"5.1.1234 long", ""),
        (550, b"no code", ""),
    ],
)
def test_an_enhanced_code_counts_only_when_it_agrees_with_the_digit(
    code: int, line: bytes, enhanced: str
) -> None:
    assert Reply(code, (line,)).enhanced == enhanced


def test_the_text_kept_as_a_fact_is_one_printable_line() -> None:
    text = Reply(550, (b"no\x1b[2J\x00way", b"\xff" + b"x" * 9000)).text

    assert text.startswith("no [2J way x")
    assert text.isprintable()
    assert len(text) == 500
