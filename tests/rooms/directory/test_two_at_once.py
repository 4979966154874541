"""Two imports at the same moment follow each other; neither sees half of the other."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from circular.directory.models import Account, Import
from circular.directory.reports import ImportReport
from circular.directory.services import import_accounts
from circular.evidence.actors import SYSTEM
from circular.evidence.chain import HOUSE
from circular.evidence.queries import entries_of

pytestmark = pytest.mark.django_db(transaction=True)


def bring(letter: str) -> ImportReport:
    lines = "".join(f"{letter}{number}@u.edu.co\n" for number in range(2000))
    try:
        return import_accounts(
            f"correo\n{lines}".encode(), name=letter, keep_good=False, confirm=True, by=SYSTEM
        )
    finally:
        connection.close()


def test_of_two_lists_at_once_the_last_is_the_whole_truth() -> None:
    with ThreadPoolExecutor(max_workers=2) as both:
        reports = list(both.map(bring, "ab"))

    last = Import.objects.order_by("-pk").values_list("source_name", flat=True)[0]
    active = Account.objects.filter(active=True)
    assert {account.address[0] for account in active} == {last}
    assert active.count() == 2000
    assert sorted(report.changes.deactivated for report in reports) == [0, 2000]
    assert [entry.act for entry in entries_of(HOUSE)] == ["accounts_imported"] * 2
