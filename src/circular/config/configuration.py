"""Reads what a machine needs to start, and says everything that is wrong with it at once.

Rules:
1. `circular.toml` is read first, then `CIRCULAR_*` of the environment wins; `CIRCULAR_X_FILE` (and
   `x_file` in the file) reads a secret from a file instead.
2. An unknown key is an error, in the file and in the environment: a typing mistake must not be silence.
3. Every wrong value is named with what is allowed; nothing starts on half a configuration.
4. What an office may change is not here: `[seed]` only fills an empty installation (`seed.py`).
5. A relative folder counts from where it is written: the file's own folder, or the current one for the environment.

When it fails: `ConfigurationError` carries one sentence per problem; a secret's value is never in them.
Documented in `docs/settings.md`, which a test compares with this module.
"""

# ruff: noqa: RUF009 - `_key` makes a dataclass field, as `dataclasses.field` does

import os
import re
import secrets
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from typing_extensions import override

from circular.config.speech import _
from circular.people.roles import Role
from circular.workflow.states import Stage

PREFIX = "CIRCULAR_"
FILE_NAME = "circular.toml"
# Read by other programs than Circular: which file to read, and what only the tests know.
FOREIGN = ("CIRCULAR_CONFIG", "CIRCULAR_TEST_")
# What Django takes for a Host header: of any other name it would refuse every page.
HOST_NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*"
SHORTEST_SECRET = 32  # characters; Django warns below 50, 128 bits need 32 hexadecimal digits

T = TypeVar("T")


class ConfigurationError(Exception):
    """The configuration cannot be used.

    Shapes:  `problems`, one sentence each, in the order in which the keys are documented
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class LogLevel(StrEnum):
    """How much the programs write to their log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a program listens."""

    host: str
    port: int

    @override
    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class _WrongValueError(Exception):
    """A value that a reader refuses; the argument says what is allowed."""


# ---- readers: the value as written → the value as used


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or "\n" in value:
        raise _WrongValueError(_("un texto de una línea, no vacío"))
    return value.strip()


def _optional_text(value: object) -> str:
    return "" if value == "" else _text(value)


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise _WrongValueError("true, false")


def _number(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value.strip()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _WrongValueError(
                _("un número entero de %(low)s a %(high)s") % {"low": low, "high": high},
            )
        return value

    return read


def _choice(*allowed: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or value.strip().lower() not in allowed:
            raise _WrongValueError(_("uno de: %(allowed)s") % {"allowed": ", ".join(allowed)})
        return value.strip().lower()

    return read


def _log_level(value: object) -> LogLevel:
    return LogLevel(_choice(*LogLevel)(value))


def _codes(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value):
        return tuple(item.strip() for item in value)
    raise _WrongValueError(_("una lista de códigos entre corchetes"))


def _mailbox(value: object) -> str:
    # Only a typing mistake is caught here; the room that stores the address parses it for good.
    if not isinstance(value, str) or not re.fullmatch(
        r"[^@\s<>]+@[^@\s<>.]+(\.[^@\s<>.]+)*", value.strip()
    ):
        raise _WrongValueError(_("una dirección de correo, como oficina@universidad.edu.co"))
    return value.strip()


def _optional_mailbox(value: object) -> str:
    return "" if value == "" else _mailbox(value)


def _listen(value: object) -> Listen:
    allowed = _("dirección:puerto, como 127.0.0.1:8000 o [::1]:8000")
    if not isinstance(value, str):
        raise _WrongValueError(allowed)
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.%]+)\]|([^:\[\]\s/]+)):([0-9]{1,5})", value.strip())
    if found is None or not 1 <= int(found[3]) <= 65535:
        raise _WrongValueError(allowed)
    return Listen(found[1] or found[2], int(found[3]))


def _optional_listen(value: object) -> Listen | None:
    return None if value == "" else _listen(value)


def _base_url(value: object) -> str:
    allowed = _(
        "http:// o https:// con un nombre de máquina y sin ruta, como https://circular.universidad.edu.co"
    )
    if not isinstance(value, str):
        raise _WrongValueError(allowed)
    try:
        parts = urlsplit(value.strip())
        usable = (
            parts.scheme in {"http", "https"}
            and re.fullmatch(HOST_NAME, parts.hostname or "")
            and parts.port != 0
        )
    except ValueError:
        raise _WrongValueError(allowed) from None
    if not usable or parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise _WrongValueError(allowed)
    return value.strip().rstrip("/")


def _database_url(value: object) -> str:
    allowed = _("postgresql://usuario:contraseña@máquina:5432/base, o vacío para la base incluida")
    if value == "":
        return ""
    if not isinstance(value, str):
        raise _WrongValueError(allowed)
    try:
        parts = urlsplit(value.strip())
        usable = (
            parts.scheme in {"postgresql", "postgres"} and parts.path.strip("/") and parts.port != 0
        )
    except ValueError:
        raise _WrongValueError(allowed) from None
    if not usable:
        raise _WrongValueError(allowed)
    return value.strip()


def _secret_key(value: object) -> str:
    if not isinstance(value, str) or (value and len(value) < SHORTEST_SECRET):
        raise _WrongValueError(
            _("por lo menos %(count)s caracteres, o vacío para crearla en la carpeta de datos")
            % {"count": SHORTEST_SECRET},
        )
    return value


def _pem(value: object) -> str:
    # Several lines; whether it is a key is said once its domain and selector are known.
    if not isinstance(value, str) or (value and "PRIVATE KEY-----" not in value):
        raise _WrongValueError(_("una clave privada en PEM, o vacío para no firmar"))
    return value


def _folder(value: object) -> Path:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise _WrongValueError(_("la ruta de una carpeta"))
    try:
        return Path(value.strip()).expanduser()
    except RuntimeError:  # ~name of nobody
        raise _WrongValueError(_("la ruta de una carpeta")) from None


def _key(
    read: Callable[[object], object], default: object = MISSING, *, secret: bool = False
) -> Any:  # Any: what `dataclasses.field` itself returns, so that the annotation decides the type
    metadata = {"read": read, "secret": secret}
    if default is MISSING:
        return field(metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


# ---- what an empty installation is filled with


@dataclass(frozen=True, slots=True, kw_only=True)
class InstitutionSeed:
    """The house and how it names its two offices."""

    name: str = _key(_text)
    short_name: str = _key(_text)
    domain: str = _key(_text)
    communications_name: str = _key(_text, "Comunicaciones")
    it_name: str = _key(_text, "División TIC")
    drafts_address: str = _key(_optional_mailbox, "")
    language: str = _key(_choice("es", "en"), "es")
    confirm_automatically: bool = _key(_boolean, True)
    separate_duties: bool = _key(_boolean, True)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSeed:
    """An academic or administrative unit; `parent` is the code of another one."""

    code: str = _key(_text)
    name: str = _key(_text)
    kind: str = _key(_choice("academic", "administrative"), "administrative")
    parent: str = _key(_optional_text, "")
    mailbox: str = _key(_optional_mailbox, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostSeed:
    """A post (cargo): what it does in the procedure and the mailbox that gets its letters."""

    code: str = _key(_text)
    name: str = _key(_text)
    role: str = _key(_choice(*Role))
    mailbox: str = _key(_mailbox)
    unit: str = _key(_optional_text, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSeed:
    """A person of the staff; without a password the first sign-in goes through an invitation."""

    email: str = _key(_mailbox)
    full_name: str = _key(_text)
    language: str = _key(_choice("es", "en"), "es")
    administrator: bool = _key(_boolean, False)
    password: str = _key(_optional_text, "", secret=True)
    units: tuple[str, ...] = _key(_codes, ())
    posts: tuple[str, ...] = _key(_codes, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSeed:
    """An official sender that a unit may use."""

    unit: str = _key(_text)
    display_name: str = _key(_text)
    address: str = _key(_mailbox)
    reply_to: str = _key(_optional_mailbox, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySeed:
    """A mail relay of the institution."""

    name: str = _key(_text)
    host: str = _key(_text)
    port: int = _key(_number(1, 65535), 25)
    security: str = _key(_choice("none", "starttls", "tls"), "starttls")
    verify: bool = _key(_boolean, True)
    username: str = _key(_optional_text, "")
    password: str = _key(_optional_text, "", secret=True)
    max_connections: int = _key(_number(1, 200), 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessSeed:
    """A mailbox that proves what arrived: it gets a copy and is read over IMAP."""

    address: str = _key(_mailbox)
    imap_host: str = _key(_text)
    imap_port: int = _key(_number(1, 65535), 993)
    security: str = _key(_choice("none", "starttls", "tls"), "tls")
    username: str = _key(_text)
    password: str = _key(_text, secret=True)
    folder: str = _key(_text, "INBOX")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimitSeed:
    """How many business minutes a stage may take, and when it is reminded of and escalated."""

    stage: str = _key(_choice(*Stage))
    urgent: bool = _key(_boolean, False)
    minutes: int = _key(_number(1, 100_000))
    remind_every_minutes: int = _key(_number(1, 100_000), 480)
    escalate_after: int = _key(_number(1, 100), 2)


SEED_TABLES: dict[str, type[Any]] = {
    "units": UnitSeed,
    "posts": PostSeed,
    "people": PersonSeed,
    "senders": SenderSeed,
    "relays": RelaySeed,
    "witnesses": WitnessSeed,
    "time_limits": TimeLimitSeed,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """What an empty installation starts with. Later changes are made on pages, never here."""

    institution: InstitutionSeed | None = None
    units: tuple[UnitSeed, ...] = ()
    posts: tuple[PostSeed, ...] = ()
    people: tuple[PersonSeed, ...] = ()
    senders: tuple[SenderSeed, ...] = ()
    relays: tuple[RelaySeed, ...] = ()
    witnesses: tuple[WitnessSeed, ...] = ()
    time_limits: tuple[TimeLimitSeed, ...] = ()


# ---- the machine's own keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that a machine needs to start.

    Units:   octets, seconds
    """

    database_url: str = _key(_database_url, "", secret=True)
    data_folder: Path = _key(_folder, Path("data"))
    demo_folder: Path = _key(_folder, Path("demo-data"))
    base_url: str = _key(_base_url, "http://127.0.0.1:8000")
    web_listen: Listen = _key(_listen, Listen("127.0.0.1", 8000))
    lmtp_listen: Listen | None = _key(_optional_listen, Listen("127.0.0.1", 8024))
    smtp_listen: Listen | None = _key(_optional_listen, None)
    secret_key: str = _key(_secret_key, "", secret=True)
    behind_proxy: bool = _key(_boolean, False)
    workers: int = _key(_number(1, 64), 1)
    largest_message_octets: int = _key(_number(100_000, 1_000_000_000), 26_214_400)
    metrics_token: str = _key(_optional_text, "", secret=True)
    dkim_domain: str = _key(_optional_text, "")
    dkim_selector: str = _key(_optional_text, "")
    dkim_key: str = _key(_pem, "", secret=True)
    log_level: LogLevel = _key(_log_level, LogLevel.INFO)
    seed: Seed = field(default=Seed(), repr=False)


def _readable(cls: type[Any]) -> dict[str, Field[Any]]:
    return {key.name: key for key in fields(cls) if "read" in key.metadata}


CONFIGURATION_KEYS = tuple(_readable(Configuration))


def load(environ: Mapping[str, str] | None = None, *, folder: Path | None = None) -> Configuration:
    """Return the configuration of this machine.

    Raises:  ConfigurationError with every problem of file and environment together
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    named = environ.get("CIRCULAR_CONFIG", "")
    problems: list[str] = []
    document: dict[str, Any] = {}
    path = folder / FILE_NAME
    try:
        path = folder / (Path(named).expanduser() if named else FILE_NAME)
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            problems.append(_("CIRCULAR_CONFIG: no existe el archivo %(path)s") % {"path": path})
    except RuntimeError:  # ~name of nobody
        problems.append(_("CIRCULAR_CONFIG: no existe el archivo %(path)s") % {"path": named})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(
            _("%(path)s: no se puede leer como TOML: %(error)s") % {"path": path, "error": error},
        )
    return read(document, environ, file_folder=path.parent, folder=folder, problems=problems)


def read(
    document: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    file_folder: Path,
    folder: Path,
    problems: list[str] | None = None,
) -> Configuration:
    """Return the configuration that a parsed file and an environment give together.

    Raises:  ConfigurationError with the problems given and all that were found here
    """
    problems = [] if problems is None else problems
    keys = _readable(Configuration)
    values: dict[str, Any] = {}
    machine = {name: value for name, value in document.items() if name != "seed"}
    values |= _read_table(Configuration, machine, FILE_NAME, file_folder, problems)
    values |= _read_environment(environ, folder, problems)
    for name, base in (("data_folder", file_folder), ("demo_folder", file_folder)):
        default = cast("Path", keys[name].default)
        values[name] = values.get(name, base / default)
    if "base_url" not in values and "web_listen" in values:
        # Where the pages are is what people are told, unless something stands in front of them.
        listen = values["web_listen"]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)
        values["base_url"] = f"http://{Listen(host, listen.port)}"
    problems += _ports_given_twice(values)
    problems += _no_signature(values)
    values["seed"] = _read_seed(document.get("seed", {}), file_folder, problems)
    if problems:
        raise ConfigurationError(problems)
    return Configuration(**values)


def _ports_given_twice(values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each door that would listen where another one does already."""
    taken: dict[Listen, str] = {}
    problems = []
    for name in ("web_listen", "lmtp_listen", "smtp_listen"):
        listen = values.get(name, _readable(Configuration)[name].default)
        if listen is None:
            continue
        if (other := taken.setdefault(listen, name)) != name:
            problems.append(
                _("«%(key)s» y «%(other)s» no pueden escuchar ambas en %(listen)s")
                % {"key": name, "other": other, "listen": listen},
            )
    return problems


def _no_signature(values: Mapping[str, Any]) -> list[str]:
    """Return a sentence when what is said about DKIM gives no signature."""
    domain, selector, key = (
        values.get(name, "") for name in ("dkim_domain", "dkim_selector", "dkim_key")
    )
    if not (domain or selector or key):
        return []
    if not (domain and selector and key):
        return [_("«dkim_domain», «dkim_selector» y «dkim_key» van juntas: las tres o ninguna")]
    from circular.mailformat.dkim import SHORTEST_RSA, BadKeyError, read_key

    try:
        read_key(key.encode(), domain=domain, selector=selector)
    except BadKeyError as bad:
        sentences = {
            "domain": _("«dkim_domain»: un dominio en minúsculas, como universidad.edu.co"),
            "selector": _("«dkim_selector»: letras, números y guiones, como circular2026"),
            "unreadable": _("«dkim_key»: una clave privada en PEM, sin contraseña"),
            "kind": _("«dkim_key»: una clave RSA o Ed25519"),
            "short": _("«dkim_key»: una clave RSA de %(bits)s bits o más") % {"bits": SHORTEST_RSA},
        }
        return [sentences[str(bad)]]
    return []


def _read_environment(
    environ: Mapping[str, str], folder: Path, problems: list[str]
) -> dict[str, Any]:
    written: dict[str, object] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(FOREIGN):
            continue
        written[name.removeprefix(PREFIX).lower()] = environ[name]
    return _read_table(
        Configuration,
        written,
        _("entorno"),
        folder,
        problems,
        name_as=lambda key: PREFIX + key.upper(),
    )


def _read_table(
    cls: type[Any],
    table: Mapping[str, object],
    where: str,
    folder: Path,
    problems: list[str],
    *,
    name_as: Callable[[str], str] = str,
) -> dict[str, Any]:
    """Return the values that a table gives for a dataclass; what is wrong is added to `problems`."""
    keys = _readable(cls)
    values: dict[str, Any] = {}
    for written, value in table.items():
        name = written
        if name not in keys and name.endswith("_file") and name.removesuffix("_file") in keys:
            name = name.removesuffix("_file")
            if not keys[name].metadata["secret"]:
                name = written
        if name not in keys:
            problems.append(
                _("%(where)s: no existe la clave «%(key)s»; existen: %(allowed)s")
                % {
                    "where": where,
                    "key": name_as(written),
                    "allowed": ", ".join(name_as(key) for key in keys),
                },
            )
            continue
        if written != name:
            if name in table:
                problems.append(
                    _("%(where)s: «%(key)s» y «%(other)s» se excluyen; deje una sola")
                    % {"where": where, "key": name_as(name), "other": name_as(written)},
                )
                continue
            try:
                value = (folder / str(value)).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError, ValueError) as error:
                problems.append(
                    _("%(where)s: «%(key)s»: no se puede leer el archivo: %(error)s")
                    % {"where": where, "key": name_as(written), "error": error},
                )
                continue
        try:
            found = keys[name].metadata["read"](value)
        except _WrongValueError as wrong:
            shown = "…" if keys[name].metadata["secret"] else repr(value)
            problems.append(
                _("%(where)s: «%(key)s» no puede ser %(value)s; se permite: %(allowed)s")
                % {"where": where, "key": name_as(written), "value": shown, "allowed": wrong},
            )
            continue
        values[name] = folder / found if isinstance(found, Path) else found
    return values


def _read_seed(table: object, folder: Path, problems: list[str]) -> Seed:
    if not isinstance(table, Mapping):
        problems.append(_("%(file)s: [seed] debe ser una tabla") % {"file": FILE_NAME})
        return Seed()
    found: dict[str, Any] = {}
    before = len(problems)
    for name, value in table.items():
        where = f"[seed.{name}]"
        if name == "institution":
            found[name] = _read_row(InstitutionSeed, value, where, folder, problems)
        elif name in SEED_TABLES:
            rows = value if isinstance(value, list) else [value]
            found[name] = tuple(
                _read_row(SEED_TABLES[name], row, f"[{where}] {number}", folder, problems)
                for number, row in enumerate(rows, start=1)
            )
        else:
            problems.append(
                _("%(where)s: no existe la clave «%(key)s»; existen: %(allowed)s")
                % {
                    "where": "[seed]",
                    "key": name,
                    "allowed": ", ".join(["institution", *SEED_TABLES]),
                },
            )
    if len(problems) > before:
        return Seed()
    seed = Seed(**found)
    problems += _loose_ends(seed)
    return seed


def _read_row(cls: type[T], row: object, where: str, folder: Path, problems: list[str]) -> T | None:
    if not isinstance(row, Mapping):
        problems.append(_("%(where)s debe ser una tabla") % {"where": where})
        return None
    before = len(problems)
    values = _read_table(cls, row, where, folder, problems)
    named = {str(key).removesuffix("_file") for key in row} | set(row)
    for name, key in _readable(cls).items():
        if key.default is MISSING and name not in named:
            problems.append(_("%(where)s: falta «%(key)s»") % {"where": where, "key": name})
    return cls(**values) if len(problems) == before else None


def _loose_ends(seed: Seed) -> list[str]:
    """Return a sentence for each code that a row names and no row has, and for each one given twice."""
    units = [unit.code for unit in seed.units]
    posts = [post.code for post in seed.posts]
    named: list[tuple[str, str, list[str]]] = []
    for unit in seed.units:
        named += [(f"[seed.units] {unit.code}", unit.parent, units)] if unit.parent else []
    for post in seed.posts:
        named += [(f"[seed.posts] {post.code}", post.unit, units)] if post.unit else []
    for person in seed.people:
        named += [(f"[seed.people] {person.full_name}", code, units) for code in person.units]
        named += [(f"[seed.people] {person.full_name}", code, posts) for code in person.posts]
    named += [
        (f"[seed.senders] {sender.display_name}", sender.unit, units) for sender in seed.senders
    ]
    problems = [
        _("%(where)s: no existe «%(code)s»; existen: %(allowed)s")
        % {"where": where, "code": code, "allowed": ", ".join(known) or "–"}
        for where, code, known in named
        if code not in known
    ]
    problems += _circles(seed)
    for where, codes in (
        ("[seed.units]", units),
        ("[seed.posts]", posts),
        ("[seed.people]", [person.email.casefold() for person in seed.people]),
    ):
        problems += [
            _("%(where)s: «%(code)s» está dos veces") % {"where": where, "code": code}
            for code in sorted({code for code in codes if codes.count(code) > 1})
        ]
    return problems


def _circles(seed: Seed) -> list[str]:
    above = {unit.code: unit.parent for unit in seed.units}
    problems = []
    for unit in seed.units:
        seen, code = {unit.code}, above[unit.code]
        while code in above and code not in seen:
            seen.add(code)
            code = above[code]
        if code == unit.code:
            problems.append(_("[seed.units] %(code)s queda debajo de sí misma") % {"code": code})
    return problems


def known_secret_key(configuration: Configuration) -> str:
    """Return the key that signs links and seals passwords, or nothing where none was made yet."""
    if configuration.secret_key:
        return configuration.secret_key
    try:
        return (configuration.data_folder / "secret_key").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def secret_key_of(configuration: Configuration) -> str:
    """Return the key that signs links and seals passwords; made once, readable by its owner only.

    Repeat:  the first one to write wins; everybody reads what was written
    Raises:  OSError where the data folder cannot be written
    """
    if known := known_secret_key(configuration):
        return known
    path = configuration.data_folder / "secret_key"
    configuration.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"secret_key.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # fails where another process was faster: its key is the key
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii").strip()
