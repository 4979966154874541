"""Writes a case as a folder that anybody can check without Circular.

Rule 1: the archive asks nobody. A room registers from its `apps.py` what it adds to a case:
        chains (`register_chains`) and files (`register_export`).
Rule 2: the folder holds the case's chain, its mailings' chains and the whole house (without it no
        anchor could be followed), every blob that an entry names, the rooms' files, a manifest
        with the SHA-256 of each file, and `verificar.py`.
Rule 3: nothing in the folder is trusted by the script; everything is recomputed.

When it fails: the manifest is written last, so a folder without one is no export.
Known gaps: the house grows with the institution; its chain is exported whole, streamed.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from django.db import transaction
from django.utils import timezone

from circular.evidence import queries, services
from circular.evidence.actors import Actor
from circular.evidence.chain import (
    HOUSE,
    ChainKey,
    EntryDraft,
    StoredEntry,
    case_chain,
    instant,
)
from circular.evidence.errors import EvidenceError

DIGEST = re.compile(r"[0-9a-f]{64}")
SCRIPT = Path(__file__).with_name("verificar.py")
README = """Expediente exportado por Circular

asientos/     lo que pasó, un asiento por línea, encadenado con SHA-256
mensajes/     los correos tal como llegaron o salieron
contenidos/   los demás contenidos, cada uno con su SHA-256 como nombre
manifiesto.json   la lista de los archivos con su SHA-256

Para comprobarlo todo sin Circular:

    python3 verificar.py
    python3 verificar.py --ancla HASH

HASH es el de una carta de confirmación (o del buzón de una cuenta testigo): prueba desde fuera que
nadie cortó ni rehízo los asientos anteriores a esa carta.
"""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file that a room adds: a relative path with forward slashes, and its bytes."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    folder: Path
    files: int
    chains: int
    entries: int
    house_head: str


class FolderNotEmptyError(EvidenceError):
    """The folder to export to holds something already."""

    code = "folder_not_empty"


class ExportPathError(EvidenceError):
    """A room named a path outside the folder, or one that is taken."""

    code = "export_path"


ExportSource = Callable[[int], Iterable[ExportFile]]
ChainSource = Callable[[int], Iterable[ChainKey]]
_exports: dict[str, ExportSource] = {}
_chains: dict[str, ChainSource] = {}


def register_export(name: str, source: ExportSource) -> None:
    """Let a room add files to a case's folder; called from its `apps.py`.

    Repeat:  the same name again replaces the source
    """
    _exports[name] = source


def register_chains(name: str, source: ChainSource) -> None:
    """Let a room add chains (of mailings) to a case's folder; called from its `apps.py`.

    Repeat:  the same name again replaces the source
    """
    _chains[name] = source


@transaction.atomic
def export_case(case_id: int, folder: Path, *, by: Actor) -> Exported:
    """Write one case as a folder, and leave an entry on the house that says so.

    Locks:   the heads of the case's chains, then the house's: what is exported is noted there
    Repeat:  a folder that holds something is refused
    Raises:  FolderNotEmptyError, ExportPathError, OSError (disk full)
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FolderNotEmptyError(folder=str(folder))
    keys = [case_chain(case_id), *_related(case_id)]
    services.note_heads(*keys, by=by)
    services.append(
        EntryDraft(chain=HOUSE, act="exported", by=by, at=timezone.now(), facts={"case": case_id})
    )
    writer = _Writer(folder)
    digests: set[str] = set()
    entries = 0
    for key in (*keys, HOUSE):
        path = f"asientos/{str(key).replace(':', '-')}.jsonl"
        entries += writer.lines(path, _lines(key, digests if key != HOUSE else set()))
        writer.chains[str(key)] = path
    for digest, media_type in sorted(queries.blobs_among(digests).items()):
        writer.write(_blob_path(digest, media_type), queries.blob(digest))
    for _, source in sorted(_exports.items()):
        for file in source(case_id):
            writer.write(file.path, file.content)
    writer.write("LEAME.txt", README.encode())
    writer.write("verificar.py", SCRIPT.read_bytes())
    head = queries.house_head()
    manifest = {
        "case": case_id,
        "exported_at": instant(timezone.now()),
        "house": {"sequence": head.sequence, "digest": head.digest},
        "chains": writer.chains,
        "files": writer.files,
    }
    (folder / "manifiesto.json").write_text(
        json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8"
    )
    return Exported(
        folder=folder,
        files=len(writer.files),
        chains=len(writer.chains),
        entries=entries,
        house_head=head.digest,
    )


def _related(case_id: int) -> list[ChainKey]:
    found = {key for _, source in sorted(_chains.items()) for key in source(case_id)}
    return sorted(found - {HOUSE, case_chain(case_id)}, key=lambda key: key.lock_position)


def _lines(key: ChainKey, digests: set[str]) -> Iterator[bytes]:
    """Give a chain's entries as JSON lines, and gather the digests that their facts name."""
    for entry in queries.stored_entries(key):
        for value in entry.facts.values():
            items = value if isinstance(value, (list, tuple)) else [value]
            digests.update(
                item for item in items if isinstance(item, str) and DIGEST.fullmatch(item)
            )
        yield _line(entry)


def _line(entry: StoredEntry) -> bytes:
    return (
        json.dumps(
            {
                "act": entry.act,
                "actor": {"kind": entry.actor_kind, "person": entry.person, "post": entry.post},
                "at": entry.at,
                "chain": entry.chain,
                "digest": entry.digest,
                "facts": entry.facts,
                "previous": entry.previous,
                "sequence": entry.sequence,
            },
            sort_keys=True,
        ).encode("ascii")
        + b"\n"
    )


def _blob_path(digest: str, media_type: str) -> str:
    if media_type == "message/rfc822":
        return f"mensajes/{digest}.eml"
    # A guess from a fixed table; an unknown type goes without extension.
    return f"contenidos/{digest}{mimetypes.guess_extension(media_type) or ''}"


class _Writer:
    """Writes files below one folder and keeps the SHA-256 of each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: dict[str, str] = {}
        self.chains: dict[str, str] = {}

    def write(self, name: str, content: bytes) -> None:
        """Write one file."""
        self.lines(name, [content])

    def lines(self, name: str, parts: Iterable[bytes]) -> int:
        """Write one file part by part; give the number of parts."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or name in self.files or "\\" in name:
            raise ExportPathError(path=name)
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        digest, count = hashlib.sha256(), 0
        with target.open("wb") as out:
            for part in parts:
                out.write(part)
                digest.update(part)
                count += 1
        self.files[path.as_posix()] = digest.hexdigest()
        return count
