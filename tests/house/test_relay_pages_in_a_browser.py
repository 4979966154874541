"""The pages about where mail leaves, with relays, quotas and processes on them, in a real browser.

Needs Chromium (apt-get install chromium); look.md §8 is the rule.
"""

from datetime import timedelta
from typing import Literal

import pytest
from django.utils import timezone
from playwright.sync_api import Browser

from browsing import sideways, signed_in, violations
from circular.dispatch import services as dispatch
from circular.dispatch.models import Lease, QuotaUse, Relay, Worker
from circular.dispatch.quotas import Quota, QuotaUnit, Window
from circular.dispatch.services import Terms
from circular.evidence.actors import SYSTEM
from circular.workflow.models import Request
from counter_town import Town, build_town, fill

PATHS = ("servidores", "servidores/{relay}", "servidores/nuevo?modelo=exchange_online", "procesos")
QUOTAS = tuple(Quota(window, unit, 10_000) for window in Window for unit in QuotaUnit)


@pytest.fixture(scope="module")
def town(pages: str) -> Town:
    """Build a town that sends: a relay with every quota, a rest, and processes of every kind."""
    town = fill(build_town())
    now = timezone.now()
    relay = dispatch.add_relay(
        name="salida-con-un-nombre-largo",
        host="correo-de-salida-1.servidores.unimacizo.example",
        port=587,
        terms=Terms(classes=("oficial", "promocional"), groups=("student",), quotas=QUOTAS),
        by=SYSTEM,
    )
    Relay.objects.filter(pk=relay).update(
        failures=3,
        resting_until=now + timedelta(minutes=5),
        trouble="relay_throttles",
        trouble_detail="450 4.2.1 Peak SMTP relay limit exceeded for customer",
    )
    for number, window in enumerate(Window):
        QuotaUse.objects.create(
            relay_id=relay, window=window, began_at=now, messages=9500, recipients=number * 3000
        )
    mailing = Request.objects.get(filing_number=town.cases["sending"]).mailing_id
    assert mailing is not None
    for number, host in enumerate(("correo-1.unimacizo.example", "correo-2.unimacizo.example")):
        worker = Worker.objects.create(
            host=host,
            pid=31_000 + number,
            version="0.1.0",
            started_at=now - timedelta(days=1),
            seen_at=now - timedelta(minutes=5 * number),
        )
        Lease.objects.create(
            mailing_id=mailing, worker=worker, at=now, until=now, leased_count=1000
        )
    Worker.objects.create(host="viejo", pid=1, started_at=now, seen_at=now, ended_at=now)
    return town


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_relays_and_processes(
    pages: str, town: Town, chromium: Browser, scheme: Literal["light", "dark"]
) -> None:
    faults: list[str] = []
    relay = Relay.objects.get(name="salida-con-un-nombre-largo").pk

    with signed_in(chromium, town.people["otto"], pages, color_scheme=scheme) as context:
        page = context.new_page()
        for path in PATHS:
            page.goto(f"{pages}/administracion/{path.format(relay=relay)}")
            for width in (1280, 390):
                page.set_viewport_size({"width": width, "height": 900})
                faults += [f"{path} {width}: {found}" for found in violations(page)]
                if sideways(page):
                    faults.append(f"{path} {width}: scrolls sideways")

    assert faults == []
