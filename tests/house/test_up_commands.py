"""The commands that people and mail servers call by hand, with the exit codes they rely on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from housing import House

pytestmark = pytest.mark.timeout(300)

MESSAGE = (
    b"From: ana@uni.example\r\nTo: solicitudes@circular.uni.example\r\nSubject: Aviso\r\n"
    b"Message-ID: <1@uni.example>\r\nDate: Mon, 23 Nov 2026 10:00:00 -0500\r\n\r\nHola\r\n"
)


def receive(house: House, raw: bytes) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "circular", "receive", "--from", "ana@uni.example"],
        input=raw,
        env=house.environment(),
        cwd=house.folder,
        capture_output=True,
        check=False,
    )


def test_a_message_from_standard_input_is_stored_and_said_nothing_about(old_house: House) -> None:
    done = receive(old_house, MESSAGE)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_message_over_the_limit_is_refused_for_good(old_house: House) -> None:
    old_house.configure("largest_message_octets = 100000")

    done = receive(old_house, MESSAGE + b"x" * 100_000)

    assert done.returncode == 65
    assert b"100000" in done.stderr


def test_a_message_that_cannot_be_stored_now_is_to_be_sent_again(house: House) -> None:
    house.configure('database_url = "postgresql://circular@127.0.0.1:1/circular"')

    done = receive(house, MESSAGE)

    assert done.returncode == 75


def test_a_mistyped_anchor_is_named_and_no_alarm(old_house: House) -> None:
    done = old_house.command("evidence", "verify", "--anchor", "deadbeef")

    assert done.returncode == 2
    assert "«deadbeef»" in done.stderr


def test_a_database_that_is_not_there_is_told_in_one_sentence(house: House) -> None:
    house.configure('database_url = "postgresql://circular@127.0.0.1:1/circular"')

    for words in (["up"], ["directory", "count", "group=student"], ["backup", "copy.tar"]):
        done = house.command(*words)

        assert done.returncode == 1
        assert "port 1 failed" in done.stderr
        assert "Traceback" not in done.stderr


def test_work_is_done_once_and_the_command_ends(old_house: House) -> None:
    receive(old_house, MESSAGE)

    done = old_house.command("worker", "--once")

    assert done.returncode == 0, done.stderr


def test_what_a_message_is_can_be_asked_without_any_installation(tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(MESSAGE)
    house = House(tmp_path)
    house.configure()

    done = house.command("classify", "one.eml")

    assert json.loads(done.stdout)["file"] == "one.eml"
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_not_there_is_named(old_house: House) -> None:
    answers = [
        old_house.command("classify", "absent.eml"),
        old_house.command("directory", "import", "absent.csv"),
        old_house.command("restore", "absent.tar"),
        old_house.command("evidence", "export", "CIR-2026-999999", "--to", "there"),
    ]

    assert [answer.returncode for answer in answers] == [1, 1, 1, 1]
    assert all(len(answer.stderr.strip().splitlines()) == 1 for answer in answers)


def test_the_archive_of_a_new_house_is_sound(old_house: House) -> None:
    told = old_house.command("evidence", "verify", "--json")

    assert told.returncode == 0
    assert json.loads(told.stdout)["sound"] is True


@pytest.mark.parametrize("size", ["8k", "200k", "60m"])
def test_on_a_full_disk_nothing_starts_and_one_sentence_says_why(tmp_path: Path, size: str) -> None:
    """The configuration lies elsewhere; only the data folder is on the small disk."""
    house = House(tmp_path)
    house.configure('data_folder = "small/data"')
    (tmp_path / "small").mkdir()
    mounting = f'mount -t tmpfs -o size={size} none "$1"; shift; exec "$@"'

    told = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", mounting, "sh"),
            *(str(tmp_path / "small"), sys.executable, "-m", "circular", "up"),
        ],
        env=house.environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 1
    assert "espacio" in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1


FILLING_UP = """
mount -t tmpfs -o size=260m none small
"$1" -m circular migrate
dd if=/dev/zero of=small/ballast bs=64k 2>/dev/null || true
"$1" -m circular receive < big.eml && echo "while full: 0" || echo "while full: $?"
rm small/ballast
"$1" -m circular receive < big.eml && echo "afterwards: 0" || echo "afterwards: $?"
"$1" -m circular evidence verify --json
"""


def test_a_disk_that_fills_up_makes_the_sender_try_again_and_loses_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.configure('data_folder = "small/data"')
    (tmp_path / "small").mkdir()
    (tmp_path / "big.eml").write_bytes(MESSAGE + b"0123456789abcdef\r\n" * 1_000_000)

    told = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", FILLING_UP, "sh"),
            sys.executable,
        ],
        env=house.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    lines = told.stdout.splitlines()
    assert lines[:2] == ["while full: 75", "afterwards: 0"], told.stdout + told.stderr
    assert json.loads(lines[2])["sound"] is True
    assert "Traceback" not in told.stderr


def test_the_command_line_speaks_english_to_those_who_ask_for_it(house: House) -> None:
    asking = [sys.executable, "-m", "circular", "--help"]

    told = {
        language: subprocess.run(
            asking,
            env=house.environment() | {"LANGUAGE": language},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for language in ("es", "en", "fr")
    }

    assert "de la solicitud a la prueba" in told["es"]
    assert "from the request to the proof" in told["en"]
    assert told["fr"] == told["es"]
