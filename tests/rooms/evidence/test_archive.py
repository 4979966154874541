"""The archive on a real database: append-only, chained, anchored, verified."""

import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine
from django.db import DatabaseError, connection, connections, transaction
from django.utils import translation

from circular.evidence import queries, services
from circular.evidence.actors import CLOCK, SYSTEM, Actor
from circular.evidence.chain import HOUSE, Fault, Finding, case_chain, mailing_chain
from circular.evidence.errors import BlobMissingError
from circular.evidence.labels import report_lines, sentence
from circular.evidence.services import EntryDraft, append, store_blob
from circular.evidence.verify import verify
from circular.jobs import FailedJob
from forge import as_superuser, rebuild, rebuild_with_house

NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
ANNA = Actor.of(1)


def file_case(case: int, *acts: str) -> None:
    """Append some acts to a case, one transaction each."""
    for act in acts or ("filed", "taken", "approved", "forwarded"):
        append(EntryDraft(chain=case_chain(case), act=act, by=ANNA, at=NOON, facts={"version": 1}))


@pytest.mark.django_db
def test_entries_of_a_case_follow_each_other_and_the_house_notes_the_opening() -> None:
    file_case(12)

    entries = queries.entries_of(case_chain(12))

    assert [entry.act for entry in entries] == ["filed", "taken", "approved", "forwarded"]
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4]
    assert entries[1].previous == entries[0].digest
    assert entries[0].by == ANNA
    [opening] = queries.entries_of(HOUSE)
    assert (opening.act, opening.facts) == ("chain_opened", {"chain": "case:12"})
    assert verify().sound


@pytest.mark.django_db
def test_one_act_may_write_on_several_chains_and_the_answer_keeps_its_order() -> None:
    refs = append(
        EntryDraft(chain=mailing_chain(5), act="released", by=CLOCK, at=NOON, facts={}),
        EntryDraft(chain=case_chain(12), act="started", by=CLOCK, at=NOON, facts={"mailing": 5}),
        EntryDraft(chain=mailing_chain(5), act="frozen", by=CLOCK, at=NOON, facts={}),
    )

    assert [(str(ref.chain), ref.sequence) for ref in refs] == [
        ("mailing:5", 1),
        ("case:12", 1),
        ("mailing:5", 2),
    ]
    assert verify().sound


@pytest.mark.django_db
def test_an_act_that_fails_leaves_no_entry() -> None:
    with transaction.atomic():
        file_case(12, "filed")
        transaction.set_rollback(True)

    assert queries.entries_of(case_chain(12)) == []
    assert queries.house_head().sequence == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE evidence_entry SET act = 'x'",
        "DELETE FROM evidence_entry",
        "UPDATE evidence_blob SET media_type = 'x'",
        "DELETE FROM evidence_blob",
        "DELETE FROM evidence_chain",
    ],
)
def test_the_database_refuses_to_alter_evidence(sql: str) -> None:
    file_case(12)
    store_blob(b"raw", media_type="message/rfc822")

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run(sql)

    assert verify().sound


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["evidence_entry", "evidence_blob"])
def test_the_database_refuses_to_truncate_evidence(table: str) -> None:
    file_case(12)
    run("SET CONSTRAINTS ALL IMMEDIATE")  # or TRUNCATE finds pending events

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run(f"TRUNCATE {table} CASCADE")


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.django_db
def test_a_blob_is_stored_once_under_its_digest() -> None:
    first = store_blob(b"hello\r\n", media_type="message/rfc822")
    second = store_blob(b"hello\r\n", media_type="text/plain")

    assert first == second
    assert queries.blob(first) == b"hello\r\n"
    assert queries.blobs_among([first]) == {first: "message/rfc822"}


@pytest.mark.django_db
def test_a_blob_that_retention_prunes_is_named_on_the_house_and_not_called_missing() -> None:
    raw = store_blob(b"raw", media_type="message/rfc822")
    kept = store_blob(b"kept", media_type="message/rfc822")
    append(
        EntryDraft(
            chain=case_chain(1), act="received", by=SYSTEM, at=NOON, facts={"blobs": [raw, kept]}
        )
    )

    pruned = services.prune_blobs([raw], reason="retention", by=CLOCK)

    assert pruned == 1
    with pytest.raises(BlobMissingError):
        queries.blob(raw)
    assert queries.blob(kept) == b"kept"
    assert verify().sound
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run("DELETE FROM evidence_blob")


@pytest.mark.django_db
def test_a_blob_deleted_behind_the_archives_back_is_missed() -> None:
    raw = store_blob(b"raw", media_type="message/rfc822")
    append(EntryDraft(chain=case_chain(1), act="received", by=SYSTEM, at=NOON, facts={"raw": raw}))

    as_superuser("DELETE FROM evidence_blob")

    assert verify().findings == (Finding("case:1", 1, Fault.BLOB_MISSING, raw),)


@pytest.mark.django_db
def test_a_blob_whose_bytes_were_changed_is_named() -> None:
    raw = store_blob(b"raw", media_type="message/rfc822")

    as_superuser("UPDATE evidence_blob SET content = 'Raw'")

    assert verify().findings == (Finding("blobs", None, Fault.BLOB_CHANGED, raw),)


def change_one() -> None:
    as_superuser("UPDATE evidence_entry SET facts = '{\"version\": 2}' WHERE act = 'approved'")


def drop_one() -> None:
    as_superuser("DELETE FROM evidence_entry WHERE act = 'approved'")


def swap_two() -> None:
    as_superuser("UPDATE evidence_entry SET sequence = 99 WHERE act = 'forwarded'")
    as_superuser("UPDATE evidence_entry SET sequence = 4 WHERE act = 'approved'")
    as_superuser("UPDATE evidence_entry SET sequence = 3 WHERE act = 'forwarded'")


def insert_one() -> None:
    as_superuser("UPDATE evidence_entry SET sequence = 5 WHERE act = 'forwarded'")
    as_superuser("UPDATE evidence_entry SET sequence = 4 WHERE act = 'approved'")
    as_superuser(
        "INSERT INTO evidence_entry"
        " (chain_id, sequence, at, act, actor_kind, person, post, facts, previous, digest)"
        " SELECT chain_id, 3, at, 'signed_off', actor_kind, person, post, facts, digest, digest"
        " FROM evidence_entry WHERE act = 'taken'"
    )


def cut_the_tail_and_forget_the_head() -> None:
    as_superuser("DELETE FROM evidence_entry WHERE act = 'forwarded'")


def rewrite_the_actor() -> None:
    as_superuser("UPDATE evidence_entry SET person = 666 WHERE act = 'approved'")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tamper", "place", "fault"),
    [
        (change_one, 3, Fault.CHANGED),
        (rewrite_the_actor, 3, Fault.CHANGED),
        (drop_one, 3, Fault.MISSING),
        (swap_two, 3, Fault.REORDERED),
        (insert_one, 3, Fault.REORDERED),
        (cut_the_tail_and_forget_the_head, 4, Fault.HEAD_WRONG),
    ],
)
def test_the_first_wrong_entry_is_named(
    tamper: Callable[[], None], place: int, fault: Fault
) -> None:
    file_case(12)
    file_case(13)
    tamper_only_case_12(tamper)

    [finding] = [found for found in verify().findings if found.chain == "case:12"]
    assert (finding.sequence, finding.fault) == (place, fault)


def tamper_only_case_12(tamper: Callable[[], None]) -> None:
    """The tampering names entries by act: keep those of case 13 out of its way."""
    as_superuser(
        "UPDATE evidence_entry SET act = 'x_' || act WHERE chain_id ="
        " (SELECT id FROM evidence_chain WHERE subject = 13)"
    )
    tamper()


def cut_the_tail_cleverly() -> None:
    as_superuser("DELETE FROM evidence_entry WHERE act = 'forwarded'")
    as_superuser(
        "UPDATE evidence_chain SET sequence = 3, head ="
        " (SELECT digest FROM evidence_entry WHERE act = 'approved') WHERE kind = 'case'"
    )


@pytest.mark.django_db
def test_a_cut_tail_is_found_once_the_house_has_noted_the_head() -> None:
    file_case(12)
    services.note_heads(by=CLOCK)

    cut_the_tail_cleverly()

    assert verify().findings == (Finding("case:12", 4, Fault.CUT),)


@pytest.mark.django_db
def test_a_case_rewritten_with_fresh_digests_is_found_through_the_house() -> None:
    file_case(12)
    services.note_heads(by=CLOCK)

    rewrite_the_actor()
    rebuild("case:12")

    assert verify().findings == (Finding("case:12", 4, Fault.REBUILT),)


@pytest.mark.django_db
def test_a_house_rewritten_too_is_found_only_through_an_anchor_outside() -> None:
    file_case(12)
    services.note_heads(by=CLOCK)
    letter_says = queries.house_head().digest

    rewrite_the_actor()
    rebuild_with_house("case:12")

    assert verify().sound
    assert not verify().tail_detectable
    assert verify(anchors=[letter_says]).findings == (
        Finding("house", None, Fault.ANCHOR_UNKNOWN, letter_says),
    )


@pytest.mark.django_db
def test_an_anchor_proves_the_house_up_to_its_entry_and_no_further() -> None:
    file_case(12)
    services.note_heads(by=CLOCK)
    anchor = queries.house_head()

    proved = verify(anchors=[anchor.digest])
    file_case(13)
    later = verify(anchors=[anchor.digest.upper()])

    assert proved.tail_detectable
    assert later.sound
    assert later.anchored_to == anchor.sequence
    assert not later.tail_detectable


@pytest.mark.django_db
def test_a_case_that_vanished_whole_is_missed_by_the_house() -> None:
    file_case(12)

    as_superuser("DELETE FROM evidence_entry WHERE act <> 'chain_opened'")
    as_superuser("DELETE FROM evidence_chain WHERE kind = 'case'")

    assert verify().findings == (Finding("case:12", None, Fault.CHAIN_MISSING),)


@pytest.mark.django_db
def test_heads_are_noted_once_and_again_only_after_a_chain_moved() -> None:
    file_case(12)
    file_case(13)

    assert services.note_heads(by=CLOCK) == 2
    assert services.note_heads(by=CLOCK) == 0
    file_case(13, "closed")
    assert services.note_heads(case_chain(12), by=CLOCK) == 0
    assert services.note_heads(by=CLOCK) == 1


@pytest.mark.django_db
def test_a_closing_notes_where_the_case_stood() -> None:
    file_case(12)

    services.note_closing(case_chain(12), by=CLOCK, at=NOON)
    cut_the_tail_cleverly()

    assert verify().findings == (Finding("case:12", 4, Fault.CUT),)


@pytest.mark.django_db(transaction=True)
def test_appends_from_many_threads_leave_one_unbroken_chain() -> None:
    failures: list[BaseException] = []

    def write(worker: int) -> None:
        try:
            for number in range(10):
                append(
                    EntryDraft(
                        chain=mailing_chain(1),
                        act="batch_settled",
                        by=CLOCK,
                        at=NOON,
                        facts={"worker": worker, "number": number},
                    ),
                    EntryDraft(chain=case_chain(worker), act="noted", by=CLOCK, at=NOON, facts={}),
                )
        except DatabaseError as failure:
            failures.append(failure)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=write, args=(worker,)) for worker in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert failures == []
    assert queries.head_of(mailing_chain(1)).sequence == 60
    assert verify().sound


@pytest.mark.django_db
def test_the_report_says_in_words_what_it_found_and_what_it_cannot_know() -> None:
    file_case(12)
    change_one()

    with translation.override("es"):
        lines = report_lines(verify())

    assert lines[0] == "Hay faltas: 1."
    assert "case:12, asiento 3: el asiento fue cambiado" in lines
    assert "no se puede detectar" in lines[-1]


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_has_a_sentence(fault: Fault) -> None:
    assert len(sentence(Finding("case:1", None, fault))) > len("case:1: ")


@pytest.mark.django_db(transaction=True)
def test_noting_heads_never_waits_for_whoever_holds_a_chain_and_wants_the_house() -> None:
    file_case(12)
    holds_case, house_noted = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def act() -> None:
        try:
            with transaction.atomic():
                append(EntryDraft(chain=case_chain(12), act="sent", by=ANNA, at=NOON, facts={}))
                holds_case.set()
                house_noted.wait(5)
                append(  # opens a chain, so it needs the house
                    EntryDraft(chain=mailing_chain(9), act="released", by=ANNA, at=NOON, facts={})
                )
        except DatabaseError as failure:
            failures.append(failure)
        finally:
            connections.close_all()

    actor = threading.Thread(target=act)
    actor.start()
    holds_case.wait(5)
    noted = services.note_heads(by=CLOCK)
    house_noted.set()
    actor.join()

    assert noted == 1
    assert failures == []
    assert verify().sound


@pytest.mark.django_db
def test_a_clock_that_goes_back_is_noted_once_and_breaks_no_chain() -> None:
    with time_machine.travel(NOON, tick=False):
        services.record_failed_job(FailedJob("test", "test"))
    with time_machine.travel(NOON - timedelta(hours=1), tick=False):
        first = services.watch_clock(by=CLOCK)
        again = services.watch_clock(by=CLOCK)

    assert (first, again) == (timedelta(hours=1), None)
    [entry] = queries.entries_of(HOUSE, act="clock_went_back")
    assert entry.facts == {"seconds": 3600}
    assert verify().sound


@pytest.mark.django_db(transaction=True)
def test_the_desk_the_ledger_and_the_clock_never_wait_for_each_other_in_a_circle() -> None:
    failures: list[BaseException] = []
    new_mailings = itertools.count(1000)  # only its maker knows a new mailing

    def desk(case: int) -> None:
        for _ in range(8):
            with transaction.atomic():
                services.hold(case_chain(case))
                services.seal(case_chain(case), by=CLOCK)
                letter = mailing_chain(next(new_mailings))
                for chain, act in ((letter, "released"), (case_chain(case), "letter_posted")):
                    append(EntryDraft(chain=chain, act=act, by=ANNA, at=NOON, facts={}))

    def ledger() -> None:
        for number in range(30):
            chain = mailing_chain(number % 5 + 1)
            append(EntryDraft(chain=chain, act="batch_settled", by=CLOCK, at=NOON, facts={}))

    def clock() -> None:
        for _ in range(10):
            services.note_heads(by=CLOCK)

    def watched(work: Callable[[], None]) -> None:
        try:
            work()
        except DatabaseError as failure:
            failures.append(failure)
        finally:
            connections.close_all()

    works = [partial(desk, case) for case in (1, 2, 1)] + [ledger, ledger, clock, clock]
    threads = [threading.Thread(target=watched, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert verify().sound
