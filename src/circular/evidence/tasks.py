"""Job entries of the archive."""

from __future__ import annotations

from datetime import timedelta

from circular.evidence import services
from circular.evidence.actors import CLOCK
from circular.jobs import NoteHeads, runs


@runs(NoteHeads, every=timedelta(hours=1))
def note_heads(_: NoteHeads) -> None:
    """Note the heads of chains that moved."""
    services.note_heads(by=CLOCK)
