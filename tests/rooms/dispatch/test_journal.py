"""The journal of verdicts: what was written is read, what is torn is not, whose it is is known."""

import os
from datetime import UTC, timedelta
from pathlib import Path
from uuid import uuid4

from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from circular.dispatch import services
from circular.dispatch.journal import FULL_OCTETS, Journal, line_of, read_line, sheets_in
from circular.dispatch.models import Worker
from circular.outcomes.verdicts import OutcomeFact, Source, Verdict
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
    reply=st.text(max_size=60),
    next_try_at=st.none() | TIMES,
    reason=st.sampled_from(["", "relay_refused"]),
    source=st.sampled_from(Source),
)


@given(lease=st.integers(1, 2**62), fact=FACTS, cut=st.integers(1, 300))
def test_a_line_is_read_back_as_it_was_and_a_torn_one_is_none(
    lease: int, fact: OutcomeFact, cut: int
) -> None:
    line = line_of(lease, fact)

    assert line.count(b"\n") == 1
    assert read_line(line) == (lease, fact)
    assert read_line(line[: -1 - cut]) is None


def test_a_line_without_its_lease_is_caught() -> None:
    """Deliberately broken: a verdict that forgets under which lease it was obtained."""
    broken = line_of(7, accepted(1)).replace(b'"lease":7,', b"")

    assert read_line(broken) != (7, accepted(1))


@given(noise=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_noise_is_no_verdict(noise: bytes) -> None:
    assert read_line(noise) is None


def test_a_reader_that_takes_any_line_for_a_verdict_is_caught() -> None:
    right = read_line

    def hopeful(line: bytes) -> tuple[int, OutcomeFact] | None:
        return right(line) or (len(line), accepted(1))

    for holds in (
        test_noise_is_no_verdict,
        test_a_line_is_read_back_as_it_was_and_a_torn_one_is_none,
    ):
        assert_catches(holds, __name__, "read_line", hopeful)


def accepted(recipient: int) -> OutcomeFact:
    return OutcomeFact(
        recipient=recipient, verdict=Verdict.ACCEPTED, at=timezone.now(), code=250, reply="x" * 400
    )


def test_a_sheet_goes_when_it_is_full_and_everything_in_it_is_recorded(tmp_path: Path) -> None:
    journal, key = Journal(tmp_path, uuid4()), 1
    people = range(1, FULL_OCTETS // 400 + 2)
    for recipient in people:
        journal.write(key, accepted(recipient))
    assert sum(len(sheets) for sheets in sheets_in(tmp_path).values()) == 2

    journal.recorded(people[:-5])
    journal.recorded(people[-5:])

    left = [sheet.stat().st_size for sheets in sheets_in(tmp_path).values() for sheet in sheets]
    assert len(left) == 1
    assert left[0] < FULL_OCTETS / 2
    journal.close()
    assert not sheets_in(tmp_path)


def test_a_folder_that_cannot_be_written_costs_the_journal_and_nothing_else(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("in the way")
    journal = Journal(tmp_path / "file", uuid4())

    journal.write(1, accepted(1))

    assert not journal.works
    journal.close()


def lost_worker_with(release: Release, folder: Path) -> tuple[int, tuple[int, ...]]:
    """A worker that offered to three people, noted two answers, and is gone."""
    mailing_id = release(4)
    now = timezone.now()
    worker = Worker.objects.create(host="here", pid=1, started_at=now, seen_at=now)
    batch = services.lease_batch(mailing_id, relay=None, worker=worker.pk, limit=4, lasts=LASTS)
    assert batch is not None
    services.mark_offered(batch.recipients[:3], worker=worker.pk, lasts=LASTS)
    journal = Journal(folder, worker.key)
    for recipient in batch.recipients[:2]:
        journal.write(batch.lease, accepted(recipient))
    journal.close()
    return mailing_id, batch.recipients


def test_after_a_kill_only_who_was_not_answered_is_in_doubt(
    release: Release, tmp_path: Path
) -> None:
    mailing_id, _ = lost_worker_with(release, tmp_path)

    found = services.recover_leases(folder=tmp_path)

    assert (found.replayed, found.in_doubt, found.given_back) == (2, 1, 1)
    assert states(mailing_id) == {"accepted": 2, "in_doubt": 1, "pending": 1}
    assert not sheets_in(tmp_path)


def test_without_its_journal_the_answered_are_in_doubt_too(
    release: Release, tmp_path: Path
) -> None:
    """The loss of a host: every offered row of its leases is in doubt."""
    mailing_id, _ = lost_worker_with(release, tmp_path / "lost with the machine")

    services.recover_leases(folder=tmp_path)

    assert states(mailing_id) == {"in_doubt": 3, "pending": 1}


def test_a_journal_found_after_another_host_recovered_ends_the_doubt(
    release: Release, tmp_path: Path
) -> None:
    mailing_id, _ = lost_worker_with(release, tmp_path / "host a")
    services.recover_leases(folder=tmp_path / "host b")

    found = services.recover_leases(folder=tmp_path / "host a")

    assert found.replayed == 2
    assert states(mailing_id) == {"accepted": 2, "in_doubt": 1, "pending": 1}


def test_a_journal_with_a_torn_end_tells_what_is_whole(release: Release, tmp_path: Path) -> None:
    mailing_id, _ = lost_worker_with(release, tmp_path)
    sheet = next(iter(sheets_in(tmp_path).values()))[0]
    os.truncate(sheet, sheet.stat().st_size - 7)

    services.recover_leases(folder=tmp_path)

    assert states(mailing_id) == {"accepted": 1, "in_doubt": 2, "pending": 1}


def test_a_journal_of_another_database_is_left_alone(release: Release, tmp_path: Path) -> None:
    mailing_id = release(1)
    journal = Journal(tmp_path, uuid4())
    journal.write(1, accepted(1))
    journal.close()

    services.recover_leases(folder=tmp_path)

    assert states(mailing_id) == {"pending": 1}
    assert sheets_in(tmp_path)
