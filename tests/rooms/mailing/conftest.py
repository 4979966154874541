"""A small institution with accounts, for the tests of this room."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from circular.directory.services import import_accounts
from circular.evidence.actors import SYSTEM
from circular.mailing import services
from circular.mailing.composing import Draft
from circular.mailing.kinds import MailingKind
from circular.people.models import Institution

EVERYBODY: dict[str, object] = {"clauses": [{}]}


@pytest.fixture
def institution(db: None) -> Institution:
    return Institution.objects.create(
        name="Universidad del Macizo",
        short_name="Unimacizo",
        domain="unimacizo.example",
        drafts_address="solicitudes@circular.unimacizo.example",
    )


@pytest.fixture
def accounts(institution: Institution) -> None:
    lines = ["address,given_name,family_name,preferred_name,groups,active"]
    for number in range(1, 11):
        preferred = "Anita" if number == 1 else ""
        group = "student" if number % 2 else "teaching"
        active = "no" if number == 9 else "yes"
        lines.append(
            f"persona{number}@unimacizo.example,Ana{number},Gómez,{preferred},{group},{active}"
        )
    import_accounts(
        "\n".join(lines).encode(), name="prueba.csv", keep_good=False, confirm=True, by=SYSTEM
    )


@pytest.fixture
def draft() -> Draft:
    return Draft(
        sender_name="Bienestar Universitario",
        sender_address="bienestar@unimacizo.example",
        subject="Jornada de salud",
        html="<p>Cordial saludo, {{nombre}}:</p><p>Del 24 al 26 de noviembre.</p>",
        audience_rule=EVERYBODY,
        unit_name="División de Salud y Bienestar",
    )


@pytest.fixture
def frozen(accounts: None, draft: Draft) -> Callable[[], int]:
    def make(**changes: Any) -> int:
        composed = services.compose_stencil(replace(draft, **changes))
        digest = services.save_stencil(composed.content, by=SYSTEM)
        mailing_id = services.create_mailing(
            kind=MailingKind.CIRCULAR, stencil=digest, case=None, by=SYSTEM
        )
        services.freeze_audience(mailing_id, EVERYBODY, witnesses=True, by=SYSTEM)
        return mailing_id

    return make
