"""The conversation: everybody is settled exactly once, whatever is said and however it is cut."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from circular.smtp.commands import Credentials
from circular.smtp.events import BodyWanted, Event, Finished, Lost, Phase, Ready, Settled, TlsWanted
from circular.smtp.protocol import CHUNK_OCTETS, Conversation, Encryption, Envelope, Manners
from circular.smtp.verdicts import Verdict

SENDER = "office@example.org"
GREETING = [b"220 relay\r\n", b"250-relay\r\n250-PIPELINING\r\n250 8BITMIME\r\n"]
CHUNKING_GREETING = [b"220 relay\r\n", b"250-relay\r\n250-PIPELINING\r\n250 CHUNKING\r\n"]
PLAIN_GREETING = [b"220 relay\r\n", b"250 relay\r\n"]
ANSWERS = st.sampled_from(
    [
        b"250 ok\r\n",
        b"250-two\r\n250 lines\r\n",
        b"354 go ahead\r\n",
        b"450 4.2.1 later\r\n",
        b"550 5.1.1 unknown\r\n",
        b"503 5.5.1 bad sequence\r\n",
        b"421 4.3.2 closing\r\n",
        b"235 welcome\r\n",
        b"\r\n",
        b"hello\r\n",
        b"250-never\r\n550 of one mind\r\n",
    ]
)
GOOD_ANSWERS = st.sampled_from([b"250 ok\r\n", b"354 go\r\n", b"550 no\r\n", b"450 later\r\n"])
Cut = Callable[[bytes], Iterator[bytes]]


def envelope(key: int, count: int, raw: bytes = b"Subject: hi\r\n\r\nhello\r\n") -> Envelope:
    return Envelope(
        key=key, sender=SENDER, recipients=[f"p{n}@example.org" for n in range(count)], raw=raw
    )


def whole(answer: bytes) -> Iterator[bytes]:
    yield answer


def every_octet(answer: bytes) -> Iterator[bytes]:
    return (answer[n : n + 1] for n in range(len(answer)))


def run(
    conversation: Conversation, answers: list[bytes], counts: list[int], cut: Cut = whole
) -> list[Event]:
    """Play a relay that says these answers, whatever we say, and hangs up at the end."""
    events: list[Event] = []
    for answer in answers:
        conversation.take_outgoing()
        for piece in cut(answer):
            for event in conversation.receive(piece):
                events.append(event)
                if isinstance(event, Ready):
                    for key, count in enumerate(counts):
                        events += conversation.begin(envelope(key, count), cleared=True)
                elif isinstance(event, TlsWanted):
                    conversation.tls_started()
    conversation.take_outgoing()
    return [*events, *conversation.receive(b"")]


def settled_of(events: list[Event]) -> list[Settled]:
    return [event for event in events if isinstance(event, Settled)]


def check_everybody_once(events: list[Event], counts: list[int]) -> None:
    settled = Counter((event.key, event.recipient) for event in settled_of(events))
    everybody = {(key, n) for key, count in enumerate(counts) for n in range(count)}
    assert settled == Counter(everybody)


def check_nobody_accepted_unheard(events: list[Event]) -> None:
    for event in events:
        if isinstance(event, Settled) and event.verdict is Verdict.ACCEPTED:
            assert event.phase is Phase.DOT
            assert event.reply is not None
            assert event.reply.code // 100 == 2


@given(
    greeting=st.sampled_from([GREETING, PLAIN_GREETING, CHUNKING_GREETING]),
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    answers=st.lists(ANSWERS | GOOD_ANSWERS, max_size=16),
    lmtp=st.booleans(),
)
def test_everybody_is_settled_exactly_once_however_the_stream_is_cut(
    greeting: list[bytes], counts: list[int], answers: list[bytes], lmtp: bool
) -> None:
    script = [*greeting, *answers]

    events = run(Conversation(Manners(lmtp=lmtp)), script, counts)

    check_everybody_once(events, counts)
    check_nobody_accepted_unheard(events)
    assert run(Conversation(Manners(lmtp=lmtp)), script, counts, every_octet) == events


class SettlesTwice(Conversation):
    """Deliberately broken: a lost session settles those already settled again."""

    @override
    def _settle(self, offer, who, verdict, phase, reply, events, *, why=""):  # type: ignore[no-untyped-def]
        everybody = [0, 1] if verdict is Verdict.UNTRIED else who
        offer.open.update(everybody)
        super()._settle(offer, everybody, verdict, phase, reply, events, why=why)


class TakesAnyYes(Conversation):
    """Deliberately broken: a 2yz to DATA counts as accepted (the first draft of style.md §7.1)."""

    @override
    def _hear_data(self, offer, reply, verdict, events):  # type: ignore[no-untyped-def]
        if verdict is Verdict.ACCEPTED:
            who = sorted(offer.open)
            self._settle(offer, who, Verdict.ACCEPTED, Phase.DATA, reply, events)
            self._finish(offer, events, is_clean=True)
        else:
            super()._hear_data(offer, reply, verdict, events)


class ForgetsTheDoubt(Conversation):
    """Deliberately broken: a hang-up after the dot counts as never tried."""

    @override
    def _hand_over(self, offer):  # type: ignore[no-untyped-def]
        super()._hand_over(offer)
        offer.handed_over = False


class ReadsReplyByReply(Conversation):
    """Deliberately broken: only the first line of a chunk is read, so the cut matters."""

    @override
    def receive(self, data: bytes) -> list[Event]:
        line, end, _ = data.partition(b"\n")
        return super().receive(line + end)


def test_a_session_that_settles_twice_is_caught() -> None:
    events = run(SettlesTwice(Manners()), [*GREETING, b"250 ok\r\n", b"550 no\r\n"], [2])

    with pytest.raises(AssertionError):
        check_everybody_once(events, [2])


def test_a_session_that_takes_any_yes_is_caught() -> None:
    events = run(TakesAnyYes(Manners()), [*GREETING, *[b"250 ok\r\n"] * 3], [1])

    with pytest.raises(AssertionError):
        check_nobody_accepted_unheard(events)


HUNG_UP_AFTER_DOT = [*GREETING, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]


def test_silence_after_the_final_dot_is_doubt() -> None:
    events = run(Conversation(Manners()), HUNG_UP_AFTER_DOT, [1])

    assert [event.verdict for event in settled_of(events)] == [Verdict.IN_DOUBT]


def test_a_session_that_forgets_the_doubt_is_caught() -> None:
    events = run(ForgetsTheDoubt(Manners()), HUNG_UP_AFTER_DOT, [1])

    assert [event.verdict for event in settled_of(events)] != [Verdict.IN_DOUBT]


def test_a_session_whose_reading_depends_on_the_cut_is_caught() -> None:
    script = [*GREETING, b"250 ok\r\n250 ok\r\n354 go\r\n"]

    one = run(ReadsReplyByReply(Manners()), script, [1])
    other = run(ReadsReplyByReply(Manners()), script, [1], every_octet)

    assert one != other


def ready(manners: Manners | None = None, *, extensions: bytes = b"PIPELINING") -> Conversation:
    conversation = Conversation(manners or Manners())
    conversation.receive(b"220 relay\r\n")
    conversation.take_outgoing()
    conversation.receive(b"250-relay\r\n250 %s\r\n" % extensions)
    return conversation


def test_a_body_that_was_not_cleared_never_leaves() -> None:
    conversation = ready()
    conversation.begin(envelope(7, 1))
    conversation.take_outgoing()

    events = conversation.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")

    assert events == [BodyWanted(7)]
    assert conversation.take_outgoing() == b""
    conversation.clear(7)
    assert conversation.take_outgoing().endswith(b"hello\r\n.\r\n")


def test_a_session_lost_before_the_body_was_cleared_leaves_nobody_in_doubt() -> None:
    conversation = ready()
    conversation.begin(envelope(7, 1))
    conversation.take_outgoing()
    conversation.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")

    events = conversation.receive(b"")

    assert [event.verdict for event in settled_of(events)] == [Verdict.UNTRIED]


def test_a_refusal_during_the_body_is_definite_and_ends_the_session() -> None:
    conversation = ready()
    conversation.begin(envelope(0, 1, b"x" * (3 * CHUNK_OCTETS)), cleared=True)
    conversation.take_outgoing()
    conversation.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    assert len(conversation.take_outgoing()) == CHUNK_OCTETS

    events = conversation.receive(b"552 5.3.4 too big\r\n")

    assert [(e.verdict, e.phase) for e in settled_of(events)] == [(Verdict.REFUSED, Phase.BODY)]
    assert any(isinstance(event, Lost) for event in events)
    assert conversation.take_outgoing() == b""


def test_an_early_yes_during_the_body_is_worth_nothing() -> None:
    conversation = ready()
    conversation.begin(envelope(0, 1, b"x" * (3 * CHUNK_OCTETS)), cleared=True)
    conversation.take_outgoing()
    conversation.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    conversation.take_outgoing()

    events = conversation.receive(b"250 queued\r\n")

    assert [event.verdict for event in settled_of(events)] == [Verdict.UNTRIED]


def test_plaintext_behind_the_answer_to_starttls_ends_the_session() -> None:
    """RFC 3207 §4.2, CVE-2011-0411"""
    conversation = Conversation(Manners(encryption=Encryption.STARTTLS))
    conversation.receive(b"220 relay\r\n")
    conversation.take_outgoing()
    conversation.receive(b"250-relay\r\n250 STARTTLS\r\n")
    conversation.take_outgoing()

    events = conversation.receive(b"220 go\r\n250 forged\r\n")

    assert events == [Lost("plaintext_after_starttls", Phase.TLS)]


def test_what_was_announced_before_tls_is_forgotten() -> None:
    conversation = Conversation(Manners(encryption=Encryption.STARTTLS))
    conversation.receive(b"220 relay\r\n")
    conversation.take_outgoing()
    conversation.receive(b"250-relay\r\n250-PIPELINING\r\n250 STARTTLS\r\n")
    conversation.take_outgoing()
    conversation.receive(b"220 go\r\n")
    conversation.tls_started()
    conversation.take_outgoing()

    conversation.receive(b"250 relay\r\n")

    assert not conversation.capabilities.pipelining
    assert conversation.is_ready


def test_answers_that_come_before_their_question_prove_nothing() -> None:
    conversation = ready(extensions=b"HELP")
    conversation.begin(envelope(0, 1), cleared=True)
    conversation.take_outgoing()

    events = conversation.receive(b"250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n")

    assert [event.verdict for event in settled_of(events)] == [Verdict.UNTRIED]
    assert events[0] == Lost("reply_to_nothing", Phase.IDLE, events[0].reply)  # type: ignore[union-attr]


def test_only_the_unusable_recipients_of_an_envelope_are_refused_unsaid() -> None:
    conversation = ready()

    events = conversation.begin(
        Envelope(
            key=1,
            sender=SENDER,
            recipients=["a@example.org", "b@x>\r\nDATA", "ñ@example.org"],
            raw=b"hi\r\n",
        )
    )

    assert [(e.recipient, e.verdict, e.why) for e in settled_of(events)] == [
        (1, Verdict.REFUSED, "unusable_address"),
        (2, Verdict.REFUSED, "relay_lacks_smtputf8"),
    ]
    assert conversation.take_outgoing().count(b"RCPT") == 1


def test_an_eight_bit_body_is_not_offered_where_it_could_be_spoiled() -> None:
    conversation = ready()

    events = conversation.begin(envelope(1, 1, "ñ".encode()))

    assert [event.why for event in settled_of(events)] == ["relay_lacks_8bitmime"]
    assert Finished(1) in events


def test_an_envelope_for_nobody_is_finished_at_once() -> None:
    assert ready().begin(envelope(1, 0)) == [Finished(1)]


def test_an_envelope_begun_on_a_dead_session_is_untried() -> None:
    conversation = ready()
    conversation.receive(b"")

    assert [e.verdict for e in settled_of(conversation.begin(envelope(1, 2)))] == [
        Verdict.UNTRIED,
        Verdict.UNTRIED,
    ]


def test_a_password_shows_in_no_repr() -> None:
    manners = Manners(credentials=Credentials("desk", "s3cret"))

    assert "s3cret" not in repr(manners)


def test_quit_waits_for_everything_before_it() -> None:
    conversation = ready()
    conversation.begin(envelope(0, 1), cleared=True)
    conversation.quit()

    assert b"QUIT" not in conversation.take_outgoing()
    conversation.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    assert b"QUIT" not in conversation.take_outgoing()
    conversation.receive(b"250 queued\r\n")
    assert conversation.take_outgoing() == b"QUIT\r\n"
