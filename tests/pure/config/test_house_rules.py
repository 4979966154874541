"""Each rule of the house catches what it forbids, and lets the neighbour pass."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RULES = load("house_rules")
LATER = "TO" + "DO"
MAILING = Path("src/circular/mailing")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (MAILING / "rendering.py", "timezone.now()"),
        (MAILING / "models.py", "datetime.now()"),
        (MAILING / "services.py", "x.objects.select_for_update().get()"),
        (Path("tests/rooms/x.py"), "patch('circular.mailing.services.render')"),
        (Path("tests/rooms/x.py"), "mock.patch('circular.mailing')"),
        (MAILING / "migrations/0001_initial.py", "from circular.people.models import Person"),
        (MAILING / "services.py", "Outcome.objects.create(at=1)"),
        (Path("src/circular/outcomes/services.py"), "Entry.objects.bulk_create([])"),
        (MAILING / "services.py", "try:\n    x()\nexcept Exception:\n    log()"),
        (MAILING / "services.py", "try:\n    x()\nexcept (OSError, BaseException):\n    log()"),
        (MAILING / "services.py", "x = 1  # TODO: y"),
    ],
    ids=str,
)
def test_what_is_forbidden_is_named(path: Path, code: str) -> None:
    assert len(list(RULES.objections(path, f'"""Promise."""\n{code}\n'))) == 1


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (MAILING / "services.py", "timezone.now()"),
        (MAILING / "services.py", "x.objects.select_for_update(no_key=True).get()"),
        (Path("tests/rooms/x.py"), "patch('socket.socket')"),
        (MAILING / "migrations/0001_initial.py", "from django.db import models"),
        (Path("src/circular/outcomes/services.py"), "Outcome.objects.create(at=1)"),
        (MAILING / "services.py", "try:\n    x()\nexcept Exception:\n    log()\n    raise"),
        (MAILING / "services.py", "try:\n    x()\nexcept OSError:\n    log()"),
        (Path("src/circular/jobs.py"), "try:\n    x()\nexcept Exception:\n    log()"),
        (MAILING / "services.py", "x = 'TODO is a word in a text'"),
    ],
    ids=str,
)
def test_its_neighbour_passes(path: Path, code: str) -> None:
    assert list(RULES.objections(path, f'"""Promise."""\n{code}\n')) == []


def test_a_module_must_promise_something() -> None:
    assert list(RULES.objections(MAILING / "x.py", "x = 1\n"))
    assert not list(RULES.objections(MAILING / "__init__.py", ""))


@pytest.mark.parametrize(
    "page",
    [
        '<p style="color: red">',
        "<a onclick='x()'>",
        "<style>p {}</style>",
        "<script>x()</script>",
    ],
)
def test_a_page_holds_nothing_inline(page: str) -> None:
    assert list(RULES.page_objections(page))


@pytest.mark.parametrize(
    "page",
    [
        '<script type="module" src="/static/x.js"></script>',
        '{% include "x.html" with style="btn" %}',
        '<p class="style">on and on</p>',
    ],
)
def test_a_page_may_hold_what_only_looks_inline(page: str) -> None:
    assert not list(RULES.page_objections(page))
