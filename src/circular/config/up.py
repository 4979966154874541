"""`circular up`: everything on one machine. Starts the database and the duties, and keeps them going.

Rules:
1. This process loads no Django: it only starts, watches and stops others.
2. One `up` per data folder: it holds `up.lock`; a second one is told the number of the first.
3. A child that ends by itself is started again, after 1, 2, 4 … 30 seconds; so is the database.
4. Children end when this process is gone, however it went; the included database is adopted later.
5. `run/ready.json` in the data folder says where everything answers, while everything answers.

When it fails: `NotUpError`; its text is for the person at the terminal.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from circular.config import embedded
from circular.config.alone import NotUpError, alone
from circular.config.configuration import Configuration, Listen, secret_key_of
from circular.config.speech import _

READY_WITHIN = 180.0  # seconds; measured 3 to 5 on two idle processors, 20 on very busy ones
MOST_ENDS = 3  # of one child before it ever answered
FREE_WITHIN = 6.0  # seconds that children of a killed `up` get to leave their ports
STOPPED_WITHIN = 25.0  # seconds; the sender finishes what it offers within 20
LONGEST_PAUSE = 30.0  # seconds between two attempts to start a child
STEADY_AFTER = 60.0  # seconds of life after which a child's next end counts as its first
EVERY = 0.1  # seconds between two looks at the children


@dataclass(slots=True)
class Child:
    """One duty and the process that does it now."""

    words: tuple[str, ...]
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    pause: float = 0.0
    not_before: float = 0.0
    ends: int = field(default=0)

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            command(*self.words, "--until-parent-dies", str(os.getpid())),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us; we ask the children in order
        )

    def look(self, now: float) -> None:
        """Start the child when it does not run and its pause is over."""
        if self.process is not None and self.process.poll() is None:
            return
        if self.process is not None:
            self.ends += 1
            steady = now - self.started_at > STEADY_AFTER
            self.pause = 1.0 if steady or not self.pause else min(self.pause * 2, LONGEST_PAUSE)
            self.not_before = now + self.pause
            say_error(
                _("«%(duty)s» terminó con %(code)s; se inicia de nuevo en %(pause)d s.")
                % {
                    "duty": " ".join(self.words),
                    "code": self.process.returncode,
                    "pause": self.pause,
                }
            )
            self.process = None
        if now >= self.not_before:
            self.start()


def command(*words: str) -> list[str]:
    """Return how this very Circular is called again."""
    return [sys.executable, "-m", "circular", *words]


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(text, flush=True)


def say_error(text: str) -> None:
    """Tell the person at the terminal what went wrong."""
    print(text, file=sys.stderr, flush=True)


def run(configuration: Configuration) -> int:
    """Keep everything going until asked to stop.

    Raises:  NotUpError, embedded.DatabaseUnavailableError
    """
    asked = _Asked()
    with alone(configuration.data_folder):
        secret_key_of(configuration)
        ready_file = configuration.data_folder / "run" / "ready.json"
        ready_file.unlink(missing_ok=True)
        attachment = (
            None if configuration.database_url else embedded.attach(configuration.data_folder)
        )
        children: list[Child] = []
        try:
            link = _bring_schema_up(asked)
            if asked.to_stop:
                return 0
            _wait_for_free_ports(configuration)
            children = _duties(configuration)
            for child in children:
                child.start()
            if not _wait_until_ready(configuration, children, asked):
                return 0
            _tell(configuration, link, ready_file)
            _watch(children, attachment, asked)
            return 0
        finally:
            ready_file.unlink(missing_ok=True)
            _stop(children)
            if attachment is not None:
                attachment.leave()


class _Asked:
    """Whether somebody asked this process to stop."""

    def __init__(self) -> None:
        self.to_stop = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.to_stop = True


def _duties(configuration: Configuration) -> list[Child]:
    children = [Child(("web",)), *(Child(("worker",)) for _n in range(configuration.workers))]
    if configuration.lmtp_listen or configuration.smtp_listen:
        children.append(Child(("door",)))
    return children


def _bring_schema_up(asked: _Asked) -> str | None:
    """Migrate and seed in a process of its own; return the first administrator's link, if one is due."""
    done = subprocess.run(
        command("migrate", "--for-up"),
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if asked.to_stop:
        return None
    if done.returncode != 0:
        raise NotUpError(
            _("La base de datos no quedó lista; la causa está en las líneas de arriba.")
        )
    told = json.loads(done.stdout.splitlines()[-1])
    link = told["first_administrator_link"]
    return str(link) if link else None


def _wait_for_free_ports(configuration: Configuration) -> None:
    until = time.monotonic() + FREE_WITHIN
    wanted = [
        (name, listen)
        for name, listen in (
            ("web_listen", configuration.web_listen),
            ("lmtp_listen", configuration.lmtp_listen),
            ("smtp_listen", configuration.smtp_listen),
        )
        if listen is not None
    ]
    for name, listen in wanted:
        while problem := _why_not_free(listen):
            if time.monotonic() > until or "Address already in use" not in problem:
                raise NotUpError(
                    _(
                        "No se puede escuchar en %(listen)s (%(problem)s). Cambie %(key)s o libere el puerto."
                    )
                    % {"listen": listen, "problem": problem, "key": name}
                )
            time.sleep(EVERY)


def _why_not_free(listen: Listen) -> str:
    """Return why nobody could listen there now, or nothing."""
    try:
        families = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)
        for family, kind, _protocol, _name, address in families[:1]:
            with socket.socket(family, kind) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _wait_until_ready(
    configuration: Configuration, children: Sequence[Child], asked: _Asked
) -> bool:
    """Wait until pages and doors answer; False when somebody asked to stop meanwhile."""
    until = time.monotonic() + READY_WITHIN
    while not asked.to_stop:
        silent = _silent(configuration)
        if not silent:
            return True
        for child in children:
            child.look(time.monotonic())
            if child.ends >= MOST_ENDS:
                raise NotUpError(
                    _("«%(duty)s» no arranca; la causa está en las líneas de arriba.")
                    % {"duty": " ".join(child.words)}
                )
        if time.monotonic() > until:
            raise NotUpError(
                _("%(what)s no respondió en %(seconds)d segundos.")
                % {"what": silent, "seconds": READY_WITHIN}
            )
        time.sleep(EVERY)
    return False


def _silent(configuration: Configuration) -> str:
    """Return the first address that does not answer yet, or nothing."""
    if not _pages_answer(configuration):
        return configuration.base_url
    doors = (configuration.lmtp_listen, configuration.smtp_listen)
    return next((str(door) for door in doors if door and not _takes_connections(door)), "")


def _reachable(listen: Listen) -> str:
    """Return the address with which this machine reaches its own listener."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)


def _pages_answer(configuration: Configuration) -> bool:
    listen = configuration.web_listen
    connection = http.client.HTTPConnection(_reachable(listen), listen.port, timeout=10)
    try:
        host = urlsplit(configuration.base_url).netloc
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _takes_connections(listen: Listen) -> bool:
    try:
        with socket.create_connection((_reachable(listen), listen.port), timeout=5):
            return True
    except OSError:
        return False


def _tell(configuration: Configuration, link: str | None, ready_file: Path) -> None:
    """Say where everything answers, to people and to programs."""
    lmtp, smtp = configuration.lmtp_listen, configuration.smtp_listen
    ready_file.parent.mkdir(mode=0o700, exist_ok=True)
    draft = ready_file.with_suffix(".new")
    draft.write_text(
        json.dumps(
            {
                "pid": os.getpid(),
                "web": f"http://{configuration.web_listen}",
                "lmtp": [lmtp.host, lmtp.port] if lmtp else None,
                "smtp": [smtp.host, smtp.port] if smtp else None,
            }
        ),
        encoding="utf-8",
    )
    draft.replace(ready_file)
    say(_("Páginas: %(url)s") % {"url": configuration.base_url})
    if lmtp:
        say(_("Puerta LMTP: %(listen)s") % {"listen": lmtp})
    if smtp:
        say(_("Puerta SMTP: %(listen)s") % {"listen": smtp})
    if link:
        say(_("Todavía no hay quien administre. Abra este enlace, que sirve una sola vez:"))
        say(f"  {link}")
    say(_("Circular está en marcha. Termine con Ctrl-C."))


def _watch(
    children: Sequence[Child], attachment: embedded.Attachment | None, asked: _Asked
) -> None:
    """Start again what ends, until somebody asks to stop."""
    told = ""
    look_at = 0.0
    while not asked.to_stop:
        now = time.monotonic()
        if attachment is not None and now >= look_at and not attachment.is_running():
            try:
                attachment.ensure_running()
                told = ""
            except (embedded.DatabaseUnavailableError, OSError) as problem:
                if str(problem) != told:
                    told = str(problem)
                    say_error(told)
                look_at = now + 5.0
        for child in children:
            child.look(now)
        time.sleep(EVERY)


def _stop(children: Sequence[Child]) -> None:
    processes = [child.process for child in children if child.process is not None]
    for process in processes:
        process.terminate()
    until = time.monotonic() + STOPPED_WITHIN
    for process in processes:
        try:
            process.wait(timeout=max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
