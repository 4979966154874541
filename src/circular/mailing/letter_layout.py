"""One sheet, two parts: the same facts as plain text of 72 columns and as an accessible HTML table.

Rules
1. Both parts are made from one `Sheet`; the HTML part can hold no fact that the text lacks.
2. Whatever came from outside is one line without control characters, or a quotation with its own
   margin: no value can start a header, a heading or a rule of the letter.
3. A letter has at most one link; it opens a page.

Sources: `look.md` §5 of the design; RFC 5322 §2.1.1 (line length), RFC 3676 §4.3 (signature line).
"""

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

WIDTH = 72  # columns, what a mail client of any age shows unbroken
SUBJECT_LIMIT = 200  # characters; a longer one is cut by clients anyway
# The signature separator of Usenet, without which clients do not fold the footer (RFC 3676 §4.3).
SIGNATURE = "-- "


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences of ours."""

    text: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Labels and values, aligned."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures that a reader can add up; the last row is their sum."""

    rows: tuple[tuple[str, str], ...]
    total: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Quotation:
    """What a person wrote, under a label and with a margin."""

    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checks:
    """Reasons of a verdict; the word says what the mark shows."""

    rows: tuple[tuple[bool, str], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Lines of a unified diff."""

    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A short list under a label."""

    label: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Characters that a person copies."""

    label: str
    code: str


Block = Paragraph | Rows | Totals | Quotation | Checks | Difference | Listing | Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A letter before it becomes text or HTML."""

    fact: str  # the heading, and the beginning of the subject
    matter: str = ""  # the subject of the mass mail
    stamp: str = ""  # the radicado
    blocks: tuple[Block, ...]  # the first one is the opening paragraph
    link: tuple[str, str] | None = None  # (what the page is, absolute address)
    footer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedLetter:
    """What a recipient sees, complete: subject, text part, HTML part."""

    subject: str
    text: str
    html: str


def one_line(value: object) -> str:
    """Say a value on one line, without control, format or line-separating characters.

    Repeat: a second call changes nothing.
    """
    text = unicodedata.normalize("NFC", str(value))
    # Cc, Cf, Zl, Zp and lone surrogates: CR, LF, NUL, bidirectional overrides, U+2028, U+2029.
    kept = "".join(
        " " if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Cs"} else char
        for char in text
    )
    return " ".join(kept.split())


def quoted_lines(value: str, *, limit: int = 60) -> tuple[str, ...]:
    """Cut what a person wrote into safe lines; blank ones at the ends are dropped.

    Shapes: at most `limit` lines, the last one "…" when some were left out.
    """
    lines = [one_line(line) for line in value.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines if len(lines) <= limit else [*lines[:limit], "…"])


def layout(sheet: Sheet, *, language: str, institution: str, office: str) -> RenderedLetter:
    """Lay a sheet out as subject, text and HTML."""
    safe = _safe(sheet)
    subject = _subject(safe)
    return RenderedLetter(
        subject=subject,
        text=_text(safe, institution=one_line(institution), office=one_line(office)),
        html=render_to_string(
            "letters/frame.html",
            {
                "subject": subject,
                "sheet": safe,
                "blocks": [(type(block).__name__.lower(), block) for block in safe.blocks],
                "institution": one_line(institution),
                "office": one_line(office),
                "lang": {"es": "es-CO"}.get(language, language),
                "preheader": safe.blocks[0].text if isinstance(safe.blocks[0], Paragraph) else "",
                "font": FONT,
                "mono": MONO,
            },
        ),
    )


FONT = "'Segoe UI',system-ui,-apple-system,Roboto,Helvetica,Arial,sans-serif"
MONO = "Consolas,'Liberation Mono',Menlo,monospace"


def _subject(sheet: Sheet) -> str:
    stamp = f"[{sheet.stamp}] " if sheet.stamp else ""
    matter = f": {sheet.matter}" if sheet.matter else ""
    subject = f"{stamp}{sheet.fact}{matter}"
    return subject if len(subject) <= SUBJECT_LIMIT else subject[: SUBJECT_LIMIT - 1].rstrip() + "…"


def _safe(sheet: Sheet) -> Sheet:
    """Make every short value one line; quotations were cut by `quoted_lines` and are cut again."""
    return Sheet(
        fact=one_line(sheet.fact),
        matter=one_line(sheet.matter),
        stamp=one_line(sheet.stamp),
        blocks=tuple(_safe_block(block) for block in sheet.blocks),
        link=None if sheet.link is None else (one_line(sheet.link[0]), _safe_link(sheet.link[1])),
        footer=tuple(one_line(line) for line in sheet.footer),
    )


def _safe_link(address: str) -> str:
    if (
        not address.startswith(("https://", "http://"))
        or one_line(address) != address
        or " " in address
    ):
        raise ValueError("a letter links to an absolute web address only")
    return address


def _pairs(rows: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((one_line(label), one_line(value)) for label, value in rows)


def _safe_block(block: Block) -> Block:
    match block:
        case Paragraph(text):
            return Paragraph(one_line(text))
        case Rows(rows):
            return Rows(_pairs(rows))
        case Totals(rows, total):
            return Totals(_pairs(rows), _pairs([total])[0])
        case Quotation(label, lines):
            return Quotation(one_line(label), tuple(one_line(line) for line in lines))
        case Checks(checks):
            return Checks(tuple((holds, one_line(sentence)) for holds, sentence in checks))
        case Difference(label, lines):
            # The first column (+, -, space) is meaning; one_line would strip a leading blank.
            return Difference(
                one_line(label), tuple(line[:1] + one_line(line[1:]) for line in lines if line)
            )
        case Listing(label, items):
            return Listing(one_line(label), tuple(one_line(item) for item in items))
        case Code(label, code):
            return Code(one_line(label), one_line(code))
        case _:
            assert_never(block)


def _text(sheet: Sheet, *, institution: str, office: str) -> str:
    parts = [_wrapped(sheet.fact.upper())]
    blocks: Sequence[Block] = sheet.blocks
    if sheet.stamp:
        stamp = (_("Radicado"), sheet.stamp)
        first = next((i for i, block in enumerate(blocks) if isinstance(block, Rows)), None)
        if first is None:
            parts.append(f"{stamp[0]}: {stamp[1]}")
        else:
            rows = blocks[first]
            assert isinstance(rows, Rows)
            blocks = [*blocks[:first], Rows((stamp, *rows.rows)), *blocks[first + 1 :]]
    parts += [_block_text(block) for block in blocks]
    if sheet.link is not None:
        # The address stands alone on its line, however long: a broken link is a dead one.
        parts.append(f"{sheet.link[0]}:\n{sheet.link[1]}")
    signature = [SIGNATURE, _wrapped(f"{institution}, {office}" if office else institution)]
    parts.append("\n".join([*signature, *(_wrapped(line) for line in sheet.footer)]))
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str, *, first: str = "", rest: str | None = None) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,  # an address or a digest is copied whole
        break_on_hyphens=False,
    )


def _block_text(block: Block) -> str:
    match block:
        case Paragraph(text):
            return _wrapped(text)
        case Rows(rows):
            width = max(len(label) for label, _value in rows)
            return "\n".join(
                _wrapped(value or "–", first=f"  {label:<{width}}   ", rest=" " * (width + 5))
                for label, value in rows
            )
        case Totals(rows, total):
            every = (*rows, total)
            labels = max(len(label) for label, _value in every)
            figures = max(len(value) for _label, value in every)
            lines = [f"  {label:<{labels}}   {value:>{figures}}" for label, value in every]
            return "\n".join([*lines[:-1], "  " + "-" * (labels + figures + 3), lines[-1]])
        case Quotation(label, lines):
            body = "\n".join(_wrapped(line, first="  > ") if line else "  >" for line in lines)
            return _wrapped(f"{label}:") + f"\n{body}"
        case Checks(checks):
            yes, no = _("sí"), _("NO")
            width = max(len(yes), len(no))
            return "\n".join(
                _wrapped(
                    sentence, first=f"  {yes if holds else no:<{width}}   ", rest=" " * (width + 5)
                )
                for holds, sentence in checks
            )
        case Difference(label, lines):
            return "\n".join([_wrapped(f"{label}:"), *(f"  {line}" for line in lines)])
        case Listing(label, items):
            return "\n".join(
                [
                    _wrapped(f"{label}:"),
                    *(_wrapped(item, first="  - ", rest="    ") for item in items),
                ]
            )
        case Code(label, code):
            return f"{label}:\n\n  {code}"
        case _:
            assert_never(block)
