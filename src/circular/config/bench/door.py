"""`circular bench door`: how many messages a second a running front door stores durably.

It plays the mail server before the door: LMTP over several connections, every message different,
the next one of a connection only after the reply to the last. What counts is the 250 after the dot,
for it is said after the commit. Its mail is from an unknown address, so it ends in the tray of
unsorted mail: measure an installation made for it, never one that works.

Known gaps: client and door share the processor when both run on one machine; the rate is then the
lower bound.
"""

import asyncio
import json
import os
import platform
import secrets
import statistics
import sys
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(slots=True)
class Book:
    """What the connections of one run saw."""

    stored: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)  # seconds from the dot to the reply


def add_parser(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add `door` to `circular bench`."""
    parser = subparsers.add_parser("door", help="messages per second that a front door stores")
    parser.add_argument("--lmtp", default="127.0.0.1:8024", metavar="HOST:PORT")
    parser.add_argument("--to", required=True, metavar="ADDRESS", help="one that the door takes")
    parser.add_argument("--messages", type=int, default=2000, metavar="N")
    parser.add_argument("--octets", type=int, default=10_000, metavar="N", help="of each message")
    parser.add_argument("--connections", type=int, default=20, metavar="N")
    parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Send the messages and print what was measured; 1 when anything was not stored."""
    host, _, port = args.lmtp.rpartition(":")
    book = Book()
    began = time.perf_counter()
    try:
        asyncio.run(_send_all(book, args, host or "127.0.0.1", int(port)))
    except (OSError, ValueError) as error:
        print(f"circular bench door: {error}", file=sys.stderr)
        return 2
    found = report(book, args, time.perf_counter() - began)
    if args.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:22} {value}")
    return 0 if book.stored == args.messages else 1


def report(book: Book, args: Namespace, seconds: float) -> dict[str, object]:
    """Say the figures with the machine they were measured on."""
    waits = sorted(book.waits) or [0.0]
    return {
        "messages": args.messages,
        "stored": book.stored,
        "refused": book.refused,
        "octets": args.octets,
        "connections": args.connections,
        "seconds": round(seconds, 2),
        "per_second": round(book.stored / seconds, 1) if seconds else 0.0,
        "wait_median_ms": round(statistics.median(waits) * 1000, 1),
        "wait_p99_ms": round(waits[min(len(waits) - 1, int(len(waits) * 0.99))] * 1000, 1),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


async def _send_all(book: Book, args: Namespace, host: str, port: int) -> None:
    shares = [
        len(range(first, args.messages, args.connections)) for first in range(args.connections)
    ]
    async with asyncio.TaskGroup() as group:
        for share in shares:
            if share:
                group.create_task(_one_connection(book, args, host, port, share))


async def _one_connection(book: Book, args: Namespace, host: str, port: int, share: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    await _reply(reader)
    writer.write(b"LHLO bench.invalid\r\n")
    await _reply(reader)
    envelope = f"MAIL FROM:<bench@bench.invalid>\r\nRCPT TO:<{args.to}>\r\nDATA\r\n".encode()
    for _ in range(share):
        answer = b""
        # One command at a time: the door does not announce PIPELINING.
        for command in envelope.splitlines(keepends=True):
            writer.write(command)
            answer = await _reply(reader)
            if answer[:1] in b"45":
                break
        if not answer.startswith(b"354"):
            _refuse(book, answer)
            writer.write(b"RSET\r\n")
            await _reply(reader)
            continue
        writer.write(_message(args.to, args.octets))
        sent = time.perf_counter()
        answer = await _reply(reader)
        book.waits.append(time.perf_counter() - sent)
        if answer.startswith(b"250"):
            book.stored += 1
        else:
            _refuse(book, answer)
    writer.write(b"QUIT\r\n")
    await _reply(reader)
    writer.close()


def _refuse(book: Book, answer: bytes) -> None:
    code = answer[:3].decode("ascii", "replace")
    book.refused[code] = book.refused.get(code, 0) + 1


async def _reply(reader: asyncio.StreamReader) -> bytes:
    """Return the last line of a reply."""
    while True:
        line = await reader.readline()
        if not line:
            raise ConnectionError("the door hung up")
        if line[3:4] != b"-":
            return line


def _message(to: str, octets: int) -> bytes:
    name = secrets.token_hex(16)
    head = (
        f"From: bench@bench.invalid\r\nTo: {to}\r\nSubject: medida {name}\r\n"
        f"Message-ID: <{name}@bench.invalid>\r\n\r\n"
    ).encode()
    line = b"Texto de una medida, que no le pide nada a nadie.\r\n"
    return head + line * max(1, (octets - len(head)) // len(line)) + b".\r\n"
