"""Fuzzes the SMTP client's core for as long as asked; prints a shrunk program where something fails.

    python tools/fuzz_smtp.py --seconds 600 [--keep] [--seed N]

The harness and its corpus are tests/pure/smtp/fuzzing.py and tests/pure/smtp/corpus.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from pure.smtp.fuzzing import main

if __name__ == "__main__":
    sys.exit(main())
