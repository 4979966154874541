"""Keeps the catalogues of sentences: collects, checks and compiles them with Babel, no msgfmt needed.

The sentences in code and templates are Spanish; `locale/en/LC_MESSAGES/django.po` is the English.

    catalogues.py update    collect the sentences into the catalogue; what is gone becomes obsolete
    catalogues.py check     name each sentence without English, out of date, or with wrong placeholders
    catalogues.py compile   write django.mo beside each django.po

A check passes when it prints nothing.
"""

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "circular"
LANGUAGES = ("en",)
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|\{(\w*)\}")
TEMPLATE_ENDINGS = (".html", ".txt")


def po_file(language: str) -> Path:
    """Return where a language's catalogue lies."""
    return PACKAGE / "locale" / language / "LC_MESSAGES" / "django.po"


def sentences() -> Catalog:
    """Return every sentence of code and templates, with the places where it stands."""
    catalog = Catalog(project="Circular", charset="utf-8", fuzzy=False)
    for path, source in sources():
        where = path.relative_to(PACKAGE.parent).as_posix()
        for line, text, comments, context in extract(
            "python", BytesIO(source.encode()), keywords=KEYWORDS, comment_tags=("Translators:",)
        ):
            # Without line numbers a catalogue changes only when a sentence does.
            catalog.add(text, locations=[(where, 0)], auto_comments=comments, context=context)
            assert line >= 0
    return catalog


def sources() -> Iterator[tuple[Path, str]]:
    """Give each file in order: code as it is, a template as the code it stands for."""
    from django.utils.translation.template import templatize

    for path in sorted(PACKAGE.rglob("*")):
        if "locale" in path.parts or "static" in path.parts or not path.is_file():
            continue
        if path.suffix == ".py" and "migrations" not in path.parts:
            yield path, path.read_text(encoding="utf-8")
        elif path.suffix in TEMPLATE_ENDINGS and "templates" in path.parts:
            code = templatize(path.read_text(encoding="utf-8"), origin=str(path))
            # What the template leaves of its indentation would not be Python's.
            yield path, "\n".join(line.lstrip() for line in code.splitlines())


def read(language: str) -> Catalog:
    """Return a language's catalogue as it lies there; an absent one is empty."""
    path = po_file(language)
    if not path.exists():
        return Catalog(locale=language, project="Circular")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def written(catalog: Catalog) -> bytes:
    """Return a catalogue as its file holds it: the same sentences give the same bytes."""
    buffer = BytesIO()
    write_po(buffer, catalog, width=100, sort_output=True, include_lineno=False, omit_header=False)
    text = buffer.getvalue().decode()
    # Dates would change the file at each run without saying anything.
    return re.sub(r'^"(POT-Creation|PO-Revision)-Date:.*\n', "", text, flags=re.MULTILINE).encode()


def update() -> int:
    """Bring each catalogue in step with the sentences; guess nothing."""
    current = sentences()
    for language in LANGUAGES:
        catalog = read(language)
        catalog.update(current, no_fuzzy_matching=True, update_header_comment=False)
        catalog.obsolete.clear()
        path = po_file(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written(catalog))
    return 0


def problems(language: str) -> Iterator[str]:
    """Name what is missing or wrong in a language's catalogue."""
    current, catalog = sentences(), read(language)
    for message in current:
        if not message.id:
            continue
        found = catalog.get(_key(message), message.context)
        if found is None:
            yield f"{language}: not in the catalogue (make catalogues): {_key(message)!r}"
        elif "fuzzy" in found.flags or not all(_texts(found.string)):
            yield f"{language}: no translation: {_key(message)!r}"
        else:
            wanted = _placeholders(message.id)
            for text in _texts(found.string):
                if _placeholders(text) - wanted:
                    yield f"{language}: unknown placeholder: {_key(message)!r}"
            if wanted - _placeholders(found.string):
                yield f"{language}: a placeholder is missing: {_key(message)!r}"
    for message in catalog:
        if message.id and current.get(_key(message), message.context) is None:
            yield f"{language}: nobody says this any more (make catalogues): {_key(message)!r}"


def _key(message: Message) -> str:
    return _texts(message.id)[0]


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value or "")]


def _placeholders(value: object) -> set[str]:
    return {
        name or brace for text in _texts(value) for name, brace in PLACEHOLDER.findall(text)
    } - {""}


def check() -> int:
    """Print one line per problem."""
    found = [problem for language in LANGUAGES for problem in problems(language)]
    for problem in found:
        print(problem)
    return 1 if found else 0


def compile_all() -> int:
    """Write the machine's form of each catalogue."""
    for language in LANGUAGES:
        path = po_file(language)
        if path.exists():
            with path.with_suffix(".mo").open("wb") as file:
                write_mo(file, read(language))
    return 0


def main() -> int:
    """Run the one command named."""
    commands = {"update": update, "check": check, "compile": compile_all}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        print(__doc__)
        return 2
    return commands[sys.argv[1]]()


if __name__ == "__main__":
    sys.exit(main())
