"""The words of an HTML document as plain text, for the text part and for reading a mail.

Rules:
  1. It never raises and never recurses: any string is HTML of some kind.
  2. It is linear in the length: what never ends (a tag, a comment, a quotation) swallows the rest, as
     in a browser, instead of being tried again from every character.
  3. What a reader would not see (style, script, title) gives no text.
  4. A link keeps its address when it differs from its words; an image gives its alternative text.

Known gaps: layout tables become lines, not columns; hidden preheaders are read.
Sources: WHATWG HTML §13.2.5 (tokenization, in much reduced form). ``html.parser`` of Python 3.11.7 is
         not used: 50,000 times ``<!--`` cost it 26 seconds (measured here), and anybody may write to us.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final

_RAW = frozenset({"script", "style", "title", "template", "noscript", "textarea", "svg", "math"})
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
_READ = frozenset({"a", "img"})  # the elements whose attributes are read
_LINE = frozenset({"br", "li", "tr", "caption"})
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_TAG_NAME = re.compile(r"</?([a-zA-Z][^\s/>]{0,40})")
# To the ">" that ends a tag, quotations skipped; possessive, so a failure costs one pass.
_TAG_END = re.compile(r"""[^>"']*+(?:"[^"]*+"[^>"']*+|'[^']*+'[^>"']*+)*+>""")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++)))?""")
_MOST: Final = 2_000_000  # characters read; beyond it nothing that people write is left
_MOST_OPEN: Final = 100  # lists and links inside each other; layout needs ten


class _Page:
    """The pieces of text found so far, and the lists and links that are open."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._lists: list[int | None] = []

    def open(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _BLOCK:
            self.pieces.append("\n\n")
        elif tag in _LINE:
            self.pieces.append("\n")
        elif tag in ("td", "th"):
            self.pieces.append(" ")
        if tag in ("ul", "ol") and len(self._lists) < _MOST_OPEN:
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self.pieces.append(self._bullet())
        elif tag == "img" and attributes.get("alt", "").strip():
            self.pieces.append(f"[{' '.join(attributes['alt'].split())}]")
        elif tag == "a" and len(self._links) < _MOST_OPEN:
            self._links.append((attributes.get("href", "").strip(), len(self.pieces)))
        elif tag == "hr":
            self.pieces.append("-" * 40 + "\n\n")

    def _bullet(self) -> str:
        if not self._lists or self._lists[-1] is None:
            return "- "
        self._lists[-1] += 1
        return f"{self._lists[-1]}. "

    def close(self, tag: str) -> None:
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        if tag in _BLOCK:
            self.pieces.append("\n\n")
        elif tag == "a" and self._links:
            self._end_link(*self._links.pop())

    def _end_link(self, address: str, start: int) -> None:
        words = "".join(self.pieces[start : start + 1000])
        if address.startswith(("http://", "https://")) and address.rstrip("/") not in words:
            self.pieces.append(f" ({address})")
        elif address.startswith("mailto:") and "@" not in words:
            self.pieces.append(f" ({address.removeprefix('mailto:').partition('?')[0]})")

    def say(self, text: str) -> None:
        if text:
            self.pieces.append(_SPACES.sub(" ", unescape(text).replace("\n", " ")))


def text_of(html: str) -> str:
    """Return what a reader of this HTML would read, one blank line between paragraphs."""
    html = html[:_MOST]
    page = _Page()
    position = 0
    while position >= 0:
        position = _step(html, position, page)
    lines = [_SPACES.sub(" ", line).strip() for line in "".join(page.pieces).split("\n")]
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _step(html: str, position: int, page: _Page) -> int:
    """Read the text up to the next tag, and that tag; return where to go on, or -1 at the end."""
    start = html.find("<", position)
    if start < 0:
        page.say(html[position:])
        return -1
    page.say(html[position:start])
    if html.startswith("<!--", start):
        return _after(html, "-->", start + 4)
    if html.startswith(("<!", "<?"), start):
        return _after(html, ">", start)
    name = _TAG_NAME.match(html, start)
    if name is None:
        if html.startswith("</", start):
            return _after(html, ">", start)
        page.say("<")
        return start + 1
    end = _TAG_END.match(html, name.end())
    if end is None:
        return -1
    tag = name[1].lower()
    if html.startswith("</", start):
        page.close(tag)
    elif tag in _RAW:
        closing = re.compile(rf"</{tag}\b", re.IGNORECASE).search(html, end.end())
        return closing.start() if closing else -1
    else:
        page.open(tag, _attributes(html[name.end() : end.end() - 1]) if tag in _READ else {})
    return end.end()


def _after(html: str, mark: str, start: int) -> int:
    found = html.find(mark, start)
    return found + len(mark) if found >= 0 else -1


def _attributes(written: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(written):
        value = match[2] if match[2] is not None else match[3]
        found.setdefault(match[1].lower(), unescape(value if value is not None else match[4] or ""))
    return found
