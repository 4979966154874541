"""Checks the rules of the house that import-linter cannot see. A check passes when it prints nothing.

1. The clock is read in shells only: services, tasks, views, entrances; the time is handed down.
2. `select_for_update` always says `no_key=`.
3. Nobody patches our own code in a test.
4. Migrations import no code of a room.
5. Rows of the append-only tables are made in their own room's services.
6. Everything is caught in three loops only: job entry, SMTP session, inbound mail.
7. Every module says in its first sentence what it promises.
8. Nothing is left for later in a comment.
9. Pages hold no inline style, script or handler (the content security policy would refuse them).
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLOCKS = {("timezone", "now"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
# Shells, by the name of the module or of a folder above it.
SHELLS = {
    "services", "tasks", "views", "admin", "middleware", "context", "forms", "backends",
    "lending", "recovery", "sender", "session", "mailbox", "doors", "jobs", "config", "links", "passkeys", "apps", "export", "tests",
}  # fmt: skip
CATCHING_LOOPS = (
    "jobs.py",
    "smtp/session.py",
    "dispatch/sender.py",
    "intake/services.py",
    "intake/doors/storing.py",
    "dispatch/books.py",
    "dispatch/line.py",
)
APPEND_ONLY = {"Entry": "evidence", "Outcome": "outcomes"}
MAKES = {"create", "bulk_create", "get_or_create", "update_or_create"}
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
TAG = re.compile(r"{%.*?%}|{{.*?}}")
INLINE = re.compile(
    r"""\sstyle\s*=\s*["']|\son[a-z]+\s*=\s*["']|<style\b|<script\b(?![^>]*\bsrc=)"""
)


def is_shell(path: Path) -> bool:
    """Say whether a module may read the clock."""
    names = {path.stem.split("_")[-1], path.stem, *path.parent.parts}
    return bool(names & SHELLS) or "counter" in path.parts


def objections(path: Path, source: str) -> Iterator[tuple[int, str]]:
    """Give the line and the rule for everything in a Python file that breaks one."""
    tree = ast.parse(source)
    in_tests = "tests" in path.parts
    migration = "migrations" in path.parts
    if not migration and source.strip() and not ast.get_docstring(tree):
        yield 1, "a module without a first sentence"
    # Reading a file token by token is slow, so only one that holds such a word at all is.
    comments = LATER.search(source) is not None
    for token in tokenize.generate_tokens(io.StringIO(source if comments else "").readline):
        if token.type == tokenize.COMMENT and LATER.search(token.string):
            yield token.start[0], "left for later"
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if (
                owner,
                name,
            ) in CLOCKS and not is_shell(path):
                yield node.lineno, f"{owner}.{name}() outside a shell: take the time as an argument"
            case ast.Call(func=ast.Attribute(attr="select_for_update"), keywords=keywords) if (
                not any(keyword.arg == "no_key" for keyword in keywords)
            ):
                yield node.lineno, "select_for_update without no_key="
            case ast.Call(
                func=ast.Attribute(attr="patch") | ast.Name(id="patch"),
                args=[ast.Constant(value=str(target)), *_],
            ) if target.startswith("circular."):
                yield node.lineno, "our own code is patched"
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(value=ast.Name(id=model)), attr=name)
            ) if (
                name in MAKES
                and APPEND_ONLY.get(model, "") not in {"", path.parent.name}
                and not in_tests
            ):
                yield node.lineno, f"{model} is made by its own room only"
            case ast.ExceptHandler() if (
                not in_tests and _catches_all(node) and not path.as_posix().endswith(CATCHING_LOOPS)
            ):
                yield node.lineno, "everything is caught outside the three loops"
            case ast.ImportFrom(module=str(module)) if (
                migration and module.startswith("circular.") and "migrations" not in module
            ):
                yield node.lineno, "a migration imports a room"
            case _:
                pass


def _catches_all(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler swallows whatever comes; raising at its end is not swallowing."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    everything = any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"})
        for kind in kinds
    )
    ends = handler.body[-1]
    return everything and not (isinstance(ends, ast.Raise) and ends.exc is None)


def page_objections(source: str) -> Iterator[tuple[int, str]]:
    """Give the line of every inline style, script or handler of a page."""
    for number, line in enumerate(source.splitlines(), start=1):
        if INLINE.search(TAG.sub("", line)):
            yield number, "inline style, script or handler in a page"


def main() -> int:
    """Print one line per objection."""
    found: list[str] = []
    for folder in ("src", "tests", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            where = path.relative_to(ROOT)
            found += [
                f"{where}:{line}: {text}"
                for line, text in objections(where, path.read_text("utf-8"))
            ]
    for path in sorted((ROOT / "src").rglob("templates/**/*.html")):
        where = path.relative_to(ROOT)
        if "letters" not in where.parts:  # mail programs know no style sheets
            found += [
                f"{where}:{line}: {text}" for line, text in page_objections(path.read_text("utf-8"))
            ]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
