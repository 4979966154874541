"""What the ledger puts into the exported folder of a case: every fact, one line each.

Shapes:  ``envios/<id>/resultados.csv`` in the order in which the facts were written. The ``rows`` of an
         entry *batch_settled* is the SHA-256 over the lines ``destinatario estado fuente codigo`` (0
         without a code) of its ``lote``, so that the table can be checked against the chain.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from circular.evidence.export import ExportFile, register_export
from circular.mailing.exports import safe_cell
from circular.mailing.kinds import MailingKind
from circular.mailing.queries import mailings_of_case
from circular.outcomes import queries


def register() -> None:
    """Tell the archive what this room adds to a case."""
    register_export("outcomes", files_of)


def files_of(case: int) -> Iterator[ExportFile]:
    """Give one table per mailing of the case."""
    for row in mailings_of_case(case):
        if row.kind is not MailingKind.SECRET:
            yield ExportFile(f"envios/{row.id}/resultados.csv", _facts(row.id))


def _facts(mailing_id: int) -> bytes:
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(
        ["id", "destinatario", "momento", "estado", "fuente", "razon", "codigo", "estado_ampliado",
         "respuesta", "lote", "persona"]
    )  # fmt: skip
    for fact in queries.export_rows(mailing_id):
        writer.writerow(
            [
                fact.id,
                fact.recipient,
                fact.at.isoformat(),
                fact.state.value,
                fact.source.value,
                fact.reason,
                fact.code or "",
                fact.enhanced,
                safe_cell(fact.reply),
                fact.lease or "",
                fact.person or "",
            ]
        )
    return table.getvalue().encode("utf-8")
