"""What the desk puts into the exported folder of a case: the request, its versions, its papers.

Shapes: `solicitud/solicitud.json`, `solicitud/version-N.json`, `solicitud/correspondencia.json`,
        `solicitud/plazos.json`, `solicitud/procedimiento.toml`. Raw mail and attached files are
        blobs of the archive, named there by their digests.
"""

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.core import serializers
from django.db.models import Model

from circular.evidence.export import ExportFile, register_export
from circular.workflow.models import Request

FOLDER = "solicitud"


def register() -> None:
    """Let the archive know what the desk has to add."""
    register_export("workflow", files_of)


def files_of(case_id: int) -> Iterator[ExportFile]:
    """Give the rows of a case as files that people can read without Circular."""
    row = (
        Request.objects.select_related("procedure", "unit", "requester", "version")
        .filter(pk=case_id)
        .first()
    )
    if row is None:
        return
    facts = _plain(row)
    facts["unit_name"] = row.unit.name if row.unit is not None else None
    facts["requester_name"] = row.requester.full_name if row.requester is not None else None
    yield _file("solicitud.json", facts)
    for version in row.versions.select_related("sender").order_by("number"):
        content = _plain(version)
        content["sender_address"] = version.sender.address if version.sender is not None else None
        yield _file(f"version-{version.number}.json", content)
    yield _file(
        "correspondencia.json", [_plain(each) for each in row.correspondence.order_by("at", "id")]
    )
    yield _file("plazos.json", [_plain(each) for each in row.duties.order_by("started_at", "id")])
    yield _file(
        "autorizaciones.json", [_plain(each) for each in row.authorisations.order_by("at", "id")]
    )
    yield _file("soportes.json", [_plain(each) for each in row.attachments.order_by("added_at")])
    if row.procedure is not None:
        yield ExportFile(f"{FOLDER}/procedimiento.toml", row.procedure.source.encode())


def _plain(row: Model) -> dict[str, Any]:  # column values, as JSON has them
    """Return the columns of a row."""
    (written,) = serializers.serialize("python", [row])
    return {"id": row.pk, **written["fields"]}


def _file(name: str, content: object) -> ExportFile:
    text = json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True, default=_written)
    return ExportFile(f"{FOLDER}/{name}", f"{text}\n".encode())


def _written(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no column value")
