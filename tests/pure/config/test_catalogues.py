"""The catalogues hold every sentence of code and templates, without xgettext and msgfmt."""

import gettext
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def tool(tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("catalogues", ROOT / "tools" / "catalogues.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module)["PACKAGE"] = tmp_path / "circular"
    (tmp_path / "circular" / "templates").mkdir(parents=True)
    (tmp_path / "circular" / "code.py").write_text(
        'one = _("Hola %(name)s")\nmany = ngettext("%(n)d día", "%(n)d días", 2)\n'
    )
    (tmp_path / "circular" / "templates" / "page.html").write_text(
        "    {% load i18n %}{% translate 'Entrar' %}\n  <p>\n   x\n"
        "{% blocktranslate trimmed count n=days %}\n Falta {{ n }} día\n"
        "{% plural %}\n Faltan {{ n }} días\n{% endblocktranslate %}"
    )
    return module


def translate(tool: ModuleType, **texts: str) -> None:
    path = tool.po_file("en")
    text = path.read_text()
    for spanish, english in texts.items():
        spanish = spanish.replace("_", " ")
        text = text.replace(
            f'msgid "{spanish}"\nmsgstr ""', f'msgid "{spanish}"\nmsgstr "{english}"'
        )
    path.write_text(text)


def test_every_sentence_without_english_is_named(
    tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.update()

    assert tool.check() == 1

    named = capsys.readouterr().out
    assert all(
        word in named for word in ("Hola %(name)s", "%(n)d día", "Entrar", "Falta %(n)s día")
    )


def test_a_translated_sentence_is_compiled_and_said(tool: ModuleType) -> None:
    tool.update()
    translate(tool, Entrar="Sign in")

    tool.compile_all()

    with tool.po_file("en").with_suffix(".mo").open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("Entrar") == "Sign in"


def test_a_second_update_changes_nothing_and_keeps_the_english(tool: ModuleType) -> None:
    tool.update()
    translate(tool, Entrar="Sign in")
    tool.update()
    first = tool.po_file("en").read_bytes()

    tool.update()

    assert tool.po_file("en").read_bytes() == first
    assert b'"Sign in"' in first


def test_a_placeholder_that_got_lost_or_was_invented_is_named(
    tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.update()
    text = tool.po_file("en").read_text()
    tool.po_file("en").write_text(
        text.replace(
            'msgid "Hola %(name)s"\nmsgstr ""', 'msgid "Hola %(name)s"\nmsgstr "Hi %(nam)s"'
        )
    )

    tool.check()

    named = capsys.readouterr().out
    assert "unknown placeholder: 'Hola %(name)s'" in named
    assert "placeholder is missing: 'Hola %(name)s'" in named


def test_a_sentence_that_nobody_says_any_more_is_named(
    tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    tool.update()
    (tool.PACKAGE / "code.py").write_text('many = ngettext("%(n)d día", "%(n)d días", 2)\n')

    tool.check()

    assert "nobody says this any more" in capsys.readouterr().out
