"""The fuzzer's corpus holds, a short search finds nothing, and broken clients do not survive it."""

import random

import pytest
from typing_extensions import override

from circular.smtp.events import Event, Lost, Settled
from circular.smtp.protocol import Conversation
from circular.smtp.replies import ReplyReader
from circular.smtp.verdicts import Verdict
from pure.smtp import fuzzing


def test_every_program_of_the_corpus_holds() -> None:
    failures = {program: fuzzing.failure_of(program) for program in fuzzing.seeds()}

    assert {failure for failure in failures.values() if failure} == set()
    assert len(fuzzing.stored()) > 30


def test_a_short_search_finds_nothing() -> None:
    runs, corpus, failing = fuzzing.search(
        seconds=1.0, dice=random.Random(3), programs=fuzzing.seeds()
    )

    assert failing is None, "\n".join(failing)
    assert runs
    assert corpus


class ForgetsSomebody(Conversation):
    """Deliberately broken: an end settles the first who stands and nobody else."""

    @override
    def _settle(self, offer, who, verdict, phase, reply, events, *, why=""):  # type: ignore[no-untyped-def]
        super()._settle(offer, who[:1], verdict, phase, reply, events, why=why)


class SettlesEarly(Conversation):
    """Deliberately broken: doubt begins before the end was handed over."""

    @override
    def begin(self, envelope, *, cleared=False):  # type: ignore[no-untyped-def]
        events = super().begin(envelope, cleared=cleared)
        for offer in self._offers.values():
            offer.handed_over = True
        return events


class RaisesOnNoise(Conversation):
    """Deliberately broken: what is no reply is an exception."""

    @override
    def receive(self, data: bytes) -> list[Event]:
        events = super().receive(data)
        if any(isinstance(event, Lost) and event.why == "no_smtp_reply" for event in events):
            raise ValueError("what is this?")
        return events


class ReadsLineByLine(Conversation):
    """Deliberately broken: what follows the first line of a read is lost."""

    @override
    def receive(self, data: bytes) -> list[Event]:
        line, end, _ = data.partition(b"\n")
        return super().receive(line + end)


class Generous(Conversation):
    """Deliberately broken: a 4yz to the end is as good as a yes."""

    @override
    def _hear_end(self, offer, reply, verdict, events):  # type: ignore[no-untyped-def]
        better = Verdict.ACCEPTED if verdict is Verdict.DEFERRED else verdict
        super()._hear_end(offer, reply, better, events)


class Talkative(Conversation):
    """Deliberately broken: it says goodbye to a relay that is gone."""

    @override
    def take_outgoing(self) -> bytes:
        return super().take_outgoing() or (b"QUIT\r\n" if self.is_over else b"")


class LosesItsPlace(Conversation):
    """Deliberately broken: the reader forgets the beginning of a line that was cut."""

    @override
    def receive(self, data: bytes) -> list[Event]:
        events = super().receive(data)
        if len(data) == 1 and data != b"\n" and not self._reader.is_empty:
            self._reader = ReplyReader()
        return events


@pytest.mark.parametrize(
    "kind",
    [
        ForgetsSomebody, SettlesEarly, RaisesOnNoise, ReadsLineByLine, Generous, Talkative,
        LosesItsPlace,
    ],
)  # fmt: skip
def test_a_broken_client_is_caught_by_the_corpus(kind: type[Conversation]) -> None:
    assert any(fuzzing.failure_of(program, kind) for program in fuzzing.seeds())


def test_a_failing_program_is_shrunk_to_what_makes_it_fail() -> None:
    program = (*fuzzing.OPENING, "say 250 ok", "begin 2 short", "take", "say 550 no", "quit")

    shrunk = fuzzing.shrunk(program, ForgetsSomebody)

    assert fuzzing.failure_of(shrunk, ForgetsSomebody)
    assert len(shrunk) < len(program)
    assert not any(
        fuzzing.failure_of((*shrunk[:n], *shrunk[n + 1 :]), ForgetsSomebody)
        for n in range(len(shrunk))
    )


def test_the_events_a_check_looks_at_are_there() -> None:
    played = fuzzing.play(("begin 2 short",), octet_by_octet=False)

    assert [event.verdict for event in played.events if isinstance(event, Settled)] == [
        Verdict.UNTRIED,
        Verdict.UNTRIED,
    ]
