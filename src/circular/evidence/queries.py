"""Reads of the archive: entries of a chain, heads, blobs.

Indexes:  evidence_entry_place (chain, sequence), evidence_chain_once (kind, subject).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import F, Q

from circular.evidence.actors import Actor, ActorKind
from circular.evidence.chain import (
    EMPTY,
    HOUSE,
    ChainKey,
    ChainKind,
    Facts,
    Head,
    StoredEntry,
    instant,
)
from circular.evidence.errors import BlobMissingError
from circular.evidence.models import Blob, Chain, Entry

COLUMNS = (
    "sequence",
    "at",
    "act",
    "actor_kind",
    "person",
    "post",
    "facts",
    "previous",
    "digest",
)
ENTRIES_AT_A_TIME = 2000  # rows per fetch of the server-side cursor: a few hundred kilobytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One entry, as pages and letters show it."""

    id: int
    chain: ChainKey
    sequence: int
    at: datetime
    act: str
    by: Actor
    facts: Facts
    previous: str
    digest: str


def entries_of(chain: ChainKey, *, act: str | None = None) -> list[EntryRow]:
    """Give a chain's entries, oldest first; only those of one act where asked.

    Shapes:  a case has tens of entries, a mailing one per batch; for the house use `stored_entries`
    """
    rows = Entry.objects.filter(chain__kind=chain.kind.value, chain__subject=chain.subject)
    if chain.subject is None:
        rows = Entry.objects.filter(chain__kind=chain.kind.value, chain__subject__isnull=True)
    if act is not None:
        rows = rows.filter(act=act)
    return [_row(chain, entry) for entry in rows.order_by("sequence")]


def _row(chain: ChainKey, entry: Entry) -> EntryRow:
    return EntryRow(
        id=entry.pk,
        chain=chain,
        sequence=entry.sequence,
        at=entry.at,
        act=entry.act,
        by=Actor(ActorKind(entry.actor_kind), entry.person, entry.post),
        facts=entry.facts,
        previous=entry.previous,
        digest=entry.digest,
    )


def lately_on_house(act: str, facts: Facts, *, since: datetime) -> bool:
    """Say whether the house's last few hundred entries hold this act with these facts since then."""
    rows = Entry.objects.filter(chain__kind=HOUSE.kind.value).order_by("-sequence")
    last = rows.values_list("act", "at", "facts")[:500]
    return any(row[0] == act and row[1] >= since and row[2] == facts for row in last)


def last_time_of_house() -> datetime | None:
    """Give the time that the house's last entry bears."""
    rows = Entry.objects.filter(chain__kind=HOUSE.kind.value).order_by("-sequence")
    return rows.values_list("at", flat=True).first()


def head_of(chain: ChainKey) -> Head:
    """Give a chain's noted head; an unopened chain is empty."""
    rows = Chain.objects.filter(kind=chain.kind.value)
    rows = (
        rows.filter(subject__isnull=True)
        if chain.subject is None
        else rows.filter(subject=chain.subject)
    )
    found = rows.values_list("sequence", "head").first()
    return Head(*found) if found else EMPTY


def house_head() -> Head:
    """Give the house's head: what stands in confirmation letters and goes to the witnesses."""
    return head_of(HOUSE)


def blob(digest: str) -> bytes:
    """Give a blob's bytes.

    Raises:  BlobMissingError when there is none
    """
    found = Blob.objects.filter(pk=digest).values_list("content", flat=True).first()
    if found is None:
        raise BlobMissingError(digest=digest)
    return bytes(found)


def blobs_among(digests: Iterable[str]) -> dict[str, str]:
    """Say which of these digests are blobs, and of which media type."""
    return dict(Blob.objects.filter(pk__in=list(digests)).values_list("digest", "media_type"))


@dataclass(frozen=True, slots=True)
class ChainRow:
    """A chain as the verifier meets it: its name and the head noted in its row."""

    id: int
    key: ChainKey
    head: Head


def chains() -> Iterator[ChainRow]:
    """Give every chain, the house first (its entries say what the others must be)."""
    rows = Chain.objects.order_by("-kind", "subject")
    for pk, kind, subject, sequence, head in rows.filter(kind=ChainKind.HOUSE.value).values_list(
        "id", "kind", "subject", "sequence", "head"
    ):
        yield ChainRow(pk, ChainKey(ChainKind(kind), subject), Head(sequence, head))
    for pk, kind, subject, sequence, head in (
        rows.exclude(kind=ChainKind.HOUSE.value)
        .values_list("id", "kind", "subject", "sequence", "head")
        .iterator(chunk_size=ENTRIES_AT_A_TIME)
    ):
        yield ChainRow(pk, ChainKey(ChainKind(kind), subject), Head(sequence, head))


def moved_chains(only: Iterable[ChainKey] = ()) -> list[ChainRow]:
    """Give the chains, but the house, that went on since the house noted them; all, or of these."""
    rows = Chain.objects.exclude(kind=ChainKind.HOUSE.value).filter(
        Q(noted__isnull=True) | Q(noted__sequence__lt=F("sequence")), sequence__gt=0
    )
    keys = list(only)
    if keys:
        wanted = Q(pk__in=[])
        for kind in {key.kind for key in keys}:
            subjects = [key.subject for key in keys if key.kind is kind]
            wanted |= Q(kind=kind.value, subject__in=subjects)
        rows = rows.filter(wanted)
    return [
        ChainRow(pk, ChainKey(ChainKind(kind), subject), Head(sequence, head))
        for pk, kind, subject, sequence, head in rows.order_by("kind", "subject").values_list(
            "id", "kind", "subject", "sequence", "head"
        )
    ]


def stored_entries(chain: ChainKey) -> Iterator[StoredEntry]:
    """Stream a chain's entries in stored order, as the verifier needs them; any size."""
    rows = Entry.objects.filter(chain__kind=chain.kind.value)
    rows = (
        rows.filter(chain__subject__isnull=True)
        if chain.subject is None
        else rows.filter(chain__subject=chain.subject)
    )
    name = str(chain)
    for columns in (
        rows.order_by("sequence").values_list(*COLUMNS).iterator(chunk_size=ENTRIES_AT_A_TIME)
    ):
        yield _stored(name, *columns)


def _stored(
    name: str,
    sequence: int,
    at: datetime,
    act: str,
    kind: str,
    person: int | None,
    post: str | None,
    facts: Facts,
    previous: str,
    digest: str,
) -> StoredEntry:
    return StoredEntry(
        chain=name,
        sequence=sequence,
        at=instant(at),
        act=act,
        actor_kind=kind,
        person=person,
        post=post,
        facts=facts,
        previous=previous,
        digest=digest,
    )


def all_stored_entries() -> Iterator[tuple[int, StoredEntry]]:
    """Stream the entries of every chain but the house, chain by chain, each with its chain's id."""
    for chain_id, kind, subject, *columns in (
        Entry.objects.exclude(chain__kind=ChainKind.HOUSE.value)
        .order_by("chain_id", "sequence")
        .values_list("chain_id", "chain__kind", "chain__subject", *COLUMNS)
        .iterator(chunk_size=ENTRIES_AT_A_TIME)
    ):
        yield chain_id, _stored(f"{kind}:{subject}", *columns)


def blob_count() -> int:
    """Count the blobs: for the verifier only, never for a page."""
    return Blob.objects.count()


def false_blobs() -> list[str]:
    """Give the names of blobs whose content has another SHA-256, recomputed by PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT digest FROM evidence_blob"
            " WHERE encode(sha256(content), 'hex') <> digest OR octet_length(content) <> octets"
            " ORDER BY digest"
        )
        return [digest for (digest,) in cursor.fetchall()]
