"""`circular doctor`: one line for each thing that this installation needs, exit 1 when one is missing."""

import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circular.config import embedded
from circular.config.configuration import Configuration, known_secret_key
from circular.config.speech import LOCALE_FOLDER, _, language_of

if TYPE_CHECKING:
    import dns.resolver

OLDEST_POSTGRESQL = 15
LITTLE_SPACE = 1024**3  # octets; a university's year of mail takes some hundred MB


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, whether it is as it must be, and what to do when not."""

    good: bool
    about: str
    remedy: str = ""


def doctor(configuration: Configuration) -> int:
    """Print a line for each thing; 1 when one of them is not as it must be."""
    good = True
    for finding in _findings(configuration):
        good = good and finding.good
        mark = "✓" if finding.good else "✗"
        remedy = "" if finding.good or not finding.remedy else f" → {finding.remedy}"
        print(f"{mark} {finding.about}{remedy}", flush=True)
    return 0 if good else 1


def _findings(configuration: Configuration) -> Iterator[Finding]:
    version = platform.python_version()
    yield Finding(
        sys.version_info >= (3, 11), f"Python {version}", _("hace falta 3.11 o posterior")
    )
    yield Finding(
        language_of(os.environ) == "es" or any(LOCALE_FOLDER.glob("en/LC_MESSAGES/*.mo")),
        _("catálogo de inglés"),
        "python tools/catalogues.py compile",
    )
    folder = configuration.data_folder
    yield from _folder(folder)
    yield Finding(
        bool(known_secret_key(configuration)),
        _("clave secreta"),
        _("`circular up` la crea; varias máquinas necesitan la misma en secret_key"),
    )
    yield from signature(configuration)
    try:
        if configuration.database_url:
            yield from _database(configuration.database_url)
        else:
            with embedded.attached(folder) as attachment:
                yield from _database(attachment.url)
    except embedded.DatabaseUnavailableError as problem:
        yield Finding(False, _("base de datos"), str(problem))


def _folder(folder: Path) -> Iterator[Finding]:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    yield Finding(
        os.access(existing, os.W_OK),
        _("carpeta de datos %(folder)s") % {"folder": folder},
        _("no se puede escribir"),
    )
    yield Finding(
        free > LITTLE_SPACE,
        _("espacio libre: %(free)d MB") % {"free": free // 2**20},
        _("conviene tener 1 GB"),
    )


def signature(
    configuration: Configuration, resolver: "dns.resolver.Resolver | None" = None
) -> Iterator[Finding]:
    """Compare the DKIM key with what the DNS publishes; nothing where nothing is signed."""
    if not configuration.dkim_key:
        return
    import dns.exception
    import dns.resolver

    from circular.mailformat.dkim import judge_records, read_key

    key = read_key(
        configuration.dkim_key.encode(),
        domain=configuration.dkim_domain,
        selector=configuration.dkim_selector,
    )
    about = f"DKIM {key.name}"
    resolver = resolver or dns.resolver.Resolver()
    try:
        answer = resolver.resolve(key.name, "TXT", lifetime=10)
        records = [b"".join(row.strings).decode("ascii", "replace") for row in answer]
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        records = []
    except dns.exception.DNSException as problem:
        yield Finding(False, about, _("el DNS no responde: %(why)s") % {"why": problem})
        return
    remedies = {
        "missing": _("publique este registro TXT: %(record)s"),
        "several": _("hay varios registros; deje solo este: %(record)s"),
        "revoked": _("el registro está revocado (p= vacío); publique este: %(record)s"),
        "differs": _("el registro es de otra clave; publique este: %(record)s"),
    }
    verdict = judge_records(key, records)
    yield Finding(not verdict, about, remedies.get(verdict, "") % {"record": key.record()})


def _database(address: str) -> Iterator[Finding]:
    import psycopg

    try:
        with psycopg.connect(address, connect_timeout=10) as connection:
            version = connection.info.server_version // 10000
    except psycopg.Error as problem:
        yield Finding(False, _("base de datos"), str(problem).splitlines()[0])
        return
    yield Finding(
        version >= OLDEST_POSTGRESQL, f"PostgreSQL {version}", _("hace falta 15 o posterior")
    )
    from circular.config import duties

    duties.set_up_django()
    current = not duties.schema_is_behind()
    yield Finding(current, _("esquema de la base de datos"), "circular migrate")
    if current:
        yield from _house()


def _house() -> Iterator[Finding]:
    from circular.dispatch.models import Relay
    from circular.mailing.models import WitnessMailbox
    from circular.people import queries as people
    from circular.people.roles import Role

    yield Finding(
        not people.is_empty(), _("institución"), _("/administracion, o [seed] en circular.toml")
    )
    yield Finding(people.has_administrator(), _("administrador"), _("`circular up` da el enlace"))
    for role in (Role.COMMUNICATIONS, Role.TIC):
        yield Finding(
            people.post_for(role) is not None,
            _("cargo: %(role)s") % {"role": role.value},
            "/administracion",
        )
    relays = list(Relay.objects.filter(active=True))
    yield Finding(bool(relays), _("relé de salida"), "/administracion")
    for relay in relays:
        yield Finding(
            _answers(relay.host, relay.port),
            f"{relay.name} ({relay.host}:{relay.port})",
            _("no responde"),
        )
    witnesses = list(WitnessMailbox.objects.filter(active=True))
    yield Finding(
        bool(witnesses), _("cuentas testigo"), _("sin ellas, la verificación no prueba la llegada")
    )
    for witness in witnesses:
        yield Finding(
            _answers(witness.imap_host, witness.imap_port),
            f"IMAP {witness.imap_host}:{witness.imap_port}",
            _("no responde"),
        )


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False
