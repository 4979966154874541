"""The hash chain: whatever is done to entries is found at the first wrong one, or said to be unknowable."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from circular.evidence.actors import CLOCK, Actor, ActorKind
from circular.evidence.chain import (
    EMPTY,
    HOUSE,
    ChainCheck,
    ChainKey,
    ChainKind,
    EntryDraft,
    Fault,
    Finding,
    Head,
    StoredEntry,
    anchor_of,
    canonical,
    case_chain,
    chain_named,
    check_chain,
    digest_of,
    link,
    mailing_chain,
)
from variants import assert_catches

NAME = "case:12"
NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
Check = Callable[..., ChainCheck]

CODES = st.text("ab9_.:-", min_size=1, max_size=6)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**63) + 1, 2**63 - 1), CODES)
FACTS = st.dictionaries(
    st.sampled_from(["count", "digest", "by", "codes"]),
    st.one_of(SCALARS, st.lists(SCALARS, max_size=2)),
    max_size=2,
)
ACTORS = st.one_of(
    st.sampled_from([CLOCK]),
    st.builds(Actor.of, st.integers(1, 10**6), st.one_of(st.none(), CODES)),
)
TIMES = st.integers(0, 10**12).map(lambda micros: NOON + timedelta(microseconds=micros))
DRAFTS = st.builds(
    lambda act, by, at, facts: EntryDraft(chain=case_chain(12), act=act, by=by, at=at, facts=facts),
    CODES,
    ACTORS,
    TIMES,
    FACTS,
)


def linked(drafts: Iterable[EntryDraft]) -> list[StoredEntry]:
    """Write a chain as the service does."""
    head, entries = EMPTY, list[StoredEntry]()
    for draft in drafts:
        entries.append(link(draft, head))
        head = Head(entries[-1].sequence, entries[-1].digest)
    return entries


CHAINS = st.lists(DRAFTS, min_size=2, max_size=5).map(linked)


@st.composite
def tampered(draw: st.DrawFn) -> tuple[list[StoredEntry], int]:
    """Give a chain with one thing done to it, and the sequence number where it first shows.

    The tail stays in place: what only an anchor shows has tests of its own.
    """
    entries = draw(CHAINS)
    place = draw(st.integers(0, len(entries) - 2))
    victim = entries[place]
    match draw(st.sampled_from(["change", "drop", "swap", "insert", "rehash one"])):
        case "change":
            entries[place] = changed(draw, victim)
        case "drop":
            del entries[place]
        case "swap":
            entries[place], entries[place + 1] = entries[place + 1], victim
        case "insert":
            # Linked well, it is the entry after it that no longer follows.
            linked_well = draw(st.booleans())
            before = victim.previous if linked_well else "ab"
            entries.insert(place, link(draw(DRAFTS), Head(place, before)))
            assume(entries[place] != victim)
            return entries, place + (2 if linked_well else 1)
        case _:
            # A changed entry with a fresh digest of its own, the rest left: shows one later.
            fresh = changed(draw, victim)
            entries[place] = replace(fresh, digest=digest_of(fresh))
            assume(entries[place] != victim)
            in_place = fresh.previous == victim.previous and fresh.sequence == victim.sequence
            return entries, place + (2 if in_place and fresh.chain == NAME else 1)
    return entries, place + 1


def changed(draw: st.DrawFn, entry: StoredEntry) -> StoredEntry:
    """Change one field of an entry."""
    other: dict[str, object]
    match draw(st.sampled_from(["act", "at", "person", "post", "kind", "facts", "digest", "prev"])):
        case "act":
            other = {"act": entry.act + "x"}
        case "at":
            other = {"at": entry.at.replace("2026", "2025").replace("2027", "2025")}
            other = other if other["at"] != entry.at else {"at": "1999"}
        case "person":
            other = {"person": (entry.person or 0) + 1}
        case "post":
            other = {"post": (entry.post or "") + "x"}
        case "kind":
            other = {"actor_kind": ActorKind.RELAY.value}
        case "facts":
            other = {"facts": {**entry.facts, "added": 1}}
            assume("added" not in entry.facts)
        case "digest":
            other = {"digest": entry.digest[:-1] + ("0" if entry.digest[-1] != "0" else "1")}
        case _:
            other = {"previous": entry.previous[:-1] + ("2" if entry.previous[-1] != "2" else "3")}
    return replace(entry, **other)  # type: ignore[arg-type]  # one field of the right type


def finds_tampering(check: Check, entries: Sequence[StoredEntry], first: int) -> bool:
    """The property: the check names exactly the first wrong place."""
    finding = check(NAME, entries).finding
    return finding is not None and finding.sequence == first


@given(CHAINS)
def test_a_chain_nobody_touched_is_sound(entries: list[StoredEntry]) -> None:
    found = check_chain(NAME, entries)

    assert found.finding is None
    assert found.head == Head(len(entries), entries[-1].digest)


def test_a_check_that_distrusts_a_clock_going_back_is_caught() -> None:
    right = check_chain

    def distrustful(name: str, entries: Sequence[StoredEntry]) -> ChainCheck:
        times = [entry.at for entry in entries]
        if times == sorted(times):
            return right(name, entries)
        return ChainCheck(name, EMPTY, Finding(name, 1, Fault.REORDERED), 0)

    assert_catches(test_a_chain_nobody_touched_is_sound, __name__, "check_chain", distrustful)


@given(tampered())
def test_any_changed_dropped_inserted_or_moved_entry_is_named(
    case: tuple[list[StoredEntry], int],
) -> None:
    assert finds_tampering(check_chain, *case)


def check_that_trusts_stored_digests(name: str, entries: Sequence[StoredEntry]) -> ChainCheck:
    """Broken on purpose: follows `previous` and never recomputes."""
    head = EMPTY
    for entry in entries:
        if entry.previous != head.digest or entry.sequence != head.sequence + 1:
            place = head.sequence + 1
            return ChainCheck(name, head, Finding(name, place, Fault.CHANGED), 0)
        head = Head(entry.sequence, entry.digest)
    return ChainCheck(name, head, None, 0)


def check_that_ignores_links(name: str, entries: Sequence[StoredEntry]) -> ChainCheck:
    """Broken on purpose: recomputes each entry and never looks at its neighbour."""
    head = EMPTY
    for entry in entries:
        if digest_of(entry) != entry.digest:
            return ChainCheck(name, head, Finding(name, entry.sequence, Fault.CHANGED), 0)
        head = Head(entry.sequence, entry.digest)
    return ChainCheck(name, head, None, 0)


def check_that_forgets_the_person(name: str, entries: Sequence[StoredEntry]) -> ChainCheck:
    """Broken on purpose: the person is no part of what is compared."""
    honest = {entry.sequence: entry for entry in linked_again(entries)}
    return check_chain(
        name, [replace(entry, person=honest[entry.sequence].person) for entry in entries]
    )


def linked_again(entries: Sequence[StoredEntry]) -> list[StoredEntry]:
    """Give, per sequence, the person for whom the stored digest is right, if a small one is."""
    answer = []
    for entry in entries:
        guesses = [replace(entry, person=person) for person in (None, *range(4))]
        answer.append(next((g for g in guesses if digest_of(g) == g.digest), entry))
    return answer


ALICE_FILES_AND_DEAN_APPROVES = linked(
    EntryDraft(chain=case_chain(12), act=act, by=Actor.of(person), at=NOON, facts={"n": 1})
    for act, person in (("filed", 1), ("approved", 2), ("forwarded", 2), ("accepted", 3))
)


@pytest.mark.parametrize(
    ("broken", "entries", "first"),
    [
        (
            check_that_trusts_stored_digests,
            [
                replace(ALICE_FILES_AND_DEAN_APPROVES[0], act="cancelled"),
                *ALICE_FILES_AND_DEAN_APPROVES[1:],
            ],
            1,
        ),
        (
            check_that_ignores_links,
            [ALICE_FILES_AND_DEAN_APPROVES[0], *ALICE_FILES_AND_DEAN_APPROVES[2:]],
            2,
        ),
        (
            check_that_forgets_the_person,
            [
                ALICE_FILES_AND_DEAN_APPROVES[0],
                replace(ALICE_FILES_AND_DEAN_APPROVES[1], person=3),
                *ALICE_FILES_AND_DEAN_APPROVES[2:],
            ],
            2,
        ),
    ],
    ids=["trusts stored digests", "ignores links", "forgets the person"],
)
def test_the_property_catches_a_check_that_is_broken(
    broken: Check, entries: list[StoredEntry], first: int
) -> None:
    assert finds_tampering(check_chain, entries, first)
    assert not finds_tampering(broken, entries, first)


@given(CHAINS, st.data())
def test_a_cut_tail_shows_only_against_an_anchor(
    entries: list[StoredEntry], data: st.DataObject
) -> None:
    anchor = Head(len(entries), entries[-1].digest)
    kept = entries[: data.draw(st.integers(0, len(entries) - 1))]

    alone, anchored = check_chain(NAME, kept), check_chain(NAME, kept, anchors=[anchor])

    assert alone.finding is None
    assert not alone.tail_detectable or not kept
    assert anchored.finding == Finding(NAME, len(kept) + 1, Fault.CUT)


@given(st.lists(DRAFTS, min_size=2, max_size=6), st.data())
def test_a_chain_rebuilt_with_fresh_digests_shows_only_against_an_anchor(
    drafts: list[EntryDraft], data: st.DataObject
) -> None:
    honest = linked(drafts)
    place = data.draw(st.integers(0, len(drafts) - 1))
    drafts[place] = replace(drafts[place], act=drafts[place].act + "x")
    rebuilt = linked(drafts)
    anchor = Head(len(honest), honest[-1].digest)

    assert check_chain(NAME, rebuilt).finding is None
    assert check_chain(NAME, rebuilt, anchors=[anchor]).finding == Finding(
        NAME, len(honest), Fault.REBUILT
    )


def test_a_check_that_looks_at_no_anchor_is_caught() -> None:
    right = check_chain

    def anchorless(
        name: str, entries: Sequence[StoredEntry], anchors: Sequence[Head] = ()
    ) -> ChainCheck:
        return right(name, entries)

    for holds in (
        test_a_cut_tail_shows_only_against_an_anchor,
        test_a_chain_rebuilt_with_fresh_digests_shows_only_against_an_anchor,
    ):
        assert_catches(holds, __name__, "check_chain", anchorless)


def test_an_anchored_head_says_that_the_tail_is_proved() -> None:
    entries = ALICE_FILES_AND_DEAN_APPROVES

    found = check_chain(NAME, entries, anchors=[Head(3, entries[2].digest)])

    assert found.finding is None
    assert found.anchored_to == 3
    assert not found.tail_detectable


def test_two_entries_whose_numbers_were_swapped_are_called_reordered() -> None:
    one, two, three, four = ALICE_FILES_AND_DEAN_APPROVES
    swapped = [one, replace(three, sequence=2), replace(two, sequence=3), four]

    assert check_chain(NAME, swapped).finding == Finding(NAME, 2, Fault.REORDERED)


def test_an_entry_of_another_case_is_called_foreign() -> None:
    one, two, *_ = ALICE_FILES_AND_DEAN_APPROVES

    assert check_chain("case:13", [one, two]).finding == Finding("case:13", 1, Fault.FOREIGN)


def test_the_canonical_bytes_are_sorted_json_that_any_language_can_write() -> None:
    entry = link(
        EntryDraft(
            chain=mailing_chain(7),
            act="batch_settled",
            by=Actor.of(5, "tic.operator"),
            at=NOON,
            facts={"count": 20, "codes": ["250", None, True]},
        ),
        EMPTY,
    )

    assert canonical(entry) == (
        b'{"act":"batch_settled","actor":{"kind":"person","person":5,"post":"tic.operator"},'
        b'"at":"2026-11-23T17:00:00.000000Z","chain":"mailing:7",'
        b'"facts":{"codes":["250",null,true],"count":20},'
        b'"previous":"' + b"0" * 64 + b'","sequence":1}'
    )


@pytest.mark.parametrize(
    "value",
    [
        "anna@example.edu.co",
        "Anna Gómez",
        "two words",
        "x" * 81,
        "línea",
        "a\nb",
        1.5,
        2**63,
        {"nested": 1},
        [["nested"]],
        ["ok", "not ok"],
        b"octets",
    ],
    ids=repr,
)
def test_what_could_be_an_address_a_name_or_a_text_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="filed"):
        EntryDraft(
            chain=case_chain(1),
            act="filed",
            by=CLOCK,
            at=NOON,
            facts={"value": value},  # type: ignore[dict-item]  # the point of the test
        )


def test_a_refused_fact_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValueError, match="no code") as caught:
        EntryDraft(
            chain=case_chain(1), act="filed", by=CLOCK, at=NOON, facts={"to": "anna@example.org"}
        )

    assert "anna" not in str(caught.value)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        EntryDraft(chain=HOUSE, act="heads", by=CLOCK, at=NOON.replace(tzinfo=None), facts={})


@pytest.mark.parametrize("key", [HOUSE, case_chain(3), mailing_chain(2**40)], ids=str)
def test_a_chain_name_reads_back(key: ChainKey) -> None:
    assert chain_named(str(key)) == key


def test_heads_are_locked_case_before_mailing_before_house() -> None:
    keys = [HOUSE, mailing_chain(1), case_chain(9), case_chain(2)]

    assert sorted(keys, key=lambda key: key.lock_position) == [
        case_chain(2),
        case_chain(9),
        mailing_chain(1),
        HOUSE,
    ]


def test_a_house_has_no_subject_and_everything_else_has_one() -> None:
    with pytest.raises(ValueError, match="house"):
        ChainKey(ChainKind.HOUSE, 1)
    with pytest.raises(ValueError, match="case"):
        ChainKey(ChainKind.CASE)


def test_a_machine_is_no_person_and_a_person_has_an_id() -> None:
    with pytest.raises(ValueError, match="person"):
        Actor(ActorKind.PERSON)
    with pytest.raises(ValueError, match="clock"):
        Actor(ActorKind.CLOCK, 7)


def test_an_anchor_is_read_as_people_copy_it() -> None:
    assert anchor_of(" AB" * 32 + "\n") == "ab" * 32
    assert [anchor_of(written) for written in ("", "ab" * 31, "ab" * 33, "é" * 64)] == [None] * 4
