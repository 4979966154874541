"""An administrator keeps the house in order, each change an entry; nobody else sees the pages."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.paginator import InvalidPage, Paginator
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from circular.evidence.actors import SYSTEM, Actor
from circular.evidence.chain import HOUSE
from circular.evidence.queries import entries_of
from circular.people import queries, services
from circular.people.accounts import KnownAccount
from circular.people.models import Holding, Person, Post, Sender, Unit
from circular.people.roles import Role
from variants import assert_catches

pytestmark = pytest.mark.django_db

PAGES = [
    "/administracion/personas",
    "/administracion/personas/invitar",
    "/administracion/cargos",
    "/administracion/cargos/nuevo",
    "/administracion/dependencias",
    "/administracion/dependencias/nueva",
    "/administracion/remitentes",
    "/administracion/institucion",
]


def acts() -> list[str]:
    return [entry.act for entry in entries_of(HOUSE)]


def person(email: str, *, administrator: bool = False) -> Person:
    invited = services.invite_person(
        email=email,
        full_name=email.partition("@")[0].title(),
        administrator=administrator,
        mailed=False,
        by=SYSTEM,
    )
    return Person.objects.get(pk=invited.person)


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(person("amparo@u.edu.co", administrator=True))
    return client


@pytest.fixture
def unit() -> int:
    return services.save_unit(None, code="BIB", name="Biblioteca", kind="administrative", by=SYSTEM)


def post_row(role: Role = Role.TIC, code: str = "tic") -> int:
    return services.save_post(
        None,
        code=code,
        name="Profesional universitario",
        role=role.value,
        mailbox=f"{code}@u.edu.co",
        unit=None,
        by=SYSTEM,
    )


@pytest.mark.parametrize("page", PAGES)
def test_mallory_sees_nothing_of_the_administration(client: Client, page: str) -> None:
    client.force_login(person("mallory@u.edu.co"))

    assert client.get(page).status_code == 403
    assert client.post(page, {"name": "x"}).status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_whoever_is_not_signed_in_is_asked_to(client: Client, page: str) -> None:
    assert client.get(page).headers["Location"] == f"/entrar?next={page}"


@pytest.mark.parametrize("page", PAGES)
def test_an_administrator_sees_every_page_also_while_it_is_empty(admin: Client, page: str) -> None:
    assert admin.get(page).status_code == 200


def test_an_invited_person_gets_a_letter_and_units(
    admin: Client, unit: int, letterbox: Any
) -> None:
    admin.post(
        "/administracion/personas/invitar",
        {"full_name": "Dean Ríos", "email": "DEAN@u.edu.co", "language": "es", "units": [unit]},
    )

    dean = queries.person_by_address("dean@u.edu.co")
    assert dean is not None
    assert letterbox.last.to == "dean@u.edu.co"
    assert [row.name for row in queries.units_of(dean.id)] == ["Biblioteca"]
    assert queries.roles_of(dean.id) == {Role.REQUESTER}


def test_an_address_is_invited_once(admin: Client, letterbox: Any) -> None:
    data = {"full_name": "Dean", "email": "dean@u.edu.co", "language": "es"}
    admin.post("/administracion/personas/invitar", data)

    again = admin.post("/administracion/personas/invitar", data)

    assert again.status_code == 422
    assert "Ya hay una persona con este correo" in again.content.decode()


def test_a_deactivated_person_is_out_at_once(admin: Client) -> None:
    dean = person("dean@u.edu.co", administrator=True)
    client = Client()
    client.force_login(dean)

    admin.post(f"/administracion/personas/{dean.pk}", {"full_name": "Dean", "language": "es"})

    assert client.get("/administracion/personas").status_code == 302
    assert "person_changed" in acts()


def test_nobody_takes_their_own_key_away(admin: Client) -> None:
    own = Person.objects.get(email="amparo@u.edu.co")

    answer = admin.post(f"/administracion/personas/{own.pk}", {"full_name": "A", "language": "es"})

    assert answer.status_code == 422
    assert Person.objects.get(pk=own.pk).is_superuser


def test_a_form_sent_twice_leaves_one_entry(admin: Client, unit: int) -> None:
    data = {
        "code": "BIB",
        "name": "Biblioteca Central",
        "category": "administrative",
        "active": "1",
    }
    admin.post(f"/administracion/dependencias/{unit}", data)
    before = acts()

    admin.post(f"/administracion/dependencias/{unit}", data)

    assert acts() == before


def test_a_post_gives_its_role_while_it_is_held(admin: Client) -> None:
    otto, post = person("otto@u.edu.co"), post_row()
    today = timezone.localdate()

    admin.post(
        f"/administracion/cargos/{post}/asignar",
        {"person": "OTTO@u.edu.co", "from_on": today.strftime("%d/%m/%Y")},
    )

    assert queries.roles_of(otto.pk) == {Role.TIC}
    assert queries.post_of(otto.pk, Role.TIC) == queries.post_for(Role.TIC)
    assert [row.email for row in queries.holders_of(post)] == ["otto@u.edu.co"]


def test_a_delegation_without_end_is_refused_at_its_field(admin: Client) -> None:
    person("otto@u.edu.co")
    post = post_row()

    answer = admin.post(
        f"/administracion/cargos/{post}/asignar",
        {"person": "otto@u.edu.co", "from_on": "18/11/2026", "acting": "1"},
    )

    assert answer.status_code == 422
    assert "Un encargo necesita fecha de fin" in answer.content.decode()


def test_a_holding_ends_today_and_gives_nothing_tomorrow(admin: Client) -> None:
    otto, post = person("otto@u.edu.co"), post_row()
    today = timezone.localdate()
    holding = services.appoint(person=otto.pk, post=post, from_on=today, by=SYSTEM)

    admin.post(f"/administracion/asignaciones/{holding}/terminar")

    assert Holding.objects.get(pk=holding).until_on == today
    assert queries.roles_of(otto.pk, today + timedelta(days=1)) == frozenset()


def test_an_inactive_post_gives_no_role() -> None:
    otto, post = person("otto@u.edu.co"), post_row()
    services.appoint(person=otto.pk, post=post, from_on=timezone.localdate(), by=SYSTEM)

    Post.objects.filter(pk=post).update(active=False)

    assert queries.roles_of(otto.pk) == frozenset()
    assert queries.post_for(Role.TIC) is None


def test_a_unit_never_stands_below_itself(admin: Client, unit: int) -> None:
    child = services.save_unit(
        None, code="HEM", name="Hemeroteca", kind="administrative", parent=unit, by=SYSTEM
    )

    answer = admin.post(
        f"/administracion/dependencias/{unit}",
        {"code": "BIB", "name": "Biblioteca", "category": "administrative", "parent": child},
    )

    assert answer.status_code == 422
    assert Unit.objects.get(pk=unit).parent_id is None


def test_a_sender_of_a_foreign_domain_is_refused(admin: Client, unit: int) -> None:
    services.save_institution({"name": "U", "short_name": "U", "domain": "u.edu.co"}, by=SYSTEM)
    data = {"unit": unit, "display_name": "Biblioteca", "active": "1"}

    foreign = admin.post("/administracion/remitentes/nuevo", data | {"address": "b@gmail.com"})
    lookalike = admin.post("/administracion/remitentes/nuevo", data | {"address": "b@xu.edu.co"})
    own = admin.post("/administracion/remitentes/nuevo", data | {"address": "b@bib.u.edu.co"})

    assert [foreign.status_code, lookalike.status_code, own.status_code] == [422, 422, 302]
    assert Sender.objects.get().address == "b@bib.u.edu.co"


def test_a_person_may_use_the_senders_of_their_units_only(unit: int) -> None:
    other = services.save_unit(None, code="X", name="Otra", kind="academic", by=SYSTEM)
    mine = services.save_sender(
        None, unit=unit, display_name="Biblioteca", address="b@u.edu.co", by=SYSTEM
    )
    services.save_sender(None, unit=other, display_name="Otra", address="o@u.edu.co", by=SYSTEM)
    anna = person("anna@u.edu.co")
    services.grant_units(anna.pk, [unit], by=SYSTEM)

    assert [row.id for row in queries.senders_for(anna.pk)] == [mine]


def test_an_accent_that_cannot_be_read_on_white_is_refused(admin: Client) -> None:
    data = {
        "name": "Universidad",
        "short_name": "U",
        "domain": "u.edu.co",
        "communications_name": "Comunicaciones",
        "it_name": "TIC",
        "language": "es",
    }

    pale = admin.post("/administracion/institucion", data | {"accent": "#ffe680"})
    deep = admin.post("/administracion/institucion", data | {"accent": "#1f5f8b"})

    assert (pale.status_code, deep.status_code) == (422, 302)
    assert queries.institution().accent == "#1f5f8b"


def test_somebody_of_the_directory_asks_for_the_unit_that_the_directory_names(unit: int) -> None:
    found = services.ensure_person(KnownAccount("luz@u.edu.co", "Luz Peña", "biblioteca"))

    again = services.ensure_person(KnownAccount("LUZ@u.edu.co", "Otra", "Biblioteca"))

    assert found == again
    assert [row.id for row in queries.units_of(found)] == [unit]
    assert acts().count("person_added") == 1


def test_entries_name_rows_and_fields_and_never_a_person(admin: Client, letterbox: Any) -> None:
    admin.post(
        "/administracion/personas/invitar",
        {"full_name": "Zoraida Única", "email": "zoraida@u.edu.co", "language": "es"},
    )

    entries = list(entries_of(HOUSE))
    assert entries[-1].by == Actor.of(Person.objects.get(email="amparo@u.edu.co").pk)
    assert not any("zoraida" in str(entry.facts).lower() for entry in entries)


@pytest.mark.parametrize(
    ("page", "most"),
    [
        ("/administracion/personas", 25),
        ("/administracion/cargos", 25),
        ("/administracion/dependencias", 25),
        ("/administracion/remitentes", 25),
    ],
)
def test_a_list_asks_the_same_number_of_questions_however_long_it_is(
    admin: Client, page: str, most: int, unit: int
) -> None:
    def grow(start: int) -> None:
        for number in range(start, start + 10):
            somebody = person(f"p{number}@u.edu.co")
            post = post_row(code=f"c{number}")
            services.appoint(person=somebody.pk, post=post, from_on=timezone.localdate(), by=SYSTEM)
            services.grant_units(somebody.pk, [unit], by=SYSTEM)
            below = services.save_unit(
                None, code=f"U{number}", name=f"U{number}", kind="academic", parent=unit, by=SYSTEM
            )
            services.save_sender(
                None, unit=below, display_name="U", address=f"u{number}@u.edu.co", by=SYSTEM
            )

    grow(0)
    with CaptureQueriesContext(
        connection,
    ) as few:
        admin.get(page)
    grow(10)
    with CaptureQueriesContext(connection) as many:
        admin.get(page)

    assert len(many) == len(few)
    assert len(many) <= most


def test_naughty_names_are_shown_back_escaped_or_refused_with_a_message(
    admin: Client, corpora: Any
) -> None:
    for sample in corpora("naughty-strings").samples.values():
        name = sample["input"]
        answer = admin.post(
            "/administracion/dependencias/nueva",
            {"code": f"N{Unit.objects.count()}", "name": name, "category": "academic"},
        )
        assert answer.status_code in {302, 422}

    page = admin.get("/administracion/dependencias").content.decode()
    assert "<script>alert" not in page


def look_for_anything(admin: Client) -> None:
    # Without shrinking: each example is a page, and a broken list has only to be caught.
    @settings(
        max_examples=30,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        phases=[Phase.explicit, Phase.generate],
        report_multiple_bugs=False,
    )
    @given(st.text(max_size=40), st.text(max_size=10))
    def holds(sought: str, page: str) -> None:
        answer = admin.get(
            "/administracion/personas",
            {
                "q": sought.encode("utf-8", "replace").decode(),
                "pagina": page.encode("utf-8", "replace").decode(),
            },
        )
        assert answer.status_code == 200

    holds()


def test_no_search_whatever_breaks_the_list_of_people(admin: Client) -> None:
    look_for_anything(admin)


def test_a_list_that_believes_its_page_numbers_is_caught(admin: Client) -> None:
    assert_catches(
        lambda: look_for_anything(admin), Paginator, "get_page", Paginator.page, InvalidPage
    )
