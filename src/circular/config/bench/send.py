"""`circular bench send`: the real way of a mailing, measured, against any relay.

Rows, leases, rendering, sockets, marks, verdicts and entries, all durable: nothing is left out, and
nothing is shared with an installation, for it happens in a scratch database beside it (same server,
dropped at the end). The recipients are invented (`p123@bench.example`): point it at a sink, such as
`circular bench relay`, never at a relay that would carry the mail further.

Known gaps: one worker, one message per person; a killed run leaves its scratch database behind
(`circular_bench_…`).
"""

import asyncio
import json
import os
import resource
import sys
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

SCHEMES = {"smtp": "none", "smtp+starttls": "starttls", "smtps": "tls"}
SETTLE_SECONDS = 3600.0


class BadAddressError(ValueError):
    """The relay's address is none; the message says what one looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayAddress:
    """Where and how to reach the relay."""

    host: str
    port: int
    security: str
    username: str
    password: str


def relay_address(url: str) -> RelayAddress:
    """Read smtp://, smtp+starttls:// or smtps://[user:password@]HOST:PORT.

    Raises: BadAddressError
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in SCHEMES or not parts.hostname or not port:
        known = ", ".join(f"{scheme}://HOST:PORT" for scheme in SCHEMES)
        raise BadAddressError(f"{url!r} is no relay; one of {known}")
    return RelayAddress(
        host=parts.hostname,
        port=port,
        security=SCHEMES[parts.scheme],
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def add_parser(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add `send` to `circular bench`."""
    parser = subparsers.add_parser("send", help="send to invented people through a relay, measured")
    parser.add_argument("--relay", required=True, metavar="URL", help="smtp://HOST:PORT of a sink")
    parser.add_argument("--recipients", type=int, default=2000, metavar="N")
    parser.add_argument("--octets", type=int, default=5000, metavar="N", help="of each message")
    parser.add_argument("--connections", type=int, default=10, metavar="N")
    parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
    parser.set_defaults(run=run, needs_database=True)


def run(args: Namespace) -> int:
    """Send and print what was measured; 1 when somebody was not accepted."""
    try:
        address = relay_address(args.relay)
    except BadAddressError as wrong:
        print(f"circular bench send: {wrong}", file=sys.stderr)
        return 2
    from circular.config.duties import set_up_django

    set_up_django()
    with scratch_database():
        found = _measured(args, address)
    if args.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:26} {value}")
    return 0 if found["accepted"] == args.recipients else 1


@contextmanager
def scratch_database() -> Iterator[None]:
    """Work in a database of our own beside the installation's, and drop it."""
    from django.core.management import call_command
    from django.db import connection, connections

    facts = connections.settings["default"]
    home, scratch = facts["NAME"], f"circular_bench_{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{scratch}"')
    connection.close()
    facts["NAME"] = scratch
    try:
        call_command("migrate", interactive=False, verbosity=0)
        yield
    finally:
        connection.close()
        facts["NAME"] = home
        with connection.cursor() as cursor:
            # Not WITH (FORCE): we may not end an autovacuum worker, and a plain DROP waits for it.
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND usename = current_user",
                [scratch],
            )
            cursor.execute(f'DROP DATABASE "{scratch}"')


def _measured(args: Namespace, address: RelayAddress) -> dict[str, object]:
    from django.db import connection

    from circular.dispatch.pacing import DEFAULT_PACE
    from circular.mailing import queries as mailing

    mailing_id, octets = _prepare(args, address)
    used = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    asyncio.run(_send(mailing_id))
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    totals = mailing.mailing(mailing_id).totals
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outcomes_outcome WHERE mailing_id = %s", [mailing_id])
        rows = cursor.fetchone()
        safety = {}
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            cursor.execute(f"SHOW {name}")
            answer = cursor.fetchone()
            safety[name] = answer[0] if answer else ""
    return {
        "recipients": args.recipients,
        "accepted": totals.accepted,
        "refused": totals.refused,
        "in_doubt": totals.in_doubt,
        "pending": totals.pending,
        "octets": octets,
        "connections": args.connections,
        "seconds": round(seconds, 3),
        "per_second": round(args.recipients / seconds, 1),
        "cpu_us_per_message": round(cpu / args.recipients * 1_000_000, 1),
        "peak_rss_mb": round(after.ru_maxrss / 1024, 1),
        "most_in_doubt_after_a_kill": DEFAULT_PACE.at_risk,
        "outcome_rows": rows[0] if rows else 0,
        **safety,
    }


def _prepare(args: Namespace, address: RelayAddress) -> tuple[int, int]:
    """Make the institution, its people, the relay and a released mailing; give it and its size."""
    from circular.directory.services import import_accounts
    from circular.dispatch.services import add_relay
    from circular.evidence.actors import SYSTEM
    from circular.mailing import services
    from circular.mailing.kinds import MailingKind
    from circular.people.models import Institution

    Institution.objects.create(name="Bench", short_name="Bench", domain="bench.example")
    lines = ["address", *(f"p{number}@bench.example" for number in range(args.recipients))]
    import_accounts(
        "\n".join(lines).encode(), name="bench.csv", keep_good=False, confirm=True, by=SYSTEM
    )
    add_relay(
        name="bench",
        host=address.host,
        port=address.port,
        security=address.security,
        verify=False,
        username=address.username,
        password=address.password,
        max_connections=args.connections,
        by=SYSTEM,
    )
    stencil, octets = _stencil(args.octets)
    everybody: dict[str, object] = {"clauses": [{}]}
    mailing_id = services.create_mailing(kind=MailingKind.CIRCULAR, stencil=stencil, by=SYSTEM)
    services.freeze_audience(mailing_id, everybody, witnesses=False, by=SYSTEM)
    services.release_mailing(mailing_id, by=SYSTEM)
    return mailing_id, octets


def _stencil(octets: int) -> tuple[str, int]:
    """Store a content whose message is about so long; give its digest and what it came to."""
    from datetime import UTC, datetime

    from circular.evidence.actors import SYSTEM
    from circular.mailing import services
    from circular.mailing.composing import Draft
    from circular.mailing.content import StencilContent
    from circular.mailing.kinds import MailingKind
    from circular.mailing.rendering import RecipientFacts, ReleaseFacts, render

    def content(lines: int) -> StencilContent:
        draft = Draft(
            sender_name="Bench",
            sender_address="bench@bench.example",
            subject="Bench",
            text="\n".join(["x" * 69] * lines),
            audience_rule={"clauses": [{}]},
        )
        return services.compose_stencil(draft).content

    def size(lines: int) -> int:
        release = ReleaseFacts(
            kind=MailingKind.CIRCULAR,
            released_at=datetime.now(UTC),
            message_domain="bench.example",
            bounce_address="bench@bench.example",
            secret=b"bench",
        )
        person = RecipientFacts(id=1, address="p1@bench.example", fields={})
        return len(render(content(lines), person, release).raw)

    # A line costs the same each time, so two sizes give the number of lines that is wanted.
    least, more = size(1), size(101)
    lines = max(1, round((octets - least) * 100 / (more - least)) + 1)
    return services.save_stencil(content(lines), by=SYSTEM), size(lines)


async def _send(mailing_id: int) -> None:
    from django.db import connections

    from circular.dispatch import sender
    from circular.mailing.models import Mailing

    def is_settled() -> bool:
        try:
            return Mailing.objects.get(pk=mailing_id).state == "settled"
        finally:
            connections.close_all()

    stop = asyncio.Event()
    sending = asyncio.create_task(sender.run(stop))
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while not sending.done() and not await asyncio.to_thread(is_settled):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await sending
