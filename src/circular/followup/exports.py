"""What the closing clerk adds to an exported case: confirmations and verifications as he found them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from circular.evidence.export import ExportFile, register_export
from circular.followup import queries


def register() -> None:
    """Let the archive ask this room when it exports a case."""
    register_export("followup", files_of)


def files_of(case_id: int) -> Iterator[ExportFile]:
    """Give `cierre/confirmaciones.json` and `cierre/verificaciones.json`."""
    yield _json(
        "cierre/confirmaciones.json",
        [
            {
                "kind": row.kind.value,
                "at": row.at.isoformat(),
                "mailing": row.mailing,
                "house_sequence": row.house_sequence,
                "house_digest": row.house_digest,
            }
            for row in queries.confirmations(case_id)
        ],
    )
    yield _json(
        "cierre/verificaciones.json",
        [
            {
                "round": row.round,
                "outcome": row.outcome.value,
                "reasons": [reason.value for reason in row.reasons],
                "sights": [dict(sight) for sight in row.sights],
                "difference": list(row.difference),
                "attempts": row.attempts,
                "first_look_at": row.first_look_at.isoformat(),
                "last_look_at": row.last_look_at.isoformat(),
            }
            for row in queries.verifications(case_id)
        ],
    )


def _json(path: str, rows: list[dict[str, object]]) -> ExportFile:
    text = json.dumps(rows, ensure_ascii=False, indent=1, sort_keys=True)
    return ExportFile(path, text.encode() + b"\n")
