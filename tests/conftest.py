"""What every tier shares: the corpora, programs of the machine, and no network but this machine's."""

import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"
IN_CI = os.environ.get("CI") == "true"

# A developer's run stays quick and takes chances; CI looks harder, always at the same examples.
# A test that shows a broken variant caught may look until it has found it.
for _profile, _examples in (("quick", 15), ("thorough", 100), ("hunt", 2000)):
    settings.register_profile(
        _profile,
        max_examples=_examples,
        derandomize=IN_CI,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    )
USUAL = "thorough" if IN_CI else "quick"
settings.load_profile(USUAL)
HUNT = re.compile("caught|catches")


@dataclass(frozen=True, slots=True)
class Corpus:
    """One folder of samples with its expectations."""

    folder: Path
    samples: dict[str, dict[str, Any]]

    def raw(self, name: str) -> bytes:
        return (self.folder / "files" / name).read_bytes()


def _corpus(name: str) -> Corpus:
    folder = CORPORA / name
    if not folder.is_dir():
        absent(f"the corpus {name} is not on this machine (it is no part of the project)")
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return Corpus(folder, expected["samples"])


def absent(reason: str) -> None:
    """Skip for the reader who lacks something; fail in CI, where nothing may be skipped."""
    if IN_CI:
        pytest.fail(f"CI must not skip: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def corpora() -> Callable[[str], Corpus]:
    """Return the reader of one corpus by its folder name; skips where it is absent."""
    return _corpus


@pytest.fixture(scope="session")
def require_program() -> Callable[[str, str], str]:
    """Return the path of a program, or skip naming the Debian package to install."""

    def find(program: str, package: str) -> str:
        found = shutil.which(
            program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/lib/postgresql/15/bin"
        )
        if found is None:
            absent(f"{program} is not installed: apt-get install {package}")
        assert found is not None
        return found

    return find


@pytest.fixture(autouse=True)
def _look_longer(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the tests that hunt for a fault look longer than the others."""
    settings.load_profile("hunt" if HUNT.search(request.node.name) else USUAL)
    yield
    settings.load_profile(USUAL)


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave the machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test tried to reach {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Let the test runner empty append-only tables between transactional tests.

    Production keeps the triggers that refuse TRUNCATE; those against UPDATE and DELETE stay here too.
    """
    from django.db import connection

    # Threads of a worker must not keep the test database open after their job.
    connection.settings_dict["CONN_MAX_AGE"] = 0
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        # tgtype bit 5 means TRUNCATE (PostgreSQL, catalog/pg_trigger.h)
        cursor.execute(
            "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE tgtype & 32 > 0 AND NOT tgisinternal"
        )
        for name, table in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DISABLE TRIGGER "{name}"')


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
) -> Iterator[None]:
    """Start the included PostgreSQL for the length of the session, where no other one is named.

    Workers that test side by side share the server; each has a database of its own.
    """
    from django.conf import settings as django_settings

    from circular.config import embedded

    if django_settings.CIRCULAR.database_url:
        yield
        return
    with embedded.attached(django_settings.CIRCULAR.data_folder) as attachment:
        with psycopg.connect(attachment.url) as server:
            server.execute(
                "ALTER ROLE circular SET synchronous_commit = off"
            )  # tests survive no crash
        yield
