"""The `circular` command: parses what was asked, prepares the machine's side, hands over.

Rules:
1. Nothing of Django is loaded before a command that needs it runs: `up` and `--help` stay small.
2. Every command of a data folder with the included database attaches to it, or starts it.
3. Exit codes: 0 done, 1 the answer is no, 2 wrong words, 75 try again later, 78 wrong configuration.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from circular.config import backup, commands, doctor, embedded, up
from circular.config.configuration import Configuration, ConfigurationError, load, secret_key_of
from circular.config.kinship import end_with_parent
from circular.config.speech import _

NO = 1
WRONG_WORDS = 2
TRY_LATER = 75  # EX_TEMPFAIL of sysexits.h: what a mail server understands
WRONG_CONFIGURATION = 78  # EX_CONFIG

Command = Callable[[argparse.Namespace, Configuration], int]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="circular",
        description=_("El procedimiento de correo masivo, de la solicitud a la prueba."),
    )
    top.add_argument("--config", metavar="FILE", help=_("archivo de configuración (circular.toml)"))
    ways = top.add_subparsers(title=_("órdenes"), metavar="", dest="word", required=True)

    def add(
        word: str,
        run: Command,
        about: str,
        *,
        into: "argparse._SubParsersAction[argparse.ArgumentParser]" = ways,
    ) -> argparse.ArgumentParser:
        one = into.add_parser(word, help=about, description=about)
        one.set_defaults(run=lambda arguments: _with_database(arguments, run))
        return one

    def group(word: str, about: str) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
        one = ways.add_parser(word, help=about, description=about)
        return one.add_subparsers(metavar="", dest="subword", required=True)

    one = ways.add_parser(
        "up", help=_("todo en uno: base de datos, páginas, envíos y puertas de correo")
    )
    _may_end_with_parent(one)
    one.set_defaults(run=lambda arguments: up.run(_configuration(arguments)))
    for word, duty, about in (
        ("web", "web", _("solo las páginas")),
        ("worker", "worker", _("solo los trabajos y los envíos")),
        ("door", "door", _("solo las puertas de correo")),
    ):
        _may_end_with_parent(add(word, commands.duty(duty), about))
    one = add("migrate", commands.migrate, _("lleva la base de datos al esquema de esta versión"))
    one.add_argument("--for-up", action="store_true", help=argparse.SUPPRESS)

    from circular.config.demo import main as demo

    demo.add_parser(ways)

    into = group("directory", _("las cuentas institucionales"))
    one = add("import", commands.import_accounts, _("importa cuentas de un CSV"), into=into)
    one.add_argument("file", type=Path, metavar="FILE")
    one.add_argument(
        "--keep-good", action="store_true", help=_("importa las líneas buenas aunque haya malas")
    )
    one.add_argument("--yes", action="store_true", help=_("desactiva a los ausentes sin preguntar"))
    one = add("count", commands.count_rule, _("cuenta a quiénes alcanza una regla"), into=into)
    one.add_argument("rule", metavar="RULE")

    into = group("evidence", _("el archivo de evidencias"))
    one = add("verify", commands.verify_evidence, _("comprueba las cadenas completas"), into=into)
    one.add_argument(
        "--anchor",
        action="append",
        default=[],
        metavar="HASH",
        help=_("ancla externa, de una carta de confirmación"),
    )
    one.add_argument("--json", action="store_true")
    one = add(
        "export", commands.export_evidence, _("escribe un expediente como carpeta"), into=into
    )
    one.add_argument("number", metavar="NUMBER")
    one.add_argument("--to", type=Path, required=True, metavar="FOLDER")

    into = group("bench", _("medidas"))
    from circular.config.bench import relay

    relay.add_parser(into)

    one = ways.add_parser("doctor", help=_("¿está todo lo que esta instalación necesita?"))
    one.set_defaults(run=lambda arguments: doctor.doctor(_configuration(arguments)))
    one = add("backup", backup.backup, _("copia la base de datos y las claves a un archivo"))
    one.add_argument("to", type=Path, metavar="TO")
    one = add("restore", backup.restore, _("devuelve una copia a una instalación vacía"))
    one.add_argument("source", type=Path, metavar="FROM")
    return top


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


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = parser().parse_args(words)
    try:
        if getattr(arguments, "until_parent_dies", None) is not None:
            end_with_parent(arguments.until_parent_dies)
        code: int = arguments.run(arguments)
    except ConfigurationError as wrong:
        for problem in wrong.problems:
            print(problem, file=sys.stderr)
        return WRONG_CONFIGURATION
    except (embedded.DatabaseUnavailableError, up.NotUpError, commands.CannotDoError) as problem:
        print(problem, file=sys.stderr)
        return TRY_LATER if arguments.word == "receive" else NO
    except BrokenPipeError:
        # Whoever read our lines has left (`| head`); Python must not complain at exit as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO
    except KeyboardInterrupt:
        return 130
    return code
