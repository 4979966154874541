"""Nobody's address and nobody's token reaches the log."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.config import logs


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.set_up("info")
    yield written
    root.handlers, root.level = before, level


def test_an_address_is_cut_in_message_fields_and_exception(log: io.StringIO) -> None:
    failure = ValueError("no mailbox ana.maria+x@uni.example")

    logging.getLogger("circular.x").error(
        "refused %s",
        "<ana@uni.example>",
        extra={"to": ["ana@uni.example"], "recipient": 7},
        exc_info=failure,
    )

    line = json.loads(log.getvalue())

    assert "ana" not in log.getvalue()
    assert line["recipient"] == 7
    assert line["to"] == ["…@uni.example"]
    assert line["level"] == "error"


def test_a_one_time_link_is_cut(log: io.StringIO) -> None:
    logging.getLogger("circular.x").warning("GET /invitacion/Ab3_Ab3_Ab3_Ab3_Ab3_Ab3_Ab3 200")

    assert "Ab3" not in log.getvalue()
    assert "/invitacion/…" in log.getvalue()


LOCAL = st.text("abcdefghijklmnopqrstuvwxyz0123456789.+-_ñÁ", min_size=1, max_size=20)


def hides(redact: object, local: str, around: str) -> bool:
    assert callable(redact)
    return f"{local}@" not in redact(f"{around}<{local}@uni.example>{around}")


@given(LOCAL, st.sampled_from(["", " ", ", ", '"', "'", "(", ";"]))
def test_no_local_part_survives(local: str, around: str) -> None:
    assert hides(logs.without_addresses, local, around)


def test_the_check_of_local_parts_catches_one_that_knows_ascii_only() -> None:
    import re

    def broken(text: str) -> str:
        return re.sub(r"[a-z0-9.+_-]+@", "…@", text)

    assert not hides(broken, "Á", "")
