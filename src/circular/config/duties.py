"""What one process does: serve the pages, do the jobs and send, keep the doors, bring the schema up.

Each function runs one duty until it is asked to stop (SIGTERM, SIGINT) and returns the exit code. Any
number of machines may run any number of each; the database is what they share.
"""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from circular.config.configuration import Configuration
from circular.config.errors import CannotDoError
from circular.config.speech import _

MIGRATION_LOCK = 0x0C19C0DE  # any number, the same for every Circular: one at a time migrates
# Each holds one database connection; granian finds more than twice the processors too many.
WEB_THREADS = min(16, 2 * (os.cpu_count() or 2) + 1)
# A settled mailing makes the next round post letters, which leave in the next turn.
ONCE_TURNS = 3
# granian's own lines go where all the others go, as JSON, instead of to standard output.
OUR_LOG = {
    "formatters": {},
    "handlers": {},
    "loggers": {
        name: {"handlers": [], "propagate": True} for name in ("_granian", "granian.access")
    },
}
Duty = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
logger = logging.getLogger(__name__)


def set_up_django() -> None:
    """Load Django once in this process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circular.config.settings")
    import django

    django.setup()


# ---- the schema


def migrate(configuration: Configuration, *, for_up: bool) -> int:
    """Bring the database to this version's schema, and fill an empty one from `[seed]`.

    Locks:   one advisory lock for the whole of it: processes that start at once take turns
    Repeat:  nothing to do is nothing done
    """
    set_up_django()
    from django.core.management import call_command

    from circular.config import seed
    from circular.people.services import first_administrator_link

    with _one_at_a_time():
        call_command("migrate", interactive=False, verbosity=0)
        seeded = seed.fill_if_empty(configuration.seed)
        link = first_administrator_link() if for_up else None
    if for_up:
        print(json.dumps({"seeded": seeded, "first_administrator_link": link}))
    return 0


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])


def schema_is_behind() -> bool:
    """Say whether this version has migrations that the database has not seen."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def refuse_old_schema() -> None:
    """Stop a command that would meet tables it does not know.

    Raises:  CannotDoError
    """
    if schema_is_behind():
        raise CannotDoError(
            _("La base de datos es de otra versión: ejecute `circular migrate`, o `circular up`.")
        )


# ---- the pages


def web(configuration: Configuration) -> int:
    """Serve the pages until asked to stop."""
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    from circular.config import logs

    logs.set_up(configuration.log_level)
    Server(
        "circular.config.wsgi:application",
        address=configuration.web_listen.host,
        port=configuration.web_listen.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=WEB_THREADS,
        backpressure=WEB_THREADS * 8,
        log_level=LogLevels.warning,
        log_dictconfig=OUR_LOG,
        respawn_failed_workers=True,
        websockets=False,
    ).serve()
    return 0


# ---- the jobs, and sending


def worker(_configuration: Configuration) -> int:
    """Do the jobs and send what is released, until asked to stop."""
    set_up_django()
    refuse_old_schema()
    from circular import jobs
    from circular.dispatch import sender

    return asyncio.run(_together(jobs.run_worker, sender.run))


def work_once(_configuration: Configuration) -> int:
    """Do once what is due now: every round, every waiting job, every mailing that may leave."""
    set_up_django()
    refuse_old_schema()
    from circular import jobs
    from circular.dispatch import sender

    for _turn in range(ONCE_TURNS):
        jobs.run_rounds_once()
        jobs.drain()
        asyncio.run(sender.run(asyncio.Event(), until_idle=True))
    return 0


async def _together(*duties: Duty) -> int:
    """Run duties side by side; when one ends by itself the others are asked to end, exit 1."""
    stop = _stop_when_asked()
    tasks = [asyncio.create_task(duty(stop), name=duty.__qualname__) for duty in duties]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    asked = stop.is_set()
    stop.set()
    for task, end in zip(tasks, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
        if isinstance(end, BaseException):
            logger.error("duty ended", extra={"duty": task.get_name()}, exc_info=end)
            asked = False
    return 0 if asked else 1


def _stop_when_asked() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


# ---- the doors


def door(configuration: Configuration) -> int:
    """Take mail in at the listening doors until asked to stop."""
    set_up_django()
    refuse_old_schema()
    from circular.intake import doors

    lmtp, smtp = configuration.lmtp_listen, configuration.smtp_listen

    async def keep_doors(stop: asyncio.Event) -> None:
        await doors.run(
            lmtp=(lmtp.host, lmtp.port) if lmtp else None,
            smtp=(smtp.host, smtp.port) if smtp else None,
            largest_octets=configuration.largest_message_octets,
            stop=stop,
        )

    return asyncio.run(_together(keep_doors))
