"""The `circular` command: parses what was asked, prepares the machine's side, hands over.

Rules:
1. Nothing of Django is loaded before a command that needs it runs: `up` and `--help` stay small.
2. Every command of a data folder with the included database attaches to it, or starts it.
3. Exit codes: 0 done, 1 the answer is no, 2 wrong words, 75 try again later, 78 wrong configuration.
"""

import argparse
import errno
import importlib
import os
import pkgutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from circular.config import backup, bench, commands, doctor, embedded, up
from circular.config.alone import NotUpError
from circular.config.configuration import Configuration, ConfigurationError, load, secret_key_of
from circular.config.errors import CannotDoError
from circular.config.kinship import end_with_parent
from circular.config.speech import _

NO = 1
WRONG_WORDS = 2
TRY_LATER = 75  # EX_TEMPFAIL of sysexits.h: what a mail server understands
FULL = {errno.ENOSPC, errno.EDQUOT}
# Classes of SQLSTATE: connection, authorisation, no such database, out of resources, shutdown.
UNREACHABLE = {"08", "28", "3D", "53", "57"}
WRONG_CONFIGURATION = 78  # EX_CONFIG

Command = Callable[[argparse.Namespace, Configuration], int]
# argparse has no public name for what add_subparsers gives.
Ways: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - see above


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of the command line; what few words need is loaded only for them."""
    top = argparse.ArgumentParser(
        prog="circular",
        description=_("El procedimiento de correo masivo, de la solicitud a la prueba."),
    )
    top.add_argument("--config", metavar="FILE", help=_("archivo de configuración (circular.toml)"))
    ways = top.add_subparsers(title=_("órdenes"), metavar="", dest="word", required=True)
    _add_duties(ways)
    about_demo = _("una universidad de muestra, de principio a fin")
    if "demo" in words:
        from circular.config.demo import main as demo

        demo.add_parser(ways)
    else:
        ways.add_parser("demo", help=about_demo)
    _add_mail(ways)
    _add_directory(ways)
    _add_evidence(ways)
    _add_procedure(ways)
    benches = _group(ways, "bench", _("medidas"))
    if "bench" in words:
        for module in pkgutil.iter_modules(bench.__path__):
            found = importlib.import_module(f"{bench.__name__}.{module.name}")
            if hasattr(found, "add_parser"):
                found.add_parser(benches)
    one = ways.add_parser("doctor", help=_("¿está todo lo que esta instalación necesita?"))
    one.set_defaults(run=lambda arguments: doctor.doctor(_configuration(arguments)))
    one = _add(ways, "backup", backup.backup, _("copia la base de datos y las claves a un archivo"))
    one.add_argument("to", type=Path, metavar="TO")
    one = _add(ways, "restore", backup.restore, _("devuelve una copia a una instalación vacía"))
    one.add_argument("source", type=Path, metavar="FROM")
    return top


def _add(ways: Ways, word: str, run: Command, about: str) -> argparse.ArgumentParser:
    """Add a command that needs the database."""
    one = ways.add_parser(word, help=about, description=about)
    one.set_defaults(run=lambda arguments: _with_database(arguments, run))
    return one


def _group(ways: Ways, word: str, about: str) -> Ways:
    one = ways.add_parser(word, help=about, description=about)
    return one.add_subparsers(metavar="", dest="subword", required=True)


def _add_duties(ways: Ways) -> None:
    about = _("todo en uno: base de datos, páginas, envíos y puertas de correo")
    one = ways.add_parser("up", help=about, description=about)
    _may_end_with_parent(one)
    one.set_defaults(run=lambda arguments: up.run(_configuration(arguments)))
    _may_end_with_parent(_add(ways, "web", commands.duty("web"), _("solo las páginas")))
    one = _add(ways, "worker", commands.worker, _("solo los trabajos y los envíos"))
    _may_end_with_parent(one)
    one.add_argument(
        "--once",
        action="store_true",
        help=_("hace una vez todo lo que está pendiente y termina (para cron y para pruebas)"),
    )
    _may_end_with_parent(_add(ways, "door", commands.duty("door"), _("solo las puertas de correo")))
    one = _add(
        ways, "migrate", commands.migrate, _("lleva la base de datos al esquema de esta versión")
    )
    one.add_argument("--for-up", action="store_true", help=argparse.SUPPRESS)


def _add_mail(ways: Ways) -> None:
    about = _("recibe un mensaje por la entrada estándar (75: repita más tarde)")
    one = _add(ways, "receive", commands.receive, about)
    one.add_argument(
        "--from", dest="sender", default="", metavar="ADDRESS", help=_("remitente del sobre")
    )
    one.add_argument(
        "--to",
        dest="recipients",
        action="append",
        default=[],
        metavar="ADDRESS",
        help=_("destinatario del sobre; se puede repetir"),
    )
    one = ways.add_parser("classify", help=_("dice qué es cada mensaje: un objeto JSON por línea"))
    one.add_argument("files", nargs="+", type=Path, metavar="FILE")
    one.set_defaults(run=lambda arguments: commands.classify(arguments.files))


def _add_directory(ways: Ways) -> None:
    into = _group(ways, "directory", _("las cuentas institucionales"))
    one = _add(into, "import", commands.import_accounts, _("importa cuentas de un CSV"))
    one.add_argument("file", type=Path, metavar="FILE")
    one.add_argument(
        "--keep-good", action="store_true", help=_("importa las líneas buenas aunque haya malas")
    )
    one.add_argument("--yes", action="store_true", help=_("desactiva a los ausentes sin preguntar"))
    one = _add(into, "count", commands.count_rule, _("cuenta a quiénes alcanza una regla"))
    one.add_argument("rule", metavar="RULE")


def _add_evidence(ways: Ways) -> None:
    into = _group(ways, "evidence", _("el archivo de evidencias"))
    one = _add(into, "verify", commands.verify_evidence, _("comprueba las cadenas completas"))
    one.add_argument(
        "--anchor",
        action="append",
        default=[],
        metavar="HASH",
        help=_("ancla externa, de una carta de confirmación"),
    )
    one.add_argument("--json", action="store_true", help=_("el resultado como una línea JSON"))
    one = _add(into, "export", commands.export_evidence, _("escribe un expediente como carpeta"))
    one.add_argument("number", metavar="NUMBER")
    one.add_argument("--to", type=Path, required=True, metavar="FOLDER")


def _add_procedure(ways: Ways) -> None:
    into = _group(ways, "procedure", _("los documentos de procedimiento"))
    _add(into, "list", commands.list_procedures, _("los procedimientos y sus versiones"))
    about = _("carga una versión junto a las que hay; los casos abiertos siguen en la suya")
    one = _add(into, "load", commands.load_procedure, about)
    one.add_argument("file", type=Path, metavar="FILE")
    one.add_argument(
        "--follow", action="store_true", help=_("los casos nuevos siguen este procedimiento")
    )


def _may_end_with_parent(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--until-parent-dies",
        type=int,
        nargs="?",
        const=0,
        metavar="PID",
        help=_("termina cuando termine el proceso que lo inició"),
    )


def _configuration(arguments: argparse.Namespace) -> Configuration:
    if arguments.config:
        # Children and Django's settings read the same file.
        os.environ["CIRCULAR_CONFIG"] = str(Path(arguments.config).absolute())
    return load()


def _with_database(arguments: argparse.Namespace, run: Command) -> int:
    """Run a command while the database of this installation is there."""
    configuration = _configuration(arguments)
    secret_key_of(configuration)
    if configuration.database_url:
        return run(arguments, configuration)
    with embedded.attached(configuration.data_folder):
        return run(arguments, configuration)


def _database_errors() -> tuple[type[Exception], ...]:
    """Return what the database raises when it cannot be reached; nothing where it was never asked."""
    django = sys.modules.get("django.db.utils")
    # A wrong option in the address is a ProgrammingError; so is a query of ours that is wrong.
    return () if django is None else (django.OperationalError, django.ProgrammingError)


def _told(problem: Exception) -> str:
    """Return one sentence about a database that cannot be used; anything else is raised again."""
    cause = problem.__cause__
    known = getattr(cause, "sqlstate", None)
    if known is not None and known[:2] not in UNREACHABLE:
        raise problem
    return _("No se puede usar la base de datos: %(error)s") % {
        "error": str(problem).splitlines()[0]
    }


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    words = sys.argv[1:] if words is None else words
    arguments = parser(words).parse_args(words)
    try:
        if getattr(arguments, "until_parent_dies", None) is not None:
            end_with_parent(arguments.until_parent_dies)
        if getattr(arguments, "needs_database", False):
            return _with_database(arguments, lambda given, _configuration: int(given.run(given)))
        code: int = arguments.run(arguments)
    except ConfigurationError as wrong:
        for problem in wrong.problems:
            print(problem, file=sys.stderr)
        return WRONG_CONFIGURATION
    except (embedded.DatabaseUnavailableError, NotUpError, CannotDoError) as problem:
        print(problem, file=sys.stderr)
        return TRY_LATER if arguments.word == "receive" else NO
    except _database_errors() as problem:
        print(_told(problem), file=sys.stderr)
        return TRY_LATER if arguments.word == "receive" else NO
    except OSError as problem:
        if isinstance(problem, BrokenPipeError):
            # Whoever read our lines has left (`| head`); Python must not complain at exit as well.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return NO
        if problem.errno not in FULL:
            raise
        print(
            _("El disco está lleno (%(file)s). Libere espacio y vuelva a empezar; nada se perdió.")
            % {"file": problem.filename or "?"},
            file=sys.stderr,
        )
        return TRY_LATER if arguments.word == "receive" else NO
    except KeyboardInterrupt:
        return 130
    return code
