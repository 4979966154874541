"""The pages about where mail leaves: relays, quotas, presets, processes, when a sending stops."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from circular.dispatch import queries as relays
from circular.dispatch import services as dispatch
from circular.dispatch.models import Lease, QuotaUse, Relay, Worker
from circular.dispatch.presets import PRESETS
from circular.dispatch.quotas import Quota, QuotaUnit, Window
from circular.dispatch.services import Terms
from circular.evidence.actors import SYSTEM
from circular.evidence.models import Entry
from circular.workflow.models import Request
from counter_town import SignIn, Town

A_DAY = Quota(Window.DAY, QuotaUnit.RECIPIENTS, 10_000)
TYPED = {
    "name": "salida-9",
    "host": "127.0.0.1",
    "port": "1",
    "security": "none",
    "max_connections": "2",
    "rank": "5",
    "active": "on",
}


def only_relay(*, quotas: tuple[Quota, ...] = ()) -> int:
    Relay.objects.all().delete()
    return dispatch.add_relay(
        name="salida-9",
        host="127.0.0.1",
        port=1,
        security="none",
        terms=Terms(quotas=quotas),
        by=SYSTEM,
    )


def a_worker(host: str, **more: object) -> Worker:
    now = timezone.now()
    return Worker.objects.create(
        host=host, pid=7, version="0.3", **{"started_at": now, "seen_at": now} | more
    )


@pytest.mark.parametrize("name", ["otto", "admin"])
@pytest.mark.parametrize(
    "path", ["servidores", "servidores/nuevo", "servidores/reglas", "procesos"]
)
def test_it_and_the_administrator_open(town: Town, browser: SignIn, name: str, path: str) -> None:
    assert browser(name).get(f"/administracion/{path}").status_code == 200


@pytest.mark.parametrize("name", ["anna", "mallory"])
@pytest.mark.parametrize(
    "path", ["servidores", "servidores/nuevo", "servidores/reglas", "procesos"]
)
def test_nobody_else_opens(town: Town, browser: SignIn, name: str, path: str) -> None:
    assert browser(name).get(f"/administracion/{path}").status_code == 403


def test_the_terms_and_quotas_that_are_typed_are_kept(town: Town, browser: SignIn) -> None:
    relay = only_relay()
    form = TYPED | {
        "weight": "3",
        "classes": ["oficial"],
        "groups": ["student"],
        "depth": "4",
        "quota_day_recipients": "10000",
        "quota_minute_messages": "30",
    }

    answer = browser("otto").post(f"/administracion/servidores/{relay}", form)

    row = relays.relay(relay)
    assert answer.status_code == 302
    assert row is not None
    assert (row.weight, row.classes, row.groups, row.depth) == (3, ("oficial",), ("student",), 4)
    assert row.messages_per_connection == 500  # left empty
    assert {usage.quota for usage in relays.quota_usages()[relay]} == {
        A_DAY,
        Quota(Window.MINUTE, QuotaUnit.MESSAGES, 30),
    }


def test_a_change_of_a_relay_is_an_entry_that_names_its_quotas(town: Town, browser: SignIn) -> None:
    relay = only_relay()

    browser("otto").post(
        f"/administracion/servidores/{relay}", TYPED | {"quota_day_recipients": "10000"}
    )

    entry = Entry.objects.filter(act="relay_saved").latest("sequence")
    assert entry.person == town.people["otto"].pk
    assert entry.facts["quotas"] == ["day:recipients:10000"]


def test_a_quota_is_shown_in_words_and_as_a_bar(town: Town, browser: SignIn) -> None:
    relay = only_relay(quotas=(A_DAY,))
    QuotaUse.objects.create(
        relay_id=relay, window="day", began_at=timezone.now(), messages=1, recipients=9500
    )

    html = browser("otto").get("/administracion/servidores").content.decode()

    assert "9.500 de 10.000 personas en 24 horas" in html
    assert re.search(r'<meter min="0" max="10000" high="9000" value="9500"', html)


@pytest.mark.parametrize("key", [preset.key for preset in PRESETS])
def test_a_preset_fills_the_form_and_saves_nothing(town: Town, browser: SignIn, key: str) -> None:
    before = Relay.objects.count()

    html = browser("otto").get(f"/administracion/servidores/nuevo?modelo={key}").content.decode()

    preset = next(one for one in PRESETS if one.key == key)
    assert f'value="{preset.host}"' in html or not preset.host
    assert f'name="port" value="{preset.port}"' in html
    for quota in preset.quotas:
        name = f"quota_{quota.window}_{quota.unit}"
        assert f'name="{name}" value="{quota.most}"' in html
    assert preset.sources[0] in html
    assert Relay.objects.count() == before


def test_a_preset_that_does_not_exist_fills_nothing(town: Town, browser: SignIn) -> None:
    answer = browser("otto").get("/administracion/servidores/nuevo?modelo=carrier-pigeon")

    assert answer.status_code == 200
    assert "Se llenó" not in answer.content.decode()


def test_the_only_relay_goes_out_of_use_only_after_a_second_look(
    town: Town, browser: SignIn
) -> None:
    relay, otto = only_relay(), browser("otto")
    form = {name: value for name, value in TYPED.items() if name != "active"}

    asked = otto.post(f"/administracion/servidores/{relay}", form)
    assert asked.status_code == 422
    assert "es el único servidor en uso" in asked.content.decode()
    assert Relay.objects.get(pk=relay).active

    done = otto.post(f"/administracion/servidores/{relay}", form | {"confirm_last": "on"})
    assert done.status_code == 302
    assert not Relay.objects.get(pk=relay).active


def test_one_of_two_relays_goes_out_of_use_at_once(town: Town, browser: SignIn) -> None:
    relay = only_relay()
    dispatch.add_relay(name="salida-10", host="127.0.0.1", port=1, security="none", by=SYSTEM)
    form = {name: value for name, value in TYPED.items() if name != "active"}

    assert browser("otto").post(f"/administracion/servidores/{relay}", form).status_code == 302


@pytest.mark.parametrize(
    ("classes", "groups", "warned"),
    [((), (), False), (("oficial",), (), False), (("promocional",), (), True), ((), ("student",), True)],
)  # fmt: skip
def test_an_office_whose_letters_would_stay_is_warned(
    town: Town, browser: SignIn, classes: tuple[str, ...], groups: tuple[str, ...], *, warned: bool
) -> None:
    Relay.objects.filter(pk=only_relay()).update(classes=list(classes), groups=list(groups))

    html = browser("otto").get("/administracion/servidores").content.decode()

    assert ("Ningún servidor en uso lleva las cartas" in html) is warned


def test_the_office_says_when_a_sending_stops_by_itself(town: Town, browser: SignIn) -> None:
    otto = browser("otto")

    wrong = otto.post("/administracion/servidores/reglas", {"percent": "0", "least": "10"})
    right = otto.post("/administracion/servidores/reglas", {"percent": "7", "least": "1500"})

    rules = relays.breaker_rules()
    assert (wrong.status_code, right.status_code) == (422, 302)
    assert (rules.percent, rules.least) == (7, 1500)
    html = otto.get("/administracion/servidores").content.decode()
    assert "7 %" in html
    assert "1.500 personas" in html
    assert Entry.objects.filter(act="sending_rules_saved").exists()


def test_a_process_shows_where_it_is_what_it_sends_and_when_it_was_seen(
    town: Town, browser: SignIn
) -> None:
    case = Request.objects.get(filing_number=town.cases["sending"])
    assert case.mailing_id is not None
    worker, now = a_worker("correo-1.unimacizo.example"), timezone.now()
    Lease.objects.create(
        mailing_id=case.mailing_id,
        worker=worker,
        at=now,
        until=now + timedelta(minutes=15),
        leased_count=50,
    )
    a_worker("callado.example", seen_at=now - timedelta(minutes=5))
    a_worker("viejo.example", ended_at=now - timedelta(hours=3))
    a_worker("antiguo.example", ended_at=now - timedelta(days=3))

    html = browser("otto").get("/administracion/procesos").content.decode()

    assert "correo-1.unimacizo.example:7" in html
    assert f'href="/e/{case.filing_number}/envio"' in html
    assert "50 personas" in html
    assert "Sin señal de vida" in html
    assert "viejo.example" in html
    assert "antiguo.example" not in html


def test_the_sending_says_when_there_is_room_again_and_when_it_will_end(
    town: Town, browser: SignIn
) -> None:
    relay = only_relay(quotas=(A_DAY,))
    QuotaUse.objects.create(
        relay_id=relay,
        window="day",
        began_at=timezone.now() - timedelta(hours=20),
        messages=10_000,
        recipients=10_000,
    )

    html = browser("otto").get(f"/e/{town.cases['sending']}/envio/avance").content.decode()

    assert "Habrá cuota otra vez" in html
    assert "Se espera terminar" in html


def test_without_a_quota_the_sending_speaks_of_none(town: Town, browser: SignIn) -> None:
    only_relay()

    html = browser("otto").get(f"/e/{town.cases['sending']}/envio/avance").content.decode()

    assert "cuota" not in html


@pytest.mark.parametrize("path", ["servidores", "procesos"])
def test_a_page_costs_the_same_with_many(
    town: Town,
    browser: SignIn,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    path: str,
) -> None:
    now = timezone.now()
    mailing = Request.objects.get(filing_number=town.cases["sending"]).mailing_id
    assert mailing is not None
    for number in range(20):
        dispatch.add_relay(
            name=f"salida-{number + 20}",
            host="127.0.0.1",
            port=1,
            security="none",
            terms=Terms(quotas=(A_DAY, Quota(Window.MINUTE, QuotaUnit.MESSAGES, 30))),
            by=SYSTEM,
        )
        worker = a_worker(f"equipo-{number}")
        Lease.objects.create(
            mailing_id=mailing, worker=worker, at=now, until=now, leased_count=number
        )
    otto = browser("otto")

    with django_assert_max_num_queries(25):
        assert otto.get(f"/administracion/{path}").status_code == 200
