"""What a mail states in plain lines: `Asunto: …`, `Destinatarios: …`, read as the fields of a request.

Rules
1. A field is a line that begins with a known label and a colon; a value may go on in indented lines.
2. Only the block at the beginning is read (a greeting may stand before and between): a label deep in
   the text is the text's own.
3. What was read is taken out of the message; everything else stays as it was, in order.
4. Words that are no field's value are never guessed: an audience or a date that is not understood
   is kept in the author's words for a person.
5. Any text gives an answer; nothing here raises.

Known gaps: labels inside an HTML table are read from its text; the table itself stays in the message.
Sources: the procedure's activity 1 (sender, subject, message); the issue, section F.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from html.parser import HTMLParser
from types import MappingProxyType
from typing import Final

from typing_extensions import override

# Label, folded → field code (the codes of mailing.letter_wording.FIELDS).
LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "remitente": "sender",
        "de parte de": "sender",
        "asunto": "subject",
        "asunto del correo": "subject",
        "destinatarios": "audience",
        "destinatario": "audience",
        "dirigido a": "audience",
        "publico": "audience",
        "publico objetivo": "audience",
        "fecha": "wanted_at",
        "fecha de envio": "wanted_at",
        "fecha y hora": "wanted_at",
        "fecha de salida": "wanted_at",
        "clase": "mail_class",
        "tipo": "mail_class",
        "tipo de correo": "mail_class",
        "motivo": "reason",
        "justificacion": "reason",
        "dependencia": "unit",
        "unidad": "unit",
        "oficina": "unit",
        "responsable": "responsible",
        "contacto": "contact",
        "telefono": "contact",
        "extension": "contact",
        "responder a": "reply_to",
        "respuestas a": "reply_to",
        "sender": "sender",
        "subject": "subject",
        "recipients": "audience",
        "audience": "audience",
        "date": "wanted_at",
        "class": "mail_class",
        "reason": "reason",
        "unit": "unit",
        "responsible": "responsible",
        "contact": "contact",
        "reply to": "reply_to",
    }
)
CLASSES: Final = ("oficial", "informativo", "promocional")
# A greeting or a blank line does not end the block; a sentence does.
_GREETING = re.compile(
    r"(cordial saludo|buen(os|as) (dias|tardes|noches)|buen dia|respetad[oa]s?|estimad[oa]s?|apreciad[oa]s?|hola"
    r"|saludos|solicito|solicitamos|por favor|agradezco|mensaje|texto)\b.{0,160}\Z"
)
_LINE = re.compile(
    r"\s{0,8}[*_>•·-]{0,3}\s{0,4}(?P<label>[^\W\d_][^:\n]{1,39}?)\s{0,4}[*_]{0,2}\s{0,4}:[*_]{0,2}\s{0,8}(?P<value>.*)\Z"
)
_MOST_LINES = 200  # looked at; a block of fields is a dozen lines
_MOST_BESIDE = 12  # lines that are no field before we stop looking
_LONGEST_VALUE = 1000


@dataclass(frozen=True, slots=True)
class Understood:
    """What a mail stated, and its message without those lines."""

    values: Mapping[str, str] = field(default_factory=dict)  # field code → the author's words
    message: str = ""
    lines: tuple[str, ...] = ()  # folded; the lines taken out, to find them in the HTML again


def folded(text: str) -> str:
    """Return text without accents, case and doubled blanks, to compare words by."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def read_fields(text: str) -> Understood:
    """Read the block of fields at the beginning of a message.

    Repeat: reading the message that is left gives no field that was read already
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    values: dict[str, str] = {}
    taken: set[int] = set()
    beside, last = 0, ""
    for number, line in enumerate(lines[:_MOST_LINES]):
        found = _LINE.match(line) if len(line) <= _LONGEST_VALUE else None
        code = LABELS.get(folded(found["label"])) if found else None
        if found is not None and code is not None:
            value = found["value"].strip().strip("*_").strip()
            if value and code not in values:
                values[code] = value
            last = code if value else ""
            taken.add(number)
        elif last and line[:1] in " \t" and line.strip():
            values[last] = f"{values[last]} {line.strip()}"[:_LONGEST_VALUE]
            taken.add(number)
        elif line.strip():
            last = ""
            beside += 1
            if beside > _MOST_BESIDE or not _GREETING.match(folded(line)):
                break
        else:
            last = ""
    if not values:
        return Understood(message=text)
    kept = [line for number, line in enumerate(lines) if number not in taken]
    gone = tuple(folded(lines[number]) for number in sorted(taken))
    return Understood(MappingProxyType(values), "\n".join(kept).strip("\n"), gone)


class _Remover(HTMLParser):
    """Blanks the words of lines that were read as fields; every tag stays where it was."""

    _BREAKS: Final = frozenset(
        [
            "p",
            "div",
            "br",
            "li",
            "ul",
            "ol",
            "tr",
            "td",
            "table",
            "blockquote",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "section",
            "body",
        ]
    )

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__(convert_charrefs=False)
        self._gone = {line for line in lines if line}
        self._pieces: list[tuple[str, str]] = []  # (source, what it says; "" for a tag)
        self._line_starts = 0
        self.out: list[str] = []

    def finish(self) -> str:
        self._end_line()
        return "".join(self.out)

    def _end_line(self) -> None:
        said = folded("".join(words for _source, words in self._pieces))
        if said and said in self._gone:
            self._gone.discard(said)
            self.out += [source for source, words in self._pieces if not words]
        else:
            self.out += [source for source, _words in self._pieces]
        self._pieces = []

    def _tag(self, tag: str, source: str) -> None:
        if tag in self._BREAKS:
            self._end_line()
            self.out.append(source)
        else:
            self._pieces.append((source, ""))

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag, self.get_starttag_text() or "")

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag, self.get_starttag_text() or "")

    @override
    def handle_endtag(self, tag: str) -> None:
        self._tag(tag, f"</{tag}>")

    @override
    def handle_data(self, data: str) -> None:
        self._pieces.append((data, data))

    @override
    def handle_entityref(self, name: str) -> None:
        self._pieces.append((f"&{name};", _character(f"&{name};")))

    @override
    def handle_charref(self, name: str) -> None:
        self._pieces.append((f"&#{name};", _character(f"&#{name};")))

    @override
    def handle_comment(self, data: str) -> None:
        """Leave comments out: nobody reads them, and mail programs put conditions there."""

    @override
    def handle_decl(self, decl: str) -> None:
        """Leave the document type out: what is kept is a fragment."""


def _character(reference: str) -> str:
    from html import unescape

    return unescape(reference)


def without_fields(html: str, understood: Understood) -> str:
    """Return an HTML message without the lines that were read as fields."""
    if not understood.lines:
        return html
    remover = _Remover(understood.lines)
    remover.feed(html)
    remover.close()
    return remover.finish()


# --- what the words mean -------------------------------------------------------------------------

_GROUPS: Final = {
    "student": ("estudiantes", "estudiante", "estudiantado", "alumnos", "students"),
    "teaching": ("docentes", "docente", "profesores", "profesorado", "teaching staff", "teachers"),
    "administrative": (
        "administrativos",
        "administrativo",
        "personal administrativo",
        "administrative staff",
    ),
}
_EVERYBODY: Final = (
    "toda la comunidad",
    "toda la comunidad universitaria",
    "comunidad universitaria",
    "la comunidad universitaria",
    "comunidad",
    "todos",
    "todas las cuentas",
    "whole community",
    "everybody",
)
_FILLER: Final = re.compile(
    r"\b(a|al|los|las|el|la|todos|todas|personal|cuentas|correos|institucionales|activos|the|all|to)\b"
)
_PLACE: Final = re.compile(
    r"(?:\A|\b(?:de|del|en|of)\s+)(?:la\s+|el\s+|las\s+|los\s+)?(?P<kind>facultad|programa|sede|campus|faculty|programme)\b"
    r"(?:\s+(?:de|del|of)\b)?(?:\s+(?:la|las|el|los))?\s*(?P<name>[^,;]*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The faculties, programmes and campuses that the directory holds now, as it spells them."""

    faculties: tuple[str, ...] = ()
    programmes: tuple[str, ...] = ()
    campuses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceRead:
    """Groups and at most one kind of place, every word accounted for."""

    groups: tuple[str, ...] = ()
    faculties: tuple[str, ...] = ()
    programmes: tuple[str, ...] = ()
    campuses: tuple[str, ...] = ()


def read_audience(words: str, places: Places) -> AudienceRead | None:
    """Read audience words, or None when any of them is not understood: a person then chooses."""
    said = folded(words).strip(" .")
    if not said or len(said) > _LONGEST_VALUE:
        return None
    if said.removeprefix("a ") in _EVERYBODY:
        return AudienceRead(groups=tuple(_GROUPS))
    found = {"faculties": (), "programmes": (), "campuses": ()}
    place = _PLACE.search(said)
    if place is not None:
        kind = {
            "facultad": "faculties",
            "faculty": "faculties",
            "programa": "programmes",
            "programme": "programmes",
        }.get(place["kind"], "campuses")
        name = place["name"].strip(" .")
        match = _place_named(name, getattr(places, kind))
        if match is None:
            return None
        found[kind] = (match,)  # type: ignore[assignment]
        said = (said[: place.start()] + " " + said[place.end() :]).strip(" ,;.")
    groups: list[str] = []
    for piece in re.split(r"[,;/+]|\by\b|\be\b|\band\b", said):
        part = " ".join(_FILLER.sub(" ", piece).split())
        if not part:
            continue
        group = next((code for code, names in _GROUPS.items() if part in names), None)
        if group is None:
            return None
        groups.append(group)
    if not groups and place is None:
        return None
    return AudienceRead(groups=tuple(dict.fromkeys(groups)), **found)


def _place_named(name: str, known: tuple[str, ...]) -> str | None:
    """Find a place by its name, with or without "Facultad de" before it; two that fit are none."""

    def bare(spelling: str) -> str:
        return re.sub(
            r"\A(facultad|programa|sede|campus|faculty|programme)( (de|del|of))?( (la|las|el|los))? ",
            "",
            folded(spelling),
        )

    matches = [
        spelling for spelling in known if name and name in (folded(spelling), bare(spelling))
    ]
    return matches[0] if len(matches) == 1 else None


def read_class(words: str) -> str | None:
    """Read the class of a mass mail."""
    said = folded(words).strip(" .")
    return next((name for name in CLASSES if said in (name, name[:-1] + "a")), None)


_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            ("enero", "ene"),
            ("febrero", "feb"),
            ("marzo", "mar"),
            ("abril", "abr"),
            ("mayo", "may"),
            ("junio", "jun"),
            ("julio", "jul"),
            ("agosto", "ago"),
            ("septiembre", "setiembre", "sep", "sept", "set"),
            ("octubre", "oct"),
            ("noviembre", "nov"),
            ("diciembre", "dic"),
        ),
        start=1,
    )
    for name in names
}
_ISO_DAY = re.compile(r"\b(?P<year>20\d\d)-(?P<month>\d\d?)-(?P<day>\d\d?)\b")
_SLASH_DAY = re.compile(r"\b(?P<day>\d\d?)[/.-](?P<month>\d\d?)[/.-](?P<year>(?:20)?\d\d)\b")
_WORD_DAY = re.compile(
    r"\b(?P<day>\d\d?)(?:\s+de)?\s+(?P<word>[a-z]{3,10})\.?(?:\s*(?:de|del|,)?\s*(?P<year>20\d\d))?\b"
)
_HOUR = re.compile(
    r"\b(?P<hour>\d\d?)(?:[:.h](?P<minute>\d\d))?\s*(?P<half>a\.?\s?m\.?|p\.?\s?m\.?|m\.)?(?:\s*(?:h|horas?|hrs?)\b)?(?=\s|,|;|\.|\)|\Z)"
)
_MORNING = time(8)  # a day without an hour: the first business hour (the issue, section I)


def read_date(words: str, *, today: date) -> datetime | None:
    """Read a wanted date as a naive local time, or None when it is not one that a person would read.

    A day without a year is the next such day from today on; without an hour it is 08:00.
    """
    said = folded(words)[:200]
    day, rest = _read_day(said, today)
    if day is None:
        return None
    hour = _read_hour(rest)
    if hour is None:
        return None
    return datetime.combine(day, hour)


def _read_day(said: str, today: date) -> tuple[date | None, str]:
    for pattern in (_ISO_DAY, _SLASH_DAY, _WORD_DAY):
        found = pattern.search(said)
        if found is None:
            continue
        parts = found.groupdict()
        month = _MONTHS.get(parts["word"], 0) if "word" in parts else int(parts["month"])
        year = int(parts["year"]) if parts["year"] else 0
        year += 2000 if 0 < year < 100 else 0
        try:
            day = date(year or today.year, month, int(parts["day"]))
            if not year and day < today:
                day = day.replace(year=today.year + 1)
        except ValueError:
            return None, said
        return day, (said[: found.start()] + " " + said[found.end() :]).strip()
    word = re.search(r"\b(pasado manana|manana|hoy)\b", said)
    if word is not None:
        after = {"hoy": 0, "manana": 1, "pasado manana": 2}[word[1]]
        return today + timedelta(days=after), said.replace(word[1], " ", 1)
    return None, said


def _read_hour(rest: str) -> time | None:
    found = next(
        (m for m in _HOUR.finditer(rest) if m["minute"] or m["half"] or _says_hour(rest)), None
    )
    if found is None:
        return _MORNING
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    half = re.sub(r"[^apm]", "", found["half"] or "")
    if half == "pm" and hour < 12:
        hour += 12
    if half == "am" and hour == 12:
        hour = 0
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _says_hour(rest: str) -> bool:
    return re.search(r"\b(las?|hora|horas|hrs?)\b", rest) is not None
