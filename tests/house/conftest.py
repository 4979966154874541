"""Installations for the tests of the whole house: untouched, used before, running; and a browser."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Browser, sync_playwright
from pytest_django.live_server_helper import LiveServer

import own_database
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


@pytest.fixture(scope="module")
def db(django_db_setup: None) -> None:
    """Ask for the test database under the one name by which pytest-django knows that a test needs it.

    Without it a module that is tested alone would write into the database of the settings.
    """


@pytest.fixture(scope="module")
def pages(db: None, django_db_blocker: Any) -> Iterator[str]:
    """Serve the test database's pages for a module, at the address that is given.

    What the module's tests write stays until its end.
    """
    with django_db_blocker.unblock():
        server = LiveServer("localhost")
        yield server.url
        server.stop()
        own_database.empty()


@pytest.fixture(scope="module")
def chromium(require_program: Callable[[str, str], str]) -> Iterator[Browser]:
    """Run a browser for a module."""
    path = require_program("chromium", "chromium")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as player:
        # Playwright keeps an event loop in this thread; Django would refuse the test's own queries.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = player.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        # What the test itself asked stands in a connection of the loop's own context.
        connections.close_all()
        browser.close()
