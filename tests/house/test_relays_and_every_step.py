"""A sender killed at every step of its way: before and after each write to the relay or the journal.

Random kills prove little (reliability.md §7); this walks through the steps one by one. The child
counts its own writes and kills itself with SIGKILL, so nothing of Circular knows that it is tested.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import own_database
from circular.mailing.models import Recipient
from post_office import Release, Sink, release, sink, states

__all__ = ["release", "sink"]

STEPS = 9
PEOPLE = 80
IN_FLIGHT = 2  # one session, two offers on it

WALKER = """
import asyncio, json, os, signal, socket, sys
import django
django.setup()
from pathlib import Path
from django.db import connections
from circular.dispatch.pacing import Pace
from circular.dispatch.sender import run
from circular.mailing.models import Mailing

mailing, steps, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
if sys.argv[4:] == ["unwritten"]:  # deliberately broken: hand-overs that nobody wrote down
    from circular.dispatch.journal import Journal
    Journal.hand_over = lambda *_: None
PACE = Pace(first_rest=0.05, longest_rest=0.1, throttled_rest=0.1, poll=0.05, recover_every=0.05)

def is_settled():
    try:
        return Mailing.objects.get(pk=mailing).state == "settled"
    finally:
        connections.close_all()

async def send():
    stop = asyncio.Event()
    sending = asyncio.create_task(run(stop, pace=PACE, folder=folder))
    while not sending.done() and not await asyncio.to_thread(is_settled):
        await asyncio.sleep(0.05)
    stop.set()
    await sending

def die_at(step, late):
    count = 0
    def counted(write):
        def wrapped(where, data, *rest):
            nonlocal count
            count += bytes(data) != b"\\0"  # the event loop wakes itself with one
            if count == step and not late:
                os.kill(os.getpid(), signal.SIGKILL)
            written = write(where, data, *rest)
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return written
        return wrapped
    socket.socket.send = counted(socket.socket.send)
    os.write = counted(os.write)

def child(step, late):
    pid = os.fork()
    if not pid:
        try:
            if step:
                die_at(step, late)
            asyncio.run(send())
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])

killed = sum(child(step, late) for step in range(1, steps + 1) for late in (False, True))
child(0, False)
print(json.dumps({"killed": killed}))
"""


def walk(mailing_id: int, folder: Path, steps: int, *broken: str) -> int:
    """Let the walker die at each step, then finish; give how often it died."""
    done = subprocess.run(
        [sys.executable, "-c", WALKER, str(mailing_id), str(steps), str(folder), *broken],
        env=own_database.environment(folder),
        stdout=subprocess.PIPE,
        text=True,
        timeout=110,
        check=True,
    )
    killed: int = json.loads(done.stdout.splitlines()[-1])["killed"]
    return killed


def test_a_sender_killed_at_every_step_forgets_nobody_and_mails_nobody_twice(
    release: Release, sink: Sink, tmp_path: Path
) -> None:
    """Scenario 2 of reliability.md §6, for one session."""
    mailing_id = release(PEOPLE)

    async def scene() -> tuple[int, list[str]]:
        async with sink(connections=1) as far:
            killed = await asyncio.to_thread(walk, mailing_id, tmp_path / "verdicts", STEPS)
            return killed, far.took()

    killed, took = asyncio.run(scene())

    totals = states(mailing_id)
    accepted = set(Recipient.objects.filter(state="accepted").values_list("address", flat=True))
    in_doubt = set(Recipient.objects.filter(state="in_doubt").values_list("address", flat=True))
    assert killed >= STEPS
    assert len(took) == len(set(took))
    assert accepted <= set(took)
    assert set(took) - accepted <= in_doubt
    assert totals["accepted"] + totals["in_doubt"] == PEOPLE
    assert len(in_doubt) <= killed * IN_FLIGHT


def test_a_sender_that_hands_over_without_a_line_is_caught(
    release: Release, sink: Sink, tmp_path: Path
) -> None:
    mailing_id = release(20)

    async def scene() -> list[str]:
        async with sink(connections=1) as far:
            await asyncio.to_thread(walk, mailing_id, tmp_path / "verdicts", 4, "unwritten")
            return far.took()

    took = asyncio.run(scene())

    assert len(took) > len(set(took))  # somebody got two copies, and nobody is named for it
    assert states(mailing_id) == {"accepted": 20}
