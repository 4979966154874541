"""The sink of the bench: however its octets are cut, it takes the same messages and says the same."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from circular.config.bench.manner import Rule, ScriptError, Shares, rules_of
from circular.config.bench.relay import Manner, SinkProtocol
from variants import assert_catches

TEXT = b"Subject: one\r\n\r\n..stuffed\r\nnot . a dot\r\n.\r\n"
PLAIN = b"Subject: one\r\n\r\n.stuffed\r\nnot . a dot\r\n"
BY_DATA = (
    b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\nDATA\r\n" + TEXT
)
BY_BDAT = (
    b"MAIL FROM:<a@x.example> BODY=8BITMIME\r\nRCPT TO:<b@x.example>\r\n"
    b"BDAT 10\r\n" + PLAIN[:10] + b"BDAT %d LAST\r\n" % len(PLAIN[10:]) + PLAIN[10:]
)
STREAM = b"EHLO me\r\n" + BY_DATA + BY_BDAT + b"NOOP\r\n" + BY_DATA + BY_BDAT + b"QUIT\r\n"


class Line(asyncio.Transport):
    """The far end of a connection to the sink: keeps what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""

    @override
    def write(self, data: Any) -> None:
        self.said += bytes(data)

    @override
    def write_eof(self) -> None:
        self.said += b"<end>"

    @override
    def abort(self) -> None:
        self.said += b"<abort>"


async def told(manner: Manner, stream: bytes, cuts: list[int]) -> bytes:
    """Say a stream to a sink, cut so; give its answers."""
    sink, line = SinkProtocol(manner), Line()
    sink.connection_made(line)
    at = 0
    while at < len(stream):
        size = max(cuts[at % len(cuts)], 1)
        room = sink.get_buffer(-1)
        piece = stream[at : at + min(size, len(room))]
        room[: len(piece)] = piece
        sink.buffer_updated(len(piece))
        at += len(piece)
    await asyncio.sleep(0)
    return line.said


def taken(rules: list[Rule], cuts: list[int], stream: bytes = STREAM) -> tuple[bytes, list[bytes]]:
    with tempfile.TemporaryDirectory() as name:
        manner = Manner(chunking=True, keep=Path(name), rules=rules)
        said = asyncio.run(told(manner, stream, cuts))
        return said, [one.read_bytes() for one in sorted(Path(name).iterdir())]


@given(cuts=st.lists(st.integers(1, 90), min_size=1, max_size=9))
def test_however_the_stream_is_cut_the_same_messages_are_taken(cuts: list[int]) -> None:
    said, messages = taken([], cuts)

    assert messages == [PLAIN] * 4
    assert said == taken([], [10_000])[0]
    assert said.endswith(b"221 2.0.0 bye\r\n<end>")


@given(cuts=st.lists(st.integers(1, 90), min_size=1, max_size=9))
def test_a_sink_with_rules_that_never_fit_says_what_one_without_rules_says(cuts: list[int]) -> None:
    """The quick way over whole envelopes and the way command by command are one."""
    assert taken([Rule(at="rcpt", match="nobody")], cuts) == taken([], cuts)


def test_a_quick_way_that_says_something_else_is_caught() -> None:
    quick = SinkProtocol._take_envelope

    def talkative(self: SinkProtocol) -> bool:
        if took := quick(self):
            self._say("250 2.0.0 once more")
        return took

    holds = test_a_sink_with_rules_that_never_fit_says_what_one_without_rules_says
    assert_catches(holds, SinkProtocol, "_take_envelope", talkative)


def test_the_cut_test_catches_a_sink_that_forgets_where_it_stopped_looking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = SinkProtocol._take_body

    def forgetful(self: SinkProtocol) -> bool:
        self._searched = self._end  # should stay four octets behind
        return whole(self)

    monkeypatch.setattr(SinkProtocol, "_take_body", forgetful)

    assert taken([], [1])[1] != [PLAIN] * 4


def test_octets_of_a_chunk_for_nobody_are_read_and_refused() -> None:
    stream = b"EHLO me\r\nMAIL FROM:<a@x>\r\nRCPT TO:<full@x>\r\nBDAT 6 LAST\r\nQUIT\r\nQUIT\r\n"
    rules = [Rule(at="rcpt", match="full", reply=["452 4.2.2 full"])]

    said, messages = taken(rules, [7], stream)

    assert [line[:3] for line in said.splitlines()[-4:]] == [b"452", b"503", b"221", b"<en"]
    assert messages == []


def test_a_message_that_was_taken_and_not_answered_is_told_from_one_that_was_not_taken() -> None:
    stream = b"EHLO me\r\n" + BY_DATA

    said, messages = taken([Rule(at="dot", hang="before", store=False)], [50], stream)
    said_after, messages_after = taken([Rule(at="dot", hang="before")], [50], stream)

    assert said == said_after
    assert said.endswith(b"354 go ahead\r\n<end>")
    assert (messages, messages_after) == ([], [PLAIN])


def test_a_connection_may_bring_so_many_messages_and_no_more() -> None:
    manner = Manner(messages_per_connection=1)

    said = asyncio.run(told(manner, b"EHLO me\r\n" + BY_DATA + BY_DATA, [1000]))

    assert said.endswith(b"250 2.0.0 taken\r\n421 4.7.0 enough for one connection\r\n<end>")
    assert manner.seen["messages"] == 1


def test_a_throttled_sink_defers_what_is_too_much_and_takes_it_later() -> None:
    manner = Manner(throttle=(1, 3600))

    said = asyncio.run(told(manner, b"EHLO me\r\n" + BY_DATA + b"MAIL FROM:<a@x>\r\n", [1000]))
    manner._recent[0] -= 3601
    later = asyncio.run(told(manner, b"MAIL FROM:<a@x>\r\n", [1000]))

    assert said.endswith(b"450 4.2.1 too fast, slow down\r\n")
    assert later.endswith(b"250 2.1.0 sender ok\r\n")


def test_a_steady_rule_draws_the_same_for_a_name_in_every_run_and_about_its_share() -> None:
    names = [f"p{number}@x.example" for number in range(2000)]
    drawn = [
        {name for name in names if rule.drawn(name, seed=7) < rule.share}
        for rule in Shares(refuse=0.03).rules() * 2
    ]

    assert drawn[0] == drawn[1]
    assert 40 <= len(drawn[0]) <= 80


def test_a_rule_for_each_name_lets_go_of_it_after_so_many() -> None:
    manner = Manner(rules=Shares(defer=1.0).rules())

    fits = [manner.rule_for("rcpt", name) is not None for name in ("a", "b", "a", "b")]

    assert fits == [True, True, False, False]


def test_a_rule_by_the_clock_holds_in_its_time_only() -> None:
    (rule,) = rules_of('[[rule]]\nat = "mail"\nfrom = 10.0\nuntil = 20.0\n')
    dice = Manner().dice

    assert [rule.fits("", dice, age=age) for age in (9.9, 10.0, 19.9, 20.0)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("line", ["hang = 'maybe'", "_played = 1", "begins = 1"])
def test_a_rule_with_a_word_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(ScriptError, match="unknown"):
        rules_of(f"[[rule]]\nat = 'dot'\n{line}\n")
