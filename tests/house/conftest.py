"""Installations for the tests of the whole house: untouched, used before, running."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from housing import House, leave_nothing_behind


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give an installation that nobody has started yet."""
    one = House(tmp_path)
    one.configure()
    yield one
    leave_nothing_behind(one)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a stopped data folder with the schema in it, to be copied."""
    one = House(tmp_path_factory.mktemp("furnished"))
    one.configure()
    done = one.command("migrate")
    assert done.returncode == 0, done.stderr
    return one.folder / "data"


@pytest.fixture
def old_house(house: House, furnished: Path) -> House:
    """Give an installation that was used before and is stopped now."""
    shutil.copytree(furnished, house.folder / "data", ignore=shutil.ignore_patterns("*.run"))
    return house


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, furnished: Path) -> Iterator[House]:
    """Give an installation that runs, for the tests that leave it running."""
    one = House(tmp_path_factory.mktemp("running"))
    one.configure()
    shutil.copytree(furnished, one.folder / "data", ignore=shutil.ignore_patterns("*.run"))
    one.start()
    one.wait_until("ready")
    yield one
    leave_nothing_behind(one)
