"""Job entries of the ledger: the round that ends what nobody could be offered in time."""

from __future__ import annotations

from datetime import timedelta

from circular import jobs
from circular.evidence.actors import CLOCK
from circular.outcomes import services


@jobs.runs(jobs.ExpireRound, every=timedelta(minutes=1))
def expire_round(_: jobs.ExpireRound) -> None:
    """Refuse what expired, settle what owes nobody."""
    services.expire_overdue(by=CLOCK)
