"""Two people at the same moment, each in a transaction of their own: one acts, one is told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from time import sleep
from typing import Any, TypeVar

import pytest
from django.db import connection, transaction
from django.utils import timezone

from circular.evidence.actors import CLOCK
from circular.evidence.queries import entries_of
from circular.evidence.services import HOUSE, EntryDraft, append, case_chain, note_heads
from circular.workflow import services
from circular.workflow.content import Content
from circular.workflow.models import Request
from circular.workflow.services.desk import open_case
from circular.workflow.states import Channel
from circular.workflow.transitions import Moved, NotMoved

pytestmark = pytest.mark.django_db(transaction=True)
Answer = TypeVar("Answer")
NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)


def at_once(*acts: Callable[[], Answer]) -> list[Answer]:
    """Do all acts in threads that start together."""
    ready = Barrier(len(acts))

    def one(act: Callable[[], Answer]) -> Answer:
        try:
            ready.wait()
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as people:
        return list(people.map(one, acts))


def test_of_two_reviewers_who_take_at_once_one_has_it_and_one_is_told(
    cast: Any, draft: int
) -> None:
    services.file_request(draft, by=cast.anna)

    answers = at_once(
        lambda: services.take(draft, by=cast.paula), lambda: services.take(draft, by=cast.pedro)
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["Moved", "NotMoved"]
    taken = [entry for entry in entries_of(case_chain(draft)) if entry.act == "taken"]
    assert len(taken) == 1
    assert taken[0].by.person == Request.objects.get(pk=draft).reviewer_id


def test_an_approval_and_a_return_at_once_leave_one_decision(cast: Any, draft: int) -> None:
    services.file_request(draft, by=cast.anna)
    services.take(draft, by=cast.paula)
    version = Request.objects.select_related("version").get(pk=draft).version
    assert version is not None

    answers: list[Moved | NotMoved] = at_once(
        lambda: services.approve(draft, by=cast.paula, seen_digest=version.digest, seen_count=3),
        lambda: services.return_request(draft, by=cast.paula, reason="Falta el lugar"),
    )

    assert sum(isinstance(answer, Moved) for answer in answers) == 1
    acts = {entry.act for entry in entries_of(case_chain(draft))}
    assert len(acts & {"approved", "returned"}) == 1


def test_five_filings_at_once_draw_five_numbers_without_a_gap(cast: Any, content: Content) -> None:
    drafts = [
        services.create_draft(
            content, by=cast.anna, requester=cast.anna.person, unit=cast.unit, channel=Channel.WEB
        )
        for _ in range(5)
    ]

    def filing(draft: int) -> Callable[[], Moved | NotMoved]:
        return lambda: services.file_request(draft, by=cast.anna)

    at_once(*map(filing, drafts))

    year = timezone.localdate().year
    numbers = Request.objects.filter(pk__in=drafts).order_by("filing_number")
    assert list(numbers.values_list("filing_number", flat=True)) == [
        f"CIR-{year}-{each:06d}" for each in range(1, 6)
    ]


def test_the_same_form_sent_twice_at_once_is_one_draft(cast: Any, content: Content) -> None:
    def send() -> int:
        return services.create_draft(
            content,
            by=cast.anna,
            requester=cast.anna.person,
            unit=cast.unit,
            channel=Channel.WEB,
            idempotency_key="once",
        )

    first, second = at_once(send, send)

    assert first == second
    assert Request.objects.count() == 1


def somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        # Not pg_stat_activity: inside a transaction that is a snapshot.
        cursor.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])


def test_the_hourly_round_and_an_act_that_posts_letters_never_lock_each_other_out(
    cast: Any, draft: int
) -> None:
    """A letter appends to the house before the act's own entry; the round locks in the one order."""
    with ThreadPoolExecutor(1) as clock:

        def round_of_the_clock() -> int:
            try:
                return note_heads(by=CLOCK)
            finally:
                connection.close()

        with transaction.atomic():
            open_case(draft, by=cast.anna)
            append(EntryDraft(chain=HOUSE, act="chain_opened", by=CLOCK, at=NOW, facts={}))
            noted = clock.submit(round_of_the_clock)
            for _ in range(200):
                if somebody_waits_for_us():
                    break
                sleep(0.02)
            assert somebody_waits_for_us()
            append(EntryDraft(chain=case_chain(draft), act="taken", by=CLOCK, at=NOW, facts={}))

    assert noted.result() == 1
