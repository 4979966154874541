"""The sender against a real database and a scripted relay: everybody accounted for, on both sides."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import psycopg
from django.db import connection
from django.utils import timezone
from psycopg import sql

import own_database
from circular.dispatch import services as services_of_relays
from circular.dispatch.models import Lease, Relay, Worker
from circular.dispatch.sender import run
from circular.evidence.actors import SYSTEM
from circular.evidence.chain import mailing_chain
from circular.evidence.queries import entries_of
from circular.mailing import services
from circular.mailing.kinds import MailClass
from circular.mailing.models import Mailing, Recipient, Stencil
from circular.outcomes import services as outcomes
from circular.outcomes.queries import outcomes_of
from post_office import QUICK, Release, Sink, apart, send_until, settled, states


def test_everybody_gets_one_copy_and_both_books_agree(release: Release, sink: Sink) -> None:
    mailing_id = release(120)

    async def scene() -> list[str]:
        async with sink() as far:
            await send_until(settled(mailing_id))
            return far.took()

    took = asyncio.run(scene())

    assert sorted(took) == sorted(f"p{number}@unimacizo.example" for number in range(120))
    assert states(mailing_id) == {"accepted": 120}
    assert set(Lease.objects.values_list("state", flat=True)) == {"settled"}
    assert Worker.objects.get().ended_at is not None
    acts = Counter(entry.act for entry in entries_of(mailing_chain(mailing_id)))
    assert acts["settled"] == 1
    assert acts["batch_settled"] == Lease.objects.count()


def test_each_reply_leads_to_the_state_it_means(release: Release, sink: Sink) -> None:
    mailing_id = release(6)
    script = """
        [[rule]]
        at = "rcpt"
        match = "p1@"
        reply = "550 5.1.1 no such mailbox"
        [[rule]]
        at = "rcpt"
        match = "p2@"
        times = 2
        reply = "450 4.2.0 greylisted"
        [[rule]]
        at = "dot"
        match = "p3@"
        reply = "554 5.6.0 not this text"
    """

    async def scene() -> list[str]:
        async with sink(script) as far:
            await send_until(settled(mailing_id))
            return far.took()

    took = asyncio.run(scene())

    assert sorted(took) == [f"p{number}@unimacizo.example" for number in (0, 2, 4, 5)]
    assert states(mailing_id) == {"accepted": 4, "refused": 2}
    greylisted = Recipient.objects.get(address="p2@unimacizo.example")
    assert greylisted.attempts == 3
    facts = outcomes_of(greylisted.pk)
    assert [(fact.state, fact.code) for fact in facts] == [
        ("pending", 450),
        ("pending", 450),
        ("accepted", 250),
    ]
    reasons = Recipient.objects.filter(state="refused").order_by("id")
    assert list(reasons.values_list("reason", flat=True)) == ["relay_refused", "message_refused"]


DIES_AFTER_DOT = """
    [[rule]]
    at = "dot"
    match = "p3@"
    times = 1
    hang = "before"
    store = true
"""


def test_a_hang_up_after_the_final_dot_leaves_one_person_in_doubt_by_name(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(8)

    async def scene() -> list[str]:
        async with sink(DIES_AFTER_DOT, connections=1) as far:
            await send_until(settled(mailing_id))
            return far.took()

    took = asyncio.run(scene())

    doubtful = Recipient.objects.get(state="in_doubt")
    assert doubtful.address == "p3@unimacizo.example"
    assert states(mailing_id) == {"accepted": 7, "in_doubt": 1}
    assert len(took) == len(set(took)) == 8


def test_an_official_mail_in_doubt_is_offered_once_more_and_named(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(8, mail_class=MailClass.OFFICIAL)

    async def scene() -> list[dict[str, str]]:
        async with sink(DIES_AFTER_DOT, connections=1) as far:
            await send_until(settled(mailing_id))
            return far.rows()

    rows = asyncio.run(scene())

    assert states(mailing_id) == {"accepted": 8}
    twice = [row["message_id"] for row in rows if row["rcpt"] == "p3@unimacizo.example"]
    assert len(twice) == 2
    assert len(set(twice)) == 1  # byte for byte the same message
    named = Recipient.objects.filter(possible_duplicate=True).values_list("address", flat=True)
    assert list(named) == ["p3@unimacizo.example"]


def test_a_relay_that_never_keeps_its_word_leaves_nobody_unnamed(
    release: Release, sink: Sink
) -> None:
    """Scenario 9 of reliability.md §6, in small: half of those that hang up stored the message."""
    mailing_id = release(60)
    script = """
        [[rule]]
        at = "dot"
        share = 0.2
        hang = "before"
        store = true
        [[rule]]
        at = "dot"
        share = 0.2
        hang = "before"
        store = false
    """

    async def scene() -> list[str]:
        async with sink(script) as far:
            await send_until(settled(mailing_id), within=40)
            return far.took()

    took = asyncio.run(scene())

    totals = states(mailing_id)
    assert totals["in_doubt"] >= 5
    assert totals["accepted"] + totals["in_doubt"] == 60
    assert len(took) == len(set(took))
    accepted = set(Recipient.objects.filter(state="accepted").values_list("address", flat=True))
    assert accepted <= set(took)  # nobody is called accepted whom the far side does not have
    in_doubt = set(Recipient.objects.filter(state="in_doubt").values_list("address", flat=True))
    assert set(took) - accepted <= in_doubt


def test_a_relay_that_closes_every_fifth_time_costs_nobody_anything(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(40)
    script = """
        [[rule]]
        at = "mail"
        share = 0.2
        reply = "421 4.3.2 come back later"
        hang = "after"
    """

    async def scene() -> list[str]:
        async with sink(script) as far:
            await send_until(settled(mailing_id), within=30)
            return far.took()

    took = asyncio.run(scene())

    assert len(took) == len(set(took)) == 40
    assert states(mailing_id) == {"accepted": 40}


def test_garbage_and_silence_end_a_session_and_nothing_else(release: Release, sink: Sink) -> None:
    mailing_id = release(12)
    script = """
        [[rule]]
        at = "rcpt"
        times = 1
        reply = "what was that?"
        [[rule]]
        at = "data"
        times = 1
        delay = 5.0
    """

    async def scene() -> list[str]:
        async with sink(script, connections=2) as far:
            await send_until(settled(mailing_id), patience=0.5)
            return far.took()

    took = asyncio.run(scene())

    assert len(took) == len(set(took)) == 12
    assert states(mailing_id) == {"accepted": 12}


def test_a_relay_that_is_down_is_a_reason_on_the_page_and_gone_when_it_is_back(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(5)

    async def scene() -> tuple[str, str]:
        async with sink() as far:
            await apart(lambda: Relay.objects.filter(pk=far.relay).update(port=1))
            reason = lambda: Mailing.objects.get(pk=mailing_id).self_paused  # noqa: E731
            sending = asyncio.create_task(send_until(settled(mailing_id)))
            while not (why := await apart(reason)):  # noqa: ASYNC110 - a row is no event
                await asyncio.sleep(0.02)
            detail = await apart(lambda: Relay.objects.get().trouble_detail)
            await apart(lambda: Relay.objects.filter(pk=far.relay).update(port=far.port))
            await sending
            return why, detail

    reason, detail = asyncio.run(scene())

    assert reason == "relay_unreachable"
    assert "cannot_connect" in detail
    assert states(mailing_id) == {"accepted": 5}
    assert Mailing.objects.get(pk=mailing_id).self_paused == ""
    relay = Relay.objects.get()
    assert (relay.failures, relay.trouble, relay.resting_until) == (0, "", None)
    acts = [entry.act for entry in entries_of(mailing_chain(mailing_id))]
    assert acts.count("self_paused") == acts.count("self_resumed") == 1


def test_a_ceiling_holds_however_fast_the_relay_is_and_nobody_is_forgotten(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(8)
    services.set_ceiling(mailing_id, 120, by=SYSTEM)

    async def scene() -> float:
        loop = asyncio.get_running_loop()
        async with sink():
            began = loop.time()
            await send_until(settled(mailing_id))
            return loop.time() - began

    seconds = asyncio.run(scene())

    assert states(mailing_id) == {"accepted": 8}
    assert seconds >= (8 - 1) / 2 - 1  # two a second, the first at once, one second saved at most


def test_a_sender_that_the_relay_refuses_pauses_the_circular_and_refuses_nobody(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(5)
    script = """
        [[rule]]
        at = "mail"
        reply = "550 5.7.1 you may not send as this sender"
    """

    async def scene() -> None:
        async with sink(script):
            await send_until(lambda: bool(Mailing.objects.get(pk=mailing_id).self_paused))

    asyncio.run(scene())

    assert Mailing.objects.get(pk=mailing_id).self_paused == "sender_refused"
    assert states(mailing_id) == {"pending": 5}


def test_a_circular_that_cannot_be_printed_waits_and_refuses_nobody(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(60)
    # As a fault of ours would: content that no longer reads as content.
    spoilt = Stencil.objects.create(
        digest="f" * 64,
        content={"no": "content"},
        mail_class="informativo",
        created_at=timezone.now(),
    )
    Mailing.objects.filter(pk=mailing_id).update(stencil=spoilt)

    async def scene() -> None:
        async with sink(""):
            await send_until(lambda: bool(Mailing.objects.get(pk=mailing_id).self_paused))

    asyncio.run(scene())

    assert Mailing.objects.get(pk=mailing_id).self_paused == "message_unprintable"
    assert states(mailing_id) == {"pending": 60}


def test_a_relay_that_forbids_relaying_rests_and_refuses_nobody(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(3)
    script = """
        [[rule]]
        at = "rcpt"
        reply = "554 5.7.1 <x>: Relay access denied"
    """

    async def scene() -> None:
        async with sink(script):
            await send_until(lambda: bool(Mailing.objects.get(pk=mailing_id).self_paused))

    asyncio.run(scene())

    assert Mailing.objects.get(pk=mailing_id).self_paused == "relay_no_relaying"
    assert states(mailing_id) == {"pending": 3}


def test_a_relay_that_refuses_everybody_stops_the_circular(release: Release, sink: Sink) -> None:
    mailing_id = release(90)
    script = """
        [[rule]]
        at = "rcpt"
        reply = "550 5.1.1 unknown"
    """

    async def scene() -> None:
        async with sink(script):
            await send_until(lambda: bool(Mailing.objects.get(pk=mailing_id).self_paused))

    asyncio.run(scene())

    assert Mailing.objects.get(pk=mailing_id).self_paused == "too_many_refused"
    totals = states(mailing_id)
    assert 25 <= totals["refused"] < 60
    assert totals["pending"] == 90 - totals["refused"]


def test_a_pause_silences_within_a_second_and_resume_goes_on_exactly(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(150)

    async def scene() -> tuple[int, int, list[str]]:
        async with sink(latency=0.01) as far:
            sending = asyncio.create_task(send_until(settled(mailing_id)))
            await far.has_taken(20)
            await apart(lambda: services.pause_mailing(mailing_id, by=SYSTEM))
            await asyncio.sleep(1)
            after_a_second = len(far.took())
            await asyncio.sleep(0.5)
            later = len(far.took())
            await apart(lambda: services.resume_mailing(mailing_id, by=SYSTEM))
            await sending
            return after_a_second, later, far.took()

    after_a_second, later, took = asyncio.run(scene())

    assert 20 <= after_a_second == later < 150
    assert len(took) == len(set(took)) == 150
    assert states(mailing_id) == {"accepted": 150}


def test_cancel_keeps_what_was_sent_and_withdraws_the_rest(release: Release, sink: Sink) -> None:
    mailing_id = release(150)

    def nobody_is_pending() -> bool:
        return not Recipient.objects.filter(mailing=mailing_id, state="pending").exists()

    async def scene() -> list[str]:
        async with sink(latency=0.01) as far:
            sending = asyncio.create_task(send_until(nobody_is_pending))
            await far.has_taken(20)
            await apart(lambda: outcomes.cancel_mailing(mailing_id, by=SYSTEM))
            await sending
            return far.took()

    took = asyncio.run(scene())

    totals = states(mailing_id)
    assert totals == {"accepted": len(took), "suppressed": 150 - len(took)}


def test_two_senders_share_a_mailing_and_nobody_is_mailed_twice(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(150)

    async def scene() -> list[str]:
        async with sink(latency=0.005) as far:
            await asyncio.gather(send_until(settled(mailing_id)), send_until(settled(mailing_id)))
            return far.took()

    took = asyncio.run(scene())

    assert len(took) == len(set(took)) == 150
    assert states(mailing_id) == {"accepted": 150}
    assert Lease.objects.values("worker").distinct().count() == 2


def test_a_letter_is_not_behind_a_circular(release: Release, sink: Sink) -> None:
    mailing_id = release(60)

    async def scene() -> list[str]:
        async with sink(latency=0.01, connections=1) as far:
            sending = asyncio.create_task(send_until(settled(mailing_id)))
            await far.has_taken(5)
            await apart(
                lambda: services.post_text(
                    subject="Código", text="123", html="", to="ana@unimacizo.example", by=SYSTEM
                )
            )
            await sending
            return far.took()

    took = asyncio.run(scene())

    assert took.index("ana@unimacizo.example") < 40


def test_a_stopped_sender_gives_back_what_it_did_not_offer(release: Release, sink: Sink) -> None:
    mailing_id = release(150)

    async def scene() -> list[str]:
        async with sink(latency=0.02, connections=1) as far:
            await send_until(lambda: len(far.took()) >= 10)
            return far.took()

    took = asyncio.run(scene())

    assert states(mailing_id) == {"accepted": len(took), "pending": 150 - len(took)}
    assert not Recipient.objects.filter(lease__isnull=False).exists()
    assert not Lease.objects.filter(state="open").exists()


def test_a_database_that_restarts_again_and_again_loses_nobody(
    release: Release, sink: Sink
) -> None:
    """Scenario 4 of reliability.md §6, in small: every connection cut, new ones refused a while."""
    mailing_id = release(150)
    name = sql.Identifier(connection.settings_dict["NAME"])

    def restart() -> None:
        with psycopg.connect(
            own_database.address(), dbname="postgres", autocommit=True
        ) as elsewhere:
            elsewhere.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
            elsewhere.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [connection.settings_dict["NAME"]],
            )
            time.sleep(0.7)
            elsewhere.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))

    async def scene() -> list[str]:
        async with sink(latency=0.01) as far:
            sending = asyncio.create_task(send_until(settled(mailing_id), within=60))
            for most in (20, 60, 100):
                await far.has_taken(most)
                await asyncio.to_thread(restart)
            await sending
            return far.took()

    try:
        took = asyncio.run(scene())
    finally:
        connection.close()  # this test's own was cut as well

    assert len(took) == len(set(took)) == 150
    assert states(mailing_id) == {"accepted": 150}


def test_what_passes_its_deadline_is_refused_as_expired(release: Release, sink: Sink) -> None:
    from datetime import timedelta

    from django.utils import timezone

    mailing_id = release(3)
    Mailing.objects.filter(pk=mailing_id).update(deadline_at=timezone.now() + timedelta(seconds=1))
    script = """
        [[rule]]
        at = "rcpt"
        match = "p1@"
        reply = "451 4.3.0 later"
    """

    async def scene() -> None:
        async with sink(script):
            await send_until(settled(mailing_id))

    asyncio.run(scene())

    assert states(mailing_id) == {"accepted": 2, "refused": 1}
    assert Recipient.objects.get(state="refused").reason == "expired"


def test_a_sender_told_to_end_when_idle_sends_what_is_due_and_ends(
    release: Release, sink: Sink, tmp_path: Path
) -> None:
    mailing_id = release(12)

    async def scene() -> list[str]:
        async with sink() as far:
            await run(asyncio.Event(), pace=QUICK, until_idle=True, folder=tmp_path)
            return far.took()

    took = asyncio.run(scene())

    assert len(took) == 12
    assert states(mailing_id) == {"accepted": 12}


def test_a_sender_told_to_end_when_idle_ends_without_a_relay(
    release: Release, tmp_path: Path
) -> None:
    mailing_id = release(2)

    asyncio.run(run(asyncio.Event(), pace=QUICK, until_idle=True, folder=tmp_path))

    assert states(mailing_id) == {"pending": 2}


def test_circulars_say_that_no_relay_is_set_until_there_is_one(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(3)

    def why() -> str:
        return Mailing.objects.get(pk=mailing_id).self_paused

    async def scene() -> str:
        sending = asyncio.create_task(send_until(settled(mailing_id)))
        while not (reason := await apart(why)):  # noqa: ASYNC110 - a row is no event
            await asyncio.sleep(0.02)
        async with sink():
            await sending
        return reason

    assert asyncio.run(scene()) == "relay_missing"
    assert states(mailing_id) == {"accepted": 3}
    assert why() == ""


def test_the_next_relay_is_used_while_the_first_one_rests(release: Release, sink: Sink) -> None:
    mailing_id = release(20)

    async def scene() -> list[str]:
        async with sink() as far:
            await apart(
                lambda: services_of_relays.save_relay(
                    name="first", host="127.0.0.1", port=1, security="none", rank=1, by=SYSTEM
                )
            )
            await send_until(settled(mailing_id))
            return far.took()

    took = asyncio.run(scene())

    assert len(took) == len(set(took)) == 20
    first = Relay.objects.get(name="first")
    assert (first.trouble, first.failures > 0) == ("relay_unreachable", True)
    assert Mailing.objects.get(pk=mailing_id).self_paused == ""


def test_a_session_in_a_tarpit_holds_up_nobody_else(release: Release, sink: Sink) -> None:
    """Scenario 11 of reliability.md §6, in small."""
    mailing_id = release(60)
    script = """
        [[rule]]
        at = "dot"
        match = "p7@"
        times = 1
        delay = 6.0
    """

    stuck: list[str] = []

    def all_but_two() -> bool:  # the one behind on the same session waits as well
        if Mailing.objects.get(pk=mailing_id).accepted < 58:
            return False
        stuck.append(Recipient.objects.get(address="p7@unimacizo.example").state)
        return True

    async def scene() -> None:
        async with sink(script, connections=3):
            await send_until(all_but_two, patience=20)

    asyncio.run(scene())

    assert stuck == ["pending"]
    assert "refused" not in states(mailing_id)
    assert Recipient.objects.get(address="p7@unimacizo.example").state in ("accepted", "in_doubt")
