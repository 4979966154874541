"""What a relay answered, written down on this machine before the database is told.

Verdicts are recorded in groups, so for some milliseconds they exist in this process only. Each is
first appended to a file of this worker (one write, no fsync: it survives the process, not the
machine). Recovery reads the file of a worker that is gone before it looks at its leases, so after a
kill only those are in doubt who were handed over and not answered.

    DATA/run/verdicts/<worker's key>.<number>.jsonl    one JSON object a line; a torn one is none

A file that is full is followed by the next; it goes when everything in it is recorded.

When it fails (full disk, no such folder): the worker goes on without a journal and says so in its
log; then the verdicts not yet recorded at a kill are in doubt as well.
"""

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from circular.outcomes.verdicts import OutcomeFact, Source, Verdict

logger = logging.getLogger(__name__)

FULL_OCTETS = 1_000_000  # some 4,000 verdicts


@dataclass(slots=True)
class _Sheet:
    path: Path
    file: int  # an open file descriptor; O_APPEND makes each line one write
    octets: int = 0
    unrecorded: int = 0


def line_of(lease: int, fact: OutcomeFact) -> bytes:
    """Write a verdict as one line."""
    next_try = fact.next_try_at.isoformat() if fact.next_try_at is not None else None
    facts = {
        "lease": lease,
        "recipient": fact.recipient,
        "verdict": fact.verdict.value,
        "at": fact.at.isoformat(),
        "code": fact.code,
        "enhanced": fact.enhanced,
        "reply": fact.reply,
        "next_try_at": next_try,
        "reason": fact.reason,
        "source": fact.source.value,
    }
    return json.dumps(facts, separators=(",", ":")).encode() + b"\n"


def read_line(line: bytes) -> tuple[int, OutcomeFact] | None:
    """Read a line back; None for one that is torn or none of ours."""
    try:
        found = json.loads(line)
        next_try = found["next_try_at"]
        return int(found["lease"]), OutcomeFact(
            recipient=int(found["recipient"]),
            verdict=Verdict(found["verdict"]),
            at=datetime.fromisoformat(found["at"]),
            code=found["code"],
            enhanced=str(found["enhanced"]),
            reply=str(found["reply"]),
            next_try_at=datetime.fromisoformat(next_try) if next_try else None,
            reason=str(found["reason"]),
            source=Source(found["source"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


class Journal:
    """The file of one running worker."""

    def __init__(self, folder: Path, key: UUID) -> None:
        self._folder, self._key = folder, key
        self._number = 0
        self._sheets: dict[int, _Sheet] = {}  # the last one is written to
        self._where: dict[int, int] = {}  # recipient → the sheet that holds the verdict
        self.works = True

    def write(self, lease: int, fact: OutcomeFact) -> None:
        """Write one verdict down, before anything else is done with it."""
        if not self.works:
            return
        line = line_of(lease, fact)
        try:
            sheet = self._sheets.get(self._number)
            if sheet is None or sheet.octets > FULL_OCTETS:
                sheet = self._next_sheet()
            # A disk that is full in mid-line leaves a torn line, which reads as none.
            self.works = os.write(sheet.file, line) == len(line)
        except OSError as broken:
            logger.warning("no journal", extra={"error": broken.strerror})
            self.works = False
            return
        sheet.octets += len(line)
        sheet.unrecorded += 1
        self._where[fact.recipient] = self._number

    def _next_sheet(self) -> _Sheet:
        self._folder.mkdir(parents=True, exist_ok=True)
        number = self._number + 1
        path = self._folder / f"{self._key}.{number}.jsonl"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
        self._number = number
        self._sheets[number] = _Sheet(path, file)
        return self._sheets[number]

    def recorded(self, recipients: Iterable[int]) -> None:
        """Note that these verdicts are in the database; a full sheet without others goes."""
        for recipient in recipients:
            number = self._where.pop(recipient, None)
            if number is not None:
                self._sheets[number].unrecorded -= 1
        for number, sheet in list(self._sheets.items()):
            if not sheet.unrecorded and (number != self._number or sheet.octets > FULL_OCTETS):
                self._drop(number)

    def _drop(self, number: int) -> None:
        sheet = self._sheets.pop(number)
        os.close(sheet.file)
        sheet.path.unlink(missing_ok=True)

    def close(self) -> None:
        """End; sheets with verdicts that are not recorded stay for recovery."""
        for number, sheet in list(self._sheets.items()):
            if sheet.unrecorded:
                os.close(sheet.file)
                del self._sheets[number]
            else:
                self._drop(number)


def sheets_in(folder: Path) -> dict[UUID, list[Path]]:
    """Give the sheets that lie in the folder, by the key of their worker, in their own order."""
    found: dict[UUID, list[tuple[int, Path]]] = {}
    for path in folder.glob("*.*.jsonl"):
        key, number = path.name.split(".")[:2]
        try:
            found.setdefault(UUID(key), []).append((int(number), path))
        except ValueError:
            continue  # not ours
    return {key: [path for _, path in sorted(sheets)] for key, sheets in found.items()}


def verdicts_on(sheet: Path) -> list[tuple[int, OutcomeFact]]:
    """Read the verdicts of one sheet, leaving out what is torn; a sheet that is gone has none."""
    try:
        lines = sheet.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return [found for line in lines if (found := read_line(line)) is not None]
