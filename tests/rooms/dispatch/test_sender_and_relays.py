"""A sender with several relays: quotas, fail-over, weights, whom a relay serves, and throttling."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from django.db.models import F

from circular.dispatch import queries, services
from circular.dispatch.models import Lease, QuotaUse, Relay
from circular.dispatch.quotas import Quota, QuotaUnit, Window
from circular.dispatch.services import Terms
from circular.evidence.actors import SYSTEM
from circular.mailing.models import Mailing
from post_office import Far, Release, Sink, apart, send_until, settled, states

TEN_AN_HOUR = Quota(Window.HOUR, QuotaUnit.RECIPIENTS, 10)
THROTTLED = """
    [[rule]]
    at = "mail"
    share = 0.3
    reply = "450 4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error"
"""


def set_terms(far: Far, *, rank: int = 100, **terms: object) -> None:
    row = queries.relay(far.relay)
    assert row is not None
    services.save_relay(
        name=row.name,
        host=row.host,
        port=row.port,
        security=row.security,
        max_connections=row.max_connections,
        rank=rank,
        terms=Terms(**terms),  # type: ignore[arg-type]
        relay_id=row.id,
        by=SYSTEM,
    )


def an_hour_passes() -> None:
    QuotaUse.objects.update(began_at=F("began_at") - timedelta(minutes=62))


def why(mailing_id: int) -> str:
    return Mailing.objects.get(pk=mailing_id).self_paused


def send_by(
    sink: Sink,
    scene: Callable[[Sequence[Far]], object],
    mailing_id: int,
    *,
    relays: int = 2,
    script: str = "",
    latency: float = 0.0,
) -> list[list[str]]:
    """Send a whole mailing by so many relays after `scene` set them up; give what each one took."""

    async def send() -> list[list[str]]:
        async with AsyncExitStack() as stack:
            far = [
                await stack.enter_async_context(sink(script, latency=latency))
                for _ in range(relays)
            ]
            await apart(lambda: scene(far))
            await send_until(settled(mailing_id))
            return [one.took() for one in far]

    return asyncio.run(send())


def test_a_mailing_that_uses_up_a_quota_waits_and_goes_on_when_there_is_room(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(25)

    async def scene() -> tuple[list[int], list[str]]:
        async with sink() as far:
            await apart(lambda: set_terms(far, quotas=(TEN_AN_HOUR,)))
            taken = []
            for _ in range(2):
                await send_until(
                    lambda: (
                        why(mailing_id) == "quota_used" and not Lease.objects.filter(state="open")
                    )
                )
                taken.append(len(far.took()))
                await apart(an_hour_passes)
                await send_until(lambda: Mailing.objects.get(pk=mailing_id).pending <= 15 - 10)
            await apart(an_hour_passes)
            await send_until(settled(mailing_id))
            return taken, far.took()

    taken, took = asyncio.run(scene())

    assert taken == [10, 20]
    assert len(took) == len(set(took)) == 25
    assert states(mailing_id) == {"accepted": 25}
    assert why(mailing_id) == ""


def test_the_next_relay_takes_what_the_first_has_no_quota_for(release: Release, sink: Sink) -> None:
    mailing_id = release(25)

    def scene(far: Sequence[Far]) -> None:
        set_terms(far[0], rank=1, quotas=(TEN_AN_HOUR,))
        set_terms(far[1], rank=2)

    first, second = send_by(sink, scene, mailing_id)

    assert len(first) == 10
    assert len(set(first) | set(second)) == len(first) + len(second) == 25


def test_the_next_relay_takes_over_from_one_that_is_down(release: Release, sink: Sink) -> None:
    mailing_id = release(25)

    def scene(far: Sequence[Far]) -> None:
        set_terms(far[0], rank=2)
        services.save_relay(
            name="caído", host="127.0.0.1", port=9, security="none", rank=1, by=SYSTEM
        )

    (took,) = send_by(sink, scene, mailing_id, relays=1)

    assert len(took) == len(set(took)) == 25
    assert Relay.objects.get(name="caído").trouble == "relay_unreachable"


def test_relays_of_one_rank_share_the_mail(release: Release, sink: Sink) -> None:
    mailing_id = release(300)

    def scene(far: Sequence[Far]) -> None:
        set_terms(far[0], weight=3)
        set_terms(far[1], weight=1)

    first, second = send_by(sink, scene, mailing_id, latency=0.01)

    assert len(set(first) | set(second)) == len(first) + len(second) == 300
    assert first
    assert second


def test_a_mailing_goes_only_by_relays_that_serve_its_class(release: Release, sink: Sink) -> None:
    mailing_id = release(25)

    def scene(far: Sequence[Far]) -> None:
        set_terms(far[0], rank=1, classes=("oficial",))
        set_terms(far[1], rank=2, classes=("informativo",))

    first, second = send_by(sink, scene, mailing_id)

    assert (first, len(second)) == ([], 25)


def test_a_mailing_that_no_relay_serves_says_so_and_goes_on_when_one_does(
    release: Release, sink: Sink
) -> None:
    mailing_id = release(5)

    async def scene() -> str:
        async with sink() as far:
            await apart(lambda: set_terms(far, classes=("oficial",)))
            await send_until(lambda: bool(why(mailing_id)))
            said = await apart(lambda: why(mailing_id))
            await apart(lambda: set_terms(far))
            await send_until(settled(mailing_id))
            return said

    assert asyncio.run(scene()) == "relay_serves_others"
    assert states(mailing_id) == {"accepted": 5}
    assert why(mailing_id) == ""


@pytest.mark.parametrize(
    "script",
    [
        THROTTLED,
        THROTTLED.replace("450 4.2.1 Peak SMTP relay limit exceeded", "421 4.7.28 unusual rate"),
        THROTTLED.replace("450 4.2.1 Peak SMTP relay limit exceeded", "432 4.3.2 Concurrent connections"),
        THROTTLED.replace("450 4.2.1 Peak", "454 Throttling failure: Maximum sending rate exceeded"),
    ],
    ids=["450", "421", "432", "454"],
)  # fmt: skip
def test_while_a_relay_throttles_nobody_is_marked_bad_and_everybody_gets_it(
    release: Release, sink: Sink, script: str
) -> None:
    """Fault 14 of the table, in short."""
    mailing_id = release(40)

    (took,) = send_by(sink, lambda _: None, mailing_id, relays=1, script=script)

    assert len(took) == len(set(took)) == 40
    assert states(mailing_id) == {"accepted": 40}


def test_sessions_end_after_so_many_messages(release: Release, sink: Sink) -> None:
    mailing_id = release(30)

    async def scene() -> int:
        async with sink(connections=1) as far:
            await apart(lambda: set_terms(far, messages_per_connection=10))
            await send_until(settled(mailing_id))
            return far.manner.seen["connections"]

    assert asyncio.run(scene()) == 3
