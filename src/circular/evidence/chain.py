"""Canonical bytes, digests and verification of hash chains. Pure: no clock, no database.

Rule 1: an entry's digest is SHA-256 over its canonical bytes: UTF-8 JSON with sorted keys, no
        blanks, non-ASCII escaped, of act, actor, at, chain, facts, previous and sequence. Ten lines
        of plain Python can recompute it, and the exported script does.
Rule 2: `previous` is the digest of the entry before; the first one has 64 zeros; sequences count
        from 1 without a gap.
Rule 3: verification recomputes everything from the entries and trusts no stored digest.
Rule 4: a chain alone shows neither a cut tail nor a chain rebuilt with fresh digests. Only a head
        noted elsewhere does (an Anchor); without one the verdict says "not detectable".
Rule 5: facts are ids, codes, counts, times and digests; anything that could be an address, a name
        or a text is refused here, so that nobody has to remember it.

Sources: RFC 6962 §1 (why heads must be published), design.md §2.5.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from typing_extensions import override

from circular.evidence.actors import Actor, ActorKind

Scalar = str | int | bool | None
Fact = Scalar | Sequence[Scalar]
Facts = Mapping[str, Fact]

GENESIS = "0" * 64  # the `previous` of a first entry

# Printable ASCII without blank and @. 64 is a SHA-256 in hex; 80 leaves room for a prefix.
CODE = re.compile(r"[\x21-\x3f\x41-\x7e]{0,80}")
NAME_OF_FACT = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST_ITEMS = 1000  # of one list: an entry stays readable, a page of it stays printable
BIGGEST_NUMBER = 2**63 - 1  # a PostgreSQL bigint, far above any count or id


class ChainKind(StrEnum):
    """What a chain is about. The order of the members is the order in which heads are locked."""

    CASE = "case"
    MAILING = "mailing"
    HOUSE = "house"


LOCK_ORDER = {kind: position for position, kind in enumerate(ChainKind)}


@dataclass(frozen=True, slots=True)
class ChainKey:
    """Names one chain: `case:12`, `mailing:345` or `house`."""

    kind: ChainKind
    subject: int | None = None

    def __post_init__(self) -> None:
        """Refuse a house with a subject and anything else without one."""
        if (self.kind is ChainKind.HOUSE) is not (self.subject is None):
            raise ValueError(f"a {self.kind} chain with subject {self.subject!r}")

    @override
    def __str__(self) -> str:
        """Give the name that stands in canonical bytes."""
        return self.kind.value if self.subject is None else f"{self.kind.value}:{self.subject}"

    @property
    def lock_position(self) -> tuple[int, int]:
        """Where this chain stands in the one order in which heads are locked."""
        return LOCK_ORDER[self.kind], self.subject or 0


HOUSE = ChainKey(ChainKind.HOUSE)


def case_chain(case_id: int) -> ChainKey:
    """Give the chain of one case (a workflow request id)."""
    return ChainKey(ChainKind.CASE, case_id)


def mailing_chain(mailing_id: int) -> ChainKey:
    """Give the chain of one mailing."""
    return ChainKey(ChainKind.MAILING, mailing_id)


def chain_named(name: str) -> ChainKey:
    """Read back what `str(key)` wrote.

    Raises:  ValueError for anything else
    """
    kind, colon, subject = name.partition(":")
    return ChainKey(ChainKind(kind), int(subject) if colon else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDraft:
    """An entry before it has a place in its chain."""

    chain: ChainKey
    act: str
    by: Actor
    at: datetime
    facts: Facts

    def __post_init__(self) -> None:
        """Refuse what must never stand in an entry (Rule 5)."""
        if not self.act or not CODE.fullmatch(self.act):
            raise ValueError(f"{self.act!r} is no code of an act")
        if self.at.tzinfo is None:
            raise ValueError(f"{self.act}: a time without zone")
        if self.by.post is not None and not CODE.fullmatch(self.by.post):
            raise ValueError(f"{self.act}: the post must be a code")
        for name, value in self.facts.items():
            if not NAME_OF_FACT.fullmatch(name):
                raise ValueError(f"{self.act}: {name!r} is no name of a fact")
            for item in _items(self.act, name, value):
                _refuse_text(self.act, name, item)


def _items(act: str, name: str, value: Fact) -> Sequence[Scalar]:
    if value is None or isinstance(value, (str, int)):
        return [value]
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{act}: {name} is a {type(value).__name__}")  # noqa: TRY004  one kind
    if len(value) > MOST_ITEMS:
        raise ValueError(f"{act}: {name} has {len(value)} items, more than {MOST_ITEMS}")
    return value


def _refuse_text(act: str, name: str, value: Scalar) -> None:
    match value:
        case None | bool():
            pass
        case int():
            if abs(value) > BIGGEST_NUMBER:
                raise ValueError(f"{act}: {name} is beyond a 64-bit number")
        case str():
            if not CODE.fullmatch(value):
                # The value itself is not repeated: it may be the address we refuse.
                raise ValueError(f"{act}: {name} is no code (blank, @, non-ASCII or too long)")
        case _:
            raise ValueError(f"{act}: {name} is a {type(value).__name__}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An entry as it stands in a table or a file; nothing in it is believed before it is checked."""

    chain: str
    sequence: int
    at: str  # as written by `instant`
    act: str
    actor_kind: str
    person: int | None
    post: str | None
    facts: Facts
    previous: str
    digest: str


def instant(at: datetime) -> str:
    """Write a time as canonical bytes need it: UTC, six decimals, Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(entry: StoredEntry) -> bytes:
    """Give the bytes that an entry's digest is taken over (Rule 1); `digest` is no part of them."""
    return json.dumps(
        {
            "act": entry.act,
            "actor": {"kind": entry.actor_kind, "person": entry.person, "post": entry.post},
            "at": entry.at,
            "chain": entry.chain,
            "facts": entry.facts,
            "previous": entry.previous,
            "sequence": entry.sequence,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
        default=dict,  # a Mapping that is no dict
    ).encode("ascii")


def digest_of(entry: StoredEntry) -> str:
    """Recompute an entry's digest from its content."""
    return hashlib.sha256(canonical(entry)).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many entries it has and the digest of the last."""

    sequence: int
    digest: str


EMPTY = Head(0, GENESIS)


def link(draft: EntryDraft, after: Head) -> StoredEntry:
    """Give the draft its place after a head."""
    unsealed = StoredEntry(
        chain=str(draft.chain),
        sequence=after.sequence + 1,
        at=instant(draft.at),
        act=draft.act,
        actor_kind=draft.by.kind.value,
        person=draft.by.person,
        post=draft.by.post,
        facts={
            name: list(value) if isinstance(value, (list, tuple)) else _plain(value)
            for name, value in draft.facts.items()
        },
        previous=after.digest,
        digest="",
    )
    return _sealed(unsealed)


def _plain(value: Fact) -> Fact:
    """Turn a StrEnum or IntEnum member into the plain value that comes back from the database."""
    match value:
        case str():
            return str(value)
        case bool() | None:
            return value
        case int():
            return int(value)
        case _:
            return value


def _sealed(entry: StoredEntry) -> StoredEntry:
    return StoredEntry(
        chain=entry.chain,
        sequence=entry.sequence,
        at=entry.at,
        act=entry.act,
        actor_kind=entry.actor_kind,
        person=entry.person,
        post=entry.post,
        facts=entry.facts,
        previous=entry.previous,
        digest=digest_of(entry),
    )


class Fault(StrEnum):
    """What can be wrong with a chain. Shown to people: every member has a translated sentence."""

    CHANGED = "changed"  # the content does not give the digest
    MISSING = "missing"  # a sequence number is skipped
    REORDERED = "reordered"  # the right entry stands at another place
    INSERTED = "inserted"  # an entry that does not follow the one before
    FOREIGN = "foreign"  # the entry belongs to another chain
    CUT = "cut"  # an anchor names an entry beyond the end
    REBUILT = "rebuilt"  # an anchor names another digest for this entry
    CHAIN_MISSING = "chain_missing"  # the house opened it, and it is gone
    CHAIN_UNKNOWN = "chain_unknown"  # it has entries, and the house never opened it
    HEAD_WRONG = "head_wrong"  # the noted head is not the last entry
    ANCHOR_UNKNOWN = "anchor_unknown"  # no house entry has the digest that stands outside
    BLOB_CHANGED = "blob_changed"  # content does not give its name
    BLOB_MISSING = "blob_missing"  # named by an entry, not stored, and not pruned


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing wrong with one chain (or one blob): which, where, what."""

    chain: str
    sequence: int | None
    fault: Fault
    digest: str = ""


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What checking one chain found; `finding` is None when every entry follows from the first."""

    chain: str
    head: Head
    finding: Finding | None
    anchored_to: int  # entries up to this sequence are proved by an anchor; the tail after is not

    @property
    def tail_detectable(self) -> bool:
        """Whether a cut right now would show: only when the last entry is anchored."""
        return self.anchored_to == self.head.sequence


def check_chain(
    name: str, entries: Iterable[StoredEntry], *, anchors: Iterable[Head] = ()
) -> ChainCheck:
    """Name the first changed, missing, inserted or reordered entry of a chain.

    Shapes:  entries in stored order; anchors in any order, of this chain
    Repeat:  pure
    """
    awaited = {anchor.sequence: anchor.digest for anchor in anchors if anchor.sequence > 0}
    head, anchored_to = EMPTY, 0
    rest = iter(entries)
    for entry in rest:
        fault = _fault_of(name, entry, head, rest)
        if fault is not None:
            place = head.sequence + 1
            return ChainCheck(name, head, Finding(name, place, fault), anchored_to)
        head = Head(entry.sequence, entry.digest)
        expected = awaited.pop(entry.sequence, None)
        if expected is not None:
            if expected != entry.digest:
                found = Finding(name, entry.sequence, Fault.REBUILT)
                return ChainCheck(name, head, found, anchored_to)
            anchored_to = entry.sequence
    if awaited:
        # An anchor beyond the end: what it names existed and is gone.
        return ChainCheck(name, head, Finding(name, head.sequence + 1, Fault.CUT), anchored_to)
    return ChainCheck(name, head, None, anchored_to)


def _fault_of(
    name: str, entry: StoredEntry, head: Head, rest: Iterator[StoredEntry]
) -> Fault | None:
    """Say what is wrong with the entry that stands after `head`; consumes `rest` only on a fault."""
    place = head.sequence + 1
    recomputed = digest_of(entry)
    belongs = entry.chain == name and entry.sequence == place and entry.previous == head.digest
    if belongs and recomputed == entry.digest:
        return None
    if entry.chain != name:
        return Fault.FOREIGN
    # The true entry for this place follows the head by digest; if it stands later, or here with
    # another number, somebody moved entries and changed none.
    if any(_is_true_entry(candidate, head) for candidate in (entry, *rest)):
        return Fault.REORDERED
    if entry.sequence > place:
        return Fault.MISSING
    if recomputed != entry.digest:
        return Fault.CHANGED
    return Fault.INSERTED


def _is_true_entry(candidate: StoredEntry, head: Head) -> bool:
    """Whether this entry, whatever number it bears now, was written right after `head`."""
    if candidate.previous != head.digest:
        return False
    original = StoredEntry(
        chain=candidate.chain,
        sequence=head.sequence + 1,
        at=candidate.at,
        act=candidate.act,
        actor_kind=candidate.actor_kind,
        person=candidate.person,
        post=candidate.post,
        facts=candidate.facts,
        previous=candidate.previous,
        digest="",
    )
    return digest_of(original) == candidate.digest


def actor_of(entry: StoredEntry) -> Actor:
    """Give back the actor of a checked entry."""
    return Actor(ActorKind(entry.actor_kind), entry.person, entry.post)


def anchor_of(written: str) -> str | None:
    """Return an anchor as a person copied it from a letter; None when it cannot be one.

    A typing mistake must not look like a house that was cut.
    """
    anchor = "".join(written.split()).lower()
    return anchor if re.fullmatch(r"[0-9a-f]{64}", anchor) else None
