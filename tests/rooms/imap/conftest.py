"""A real Dovecot for this folder."""

from collections.abc import Callable, Iterator

import pytest

from dovecot import Dovecot, running_dovecot


@pytest.fixture(scope="session")
def _server(require_program: Callable[[str, str], str]) -> Iterator[Dovecot]:
    program = require_program("dovecot", "dovecot-imapd")
    with running_dovecot(program, require_program("openssl", "openssl")) as server:
        yield server


@pytest.fixture
def dovecot(_server: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Dovecot:
    """Return the running server, its certificate trusted and its mailbox empty."""
    monkeypatch.setenv("SSL_CERT_FILE", str(_server.certificate))
    _server.empty()
    return _server
