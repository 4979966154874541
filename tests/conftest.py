"""What every tier shares: the corpora, programs of the machine, several workers, no network but this machine's.

With `-n auto` (as `make test` calls it) the slow tiers run in several processes, each with a database
of its own on one server. Random order stays: one seed is printed, and every worker shuffles by it.
"""

import gc
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
from hypothesis import HealthCheck, Phase, settings

TESTS = Path(__file__).resolve().parent
CORPORA = TESTS.parents[1] / "shared" / "corpora"
IN_CI = os.environ.get("CI") == "true"

# A developer's run stays quick and takes chances; CI looks harder, always at the same examples.
for _profile, _examples in (("quick", 15), ("thorough", 100)):
    settings.register_profile(
        _profile,
        max_examples=_examples,
        derandomize=IN_CI,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    )
# A test that shows a broken variant caught may look until it has found it: to find is enough there.
settings.register_profile(
    "hunt",
    settings.get_profile("quick"),
    max_examples=2000,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
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


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return two workers a core, for half of the slow tests wait; none where starting them would take longer.

    Pure tests never wait. All of them take 9 s of CPU alone and 13 s in two workers, so two cores save 2 s.
    """
    asked = [argument.rstrip("/") for argument in config.args]
    cores = min(os.cpu_count() or 1, 4)
    if all("::" in one or "tests/pure/" in one for one in asked):
        return 0
    if all(one.endswith("tests/pure") for one in asked):
        return cores if cores > 1 else 0
    return 2 * cores


def _shares_a_module(item: pytest.Item) -> bool:
    """Say whether a test uses what is made once for its module."""
    found = getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009 - pytest's own
    return any(definition.scope == "module" for definitions in found for definition in definitions)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker: keep together what shares a module, and hand out first what takes long.

    Within a tier the order stays the random one.
    """
    if not hasattr(config, "workerinput"):
        return
    together = {item: _shares_a_module(item) for item in items}
    for item, yes in together.items():
        if yes:
            item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}/{item.path.stem}"))
    items.sort(
        key=lambda item: (
            "tests/house/" not in item.nodeid,
            "tests/rooms/" not in item.nodeid,
            not together[item],
        )
    )


def pytest_collection_finish() -> None:
    """Spare the collector of garbage what stays until the end anyway."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _look_longer(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the tests that hunt for a fault look longer than the others."""
    if HUNT.search(request.node.name) is None:
        yield
        return
    settings.load_profile("hunt")
    yield
    settings.load_profile(USUAL)


@pytest.fixture(autouse=True, scope="session")
def _only_this_machine() -> Iterator[None]:
    """Refuse every connection that would leave the machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test tried to reach {address!r}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Let a transactional test leave by emptying what it filled.

    Django would truncate every table and write all permissions anew, which takes longer than most tests.
    """
    from django.db import connection
    from django.test import TransactionTestCase

    import own_database

    # Threads of a worker must not keep the test database open after their job.
    connection.settings_dict["CONN_MAX_AGE"] = 0
    TransactionTestCase._fixture_teardown = lambda _case: own_database.empty()  # type: ignore[attr-defined]


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
                "SELECT pg_advisory_xact_lock(1)"
            )  # the workers come one after the other
            # Tests survive no crash.
            server.execute("ALTER ROLE circular SET synchronous_commit = off")
        yield
