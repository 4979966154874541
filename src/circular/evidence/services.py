"""The only writers of the archive: entries are appended, blobs stored, heads noted.

Rule 1: `append` is the last statement of the act's transaction, so that a chain's head is locked as
        briefly as possible; chains are locked case before mailing before house, by id.
Rule 2: a chain opens with its first entry, and the house notes the opening.
Rule 3: heads of chains that moved are noted on the house hourly (`note_heads`).
When it fails: nothing is written; the act's transaction fails with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from circular.evidence import queries
from circular.evidence.actors import SYSTEM, Actor
from circular.evidence.chain import (
    HOUSE,
    MOST_ITEMS,
    ChainKey,
    EntryDraft,
    Head,
    StoredEntry,
    case_chain,
    link,
    mailing_chain,
)
from circular.evidence.models import Blob, Chain, Entry
from circular.jobs import FailedJob

__all__ = [
    "HOUSE",
    "EntryDraft",
    "EntryRef",
    "append",
    "case_chain",
    "hold",
    "mailing_chain",
    "note_closing",
    "note_heads",
    "prune_blobs",
    "record_failed_job",
    "seal",
    "store_blob",
    "store_blobs",
    "watch_clock",
]

HEADS_PER_ENTRY = MOST_ITEMS // 2
STEADY = timedelta(seconds=5)  # two machines kept by NTP differ by far less
RECORDED_FOR = timedelta(minutes=10)  # so at most 144 entries a day for one thing that is broken


@dataclass(frozen=True, slots=True)
class EntryRef:
    """Where an appended entry stands."""

    chain: ChainKey
    sequence: int
    digest: str


@transaction.atomic
def store_blob(content: bytes, *, media_type: str) -> str:
    """Store bytes under their SHA-256 and give it back.

    Repeat:  the same bytes are one row; the first media type stays
    """
    digest = hashlib.sha256(content).hexdigest()
    with connection.cursor() as cursor:
        # One statement: two writers of the same bytes must not meet in a unique violation.
        cursor.execute(
            "INSERT INTO evidence_blob (digest, content, octets, media_type, created_at)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (digest) DO NOTHING",
            [digest, content, len(content), media_type, timezone.now()],
        )
    return digest


@transaction.atomic
def store_blobs(contents: Sequence[bytes], *, media_type: str) -> list[str]:
    """Store many contents in one statement and give their digests, in order.

    Repeat:  the same bytes are one row; the first media type stays
    """
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    rows = dict(zip(digests, contents, strict=True))  # the same bytes may come twice
    ordered = sorted(rows)  # two writers of the same bytes never wait for each other in a circle
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO evidence_blob (digest, content, octets, media_type, created_at)"
            " SELECT digest, content, octet_length(content), %s, %s"
            " FROM unnest(%s::text[], %s::bytea[]) AS given (digest, content)"
            " ON CONFLICT (digest) DO NOTHING",
            [media_type, timezone.now(), ordered, [rows[digest] for digest in ordered]],
        )
    return digests


@transaction.atomic
def append(*drafts: EntryDraft) -> list[EntryRef]:
    """Append entries to their chains, opening a chain on first use.

    Shapes:  the answer is in the order of the drafts
    Locks:   the heads concerned: case, mailing, house, by id (no key)
    Repeat:  appends again; the caller's own lock decides whether the act happens twice
    """
    chains = {draft.chain: _locked(draft.chain) for draft in sorted(drafts, key=_lock_position)}
    opened = [key for key, chain in chains.items() if chain.sequence == 0 and key != HOUSE]
    refs = [_append_one(chains[draft.chain], draft) for draft in drafts]
    if opened:
        house = chains[HOUSE] if HOUSE in chains else _locked(HOUSE)
        for key in opened:
            cause = next(draft for draft in drafts if draft.chain == key)
            _append_one(
                house,
                EntryDraft(
                    chain=HOUSE,
                    act="chain_opened",
                    by=cause.by,
                    at=cause.at,
                    facts={"chain": str(key)},
                ),
            )
    return refs


def hold(*keys: ChainKey) -> None:
    """Lock the heads of chains early, for a transaction that appends to them more than once.

    An act that posts letters appends to the house (a chain opens) before its own entry; a head
    that is held first keeps the one order of locks, so that `note_heads` and acts never deadlock.

    Locks:   the heads, in the one order (no key), until the transaction ends
    """
    for key in sorted(keys, key=lambda key: key.lock_position):
        _locked(key)


def _lock_position(draft: EntryDraft) -> tuple[int, int]:
    return draft.chain.lock_position


def _locked(key: ChainKey) -> Chain:
    """Give a chain's row under lock, made when it is new."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO evidence_chain (kind, subject, sequence, head)"
            " VALUES (%s, %s, 0, repeat('0', 64)) ON CONFLICT (kind, subject) DO NOTHING",
            [key.kind.value, key.subject],
        )
    rows = Chain.objects.select_for_update(no_key=True).filter(kind=key.kind.value)
    if key.subject is None:
        return rows.get(subject__isnull=True)
    return rows.get(subject=key.subject)


def _append_one(chain: Chain, draft: EntryDraft) -> EntryRef:
    entry = link(draft, Head(chain.sequence, chain.head))
    _insert(chain, draft.at, entry)
    chain.sequence, chain.head = entry.sequence, entry.digest
    chain.save(update_fields=["sequence", "head"])
    return EntryRef(draft.chain, entry.sequence, entry.digest)


def _insert(chain: Chain, at: datetime, entry: StoredEntry) -> None:
    Entry.objects.create(
        chain=chain,
        sequence=entry.sequence,
        at=at,
        act=entry.act,
        actor_kind=entry.actor_kind,
        person=entry.person,
        post=entry.post,
        facts=dict(entry.facts),
        previous=entry.previous,
        digest=entry.digest,
    )


@transaction.atomic
def note_closing(key: ChainKey, *, by: Actor, at: datetime) -> EntryRef:
    """Note on the house that a chain's business is done, and where the chain stands.

    Locks:   the house's head (no key)
    Repeat:  notes again: a case may be reopened and closed again
    """
    head = queries.head_of(key)
    refs = append(
        EntryDraft(
            chain=HOUSE,
            act="chain_closed",
            by=by,
            at=at,
            facts={"chain": str(key), "sequence": head.sequence, "head": head.digest},
        )
    )
    return refs[0]


@transaction.atomic
def note_heads(*only: ChainKey, by: Actor) -> int:
    """Note on the house the heads of chains that moved since they were last noted.

    With `only`, just those: a letter that shows the house's head covers its own case then. Chains
    are read, not locked: they only grow, so a head that was true a moment ago stays true of its
    entry. Whoever holds a chain may be waiting for the house; waiting for him would be a deadlock.

    Shapes:  gives the number of chains noted; one entry holds at most HEADS_PER_ENTRY of them
    Locks:   the house's head (no key), and only when something moved
    Repeat:  with nothing moved, nothing is written
    """
    now = timezone.now()
    moved = queries.moved_chains(only)
    for start in range(0, len(moved), HEADS_PER_ENTRY):
        batch = moved[start : start + HEADS_PER_ENTRY]
        append(
            EntryDraft(
                chain=HOUSE,
                act="heads",
                by=by,
                at=now,
                facts={
                    "chains": [str(row.key) for row in batch],
                    "sequences": [row.head.sequence for row in batch],
                    "digests": [row.head.digest for row in batch],
                },
            )
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO evidence_notedhead (chain_id, sequence)"
                " SELECT * FROM unnest(%s::bigint[], %s::bigint[]) ON CONFLICT (chain_id) DO UPDATE"
                " SET sequence = greatest(evidence_notedhead.sequence, excluded.sequence)",
                [[row.id for row in batch], [row.head.sequence for row in batch]],
            )
    return len(moved)


@transaction.atomic
def seal(*keys: ChainKey, by: Actor) -> Head:
    """Give the house's head for a letter, after noting these chains: so it proves them up to here.

    Locks:   the house's head (no key), until the caller's transaction ends: nobody slips between
    Repeat:  the same head while nothing moved
    """
    note_heads(*keys, by=by)
    house = _locked(HOUSE)
    return Head(house.sequence, house.head)


@transaction.atomic
def prune_blobs(digests: Sequence[str], *, reason: str, by: Actor) -> int:
    """Delete blobs for retention, and leave an entry that names each by its digest.

    Shapes:  at most MOST_ITEMS digests a call; gives how many were deleted; `reason` is a code
    Repeat:  blobs already gone are not named again
    """
    doomed = list(
        Blob.objects.filter(pk__in=digests).order_by("digest").values_list("digest", flat=True)
    )
    if not doomed:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL circular.pruning = 'on'")
        cursor.execute("DELETE FROM evidence_blob WHERE digest = ANY(%s)", [doomed])
        cursor.execute("SET LOCAL circular.pruning = 'off'")
    append(
        EntryDraft(
            chain=HOUSE,
            act="pruned",
            by=by,
            at=timezone.now(),
            facts={"reason": reason, "count": len(doomed), "digests": doomed},
        )
    )
    return len(doomed)


@transaction.atomic
def record_failed_job(failed: FailedJob) -> None:
    """Note on the house that a job failed: its name and the code of the failure.

    Repeat:  the same failure within RECORDED_FOR is no news: a round that fails every few seconds
             would else bury the house
    """
    now = timezone.now()
    facts = {"job": failed.name, "error": failed.error}
    if queries.lately_on_house("job_failed", facts, since=now - RECORDED_FOR):
        return
    append(EntryDraft(chain=HOUSE, act="job_failed", by=SYSTEM, at=now, facts=facts))


@transaction.atomic
def watch_clock(*, by: Actor) -> timedelta | None:
    """Note on the house when the clock stands before the house's last entry, and by how much.

    Nothing depends on the order of times (chains order entries), but whoever reads them must know.

    Locks:   the house's head (no key), only when something is noted
    Repeat:  None: the new entry bears the new time
    """
    now = timezone.now()
    last = queries.last_time_of_house()
    if last is None or last - now <= STEADY:
        return None
    back = last - now
    append(
        EntryDraft(
            chain=HOUSE,
            act="clock_went_back",
            by=by,
            at=now,
            facts={"seconds": int(back.total_seconds())},
        )
    )
    return back
