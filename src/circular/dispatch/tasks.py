"""Rounds of the post office that do not need a sender: they run wherever jobs run."""

from datetime import timedelta

from circular import jobs
from circular.dispatch import recovery
from circular.outcomes import services as outcomes


@jobs.runs(jobs.RecoverLeases, every=timedelta(seconds=30))
def recover_leases(_: jobs.RecoverLeases) -> None:
    """Close leases of lost workers and refuse, as expired, what passed its deadline."""
    recovery.recover_leases()
    outcomes.expire_overdue()
