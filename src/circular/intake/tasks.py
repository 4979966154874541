"""What a worker does for the front door: sort what was stored, and look for what was lost."""

from datetime import timedelta

from django.utils import timezone

from circular import jobs
from circular.intake import queries, services

# A job is started within a second or two; what waits longer has lost its job.
LOST_AFTER = timedelta(seconds=30)


@jobs.runs(jobs.SortIncoming)
def sort_incoming(job: jobs.SortIncoming) -> None:
    services.sort_incoming(job.incoming)


@jobs.runs(jobs.SortIncomingRound, every=timedelta(seconds=30))
def sort_round(_job: jobs.SortIncomingRound) -> None:
    for incoming in queries.stored_unsorted(timezone.now(), older_than=LOST_AFTER):
        services.sort_incoming(incoming)
