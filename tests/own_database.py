"""The test's own database: how another process is told about it, and how it is emptied."""

import os
from pathlib import Path
from urllib.parse import quote, urlencode

from django.db import connection, transaction

MADE_BY_MIGRATIONS = {"django_content_type", "auth_permission"}


def address() -> str:
    """Return the test database's address in the form of CIRCULAR_DATABASE_URL.

    A server on a socket (the included PostgreSQL) stands in the query, with its password file.
    """
    facts = connection.settings_dict
    password = f":{quote(facts['PASSWORD'], safe='')}" if facts["PASSWORD"] else ""
    options = {name: facts["OPTIONS"][name] for name in ("passfile",) if name in facts["OPTIONS"]}
    query = {"host": facts["HOST"], "port": str(facts["PORT"]), **options}
    said = urlencode({name: value for name, value in query.items() if value})
    return f"postgresql://{quote(facts['USER'], safe='')}{password}@/{facts['NAME']}?{said}"


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a process that works on it, with a folder of its own."""
    return os.environ | {
        "CIRCULAR_DATABASE_URL": address(),
        "CIRCULAR_DATA_FOLDER": str(folder),
        "DJANGO_SETTINGS_MODULE": "circular.config.settings",
    }


def empty() -> None:
    """Delete every row but those that the migrations made; triggers refuse nothing meanwhile."""
    assert str(connection.settings_dict["NAME"]).startswith("test_"), "never a database in use"
    names = connection.introspection.django_table_names(include_views=False)
    tables = [f'"{name}"' for name in names if name not in MADE_BY_MIGRATIONS]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{one}' WHERE EXISTS (SELECT FROM {one})" for one in tables)
        )
        filled = [name for (name,) in cursor.fetchall()]
        for table in filled:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for table in filled:
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or ALTER TABLE finds pending events
        for table in filled:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
