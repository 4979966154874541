"""What the composing room puts into the exported folder of a case: content, copies and people.

Shapes:  ``envios/<id>/plantilla.json`` holds the canonical bytes, so that its SHA-256 is the digest
         that the approval names; ``destinatarios.csv`` one line per person, witnesses marked;
         ``copias/`` the octets of each letter, test and witness copy as they were offered.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from circular.evidence.chain import ChainKey, mailing_chain
from circular.evidence.export import ExportFile, register_chains, register_export
from circular.mailing import queries
from circular.mailing.errors import ContentGoneError
from circular.mailing.kinds import MailingKind
from circular.mailing.models import Mailing, Recipient

# A spreadsheet would run these as formulas (OWASP ASVS 5.0, 1.2.10).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def register() -> None:
    """Tell the archive what this room adds to a case."""
    register_chains("mailing", chains_of)
    register_export("mailing", files_of)


def chains_of(case: int) -> Iterable[ChainKey]:
    """Return the chains of a case's mailings; a secret has none."""
    mailings = Mailing.objects.filter(case=case).exclude(kind=MailingKind.SECRET)
    return [mailing_chain(pk) for pk in mailings.order_by("id").values_list("id", flat=True)]


def files_of(case: int) -> Iterator[ExportFile]:
    """Give the files of a case's mailings, one mailing after the other."""
    for row in queries.mailings_of_case(case):
        if row.kind is MailingKind.SECRET:
            continue
        folder = f"envios/{row.id}"
        try:
            content = queries.stencil(row.stencil)
        except ContentGoneError:
            continue
        yield ExportFile(f"{folder}/plantilla.json", content.canonical())
        yield ExportFile(f"{folder}/mensaje.txt", content.text.encode("utf-8"))
        if content.html:
            yield ExportFile(f"{folder}/mensaje.html", content.html.encode("utf-8"))
        for digest, octets in queries.files_of(content).items():
            yield ExportFile(f"{folder}/adjuntos/{digest}", octets)
        yield ExportFile(f"{folder}/destinatarios.csv", _people(row.id))
        if row.released_at is not None:
            for number in _copies(row.id, row.kind):
                printed = queries.printed_copy(number)
                yield ExportFile(f"{folder}/copias/{number}.eml", printed.raw)


def _copies(mailing_id: int, kind: MailingKind) -> list[int]:
    """Return whose copies are exported: the witnesses' of a circular, everybody's else."""
    rows = Recipient.objects.filter(mailing=mailing_id)
    if kind is MailingKind.CIRCULAR:
        rows = rows.filter(witness=True)
    return list(rows.order_by("id").values_list("id", flat=True)[:100])


def _people(mailing_id: int) -> bytes:
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(
        ["id", "direccion", "testigo", "estado", "razon", "intentos", "posible_duplicado"]
    )
    rows = Recipient.objects.filter(mailing=mailing_id).order_by("id")
    for row in rows.iterator(chunk_size=5000):
        writer.writerow(
            [
                row.pk,
                safe_cell(row.address),
                int(row.witness),
                row.state,
                row.reason,
                row.attempts,
                int(row.possible_duplicate),
            ]
        )
    return table.getvalue().encode("utf-8")


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
