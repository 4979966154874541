"""Where a scenario happens: a PostgreSQL, an installation and a far side, all processes of their own."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from circular.config import embedded

TESTS = Path(__file__).resolve().parents[1]
PYTHON = [sys.executable]
CIRCULAR = [*PYTHON, "-m", "circular"]
QUICK = {
    "first_retry": 0.3,
    "longest_retry": 1.0,
    "first_rest": 0.1,
    "longest_rest": 0.5,
    "throttled_rest": 0.5,
    "poll": 0.05,
    "recover_every": 0.2,
    "idle_session": 0.5,
    "stop_within": 3,
}


def free_port(host: str = "127.0.0.1") -> int:
    """Give a port that nobody listens on now."""
    with socket.socket() as one:
        one.bind((host, 0))
        return int(one.getsockname()[1])


def is_alive(pid: int) -> bool:
    """Say whether a process lives; one that is dead and not reaped does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


class TooSlowError(AssertionError):
    """Something that had to happen did not happen in time."""


def wait_until(true: Callable[[], bool], *, within: float, what: str, every: float = 0.05) -> float:
    """Wait for something; give the seconds that it took.

    Raises:  TooSlowError
    """
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > within:
            raise TooSlowError(f"{what}: not within {within:.0f} s")
        time.sleep(every)
    return time.monotonic() - began


@dataclass
class Ground:
    """One PostgreSQL with an empty, migrated Circular in it, to be copied for each scenario."""

    folder: Path
    # Without it a crash of the machine would lose commits; a crash of processes loses none.
    durable: bool = True
    attachment: embedded.Attachment = field(init=False)
    _houses: int = 0

    def __post_init__(self) -> None:
        """Start the server and make the pattern of all databases."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.attachment = embedded.attach(self.folder)
        if not self.durable:
            with (self.folder / "postgresql" / "postgresql.auto.conf").open("a") as settings:
                settings.write("fsync = off\n")
            os.kill(self.server(), signal.SIGHUP)
        house = House(self, "circular", self.folder)
        done = subprocess.run(
            [*CIRCULAR, "migrate"], env=house.environment(), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()

    def url(self, database: str) -> str:
        """Give the address of one database."""
        return embedded.url_of(self.folder).replace("/circular?", f"/{database}?")

    def server(self) -> int:
        """Give the process that serves."""
        lines = (self.folder / "postgresql" / "postmaster.pid").read_text().splitlines()
        return int(lines[0])

    def restart(self, how: signal.Signals) -> None:
        """Stop the server the hard way, and start it again."""
        pid = self.server()
        os.kill(pid, how)
        wait_until(lambda: not is_alive(pid), within=30, what="server stops", every=0.01)
        if how is signal.SIGKILL:
            # What pg_ctl would see: its children end by themselves once they notice.
            time.sleep(0.3)
        until = time.monotonic() + 20
        while True:
            try:
                self.attachment.ensure_running()
            except embedded.DatabaseUnavailableError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.3)
            else:
                return

    @contextmanager
    def house(self) -> Iterator["House"]:
        """Give an installation of its own, and end everything that it started."""
        self._houses += 1
        name = f"scene_{self._houses}_{secrets.token_hex(3)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name} TEMPLATE circular".encode())
        folder = self.folder / name
        (folder / "data").mkdir(parents=True)
        house = House(self, name, folder)
        try:
            yield house
        finally:
            house.end()

    def leave(self) -> None:
        """Stop the server and remove everything."""
        self.attachment.leave()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Worker:
    """One sender process."""

    pid: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        if self.process is not None:
            return self.process.poll() is None
        return is_alive(self.pid)

    def signal(self, what: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, what)

    def kill(self) -> None:
        """End it at once."""
        self.signal(signal.SIGKILL)
        wait_until(lambda: not self.lives, within=10, what="killed worker ends", every=0.005)

    def stop(self) -> None:
        """Ask it to end, and make it."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            wait_until(lambda: not self.lives, within=20, what="worker ends")
        except TooSlowError:
            self.kill()


@dataclass
class House:
    """One installation: its database, its folder, its workers and the far side that it sends to."""

    ground: Ground
    database: str
    folder: Path
    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    workers: list[Worker] = field(default_factory=list)
    _nursery: "subprocess.Popen[str] | None" = None
    _far: "subprocess.Popen[str] | None" = None
    _options: Sequence[str] = ()

    def environment(self, **more: str) -> dict[str, str]:
        """Give what every process of this installation needs to know."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CIRCULAR_", "PYTEST_", "COV_"))
        }
        return kept | {
            "CIRCULAR_DATABASE_URL": self.ground.url(self.database),
            "CIRCULAR_DATA_FOLDER": str(self.folder / "data"),
            "CIRCULAR_SECRET_KEY": "f" * 50,
            "DJANGO_SETTINGS_MODULE": "circular.config.settings",
            "PYTHONPATH": f"{TESTS}:{TESTS.parent / 'src'}",
            **more,
        }

    # -- the far side -------------------------------------------------------------------------

    @property
    def books(self) -> Path:
        """Where the far side writes down what it took."""
        return self.folder / "books.jsonl"

    def start_far(self, *options: str, script: str = "") -> None:
        """Start the far side, or start it again as it was."""
        if script:
            (self.folder / "script.toml").write_text(script)
            options = (*options, "--script", str(self.folder / "script.toml"))
        self._options = options or self._options
        self._far = subprocess.Popen(
            [
                *CIRCULAR,
                *("bench", "relay", "--listen", f"{self.host}:{self.port}"),
                *("--books", str(self.books), "--durable", *self._options),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._far.stdout is not None
        assert self._far.stdout.readline(), "the far side does not listen"

    def kill_far(self) -> None:
        """End the far side at once."""
        assert self._far is not None
        self._far.kill()
        self._far.communicate()

    def stop_far(self) -> dict[str, Any]:
        """End the far side and give its summary."""
        assert self._far is not None
        self._far.terminate()
        said, _ = self._far.communicate(timeout=20)
        self._far = None
        summary: dict[str, Any] = json.loads(said.splitlines()[-1])
        return summary

    def took(self) -> list[dict[str, str]]:
        """Give what the far side took, line by line, in its own order."""
        if not self.books.exists():
            return []
        found = []
        for line in self.books.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError):  # the line that a killed far side left half
                found.append(json.loads(line))
        return found

    def taken(self) -> int:
        """Say how many lines there are."""
        return self.books.read_bytes().count(b"\n") if self.books.exists() else 0

    # -- ourselves ----------------------------------------------------------------------------

    def order(self, do: str, **what: Any) -> dict[str, Any]:
        """Let the nursery do something."""
        if self._nursery is None:
            self._nursery = subprocess.Popen(
                [*PYTHON, "-m", "faults.nursery"],
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert self._nursery.stdout is not None
            assert self._nursery.stdout.readline(), "the nursery does not start"
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps({"do": do, **what}) + "\n")
        self._nursery.stdin.flush()
        answer: dict[str, Any] = json.loads(self._nursery.stdout.readline())
        return answer

    def release(
        self,
        people: int,
        *,
        connections: int = 3,
        depth: int = 4,
        mail_class: str = "informativo",
        octets: int = 2000,
        port: int | None = None,
    ) -> int:
        """Release a mailing to so many people; give its number."""
        answer = self.order(
            "prepare",
            people=people,
            connections=connections,
            depth=depth,
            mail_class=mail_class,
            octets=octets,
            host=self.host,
            port=self.port if port is None else port,
        )
        assert answer, (self.folder, "nothing was released")
        return int(answer["mailing"])

    def worker(
        self,
        *,
        broken: str = "",
        patience: float = 0,
        stopped: bool = False,
        **pace: float,
    ) -> Worker:
        """Fork a sender."""
        answer = self.order(
            "work",
            broken=broken,
            patience=patience,
            stopped=stopped,
            pace=QUICK | pace,
            log=str(self.log),
        )
        self.workers.append(Worker(answer["pid"]))
        return self.workers[-1]

    def real_worker(self, *before: str, **environment: str) -> Worker:
        """Start `circular worker` as an operator does."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*before, *CIRCULAR, "worker"],
                env=self.environment(**environment),
                stdout=log,
                stderr=log,
            )
        self.workers.append(Worker(process.pid, process))
        return self.workers[-1]

    @property
    def log(self) -> Path:
        """Where the workers complain."""
        return self.folder / "worker.log"

    def ask(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database; nobody when it is away."""
        with contextlib.suppress(psycopg.OperationalError):  # noqa: SIM117 - two kinds of context
            with psycopg.connect(self.ground.url(self.database), autocommit=True) as connection:
                return list(connection.execute(question.encode(), values))
        return []

    def is_settled(self, mailing: int) -> bool:
        """Say whether nobody is pending."""
        return self.ask("SELECT state FROM mailing_mailing WHERE id = %s", mailing) == [
            ("settled",)
        ]

    def wait_settled(self, mailing: int, *, within: float = 60) -> float:
        """Wait until nobody is pending."""
        return wait_until(lambda: self.is_settled(mailing), within=within, what="mailing settles")

    def wait_taken(self, count: int, *, within: float = 60) -> float:
        """Wait until the far side has taken so many."""
        return wait_until(
            lambda: self.taken() >= count, within=within, what=f"{count} taken", every=0.01
        )

    def end(self) -> None:
        """End whatever of this installation still runs."""
        for worker in self.workers:
            worker.signal(signal.SIGKILL)
        if self._nursery is not None:
            assert self._nursery.stdin is not None
            self._nursery.stdin.close()
            self._nursery.wait(timeout=10)
            assert self._nursery.stdout is not None
            self._nursery.stdout.close()
        if self._far is not None:
            self._far.kill()
            self._far.communicate()
