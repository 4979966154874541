"""Many envelopes in flight: what we conclude is what the relay wrote down, person by person."""

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from circular.smtp import protocol
from circular.smtp.events import Event, Finished, Lost, Phase, Ready, Settled
from circular.smtp.protocol import (
    BDAT_OCTETS,
    CHUNK_OCTETS,
    Conversation,
    Envelope,
    Manners,
)
from circular.smtp.verdicts import Verdict
from pure.smtp.model_relay import ModelRelay

SHORT = b"Subject: hi\r\n\r\n.hello\r\n"
LONG = b"Subject: long\r\n\r\n" + b"0123456789abcdef\r\n" * ((BDAT_OCTETS + CHUNK_OCTETS) // 18)
ALL = ("PIPELINING", "CHUNKING", "8BITMIME", "SIZE", "ENHANCEDSTATUSCODES")
WITHOUT = {
    "pipelining and chunking": ALL,
    "pipelining": ("PIPELINING", "8BITMIME"),
    "chunking": ("CHUNKING", "8BITMIME"),
    "nothing": (),
}


def envelope(key: int, people: int, body: bytes = SHORT) -> Envelope:
    return Envelope(
        key=key,
        sender=f"s{key}@example.org",
        recipients=[f"p{key}.{n}@example.org" for n in range(people)],
        raw=body,
    )


class Scene:
    """Both sides, joined by a stream that is cut where the dice say."""

    def __init__(
        self,
        relay: ModelRelay,
        counts: list[int],
        *,
        dice: random.Random | None = None,
        bodies: tuple[bytes, ...] = (SHORT,),
        kind: type[Conversation] = Conversation,
        depth: int = 10,
    ) -> None:
        self.relay, self.counts, self.bodies = relay, counts, bodies
        self.dice = dice or random.Random(1)
        self.us = kind(Manners(depth=depth, lmtp=relay.lmtp))
        self.events: list[Event] = []
        self.begun = 0
        self.handed_over: list[int] = []
        self.most_in_flight = 0

    def play(self) -> "Scene":
        wire = b""
        for _ in range(100_000):
            self._begin()
            octets = self.us.take_outgoing()
            self.handed_over += self.us.take_handed_over()
            self.relay.say(octets)
            wire += self.relay.heard()
            size = self.dice.randint(1, 200)
            piece, wire = wire[:size], wire[size:]
            if piece:
                self.events += self.us.receive(piece)
            elif self.relay.is_closed:
                self.events += self.us.receive(b"")
            elif not octets:
                if self.us.is_over or self.begun == len(self.counts):
                    break
                raise AssertionError("both sides wait for ever")
            if self.us.is_over:
                break
        return self

    def _begin(self) -> None:
        while self.begun < len(self.counts) and self.us.room:
            body = self.bodies[self.begun % len(self.bodies)]
            self.events += self.us.begin(
                envelope(self.begun, self.counts[self.begun], body), cleared=True
            )
            self.begun += 1
            self.most_in_flight = max(self.most_in_flight, self.us.open_offers)

    @property
    def verdicts(self) -> dict[tuple[int, int], Verdict]:
        return {
            (event.key, event.recipient): event.verdict
            for event in self.events
            if isinstance(event, Settled)
        }


def check_books_agree(scene: Scene) -> None:
    """Everybody once, and nobody's verdict against the relay's own book."""
    settled = Counter((e.key, e.recipient) for e in scene.events if isinstance(e, Settled))
    everybody = {(key, n) for key in range(scene.begun) for n in range(scene.counts[key])}
    assert settled == Counter(everybody)
    book = Counter((sender, person) for sender, person, _ in scene.relay.taken)
    bodies = {person: body for _, person, body in scene.relay.taken}
    for (key, person), verdict in scene.verdicts.items():
        name = f"p{key}.{person}@example.org"
        times = book[f"s{key}@example.org", name]
        if verdict is Verdict.ACCEPTED:
            assert times == 1, f"{name} was accepted and stands {times} times in the book"
            assert bodies[name] == scene.bodies[key % len(scene.bodies)]
        elif verdict is Verdict.IN_DOUBT:
            assert times <= 1
            assert key in scene.handed_over
        else:
            assert times == 0, f"{name} is {verdict} and stands in the book"
    assert sum(book.values()) == sum(
        count
        for (sender, person), count in book.items()
        if sender[1:-12] == person[1:].split(".")[0]
    ), "somebody got a message under another sender"


CODES = st.sampled_from(["250"] * 12 + ["450", "550", "552"])
ENDS = st.sampled_from(["250"] * 12 + ["450", "554", "lose", "hang", "421"])
COMMANDS = st.sampled_from(["250"] * 14 + ["421", "hang"])


@given(data=st.data())
def test_what_we_conclude_is_what_the_relay_wrote_down(data: st.DataObject) -> None:
    draw = data.draw
    bad = draw(st.booleans())

    def plan(what: str) -> str:
        word = what.partition(" ")[0]
        if bad and draw(COMMANDS) != "250":
            return draw(st.sampled_from(["421", "hang"]))
        if word == "data":
            return draw(st.sampled_from(["354", "354", "354", "451", "550"]))
        if word == "end":
            return draw(ENDS if bad else CODES)
        return draw(CODES)

    relay = ModelRelay(
        plan,
        extensions=draw(st.sampled_from(list(WITHOUT.values()))),
        keeps_failed=draw(st.booleans()),
        lmtp=draw(st.booleans()),
    )
    counts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=9))
    bodies = draw(st.sampled_from([(SHORT,), (SHORT, b"x" * (CHUNK_OCTETS + 9) + b"\r\n")]))

    dice = random.Random(draw(st.integers(0, 999)))
    scene = Scene(relay, counts, dice=dice, bodies=bodies, depth=draw(st.integers(1, 5))).play()

    check_books_agree(scene)


def refusing(*names: str, code: str = "550", otherwise: str = "250") -> Callable[[str], str]:
    """Plan to refuse what is named, and to take all else."""

    def plan(what: str) -> str:
        if what in names:
            return code
        return "354" if what.startswith("data") else otherwise

    return plan


@pytest.mark.parametrize("extensions", WITHOUT.values(), ids=WITHOUT)
@pytest.mark.parametrize("body", [b"", SHORT, LONG], ids=["empty", "short", "long"])
def test_everybody_is_accepted_by_a_relay_with_and_without(
    extensions: tuple[str, ...], body: bytes
) -> None:
    scene = Scene(ModelRelay(refusing(), extensions=extensions), [1, 3, 2], bodies=(body,)).play()

    check_books_agree(scene)
    assert set(scene.verdicts.values()) == {Verdict.ACCEPTED}
    assert len(scene.verdicts) == 6


def test_as_many_envelopes_are_in_flight_as_the_depth_says() -> None:
    scene = Scene(ModelRelay(refusing()), [1] * 40, depth=7).play()

    assert scene.most_in_flight == 7
    assert scene.us.room == 7


@pytest.mark.parametrize("keeps_failed", [True, False], ids=["like Exim", "like Postfix"])
def test_a_refused_transaction_touches_none_of_those_behind_it(keeps_failed: bool) -> None:
    refused = refusing("rcpt p1.0@example.org", "mail s3@example.org", "end p5.0@example.org")

    scene = Scene(ModelRelay(refused, keeps_failed=keeps_failed), [1] * 8).play()

    check_books_agree(scene)
    assert [key for (key, _), v in scene.verdicts.items() if v is Verdict.REFUSED] == [1, 3, 5]


class NeverResets(Conversation):
    """Deliberately broken: nothing parts an envelope from one that is not answered."""

    @override
    def take_outgoing(self) -> bytes:
        octets = super().take_outgoing()
        self._expected = type(self._expected)(
            one for one in self._expected if one is not protocol._RSET
        )
        return octets.replace(b"RSET\r\n", b"")


def test_a_client_that_never_resets_is_caught() -> None:
    relay = ModelRelay(refusing("rcpt p1.0@example.org"), keeps_failed=True)
    scene = Scene(relay, [1] * 4, kind=NeverResets)

    with pytest.raises(AssertionError, match="under another sender"):
        check_books_agree(scene.play())


class ForgetsDoubts(Conversation):
    """Deliberately broken: what was handed over and not answered counts as untried."""

    @override
    def _hand_over(self, offer):  # type: ignore[no-untyped-def]
        super()._hand_over(offer)
        offer.handed_over = False


class BelievesTooMuch(Conversation):
    """Deliberately broken: an accepted recipient counts as an accepted message."""

    @override
    def receive(self, data: bytes) -> list[Event]:
        events = super().receive(data)
        for offer in self._offers.values():
            who = sorted(offer.standing)
            self._settle(offer, who, Verdict.ACCEPTED, Phase.DOT, None, events)
        return events


@pytest.mark.parametrize(
    ("kind", "code"), [(ForgetsDoubts, "lose"), (BelievesTooMuch, "554")], ids=str
)
def test_a_client_that_mistakes_an_answer_or_its_absence_is_caught(
    kind: type[Conversation], code: str
) -> None:
    relay = ModelRelay(refusing("end p2.0@example.org", code=code))
    scene = Scene(relay, [1] * 4, kind=kind)

    with pytest.raises(AssertionError):
        check_books_agree(scene.play())


def test_a_relay_that_takes_a_message_and_dies_leaves_those_behind_it_in_doubt_and_no_others() -> (
    None
):
    relay = ModelRelay(refusing("end p6.0@example.org", code="lose"))

    scene = Scene(relay, [1] * 30, depth=4).play()

    doubts = [key for (key, _), verdict in scene.verdicts.items() if verdict is Verdict.IN_DOUBT]
    check_books_agree(scene)
    assert doubts[0] == 6
    assert len(doubts) <= 4


@pytest.mark.parametrize("at", ["mail s6@example.org", "rcpt p6.0@example.org"])
def test_nobody_behind_a_421_is_in_doubt_because_the_relay_read_none_of_them(at: str) -> None:
    scene = Scene(ModelRelay(refusing(at, code="421")), [1] * 30, depth=4).play()

    behind = {verdict for (key, _), verdict in scene.verdicts.items() if key >= 6}
    check_books_agree(scene)
    assert behind == {Verdict.UNTRIED}
    assert any(isinstance(event, Lost) and event.why == "relay_said_421" for event in scene.events)


def in_flight(count: int = 2, people: int = 1) -> Conversation:
    """Have envelopes on the way to a relay that takes BDAT, as it has shown."""
    us = Conversation(Manners())
    us.receive(b"220 relay\r\n")
    us.take_outgoing()
    us.receive(b"250-relay\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
    us.begin(envelope(99, 1), cleared=True)
    us.take_outgoing()
    us.receive(b"250 ok\r\n" * 3)
    for key in range(count):
        us.begin(envelope(key, people), cleared=True)
    us.take_outgoing()
    return us


def verdicts_of(events: list[Event]) -> list[tuple[int, Verdict]]:
    return [(e.key, e.verdict) for e in events if isinstance(e, Settled)]


def test_a_relay_that_goes_on_after_its_421_is_believed_only_where_it_answers() -> None:
    """Exim says 421 to MAIL after its limit of messages, and goes on reading."""
    us = in_flight(3)

    events = us.receive(b"421 too many\r\n503 no\r\n503 no\r\n250 reset\r\n250 ok\r\n250 ok\r\n")
    assert verdicts_of(events) == [(0, Verdict.UNTRIED)]
    events = us.receive(b"")

    assert verdicts_of(events) == [(1, Verdict.IN_DOUBT), (2, Verdict.IN_DOUBT)]
    assert us.take_outgoing() == b""


def test_a_relay_that_refuses_the_sender_and_takes_the_message_leaves_doubt() -> None:
    events = in_flight(1).receive(b"550 no\r\n250 ok\r\n250 queued\r\n")

    assert verdicts_of(events) == [(0, Verdict.IN_DOUBT)]


def test_the_first_bdat_of_a_session_goes_alone() -> None:
    us = Conversation(Manners())
    us.receive(b"220 relay\r\n")
    us.take_outgoing()
    us.receive(b"250-relay\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
    for key in range(3):
        us.begin(envelope(key, 1), cleared=True)

    assert us.take_outgoing().count(b"MAIL") == 1
    assert us.take_handed_over() == [0]
    us.receive(b"250 ok\r\n250 ok\r\n250 queued\r\n")
    assert us.take_outgoing().count(b"MAIL") == 2
    assert us.take_handed_over() == [1, 2]


@pytest.mark.parametrize("code", [b"500", b"502"])
def test_a_relay_that_announces_chunking_and_cannot_leaves_nobody_in_doubt(code: bytes) -> None:
    us = Conversation(Manners())
    us.receive(b"220 relay\r\n")
    us.take_outgoing()
    us.receive(b"250-relay\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
    for key in range(3):
        us.begin(envelope(key, 1), cleared=True)
    us.take_outgoing()

    events = us.receive(b"250 ok\r\n250 ok\r\n%b what?\r\n%b what?\r\n" % (code, code))

    assert isinstance(events[0], Lost)
    assert events[0].why == "chunking_refused"
    assert {verdict for _, verdict in verdicts_of(events)} == {Verdict.UNTRIED}


def test_chunking_that_is_announced_may_be_left_alone() -> None:
    us = Conversation(Manners(chunking=False))
    us.receive(b"220 relay\r\n")
    us.take_outgoing()
    us.receive(b"250-relay\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
    us.begin(envelope(0, 1), cleared=True)

    assert us.take_outgoing().endswith(b"DATA\r\n")


def test_a_long_body_waits_for_its_recipients_and_goes_in_chunks() -> None:
    us = in_flight(0)
    us.begin(envelope(5, 2, LONG), cleared=True)

    assert b"BDAT" not in us.take_outgoing()
    us.receive(b"250 ok\r\n550 no\r\n250 ok\r\n")
    first = us.take_outgoing()

    assert first.startswith(b"BDAT %d\r\n" % BDAT_OCTETS)
    assert len(first) < CHUNK_OCTETS + 20


def test_nothing_of_a_long_body_leaves_when_nobody_stands() -> None:
    us = in_flight(0)
    us.begin(envelope(5, 2, LONG), cleared=True)
    us.take_outgoing()

    events = us.receive(b"250 ok\r\n550 no\r\n450 no\r\n")

    assert verdicts_of(events) == [(5, Verdict.REFUSED), (5, Verdict.DEFERRED)]
    assert Finished(5) in events
    assert us.take_outgoing() == b"RSET\r\n"


def test_a_refused_chunk_stops_the_body_and_not_the_session() -> None:
    scene = Scene(
        ModelRelay(refusing("chunk s1@example.org", code="452")), [1, 1, 1], bodies=(SHORT, LONG)
    ).play()

    check_books_agree(scene)
    assert scene.verdicts[1, 0] is Verdict.DEFERRED
    assert scene.verdicts[2, 0] is Verdict.ACCEPTED
    assert not any(isinstance(event, Lost) for event in scene.events)


def test_a_refusal_while_a_chunk_is_written_is_definite_and_ends_the_session() -> None:
    us = in_flight(0)
    us.begin(envelope(5, 1, LONG), cleared=True)
    us.take_outgoing()
    us.receive(b"250 ok\r\n250 ok\r\n")
    us.take_outgoing()

    events = us.receive(b"552 5.3.4 too big\r\n")

    assert verdicts_of(events) == [(5, Verdict.REFUSED)]
    assert isinstance(events[-1], Lost)


def test_those_whose_end_was_taken_and_never_written_are_untried() -> None:
    us = in_flight(2)

    events = us.abandon("not_recorded", unwritten=[1])

    assert verdicts_of(events) == [(0, Verdict.IN_DOUBT), (1, Verdict.UNTRIED)]


def test_more_recipients_than_the_relay_announced_are_known_before_a_word_is_said() -> None:
    """RFC 9422 §4"""
    us = Conversation(Manners())
    us.receive(b"220 relay\r\n")
    us.take_outgoing()
    us.receive(b"250-relay\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=2\r\n")

    events = us.begin(envelope(0, 5), cleared=True)

    assert [(e.recipient, e.verdict) for e in events if isinstance(e, Settled)] == [
        (2, Verdict.UNTRIED),
        (3, Verdict.UNTRIED),
        (4, Verdict.UNTRIED),
    ]
    assert us.take_outgoing().count(b"RCPT") == 2


def test_there_is_no_room_for_more_bodies_than_memory_should_hold() -> None:
    us = in_flight(0)
    us.begin(envelope(1, 1, b"x" * 3_000_000), cleared=True)

    assert us.room == 0


def test_ready_comes_once() -> None:
    scene = Scene(ModelRelay(refusing()), [1, 1]).play()

    assert sum(isinstance(event, Ready) for event in scene.events) == 1
