"""What a worker does with people, written down on this machine before it does it.

    DATA/run/verdicts/<key>.worker     held by `flock` while the process lives; a mark to stop it
    DATA/run/verdicts/<key>.<n>.log    one line before a final dot leaves, one when its answer is read

A line is one `write`, no fsync: it survives the process, not the machine; so the start of the machine
stands in the first file, and a journal of an earlier start proves no silence (`testimony`).

How one process makes sure that another has stopped, without believing any clock: it sets the mark in
the shared page, then reads the sheets. The owner writes its line, then looks at the mark, then lets
the dot leave. Whatever the order, either the owner sees the mark and stops, or its line is read.

A sheet that is full is followed by the next; it goes when every lease in it is closed.

When it fails (full disk, no such folder): `JournalBrokenError`; the worker then starts afresh as one
without a journal, whose people are all in doubt when it is lost.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from circular.dispatch.errors import FencedError, JournalBrokenError
from circular.dispatch.testimony import Testimony, read

FULL_OCTETS = 16_000_000  # some 80,000 verdicts
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_FREE, _STOP = ord("-"), ord("x")


def start_of_this_machine() -> str:
    """Name the present start of this machine; "" where the system does not tell."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


class Journal:
    """The files of one running worker."""

    def __init__(self, folder: Path, key: UUID) -> None:
        """Open them and hold them for as long as this process lives.

        Raises:  JournalBrokenError
        """
        self._folder, self._key = folder, key
        self._sheets: dict[int, set[int]] = {}  # number → leases that stand in it and are open
        self._number = self._octets = 0
        self._sheet = -1
        self._broken = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{key}.worker"
            self._held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(self._held, b"-\n" + start_of_this_machine().encode("ascii") + b"\n")
            self._mark = mmap.mmap(self._held, 2)
            self._next_sheet()
        except OSError as broken:
            raise JournalBrokenError(broken.strerror or "") from broken

    @property
    def is_fenced(self) -> bool:
        """Whether somebody has taken our leases for lost: nothing may leave any more."""
        return self._mark[0] != _FREE

    def write(self, lines: str, leases: Iterable[int]) -> None:
        """Write lines down; they are safe from this process's end when it returns.

        Raises:  JournalBrokenError, and then for good: a torn line may stand at the end
        """
        if self._broken:
            raise JournalBrokenError("torn")
        octets = lines.encode("utf-8")
        try:
            if self._octets > FULL_OCTETS:
                self._next_sheet()
            whole = os.write(self._sheet, octets) == len(octets)
        except OSError as broken:
            self._broken = True
            raise JournalBrokenError(broken.strerror or "") from broken
        if not whole:
            self._broken = True
            raise JournalBrokenError("torn")
        self._octets += len(octets)
        self._sheets[self._number].update(leases)

    def hand_over(self, lines: str, leases: Iterable[int]) -> None:
        """Write down whose final dot leaves next, and make sure that it may.

        Raises:  JournalBrokenError; FencedError: it must not leave
        """
        self.write(lines, leases)
        if self.is_fenced:
            raise FencedError(str(self._key))

    def _next_sheet(self) -> None:
        path = self._path(self._number + 1)
        sheet = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
        if self._sheet >= 0:
            os.close(self._sheet)
        self._sheet, self._octets = sheet, 0
        self._number += 1
        self._sheets[self._number] = set()

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._key}.{number}.log"

    def closed(self, lease: int) -> None:
        """Note that a lease is closed; a full sheet without open ones goes."""
        for number, leases in list(self._sheets.items()):
            leases.discard(lease)
            if not leases and number != self._number:
                del self._sheets[number]
                self._path(number).unlink(missing_ok=True)

    def close(self, *, finished: bool) -> None:
        """End. Files of a worker that has ``finished`` all its leases go; others stay for recovery."""
        if finished:
            forget(self._folder, self._key)
        os.close(self._sheet)
        self._mark.close()
        os.close(self._held)  # and with it the lock


class Estate:
    """A journal that another process left, or holds: what recovery does with it.

    ``is_dead`` when nobody holds it; it is ours then until the end of the block.
    """

    def __init__(self, folder: Path, key: UUID) -> None:
        self._folder, self.key = folder, key
        self._file = os.open(folder / f"{key}.worker", os.O_RDWR)
        self.is_dead = True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.is_dead = False
        here = start_of_this_machine()
        written = os.pread(self._file, 100, 0).decode("ascii", "replace").split("\n")
        self.is_whole = bool(here) and len(written) > 1 and written[1] == here

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def stop_owner(self) -> bool:
        """Let a living owner hand nobody over any more; False where that cannot be said to it."""
        if not self.is_whole:
            return False  # another machine's: it does not see our page
        with mmap.mmap(self._file, 2) as mark:
            mark[0] = _STOP
        return True

    def testimony(self) -> Testimony:
        """Read everything that stands there."""
        sheets = [
            path.read_text("utf-8", errors="replace") for path in _sheets(self._folder, self.key)
        ]
        return read(sheets, whole=self.is_whole)

    def forget(self) -> None:
        """Remove the files."""
        forget(self._folder, self.key)


def _sheets(folder: Path, key: UUID) -> list[Path]:
    found: list[tuple[int, Path]] = []
    for path in folder.glob(f"{key}.*.log"):
        number = path.name.split(".")[1]
        if number.isdecimal():
            found.append((int(number), path))
    return [path for _, path in sorted(found)]


def forget(folder: Path, key: UUID) -> None:
    """Remove a worker's files, its name first: no half of a journal is ever taken for a whole."""
    (folder / f"{key}.worker").unlink(missing_ok=True)
    for path in _sheets(folder, key):
        path.unlink(missing_ok=True)


def keys_in(folder: Path) -> list[UUID]:
    """Name the workers whose journals lie in the folder."""
    found = []
    for path in folder.glob("*.worker"):
        try:
            found.append(UUID(path.stem))
        except ValueError:
            continue  # not ours
    return sorted(found)
