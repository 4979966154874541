"""Procedures as the house keeps them: loaded beside each other, pinned by the first case that needs one."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from circular.evidence.actors import Actor
from circular.evidence.services import HOUSE, EntryDraft, append
from circular.workflow.models import ProcedureVersion
from circular.workflow.procedure import Procedure, ProcedureError, Slip, parse_procedure
from circular.workflow.queries import house


@transaction.atomic
def load_procedure(source: str, *, by: Actor) -> Procedure:
    """Put a version of a procedure beside those that are there; open cases stay on theirs.

    Repeat:  the same text again changes nothing
    Raises:  ProcedureError for a text that is no procedure, or another text for a known version
    """
    procedure = parse_procedure(source)
    shipped = house.shipped_source(procedure.code, procedure.version)
    if shipped is not None and shipped != source:
        raise _taken(procedure)
    if _store(procedure, source, at=timezone.now()):
        append(
            EntryDraft(
                chain=HOUSE,
                act="procedure_loaded",
                by=by,
                at=timezone.now(),
                facts={
                    "procedure": procedure.code,
                    "version": procedure.version,
                    "digest": procedure.digest,
                },
            )
        )
    return procedure


def pin(procedure: Procedure, *, at: datetime) -> ProcedureVersion:
    """Return the row of a procedure's version, stored on its first use.

    Raises: ProcedureError when the file was changed after cases were pinned to that version
    """
    shipped = house.shipped_source(procedure.code, procedure.version)
    if shipped is not None:
        # A stored text wins over the package's in every read, so a silent change is looked for here.
        procedure = parse_procedure(shipped)
    _store(procedure, house.procedure_source(procedure), at=at)
    return ProcedureVersion.objects.get(code=procedure.code, version=procedure.version)


def _store(procedure: Procedure, source: str, *, at: datetime) -> bool:
    """Store a version once; say whether this call did it."""
    row, made = ProcedureVersion.objects.get_or_create(
        code=procedure.code,
        version=procedure.version,
        defaults={"digest": procedure.digest, "source": source, "stored_at": at},
    )
    if row.digest != procedure.digest:
        raise _taken(procedure)
    return made


def _taken(procedure: Procedure) -> ProcedureError:
    return ProcedureError(Slip.OTHER_TEXT, procedure.code, found=procedure.version)
