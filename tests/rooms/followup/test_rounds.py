"""The clerk's rounds on the real queue: a lost job is found again, two workers do things once."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections
from django.utils import timezone

from circular import jobs
from circular.evidence.chain import HOUSE
from circular.evidence.queries import entries_of
from circular.evidence.verify import verify as verify_archive
from circular.followup import services
from circular.followup.closing import Outcome
from circular.followup.models import Confirmation, Reminder, Verification
from circular.mailing.models import Mailing
from circular.workflow.models import Duty, Request

pytestmark = pytest.mark.django_db(transaction=True)


def state(request_id: int) -> str:
    return str(Request.objects.get(pk=request_id).state)


def test_a_mailing_that_settles_brings_the_clerk_by_itself(settled: Callable[..., int]) -> None:
    request_id = settled()

    jobs.drain()

    assert state(request_id) == "confirmed"
    assert Verification.objects.get(request=request_id).outcome == "held"  # nobody is a witness


def test_a_lost_job_is_found_by_the_next_round(settled: Callable[..., int]) -> None:
    request_id = settled()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")

    assert jobs.run(jobs.SettleRound())

    assert state(request_id) == "confirmed"


def test_a_case_that_fails_is_recorded_and_stops_nobody_else(
    settled: Callable[..., int], cast: Any
) -> None:
    request_id = settled()
    with connection.cursor() as cursor:
        # A row that no code wrote: sent without a time, so its confirmation cannot be recorded.
        cursor.execute(
            "INSERT INTO workflow_request SELECT (jsonb_populate_record(r,"
            " jsonb_build_object('id', 9000, 'filing_number', 'CIR-9', 'sent_at', null,"
            " 'state', 'sent', 'changed_at', '2020-01-01T00:00:00Z', 'idempotency_key', null))).*"
            " FROM workflow_request r WHERE id = %s",
            [request_id],
        )

    jobs.run(jobs.SettleRound())

    assert state(request_id) == "confirmed"
    failed = entries_of(HOUSE, act="job_failed")
    assert {entry.facts["job"] for entry in failed} == {"followup.settle_case"}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM workflow_duty WHERE request_id = 9000")
        cursor.execute("DELETE FROM workflow_request WHERE id = 9000")


def together(*works: Callable[[], object]) -> list[BaseException]:
    """Do several things at the same time, each on a connection of its own."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(works))

    def do(work: Callable[[], object]) -> None:
        try:
            start.wait(5)
            work()
        except DatabaseError as failure:
            failures.append(failure)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_four_workers_confirm_one_sending_once(settled: Callable[..., int]) -> None:
    request_id = settled()

    failures = together(*[lambda: services.settle_case(request_id)] * 4)

    assert failures == []
    assert Confirmation.objects.filter(request=request_id).count() == 2
    assert Mailing.objects.filter(letter="confirmation_to_requester").count() == 1
    assert verify_archive().sound


def test_four_workers_give_one_verdict(settled: Callable[..., int], inbox: Any) -> None:
    request_id = settled()
    services.settle_case(request_id)
    inbox.receive(request_id)

    failures = together(*[lambda: services.verify_case(request_id, opening=inbox.opening)] * 4)

    assert failures == []
    assert Verification.objects.get(request=request_id).outcome == Outcome.POSITIVE
    assert Mailing.objects.filter(letter="verdict_positive").count() == 1


def test_four_workers_send_one_reminder(forwarded: Callable[[], int], cast: Any) -> None:
    request_id = forwarded()
    now = timezone.now()
    duty = Duty.objects.get(request=request_id, stage="send")
    Duty.objects.filter(pk=duty.pk).update(started_at=now, due_at=now, next_reminder_at=now)

    failures = together(*[lambda: services.notice_silence(duty.pk)] * 4)

    assert failures == []
    assert Reminder.objects.count() == 1
    assert Mailing.objects.filter(letter="reminder").count() == 1


def test_four_workers_send_one_anchor(settled: Callable[..., int], witness: str) -> None:
    settled()

    failures = together(*[services.send_anchor] * 4)

    assert failures == []
    assert Mailing.objects.filter(kind="anchor").count() == 1
    assert verify_archive().sound
