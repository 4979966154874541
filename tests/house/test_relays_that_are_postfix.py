"""A real Postfix takes what we pipeline: everybody once, octet for octet, on reused sessions."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import servers
from circular.smtp.events import Settled
from circular.smtp.protocol import Envelope, Manners
from circular.smtp.session import Place, Session, open_session
from circular.smtp.verdicts import Verdict

BOXES = [f"p{number}@unimacizo.example" for number in range(4)]
COUNT = 80
# Lines that a lax hand would spoil: a lone dot, dots in front, long lines, a bare-looking end.
TRAPS = b".\r\n..\r\n.x\r\n" + b"y" * 900 + b"\r\n\r\n.\r\nMAIL FROM:<a@b>\r\n"


@pytest.fixture
def university(require_program: Callable[[str, str], str]) -> Iterator[servers.UniversityMail]:
    require_program("postfix", "postfix")
    require_program("dovecot", "dovecot-imapd dovecot-lmtpd")
    if os.getuid():
        pytest.skip("Postfix's master must be root")
    # Postfix and Dovecot run as users of their own: pytest's folders are closed to them.
    with tempfile.TemporaryDirectory(prefix="circular-mail-") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "m").mkdir()
        with servers.university_mail(Path(folder) / "m", BOXES) as university:
            yield university


def message(number: int) -> bytes:
    head = b"Subject: copy %d\r\nMessage-ID: <copy-%d@desk.example>\r\n\r\n" % (number, number)
    long = b"." + b"z" * 70 + b"\r\n"  # every twentieth goes in several chunks
    return head + long * (0 if number % 20 else 9_000) + TRAPS


async def send_all(port: int, *, chunking: bool) -> dict[int, Settled]:
    """Offer every message over two sessions, as many in flight on each as there is room for."""
    waiting = list(range(COUNT))
    settled: dict[int, Settled] = {}

    async def work(session: Session) -> None:
        in_flight = 0
        while waiting or in_flight:
            while waiting and session.room:
                number = waiting.pop()
                person = (
                    "gone@unimacizo.example" if number % 10 == 9 else BOXES[number % len(BOXES)]
                )
                session.begin(
                    Envelope(
                        key=number,
                        sender="office@desk.example",
                        recipients=[person],
                        raw=message(number),
                    ),
                    cleared=True,
                )
                in_flight += 1
            for event in await session.events():
                if isinstance(event, Settled):
                    settled[event.key] = event
                    in_flight -= 1
        await session.quit()

    place = Place(host="127.0.0.1", port=port)
    manners = Manners(name="desk.example", chunking=chunking)
    sessions = [await open_session(place, manners) for _ in range(2)]
    assert all(session.capabilities.pipelining for session in sessions)
    assert all(session.capabilities.chunking for session in sessions)
    await asyncio.gather(*(work(session) for session in sessions))
    return settled


def arrived(university: servers.UniversityMail) -> list[bytes]:
    return [path.read_bytes() for box in BOXES for path in university.maildir(box).rglob("new/*")]


async def arrive(university: servers.UniversityMail, count: int) -> list[bytes]:
    async with asyncio.timeout(60):
        while len(found := arrived(university)) < count:  # noqa: ASYNC110 - a folder is no event
            await asyncio.sleep(0.2)
    return found


@pytest.mark.parametrize("chunking", [True, False], ids=["BDAT", "DATA"])
def test_everybody_known_gets_one_copy_octet_for_octet(
    university: servers.UniversityMail, chunking: bool
) -> None:
    settled = asyncio.run(send_all(university.smtp, chunking=chunking))
    known = [number for number in range(COUNT) if number % 10 != 9]

    copies = asyncio.run(arrive(university, len(known)))

    assert {n for n, event in settled.items() if event.verdict is Verdict.ACCEPTED} == set(known)
    refused = [event for event in settled.values() if event.verdict is Verdict.REFUSED]
    assert len(refused) == COUNT - len(known)
    assert {event.reply.enhanced for event in refused if event.reply} == {"5.1.1"}
    assert len(copies) == len(known)
    ends = TRAPS.replace(b"\r\n", b"\n")
    assert all(copy.replace(b"\r\n", b"\n").endswith(ends) for copy in copies)
    assert sum(copy.count(b".zzz") for copy in copies) == 9_000 * COUNT // 20
    names = {line for copy in copies for line in copy.splitlines() if line.startswith(b"Subject:")}
    assert len(names) == len(known)
