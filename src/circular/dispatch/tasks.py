"""Rounds of the post office that do not need a sender: they run wherever jobs run."""

from datetime import timedelta

from circular import jobs
from circular.dispatch import grants, recovery
from circular.outcomes import services as outcomes


@jobs.runs(jobs.RecoverLeases, every=timedelta(seconds=30))
def recover_leases(_: jobs.RecoverLeases) -> None:
    """Close leases of lost workers, refuse what passed its deadline, forget what no window counts."""
    recovery.recover_leases()
    outcomes.expire_overdue()
    grants.prune(grants.database_now())
