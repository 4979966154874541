"""Lays out the sample university in a folder: its Circular, its mail server, its accounts file.

Repeat:  an existing folder keeps its ports, its data and its mail; only missing files are written.
"""

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from circular.config.demo import university as u

DOOR_DOMAIN = f"circular.{u.DOMAIN}"
REQUESTS = f"solicitudes@{DOOR_DOMAIN}"
MAIL_PASSWORD = "buzon-de-muestra"  # of every sample mailbox; printed, never a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The loopback ports of this demo."""

    web: int
    door: int
    smtp: int
    imap: int
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """One demo folder and where everything in it answers."""

    folder: Path
    ports: Ports

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.ports.web}"

    @property
    def mail_pages(self) -> str:
        return f"http://127.0.0.1:{self.ports.pages}"

    @property
    def configuration(self) -> Path:
        return self.folder / "circular.toml"

    @property
    def mail_town(self) -> Path:
        return self.folder / "correo.json"

    @property
    def accounts(self) -> Path:
        return self.folder / "cuentas.csv"

    @property
    def log(self) -> Path:
        return self.folder / "circular.log"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on right now; all are held open until all are known."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


def lay_out(folder: Path) -> Town:
    """Write what the sample university needs and return it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ports_file = folder / "puertos.json"
    if ports_file.exists():
        ports = Ports(**json.loads(ports_file.read_text(encoding="utf-8")))
    else:
        web, door, smtp, imap, pages = free_ports(5)
        ports = Ports(web=web, door=door, smtp=smtp, imap=imap, pages=pages)
        _write(ports_file, json.dumps(asdict(ports)))
    town = Town(folder=folder, ports=ports)
    if not town.accounts.exists():
        _write(town.accounts, u.accounts_csv().decode())
    _write(town.configuration, _configuration(town))
    _write(town.mail_town, _mail_town(town))
    return town


def _write(file: Path, text: str) -> None:
    """Replace a file as a whole, so that a kill leaves the old one or the new one."""
    new = file.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.chmod(0o600)
    new.replace(file)


def _mail_town(town: Town) -> str:
    return json.dumps(
        {
            "store": str(town.folder / "correo.sqlite"),
            "mailboxes": u.mailboxes(),
            "bouncing": sorted(u.bouncing_mailboxes()),
            "neighbour_domain": DOOR_DOMAIN,
            "neighbour_host": "127.0.0.1",
            "neighbour_port": town.ports.door,
            "ports": {
                "smtp": town.ports.smtp,
                "imap": town.ports.imap,
                "pages": town.ports.pages,
            },
            "password": MAIL_PASSWORD,
        },
        indent=1,
    )


def _table(heading: str, /, **values: object) -> str:
    """Return one table of a TOML array; JSON's strings, numbers and lists are TOML's too."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([heading, *lines, ""])


def _configuration(town: Town) -> str:
    """Return `circular.toml`: where this Circular listens, and what an empty one starts with."""
    tables = [
        _table(
            "# Written by `circular demo`; what is below [seed] only fills an empty installation.",
            data_folder="datos",
            base_url=town.web,
            web_listen=f"127.0.0.1:{town.ports.web}",
            smtp_listen=f"127.0.0.1:{town.ports.door}",
            lmtp_listen="",
        ),
        _table(
            "[seed.institution]",
            name="Universidad del Macizo",
            short_name="Unimacizo",
            domain=u.DOMAIN,
            communications_name="Centro de Gestión de las Comunicaciones",
            it_name="División de Tecnologías de la Información y las Comunicaciones",
            drafts_address=REQUESTS,
        ),
        _table(
            "[[seed.units]]",
            code="bienestar",
            name="División de Salud y Bienestar",
            kind="administrative",
            mailbox=u.REQUESTER.address,
        ),
        *(
            _table(
                "[[seed.units]]",
                code=f"facultad-{number}",
                name=f"Facultad de {name}",
                kind="academic",
            )
            for number, name in enumerate(u.FACULTIES, start=1)
        ),
    ]
    posts = (
        ("comunicaciones", "Profesional universitario", "communications"),
        ("tic", "Operador de envíos", "tic"),
        ("calidad", "Profesional de calidad", "quality"),
        ("administracion", "Administración de Circular", "administrator"),
        ("lider", "Líder de Gestión Estratégica", "process_owner"),
    )
    tables += [
        _table("[[seed.posts]]", code=code, name=name, role=role, mailbox=u.POST_BOXES[code])
        for code, name, role in posts
    ]
    tables += [
        _table(
            "[[seed.people]]",
            email=player.address,
            full_name=player.name,
            password=player.password,
            posts=[player.post] if player.post else [],
            units=["bienestar"] if player is u.REQUESTER else [],
            administrator=player is u.ADMINISTRATOR,
        )
        for player in u.PLAYERS
    ]
    tables.append(
        _table(
            "[[seed.senders]]",
            unit="bienestar",
            display_name="Bienestar Universitario",
            address=u.REQUESTER.address,
            reply_to=u.REQUESTER.address,
        )
    )
    tables.append(
        _table(
            "[[seed.relays]]",
            name="Correo de muestra",
            host="127.0.0.1",
            port=town.ports.smtp,
            security="none",
            max_connections=4,
        )
    )
    tables += [
        _table(
            "[[seed.witnesses]]",
            address=address,
            imap_host="127.0.0.1",
            imap_port=town.ports.imap,
            security="none",
            username=address,
            password=MAIL_PASSWORD,
        )
        for address in u.WITNESSES
    ]
    return "\n".join(tables)
