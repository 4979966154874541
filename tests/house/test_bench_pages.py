"""`circular bench pages` fills a house, fetches its pages as their readers, and leaves nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

from circular.config.bench.fullhouse import BEFORE, OPEN_PER_MILLE, STEPS

CASES = 60


def test_every_state_that_is_copied_is_one_that_is_walked_to() -> None:
    assert set(OPEN_PER_MILLE) <= {"draft", *STEPS, *BEFORE}
    assert sum(OPEN_PER_MILLE.values()) < 1000


def test_a_small_house_is_filled_measured_and_dropped(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "circular", "bench", "pages", "--json"),
            *("--cases", str(CASES), "--accounts", "300", "--times", "2"),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"CIRCULAR_SECRET_KEY": "b" * 50, "CIRCULAR_DATA_FOLDER": str(tmp_path)},
        check=False,
    )

    assert done.returncode in {0, 1}, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["cases"] == CASES
    assert {page["status"] for page in found["pages"]} == {200}
    assert all(page["queries"] > 0 for page in found["pages"])
    trays = {page["reader"] for page in found["pages"] if page["page"] == "tray"}
    assert {"requester", "communications", "tic", "quality"} <= trays
    assert {"case, in_review", "case, closed", "sending"} <= {one["page"] for one in found["pages"]}
