"""The words for groups, audiences, flaws of a list and what an import did."""

from collections.abc import Sequence

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, ngettext
from django.utils.translation import gettext_lazy as _

from circular.directory.reports import ImportOutcome, ImportReport
from circular.directory.rules import Field, Phrase, Rule, describe
from circular.directory.tables import BadLine, Fault, Flaw

GROUPS: dict[str, Promise] = {
    "student": _("estudiantes"),
    "teaching": _("docentes"),
    "administrative": _("administrativos"),
    "": _("sin grupo"),
}
ONE_OF_GROUP: dict[str, Promise] = {
    "student": _("Estudiante"),
    "teaching": _("Docente"),
    "administrative": _("Administrativo"),
}
FIELDS: dict[Field, Promise] = {
    Field.GROUPS: _("Grupo"),
    Field.FACULTIES: _("Facultad"),
    Field.PROGRAMMES: _("Programa"),
    Field.CAMPUSES: _("Sede"),
    Field.UNITS: _("Dependencia"),
}
FAULTS: dict[Fault, Promise] = {
    Fault.EMPTY: _("El archivo está vacío."),
    Fault.TOO_LARGE: _("El archivo pasa de %(detail)s MB. Divídalo o quite columnas."),
    Fault.SPREADSHEET: _(
        "Es un libro de cálculo. Ábralo y guárdelo como CSV; después impórtelo otra vez."
    ),
    Fault.IMAGE: _("Es una imagen, no una lista. Elija el archivo CSV de las cuentas."),
    Fault.DOCUMENT: _("Es un documento, no una lista. Elija el archivo CSV de las cuentas."),
    Fault.ARCHIVE: _("Es un archivo comprimido. Descomprímalo e importe el CSV que contiene."),
    Fault.WEB_PAGE: _("Es una página web: quizá la sesión de donde lo descargó había terminado."),
    Fault.BINARY: _("No es un archivo de texto. Guarde la lista como CSV."),
    Fault.NO_HEADER: _(
        "La línea 1 no nombra ninguna columna conocida. Escriba en ella los nombres de las"
        " columnas, por ejemplo: correo;nombres;apellidos;grupos."
    ),
    Fault.NO_ADDRESS_COLUMN: _(
        "La línea 1 no nombra la columna del correo. Llámela «correo» o «address»."
    ),
    Fault.COLUMN_TWICE: _("La línea 1 nombra dos veces la columna «%(detail)s». Deje una."),
    Fault.TOO_MANY_LINES: _("La lista pasa de %(detail)s líneas."),
    Fault.TOO_MANY_COLUMNS: _("La línea 1 pasa de %(detail)s columnas."),
}
FLAWS: dict[Flaw, Promise] = {
    Flaw.NO_ADDRESS: _("falta el correo"),
    Flaw.BAD_ADDRESS: _("«%(detail)s» no es una dirección de correo"),
    Flaw.ADDRESS_TWICE: _("la dirección ya está en la línea %(detail)s"),
    Flaw.UNKNOWN_GROUP: _(
        "«%(detail)s» no es un grupo; escriba estudiante, docente o administrativo"
    ),
    Flaw.UNKNOWN_ACTIVE: _("«%(detail)s» no dice si la cuenta está activa; escriba sí o no"),
    Flaw.TOO_LONG: _("la columna «%(detail)s» pasa de 200 caracteres"),
    Flaw.CONTROL_CHARACTER: _("la columna «%(detail)s» lleva un fin de línea o un control"),
    Flaw.TOO_MANY_CELLS: _("tiene %(detail)s celdas, más que la línea 1"),
    Flaw.OPEN_QUOTE: _("lleva unas comillas sin cerrar"),
}


RULE_FAULTS: dict[str, Promise] = {
    "not_a_rule": _("No es una regla: escriba, por ejemplo, grupo=estudiante sede=Centro."),
    "not_a_clause": _("La regla nombra un campo que no existe."),
    "not_a_list": _("Los valores de un campo van en una lista."),
    "not_a_value": _("Un valor está vacío o es demasiado largo."),
    "too_many_clauses": _("La regla tiene demasiadas condiciones."),
    "too_many_values": _("Un campo tiene demasiados valores."),
    "not_json": _("Empieza como JSON y no lo es."),
    "open_quote": _("Faltan unas comillas por cerrar."),
    "unknown_field": _(
        "Escriba campo=valor; los campos son grupo, facultad, programa, sede y dependencia."
    ),
    "empty_clause": _("Una condición está vacía; escriba «todos» para todas las cuentas."),
    "unknown_group": _("Los grupos son estudiante, docente y administrativo."),
}


def flaw(line: BadLine) -> str:
    """Say what is wrong with one line."""
    return str(FLAWS[line.flaw]) % {"detail": line.detail}


def fault(report: ImportReport) -> str:
    """Say why the whole file cannot be read."""
    return str(FAULTS[report.fault]) % {"detail": report.detail} if report.fault else ""


def joined(words: Sequence[str], last: str) -> str:
    """Join words as a sentence does: commas, and a word before the last."""
    if len(words) < 2:  # nothing to join
        return "".join(words)
    return gettext("%(first)s %(and)s %(last)s") % {
        "first": ", ".join(words[:-1]),
        "and": last,
        "last": words[-1],
    }


def _and(words: Sequence[str]) -> str:
    # Before a word that sounds with i, Spanish says «e».
    last = words[-1].lower() if words else ""
    vowel = last.startswith(("i", "í", "hi", "hí")) and not last.startswith("hie")
    return joined(words, gettext("e") if vowel else gettext("y"))


def group(code: str) -> str:
    """Name a group as people do; one that nobody translated is named by its code."""
    return str(GROUPS.get(code, code))


def groups(codes: Sequence[str]) -> str:
    return _and([group(code) for code in codes])


def place(field: Field, values: Sequence[str]) -> str:
    """Say one condition of place."""
    sentences = {
        Field.UNITS: ngettext(
            "de la dependencia %(names)s", "de las dependencias %(names)s", len(values)
        ),
        Field.PROGRAMMES: ngettext(
            "del programa %(names)s", "de los programas %(names)s", len(values)
        ),
        Field.FACULTIES: ngettext(
            "de la facultad %(names)s", "de las facultades %(names)s", len(values)
        ),
        Field.CAMPUSES: ngettext("de la sede %(names)s", "de las sedes %(names)s", len(values)),
        Field.GROUPS: "%(names)s",
    }
    return sentences[field] % {"names": _and(list(values))}


def phrase(part: Phrase) -> str:
    """Say one clause: «estudiantes y docentes del programa Enfermería, de la sede Centro»."""
    who = groups(part.groups) if part.groups else gettext("todas las cuentas")
    places = ", ".join(place(field, values) for field, values in part.places)
    return f"{who} {places}".strip()


def audience(rule: Rule) -> str:
    """Say whom the rule names, as part of a sentence."""
    parts = [phrase(part) for part in describe(rule)]
    return "; ".join(parts) if parts else gettext("nadie")


def sentence(rule: Rule) -> str:
    """Say whom the rule names, as a sentence of its own."""
    return gettext("Lo recibirán: %(audience)s.") % {"audience": audience(rule)}


def sample(groups_of_one: Sequence[str], where: str) -> str:
    """Say who somebody of the audience is without naming them: «Estudiante, Enfermería»."""
    words = [str(ONE_OF_GROUP.get(code, code)) for code in groups_of_one]
    who = " / ".join(words) if words else gettext("Cuenta sin grupo")
    return f"{who}, {where}" if where else who


def figure(number: int) -> str:
    """Write a count as the office does: 14.286, in English 14,286."""
    text = f"{number:,}"
    english = (get_language() or "").startswith("en")
    return text if english else text.replace(",", ".")


def headline(report: ImportReport) -> str:
    """Say in one sentence how the import ended."""
    number = {"good": figure(report.good), "bad": figure(report.bad_count)}
    gone = report.changes.deactivated
    match report.outcome:
        case ImportOutcome.IMPORTED:
            return (
                ngettext(
                    "Se importó la lista: %(good)s cuenta.",
                    "Se importó la lista: %(good)s cuentas.",
                    report.good,
                )
                % number
            )
        case ImportOutcome.READY:
            return (
                ngettext(
                    "La lista está en orden: %(good)s cuenta.",
                    "La lista está en orden: %(good)s cuentas.",
                    report.good,
                )
                % number
            )
        case ImportOutcome.UNREADABLE:
            return gettext("No se pudo leer el archivo. %(fault)s") % {"fault": fault(report)}
        case ImportOutcome.NOBODY:
            return gettext("La lista no trae ninguna cuenta que se pueda importar.")
        case ImportOutcome.BAD_LINES:
            return (
                ngettext(
                    "No se importó nada: %(bad)s línea está mal.",
                    "No se importó nada: %(bad)s líneas están mal.",
                    report.bad_count,
                )
                % number
            )
        case ImportOutcome.NEEDS_CONFIRMATION:
            return ngettext(
                "%(gone)s cuenta activa no está en la lista y quedaría desactivada.",
                "%(gone)s cuentas activas no están en la lista y quedarían desactivadas.",
                gone,
            ) % {"gone": figure(gone)}
