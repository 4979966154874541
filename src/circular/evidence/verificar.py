"""Comprueba un expediente exportado por Circular con Python y nada más (3.8 o posterior).

    python3 verificar.py [--ancla HASH ...] [CARPETA]

This file is copied into every exported case. It shares no code with Circular on purpose: it says
the same thing a second time. It recomputes every file's SHA-256, every entry's digest and link,
compares the chains with the heads that the house noted, and the house with heads that stand
outside (in a confirmation letter or a witness mailbox). Exit status: 0 sound, 1 not, 2 unreadable.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

GENESIS = "0" * 64


def sha256(content: bytes) -> str:
    """Give the SHA-256 of bytes in hex."""
    return hashlib.sha256(content).hexdigest()


def digest_of(entry: dict[str, Any]) -> str:
    """Recompute the digest of an entry: SHA-256 over its sorted JSON without `digest`."""
    body = {key: value for key, value in entry.items() if key != "digest"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256(text.encode("ascii"))


def read_chain(path: Path) -> list[dict[str, Any]]:
    """Read one entry a line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def check_chain(name: str, entries: list[dict[str, Any]], found: list[str]) -> bool:
    """Name the first wrong entry, or say that there is none."""
    previous = GENESIS
    for place, entry in enumerate(entries, start=1):
        fault = ""
        if entry.get("chain") != name:
            fault = "pertenece a otra cadena"
        elif digest_of(entry) != entry.get("digest"):
            fault = "fue cambiado"
        elif entry.get("sequence") != place or entry.get("previous") != previous:
            later = any(other.get("previous") == previous for other in entries[place:])
            fault = "fuera de orden" if later else "no sigue al anterior (falta o sobra uno)"
        if fault:
            found.append(f"{name}, asiento {place}: {fault}")
            return False
        previous = entry["digest"]
    return True


def check_noted(
    name: str, entries: list[dict[str, Any]], heads: dict[str, Any], found: list[str]
) -> None:
    """Compare a sound chain with what the house noted of it."""
    if name not in heads:
        return
    sequence, digest = heads[name]
    if sequence > len(entries):
        found.append(f"{name}, asiento {len(entries) + 1}: falta; la casa lo anotó")
    elif sequence > 0 and entries[sequence - 1]["digest"] != digest:
        found.append(f"{name}, asiento {sequence}: la cadena fue rehecha")


def noted_heads(house: list[dict[str, Any]]) -> dict[str, Any]:
    """Give the last head that the house noted of each chain."""
    heads: dict[str, Any] = {}
    for entry in house:
        facts = entry.get("facts", {})
        if entry.get("act") == "heads":
            for place, chain in enumerate(facts["chains"]):
                heads[chain] = (facts["sequences"][place], facts["digests"][place])
        elif entry.get("act") == "chain_closed":
            heads[facts["chain"]] = (facts["sequence"], facts["head"])
    return heads


def check_files(folder: Path, files: dict[str, str], found: list[str]) -> None:
    """Compare every file with the manifest, and every content with its own name."""
    for name, expected in sorted(files.items()):
        path = folder / name
        if not path.is_file():
            found.append(f"{name}: falta")
        elif sha256(path.read_bytes()) != expected:
            found.append(f"{name}: no es el contenido que se exportó")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or name == "manifiesto.json" or "__pycache__" in name:
            continue
        if name not in files:
            found.append(f"{name}: no estaba en la exportación")
        named = re.match(r"(?:mensajes|contenidos)/([0-9a-f]{64})", name)
        if named and sha256(path.read_bytes()) != named.group(1):
            found.append(f"{name}: el contenido no corresponde a su nombre")


def check_anchors(
    anchors: list[str], house: list[dict[str, Any]], found: list[str], notes: list[str]
) -> None:
    """Look for heads that stand outside among the house's entries."""
    places = {entry.get("digest"): place for place, entry in enumerate(house, start=1)}
    proved = 0
    for anchor in anchors:
        if anchor in places:
            proved = max(proved, places[anchor])
        else:
            found.append(f"ancla {anchor}: la casa fue cortada o rehecha; ningún asiento la tiene")
    if not anchors:
        notes.append(
            "Sin ancla: si alguien cortó el final o rehizo todo con hashes nuevos, no se puede"
            " detectar. Use --ancla con el hash de una carta de confirmación."
        )
    elif proved:
        notes.append(f"La casa queda probada desde fuera hasta el asiento {proved}.")
        if proved < len(house):
            notes.append(
                f"Los {len(house) - proved} asientos siguientes no tienen ancla: un corte ahí no"
                " se puede detectar."
            )


def check(folder: Path, anchors: list[str]) -> tuple[list[str], list[str]]:
    """Check a folder; give what is wrong, and what else there is to say."""
    found: list[str] = []
    notes: list[str] = []
    manifest = json.loads((folder / "manifiesto.json").read_text(encoding="utf-8"))
    check_files(folder, manifest["files"], found)
    chains = {
        name: read_chain(folder / path)
        for name, path in manifest["chains"].items()
        if (folder / path).is_file()
    }
    house = chains.get("house", [])
    sound = check_chain("house", house, found)
    heads = noted_heads(house) if sound else {}
    for name, entries in sorted(chains.items()):
        if name != "house" and check_chain(name, entries, found):
            check_noted(name, entries, heads, found)
    notes.append(f"{len(manifest['files'])} archivos, {len(chains)} cadenas.")
    check_anchors(anchors, house if sound else [], found, notes)
    return found, notes


def main() -> int:
    """Check and print in Spanish."""
    parser = argparse.ArgumentParser(description="Comprueba un expediente exportado por Circular.")
    parser.add_argument("carpeta", nargs="?", default=str(Path(__file__).resolve().parent))
    parser.add_argument("--ancla", action="append", default=[], metavar="HASH")
    arguments = parser.parse_args()
    try:
        # Spaces: a letter is read aloud, or copied over a line's end.
        anchors = ["".join(anchor.split()).lower() for anchor in arguments.ancla]
        for anchor in anchors:
            if not re.fullmatch("[0-9a-f]{64}", anchor):
                print(
                    f"«{anchor}» no es un ancla: son 64 cifras hexadecimales. Cópiela entera de la carta."
                )
                return 2
        found, notes = check(Path(arguments.carpeta), anchors)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as unreadable:
        print(f"No se puede leer el expediente: {unreadable}")
        return 2
    for line in notes:
        print(line)
    for line in found:
        print(f"MAL: {line}")
    print(f"Faltas: {len(found)}." if found else "Todo concuerda.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
