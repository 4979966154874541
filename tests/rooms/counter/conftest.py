"""A town with a case in every state, built once a module, and a browser for each of its people."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import translation

from counter_town import SignIn, Town, build_town, fill


@pytest.fixture(scope="module")
def module_town(django_db_setup: None, django_db_blocker: Any) -> Iterator[Town]:
    """Build it within a transaction of the module's own; each test's is nested in it."""
    with django_db_blocker.unblock():
        outer = transaction.atomic()
        outer.__enter__()
        try:
            yield fill(build_town())
        finally:
            transaction.set_rollback(True)
            outer.__exit__(None, None, None)


@pytest.fixture
def town(module_town: Town, db: None) -> Town:
    return module_town


@pytest.fixture
def browser(town: Town) -> SignIn:
    """Return a signed-in client for a person of the town."""

    def sign_in(name: str) -> Client:
        client = Client(SERVER_NAME="127.0.0.1")
        client.force_login(town.people[name])
        return client

    return sign_in


@pytest.fixture(autouse=True)
def _spanish_again() -> Iterator[None]:
    """Let no test inherit the language of the reader before it."""
    with translation.override("es-co"):
        yield
