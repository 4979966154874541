"""The archive's tables: chains, their entries, and blobs; the database itself refuses to alter them.

Rules:   an entry is never updated, deleted or truncated; a blob is never updated, and deleted only
         by `services.prune_blobs`, which sets `circular.pruning` for its own transaction and leaves
         an entry. A chain's row holds the moving head and may change.
Known gaps:  a database superuser can switch triggers off; the chains and their outside anchors make
         what he does visible, nothing makes it impossible.
"""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q
from typing_extensions import override

from circular.evidence.actors import ActorKind
from circular.evidence.chain import GENESIS, ChainKind

REFUSE = "RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP;"

REFUSE_UNLESS_PRUNING = f"""
IF current_setting('circular.pruning', true) = 'on' THEN
    RETURN OLD;
END IF;
{REFUSE}
"""


class Blob(models.Model):
    """Bytes that never change, under the SHA-256 of themselves."""

    digest = models.CharField(primary_key=True, max_length=64)
    content = models.BinaryField()
    octets = models.BigIntegerField()
    media_type = models.CharField(max_length=127)  # RFC 6838 §4.2: 127 characters at most
    created_at = models.DateTimeField()

    class Meta:
        """The database refuses to change a blob and deletes one only for retention."""

        constraints = [
            models.CheckConstraint(
                condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="evidence_blob_digest_is_sha256"
            ),
            models.CheckConstraint(condition=Q(octets__gte=0), name="evidence_blob_octets"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="blob_never_changes",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func=REFUSE,
            ),
            pgtrigger.Trigger(
                name="blob_deleted_by_retention_only",
                when=pgtrigger.Before,
                operation=pgtrigger.Delete,
                func=REFUSE_UNLESS_PRUNING,
            ),
            pgtrigger.Trigger(
                name="blob_never_truncated",
                level=pgtrigger.Statement,
                when=pgtrigger.Before,
                operation=pgtrigger.Truncate,
                func=REFUSE,
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.media_type} {self.digest[:12]}"


class Chain(models.Model):
    """One hash chain and where it ends now."""

    kind = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in ChainKind])
    subject = models.BigIntegerField(null=True)
    sequence = models.BigIntegerField(default=0)
    head = models.CharField(max_length=64, default=GENESIS)

    class Meta:
        """One chain per case and mailing, and one house."""

        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], name="evidence_chain_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in ChainKind]),
                name="evidence_chain_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind=ChainKind.HOUSE.value, subject__isnull=True)
                | (~Q(kind=ChainKind.HOUSE.value) & Q(subject__isnull=False)),
                name="evidence_chain_subject",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="chain_never_deleted",
                when=pgtrigger.Before,
                operation=pgtrigger.Delete,
                func=REFUSE,
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.kind if self.subject is None else f"{self.kind}:{self.subject}"


class NotedHead(models.Model):
    """How far the house has noted a chain: only a bookmark of the round, no evidence.

    A row of its own, so that noting takes no lock on the chain that an act may hold.
    """

    chain = models.OneToOneField(
        Chain, on_delete=models.PROTECT, primary_key=True, related_name="noted"
    )
    sequence = models.BigIntegerField()

    @override
    def __str__(self) -> str:
        return f"chain {self.chain_id} noted at {self.sequence}"


class Entry(models.Model):
    """One thing that happened, with the digest of the entry before it."""

    chain = models.ForeignKey(Chain, on_delete=models.PROTECT, related_name="entries")
    sequence = models.BigIntegerField()
    at = models.DateTimeField()
    act = models.CharField(max_length=80)
    actor_kind = models.CharField(
        max_length=8, choices=[(kind.value, kind.value) for kind in ActorKind]
    )
    person = models.BigIntegerField(null=True)
    post = models.CharField(max_length=80, null=True)  # noqa: DJ001  null stands in the digest
    facts = models.JSONField()
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        """The database refuses to change, delete or truncate entries."""

        constraints = [
            models.UniqueConstraint(fields=["chain", "sequence"], name="evidence_entry_place"),
            models.CheckConstraint(
                condition=Q(actor_kind__in=[kind.value for kind in ActorKind]),
                name="evidence_entry_actor_kind",
            ),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="evidence_entry_sequence"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="entry_never_changes",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func=REFUSE,
            ),
            pgtrigger.Trigger(
                name="entry_never_truncated",
                level=pgtrigger.Statement,
                when=pgtrigger.Before,
                operation=pgtrigger.Truncate,
                func=REFUSE,
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.act} {self.chain_id}/{self.sequence}"
