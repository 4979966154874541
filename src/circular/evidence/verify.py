"""Checks the whole archive by recomputing it, and says what it cannot know.

Rule 1: the house is checked first; what its entries note about other chains (opened, heads,
        closings) are the anchors of those chains.
Rule 2: the house itself is anchored only by a head that stands outside: in a confirmation letter or
        a witness mailbox. Without one, a cut tail or a rebuilt house is not detectable, and the
        report says so.
Rule 3: no stored digest is believed; every entry and every blob is recomputed.

When it fails: a finding names the first wrong entry of each chain; checking goes on with the next.
Known gaps: entries appended since the last heads were noted (an hour at most) hang on nothing else.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from django.db import connection, transaction

from circular.evidence import queries
from circular.evidence.chain import (
    EMPTY,
    HOUSE,
    ChainCheck,
    Facts,
    Fault,
    Finding,
    Head,
    StoredEntry,
    check_chain,
)

DIGEST = re.compile(r"[0-9a-f]{64}")
# A fact with one of these names holds digests of blobs; all other digests name something else.
NAMES_A_BLOB = re.compile(r"(.*_)?(blobs?|raw)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check of the whole archive found."""

    chains: int
    entries: int
    blobs: int
    findings: tuple[Finding, ...]
    house: Head
    anchored_to: int  # house entries up to this one are proved from outside

    @property
    def sound(self) -> bool:
        """Whether nothing was found; a tail beyond the anchor may still have been cut."""
        return not self.findings

    @property
    def tail_detectable(self) -> bool:
        """Whether the last house entry is proved from outside."""
        return 0 < self.anchored_to == self.house.sequence


@dataclass(slots=True)
class _Noted:
    """What the house says about the other chains, gathered while it is checked."""

    heads: dict[str, Head] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    pruned: set[str] = field(default_factory=set)
    blobs: dict[str, tuple[str, int]] = field(default_factory=dict)  # digest → where it is named
    places: dict[str, int] = field(default_factory=dict)  # awaited anchor → house sequence
    entries: int = 0

    def gather(
        self, entries: Iterable[StoredEntry], awaited: frozenset[str]
    ) -> Iterator[StoredEntry]:
        """Pass house entries on, and keep what they note."""
        for entry in entries:
            yield entry
            # Reached only when check_chain asks for the next one: this entry stood the check.
            self._note(entry)
            if entry.digest in awaited:
                self.places[entry.digest] = entry.sequence

    def count(self, entries: Iterable[StoredEntry]) -> Iterator[StoredEntry]:
        """Pass entries on, and keep which blobs they name."""
        for entry in entries:
            self.entries += 1
            for name, value in entry.facts.items():
                if NAMES_A_BLOB.fullmatch(name):
                    for digest in _texts(value):
                        self.blobs.setdefault(digest, (entry.chain, entry.sequence))
            yield entry

    def _note(self, entry: StoredEntry) -> None:
        facts = entry.facts
        match entry.act:
            case "chain_opened":
                self.opened.update(_texts(facts.get("chain")))
            case "chain_closed":
                self._heads([facts.get("chain")], [facts.get("sequence")], [facts.get("head")])
            case "heads":
                self._heads(
                    _list(facts, "chains"), _list(facts, "sequences"), _list(facts, "digests")
                )
            case "pruned":
                self.pruned.update(_texts(facts.get("digests")))
            case _:
                pass

    def _heads(
        self, chains: Sequence[object], sequences: Sequence[object], digests: Sequence[object]
    ) -> None:
        for chain, sequence, digest in zip(chains, sequences, digests, strict=False):
            if isinstance(chain, str) and isinstance(sequence, int) and isinstance(digest, str):
                self.heads[chain] = Head(sequence, digest)


def _list(facts: Facts, name: str) -> Sequence[object]:
    value = facts.get(name)
    return value if isinstance(value, (list, tuple)) else ()


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


@transaction.atomic
def verify(*, anchors: Iterable[str] = ()) -> Report:
    """Check every chain and blob, against the house and against heads that stand outside.

    Shapes:  anchors are digests of house entries, as confirmation letters show them
    Locks:   none; one snapshot of the database
    """
    _one_snapshot()
    awaited = frozenset(anchor.strip().lower() for anchor in anchors)
    noted = _Noted()
    rows = {row.id: row for row in queries.chains()}
    house = check_chain(
        str(HOUSE), noted.gather(noted.count(queries.stored_entries(HOUSE)), awaited)
    )
    findings = [] if house.finding is None else [house.finding]
    findings += [
        Finding(str(HOUSE), None, Fault.ANCHOR_UNKNOWN, anchor)
        for anchor in sorted(awaited - noted.places.keys())
    ]
    findings += _head_findings(house, _noted_head(rows.values()))
    seen = {str(HOUSE)}
    for chain_id, group in itertools.groupby(queries.all_stored_entries(), key=itemgetter(0)):
        row = rows.pop(chain_id)
        name = str(row.key)
        seen.add(name)
        findings += _chain_findings(row, (entry for _, entry in group), noted)
    for row in rows.values():
        if row.key != HOUSE:
            seen.add(str(row.key))
            findings += _chain_findings(row, (), noted)
    findings += [
        Finding(name, None, Fault.CHAIN_MISSING)
        for name in sorted((noted.opened | noted.heads.keys()) - seen)
    ]
    findings += _blob_findings(noted)
    return Report(
        chains=len(seen),
        entries=noted.entries,
        blobs=queries.blob_count(),
        findings=tuple(findings),
        house=house.head,
        anchored_to=max(noted.places.values(), default=0),
    )


def _one_snapshot() -> None:
    # Possible only as the first statement; a test that runs inside a transaction goes without.
    if not connection.needs_rollback and len(connection.savepoint_ids) == 0:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _noted_head(rows: Iterable[queries.ChainRow]) -> Head:
    return next((row.head for row in rows if row.key == HOUSE), EMPTY)


def _chain_findings(
    row: queries.ChainRow, entries: Iterable[StoredEntry], noted: _Noted
) -> list[Finding]:
    name = str(row.key)
    anchor = noted.heads.get(name)
    checked = check_chain(name, noted.count(entries), anchors=[anchor] if anchor else [])
    if checked.finding is not None:
        return [checked.finding]
    found = _head_findings(checked, row.head)
    if name not in noted.opened and checked.head.sequence > 0:
        found.append(Finding(name, None, Fault.CHAIN_UNKNOWN))
    return found


def _head_findings(checked: ChainCheck, noted: Head) -> list[Finding]:
    if checked.finding is not None or checked.head == noted:
        return []
    return [Finding(checked.chain, checked.head.sequence + 1, Fault.HEAD_WRONG, noted.digest)]


def _blob_findings(noted: _Noted) -> list[Finding]:
    found = [Finding("blobs", None, Fault.BLOB_CHANGED, digest) for digest in queries.false_blobs()]
    named = [digest for digest in noted.blobs if DIGEST.fullmatch(digest)]
    for start in range(0, len(named), queries.ENTRIES_AT_A_TIME):
        part = named[start : start + queries.ENTRIES_AT_A_TIME]
        there = queries.blobs_among(part)
        found += [
            Finding(*noted.blobs[digest], Fault.BLOB_MISSING, digest)
            for digest in part
            if digest not in there and digest not in noted.pruned
        ]
    return found
