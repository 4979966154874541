"""The witness's copy read from a real Dovecot: equal, and with one word altered."""

from collections.abc import Callable, Iterator

import pytest

from circular.evidence.actors import SYSTEM
from circular.followup import queries, services
from circular.followup.closing import Outcome, Reason
from circular.mailing.models import Recipient
from circular.mailing.queries import printed_copy
from circular.mailing.services import add_witness
from circular.workflow.models import Request
from dovecot import Dovecot, running_dovecot

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def server(require_program: Callable[[str, str], str]) -> Iterator[Dovecot]:
    """Run one Dovecot for this file."""
    program = require_program("dovecot", "dovecot-imapd")
    with running_dovecot(program, require_program("openssl", "openssl")) as running:
        yield running


@pytest.fixture
def dovecot(server: Dovecot, monkeypatch: pytest.MonkeyPatch, cast: object) -> Dovecot:
    """Empty it, trust it, and name its mailbox a witness."""
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    server.empty()
    add_witness(
        address="testigo@correo.example",
        imap_host="localhost",
        imap_port=server.tls,
        security="tls",
        username="testigo",
        password="secreto",
        folder="INBOX",
        by=SYSTEM,
    )
    return server


def copy_of(request_id: int) -> bytes:
    mailing = Request.objects.get(pk=request_id).mailing_id
    return printed_copy(Recipient.objects.get(mailing=mailing, witness=True).pk).raw


def test_the_copy_that_arrived_as_approved_closes_the_case(
    dovecot: Dovecot, settled: Callable[..., int]
) -> None:
    request_id = settled()
    services.settle_case(request_id)
    before = services.verify_case(request_id)
    dovecot.deliver(b"Delivered-To: testigo\r\n" + copy_of(request_id), name="1")

    after = services.verify_case(request_id)

    assert (before, after) == (Outcome.WAITING, Outcome.POSITIVE)
    assert services.close_case(request_id)


def test_one_word_altered_before_the_check_is_a_negative_verdict(
    dovecot: Dovecot, settled: Callable[..., int]
) -> None:
    request_id = settled()
    services.settle_case(request_id)
    dovecot.deliver(copy_of(request_id).replace(b"martes", b"lunes"), name="1")

    assert services.verify_case(request_id) is Outcome.NEGATIVE
    [row] = queries.verifications(request_id)
    assert Reason.TEXT_DIFFERS in row.reasons
    assert any("lunes" in line for line in row.difference)


def test_a_password_that_no_longer_fits_is_told_by_its_code(
    dovecot: Dovecot, settled: Callable[..., int]
) -> None:
    from circular.mailing.models import WitnessMailbox
    from circular.mailing.sealed import seal

    WitnessMailbox.objects.update(password_sealed=seal("otra"))
    request_id = settled()
    services.settle_case(request_id)

    assert services.verify_case(request_id) is Outcome.WAITING
    [row] = queries.verifications(request_id)
    assert row.sights[0]["code"] == "mailbox_access"
