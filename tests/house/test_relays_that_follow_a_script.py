"""The scripted servers of the corpora, played on loopback: the outcome is right, nobody hangs.

A script was written for another client's habits (callouts, PRDR, its own order of tries), so a
player ends it where our commands leave it; what must hold is what this client concluded from the
replies that it was given.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from circular.smtp.events import Phase, Settled
from circular.smtp.protocol import Envelope, Manners
from circular.smtp.session import Place, Session, SessionFailedError, Timeouts, open_session
from circular.smtp.verdicts import Verdict

PATIENCE = 2.5  # the scripts' own pauses are of a second or two
RAW = b"Subject: one\r\n\r\nhello\r\n"


class Player:
    """Plays one script's steps against whoever connects, connection after connection."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        self._steps = list(steps)
        self.accepted_after_dot = 0
        self.diverged = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                await self._play(reader, writer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            self.diverged = True
        except asyncio.CancelledError:
            return  # the sample is over; the streams' own callback would complain
        finally:
            writer.close()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        in_answer_to = "connect"
        while self._steps:
            step = self._steps.pop(0)
            match step:
                case {"send": text}:
                    if in_answer_to == "dot" and text[:1] == "2" and text[3:4] != "-":
                        self.accepted_after_dot += 1
                    end = {"CRLF": "\r\n", "LF": "\n", "CR": "\r"}.get(step["eol"], "")
                    writer.write((text + end).encode())
                    await writer.drain()
                case {"expect": text}:
                    line = await reader.readuntil(b"\n")
                    in_answer_to = "command"
                    if not fits(line.decode("utf-8", "replace"), text):
                        self.diverged = True  # our order of tries is not the one of the script
                        return
                case {"read_until_dot": True}:
                    await reader.readuntil(b"\r\n.\r\n")
                    in_answer_to = "dot"
                case {"sleep": seconds}:
                    await asyncio.sleep(min(float(seconds), 2 * PATIENCE))
                case {"expect_client_close": True}:
                    self.diverged = bool(await reader.read(1))
                    return
                case _:
                    return


def fits(line: str, expected: str) -> bool:
    """Whether what we said is the command the script waits for; its addresses are its own."""
    extra = expected.rpartition(">")[2].split() if ">" in expected else []
    return line[:4].upper() == expected[:4].upper() and all(word in line for word in extra)


def envelopes_of(steps: list[dict[str, Any]]) -> list[int]:
    """How many people each transaction of the script has, in order; at least one of one."""
    counts: list[int] = []
    for step in steps:
        command = step.get("expect", "").upper()
        if command.startswith("MAIL"):
            counts.append(0)
        elif command.startswith("RCPT") and counts:
            counts[-1] += 1
    return [count or 1 for count in counts] or [1]


async def offer(port: int, counts: list[int], *, lmtp: bool) -> tuple[str, list[Settled]]:
    """Offer the script's envelopes one after the other; give what became of the last one's people."""
    place = Place(host="127.0.0.1", port=port)
    try:
        session = await open_session(
            place, Manners(name="test.example", lmtp=lmtp), Timeouts.at_most(PATIENCE)
        )
    except SessionFailedError as failed:
        digit = failed.reply.code // 100 if failed.reply else 0
        return f"{digit}_at_{failed.phase}", []
    try:
        settled: list[Settled] = []
        for people in counts:
            settled = await settle_one(session, people)
        return "", settled
    finally:
        session.abort()


async def settle_one(session: Session, people: int) -> list[Settled]:
    names = [f"p{number}@example.org" for number in range(people)]
    session.begin(Envelope(key=1, sender="a@example.org", recipients=names, raw=RAW), cleared=True)
    settled: list[Settled] = []
    over = False
    while len(settled) < people or not over:
        events = await session.events()
        settled += [event for event in events if isinstance(event, Settled)]
        over = not session.is_offering(1)
    return settled


WORDS = {Verdict.ACCEPTED: "ok", Verdict.DEFERRED: "temp", Verdict.REFUSED: "perm"}


def agrees(outcome: str, ended: str, settled: list[Settled]) -> bool:
    """Whether what we concluded is what the corpus says a right client concludes."""
    stage, _, said = outcome.partition("_at_")
    if ended:
        names = {"connect": ("connect", "greeting"), "ehlo": ("ehlo",)}.get(said, ())
        digit = {"temp": "4", "perm": "5", "ok": "0"}.get(stage, "0")
        return any(ended == f"{digit}_at_{name}" for name in names)
    ordered = sorted(settled, key=lambda event: event.recipient)
    verdicts = [event.verdict for event in ordered]
    if outcome.startswith(("accepted", "rcpt:")):
        # The words are the answers to RCPT. Who stands is settled by the dot, one by one in LMTP;
        # where the script ends before DATA nobody was handed over.
        words = outcome.partition("(")[2].rstrip(")") or outcome.removeprefix("rcpt:")
        asked = (Phase.MAIL, Phase.RCPT)
        heard = [
            WORDS.get(event.verdict, "ok") if event.phase in asked else "ok" for event in ordered
        ]
        finished = outcome.startswith("rcpt:") or Verdict.ACCEPTED in verdicts
        # Where MAIL and RCPT were one write, the first word is the answer to MAIL.
        return finished and heard == words.split(",")[-len(heard) :]
    if stage.startswith("no_reply_to"):
        return set(verdicts) == {Verdict.UNTRIED}
    if said == "mail":
        return {event.phase for event in settled} == {
            Phase.MAIL
        } and Verdict.ACCEPTED not in verdicts
    if said == "dot":
        wanted = {"temp": Verdict.DEFERRED, "perm": Verdict.REFUSED}[stage]
        return wanted in verdicts
    if said == "data" and stage == "ok":
        return set(verdicts) == {Verdict.IN_DOUBT}
    return Verdict.ACCEPTED not in verdicts


async def run_sample(sample: dict[str, Any]) -> tuple[str, str]:
    """Give "right", "left early" (nobody concluded anything wrong) or "wrong", and the story."""
    outcome = sample["outcome_per_connection"][0]
    player = Player(sample["input"])
    server = await asyncio.start_server(player.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(10):
            counts = envelopes_of(sample["input"])
            ended, settled = await offer(port, counts, lmtp="lmtp" in sample["features"])
    finally:
        server.close()
    accepted = [event for event in settled if event.verdict is Verdict.ACCEPTED]
    assert not accepted or player.accepted_after_dot, "accepted without a 2xx after the dot"
    story = f"{outcome}: {ended or [f'{e.verdict}/{e.phase}' for e in settled]}"
    if agrees(outcome, ended, settled):
        return "right", story
    untried = {event.verdict for event in settled} <= {Verdict.UNTRIED}
    return "left early" if player.diverged and untried else "wrong", story


@pytest.fixture(scope="module")
def samples(corpora: Callable[[str], Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = corpora("smtp-server-scripts").samples
    return found


def test_scripted_servers_end_in_the_right_outcome_and_none_hangs(
    samples: dict[str, dict[str, Any]],
) -> None:
    async def play_all() -> list[tuple[str, str]]:
        return await asyncio.gather(*(run_sample(sample) for sample in samples.values()))

    verdicts = dict(zip(samples, asyncio.run(play_all()), strict=True))

    counted = Counter(verdict for verdict, _ in verdicts.values())
    wrong = {name: story for name, (verdict, story) in verdicts.items() if verdict == "wrong"}
    assert len(wrong) <= 0.02 * len(samples), wrong
    # The rest are scripts for another client's habits (callouts without DATA, PRDR, a password),
    # which it left early with nobody concluded upon.
    assert counted["right"] >= 0.55 * len(samples), counted


def test_a_client_that_takes_any_answer_for_a_yes_is_caught() -> None:
    settled = [Settled(key=1, recipient=0, verdict=Verdict.ACCEPTED, phase=Phase.DATA, reply=None)]

    assert not agrees("no_reply_to_data", "", settled)
    assert not agrees("perm_at_dot", "", settled)
    assert not agrees("rcpt:perm", "", settled)
