"""`make faults`: play scenarios, each with the real sender and with the broken one it must catch."""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from faults.ground import Ground
from faults.scenarios import SCENARIOS, run


def main() -> int:
    """Print one JSON line for each run; 1 when something was wrong or a broken sender got away."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--scenario", type=int, action="append", choices=sorted(SCENARIOS))
    parser.add_argument("--full", action="store_true", help="the size before a release")
    parser.add_argument("--no-broken", action="store_true", help="leave the broken senders out")
    parser.add_argument("--broken", action="store_true", help="the broken senders only")
    parser.add_argument("--keep", action="store_true", help="leave books, logs and database there")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    ground = Ground(Path(tempfile.mkdtemp(prefix="circular-faults-")), durable=args.full)
    failed = 0
    try:
        for number in args.scenario or sorted(SCENARIOS):
            one = SCENARIOS[number]
            for broken in ("",) * (not args.broken) + (one.caught,) * (not args.no_broken):
                # A broken sender is caught at the reduced size, or the scenario looks too little.
                found = run(ground, number, full=args.full and not broken, broken=broken)
                as_it_should = found.is_clean is not bool(broken)
                failed += not as_it_should
                print(
                    json.dumps(
                        {
                            "scenario": number,
                            "title": one.title,
                            "sender": broken or "real",
                            "as_it_should": as_it_should,
                            "problems": found.problems[:10],
                            **found.figures,
                        },
                        ensure_ascii=False,
                    ),
                    flush=True,
                )
    finally:
        if args.keep:
            print(f"kept: {ground.folder}", file=sys.stderr)
            ground.attachment.leave()
        else:
            ground.leave()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
