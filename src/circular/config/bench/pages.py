"""`circular bench pages`: how long the pages take, and how much they ask, in a house of some years.

A scratch database (see `send`) is filled with accounts and cases (see `fullhouse`). Then every page
is fetched in this process as its reader would: once to warm it and to count its queries, then timed.

Units:  milliseconds from the request to the last octet, without network and web server
Known gaps: one reader at a time; see `fullhouse` for what the filling leaves out
"""

import json
import os
import platform
import statistics
import sys
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from circular.config.bench.fullhouse import POSTS, Town, fill

MEDIAN_MS, MOST_QUERIES = 80.0, 30  # what the project promises for 5,000 cases


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured of one page; `cpu_ms` is the median of this process alone."""

    page: str
    reader: str
    status: int
    median_ms: float
    p95_ms: float
    cpu_ms: float
    queries: int
    octets: int

    @property
    def is_kept(self) -> bool:
        """Tell whether the page is as quick and as modest as the project promises."""
        return (
            self.status == HTTPStatus.OK
            and self.median_ms <= MEDIAN_MS
            and self.queries <= MOST_QUERIES
        )


def add_parser(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add `pages` to `circular bench`."""
    parser = subparsers.add_parser("pages", help="time and queries of the pages in a full house")
    parser.add_argument("--cases", type=int, default=5000, metavar="N")
    parser.add_argument("--accounts", type=int, default=100_000, metavar="N")
    parser.add_argument("--times", type=int, default=30, metavar="N", help="of each page")
    parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
    parser.set_defaults(run=run, needs_database=True)


def run(args: Namespace) -> int:
    """Fill, fetch and print; 1 when a page is slower or asks more than the project promises."""
    from circular.config.bench.send import scratch_database
    from circular.config.duties import set_up_django

    if args.cases < 1 or args.accounts < 1 or args.times < 1:
        print("circular bench pages: every N is at least 1", file=sys.stderr)
        return 2
    set_up_django()
    with scratch_database():
        began = time.perf_counter()
        town = fill(args.cases, args.accounts)
        filled = time.perf_counter() - began
        found = [
            _measured(name, reader, address, town, args.times)
            for name, reader, address in _pages(town)
        ]
        facts = _facts(args, filled)
    if args.json:
        print(json.dumps({**facts, "pages": [asdict(one) for one in found]}))
    else:
        for name, value in facts.items():
            print(f"{name:14} {value}")
        print(f"{'page':24} {'reader':16} {'ms':>7} {'95 %':>7} {'cpu ms':>7} {'queries':>7}")
        for one in found:
            print(
                f"{one.page:24} {one.reader:16} {one.median_ms:7} {one.p95_ms:7} {one.cpu_ms:7}"
                f" {one.queries:7}"
            )
    return 0 if all(one.is_kept for one in found) else 1


def _facts(args: Namespace, filled: float) -> dict[str, object]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM workflow_request")
        cases = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM evidence_entry")
        entries = cursor.fetchone()
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()
    return {
        "cases": cases[0] if cases else 0,
        "accounts": args.accounts,
        "entries": entries[0] if entries else 0,
        "times": args.times,
        "filled_in_s": round(filled, 1),
        "python": platform.python_version(),
        "postgresql": version[0] if version else "",
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


# ---- the pages


def _pages(town: Town) -> Iterator[tuple[str, str, str]]:
    """Give the name, the reader and the address of every page that is measured."""
    for role in ("requester", *POSTS, "administrator"):
        yield "tray", role, "/bandeja"
    yield "cases", "communications", "/expedientes"
    yield "cases", "requester", "/expedientes"
    yield "cases, far back", "communications", "/expedientes?pagina=150"
    yield "cases, sought by words", "communications", "/expedientes?q=jornada"
    yield "cases, sought in vain", "communications", "/expedientes?q=zzzzzz"
    yield "cases of a unit, over", "communications", f"/expedientes?dependencia={town.units[3]}"
    for state, reader in (
        ("in_review", "communications"),
        ("sending", "tic"),
        ("confirmed", "communications"),
        ("closed", "communications"),
        ("closed", "requester"),
        ("closed", "quality"),
    ):
        yield f"case, {state}", reader, f"/e/{town.numbers[state]}"
    yield "sending", "tic", f"/e/{town.numbers['sending']}/envio"
    yield "sending, figures", "tic", f"/e/{town.numbers['sending']}/envio/avance"
    yield "new request", "requester", "/solicitudes/nueva"
    yield "directory", "tic", "/directorio"
    yield "directory, sought", "tic", "/directorio?q=persona-777"
    yield "audiences", "tic", "/directorio/publicos"
    yield "calendar", "communications", "/calendario"
    yield "procedure", "communications", "/procedimiento"


def _measured(name: str, reader: str, address: str, town: Town, times: int) -> Figures:
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="localhost")
    client.force_login(get_user_model().objects.get(pk=town.people[reader]))
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(address)
    queries = len(asked)  # now: the next request clears the log
    taken, used = [], []
    for _ in range(times):
        began, used_before = time.perf_counter(), time.process_time()
        client.get(address)
        used.append((time.process_time() - used_before) * 1000)
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    return Figures(
        page=name,
        reader=reader,
        status=answer.status_code,
        median_ms=round(statistics.median(taken), 1),
        p95_ms=round(taken[min(times - 1, round(times * 0.95))], 1),
        cpu_ms=round(statistics.median(used), 1),
        queries=queries,
        octets=len(answer.content),
    )
