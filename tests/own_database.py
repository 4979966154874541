"""The test's own database, as another process has to be told about it."""

from urllib.parse import quote, urlencode

from django.db import connection


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
