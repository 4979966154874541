"""The commands of `circular` that need the rooms: each parses, calls one service, prints the answer.

Django is loaded inside the functions: importing this module costs nothing.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from circular.config.configuration import Configuration
from circular.config.errors import CannotDoError
from circular.config.speech import _

Command = Callable[[argparse.Namespace, Configuration], int]


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _rooms() -> None:
    from circular.config.duties import refuse_old_schema, set_up_django

    set_up_django()
    refuse_old_schema()


# ---- duties


def duty(name: str) -> Command:
    """Return the command that does one duty until it is asked to stop."""

    def run(_arguments: argparse.Namespace, configuration: Configuration) -> int:
        from circular.config import duties

        duties_by_name = {"web": duties.web, "door": duties.door}
        return duties_by_name[name](configuration)

    return run


def worker(arguments: argparse.Namespace, configuration: Configuration) -> int:
    """Do the jobs and send: until asked to stop, or once what is due now."""
    from circular.config import duties

    return duties.work_once(configuration) if arguments.once else duties.worker(configuration)


def migrate(arguments: argparse.Namespace, configuration: Configuration) -> int:
    """Bring the schema up to this version."""
    from circular.config import duties

    return duties.migrate(configuration, for_up=arguments.for_up)


# ---- mail by hand


def receive(arguments: argparse.Namespace, configuration: Configuration) -> int:
    """Store one message from standard input: 0 stored, 65 too large, 75 try again later."""
    from django.db import DatabaseError

    from circular.config.duties import set_up_django

    set_up_django()
    from circular.intake import doors
    from circular.intake.errors import TooLargeError

    largest = configuration.largest_message_octets
    try:
        doors.receive(
            sys.stdin.buffer.read(largest + 1),
            largest_octets=largest,
            mail_from=arguments.sender,
            rcpt_to=tuple(arguments.recipients),
        )
    except TooLargeError:
        print(
            _("El mensaje pasa de %(octets)d octetos; no se guardó.") % {"octets": largest},
            file=sys.stderr,
        )
        return 65  # EX_DATAERR: the sender must not try again
    except (DatabaseError, OSError) as problem:
        print(
            _("El mensaje no se guardó, repita más tarde: %(problem)s")
            % {"problem": type(problem).__name__},
            file=sys.stderr,
        )
        return 75
    return 0


def classify(files: Sequence[Path]) -> int:
    """Print one JSON object a line: what each message is. Needs no database and no configuration."""
    from circular.intake.classify import classify as classify_raw

    for file in files:
        try:
            raw = file.read_bytes()
        except OSError as error:
            raise CannotDoError(
                _("No se puede leer %(file)s: %(error)s") % {"file": file, "error": error.strerror}
            ) from error
        print(json.dumps({"file": str(file), **classify_raw(raw)}, ensure_ascii=False))
    return 0


# ---- the directory


def import_accounts(arguments: argparse.Namespace, _configuration: Configuration) -> int:
    """Import a file of accounts; exit 0 when it was imported."""
    _rooms()
    from circular.directory import commands

    try:
        report = commands.import_file(
            arguments.file, keep_good=arguments.keep_good, yes=arguments.yes
        )
    except OSError as error:
        raise CannotDoError(
            _("No se puede leer %(file)s: %(error)s")
            % {"file": arguments.file, "error": error.strerror}
        ) from error
    _say(commands.lines_of(report))
    return 0 if report.done else 1


def count_rule(arguments: argparse.Namespace, _configuration: Configuration) -> int:
    """Say whom a rule reaches; exit 2 for words that are no rule."""
    _rooms()
    from circular.directory import commands
    from circular.directory.rules import RuleError

    try:
        _say(commands.count_rule(arguments.rule))
    except RuleError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    return 0


# ---- the procedure


def list_procedures(_arguments: argparse.Namespace, _configuration: Configuration) -> int:
    """Say which procedures can be followed, and which one new cases follow."""
    _rooms()
    from circular.workflow.queries import house

    followed = house.procedure_in_force()
    for procedure in house.procedures():
        words = {
            "code": procedure.code,
            "version": procedure.version,
            "on": f"{procedure.in_force_from:%d/%m/%Y}",
            "title": procedure.title,
        }
        line = _("%(code)s, versión %(version)s, vigente desde el %(on)s: %(title)s") % words
        same = (procedure.code, procedure.version) == (followed.code, followed.version)
        print(_("%(line)s (la siguen los casos nuevos)") % {"line": line} if same else line)
    return 0


def load_procedure(arguments: argparse.Namespace, configuration: Configuration) -> int:
    """Put a version of a procedure beside the others; exit 2 for a text that is none."""
    _rooms()
    from circular.evidence.actors import SYSTEM
    from circular.workflow import services
    from circular.workflow.procedure import ProcedureError
    from circular.workflow.procedure_words import sentence_of

    try:
        source = arguments.file.read_text(encoding="utf-8")
        procedure = services.load_procedure(source, by=SYSTEM)
        if arguments.follow:
            services.follow_procedure(procedure.code, by=SYSTEM)
    except (OSError, UnicodeDecodeError) as error:
        raise CannotDoError(
            _("No se puede leer %(file)s: %(error)s") % {"file": arguments.file, "error": error}
        ) from error
    except ProcedureError as wrong:
        print(sentence_of(wrong), file=sys.stderr)
        return 2
    return list_procedures(arguments, configuration)


# ---- the archive


def verify_evidence(arguments: argparse.Namespace, _configuration: Configuration) -> int:
    """Check every chain and blob; exit 0 only when nothing was found, 2 for words that are no anchor."""
    from circular.evidence.chain import anchor_of

    anchors = {written: anchor_of(written) for written in arguments.anchor}
    for written, anchor in anchors.items():
        if anchor is None:
            print(
                _(
                    "«%(written)s» no es un ancla: son 64 cifras hexadecimales. Cópiela entera de la carta."
                )
                % {"written": written},
                file=sys.stderr,
            )
            return 2
    _rooms()
    from circular.evidence.verify import verify

    report = verify(anchors=[anchor for anchor in anchors.values() if anchor is not None])
    if arguments.json:
        findings = [
            {
                "chain": finding.chain,
                "sequence": finding.sequence,
                "fault": finding.fault.value,
                "digest": finding.digest,
            }
            for finding in report.findings
        ]
        print(
            json.dumps(
                {
                    "sound": report.sound,
                    "chains": report.chains,
                    "entries": report.entries,
                    "blobs": report.blobs,
                    "house": {"sequence": report.house.sequence, "digest": report.house.digest},
                    "anchored_to": report.anchored_to,
                    "tail_detectable": report.tail_detectable,
                    "findings": findings,
                }
            )
        )
        return 0 if report.sound else 1
    from circular.evidence.labels import report_lines

    _say(report_lines(report))
    return 0 if report.sound else 1


def export_evidence(arguments: argparse.Namespace, _configuration: Configuration) -> int:
    """Write one case as a folder."""
    _rooms()
    from circular.evidence.actors import SYSTEM
    from circular.evidence.export import FolderNotEmptyError, export_case
    from circular.workflow.queries import case_by_number

    case = case_by_number(arguments.number.strip().upper())
    if case is None:
        raise CannotDoError(_("No existe el expediente %(number)s.") % {"number": arguments.number})
    try:
        done = export_case(case, arguments.to, by=SYSTEM)
    except FolderNotEmptyError as error:
        raise CannotDoError(
            _("La carpeta %(folder)s no está vacía.") % {"folder": arguments.to}
        ) from error
    except OSError as error:
        raise CannotDoError(
            _("No se puede escribir en %(folder)s: %(error)s")
            % {"folder": arguments.to, "error": error.strerror}
        ) from error
    print(
        _(
            "%(folder)s: %(files)d archivos, %(entries)d asientos. Compruébelo con: python3 %(script)s"
        )
        % {
            "folder": done.folder,
            "files": done.files,
            "entries": done.entries,
            "script": done.folder / "verificar.py",
        }
    )
    return 0
