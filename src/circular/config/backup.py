"""`circular backup` and `circular restore`: one file with everything that an installation cannot lose.

Rules:
1. The file holds the whole database and the secret key (sealed passwords are worth nothing without
   it), so it is written for its owner only (0600).
2. It is written beside its place and renamed: a file with that name is a complete one.
3. Restoring goes into an empty installation only, and in one transaction: all or nothing.

When it fails: `CannotDoError`; what was there before is untouched.
Known gaps: with a database of one's own, `pg_dump` of the included PostgreSQL is used; it reads
servers up to its own version.
"""

import argparse
import io
import json
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from circular import __version__
from circular.config import embedded
from circular.config.configuration import Configuration, known_secret_key
from circular.config.errors import CannotDoError
from circular.config.speech import _

DUMP, KEY, ABOUT = "circular.dump", "secret_key", "about.json"


def _address(configuration: Configuration) -> str:
    return configuration.database_url or embedded.url_of(configuration.data_folder)


def _run(program: str, *words: str, address: str) -> str:
    # The password travels in the environment: everybody on the machine can read a command line.
    parts = urlsplit(address)
    if parts.password:
        shown = parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@", 1))
        address = urlunsplit(shown)
    done = subprocess.run(
        [str(embedded.programs() / program), *words, f"--dbname={address}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | ({"PGPASSWORD": unquote(parts.password)} if parts.password else {}),
    )
    if done.returncode != 0:
        raise CannotDoError(
            _("%(program)s no pudo: %(reason)s")
            % {
                "program": program,
                "reason": next(iter(done.stderr.strip().splitlines()), done.returncode),
            }
        )
    return done.stdout


def backup(arguments: argparse.Namespace, configuration: Configuration) -> int:
    """Write the backup file; an existing one is replaced only by a complete new one."""
    target: Path = arguments.to
    try:
        with tempfile.TemporaryDirectory(
            dir=target.absolute().parent, prefix=".circular-"
        ) as draft:
            dump = Path(draft) / DUMP
            _run(
                "pg_dump",
                "--format=custom",
                "--no-owner",
                f"--file={dump}",
                address=_address(configuration),
            )
            finished = Path(draft) / "finished.tar"
            with (
                os.fdopen(
                    os.open(finished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
                ) as file,
                tarfile.open(fileobj=file, mode="w") as archive,
            ):
                _add(archive, ABOUT, json.dumps({"version": __version__}).encode())
                _add(archive, KEY, known_secret_key(configuration).encode())
                archive.add(dump, DUMP)
                file.flush()
                os.fsync(file.fileno())
            finished.replace(target)
    except OSError as error:
        raise CannotDoError(
            _("No se puede escribir %(file)s: %(error)s")
            % {"file": target, "error": error.strerror}
        ) from error
    print(
        _("Copia completa: %(file)s. Contiene la clave secreta: guárdela como tal.")
        % {"file": target}
    )
    return 0


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))


def _read(source: Path) -> tuple[str, bytes]:
    """Return the secret key and the dump of a backup file."""
    try:
        with tarfile.open(source) as archive:
            key, dump = archive.extractfile(KEY), archive.extractfile(DUMP)
            assert key is not None
            assert dump is not None
            return key.read().decode("ascii"), dump.read()
    except (OSError, tarfile.TarError, KeyError, AssertionError, UnicodeDecodeError) as error:
        raise CannotDoError(
            _("%(file)s no es una copia de Circular: %(error)s")
            % {"file": source, "error": next(iter(str(error).splitlines()), type(error).__name__)}
        ) from error


# What left after the backup was made is not known to it: nothing leaves again before a person says so.
HOLD = (
    "UPDATE mailing_mailing SET self_paused = 'restored'"
    " WHERE state = 'released' AND kind = 'circular' AND pending > 0"
)


def restore(arguments: argparse.Namespace, configuration: Configuration) -> int:
    """Fill an empty installation from a backup file."""
    key, dump = _read(arguments.source)
    if configuration.secret_key not in {"", key}:
        raise CannotDoError(
            _(
                "secret_key no es la clave de la copia; quítela de la configuración o ponga la misma."
            )
        )
    address = _address(configuration)
    tables = _run(
        "psql", "--no-psqlrc", "--tuples-only", "--no-align",
        "--command=SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
        address=address,
    )  # fmt: skip
    if tables.strip() != "0":
        raise CannotDoError(_("La base de datos no está vacía: nada se cambió."))
    with tempfile.TemporaryDirectory(prefix="circular-") as draft:
        file = Path(draft) / DUMP
        file.write_bytes(dump)
        _run("pg_restore", "--no-owner", "--single-transaction", str(file), address=address)
    held = _run("psql", "--no-psqlrc", f"--command={HOLD}", address=address)
    if not configuration.secret_key:
        path = configuration.data_folder / "secret_key"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            written.write(key + "\n")
    print(_("Copia restaurada. Inicie con `circular up`."))
    if held.split()[-1:] != ["0"]:
        print(
            _("Los envíos que no habían terminado quedan en pausa hasta que alguien los continúe.")
        )
    return 0
