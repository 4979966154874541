"""Whatever the owner of the database does to the evidence is found (reliability.md, fault 25)."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction

import own_database
from circular.evidence import queries, services
from circular.evidence.actors import CLOCK, Actor
from circular.evidence.chain import HOUSE, case_chain, mailing_chain
from circular.evidence.services import EntryDraft, append
from circular.evidence.verify import verify

NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
# At every merge 50 of the 1,000 acts of the fault table; TAMPERINGS=1000 does them all.
ACTS = int(os.environ.get("TAMPERINGS", "50"))


def run(sql: str, *values: str | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


@pytest.fixture
def archive(db: None) -> str:
    """Write four cases and two mailings, noted and anchored; give the anchor; drop the guards."""
    for number in range(10):
        for case in range(1, 5):
            append(
                EntryDraft(
                    chain=case_chain(case),
                    act=f"act_{number}",
                    by=Actor.of(case, "comunicaciones"),
                    at=NOON + timedelta(minutes=number),
                    facts={"number": number, "digests": ["ab" * 32], "flag": True},
                )
            )
        append(
            *(
                EntryDraft(
                    chain=mailing_chain(mailing),
                    act="batch_settled",
                    by=CLOCK,
                    at=NOON,
                    facts={"count": number},
                )
                for mailing in (1, 2)
            )
        )
    services.note_heads(by=CLOCK)
    run("SET CONSTRAINTS ALL IMMEDIATE")
    for table in ("evidence_entry", "evidence_chain"):
        run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    return queries.house_head().digest


def entry(dice: random.Random) -> tuple[int, int, int]:
    """Choose any entry: its id, chain and place."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, chain_id, sequence FROM evidence_entry ORDER BY id")
        rows: list[tuple[int, int, int]] = cursor.fetchall()
    return dice.choice(rows)


def change(dice: random.Random) -> None:
    column, value = dice.choice(
        [
            ("act", "'forged'"),
            ("at", "at + interval '1 microsecond'"),
            ("actor_kind", "'system'"),
            ("person", "coalesce(person, 0) + 1"),
            ("post", "coalesce(post, '') || 'x'"),
            ("facts", "facts || '{\"number\": 77}'"),
            ("facts", "facts - 'count' || '{\"x\": null}'"),
            ("previous", "reverse(previous) || ''"),
            ("digest", "encode(sha256(digest::bytea), 'hex')"),
        ]
    )
    place, _, _ = entry(dice)
    run(f"UPDATE evidence_entry SET {column} = {value} WHERE id = %s", place)


def drop(dice: random.Random) -> None:
    run("DELETE FROM evidence_entry WHERE id = %s", entry(dice)[0])


def insert(dice: random.Random) -> None:
    _, chain, sequence = entry(dice)
    run(
        "UPDATE evidence_entry SET sequence = sequence + 10001 WHERE chain_id = %s AND sequence >= %s",
        chain, sequence,
    )  # fmt: skip
    run("UPDATE evidence_entry SET sequence = sequence - 10000 WHERE sequence > 10000")
    run(
        "INSERT INTO evidence_entry"
        " (chain_id, sequence, at, act, actor_kind, person, post, facts, previous, digest)"
        " SELECT chain_id, %s, at, 'slipped_in', actor_kind, person, post, facts, previous, digest"
        " FROM evidence_entry WHERE chain_id = %s AND sequence = %s",
        sequence, chain, sequence + 1,
    )  # fmt: skip


def reorder(dice: random.Random) -> None:
    _, chain, one = entry(dice)
    other = one + 1 if one == 1 else one - 1
    for old, new in ((one, 10000), (other, one), (10000, other)):
        run(
            "UPDATE evidence_entry SET sequence = %s WHERE chain_id = %s AND sequence = %s",
            new, chain, old,
        )  # fmt: skip


def cut_tail(dice: random.Random) -> None:
    _, chain, sequence = entry(dice)
    run("DELETE FROM evidence_entry WHERE chain_id = %s AND sequence >= %s", chain, sequence)
    run(
        "UPDATE evidence_chain c SET sequence = %s, head = coalesce((SELECT digest FROM"
        " evidence_entry e WHERE e.chain_id = c.id AND e.sequence = %s), repeat('0', 64))"
        " WHERE id = %s",
        sequence - 1, sequence - 1, chain,
    )  # fmt: skip


def move_to_another_case(dice: random.Random) -> None:
    place, chain, _ = entry(dice)
    run(
        "UPDATE evidence_entry SET sequence = 1000, chain_id ="
        " (SELECT min(id) FROM evidence_chain WHERE id <> %s) WHERE id = %s",
        chain, place,
    )  # fmt: skip


def forget_a_chain(dice: random.Random) -> None:
    _, chain, _ = entry(dice)
    run("DELETE FROM evidence_entry WHERE chain_id = %s", chain)
    run("DELETE FROM evidence_notedhead WHERE chain_id = %s", chain)
    run("DELETE FROM evidence_chain WHERE id = %s", chain)


TAMPERINGS: list[Callable[[random.Random], None]] = [
    change,
    drop,
    insert,
    reorder,
    cut_tail,
    move_to_another_case,
    forget_a_chain,
]


def goes_unnoticed(seed: int, anchor: str) -> bool:
    """Do one random act, verify, and undo it."""
    with transaction.atomic():
        TAMPERINGS[seed % len(TAMPERINGS)](random.Random(seed))
        sound = verify(anchors=[anchor]).sound
        transaction.set_rollback(True)
    return sound


def test_every_random_act_of_the_owner_is_found(archive: str) -> None:
    assert verify(anchors=[archive]).sound

    unnoticed = [seed for seed in range(ACTS) if goes_unnoticed(seed, archive)]

    assert unnoticed == []
    assert verify(anchors=[archive]).sound


APPEND_FOR_EVER = """
import django; django.setup()
from django.db import connection
from django.utils import timezone
from circular.evidence.actors import CLOCK
from circular.evidence.services import EntryDraft, append, case_chain, mailing_chain
number = 0
while True:
    number += 1
    if number == 7:
        print("ready", flush=True)
    append(
        EntryDraft(chain=case_chain(number % 5 + 1), act="noted", by=CLOCK, at=timezone.now(),
                   facts={"number": number}),
        EntryDraft(chain=mailing_chain(1), act="batch", by=CLOCK, at=timezone.now(), facts={}),
    )
"""


@pytest.mark.django_db(transaction=True)
def test_kills_while_appending_leave_an_archive_that_verifies(tmp_path: Path) -> None:
    environment = own_database.environment(tmp_path)
    before = 0
    for pause in (0.1, 0.23, 0.37):
        writer = subprocess.Popen(
            [sys.executable, "-c", APPEND_FOR_EVER], stdout=subprocess.PIPE, env=environment
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(pause)
        writer.kill()
        writer.wait()
        writer.stdout.close()

        with transaction.atomic():
            report = verify()
        assert report.sound, report.findings
        assert report.entries > before
        before = report.entries
    assert queries.head_of(HOUSE).sequence == 6  # five cases and a mailing were opened, once each
