"""An import is the whole truth about accounts, after what it would change was shown."""

import csv
import io
import time
from collections.abc import Callable

import pytest

from circular.directory import queries
from circular.directory.models import Account, Import
from circular.directory.reports import ImportOutcome, ImportReport
from circular.directory.rules import EVERYBODY
from circular.directory.services import import_accounts, preview_import
from circular.evidence.actors import SYSTEM
from circular.evidence.chain import HOUSE
from circular.evidence.queries import entries_of
from circular.people.accounts import KnownAccount
from circular.people.models import Person
from circular.people.services import ensure_person

pytestmark = pytest.mark.django_db

LIST = """correo;nombres;apellidos;grupos;programa;sede
ana@u.edu.co;Ana;Ruiz;estudiante;Enfermería;Centro
luz@u.edu.co;Luz;Peña;docente;;Norte
iván u.edu.co;Iván;Daza;docente;;Norte
"""
GOOD = LIST.replace("iván u", "ivan@u")


def bring(text: str, *, keep_good: bool = False, confirm: bool = False) -> ImportReport:
    return import_accounts(
        text.encode(), name="cuentas.csv", keep_good=keep_good, confirm=confirm, by=SYSTEM
    )


def active() -> set[str]:
    return set(Account.objects.filter(active=True).values_list("address", flat=True))


def acts() -> list[str]:
    return [entry.act for entry in entries_of(HOUSE)]


def test_a_good_list_becomes_the_directory() -> None:
    report = bring(GOOD)

    assert report.outcome is ImportOutcome.IMPORTED
    assert (report.good, report.changes.added) == (3, 3)
    assert active() == {"ana@u.edu.co", "luz@u.edu.co", "ivan@u.edu.co"}


def test_an_import_leaves_an_entry_with_its_counts_and_digest() -> None:
    report = bring(GOOD)

    (entry,) = [entry for entry in entries_of(HOUSE) if entry.act == "accounts_imported"]
    assert entry.facts["digest"] == report.digest
    assert (entry.facts["added"], entry.facts["active_after"]) == (3, 3)


def test_one_bad_line_keeps_everything_out() -> None:
    report = bring(LIST)

    assert report.outcome is ImportOutcome.BAD_LINES
    assert [line.line for line in report.bad] == [4]
    assert active() == set()
    assert acts() == []


def test_the_good_lines_come_in_when_they_are_asked_for() -> None:
    report = bring(LIST, keep_good=True)

    assert report.outcome is ImportOutcome.IMPORTED
    assert active() == {"ana@u.edu.co", "luz@u.edu.co"}


def test_an_image_changes_nothing() -> None:
    report = import_accounts(
        b"\x89PNG\r\n\x1a\n\0\0", name="foto.csv", keep_good=True, confirm=True, by=SYSTEM
    )

    assert report.outcome is ImportOutcome.UNREADABLE
    assert not Import.objects.exists()


def test_those_absent_from_the_second_list_stay_until_somebody_confirms() -> None:
    bring(GOOD)

    report = bring("correo\nana@u.edu.co\n")

    assert report.outcome is ImportOutcome.NEEDS_CONFIRMATION
    assert report.changes.deactivated == 2
    assert not report.changes.is_plausible
    assert len(active()) == 3


def test_those_absent_are_deactivated_and_not_deleted_once_confirmed() -> None:
    bring(GOOD)

    bring("correo\nana@u.edu.co\n", confirm=True)

    assert active() == {"ana@u.edu.co"}
    assert Account.objects.count() == 3
    assert queries.active_count() == queries.count(EVERYBODY) == 1


def test_a_confirmation_of_another_count_confirms_nothing() -> None:
    bring(GOOD)

    report = import_accounts(
        b"correo\nana@u.edu.co\n",
        name="c.csv",
        keep_good=False,
        confirm=True,
        expected=1,
        by=SYSTEM,
    )

    assert report.outcome is ImportOutcome.NEEDS_CONFIRMATION
    assert len(active()) == 3


def test_an_account_whose_own_line_is_bad_is_left_as_it_is() -> None:
    bring(GOOD)

    report = bring(
        GOOD.replace("luz@u.edu.co;Luz;Peña;docente", "luz@u.edu.co;Luz;Peña;marciana"),
        keep_good=True,
    )

    assert report.outcome is ImportOutcome.IMPORTED
    assert report.changes.kept == 1
    assert "luz@u.edu.co" in active()


def test_the_same_list_again_changes_nobody_and_renews_the_date() -> None:
    bring(GOOD)
    before = set(Account.objects.values_list("address", "changed_in"))

    report = bring(GOOD)

    assert (report.changes.unchanged, report.changes.changed) == (3, 0)
    assert set(Account.objects.values_list("address", "changed_in")) == before
    assert Import.objects.count() == 2


def test_an_account_that_comes_back_is_active_again_with_its_new_data() -> None:
    bring(GOOD)
    bring("correo\nana@u.edu.co\n", confirm=True)

    report = bring(GOOD.replace("Peña", "Peña Ríos"))

    assert report.changes.reactivated == 2
    assert queries.active_count() == queries.count(EVERYBODY) == 3
    assert queries.account_by_address("LUZ@u.edu.co").family_name == "Peña Ríos"  # type: ignore[union-attr]


def test_a_preview_tells_the_changes_and_writes_nothing() -> None:
    bring(GOOD)

    report = preview_import(b"correo\nana@u.edu.co\nnueva@u.edu.co\n", name="c.csv")

    assert report.outcome is ImportOutcome.NEEDS_CONFIRMATION
    assert (report.changes.added, report.changes.deactivated) == (1, 2)
    assert len(active()) == 3
    assert Import.objects.count() == 1


def test_a_person_from_the_directory_goes_and_comes_back_with_the_account() -> None:
    bring(GOOD)
    person = ensure_person(KnownAccount("luz@u.edu.co", "Luz Peña", ""))

    bring("correo\nana@u.edu.co\n", confirm=True)
    gone = Person.objects.get(pk=person).is_active
    bring(GOOD)

    assert not gone
    assert Person.objects.get(pk=person).is_active


def test_names_that_are_code_in_other_languages_are_stored_as_they_are() -> None:
    name = "Robert'); DROP TABLE directory_account;-- <script>\\t{{7*7}}"
    bring(f'correo,nombres\nbobby@u.edu.co,"{name}"\n')

    assert queries.account_by_address("bobby@u.edu.co").given_name == name  # type: ignore[union-attr]


def test_a_naughty_name_that_is_good_comes_back_unchanged(
    corpora: Callable[[str], object],
) -> None:
    inputs = [sample["input"] for sample in corpora("naughty-strings").samples.values()]  # type: ignore[attr-defined]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["correo", "nombres"])
    writer.writerows((f"p{number}@u.co", text) for number, text in enumerate(inputs))

    report = import_accounts(
        out.getvalue().encode("utf-8", "surrogatepass"),
        name="n.csv",
        keep_good=True,
        confirm=False,
        by=SYSTEM,
    )

    assert report.outcome is ImportOutcome.IMPORTED
    stored = dict(Account.objects.values_list("address", "given_name"))
    assert all(
        stored[f"p{number}@u.co"] == text.strip()
        for number, text in enumerate(inputs)
        if f"p{number}@u.co" in stored
    )


def test_a_hundred_thousand_lines_are_read_in_seconds() -> None:
    lines = "".join(
        f"p{number}@u.edu.co;Ana María;Muñoz;estudiante;Ingeniería;Ingeniería Civil;Centro\n"
        for number in range(100_000)
    )
    text = "correo;nombres;apellidos;grupos;facultad;programa;sede\n" + lines

    begun = time.monotonic()
    report = bring(text)
    taken = time.monotonic() - begun

    assert report.changes.added == 100_000
    assert queries.count(EVERYBODY) == 100_000
    assert taken < 60  # seconds; about five on an idle machine: a guard against row by row
