"""The journal: whoever is about to be handed over stands in it first, and recovery believes it alone."""

import os
import resource
from collections.abc import Callable, Sequence
from datetime import UTC, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from circular.dispatch import journal as journals
from circular.dispatch import lending, recovery, testimony
from circular.dispatch.errors import FencedError, JournalBrokenError
from circular.dispatch.journal import FULL_OCTETS, Estate, Journal, keys_in
from circular.dispatch.lending import Batch
from circular.dispatch.models import Lease, Worker
from circular.dispatch.testimony import handing_over, is_untried
from circular.mailing.models import Recipient
from circular.outcomes.lines import line_of, read_line, written
from circular.outcomes.verdicts import OutcomeFact, Source, Verdict, reason_after
from post_office import Release, states
from variants import assert_catches

LASTS = timedelta(minutes=15)
TIMES = st.datetimes(timezones=st.just(UTC))
FACTS = st.builds(
    OutcomeFact,
    recipient=st.integers(1, 2**62),
    verdict=st.sampled_from(Verdict),
    at=TIMES,
    code=st.none() | st.integers(200, 599),
    enhanced=st.sampled_from(["", "5.1.1"]),
    reply=st.text(max_size=60).map(written),
    next_try_at=st.none() | TIMES,
    reason=st.just("relay_refused"),
    source=st.sampled_from(Source),
)


# ---- one line -------------------------------------------------------------------------------


@given(lease=st.integers(1, 2**62), fact=FACTS, cut=st.integers(1, 300))
def test_a_line_is_read_back_as_it_was_and_one_without_its_tabs_is_none(
    lease: int, fact: OutcomeFact, cut: int
) -> None:
    line = line_of(lease, fact)

    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert read_line(line[:-1]) == (lease, fact)
    torn = line[: -1 - cut - len(fact.reply)]
    assert read_line(torn) is None


def test_a_line_without_its_lease_is_caught() -> None:
    """Deliberately broken: a verdict that forgets under which lease it was obtained."""
    broken = line_of(7, accepted(1)).removeprefix("7")

    assert read_line(broken) != (7, accepted(1))


@given(noise=st.text(max_size=80))
def test_noise_is_no_verdict(noise: str) -> None:
    assert read_line(noise) is None


def test_a_reader_that_takes_any_line_for_a_verdict_is_caught() -> None:
    right = read_line

    def hopeful(line: str) -> tuple[int, OutcomeFact] | None:
        return right(line) or (len(line), accepted(1))

    for holds in (
        test_noise_is_no_verdict,
        test_a_line_is_read_back_as_it_was_and_one_without_its_tabs_is_none,
    ):
        assert_catches(holds, __name__, "read_line", hopeful)


def accepted(recipient: int) -> OutcomeFact:
    return OutcomeFact(
        recipient=recipient,
        verdict=Verdict.ACCEPTED,
        at=timezone.now(),
        code=250,
        reply="x" * 400,
        reason=reason_after(Verdict.ACCEPTED).value,
    )


# ---- what all lines prove -------------------------------------------------------------------

# A step of a worker: hand these people over, or note the answer of one of them.
STEPS = st.lists(
    st.one_of(st.sets(st.integers(1, 12), min_size=1, max_size=3).map(sorted), st.integers(1, 12)),
    max_size=12,
)
Read = Callable[..., testimony.Testimony]


def check_testimony(read: Read, steps: Sequence[list[int] | int], kept: float) -> None:
    """Kill the worker after any octet: nobody who may have left is taken for untried."""
    lines = [
        handing_over(5, step) if isinstance(step, list) else line_of(5, accepted(step))
        for step in steps
    ]
    text = "".join(lines)
    cut = int(len(text) * kept)
    found = read([text[:cut]], whole=True)
    left: set[int] = set()
    answered: set[int] = set()
    seen = 0
    for step, line in zip(steps, lines, strict=True):
        seen += len(line)
        if seen > cut:
            break  # its line is torn or missing: the dot comes after the line, so it never left
        if isinstance(step, list):
            left.update(step)
        else:
            answered.add(step)
    untried = {one for one in range(1, 13) if is_untried(found, 5, one)}
    assert untried == set(range(1, 13)) - left
    assert found.answered.get(5, set()) == answered


@given(steps=STEPS, kept=st.floats(0, 1))
def test_a_kill_after_any_octet_leaves_nobody_misjudged(
    steps: list[list[int] | int], kept: float
) -> None:
    check_testimony(testimony.read, steps, kept)


def test_a_reader_that_overlooks_who_was_handed_over_is_caught() -> None:
    def forgetful(sheets: Sequence[str], *, whole: bool) -> testimony.Testimony:
        found = testimony.read(sheets, whole=whole)
        found.handed_over.clear()
        return found

    with pytest.raises(AssertionError):
        check_testimony(forgetful, [[1, 2]], 1)


def test_a_reader_that_believes_a_torn_line_is_caught() -> None:
    def credulous(sheets: Sequence[str], *, whole: bool) -> testimony.Testimony:
        return testimony.read([sheet + "\n" for sheet in sheets], whole=whole)

    with pytest.raises(AssertionError):
        check_testimony(credulous, [[11]], 0.8)


def test_nobody_is_untried_by_a_journal_of_an_earlier_start_of_the_machine() -> None:
    assert not is_untried(testimony.read(["5\t1\n"], whole=False), 5, 2)
    assert not is_untried(None, 5, 2)


# ---- the files ------------------------------------------------------------------------------


def test_a_sheet_goes_when_it_is_full_and_every_lease_in_it_is_closed(tmp_path: Path) -> None:
    key = uuid4()
    journal = Journal(tmp_path, key)
    line = handing_over(1, [10**17] * 500)
    for _ in range(FULL_OCTETS // len(line) + 2):
        journal.write(line, [1])
    journal.write(handing_over(2, [8]), [2])
    assert len(list(tmp_path.glob("*.log"))) == 2

    journal.closed(1)

    [left] = tmp_path.glob("*.log")
    assert left.stat().st_size < FULL_OCTETS / 2
    journal.close(finished=True)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(JournalBrokenError):
        Journal(tmp_path / "file", uuid4())


def test_a_full_disk_stops_the_journal_for_good(tmp_path: Path) -> None:
    journal = Journal(tmp_path, uuid4())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        with pytest.raises(JournalBrokenError):
            journal.hand_over(handing_over(1, range(1, 50)), [1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    with pytest.raises(JournalBrokenError):
        journal.hand_over(handing_over(1, [1]), [1])
    journal.close(finished=True)


def test_a_worker_that_was_told_to_stop_hands_nobody_over(tmp_path: Path) -> None:
    key = uuid4()
    journal = Journal(tmp_path, key)
    journal.hand_over(handing_over(1, [1]), [1])
    with Estate(tmp_path, key) as estate:
        assert not estate.is_dead
        assert estate.stop_owner()

        with pytest.raises(FencedError):
            journal.hand_over(handing_over(1, [2]), [1])

        # It wrote before it looked: whoever stands there may have left for all we know.
        assert estate.testimony().handed_over == {1: {1, 2}}
    journal.close(finished=True)


# ---- recovery -------------------------------------------------------------------------------


def lost_worker_with(release: Release, folder: Path) -> tuple[int, Batch]:
    """A worker that handed three people over, noted two answers, and is gone."""
    mailing_id = release(4)
    now = timezone.now()
    worker = Worker.objects.create(host="here", pid=1, started_at=now, seen_at=now)
    batch = lending.lease_batch(mailing_id, relay=None, worker=worker.pk, limit=4, lasts=LASTS)
    assert batch is not None
    die(folder, worker.key, batch, handed_over=3, answered=2)
    return mailing_id, batch


def die(folder: Path, key: UUID, batch: Batch, *, handed_over: int, answered: int) -> None:
    journal = Journal(folder, key)
    lease = batch.lent.lease
    journal.hand_over(handing_over(lease, batch.recipients[:handed_over]), [lease])
    for recipient in batch.recipients[:answered]:
        journal.write(line_of(lease, accepted(recipient)), [lease])
    journal.close(finished=False)


def test_after_a_kill_only_who_was_not_answered_is_in_doubt(
    release: Release, tmp_path: Path
) -> None:
    mailing_id, _ = lost_worker_with(release, tmp_path)

    found = recovery.recover_leases(folder=tmp_path)

    assert (found.replayed, found.in_doubt, found.given_back) == (2, 1, 1)
    assert states(mailing_id) == {"accepted": 2, "in_doubt": 1, "pending": 1}
    assert set(Recipient.objects.filter(state="in_doubt").values_list("reason", flat=True)) == {
        "worker_lost"
    }
    recovery.recover_leases(folder=tmp_path)
    assert not keys_in(tmp_path)


def test_without_its_journal_everybody_is_in_doubt_once_the_lease_has_run_out(
    release: Release, tmp_path: Path
) -> None:
    """The loss of a host: until the lease ends it may come back and tell."""
    mailing_id, _ = lost_worker_with(release, tmp_path / "lost with the machine")

    recovery.recover_leases(folder=tmp_path)
    assert states(mailing_id) == {"pending": 4}
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))
    recovery.recover_leases(folder=tmp_path)

    assert states(mailing_id) == {"in_doubt": 4}


def test_a_journal_found_after_another_host_recovered_ends_the_doubt(
    release: Release, tmp_path: Path
) -> None:
    mailing_id, _ = lost_worker_with(release, tmp_path / "host a")
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))
    recovery.recover_leases(folder=tmp_path / "host b")

    found = recovery.recover_leases(folder=tmp_path / "host a")

    assert found.replayed == 2
    assert states(mailing_id) == {"accepted": 2, "in_doubt": 2}


def test_a_journal_with_a_torn_end_tells_what_is_whole(release: Release, tmp_path: Path) -> None:
    mailing_id, _ = lost_worker_with(release, tmp_path)
    [sheet] = tmp_path.glob("*.log")
    os.truncate(sheet, sheet.stat().st_size - 7)

    recovery.recover_leases(folder=tmp_path)

    assert states(mailing_id) == {"accepted": 1, "in_doubt": 2, "pending": 1}


def test_a_journal_of_before_the_machine_started_anew_proves_no_silence(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailing_id, _ = lost_worker_with(release, tmp_path)
    monkeypatch.setattr(journals, "start_of_this_machine", lambda: "another start")

    recovery.recover_leases(folder=tmp_path)

    # What was answered was answered; nobody else is known to be untried.
    assert states(mailing_id) == {"accepted": 2, "in_doubt": 2}


def test_a_worker_that_lives_is_left_alone(release: Release, tmp_path: Path) -> None:
    mailing_id = release(3)
    now = timezone.now()
    worker = Worker.objects.create(host="here", pid=1, started_at=now, seen_at=now)
    journal = Journal(tmp_path, worker.key)
    lending.lease_batch(mailing_id, relay=None, worker=worker.pk, limit=3, lasts=LASTS)

    found = recovery.recover_leases(folder=tmp_path)

    assert found.leases == 0
    assert Lease.objects.get().state == "open"
    journal.close(finished=False)


def test_one_that_hangs_is_stopped_before_its_people_are_taken(
    release: Release, tmp_path: Path
) -> None:
    mailing_id = release(3)
    now = timezone.now()
    worker = Worker.objects.create(host="here", pid=1, started_at=now, seen_at=now)
    journal = Journal(tmp_path, worker.key)
    batch = lending.lease_batch(mailing_id, relay=None, worker=worker.pk, limit=3, lasts=LASTS)
    assert batch is not None
    lease = batch.lent.lease
    journal.hand_over(handing_over(lease, batch.recipients[:1]), [lease])
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))

    recovery.recover_leases(folder=tmp_path)

    assert states(mailing_id) == {"in_doubt": 1, "pending": 2}
    with pytest.raises(FencedError):
        journal.hand_over(handing_over(lease, batch.recipients[1:2]), [lease])
    journal.close(finished=False)


def test_a_journal_of_another_database_is_left_alone(release: Release, tmp_path: Path) -> None:
    mailing_id = release(1)
    key = uuid4()
    Journal(tmp_path, key).close(finished=False)

    recovery.recover_leases(folder=tmp_path)

    assert states(mailing_id) == {"pending": 1}
    assert keys_in(tmp_path) == [key]
