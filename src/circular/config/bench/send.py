"""`circular bench send`: the real way of a mailing, measured, against any relay.

Rows, leases, rendering, sockets, marks, verdicts and entries, all durable: nothing is left out, and
nothing is shared with an installation, for it happens in a scratch database beside it (same server,
dropped at the end). The recipients are invented (`p123@bench.example`): point it at a sink, such as
`circular bench relay`, never at a relay that would carry the mail further.

With several workers each is a process of its own, whose start counts as processor time too.

Known gaps: one message per person; a killed run leaves its scratch database behind
(`circular_bench_…`).
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, unquote, urlsplit

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
    parser.add_argument("--depth", type=int, default=8, metavar="N", help="offers in flight on one")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that send")
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

    from circular.mailing.models import Mailing

    began = time.perf_counter()
    mailing_id, octets = _prepare(args, address)
    prepared = time.perf_counter() - began
    used = _cpu(args.workers)
    if args.workers > 1:
        most_unrecorded, reads = _send_with_workers(mailing_id, args.workers)
    else:
        most_unrecorded, reads = asyncio.run(_send(mailing_id))
    cpu = _cpu(args.workers) - used
    who = resource.RUSAGE_SELF if args.workers == 1 else resource.RUSAGE_CHILDREN
    row = Mailing.objects.get(pk=mailing_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM m.settled_at - l.first)::float8,"
            " extract(epoch FROM o.first - m.released_at)::float8, o.rows"
            " FROM mailing_mailing AS m,"
            " (SELECT min(at) AS first FROM dispatch_lease WHERE mailing_id = %(id)s) AS l,"
            " (SELECT min(at) AS first, count(*) AS rows FROM outcomes_outcome"
            "  WHERE mailing_id = %(id)s) AS o"
            " WHERE m.id = %(id)s",
            {"id": mailing_id},
        )
        seconds, first_mail, rows = cursor.fetchone() or (0.0, 0.0, 0)
        safety = {}
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            cursor.execute(f"SHOW {name}")
            answer = cursor.fetchone()
            safety[name] = answer[0] if answer else ""
    return {
        "recipients": args.recipients,
        "accepted": row.accepted,
        "refused": row.refused,
        "in_doubt": row.in_doubt,
        "pending": row.pending,
        "octets": octets,
        "connections": args.connections,
        "depth": args.depth,
        "workers": args.workers,
        "seconds": round(seconds or 0.0, 3),
        "per_second": round(args.recipients / seconds, 1) if seconds else None,
        "cpu_us_per_message": round(cpu / args.recipients * 1_000_000, 1),
        "peak_rss_mb": round(resource.getrusage(who).ru_maxrss / 1024, 1),
        "round_trips_per_message": None if reads is None else round(reads / args.recipients, 4),
        "max_unrecorded": most_unrecorded,
        "outcome_rows": rows,
        "first_mail_seconds": round(first_mail or 0.0, 3),
        "prepare_seconds": round(prepared, 3),
        **safety,
    }


def _cpu(workers: int) -> float:
    """Return the seconds of processor that the sending processes have used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF if workers == 1 else resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _prepare(args: Namespace, address: RelayAddress) -> tuple[int, int]:
    """Make the institution, its people, the relay and a released mailing; give it and its size."""
    from circular.directory.services import import_accounts
    from circular.dispatch.relays import Terms, add_relay
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
        terms=Terms(depth=args.depth),
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


def _is_settled(mailing_id: int) -> bool:
    from circular.mailing.models import Mailing

    return Mailing.objects.filter(pk=mailing_id, state="settled").exists()


async def _send(mailing_id: int) -> tuple[int, int]:
    """Send in this process; give how many verdicts waited at most, and how often we read."""
    from django.db import connections

    from circular.dispatch.sender import Sender

    def is_settled() -> bool:
        try:
            return _is_settled(mailing_id)
        finally:
            connections.close_all()

    stop = asyncio.Event()
    sender = Sender(stop)
    sending = asyncio.create_task(sender.run())
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while not sending.done() and not await asyncio.to_thread(is_settled):  # noqa: ASYNC110
                await asyncio.sleep(0.25)
    finally:
        stop.set()
        await sending
    return sender.books.most_unrecorded, sender.reads


def _send_with_workers(mailing_id: int, workers: int) -> tuple[int | None, int | None]:
    """Send in processes of their own; what only a sender knows of itself is not known here."""
    from django.conf import settings
    from django.db import connection

    facts = connection.settings_dict
    url = psycopg_url(facts)
    with TemporaryDirectory(prefix="circular-bench-") as folder:
        environment = {
            **os.environ,
            "CIRCULAR_DATABASE_URL": url,
            "CIRCULAR_DATA_FOLDER": folder,
            "CIRCULAR_SECRET_KEY": settings.CIRCULAR.secret_key or settings.SECRET_KEY,
        }
        command = [sys.executable, "-m", "circular", "worker"]
        running = [
            subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            for _ in range(workers)
        ]
        try:
            deadline = time.monotonic() + SETTLE_SECONDS
            while not _is_settled(mailing_id) and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            for one in running:
                one.terminate()
            for one in running:
                one.wait(timeout=60)
    return None, None


def psycopg_url(facts: Mapping[str, Any]) -> str:
    """Write a Django database setting as a URL; a socket folder goes into the query."""
    host = str(facts["HOST"] or "")
    login = quote(str(facts["USER"]), safe="")
    if facts.get("PASSWORD"):
        login += ":" + quote(str(facts["PASSWORD"]), safe="")
    name = quote(str(facts["NAME"]), safe="")
    port = f":{facts['PORT']}" if facts.get("PORT") else ""
    if host.startswith("/"):
        return f"postgresql://{login}@{port}/{name}?host={quote(host, safe='')}"
    return f"postgresql://{login}@{host or 'localhost'}{port}/{name}"
