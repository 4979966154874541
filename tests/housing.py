"""An installation in a folder of its own, run as a person runs it: by the `circular` command."""

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from circular.config import embedded
from ports import free_port

# Start-up takes 5 s; the rest is room for a machine that does ten other things.
PATIENCE = 150.0


@dataclass
class House:
    """One installation in a folder of its own, and the `up` that runs it."""

    folder: Path
    web: int = field(default_factory=free_port)
    lmtp: int = field(default_factory=free_port)
    process: "subprocess.Popen[str] | None" = None

    def configure(self, more: str = "") -> None:
        (self.folder / "circular.toml").write_text(
            f'web_listen = "127.0.0.1:{self.web}"\nbase_url = "http://127.0.0.1:{self.web}"\n'
            f'lmtp_listen = "127.0.0.1:{self.lmtp}"\n{more}'
        )

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "CIRCULAR_" not in name}
        return kept | {"CIRCULAR_CONFIG": str(self.folder / "circular.toml"), "LANGUAGE": "es"}

    def start(self) -> "subprocess.Popen[str]":
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "circular", "up"],
                env=self.environment(),
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self.process

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "circular", *words],
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def answers(self) -> bool:
        with (
            contextlib.suppress(URLError, OSError),
            urlopen(f"http://127.0.0.1:{self.web}/healthz", timeout=5) as reply,
        ):
            return bool(reply.status == 200)
        return False

    @property
    def ready(self) -> Path:
        return self.folder / "data" / "run" / "ready.json"

    def wait_until(self, what: str) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if {"ready": self.ready.exists, "answers": self.answers, "silent": self.is_silent}[
                what
            ]():
                return
            if self.process is not None and self.process.poll() is not None and what != "silent":
                break
            time.sleep(0.05)
        pytest.fail(f"not {what}: {(self.folder / 'log').read_text()[-3000:]}")

    def is_silent(self) -> bool:
        return not self.answers() and not self.children()

    def children(self) -> list[int]:
        found = []
        for path in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if path.name.isdigit() and f"CIRCULAR_CONFIG={self.folder}/" in (
                    path / "environ"
                ).read_text(errors="replace"):
                    found.append(int(path.name))
        return [pid for pid in found if self.process is None or pid != self.process.pid]

    def duties(self) -> dict[str, int]:
        """Give the process of each duty that `up` started."""
        assert self.process is not None
        found: dict[str, int] = {}
        for pid in self.children():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
                if parent == str(self.process.pid) and "circular" in words:
                    found[words[words.index("circular") + 1]] = pid
        return found

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def leave_nothing_behind(house: House) -> None:
    """Stop what runs on the installation, its database too."""
    house.stop()
    if (house.folder / "data" / "postgresql").is_dir():
        embedded.attach(house.folder / "data").leave()
