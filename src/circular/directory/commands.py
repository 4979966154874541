"""`circular directory import` and `count`, as functions that the command line plugs in."""

from pathlib import Path

from django.utils import timezone
from django.utils.translation import gettext, ngettext

from circular.directory import labels
from circular.directory.queries import breakdown, sample, source_date
from circular.directory.reports import ImportOutcome, ImportReport
from circular.directory.rules import RuleError
from circular.directory.services import import_accounts
from circular.directory.words import rule_from_text
from circular.evidence.actors import SYSTEM, Actor


def import_file(path: Path, *, keep_good: bool, yes: bool, by: Actor = SYSTEM) -> ImportReport:
    """Import the file as the whole list of accounts.

    Raises:  OSError when the file cannot be read
    """
    return import_accounts(
        path.read_bytes(), name=path.name, keep_good=keep_good, confirm=yes, by=by
    )


def lines_of(report: ImportReport) -> list[str]:
    """Return what to print about an import, for people, bad lines first."""
    lines = [
        gettext("línea %(number)s: %(flaw)s") % {"number": line.line, "flaw": labels.flaw(line)}
        for line in report.bad
    ]
    unshown = report.bad_count - len(report.bad)
    if unshown:
        lines.append(
            ngettext("y %(count)s línea más", "y %(count)s líneas más", unshown)
            % {"count": labels.figure(unshown)}
        )
    if report.ignored:
        lines.append(
            gettext("Columnas que no se usan: %(names)s") % {"names": ", ".join(report.ignored)}
        )
    lines.append(labels.headline(report))
    changes = report.changes
    if report.outcome in {ImportOutcome.IMPORTED, ImportOutcome.NEEDS_CONFIRMATION}:
        lines.append(
            gettext(
                "Nuevas %(added)s, cambiadas %(changed)s, iguales %(unchanged)s, desactivadas"
                " %(deactivated)s, conservadas por línea mala %(kept)s; activas: %(before)s antes,"
                " %(after)s después."
            )
            % {
                "added": labels.figure(changes.added),
                "changed": labels.figure(changes.changed),
                "unchanged": labels.figure(changes.unchanged),
                "deactivated": labels.figure(changes.deactivated),
                "kept": labels.figure(changes.kept),
                "before": labels.figure(changes.active_before),
                "after": labels.figure(changes.active_after),
            }
        )
    if report.outcome is ImportOutcome.NEEDS_CONFIRMATION:
        if not changes.is_plausible:
            lines.append(
                gettext("Es más de la quinta parte de las cuentas activas: mire si es la lista.")
            )
        lines.append(gettext("No se importó nada. Si está bien así, repita la orden con --yes."))
    if report.outcome is ImportOutcome.BAD_LINES:
        lines.append(gettext("Corrija la lista, o importe solo las líneas buenas con --keep-good."))
    return lines


def count_rule(text: str) -> list[str]:
    """Return what to print about an audience: the sentence, figures that add up, source, sample.

    Raises:  RuleError, with a sentence for people, when the text is no rule
    """
    try:
        rule = rule_from_text(text)
    except RuleError as wrong:
        raise RuleError(wrong.code, str(labels.RULE_FAULTS[wrong.code])) from wrong
    parts = breakdown(rule)
    source = source_date()
    total = ngettext("%(count)s persona", "%(count)s personas", parts.total)
    lines = [
        labels.sentence(rule),
        total % {"count": labels.figure(parts.total)},
        *(f"  {labels.group(part.group)}: {labels.figure(part.count)}" for part in parts.groups),
    ]
    if parts.repeated:
        lines.append(
            gettext("  menos copias repetidas: %(count)s")
            % {"count": labels.figure(parts.repeated)}
        )
    lines += [f"  · {labels.sample(row.groups, row.place)}" for row in sample(rule)]
    if source is None:
        lines.append(gettext("Todavía no se ha importado ninguna lista."))
    else:
        lines.append(
            gettext("Directorio del %(at)s, %(name)s")
            % {"at": f"{timezone.localtime(source.at):%d/%m/%Y, %H:%M}", "name": source.name}
        )
    return lines
