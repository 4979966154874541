"""Fuzzes the reply parser and the transactions: programs of what both sides do, changed at random.

A program is a text, one act a line, so that a finding can be read and kept as a test:

    manners lmtp depth=3 chunking=no starttls login bearer
    begin 2 short     an envelope for two people (short, long, empty, eight, huge, dots; `late`: not cleared)
    clear 0           allow the body of envelope 0 to leave
    take              take what there is to say
    say 250 ok        the relay says a line
    raw 32353020      the relay says these octets (hexadecimal)
    quit, tls, abandon, hang

What must hold, whatever the program: nothing raises; everybody is settled exactly once; nobody is
accepted without a 2yz to an end that was handed over, and nobody is in doubt who was not; the stream
cut at every octet gives the same events and the same octets back; nothing is said after the end.

    python tools/fuzz_smtp.py --seconds 600 [--keep] [--seed N]

Programs that reach a new pair of lines in `circular.smtp` join the corpus of the run, and with --keep
the folder tests/pure/smtp/corpus. A failure is printed, shrunk line by line, and ends the run with 1.
"""

import argparse
import hashlib
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from circular.smtp import protocol, replies
from circular.smtp.commands import Credentials
from circular.smtp.events import Event, Settled, TlsWanted
from circular.smtp.protocol import Conversation, Encryption, Envelope, Manners
from circular.smtp.verdicts import Verdict

CORPUS = Path(__file__).parent / "corpus"
TRANSCRIPTS = Path(__file__).parents[2] / "conformance" / "smtp"
TRACED = {protocol.__file__, replies.__file__}
MOST_LINES = 120
BODIES = {
    "short": b"Subject: hi\r\n\r\nhello\r\n",
    "dots": b".\r\n..\n.x\r.\n",
    "empty": b"",
    "eight": "ñ\r\n".encode(),
    "long": b"0123456789abcde\r\n" * 5_000,
    "huge": b"0123456789abcde\r\n" * 20_000,
}
SAYINGS = [
    "say 220 relay", "say 250 ok", "say 250-PIPELINING", "say 250-CHUNKING", "say 250-relay",
    "say 250 SIZE 100", "say 250-DSN", "say 250-8BITMIME", "say 250-AUTH LOGIN PLAIN XOAUTH2",
    "say 250-STARTTLS", "say 250-LIMITS RCPTMAX=1 MAILMAX=2", "say 354 go", "say 450 4.2.1 later",
    "say 550 5.1.1 no", "say 452 4.5.3 too many", "say 421 4.3.2 closing", "say 503 5.5.1 bad",
    "say 500 what", "say 502 what", "say 235 in", "say 334 VXNlcm5hbWU6", "say 221 bye",
    "say 250", "say 2", "say ", "raw 0a", "raw 0d", "raw 00ff", "raw 3235302d780d0a",
]  # fmt: skip
ACTS = [
    "take", "take", "take", "hang", "quit", "abandon", "tls", "clear 0", "clear 1", "begin 1 short",
    "begin 1 short", "begin 2 short", "begin 3 dots late", "begin 1 long", "begin 2 huge late",
    "begin 0 short", "begin 1 eight", "begin 1 empty", "manners lmtp", "manners depth=3",
    "manners starttls", "manners login", "manners bearer", "manners chunking=no",
]  # fmt: skip
OPENING = ["take", "say 220 relay", "take", "say 250-relay"]

Program = tuple[str, ...]


class Played:
    """What a program led to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.said: list[bytes] = []
        self.handed_over: set[int] = set()
        self.people: dict[int, int] = {}  # envelope → how many


def manners_of(program: Program) -> Manners:
    """Read the manners that a program asks for."""
    words = {word for line in program if line.startswith("manners ") for word in line.split()[1:]}
    depths = [int(word[6:]) for word in words if word[:6] == "depth=" and word[6:].isdigit()]
    signs_in = words & {"login", "bearer"}
    return Manners(
        lmtp="lmtp" in words,
        depth=min([*depths, 10]),
        chunking="chunking=no" not in words,
        encryption=Encryption.STARTTLS if "starttls" in words else Encryption.NONE,
        credentials=Credentials("me", "secret", bearer="bearer" in words) if signs_in else None,
        plain_credentials=True,
    )


def play(
    program: Program, *, octet_by_octet: bool, kind: type[Conversation] = Conversation
) -> Played:
    """Run a program to its end, which is always a hang-up."""
    us = kind(manners_of(program))
    played = Played()

    def take() -> None:
        played.said.append(us.take_outgoing())
        played.handed_over.update(us.take_handed_over())

    def hear(data: bytes) -> None:
        whole = [data] if data else []  # no octets are a hang-up, which is an act of its own
        pieces = [data[n : n + 1] for n in range(len(data))] if octet_by_octet else whole
        for piece in pieces:
            played.events += us.receive(piece)

    for line in program:
        word, _, rest = line.partition(" ")
        match word:
            case "take":
                take()
            case "say":
                hear(rest.encode("utf-8", "replace") + b"\r\n")
            case "raw":
                hear(_octets(rest))
            case "hang":
                played.events += us.receive(b"")
            case "begin":
                played.events += _begin(us, played, rest.split())
            case "clear":
                us.clear(int(rest) if rest.isdigit() else 0)
            case "quit":
                us.quit()
            case "abandon":
                played.events += us.abandon("fuzzed")
            case "tls":
                if played.events and isinstance(played.events[-1], TlsWanted):
                    us.tls_started()
            case _:
                pass
    take()
    played.events += us.receive(b"")
    assert us.is_over, "a hang-up ends it"
    assert us.take_outgoing() == b"", "it speaks after its end"
    return played


def _octets(hexadecimal: str) -> bytes:
    try:
        return bytes.fromhex(hexadecimal)
    except ValueError:
        return hexadecimal.encode("utf-8", "replace")


def _begin(us: Conversation, played: Played, words: list[str]) -> list[Event]:
    people = int(words[0]) % 6 if words and words[0].isdigit() else 1
    body = BODIES[words[1]] if len(words) > 1 and words[1] in BODIES else BODIES["short"]
    key = len(played.people)
    played.people[key] = people
    envelope = Envelope(
        key=key,
        sender=f"s{key}@example.org",
        recipients=[f"p{n}@example.org" for n in range(people)],
        raw=body,
    )
    return us.begin(envelope, cleared="late" not in words)


def check(program: Program, kind: type[Conversation] = Conversation) -> None:
    """Play a program both ways and say what does not hold."""
    played = play(program, octet_by_octet=False, kind=kind)
    settled = Counter((e.key, e.recipient) for e in played.events if isinstance(e, Settled))
    everybody = {(key, n) for key, people in played.people.items() for n in range(people)}
    assert settled == Counter(everybody), "everybody is settled exactly once"
    for event in played.events:
        if isinstance(event, Settled):
            _check_settled(event, played)
    again = play(program, octet_by_octet=True, kind=kind)
    if "plaintext_after_starttls" not in repr(played.events):  # there the cut is what matters
        assert again.events == played.events, "the cut of the stream matters"
        assert again.said == played.said


def _check_settled(event: Settled, played: Played) -> None:
    digit = event.reply.code // 100 if event.reply is not None else 0
    handed_over = event.key in played.handed_over
    match event.verdict:
        case Verdict.ACCEPTED:
            assert digit == 2, "accepted without a 2yz"
            assert handed_over, "accepted before the end"
        case Verdict.IN_DOUBT:
            assert handed_over, "in doubt before the end"
        case Verdict.REFUSED:
            assert digit in (0, 5), "refused without a 5yz"
            assert digit or event.why, "refused without a reason"
        case Verdict.DEFERRED:
            assert digit == 4, "deferred without a 4yz"
        case Verdict.UNTRIED:
            assert event.why, "untried without a reason"


# -- the search -------------------------------------------------------------------------------


def changed(program: Program, others: list[Program], dice: random.Random) -> Program:
    """Change a program at a few places."""
    lines = list(program)
    for _ in range(dice.choice((1, 1, 2, 3, 6))):
        where = dice.randrange(len(lines) + 1)
        match dice.randrange(8):
            case 0 | 1:
                lines.insert(where, dice.choice(SAYINGS))
            case 2:
                lines.insert(where, dice.choice(ACTS))
            case 3:
                del lines[where : where + dice.randrange(1, 4)]
            case 4:
                lines[where:where] = lines[where : where + dice.randrange(1, 9)]
            case 5:
                other = dice.choice(others)
                cut = dice.randrange(len(other) + 1)
                lines[where:] = other[cut:]
            case 6 if where < len(lines):
                lines[where] = dice.choice(SAYINGS if lines[where][:3] == "say" else ACTS)
            case _:
                lines[where : where + 1] = [_spoilt(one, dice) for one in lines[where : where + 1]]
    return tuple(lines[:MOST_LINES])


def _spoilt(line: str, dice: random.Random) -> str:
    """Change octets of what the relay says."""
    word, _, rest = line.partition(" ")
    if word not in ("say", "raw"):
        return line
    octets = bytearray(_octets(rest) if word == "raw" else rest.encode() + b"\r\n")
    for _ in range(dice.randrange(1, 4)):
        where = dice.randrange(len(octets) + 1)
        match dice.randrange(4):
            case 0:
                octets.insert(where, dice.randrange(256))
            case 1:
                octets[where : where + 1] = bytes([dice.choice(b"0123456789 -\r\n.")])
            case 2:
                del octets[where : where + 2]
            case _:
                octets[where:where] = octets[where:] * dice.choice((1, 2, 50))
    return f"raw {octets[:9000].hex()}"


def pairs_reached(program: Program) -> set[tuple[str, int, int]]:
    """Give the pairs of lines of the code under test that follow each other in this program."""
    found: set[tuple[str, int, int]] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        name = frame.f_code.co_filename
        if name not in TRACED:
            return None
        last = 0

        def line(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
            nonlocal last
            if event == "line":
                found.add((name[-9:], last, frame.f_lineno))
                last = frame.f_lineno
            return line

        return line

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        play(program, octet_by_octet=False)
    finally:
        sys.settrace(before)
    return found


def shrunk(program: Program, kind: type[Conversation] = Conversation) -> Program:
    """Leave out every line without which the program still fails."""
    before: Program = ()
    while program != before:
        before = program
        for where in reversed(range(len(before))):
            shorter = (*program[:where], *program[where + 1 :])
            if failure_of(shorter, kind):
                program = shorter
    return program


def failure_of(program: Program, kind: type[Conversation] = Conversation) -> str:
    """Say how a program fails, or nothing when all holds."""
    try:
        check(program, kind)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
        return f"{type(error).__name__}: {error}"
    return ""


def from_transcripts() -> list[Program]:
    """Make programs of the conformance transcripts."""
    programs: list[Program] = []
    for path in sorted(TRANSCRIPTS.glob("*.smtp")):
        lines = ["begin 1 short"] if "S: 220" not in path.read_text("utf-8") else []
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("# lmtp"):
                lines.append("manners lmtp")
            elif line.startswith("S: "):
                lines += ["take", f"say {line[3:]}"]
                if "220 " not in line and line[6:7] == " " and "begin 2 short" not in lines:
                    lines += ["begin 2 short", "begin 1 dots"]
            elif line == "X":
                lines += ["take", "hang"]
        programs.append(tuple(lines))
    return programs


def stored() -> list[Program]:
    """Read the corpus of the repository."""
    return [tuple(path.read_text("utf-8").splitlines()) for path in sorted(CORPUS.glob("*.txt"))]


def seeds() -> list[Program]:
    """Give what a search begins with."""
    chunking = ("say 250-CHUNKING", "say 250-PIPELINING", "say 250 ok")
    several = ("begin 2 short", "begin 1 short", "take", "say 250 ok", "say 250 ok", "say 250 ok")
    return [
        *stored(),
        *from_transcripts(),
        (*OPENING, *chunking, *several, "say 250 ok", "take", "say 550 no", "hang"),
        (*OPENING, *chunking, "begin 1 huge", *("take", "say 250 ok") * 6, "take", "hang"),
        ("manners lmtp", *OPENING, *chunking, *several, *("say 250 ok",) * 3, "hang"),
        (*OPENING, "say 250 PIPELINING", *several, "say 354 go", "take", "say 250 ok", "hang"),
    ]


def search(
    *, seconds: float, dice: random.Random, programs: Iterable[Program], keep: bool = False
) -> tuple[int, list[Program], Program | None]:
    """Change programs until the time is over; give how many ran, the corpus and a failing one."""
    corpus: list[Program] = []
    reached: set[tuple[str, int, int]] = set()
    runs, ends = 0, time.monotonic() + seconds
    for program in programs:
        if failure_of(program):
            return runs, corpus, program
        new = pairs_reached(program) - reached
        if new:
            reached |= new
            corpus.append(program)
    while time.monotonic() < ends:
        program = changed(dice.choice(corpus), corpus, dice)
        runs += 1
        if failure_of(program):
            return runs, corpus, program
        if new := pairs_reached(program) - reached:
            reached |= new
            corpus.append(program)
            if keep:
                text = "\n".join(program) + "\n"
                name = hashlib.sha256(text.encode()).hexdigest()[:12]
                (CORPUS / f"{name}.txt").write_text(text, "utf-8")
    return runs, corpus, None


def main() -> int:
    """Search for as long as asked; 1 when something was found."""
    parser = argparse.ArgumentParser(description="Fuzz the SMTP client's core.")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true", help="keep what reaches new lines")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    runs, corpus, failing = search(
        seconds=options.seconds,
        dice=random.Random(options.seed),
        programs=seeds(),
        keep=options.keep,
    )
    print(f"{runs} programs, {len(corpus)} of them reach something of their own")
    if failing is None:
        return 0
    failing = shrunk(failing)
    print("FAILS:", failure_of(failing), *failing, sep="\n    ")
    return 1


if __name__ == "__main__":
    sys.exit(main())
