"""What the archive's findings are called, for the command line and for pages."""

from __future__ import annotations

from django.utils.translation import gettext as _

from circular.evidence.chain import Fault, Finding
from circular.evidence.verify import Report


def sentence(finding: Finding) -> str:
    """Say what is wrong, and where."""
    where = (
        _("%(chain)s, asiento %(sequence)d")
        % {"chain": finding.chain, "sequence": finding.sequence}
        if finding.sequence is not None
        else finding.chain
    )
    return f"{where}: {_fault(finding.fault)}" + (f" ({finding.digest})" if finding.digest else "")


def _fault(fault: Fault) -> str:
    return {
        Fault.CHANGED: _("el asiento fue cambiado"),
        Fault.MISSING: _("falta un asiento"),
        Fault.REORDERED: _("los asientos están fuera de orden"),
        Fault.INSERTED: _("este asiento no sigue al anterior"),
        Fault.FOREIGN: _("el asiento pertenece a otra cadena"),
        Fault.CUT: _("el final fue cortado: la casa había anotado más asientos"),
        Fault.REBUILT: _("la cadena fue rehecha: la casa había anotado otro hash"),
        Fault.CHAIN_MISSING: _("la cadena desapareció: la casa anotó su apertura"),
        Fault.CHAIN_UNKNOWN: _("la casa nunca abrió esta cadena"),
        Fault.HEAD_WRONG: _("el último asiento no es el que la cadena tiene anotado"),
        Fault.ANCHOR_UNKNOWN: _(
            "ningún asiento de la casa tiene esta ancla: fue cortada o rehecha"
        ),
        Fault.BLOB_CHANGED: _("el contenido no corresponde a su nombre"),
        Fault.BLOB_MISSING: _("falta un contenido que un asiento nombra"),
    }[fault]


def report_lines(report: Report) -> list[str]:
    """Say what a check found and what it cannot know; the verdict comes first."""
    counts = _("%(chains)d cadenas, %(entries)d asientos, %(blobs)d contenidos.") % {
        "chains": report.chains,
        "entries": report.entries,
        "blobs": report.blobs,
    }
    lines = [
        _("Todo concuerda.")
        if report.sound
        else _("Hay faltas: %(count)d.") % {"count": len(report.findings)},
        counts,
        *(sentence(finding) for finding in report.findings),
    ]
    if report.anchored_to == 0:
        lines.append(
            _(
                "Sin ancla no se puede detectar si alguien cortó el final o rehizo todo con hashes"
                " nuevos. Dé el hash de una carta de confirmación con --anchor."
            )
        )
    else:
        lines.append(
            _("La casa queda probada desde fuera hasta el asiento %(sequence)d.")
            % {"sequence": report.anchored_to}
        )
        if not report.tail_detectable:
            lines.append(
                _(
                    "Los %(count)d asientos siguientes no tienen ancla: un corte ahí no se puede"
                    " detectar."
                )
                % {"count": report.house.sequence - report.anchored_to}
            )
    return lines
