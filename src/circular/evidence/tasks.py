"""Job entries of the archive."""

from __future__ import annotations

import logging
from datetime import timedelta

from circular.evidence import services
from circular.evidence.actors import CLOCK
from circular.jobs import NoteHeads, WatchClock, runs

logger = logging.getLogger(__name__)


@runs(NoteHeads, every=timedelta(hours=1))
def note_heads(_: NoteHeads) -> None:
    """Note the heads of chains that moved."""
    services.note_heads(by=CLOCK)


@runs(WatchClock, every=timedelta(seconds=20))
def watch_clock(_: WatchClock) -> None:
    """Notice a clock that went back."""
    back = services.watch_clock(by=CLOCK)
    if back is not None:
        logger.warning("the clock went back", extra={"seconds": back.total_seconds()})
