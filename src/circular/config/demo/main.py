"""`circular demo`: a sample university on this machine; one request walks all five activities.

It starts the sample mail server and `circular up` on a folder of its own, imports the accounts,
lets the sample people act, and keeps the pages open. An existing folder goes on with its
unfinished case, or files a new one.

When it fails:  a child that ends early, or a case that nobody moves, is said with the log's place;
                exit 1. Nothing is lost: the next start goes on from the same folder.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from circular.config.alone import NotUpError, alone
from circular.config.demo import university as u
from circular.config.demo.browser import PageProblemError
from circular.config.demo.gallery import open_cases
from circular.config.demo.story import Story, StuckError
from circular.config.demo.town import MAIL_PASSWORD, Town, lay_out
from circular.config.speech import _

READY_WITHIN = 120  # seconds; the figure to reach is 60 with the wheels at hand


class ChildEndedError(Exception):
    """A program of the demo ended although nobody asked it to."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo` to the command line."""
    parser = subparsers.add_parser("demo", help=_("una universidad de muestra, de principio a fin"))
    parser.add_argument(
        "--exit", action="store_true", help=_("terminar cuando el expediente se cierre")
    )
    parser.add_argument("--json", action="store_true", help=_("el resultado como una línea JSON"))
    parser.add_argument("--folder", type=Path, help=_("carpeta de la muestra"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play the demo; 0 only when the case is closed and the chain verifies."""
    folder: Path = arguments.folder or Path(os.environ.get("CIRCULAR_DEMO_FOLDER", "demo-data"))

    def say(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    town = lay_out(folder.absolute())
    say(_("Carpeta de la muestra: %(folder)s") % {"folder": town.folder})
    try:
        with alone(town.folder), _running(town, say) as environment:
            result = _play(town, say, environment)
            if arguments.json:
                print(json.dumps(result, ensure_ascii=False), flush=True)
            good = result["state"] == "closed" and result["verified"] and result["chain_ok"]
            if not arguments.exit:
                open_cases(Story(town, say))
                _stay(town, say, str(result["filing_number"]))
            return 0 if good else 1
    except KeyboardInterrupt:
        return 130
    except NotUpError as other:
        say(str(other))
        return 1
    except (StuckError, ChildEndedError, PageProblemError, OSError, HTTPException) as problem:
        say(_("La muestra se detuvo: %(problem)s") % {"problem": problem})
        say(_("El registro está en %(log)s; otra ejecución sigue desde aquí.") % {"log": town.log})
        return 1


@contextlib.contextmanager
def _running(town: Town, say: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """Start the mail server and Circular, wait until both answer, stop both at the end.

    Shapes:  yields the environment in which `circular` commands reach this installation
    """
    children: list[subprocess.Popen[bytes]] = []
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CIRCULAR_")
    }
    environment["CIRCULAR_CONFIG"] = str(town.configuration)
    if address := os.environ.get("CIRCULAR_DATABASE_URL"):
        environment["CIRCULAR_DATABASE_URL"] = address
    with town.log.open("ab") as log:

        def start(*command: str) -> subprocess.Popen[bytes]:
            child = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl-C is ours to hand on, once, in order
            )
            children.append(child)
            return child

        try:
            _wait_for_leavers(town)
            start("circular.config.demo.mailserver", str(town.mail_town))
            start("circular", "up", "--until-parent-dies")
            say(_("Se inician la base de datos, las páginas y el correo de muestra…"))
            _wait_until_ready(town, children)
            _import_accounts(town, environment)
            yield environment
        finally:
            for child in reversed(children):
                child.terminate()
            for child in reversed(children):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=30)
                child.kill()


def _wait_for_leavers(town: Town) -> None:
    """Wait until the Circular of a killed demo has put its database away.

    It ends by itself; a database that was interrupted may take half a minute to stop.
    """
    until = time.monotonic() + READY_WITHIN
    while True:
        try:
            with alone(town.folder / "datos"):
                return
        except NotUpError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _wait_until_ready(town: Town, children: list[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + READY_WITHIN
    waiting = [f"{town.web}/healthz", f"{town.mail_pages}/"]
    while waiting:
        for child in children:
            if child.poll() is not None:
                raise ChildEndedError(
                    _("«%(command)s» terminó con %(code)s")
                    % {"command": " ".join(map(str, child.args[2:])), "code": child.returncode}  # type: ignore[index]  # we gave a list
                )
        if time.monotonic() > until:
            raise StuckError(_("%(address)s no respondió a tiempo") % {"address": waiting[0]})
        try:
            with urlopen(waiting[0], timeout=5):  # noqa: S310 - our own page
                waiting.pop(0)
        except HTTPError:
            time.sleep(0.2)
        except OSError:
            time.sleep(0.1)


def _import_accounts(town: Town, environment: dict[str, str]) -> None:
    """Import the accounts as an operator would; the same file again changes nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "circular", "directory", "import", str(town.accounts), "--yes"],
        capture_output=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        raise StuckError(done.stderr.decode("utf-8", "replace").strip())


def _play(town: Town, say: Callable[[str], None], environment: dict[str, str]) -> dict[str, Any]:
    """Let the sample people take one case to its end; return the object of `--json`."""
    story = Story(town, say)
    say(_("Páginas: %(web)s  Buzones: %(mail)s") % {"web": town.web, "mail": town.mail_pages})
    story.begin()
    number = story.file_by_link()
    say(
        _("Actividad 1: la solicitud llegó por correo y quedó radicada: %(number)s")
        % {"number": number}
    )
    case = story.walk(number)
    verified = subprocess.run(
        [sys.executable, "-m", "circular", "evidence", "verify"],
        capture_output=True,
        check=False,
        env=environment,
    )
    wanted = (
        "filing_number", "state", "activities", "audience", "accepted", "refused", "bounced",
        "suppressed", "pending", "in_doubt", "confirmations", "verified", "possible_duplicates",
    )  # fmt: skip
    return {name: case[name] for name in wanted} | {"chain_ok": verified.returncode == 0}


def _stay(town: Town, say: Callable[[str], None], number: str) -> None:
    """Keep everything running and say how to look at it, until somebody asks to stop."""
    say("")
    say(
        _("El expediente %(number)s está cerrado. Las páginas siguen abiertas:")
        % {"number": number}
    )
    say(f"  {town.web}/e/{number}")
    for player in u.PLAYERS:
        say(
            _("  %(role)s: entre en %(page)s con %(address)s y la contraseña %(password)s")
            % {
                "role": player.role,
                "page": f"{town.web}/entrar",
                "address": player.address,
                "password": player.password,
            }
        )
    say(
        _("  Correo: %(mail)s (por IMAP: 127.0.0.1:%(imap)s, contraseña %(password)s)")
        % {"mail": town.mail_pages, "imap": town.ports.imap, "password": MAIL_PASSWORD}
    )
    say(_("Termine con Ctrl-C. Otra ejecución en la misma carpeta radica una solicitud nueva."))
    while True:
        time.sleep(3600)
