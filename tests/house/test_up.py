"""`circular up` on one machine: starts everything, keeps it going, stops it, and refuses a second one."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from circular.config import embedded
from housing import PATIENCE, House

pytestmark = pytest.mark.timeout(300)


def proportional_memory(pid: int) -> int:
    """Return a process's share of memory in kB (PSS)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, flags=re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_an_existing_folder_is_ready_in_under_six_seconds(old_house: House) -> None:
    """Figure of the issue, here with room for a busy machine: the benchmark page has the number."""
    begin = time.monotonic()

    old_house.start()
    old_house.wait_until("ready")

    assert time.monotonic() - begin < 18


def test_an_empty_folder_comes_up_with_a_link_for_the_first_administrator(house: House) -> None:
    process = house.start()
    house.wait_until("ready")
    told = json.loads(house.ready.read_text())

    assert told["pid"] == process.pid
    assert told["lmtp"] == ["127.0.0.1", house.lmtp]
    assert house.answers()
    with socket.create_connection(("127.0.0.1", house.lmtp), timeout=5) as door:
        assert door.recv(100).startswith(b"220 ")
    assert sorted(house.duties()) == ["door", "web", "worker"]

    process.terminate()
    lines, _nothing = process.communicate(timeout=40)

    assert process.returncode == 0
    assert f"http://127.0.0.1:{house.web}/primer-acceso/" in lines
    assert not house.ready.exists()
    house.wait_until("silent")
    assert embedded._server_pid((house.folder / "data").resolve() / "postgresql") is None


def test_the_memory_at_rest_is_small_and_the_parent_loads_no_django(running: House) -> None:
    """Figure of the issue: under 350 MB (sum of PSS) without PostgreSQL."""
    process = running.process
    assert process is not None
    running.wait_until("answers")

    ours = [process.pid, *(pid for pid in running.children() if "postgres" not in name_of(pid))]
    total = sum(proportional_memory(pid) for pid in ours)

    assert total < 350 * 1024, {pid: (name_of(pid), proportional_memory(pid)) for pid in ours}
    assert "django" not in Path(f"/proc/{process.pid}/maps").read_text()
    assert proportional_memory(process.pid) < 40 * 1024


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def test_a_second_one_on_the_same_folder_is_refused_with_the_number_of_the_first(
    running: House,
) -> None:
    assert running.process is not None

    second = running.command("up")

    assert second.returncode == 1
    assert str(running.process.pid) in second.stderr
    assert running.answers()


@pytest.mark.parametrize("duty", ["web", "worker", "door"])
def test_a_duty_that_is_killed_is_started_again(running: House, duty: str) -> None:
    victim = running.duties()[duty]

    os.kill(victim, signal.SIGKILL)

    until = time.monotonic() + PATIENCE
    while running.duties().get(duty) in {victim, None} and time.monotonic() < until:
        time.sleep(0.05)
    assert running.duties()[duty] != victim
    running.wait_until("answers")


def test_the_database_that_is_killed_is_started_again(running: House) -> None:
    cluster = (running.folder / "data").resolve() / "postgresql"
    server = embedded._server_pid(cluster)
    assert server is not None

    os.kill(server, signal.SIGKILL)

    until = time.monotonic() + PATIENCE
    while embedded._server_pid(cluster) in {server, None} and time.monotonic() < until:
        time.sleep(0.05)
    running.wait_until("answers")


def test_when_it_is_killed_itself_the_next_one_finds_ports_and_database_free(
    old_house: House,
) -> None:
    first = old_house.start()
    old_house.wait_until("ready")

    first.kill()
    first.communicate()
    old_house.ready.unlink()
    old_house.start()

    old_house.wait_until("ready")
    assert old_house.answers()


def test_several_that_migrate_at_once_do_not_race(house: House) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "circular", "migrate"],
            env=house.environment(),
            cwd=house.folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _n in range(3)
    ]

    ends = [(process.communicate(timeout=PATIENCE)[1], process.returncode) for process in processes]

    assert ends == [("", 0)] * 3


def test_a_port_that_is_taken_is_named_with_its_key(old_house: House) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", old_house.lmtp))
        stranger.listen()
        old_house.configure(
            "# FREE_WITHIN is 15 s: the stranger might be a child that is about to end\n"
        )

        refused = old_house.command("up")

    assert refused.returncode == 1
    assert "lmtp_listen" in refused.stderr


def test_wrong_settings_stop_it_before_anything_is_made(house: House) -> None:
    house.configure('workers = 0\nworkerz = 2\nlog_level = "loud"\n')

    refused = house.command("up")

    assert refused.returncode == 78
    assert len(refused.stderr.strip().splitlines()) == 3
    assert not (house.folder / "data").exists()


def test_a_backup_brings_everything_back_elsewhere(house: House, tmp_path: Path) -> None:
    house.configure(
        '[seed.institution]\nname = "Universidad del Cauce"\nshort_name = "UC"\ndomain = "uc.example"\n'
    )
    assert house.command("migrate").returncode == 0
    kept = house.command("backup", str(tmp_path / "copy.tar"))
    elsewhere = House(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    elsewhere.configure()

    back = elsewhere.command("restore", str(tmp_path / "copy.tar"))
    again = elsewhere.command("restore", str(tmp_path / "copy.tar"))
    verified = elsewhere.command("evidence", "verify")

    assert (kept.returncode, back.returncode, again.returncode) == (0, 0, 1), (
        kept.stderr + back.stderr
    )
    assert "no está vacía" in again.stderr
    assert verified.returncode == 0, verified.stdout + verified.stderr
    keys = [(one.folder / "data" / "secret_key").read_text() for one in (house, elsewhere)]
    assert keys[0] == keys[1]
    assert (tmp_path / "copy.tar").stat().st_mode & 0o077 == 0


def test_the_doctor_names_what_is_missing(old_house: House) -> None:
    told = old_house.command("doctor")

    assert told.returncode == 1
    assert any(line.startswith("✓ PostgreSQL") for line in told.stdout.splitlines())
    assert any(line.startswith("✗") and "relé" in line for line in told.stdout.splitlines())
