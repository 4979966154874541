"""A process with Circular loaded, that forks: a worker starts in milliseconds and can be killed.

It reads one order a line on standard input and answers with one JSON object a line:

    {"do": "prepare", ...}   make an institution, its people, a relay and a released mailing
    {"do": "work", ...}      fork a sender; {"pid": N}
    {"do": "call", ...}      one call of a service of ours, and its answer

Known gaps: a forked sender runs without the job queue; the full run uses `circular worker`.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ORDERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def prepare(order: dict[str, Any]) -> dict[str, Any]:
    """Make everything that a mailing needs, and release it."""
    from circular.directory.services import import_accounts
    from circular.dispatch.models import Relay
    from circular.dispatch.relays import add_relay
    from circular.evidence.actors import SYSTEM
    from circular.mailing import services
    from circular.mailing.composing import Draft
    from circular.mailing.kinds import MailClass, MailingKind
    from circular.people.models import Institution

    if not Institution.objects.exists():
        Institution.objects.create(name="Faults", short_name="Faults", domain="faults.example")
        names = (f"p{number}@faults.example" for number in range(order["people"]))
        import_accounts(
            "\n".join(["address", *names]).encode(),
            name="faults.csv",
            keep_good=False,
            confirm=True,
            by=SYSTEM,
        )
        relay = add_relay(
            name="far",
            host=order["host"],
            port=order["port"],
            security="none",
            max_connections=order["connections"],
            by=SYSTEM,
        )
        Relay.objects.filter(pk=relay).update(depth=order["depth"])
    everybody: dict[str, object] = {"clauses": [{}]}
    composed = services.compose_stencil(
        Draft(
            sender_name="Faults",
            sender_address="office@faults.example",
            subject="Faults",
            text="\n".join(["x" * 69] * max(order["octets"] // 142, 1)),
            mail_class=MailClass(order["mail_class"]),
            audience_rule=everybody,
        )
    )
    mailing_id = services.create_mailing(
        kind=MailingKind.CIRCULAR,
        stencil=services.save_stencil(composed.content, by=SYSTEM),
        by=SYSTEM,
    )
    services.freeze_audience(mailing_id, everybody, witnesses=False, by=SYSTEM)
    services.release_mailing(mailing_id, by=SYSTEM)
    return {"mailing": mailing_id}


def work(order: dict[str, Any]) -> None:
    """Be a sender until asked to stop."""
    from circular.dispatch import sender
    from circular.dispatch.pacing import Pace
    from circular.smtp.session import Timeouts
    from faults.broken import BROKEN

    if order["broken"]:
        BROKEN[order["broken"]]()
    timeouts = Timeouts.at_most(order["patience"]) if order["patience"] else None

    async def main() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await sender.run(stop, pace=Pace(**order["pace"]), timeouts=timeouts)

    asyncio.run(main())


def doubts(order: dict[str, Any]) -> dict[str, Any]:
    """End every doubt of a mailing as a person would."""
    from circular.evidence.actors import Actor
    from circular.mailing.models import Recipient
    from circular.outcomes.services import resolve_doubt
    from circular.outcomes.verdicts import Resolution

    people = Recipient.objects.filter(mailing=order["mailing"], state="in_doubt")
    for recipient in people.values_list("id", flat=True):
        resolve_doubt(recipient, Resolution(order["how"]), by=Actor.of(1), reason="faults")
    return {"resolved": True}


ORDERS |= {"prepare": prepare, "doubts": doubts}


def _forked(order: dict[str, Any]) -> dict[str, Any]:
    """Do one order in a child: the parent never has a connection, a thread or a loop."""
    if order["do"] == "work":
        pid = os.fork()
        if not pid:
            _be_a_worker(order)
        return {"pid": pid}
    reading, writing = os.pipe()
    if not os.fork():
        os.close(reading)
        answer: dict[str, Any] = {}
        try:
            answer = ORDERS[order["do"]](order)
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os.write(writing, json.dumps(answer).encode() + b"\n")
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        answer = json.loads(answers.readline() or "{}")
        return dict(answer)


def _be_a_worker(order: dict[str, Any]) -> None:
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if order["stopped"]:  # for whoever wants to attach before it begins
            os.kill(os.getpid(), signal.SIGSTOP)
        work(order)
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Load everything, then fork on order until standard input ends."""
    import django

    django.setup()
    import circular.config.logs
    import circular.dispatch.sender
    import circular.mailing.services
    import faults.broken

    loaded = (circular.config.logs, circular.dispatch.sender, circular.mailing.services)
    # Whoever ends is reaped by the kernel; the one who ordered it looks into /proc.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print(json.dumps({"ready": len(loaded), "broken": sorted(faults.broken.BROKEN)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line))), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
