"""The only writer of accounts: a list is compared, shown, and becomes the whole truth.

Rule 1: nothing is imported while a line is bad, unless the good ones are asked for.
Rule 2: whoever is absent from the list is deactivated, never deleted, and only after the count
        was shown and confirmed; an account whose own line is bad is left as it is.
Rule 3: one import at a time; each leaves an entry on the house chain with counts and digest.
When it fails: the transaction rolls back and the directory is as before.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from circular.directory.models import Import, Upload
from circular.directory.reports import MOST_BAD_SHOWN, Changes, ImportOutcome, ImportReport
from circular.directory.tables import AccountLine, BadLine, Table, Unreadable, folded, read_table
from circular.evidence.actors import Actor
from circular.evidence.services import HOUSE, EntryDraft, append
from circular.people.services import set_imported_active

ONE_IMPORT_AT_A_TIME = 7_236_110_001  # an advisory lock; any number nobody else uses
UPLOAD_LIVES = timedelta(hours=24)  # long enough to ask a colleague, short for a list of people

_COLUMNS = (
    "address, external_id, given_name, family_name, preferred_name, groups,"
    " unit, faculty, programme, campus, active, sought"
)
_VALUES = _COLUMNS.removeprefix("address, ")
_DIFFERS = "({ours}) IS DISTINCT FROM ({theirs})".format(
    ours=", ".join(f"a.{column.strip()}" for column in _VALUES.split(",")),
    theirs=", ".join(f"i.{column.strip()}" for column in _VALUES.split(",")),
)


def preview_import(content: bytes, *, name: str, keep_good: bool = False) -> ImportReport:
    """Say what importing this file would do; nothing stays written."""
    report, table = _read(content, name, keep_good)
    if table is None:
        return report
    with transaction.atomic():
        changes = _compare(table)
        transaction.set_rollback(True)
    return _with_changes(
        report,
        changes,
        ImportOutcome.NEEDS_CONFIRMATION if changes.deactivated else ImportOutcome.READY,
    )


def import_accounts(
    content: bytes,
    *,
    name: str,
    keep_good: bool,
    confirm: bool,
    by: Actor,
    expected: int | None = None,
) -> ImportReport:
    """Make this list the whole truth about accounts, or say why nothing was done.

    `confirm` says that a person accepts the deactivations; with `expected`, exactly that many.

    Locks:   an advisory lock for all imports, then the accounts that change
    Repeat:  the same list again changes nobody and renews the source date
    """
    report, table = _read(content, name, keep_good)
    if table is None:
        return report
    now = timezone.now()
    with transaction.atomic():
        changes = _compare(table)
        accepted = confirm and expected in {None, changes.deactivated}
        if changes.deactivated and not accepted:
            transaction.set_rollback(True)
            return _with_changes(report, changes, ImportOutcome.NEEDS_CONFIRMATION)
        row = Import.objects.create(
            at=now,
            by_id=by.person,
            digest=report.digest,
            counts=asdict(changes)
            | {
                "good": report.good,
                "bad": report.bad_count,
                "active_after": changes.active_after,
            },
            source_name=name[:255],
        )
        gone, back = _write(row.pk)
        set_imported_active(gone, active=False)
        set_imported_active(back, active=True)
        row.choices = _choices()
        row.save(update_fields=["choices"])
        append(
            EntryDraft(
                chain=HOUSE,
                act="accounts_imported",
                by=by,
                at=now,
                facts={
                    "import": row.pk,
                    "digest": report.digest,
                    "good": report.good,
                    "bad": report.bad_count,
                    **asdict(changes),
                    "active_after": changes.active_after,
                },
            )
        )
    return _with_changes(report, changes, ImportOutcome.IMPORTED, row.pk)


def _read(content: bytes, name: str, keep_good: bool) -> tuple[ImportReport, Table | None]:
    """Return the report so far, and the table when there is something to compare."""
    digest = hashlib.sha256(content).hexdigest()
    table = read_table(content)
    if isinstance(table, Unreadable):
        report = ImportReport(
            outcome=ImportOutcome.UNREADABLE,
            name=name,
            digest=digest,
            fault=table.fault,
            detail=table.detail,
        )
        return report, None
    outcome = ImportOutcome.READY
    if not table.accounts:
        outcome = ImportOutcome.NOBODY
    if table.bad and not keep_good:
        outcome = ImportOutcome.BAD_LINES
    report = ImportReport(
        outcome=outcome,
        name=name,
        digest=digest,
        good=len(table.accounts),
        bad_count=len(table.bad),
        bad=table.bad[:MOST_BAD_SHOWN],
        ignored=table.ignored,
        encoding=table.encoding,
        delimiter=table.delimiter,
    )
    return report, table if outcome is ImportOutcome.READY else None


def _with_changes(
    report: ImportReport, changes: Changes, outcome: ImportOutcome, import_id: int | None = None
) -> ImportReport:
    return ImportReport(
        outcome=outcome,
        name=report.name,
        digest=report.digest,
        good=report.good,
        bad_count=report.bad_count,
        bad=report.bad,
        ignored=report.ignored,
        encoding=report.encoding,
        delimiter=report.delimiter,
        changes=changes,
        import_id=import_id,
    )


def _compare(table: Table) -> Changes:
    """Load the list beside the accounts and count the differences, under the lock of imports."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_IMPORT_AT_A_TIME])
        # DROP first: a test, or a preview in the same transaction, may have left one.
        cursor.execute("DROP TABLE IF EXISTS pg_temp.directory_incoming")
        cursor.execute(
            "CREATE TEMPORARY TABLE directory_incoming ON COMMIT DROP AS"  # noqa: S608 - constants
            f" SELECT {_COLUMNS}, false AS kept FROM directory_account WITH NO DATA"
        )
        with cursor.copy(f"COPY directory_incoming ({_COLUMNS}, kept) FROM STDIN") as copy:
            for account in table.accounts:
                copy.write_row(_row(account))
            for line in _kept(table):
                copy.write_row((line.address, *[None] * 11, True))
        cursor.execute("CREATE UNIQUE INDEX ON directory_incoming (address)")
        cursor.execute("ANALYZE directory_incoming")
        cursor.execute(
            f"""
            SELECT count(*) FILTER (WHERE NOT i.kept AND a.id IS NULL),
                   count(*) FILTER (WHERE NOT i.kept AND a.id IS NULL AND NOT i.active),
                   count(*) FILTER (WHERE NOT i.kept AND a.id IS NOT NULL AND {_DIFFERS}),
                   count(*) FILTER (WHERE NOT i.kept AND i.active AND NOT a.active),
                   count(*) FILTER (WHERE NOT i.kept AND NOT i.active AND a.active),
                   count(*) FILTER (WHERE i.kept AND a.active),
                   count(*) FILTER (WHERE NOT i.kept)
              FROM directory_incoming i LEFT JOIN directory_account a USING (address)
            """  # noqa: S608 - constants
        )
        new, new_inactive, changed, back, listed_inactive, kept, listed = cursor.fetchone()
        cursor.execute(
            """
            SELECT count(*) FILTER (WHERE NOT EXISTS
                       (SELECT FROM directory_incoming i WHERE i.address = a.address)),
                   count(*)
              FROM directory_account a WHERE a.active
            """
        )
        absent, active_before = cursor.fetchone()
    return Changes(
        added=new,
        added_inactive=new_inactive,
        changed=changed,
        reactivated=back,
        unchanged=listed - new - changed,
        deactivated=absent + listed_inactive,
        kept=kept,
        active_before=active_before,
    )


def _row(account: AccountLine) -> tuple[object, ...]:
    names = f"{account.given_name} {account.family_name} {account.preferred_name}"
    return (
        account.address,
        account.external_id,
        account.given_name,
        account.family_name,
        account.preferred_name,
        list(account.groups),
        account.unit,
        account.faculty,
        account.programme,
        account.campus,
        account.active,
        folded(f"{account.address} {names} {account.external_id}"),
        False,
    )


def _kept(table: Table) -> Iterable[BadLine]:
    """Return one line per address that is only on bad lines."""
    good = {account.address for account in table.accounts}
    return {line.address: line for line in table.bad if line.address not in good | {""}}.values()


def _write(import_id: int) -> tuple[list[str], list[str]]:
    """Make the accounts equal to the list; return the addresses that went and that came back."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE directory_account a SET active = false, changed_in_id = %s
             WHERE a.active
               AND NOT EXISTS (SELECT FROM directory_incoming i WHERE i.address = a.address)
            RETURNING a.address
            """,
            [import_id],
        )
        gone = [address for (address,) in cursor.fetchall()]
        cursor.execute(
            """
            SELECT i.address, i.active FROM directory_incoming i
              JOIN directory_account a USING (address)
             WHERE NOT i.kept AND i.active <> a.active
            """
        )
        back: list[str] = []
        for address, active in cursor.fetchall():
            (back if active else gone).append(address)
        values = [column.strip() for column in _VALUES.split(",")]
        cursor.execute(
            f"""
            UPDATE directory_account a
               SET ({_VALUES}) = ({", ".join(f"i.{value}" for value in values)}),
                   changed_in_id = %s
              FROM directory_incoming i
             WHERE i.address = a.address AND NOT i.kept AND {_DIFFERS}
            """,  # noqa: S608 - constants
            [import_id],
        )
        cursor.execute(
            f"""
            INSERT INTO directory_account ({_COLUMNS}, changed_in_id)
            SELECT {_COLUMNS}, %s FROM directory_incoming i
             WHERE NOT i.kept
               AND NOT EXISTS (SELECT FROM directory_account a WHERE a.address = i.address)
             ORDER BY i.address
            """,  # noqa: S608 - constants
            [import_id],
        )
        cursor.execute("ANALYZE directory_account")
    return gone, back


def _choices() -> dict[str, dict[str, int]]:
    """Count active accounts by everything an audience can choose."""
    sources = {
        "groups": "unnest(groups)",
        "faculties": "faculty",
        "programmes": "programme",
        "campuses": "campus",
        "units": "unit",
    }
    choices: dict[str, dict[str, int]] = {}
    with connection.cursor() as cursor:
        for field, expression in sources.items():
            cursor.execute(
                f"SELECT {expression} AS value, count(*) FROM directory_account"  # noqa: S608
                " WHERE active GROUP BY value ORDER BY value"
            )
            choices[field] = {value: count for value, count in cursor.fetchall() if value}
    return choices


@transaction.atomic
def keep_upload(content: bytes, *, name: str, by: int) -> int:
    """Hold a file until the person who brought it decides; forget the older ones.

    Repeat:  one file per person: a new one replaces the one before
    """
    now = timezone.now()
    forget_uploads(by=by, before=now - UPLOAD_LIVES)
    return Upload.objects.create(name=name[:255], content=content, by_id=by, at=now).pk


def forget_uploads(*, by: int, before: datetime) -> None:
    """Delete the person's own files and everybody's that nobody decided about in time."""
    Upload.objects.filter(by=by).delete()
    Upload.objects.filter(at__lt=before).delete()
