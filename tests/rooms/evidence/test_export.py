"""A case as a folder that plain Python can check without Circular."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from circular.evidence import export, queries, services
from circular.evidence.actors import CLOCK, Actor
from circular.evidence.chain import HOUSE, case_chain, mailing_chain
from circular.evidence.services import EntryDraft, append, store_blob
from forge import as_superuser, rebuild_with_house

NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
RAW = b"From: anna@example.edu.co\r\nSubject: hola\r\n\r\nbuenas\r\n"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _only_own_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register what this test's rooms would."""
    monkeypatch.setattr(export, "_chains", {})
    monkeypatch.setattr(export, "_exports", {})
    export.register_chains("mailing", lambda _: [mailing_chain(5)])
    export.register_export(
        "mailing", lambda _: [export.ExportFile("envios/5.csv", b"address,state\r\n")]
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Export one case with a mailing and a raw message."""
    digest = store_blob(RAW, media_type="message/rfc822")
    content = store_blob(b"%PDF-1.7", media_type="application/pdf")
    append(
        EntryDraft(
            chain=case_chain(12),
            act="filed",
            by=Actor.of(1),
            at=NOON,
            facts={"raw": digest, "content": content},
        )
    )
    append(
        EntryDraft(chain=case_chain(12), act="approved", by=Actor.of(2), at=NOON, facts={}),
        EntryDraft(chain=mailing_chain(5), act="released", by=CLOCK, at=NOON, facts={"count": 2}),
    )
    append(EntryDraft(chain=case_chain(99), act="filed", by=Actor.of(3), at=NOON, facts={}))
    export.export_case(12, tmp_path / "expediente", by=Actor.of(4))
    return tmp_path / "expediente"


def verificar(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the exported script as anybody would: no site packages, no Circular."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(folder / "verificar.py"), *arguments],
        capture_output=True, text=True, check=False, timeout=30, cwd="/",
    )  # fmt: skip


def test_the_folder_holds_entries_messages_contents_and_the_rooms_files(folder: Path) -> None:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    assert {
        "asientos/case-12.jsonl",
        "asientos/mailing-5.jsonl",
        "asientos/house.jsonl",
        "envios/5.csv",
        "LEAME.txt",
        "verificar.py",
        "manifiesto.json",
    } <= names
    assert len([name for name in names if name.startswith("mensajes/")]) == 1
    assert len([name for name in names if name.endswith(".pdf")]) == 1
    assert "asientos/case-99.jsonl" not in names


def test_the_script_finds_nothing_wrong_and_says_what_it_cannot_know(folder: Path) -> None:
    ran = verificar(folder)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Todo concuerda" in ran.stdout
    assert "no se puede detectar" in ran.stdout


def test_with_the_anchor_of_a_letter_the_script_says_up_to_where_it_proves(folder: Path) -> None:
    anchor = queries.house_head()

    ran = verificar(folder, "--ancla", anchor.digest)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"hasta el asiento {anchor.sequence}" in ran.stdout


def test_an_anchor_that_no_entry_has_is_a_fault(folder: Path) -> None:
    ran = verificar(folder, "--ancla", "ab" * 32)

    assert ran.returncode == 1
    assert "cortada o rehecha" in ran.stdout


def test_an_anchor_is_read_as_people_copy_it_and_a_mistyped_one_is_no_alarm(folder: Path) -> None:
    anchor = queries.house_head().digest

    assert verificar(folder, "--ancla", f" {anchor[:32].upper()}\n {anchor[32:]}").returncode == 0
    for mistyped in ("", anchor[:-1], anchor + "0", "z" * 64):
        ran = verificar(folder, "--ancla", mistyped)

        assert ran.returncode == 2
        assert "64 cifras" in ran.stdout


def lines(folder: Path, name: str, change: Callable[[list[str]], list[str]]) -> None:
    """Change the lines of a chain, and put the manifest right as a careful forger would."""
    import hashlib

    path = folder / name
    kept = change(path.read_text().splitlines())
    path.write_text("".join(line + "\n" for line in kept))
    manifest = json.loads((folder / "manifiesto.json").read_text())
    manifest["files"][name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "manifiesto.json").write_text(json.dumps(manifest))


def test_a_changed_entry_is_named(folder: Path) -> None:
    lines(
        folder,
        "asientos/case-12.jsonl",
        lambda old: [line.replace('"approved"', '"rejected"') for line in old],
    )

    ran = verificar(folder)

    assert ran.returncode == 1
    assert "case:12, asiento 2: fue cambiado" in ran.stdout


def test_a_dropped_entry_is_named(folder: Path) -> None:
    lines(folder, "asientos/case-12.jsonl", lambda old: old[1:])

    assert "case:12, asiento 1" in verificar(folder).stdout


def test_swapped_entries_are_named(folder: Path) -> None:
    lines(folder, "asientos/case-12.jsonl", lambda old: old[::-1])

    assert "case:12, asiento 1: fuera de orden" in verificar(folder).stdout


def test_a_cut_tail_is_found_through_the_house(folder: Path) -> None:
    lines(folder, "asientos/case-12.jsonl", lambda old: old[:-1])

    assert "case:12, asiento 2: falta" in verificar(folder).stdout


def test_a_changed_message_is_named_even_when_the_manifest_was_put_right(folder: Path) -> None:
    [message] = (folder / "mensajes").iterdir()
    name = message.relative_to(folder).as_posix()

    lines(folder, name, lambda old: [*old, "una palabra"])

    ran = verificar(folder)
    assert ran.returncode == 1
    assert "no corresponde a su nombre" in ran.stdout


def test_an_added_and_a_removed_file_are_named(folder: Path) -> None:
    (folder / "extra.txt").write_text("x")
    (folder / "envios" / "5.csv").unlink()

    ran = verificar(folder)

    assert "extra.txt: no estaba" in ran.stdout
    assert "envios/5.csv: falta" in ran.stdout


def test_a_case_rebuilt_with_fresh_digests_is_found_through_the_house(folder: Path) -> None:
    import hashlib

    def rebuilt(old: list[str]) -> list[str]:
        previous, answer = "0" * 64, []
        for line in old:
            entry = {**json.loads(line), "act": "forged", "previous": previous}
            del entry["digest"]
            text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
            previous = hashlib.sha256(text.encode()).hexdigest()
            answer.append(json.dumps({**entry, "digest": previous}))
        return answer

    lines(folder, "asientos/case-12.jsonl", rebuilt)

    assert "case:12, asiento 2: la cadena fue rehecha" in verificar(folder).stdout


def test_an_unreadable_folder_is_said_to_be_unreadable(folder: Path) -> None:
    (folder / "manifiesto.json").write_text("[1, 2")

    ran = verificar(folder)

    assert ran.returncode == 2
    assert "No se puede leer" in ran.stdout
    assert ran.stderr == ""


def test_an_export_leaves_an_entry_on_the_house(folder: Path) -> None:
    [entry] = queries.entries_of(HOUSE, act="exported")

    assert entry.facts == {"case": 12}
    assert entry.by == Actor.of(4)


def test_a_folder_that_holds_something_is_refused(folder: Path) -> None:
    with pytest.raises(export.FolderNotEmptyError):
        export.export_case(12, folder, by=Actor.of(4))


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "LEAME.txt"])
def test_a_room_cannot_write_outside_the_folder_or_over_another_file(
    path: str, tmp_path: Path
) -> None:
    export.register_export("a", lambda _: [export.ExportFile(path, b"")])
    export.register_export("b", lambda _: [export.ExportFile("LEAME.txt", b"")])
    services.note_heads(by=CLOCK)

    with pytest.raises(export.ExportPathError):
        export.export_case(12, tmp_path / "x", by=Actor.of(4))


def test_after_an_entry_was_rewritten_with_fresh_digests_everywhere_only_the_anchor_tells(
    folder: Path, tmp_path: Path
) -> None:
    letter_says = queries.house_head().digest

    as_superuser("UPDATE evidence_entry SET person = 666 WHERE act = 'approved'")
    rebuild_with_house("case:12")
    export.export_case(12, tmp_path / "forged", by=Actor.of(4))

    alone = verificar(tmp_path / "forged")
    anchored = verificar(tmp_path / "forged", "--ancla", letter_says)
    assert alone.returncode == 0
    assert "no se puede detectar" in alone.stdout
    assert anchored.returncode == 1
    assert "cortada o rehecha" in anchored.stdout
    assert folder.is_dir()
