"""Puts this checkout into the environment that runs it, without a build and without a network.

Writes `circular.pth` and the `circular` command; the command is a shell script because the kernel
cuts a `#!` line with a long path (127 octets on older ones).
"""

import sys
import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
COMMAND = """#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -m circular "$@"
"""


def main() -> None:
    """Link the checkout. Repeat: the same files again."""
    site = Path(sysconfig.get_path("purelib"))
    (site / "circular.pth").write_text(f"{CHECKOUT / 'src'}\n", encoding="utf-8")
    command = Path(sys.prefix) / "bin" / "circular"
    command.write_text(COMMAND, encoding="ascii")
    command.chmod(0o755)


if __name__ == "__main__":
    main()
