"""The included PostgreSQL: private, adopted when left behind, gone with the last who used it."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from circular.config import embedded

# What a process without Django does with the database of a folder; `hold` waits for the end of stdin.
USE = """
import sys
from pathlib import Path
from circular.config import embedded
attachment = embedded.attach(Path(sys.argv[1]))
print("attached", attachment.started_here, flush=True)
if sys.argv[2] == "hold":
    sys.stdin.read()
if sys.argv[2] == "ask":
    import psycopg
    print(psycopg.connect(attachment.url).execute("select current_user").fetchone()[0])
attachment.leave()
"""
AS_SOMEBODY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]

# 30 MB, mounted where nobody else sees it.
ON_A_SMALL_DISK = [
    *("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"),
    *('mount -t tmpfs -o size=30m none "$1"; shift; exec "$@"', "sh"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    with contextlib.suppress(embedded.DatabaseUnavailableError):
        if (tmp_path / "data" / "postgresql").is_dir():
            embedded.attach(tmp_path / "data").leave()


def use(folder: Path, how: str, *prefix: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", USE, str(folder), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.readline() or process.stderr.read()


def is_running(folder: Path) -> bool:
    return embedded._server_pid(folder.resolve() / "postgresql") is not None


def test_one_who_attaches_can_write_and_the_server_goes_when_he_leaves(folder: Path) -> None:
    with embedded.attached(folder) as attachment:
        with psycopg.connect(attachment.url) as connection:
            row = connection.execute("SELECT current_user, current_database()").fetchone()
        assert row == ("circular", "circular")
        assert attachment.is_running()

    assert not is_running(folder)


def test_nobody_else_can_connect(folder: Path) -> None:
    with embedded.attached(folder) as attachment:
        without_password = attachment.url.partition("&passfile=")[0] + "&passfile=/dev/null"
        as_superuser = without_password.replace("circular@", "postgres@")

        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(without_password)
        with pytest.raises(psycopg.OperationalError, match="pg_hba"):
            psycopg.connect(as_superuser)
        socket = embedded.socket_folder(folder.resolve())
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "postgresql.password").stat().st_mode) == 0o600
        assert "host" not in (folder / "postgresql" / "pg_hba.conf").read_text()


def test_the_last_to_leave_stops_it_and_not_the_first(folder: Path) -> None:
    first, second = embedded.attach(folder), embedded.attach(folder)

    first.leave()
    first.leave()
    still_there = second.is_running()
    second.leave()

    assert still_there
    assert not is_running(folder)


def test_several_who_start_at_once_make_one_server(folder: Path) -> None:
    processes = [use(folder, "hold") for _ in range(4)]

    lines = sorted(wait_for_line(process) for process in processes)

    assert lines == ["attached False\n"] * 3 + ["attached True\n"]
    for process in processes:
        process.communicate("", timeout=60)
    assert not is_running(folder)


def test_a_server_left_by_a_killed_owner_lives_on_and_is_adopted(folder: Path) -> None:
    owner = use(folder, "hold")
    assert wait_for_line(owner) == "attached True\n"
    owner.kill()
    owner.communicate()
    left_behind = is_running(folder)

    heir = embedded.attach(folder)

    assert left_behind
    assert not heir.started_here
    heir.leave()
    assert not is_running(folder)


def test_a_server_that_was_killed_is_started_again_and_nothing_is_lost(folder: Path) -> None:
    with embedded.attached(folder) as attachment:
        with psycopg.connect(attachment.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        pid = embedded._server_pid(folder.resolve() / "postgresql")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while attachment.is_running():
            time.sleep(0.01)

        attachment.ensure_running()

        with psycopg.connect(attachment.url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_a_pid_file_whose_number_belongs_to_a_stranger_is_not_believed(folder: Path) -> None:
    """As after a restart of the machine: the number lives, and is no PostgreSQL."""
    embedded.attach(folder).leave()
    (folder / "postgresql" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder}\n")

    with embedded.attached(folder) as attachment:
        assert attachment.started_here


def test_the_lock_of_a_dead_server_that_nobody_reaped_is_not_believed(folder: Path) -> None:
    """As in a container without an init: the number answers, its process is dead."""
    embedded.attach(folder).leave()
    dead = subprocess.Popen(["true"])
    while "Z" not in Path(f"/proc/{dead.pid}/stat").read_text().rpartition(")")[2].split()[0]:
        time.sleep(0.01)
    place = embedded.socket_folder(folder.resolve())
    place.mkdir(mode=0o700)
    for lock in (folder / "postgresql" / "postmaster.pid", place / ".s.PGSQL.5432.lock"):
        lock.write_text(f"{dead.pid}\n{folder}\n")
        lock.chmod(0o600)

    with embedded.attached(folder) as attachment:
        assert attachment.started_here

    dead.wait()


def test_a_first_start_that_was_killed_half_way_is_done_again(folder: Path) -> None:
    (folder / "postgresql.new" / "base").mkdir(parents=True)

    with embedded.attached(folder) as attachment, psycopg.connect(attachment.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_long_path_below_a_private_folder_works_and_no_permission_changes(tmp_path: Path) -> None:
    above = tmp_path / "private"
    above.mkdir(mode=0o700)
    folder = above / ("n" * 120) / "data"
    before = {path: path.stat().st_mode for path in (above, *above.parents)}

    with embedded.attached(folder) as attachment, psycopg.connect(attachment.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        socket = embedded.socket_folder(folder.resolve())

    assert {path: path.stat().st_mode for path in before} == before
    assert not socket.exists()


def test_a_person_who_is_not_root_uses_it_just_the_same(folder: Path) -> None:
    prefix = AS_SOMEBODY if os.getuid() == 0 else []

    told, complaint = use(folder, "ask", *prefix).communicate(timeout=60)

    assert (told, complaint) == ("attached True\ncircular\n", "")


def test_a_socket_folder_that_somebody_else_prepared_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ("n" * 120)
    folder.mkdir()
    trap = embedded.socket_folder(folder.resolve())
    trap.symlink_to(tmp_path)

    try:
        with pytest.raises(embedded.DatabaseUnavailableError, match=str(trap)):
            embedded.attach(folder)
    finally:
        trap.unlink()


def test_a_full_disk_is_told_politely(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    told = subprocess.run(
        [*ON_A_SMALL_DISK, str(place), sys.executable, "-c", USE, str(place / "data"), "ask"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "DatabaseUnavailableError" in told.stderr
    assert "No hay espacio para la base de datos" in told.stderr


def test_a_disk_that_fills_up_while_it_is_made_is_told_politely(
    tmp_path: Path,
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    script = USE.replace("attachment = ", "embedded.ROOM_NEEDED = 0\nattachment = ", 1)

    told = subprocess.run(
        [*ON_A_SMALL_DISK, str(place), sys.executable, "-c", script, str(place / "data"), "ask"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "está lleno" in told.stderr


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(embedded.DatabaseUnavailableError, match="file"):
        embedded.attach(tmp_path / "file" / "data")


def test_as_root_without_namespaces_the_system_user_serves(
    require_program: Callable[[str, str], str],
) -> None:
    """Only where this is root; elsewhere the plan itself is tested without a machine."""
    require_program("unshare", "util-linux")
    if os.getuid() != 0:
        assert embedded._launch(Path("/tmp")) == embedded.Launch()
        return
    folder = Path("/tmp") / f"circular-test-{os.getpid()}"
    nobody = embedded.Launch(uid=65534, gid=65534)
    folder.mkdir(mode=0o700)
    try:
        if embedded._reachable(folder):
            embedded._prepare_socket_folder(folder, nobody)
            embedded._create(folder, nobody)
            embedded._wait_until_ready(folder, embedded._spawn(folder, nobody))
            with psycopg.connect(embedded.url_of(folder)) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            embedded._stop(folder)
    finally:
        shutil.rmtree(folder)


def test_root_without_namespaces_and_without_the_user_is_told_both_remedies(folder: Path) -> None:
    """In a namespace whose own limit of further namespaces is set to none."""
    ours = {name: value for name, value in os.environ.items() if "CIRCULAR_" not in name}
    forbidding = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'

    told = subprocess.run(
        [
            "unshare",
            "--user",
            "--map-root-user",
            "sh",
            "-ec",
            forbidding,
            "sh",
            sys.executable,
            "-m",
            "circular",
            "migrate",
        ],
        env=ours | {"CIRCULAR_DATA_FOLDER": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 1
    assert "unshare --user" in told.stderr
    assert "useradd --system circular" in told.stderr
    assert not (folder / "postgresql").exists()
