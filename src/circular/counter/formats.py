"""Figures, times and seals as the office writes them: pure functions of a value and a language.

Rules:
1. Figures are grouped by the language's own mark: 14.286 in Spanish, 14,286 in English.
2. A time is "18 nov, 14:26"; the year is said when it is not the current one.
3. "hoy" and "ayer" stand only beside an hour; nothing says "hace un momento".
4. Spans are business spans: hours and minutes, never days of 24 hours.
"""

from datetime import date, datetime, timedelta

MONTHS = {
    "es": ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}
WEEKDAYS = {
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
TODAY = {"es": "hoy", "en": "today"}
YESTERDAY = {"es": "ayer", "en": "yesterday"}
TOMORROW = {"es": "mañana", "en": "tomorrow"}
GROUP = {"es": ".", "en": ","}
DECIMAL = {"es": ",", "en": "."}

MINUS = "−"
KILO = 1000  # decimal, as mail systems' own limits are stated


def language_of(code: str | None) -> str:
    """Return the language whose words we have: Spanish unless it is English."""
    return "en" if (code or "").lower().startswith("en") else "es"


def figure(value: int, language: str) -> str:
    """Return a whole number in groups of three, with a real minus sign."""
    grouped = f"{abs(value):,}".replace(",", GROUP[language])
    return (MINUS if value < 0 else "") + grouped


def percent(part: int, whole: int, language: str, *, digits: int = 0) -> str:
    """Return a share as "67 %"; a part that is not whole is never rounded up to all of it."""
    if whole <= 0:
        return f"0{_thin(language)}%"
    share = 100 * part / whole
    if part < whole:
        share = min(share, 100 - 10.0**-digits)
    text = f"{share:.{digits}f}".replace(".", DECIMAL[language])
    return f"{text}{_thin(language)}%"


def _thin(language: str) -> str:
    """Return what stands between a figure and its per cent sign."""
    return "\u00a0" if language == "es" else ""


def octets(value: int, language: str) -> str:
    """Return a size as "38 kB", with one decimal from a megabyte up."""
    if value < KILO:
        return f"{value} B"
    if value < KILO * KILO:
        return f"{round(value / KILO)} kB"
    return f"{value / KILO / KILO:.1f} MB".replace(".", DECIMAL[language])


def day(value: date, language: str, *, today: date, weekday: bool = False) -> str:
    """Return "18 nov", with the year when it is not this one, after the weekday if wanted."""
    month = MONTHS[language][value.month - 1]
    text = f"{value.day} {month}" + (f" {value.year}" if value.year != today.year else "")
    return f"{WEEKDAYS[language][value.weekday()]} {text}" if weekday else text


def moment(
    value: datetime, language: str, *, now: datetime, seconds: bool = False, weekday: bool = False
) -> str:
    """Return "18 nov, 14:26".

    Units:  both times in the zone of the reader.
    """
    clock = value.strftime("%H:%M:%S" if seconds else "%H:%M")
    return f"{day(value.date(), language, today=now.date(), weekday=weekday)}, {clock}"


def moment_with_year(value: datetime, language: str) -> str:
    """Return "18 nov 2026, 14:26": for stamps and certificates, which are read years later."""
    month = MONTHS[language][value.month - 1]
    return f"{value.day} {month} {value.year}, {value.strftime('%H:%M')}"


def moment_near(value: datetime, language: str, *, now: datetime) -> str:
    """Return "hoy, 15:00", "ayer, 15:00", "mañana, 10:31" or "jueves 19 nov, 10:31"."""
    clock = value.strftime("%H:%M")
    match (value.date() - now.date()).days:
        case 0:
            return f"{TODAY[language]}, {clock}"
        case -1:
            return f"{YESTERDAY[language]}, {clock}"
        case 1:
            return f"{TOMORROW[language]}, {clock}"
        case _:
            return moment(value, language, now=now, weekday=True)


def business(value: timedelta) -> str:
    """Return "6 h 5 min"; under a minute is "1 min", so that nothing is ever "0 min"."""
    minutes = max(1, round(abs(value).total_seconds() / 60))
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    if rest or not hours:
        parts.append(f"{rest} min")
    return " ".join(parts)


def seal(digest: str) -> str:
    """Return "8f2c…a4e1": enough to compare by eye."""
    return f"{digest[:4]}…{digest[-4:]}" if len(digest) > 8 else digest


def seal_long(digest: str) -> str:
    """Return "8f2c 19d7 … 03b6 a4e1"."""
    if len(digest) <= 16:
        return digest
    return f"{digest[:4]} {digest[4:8]} … {digest[-8:-4]} {digest[-4:]}"


def lowered(text: str) -> str:
    """Return a text as part of a sentence: small first letter, abbreviations and names untouched."""
    text = text.strip().rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


WORDS = {
    "es": (
        "",
        "un",
        "dos",
        "tres",
        "cuatro",
        "cinco",
        "seis",
        "siete",
        "ocho",
        "nueve",
        "diez",
        "once",
        "doce",
    ),
    "en": (
        "",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ),
}


def in_words(value: int, language: str, *, feminine: bool = False) -> str:
    """Return a count from 1 to 12 in words with a capital, else in figures: how headings begin."""
    words = WORDS[language]
    if not 0 < value < len(words):
        return figure(value, language)
    word = "una" if feminine and value == 1 and language == "es" else words[value]
    return word.capitalize()
