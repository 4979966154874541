"""A released mailing to nine people and one witness, and a way to lease them all."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection

from circular.directory.services import import_accounts
from circular.evidence.actors import SYSTEM
from circular.mailing.kinds import MailClass
from circular.mailing.models import Recipient, WitnessMailbox
from circular.people.models import Institution
from circulars import release_circular

NOW = datetime.now(UTC)


@pytest.fixture
def release(db: None) -> Callable[..., int]:
    Institution.objects.create(
        name="Universidad del Macizo", short_name="Unimacizo", domain="unimacizo.example"
    )
    lines = ["address", *(f"persona{number}@unimacizo.example" for number in range(1, 10))]
    import_accounts(
        "\n".join(lines).encode(), name="prueba.csv", keep_good=False, confirm=True, by=SYSTEM
    )
    WitnessMailbox.objects.create(
        address="testigo@unimacizo.example", imap_host="localhost", username="testigo"
    )

    def make(mail_class: MailClass = MailClass.INFORMATIVE) -> int:
        return release_circular(mail_class, witnesses=True)

    return make


@pytest.fixture
def lease() -> Callable[..., list[int]]:
    def take(mailing_id: int, number: int, *, witness: bool = False) -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE mailing_recipient SET lease = %s, next_try_at = now()"
                " WHERE mailing_id = %s AND witness = %s AND state = 'pending' AND lease IS NULL",
                [number, mailing_id, witness],
            )
        return list(
            Recipient.objects.filter(mailing=mailing_id, lease=number)
            .order_by("id")
            .values_list("id", flat=True)
        )

    return take
