"""The words of an HTML document as plain text, for the text part and for reading a mail.

Rules:
  1. It never raises and never recurses: any string is HTML of some kind.
  2. What a reader would not see (style, script, title, hidden preheaders aside) gives no text.
  3. A link keeps its address when it differs from its words; an image gives its alternative text.

Known gaps: layout tables become lines, not columns.
"""

from __future__ import annotations

import contextlib
import re
from html.parser import HTMLParser

from typing_extensions import override

_UNSEEN = frozenset({"script", "style", "title", "template", "noscript", "head"})
_BLOCK = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "main",
        "nav",
        "p",
        "pre",
        "section",
        "table",
        "ul",
        "ol",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
    ]
)
_LINE = frozenset({"br", "li", "tr", "caption"})
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]+")
_MOST = 5_000_000  # characters read; beyond it nothing that people write is left


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = 0
        self._links: list[tuple[str, int]] = []
        self._lists: list[int | None] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += tag != "head"
            return
        facts = {name: value or "" for name, value in attrs}
        if tag in _BLOCK:
            self.pieces.append("\n\n")
        elif tag in _LINE:
            self.pieces.append("\n")
        elif tag in ("td", "th"):
            self.pieces.append(" ")
        if tag in ("ul", "ol") and len(self._lists) < 100:
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self.pieces.append(self._bullet())
        elif tag == "img" and facts.get("alt", "").strip():
            self.pieces.append(f"[{facts['alt'].strip()}]")
        elif tag == "a":
            self._links.append((facts.get("href", "").strip(), len(self.pieces)))
        elif tag == "hr":
            self.pieces.append("-" * 40 + "\n\n")

    def _bullet(self) -> str:
        if not self._lists or self._lists[-1] is None:
            return "- "
        self._lists[-1] += 1
        return f"{self._lists[-1]}. "

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - (tag != "head"))
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self.pieces.append("\n\n")
        elif tag in _BLOCK:
            self.pieces.append("\n\n")
        elif tag == "a" and self._links:
            address, start = self._links.pop()
            words = "".join(self.pieces[start:]).strip()
            if address.startswith(("http://", "https://")) and address.rstrip("/") not in words:
                self.pieces.append(f" ({address})")
            elif address.startswith("mailto:") and "@" not in words:
                self.pieces.append(f" ({address.removeprefix('mailto:').partition('?')[0]})")

    @override
    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(_SPACES.sub(" ", data.replace("\n", " ")))


def text_of(html: str) -> str:
    """Return what a reader of this HTML would read, one blank line between paragraphs."""
    reader = _Reader()
    # html.parser of CPython 3.11 asserts on some malformed declarations ("<![").
    with contextlib.suppress(AssertionError, ValueError, IndexError):
        reader.feed(html[:_MOST])
        reader.close()
    lines = [_SPACES.sub(" ", line).strip() for line in "".join(reader.pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
