"""Job entries of the closing clerk: each round asks what waits and does it case by case.

Every case is a job of its own, run at once: one that fails is recorded and stops nobody else.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from circular import jobs
from circular.evidence.actors import CLOCK
from circular.followup import queries, services
from circular.workflow import services as desk

# A settled mailing enqueues the round itself; these only find what was lost.
OFTEN = timedelta(seconds=20)
# The first looks for a witness's copy are seconds apart.
SOON = timedelta(seconds=3)


@jobs.runs(jobs.SettleRound, every=OFTEN)
def settle(_: jobs.SettleRound) -> None:
    """Confirm what settled; what is confirmed is looked at straight away."""
    for request_id in queries.cases_to_settle():
        jobs.run(jobs.SettleCase(request_id))
    verify(jobs.VerifyRound())


@jobs.runs(jobs.SettleCase)
def settle_case(job: jobs.SettleCase) -> None:
    """Confirm one case."""
    services.settle_case(job.request)


@jobs.runs(jobs.VerifyRound, every=SOON)
def verify(_: jobs.VerifyRound) -> None:
    """Verify what is confirmed and due for a look; close what is verified."""
    for request_id in queries.cases_to_verify(timezone.now()):
        jobs.run(jobs.VerifyCase(request_id))
    for request_id in queries.cases_to_close():
        jobs.run(jobs.CloseCase(request_id))


@jobs.runs(jobs.VerifyCase)
def verify_case(job: jobs.VerifyCase) -> None:
    """Look at one case."""
    services.verify_case(job.request)


@jobs.runs(jobs.CloseCase)
def close_case(job: jobs.CloseCase) -> None:
    """Close one case."""
    services.close_case(job.request)


@jobs.runs(jobs.RemindRound, every=OFTEN)
def remind(_: jobs.RemindRound) -> None:
    """Notice silence."""
    for duty_id in queries.duties_come_due(timezone.now()):
        jobs.run(jobs.NoticeSilence(duty_id))


@jobs.runs(jobs.NoticeSilence)
def notice_silence(job: jobs.NoticeSilence) -> None:
    """Remind, escalate or let lapse."""
    services.notice_silence(job.duty)


@jobs.runs(jobs.AnchorRound, every=timedelta(minutes=10))
def anchor(_: jobs.AnchorRound) -> None:
    """Send the day's anchor, if it has not gone out."""
    services.send_anchor()


@jobs.runs(jobs.StartScheduled, every=timedelta(seconds=10))
def start_scheduled(_: jobs.StartScheduled) -> None:
    """Start the cases whose time has come."""
    desk.start_due(by=CLOCK)
