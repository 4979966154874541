"""Silence is noticed at the right business hours, once, and again, and then by the process owner."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from circular.evidence import queries as archive
from circular.evidence.chain import case_chain
from circular.followup import queries, services
from circular.followup.closing import Due
from circular.followup.models import Reminder
from circular.mailing.models import Mailing
from circular.workflow import services as desk
from circular.workflow.models import Duty, Request

pytestmark = pytest.mark.django_db
BOGOTA = ZoneInfo("America/Bogota")


def at(day: int, hour: int, minute: int = 0, month: int = 7) -> datetime:
    """Give a time of July 2026 in Bogotá: the 10th is a Friday, the 13th a holiday (Monday)."""
    return datetime(2026, month, day, hour, minute, tzinfo=BOGOTA)


def noticed(now: datetime) -> list[Due]:
    """Run the round at a time."""
    from django.utils import timezone

    with time_machine.travel(now, tick=False):
        return [
            services.notice_silence(duty_id) for duty_id in queries.duties_come_due(timezone.now())
        ]


def sent_to(letter: str) -> list[str]:
    return [
        recipient.address
        for mailing in Mailing.objects.filter(letter=letter).order_by("id")
        for recipient in mailing.recipients.all()
    ]


@pytest.fixture
def filed(cast: Any, draft: int) -> int:
    """File on Friday at 17:00: one business hour is left before a long weekend."""
    with time_machine.travel(at(10, 17), tick=False):
        desk.file_request(draft, by=cast.anna)
    return draft


def test_a_review_owed_since_friday_is_reminded_after_the_holiday(filed: int) -> None:
    """8 h limit: 1 h on Friday, none on Saturday to Monday (13 July), 7 h on Tuesday: 17:00."""
    duty = Duty.objects.get(request=filed, stage="review")
    assert duty.due_at == at(14, 17)

    assert noticed(at(13, 12)) == []
    assert noticed(at(14, 16, 59)) == []
    assert noticed(at(14, 17)) == [Due.REMIND]

    assert sent_to("reminder") == ["comunicaciones@uni.example"]
    acts = [entry.act for entry in archive.entries_of(case_chain(filed))]
    assert acts.count("reminded") == 1


def test_a_round_that_is_repeated_reminds_nobody_twice(filed: int) -> None:
    assert noticed(at(14, 17)) == [Due.REMIND]
    assert noticed(at(14, 17)) == []
    assert noticed(at(14, 17, 5)) == []

    assert len(sent_to("reminder")) == 1


def test_a_clock_that_goes_back_reminds_nobody_twice(filed: int) -> None:
    noticed(at(14, 17))
    assert noticed(at(10, 18)) == []
    Duty.objects.filter(request=filed).update(next_reminder_at=at(14, 17), reminders=0)

    assert noticed(at(14, 17)) == [Due.NOTHING]

    assert len(sent_to("reminder")) == 1


def test_reminders_repeat_then_the_process_owner_is_told_and_they_go_on(filed: int) -> None:
    times = [at(14, 17), at(15, 17), at(16, 17), at(17, 17)]

    found = [noticed(time) for time in times]

    assert found == [[Due.REMIND], [Due.REMIND], [Due.ESCALATE], [Due.REMIND]]
    assert sent_to("reminder") == ["comunicaciones@uni.example"] * 3
    assert sent_to("escalation") == ["proceso@uni.example"]
    assert [row.kind for row in Reminder.objects.order_by("id")] == [
        "reminder",
        "reminder",
        "escalation",
        "reminder",
    ]


def test_a_limit_that_passed_while_the_worker_was_down_is_noticed_in_office_hours(
    filed: int,
) -> None:
    assert noticed(at(14, 23)) == [Due.NOTHING]
    assert noticed(at(15, 8)) == [Due.REMIND]


def test_an_act_that_was_done_is_no_longer_owed(filed: int, cast: Any) -> None:
    with time_machine.travel(at(14, 16), tick=False):
        desk.take(filed, by=cast.paula)
        desk.reject(filed, by=cast.paula, reason="No corresponde.")

    assert noticed(at(16, 17)) == []
    assert sent_to("reminder") == []


def test_a_draft_that_nobody_files_lapses_after_five_business_days(cast: Any, draft: int) -> None:
    duty = Duty.objects.get(request=draft, stage="confirm_draft")

    before = noticed(duty.due_at - timedelta(minutes=1))
    lapsed = noticed(duty.due_at)

    assert before == []
    assert lapsed == [Due.LAPSE]
    assert Request.objects.get(pk=draft).state == "cancelled"
    assert Request.objects.get(pk=draft).filing_number is None
    assert sent_to("reminder") == []


def test_two_rounds_that_found_the_same_duty_remind_once(filed: int) -> None:
    duty_id = Duty.objects.get(request=filed, stage="review").pk

    with time_machine.travel(at(14, 17), tick=False):
        first = services.notice_silence(duty_id)
        second = services.notice_silence(duty_id)

    assert (first, second) == (Due.REMIND, Due.NOTHING)


def test_a_sending_found_not_sent_reminds_it_and_is_owed_again(
    forwarded: Callable[[], int], cast: Any
) -> None:
    request_id = forwarded()

    desk.find_not_sent(request_id, by=cast.paula, reason="No llegó a la cuenta testigo.")

    assert sent_to("not_sent") == ["tic@uni.example"]
    assert Duty.objects.filter(request=request_id, stage="send", ended_at__isnull=True).exists()
