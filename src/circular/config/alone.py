"""One program at a time on a folder; a second one is told the number of the first.

The lock is the kernel's, so it ends with the process however that ended.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from circular.config.speech import _


class NotUpError(Exception):
    """Circular cannot start; the text says why and what to do."""


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only `up` of a data folder.

    Raises:  NotUpError with the number of the other one
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock: IO[str] = os.fdopen(
            os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii"
        )
    except OSError as error:
        raise NotUpError(
            _("No se puede usar la carpeta de datos %(folder)s: %(error)s")
            % {"folder": folder, "error": error}
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotUpError(
                _("Circular ya está en marcha sobre %(folder)s: es el proceso %(pid)s.")
                % {"folder": folder, "pid": lock.read().strip() or "?"}
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
