"""What a requester wrote becomes HTML that every mail client shows and none is harmed by. Pure.

Rules:
  1. Style sheets become inline styles first, then an allow-list decides: elements, attributes,
     style properties and link schemes that are not on it go.
  2. Cleaning is idempotent: clean HTML comes out unchanged.
  3. Advice never blocks: it is a list of codes, and ``labels`` has the sentence for each.

Sources: reliability.md §3 ("HTML") and §4 (nh3 measured against 6,942 payloads); practice.md §4
         ("Accessibility"); WCAG 2.2 §1.1.1, §1.4.5 and §2.4.4.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from html.parser import HTMLParser

import css_inline
import nh3
from typing_extensions import override

from circular.mailformat.html import text_of

TAGS = {
    "a", "abbr", "address", "b", "blockquote", "br", "caption", "center", "cite", "code", "col",
    "colgroup", "dd", "del", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3",
    "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s",
    "samp", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot",
    "th", "thead", "time", "tr", "tt", "u", "ul", "var", "wbr", "font",
}  # fmt: skip
_GONE_WITH_CONTENT = {"script", "style", "title", "template", "noscript", "svg", "math", "object"}
_ATTRIBUTES = {
    "*": {"style", "dir", "lang", "title", "align", "valign", "role"},
    "a": {"href", "name"},
    "img": {"src", "alt", "width", "height", "border"},
    "table": {"width", "border", "cellpadding", "cellspacing", "bgcolor", "summary", "height"},
    "tr": {"bgcolor", "height"},
    "td": {"colspan", "rowspan", "width", "height", "bgcolor", "headers", "nowrap"},
    "th": {"colspan", "rowspan", "width", "height", "bgcolor", "headers", "scope", "nowrap"},
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "font": {"color", "face", "size"},
    "time": {"datetime"},
}
# No position, no content, no url-bearing property: nothing may cover or fetch.
_STYLE_PROPERTIES = {
    "background-color", "border", "border-bottom", "border-collapse", "border-color", "border-left",
    "border-radius", "border-right", "border-spacing", "border-style", "border-top", "border-width",
    "color", "direction", "display", "font", "font-family", "font-size", "font-style",
    "font-variant", "font-weight", "height", "letter-spacing", "line-height", "list-style-type",
    "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-height",
    "max-width", "min-height", "min-width", "overflow-wrap", "padding", "padding-bottom",
    "padding-left", "padding-right", "padding-top", "table-layout", "text-align",
    "text-decoration", "text-indent", "text-transform", "vertical-align", "white-space", "width",
    "word-break",
}  # fmt: skip
_SCHEMES = {"http", "https", "mailto", "tel", "cid"}
_MOST = 2_000_000  # characters; a mail of more is clipped by every client (Gmail: 102 kB)
_CLIPPED_OCTETS = 102_000  # Gmail hides what comes after (its own help page, seen 2024)
_SUBJECT = 78  # characters shown by common clients in a list
_HEAVY_OCTETS = 5_000_000
# Link words that say nothing out of their sentence (WCAG 2.2 §2.4.4), without blanks and dots.
_VAGUE_LINKS = frozenset(
    [
        "aquí",
        "aqui",
        "acá",
        "aca",
        "clic",
        "click",
        "enlace",
        "link",
        "here",
        "ver",
        "más",
        "vermás",
        "leermás",
        "clicaquí",
        "clickaquí",
        "hagaclicaquí",
        "hagaclickaquí",
        "declicaquí",
        "pulseaquí",
        "ingreseaquí",
        "clickhere",
        "readmore",
    ]
)


class Advice(StrEnum):
    """What could be better; every member has a translated sentence."""

    IMAGE_ONLY = "image_only"
    MISSING_ALT = "missing_alt"
    UPPERCASE_SUBJECT = "uppercase_subject"
    LONG_SUBJECT = "long_subject"
    VAGUE_LINK = "vague_link"
    REMOTE_IMAGE = "remote_image"
    CLIPPED = "clipped"
    HEAVY = "heavy"
    EMPTY = "empty"
    PARTS_REMOVED = "parts_removed"
    HEADING_SKIPPED = "heading_skipped"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Clean HTML, and what a reviewer should look at."""

    html: str
    advice: tuple[Advice, ...]


class TooLongError(ValueError):
    """HTML beyond any mail."""


def clean_html(html: str) -> str:
    """Return the HTML without anything that is not on the allow-lists.

    Repeat:  cleaning twice changes nothing
    Raises:  TooLongError
    """
    if len(html) > _MOST:
        raise TooLongError(f"{len(html)} characters")
    html = html.replace("\x00", "")
    if "<style" in html.lower():
        # A broken style sheet is dropped below; the words stay.
        with contextlib.suppress(css_inline.InlineError, ValueError):
            html = css_inline.CSSInliner(
                load_remote_stylesheets=False, keep_style_tags=False, keep_link_tags=False
            ).inline(html)
    return nh3.clean(
        html,
        tags=TAGS,
        clean_content_tags=_GONE_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel=None,
        filter_style_properties=_STYLE_PROPERTIES,
        attribute_filter=_only_plain_styles,
        strip_comments=True,
    ).strip()


def _only_plain_styles(tag: str, name: str, value: str) -> str | None:
    """Drop a style that fetches (``url(…)``) and an image from a scheme that is only for links."""
    if name == "style" and ("(" in value.replace("rgb(", "").replace("rgba(", "")):
        return None
    if tag == "img" and name == "src" and value.lower().startswith(("mailto:", "tel:")):
        return None
    return value


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.images = 0
        self.missing_alt = 0
        self.remote = 0
        self.vague = 0
        self.skipped = False
        self._heading = 1  # the frame's own title is the h1
        self._link: list[str] | None = None

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if tag == "img":
            self.images += 1
            self.missing_alt += "alt" not in facts
            self.remote += facts.get("src", "").startswith(("http:", "https:"))
            if self._link is not None:
                self._link.append(facts.get("alt", ""))
        elif tag == "a" and facts.get("href"):
            self._link = []
        elif re.fullmatch(r"h[1-6]", tag):
            level = int(tag[1])
            self.skipped |= level > self._heading + 1
            self._heading = level

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._link is not None:
            words = re.sub(r"[\s.:»«>]+", "", "".join(self._link)).casefold()
            self.vague += not words or words in _VAGUE_LINKS
            self._link = None

    @override
    def handle_data(self, data: str) -> None:
        if self._link is not None:
            self._link.append(data)


def clean(html: str, *, subject: str = "", attached_octets: int = 0) -> Cleaned:
    """Clean what was written and say what a reader would trip over.

    Raises:  TooLongError
    """
    cleaned = clean_html(html)
    return Cleaned(cleaned, advice_on(cleaned, html, subject, attached_octets))


def advice_on(cleaned: str, written: str, subject: str, attached_octets: int) -> tuple[Advice, ...]:
    """Return advice in a fixed order, each at most once."""
    reader = _Reader()
    reader.feed(cleaned)
    reader.close()
    words = re.sub(r"\[[^\]]*\]", "", text_of(cleaned)).split()
    letters = [char for char in subject if char.isalpha()]
    found: Sequence[tuple[Advice, bool]] = (
        (Advice.EMPTY, not words and not reader.images),
        # Fewer words than this beside an image: the image carries the message (practice.md §4).
        (Advice.IMAGE_ONLY, bool(reader.images) and len(words) < 12),
        (Advice.MISSING_ALT, reader.missing_alt > 0),
        (Advice.REMOTE_IMAGE, reader.remote > 0),
        (Advice.VAGUE_LINK, reader.vague > 0),
        (Advice.HEADING_SKIPPED, reader.skipped),
        (Advice.UPPERCASE_SUBJECT, len(letters) > 5 and all(char.isupper() for char in letters)),
        (Advice.LONG_SUBJECT, len(subject) > _SUBJECT),
        (Advice.CLIPPED, len(cleaned.encode("utf-8")) > _CLIPPED_OCTETS),
        (Advice.HEAVY, attached_octets > _HEAVY_OCTETS),
        (
            Advice.PARTS_REMOVED,
            re.search(
                r"<(script|iframe|form|object|embed|video|audio|svg|input|button)\b"
                r"|<img\b[^>]{0,500}\ssrc\s{0,9}=\s{0,9}[\"']?data:",
                written,
                re.IGNORECASE,
            )
            is not None,
        ),
    )
    return tuple(advice for advice, true in found if true)
