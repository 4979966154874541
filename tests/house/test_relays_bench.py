"""The bench, both sides as processes: what the sender counts is what the sink wrote down."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from circular.config.bench.manner import Rule, ScriptError, rules_of
from circular.config.bench.relay import Manner
from circular.config.bench.send import BadAddressError, RelayAddress, relay_address

CIRCULAR = [sys.executable, "-m", "circular"]
OPTIONS = ["--recipients", "60", "--octets", "4000", "--connections", "3", "--json"]


@contextmanager
def bench_relay(*options: str) -> Iterator[tuple[int, dict[str, int]]]:
    """Run the sink; its port, and after the block what it saw."""
    process = subprocess.Popen(
        [*CIRCULAR, "bench", "relay", "--listen", "127.0.0.1:0", *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    seen: dict[str, int] = {}
    try:
        yield json.loads(process.stdout.readline())["listening"][1], seen
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
        seen |= json.loads(rest.splitlines()[-1])


def test_both_books_of_a_bench_run_agree(tmp_path: Path) -> None:
    record = tmp_path / "took.jsonl"
    with bench_relay("--books", str(record), "--durable") as (port, seen):
        done = subprocess.run(
            [*CIRCULAR, "bench", "send", "--relay", f"smtp://127.0.0.1:{port}", *OPTIONS],
            capture_output=True,
            text=True,
            timeout=100,
            env=os.environ
            | {"CIRCULAR_SECRET_KEY": "b" * 50, "CIRCULAR_DATA_FOLDER": str(tmp_path)},
            check=False,
        )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    took = [json.loads(line)["rcpt"] for line in record.read_text("utf-8").splitlines()]
    assert found["accepted"] == found["outcome_rows"] == 60
    assert sorted(took) == sorted(f"p{number}@bench.example" for number in range(60))
    assert seen["messages"] == 60
    assert abs(found["octets"] - 4000) < 150


def test_a_relays_address_is_read_and_nonsense_is_named() -> None:
    assert relay_address("smtps://me:p%40ss@relay.example:465") == RelayAddress(
        host="relay.example", port=465, security="tls", username="me", password="p@ss"
    )
    for nonsense in ("relay.example:25", "smtp://relay.example", "smtp://x:y:z", "http://x:1"):
        with pytest.raises(BadAddressError, match="is no relay"):
            relay_address(nonsense)


def test_a_script_that_cannot_be_played_is_refused() -> None:
    for nonsense in ("[[rule]]\nat = 'lunch'", "[[rule]]\nat='rcpt'\nwhat=1", "no toml ["):
        with pytest.raises(ScriptError):
            rules_of(nonsense)


def test_rules_count_themselves_down() -> None:
    rule = Rule(at="rcpt", match="full", skip=1, times=2)
    manner = Manner(rules=[rule])

    played = [manner.rule_for("rcpt", "full@example.org") is rule for _ in range(4)]

    assert played == [False, True, True, False]
    assert manner.rule_for("rcpt", "anna@example.org") is None
