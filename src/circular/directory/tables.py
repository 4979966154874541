"""Read a list of accounts from the bytes of a file, and say of each line whether it is good. Pure.

Rule 1: `read_table` never raises; a file that is no list is an `Unreadable` with its reason.
Rule 2: every line of the file is either an account or a bad line; none is dropped in silence.
Rule 3: a line is good only if all its fields are; half an account is not imported.
Rule 4: an address stands once; the second line that has it is bad and names the first.
Rule 5: nothing is guessed about a person: an unknown group or an unknown word for *active* is bad.

Shapes:  columns in any order; unknown columns are ignored and named
Units:   line numbers are those of the file, from 1; the header is line 1
Known gaps: XLSX is refused with a word of advice; it is read by a later issue.
Sources: RFC 4180 (the form); what spreadsheets in Spanish really write: Windows-1252, `;` between
         cells, `sep=;` as first line, UTF-16 as "Unicode text".
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from circular.mailformat.addresses import normalize

MOST_OCTETS = 200 * 1024 * 1024  # 1,000,000 lines of 200 octets: a ministry in one file
MOST_LINES = 1_000_000
MOST_CELL = 200  # characters: the width of the columns in `models.Account`
MOST_COLUMNS = 200


class Fault(StrEnum):
    """Why a file as a whole cannot be read."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    SPREADSHEET = "spreadsheet"
    IMAGE = "image"
    DOCUMENT = "document"
    ARCHIVE = "archive"
    WEB_PAGE = "web_page"
    BINARY = "binary"
    NO_HEADER = "no_header"
    NO_ADDRESS_COLUMN = "no_address_column"
    COLUMN_TWICE = "column_twice"
    TOO_MANY_LINES = "too_many_lines"
    TOO_MANY_COLUMNS = "too_many_columns"


class Flaw(StrEnum):
    """Why one line is bad."""

    NO_ADDRESS = "no_address"
    BAD_ADDRESS = "bad_address"
    ADDRESS_TWICE = "address_twice"
    UNKNOWN_GROUP = "unknown_group"
    UNKNOWN_ACTIVE = "unknown_active"
    TOO_LONG = "too_long"
    CONTROL_CHARACTER = "control_character"
    TOO_MANY_CELLS = "too_many_cells"
    OPEN_QUOTE = "open_quote"


class Column(StrEnum):
    """What a column of the list may say."""

    ADDRESS = "address"
    EXTERNAL_ID = "external_id"
    GIVEN_NAME = "given_name"
    FAMILY_NAME = "family_name"
    PREFERRED_NAME = "preferred_name"
    GROUPS = "groups"
    UNIT = "unit"
    FACULTY = "faculty"
    PROGRAMME = "programme"
    CAMPUS = "campus"
    ACTIVE = "active"


# Keys are folded: no case, no accents, words joined by one blank.
ALIASES: dict[str, Column] = {
    alias: column
    for column, aliases in {
        Column.ADDRESS: (
            "address|email|e mail|mail|email address|correo|correo electronico|correo institucional"
            "|direccion|direccion de correo|direccion de correo electronico|cuenta"
            "|cuenta institucional|cuenta de correo"
        ),
        Column.EXTERNAL_ID: (
            "id|external id|identifier|documento|documento de identidad|numero de documento"
            "|identificacion|cedula|codigo|codigo estudiantil"
        ),
        Column.GIVEN_NAME: "given name|first name|given names|nombre|nombres|primer nombre",
        Column.FAMILY_NAME: "family name|last name|surname|surnames|apellido|apellidos",
        Column.PREFERRED_NAME: "preferred name|nombre preferido|nombre identitario|nombre social",
        Column.GROUPS: (
            "groups|group|grupo|grupos|estamento|estamentos|vinculacion|tipo de vinculacion|tipo"
        ),
        Column.UNIT: "unit|department|office|dependencia|unidad|area|oficina",
        Column.FACULTY: "faculty|school|facultad",
        Column.PROGRAMME: "programme|program|programa|programa academico|carrera|plan de estudios",
        Column.CAMPUS: "campus|sede|seccional",
        Column.ACTIVE: "active|activo|activa|estado|vigente|status",
    }.items()
    for alias in aliases.split("|")
}

GROUPS = ("student", "teaching", "administrative")
GROUP_WORDS: dict[str, str] = {
    word: group
    for group, words in {
        "student": "student|students|estudiante|estudiantes|alumno|alumna|alumnos",
        "teaching": (
            "teaching|teacher|teachers|teaching staff|docente|docentes|profesor|profesora|profesores"
        ),
        "administrative": (
            "administrative|administrative staff|staff|administrativo|administrativa"
            "|administrativos|funcionario|funcionaria|funcionarios|empleado|empleada"
        ),
    }.items()
    for word in words.split("|")
}
ACTIVE_WORDS: dict[str, bool] = {
    **dict.fromkeys(
        ("", "1", "si", "s", "yes", "y", "true", "t", "x", "verdadero", "activo", "activa"), True
    ),
    **dict.fromkeys(("active", "vigente", "matriculado", "matriculada"), True),
    **dict.fromkeys(("0", "no", "n", "false", "f", "falso", "inactivo", "inactiva"), False),
    **dict.fromkeys(("inactive", "retirado", "retirada", "suspendido", "suspendida"), False),
}

MAGIC: tuple[tuple[bytes, Fault], ...] = (
    (b"\x89PNG", Fault.IMAGE),
    (b"\xff\xd8\xff", Fault.IMAGE),
    (b"GIF8", Fault.IMAGE),
    (b"BM", Fault.IMAGE),  # looked at only when the content is not plain text
    (b"RIFF", Fault.IMAGE),
    (b"II*\x00", Fault.IMAGE),
    (b"MM\x00*", Fault.IMAGE),
    (b"%PDF", Fault.DOCUMENT),
    (b"{\\rtf", Fault.DOCUMENT),
    (b"\xd0\xcf\x11\xe0", Fault.SPREADSHEET),  # OLE: .xls (and .doc) of the nineties
    (b"\x1f\x8b", Fault.ARCHIVE),
    (b"Rar!", Fault.ARCHIVE),
    (b"7z\xbc\xaf", Fault.ARCHIVE),
)
DELIMITERS = ";,\t|"
MOST_LINES_OF_A_ROW = 20  # a cell may hold line ends; more lines than this are an open quote
# Control characters, halves of characters, line and paragraph separators.
UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """One good line, normalized."""

    line: int
    address: str
    external_id: str = ""
    given_name: str = ""
    family_name: str = ""
    preferred_name: str = ""
    groups: tuple[str, ...] = ()
    unit: str = ""
    faculty: str = ""
    programme: str = ""
    campus: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """One line that is not imported, and why. `address` is there when it could be read."""

    line: int
    flaw: Flaw
    detail: str = ""  # the word or column at fault, shortened
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Everything a file says."""

    accounts: tuple[AccountLine, ...]
    bad: tuple[BadLine, ...]
    encoding: str
    delimiter: str
    ignored: tuple[str, ...]  # headers of columns that mean nothing here


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why the file is no list of accounts; `detail` names the column or number at fault."""

    fault: Fault
    detail: str = ""


def folded(text: str) -> str:
    """Return the text without case, accents and punctuation, its words joined by one blank."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[^\W_]+", bare))


def read_table(content: bytes) -> Table | Unreadable:
    """Read the whole list, or say why the file is none."""
    text = _text_of(content)
    if isinstance(text, Unreadable):
        return text
    characters, encoding = text
    first, _, rest = characters.partition("\n")
    if re.fullmatch(r"sep=(.)\r?", first):  # Excel's own note to itself
        characters = rest
        skipped = 1
    else:
        skipped = 0
    layout = _layout_of(characters)
    if isinstance(layout, Unreadable):
        return layout
    accounts: list[AccountLine] = []
    bad: list[BadLine] = []
    seen: dict[str, int] = {}
    for number, cells in _rows(characters, layout.delimiter):
        line = number + skipped
        if number == 1 or (cells is not None and not any(cell.strip() for cell in cells)):
            continue
        if len(accounts) + len(bad) >= MOST_LINES:
            return Unreadable(Fault.TOO_MANY_LINES, str(MOST_LINES))
        read = _account(line, cells, layout)
        if isinstance(read, AccountLine) and read.address in seen:
            first_line = str(seen[read.address])
            read = BadLine(
                line=line, flaw=Flaw.ADDRESS_TWICE, detail=first_line, address=read.address
            )
        if isinstance(read, BadLine):
            bad.append(read)
        else:
            seen[read.address] = line
            accounts.append(read)
    return Table(
        accounts=tuple(accounts),
        bad=tuple(bad),
        encoding=encoding,
        delimiter=layout.delimiter,
        ignored=layout.ignored,
    )


def _text_of(content: bytes) -> tuple[str, str] | Unreadable:
    if len(content) > MOST_OCTETS:
        return Unreadable(Fault.TOO_LARGE, str(MOST_OCTETS // (1024 * 1024)))
    if not content.strip():
        return Unreadable(Fault.EMPTY)
    if content.startswith(b"PK\x03\x04"):
        office = any(mark in content[:4096] for mark in (b"[Content_Types]", b"mimetype", b"xl/"))
        return Unreadable(Fault.SPREADSHEET if office else Fault.ARCHIVE)
    if re.match(rb"\s*<(!doctype|html|\?xml|table)", content[:200], re.IGNORECASE):
        return Unreadable(Fault.WEB_PAGE)
    for encoding in _encodings(content):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _looks_binary(text):
            return text.removeprefix("\ufeff"), encoding.removesuffix("-sig")
    for magic, fault in MAGIC:
        if content.startswith(magic):
            return Unreadable(fault)
    return Unreadable(Fault.BINARY)


def _encodings(content: bytes) -> tuple[str, ...]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    return ("utf-8-sig", "cp1252")


def _looks_binary(text: str) -> bool:
    """Tell by its first characters: a list has no control characters but line ends and tabs."""
    return re.search(r"[\x00-\x08\x0e-\x1f]", text[:2000]) is not None


@dataclass(frozen=True, slots=True)
class _Layout:
    delimiter: str
    columns: dict[int, Column]
    width: int
    ignored: tuple[str, ...]
    headers: tuple[str, ...]


def _layout_of(text: str) -> _Layout | Unreadable:
    """Choose the delimiter under which the header names most columns that we know."""
    layouts = [_header(text, delimiter) for delimiter in DELIMITERS]
    best = max(layouts, key=lambda layout: (len(layout.columns), layout.width))
    if best.width > MOST_COLUMNS:
        return Unreadable(Fault.TOO_MANY_COLUMNS, str(MOST_COLUMNS))
    if not best.columns:
        return Unreadable(Fault.NO_HEADER)
    if Column.ADDRESS not in best.columns.values():
        return Unreadable(Fault.NO_ADDRESS_COLUMN)
    for column in set(Column) - {Column.EXTERNAL_ID}:
        if sum(known is column for known in best.columns.values()) > 1:
            return Unreadable(Fault.COLUMN_TWICE, column.value)
    return _with_one_identifier(best)


def _with_one_identifier(layout: _Layout) -> _Layout:
    """Keep the first identifier: a list may well have both a document and a code."""
    places = [place for place, known in layout.columns.items() if known is Column.EXTERNAL_ID]
    return _Layout(
        delimiter=layout.delimiter,
        columns={
            place: known for place, known in layout.columns.items() if place not in places[1:]
        },
        width=layout.width,
        ignored=(*layout.ignored, *(layout.headers[place].strip()[:60] for place in places[1:])),
        headers=layout.headers,
    )


def _header(text: str, delimiter: str) -> _Layout:
    cells = next((cells for _, cells in _rows(text, delimiter)), None) or []
    known = {place: ALIASES.get(folded(cell)) for place, cell in enumerate(cells)}
    return _Layout(
        delimiter=delimiter,
        columns={place: column for place, column in known.items() if column is not None},
        width=len(cells),
        ignored=tuple(
            cell.strip()[:60] for place, cell in enumerate(cells) if known[place] is None and cell
        ),
        headers=tuple(cells),
    )


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Give each row with the number of the line where it begins; None is a row we cannot read.

    A quote that is never closed would swallow the rest of the file. So a row is read from a few
    lines only; where that fails, its first line alone is bad and reading goes on with the next.
    """
    lines = io.StringIO(text, newline="").readlines()  # splits at CR, LF and CRLF alike
    place = 0
    while place < len(lines):
        line = lines[place]
        if '"' not in line:
            yield place + 1, line.rstrip("\r\n").split(delimiter)
            place += 1
            continue
        reader = csv.reader(
            lines[place : place + MOST_LINES_OF_A_ROW], delimiter=delimiter, strict=True
        )
        try:
            yield place + 1, next(reader)
            place += reader.line_num
        except (csv.Error, StopIteration):
            yield place + 1, None
            place += 1


def _account(line: int, cells: Sequence[str] | None, layout: _Layout) -> AccountLine | BadLine:
    """Read one line; the first flaw found is the one reported."""
    if cells is None:
        return BadLine(line=line, flaw=Flaw.OPEN_QUOTE)
    values = dict.fromkeys(Column, "")
    for place, column in layout.columns.items():
        if place < len(cells):
            values[column] = cells[place].strip()
    written = values[Column.ADDRESS]
    address = normalize(written)
    if address is None:
        flaw = Flaw.BAD_ADDRESS if written else Flaw.NO_ADDRESS
        return BadLine(line=line, flaw=flaw, detail=written[:60])
    if len(cells) > layout.width and any(cell.strip() for cell in cells[layout.width :]):
        return BadLine(line=line, flaw=Flaw.TOO_MANY_CELLS, detail=str(len(cells)), address=address)
    for column, value in values.items():
        if len(value) > MOST_CELL:
            return BadLine(line=line, flaw=Flaw.TOO_LONG, detail=column.value, address=address)
        # A line end in a name would be a header of its own in a letter.
        if not value.isprintable() and UNWANTED.search(value):
            return BadLine(
                line=line, flaw=Flaw.CONTROL_CHARACTER, detail=column.value, address=address
            )
    groups, unknown = _groups(values[Column.GROUPS])
    if unknown:
        return BadLine(line=line, flaw=Flaw.UNKNOWN_GROUP, detail=unknown[:60], address=address)
    active = _active(values[Column.ACTIVE])
    if active is None:
        word = values[Column.ACTIVE][:60]
        return BadLine(line=line, flaw=Flaw.UNKNOWN_ACTIVE, detail=word, address=address)
    return AccountLine(
        line=line,
        address=address,
        external_id=values[Column.EXTERNAL_ID],
        given_name=values[Column.GIVEN_NAME],
        family_name=values[Column.FAMILY_NAME],
        preferred_name=values[Column.PREFERRED_NAME],
        groups=groups,
        unit=values[Column.UNIT],
        faculty=values[Column.FACULTY],
        programme=values[Column.PROGRAMME],
        campus=values[Column.CAMPUS],
        active=active,
    )


@lru_cache(maxsize=10_000)  # a list of 100,000 people has a handful of different cells
def _groups(cell: str) -> tuple[tuple[str, ...], str]:
    """Return the groups that a cell names, in order, and the first word that is none."""
    words = [word.strip() for word in re.split(r"[;,|/]", cell) if word.strip()]
    known = [GROUP_WORDS.get(folded(word)) for word in words]
    unknown = next((word for word, group in zip(words, known, strict=True) if group is None), "")
    return tuple(sorted({group for group in known if group is not None})), unknown


@lru_cache(maxsize=10_000)
def _active(cell: str) -> bool | None:
    return ACTIVE_WORDS.get(folded(cell))
