"""Whoever only fetches an address, a link scanner or a browser that reads ahead, changes nothing."""

from collections.abc import Callable, Iterator

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from circular.evidence.models import Entry
from counter_town import Town

pytestmark = pytest.mark.django_db

SignIn = Callable[[str], Client]
# Which attempts were made is counted where somebody tries; who is signed in is no matter of a case.
COUNTED_APART = {"people_ratelimit"}


def patterns(resolver: URLResolver, above: str = "") -> Iterator[str]:
    """Give every address of the house with its places to fill, as `e/<number>/actos/<slug:act>`."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield above + str(entry.pattern)
        else:
            yield from patterns(entry, above + str(entry.pattern))


def addresses(number: str) -> list[str]:
    """Fill the places with what exists: a case by its number, everything else by a first id."""
    found = set()
    for pattern in patterns(get_resolver()):
        address, *places = pattern.split("<")
        for place in places:
            name, _end, after = place.partition(">")
            address += (number if name.endswith("number") else "1") + after
        found.add("/" + address)
    return sorted(found)


def contents() -> dict[str, str]:
    """Digest every row of every table of ours."""
    tables = sorted(
        model._meta.db_table
        for model in apps.get_models()
        if model.__module__.startswith("circular.")
    )
    with connection.cursor() as cursor:
        digests = {}
        for table in set(tables) - COUNTED_APART:
            cursor.execute(
                f"SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) FROM \"{table}\" t"
            )
            digests[table] = cursor.fetchone()[0]
    return digests


@pytest.mark.parametrize(("name", "state"), [("paula", "in_review"), ("otto", "sending")])
def test_no_address_of_the_house_acts_when_it_is_fetched(
    town: Town, browser: SignIn, name: str, state: str
) -> None:
    client = browser(name)
    before, entries = contents(), Entry.objects.count()

    for address in addresses(town.cases[state]):
        for method in (client.get, client.head):
            assert method(address).status_code < 500, address

    now = contents()
    assert Entry.objects.count() == entries
    assert {table for table in now if now[table] != before[table]} == set()
