"""The whole house at work: one request walks all five activities, whatever is killed on the way."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from circular.config.demo import university

WITHIN = 300  # seconds; far above what it takes, so that a slow machine fails nothing


def environment() -> dict[str, str]:
    """Return the environment of somebody who has only cloned the project."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CIRCULAR_")}


def start_demo(folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "circular", "demo", "--exit", "--json", "--folder", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )


def finish(demo: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """Wait for a demo's end and return its last line; its own words are in the failure."""
    out, said = demo.communicate(timeout=WITHIN)
    assert demo.returncode == 0, said.decode("utf-8", "replace")[-3000:]
    result: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    return result


def arrived(folder: Path, subject: str) -> Counter[str]:
    """Return how many copies of the circular lie in each far mailbox, ours and tests apart."""
    with sqlite3.connect(folder / "correo.sqlite") as store:
        rows = store.execute(
            "SELECT mailbox, count(*) FROM message WHERE subject = ?"
            " AND mailbox NOT LIKE 'testigo%' GROUP BY mailbox",
            (subject,),
        ).fetchall()
    return Counter(dict(rows))


def names_of_possible_duplicates(result: dict[str, Any]) -> set[str]:
    return set(result["possible_duplicates"])


def assert_everybody_is_accounted_for(folder: Path, result: dict[str, Any]) -> None:
    """Compare the case's totals with what really lies in the far mailboxes."""
    from circular.config.demo.story import SUBJECT

    copies = arrived(folder, SUBJECT)
    addressed = {person.address for person in university.accounts()}
    never = university.unknown_mailboxes() | university.bouncing_mailboxes()

    assert result["audience"] == len(addressed)
    assert result["pending"] == 0
    assert (
        sum(
            result[state]
            for state in ("accepted", "refused", "bounced", "suppressed", "in_doubt", "pending")
        )
        == result["audience"]
    )
    forgotten = addressed - never - set(copies)
    assert not forgotten
    twice = {address for address, count in copies.items() if count > 1 and address in addressed}
    twice -= {university.REQUESTER.address}  # who also got the test message
    assert twice <= names_of_possible_duplicates(result)


@pytest.mark.timeout(WITHIN + 60)
def test_one_request_walks_the_five_activities_to_a_closed_case(tmp_path: Path) -> None:
    result = finish(start_demo(tmp_path / "demo"))

    assert result["state"] == "closed"
    assert result["verified"] is True
    assert result["chain_ok"] is True
    assert [activity["number"] for activity in result["activities"]] == [1, 2, 3, 4, 5]
    assert all(activity["evidence"] for activity in result["activities"])
    assert len(result["confirmations"]) >= 2
    assert result["refused"] == len(university.unknown_mailboxes())
    assert_everybody_is_accounted_for(tmp_path / "demo", result)


def _descendants(pid: int) -> list[int]:
    """Return the processes below one, from /proc."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        parents[int(status.parent.name)] = int(fields[1])
    found, look = [], [pid]
    while look:
        children = [child for child, parent in parents.items() if parent == look[0]]
        found += children
        look = look[1:] + children
    return found


@pytest.mark.timeout(4 * WITHIN)
def test_a_demo_that_is_killed_again_and_again_ends_in_the_same_closed_case(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "demo"
    chance = random.Random(20261123)
    for _ in range(3):
        demo = start_demo(folder)
        try:
            demo.communicate(timeout=chance.uniform(6, 20))
        except subprocess.TimeoutExpired:
            victims = [demo.pid, *_descendants(demo.pid)]
            os.kill(chance.choice(victims), signal.SIGKILL)
            time.sleep(chance.uniform(0, 2))
            os.kill(demo.pid, signal.SIGKILL)
            demo.communicate()

    result = finish(start_demo(folder))

    assert result["state"] == "closed"
    assert result["chain_ok"] is True
    assert_everybody_is_accounted_for(folder, result)


def _is_web(pid: int) -> bool:
    try:
        return b"circular\0web" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.timeout(WITHIN + 60)
def test_with_the_pages_stopped_the_demo_stalls_because_it_acts_on_pages(tmp_path: Path) -> None:
    demo = start_demo(tmp_path / "demo")
    assert demo.stderr is not None
    said = iter(demo.stderr.readline, b"")
    while b"CIR-" not in next(said):
        pass  # the request was filed; from here everybody acts on pages
    web = [pid for pid in _descendants(demo.pid) if _is_web(pid)]

    for pid in web:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2)  # whatever was answered before is said by now
    os.set_blocking(demo.stderr.fileno(), False)
    demo.stderr.read()
    time.sleep(6)
    stalled = demo.stderr.read()
    os.set_blocking(demo.stderr.fileno(), True)
    for pid in web:
        os.kill(pid, signal.SIGCONT)

    assert web
    assert not stalled
    assert finish(demo)["state"] == "closed"
