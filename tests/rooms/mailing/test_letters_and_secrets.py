"""Our own letters and codes are mailings like any other, with the few differences that matter."""

import email
import email.policy
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives

from circular.evidence.actors import RELAY, SYSTEM
from circular.evidence.chain import case_chain, mailing_chain
from circular.evidence.queries import entries_of
from circular.mailformat import tokens
from circular.mailing import exports, queries, services
from circular.mailing.backend import EmailBackend
from circular.mailing.errors import ContentError, ContentGoneError
from circular.mailing.kinds import MailingKind, MailingState
from circular.mailing.models import Mailing, Recipient
from circular.mailing.sealed import seal, token_secret, unseal
from circular.outcomes.services import settle
from circular.outcomes.verdicts import OutcomeFact, Verdict

pytestmark = pytest.mark.usefixtures("institution")


def post(case: int | None = 12, **more: Any) -> int:
    values: dict[str, Any] = {
        "subject": "[CIR-2026-000412] Se radicó: Jornada de salud",
        "text": "Su solicitud quedó radicada.\n",
        "html": "<p>Su solicitud quedó radicada.</p>",
        "to": "ana@unimacizo.example",
        "case": case,
        "letter": "acknowledgement",
        "in_thread": True,
    }
    return services.post_text(**(values | more), by=SYSTEM)


def settle_all(mailing_id: int) -> None:
    Recipient.objects.filter(mailing=mailing_id).update(lease=1, next_try_at=datetime.now(UTC))
    settle(
        [
            OutcomeFact(recipient=pk, verdict=Verdict.ACCEPTED, at=datetime.now(UTC), code=250)
            for pk in Recipient.objects.filter(mailing=mailing_id).values_list("pk", flat=True)
        ],
        lease=1,
        by=RELAY,
    )


def test_a_letter_is_released_at_once_and_stands_on_the_cases_chain() -> None:
    mailing_id = post()

    row = queries.mailing(mailing_id)
    assert (row.kind, row.state, row.totals.pending) == (
        MailingKind.LETTER,
        MailingState.RELEASED,
        1,
    )
    entry = list(entries_of(case_chain(12)))[-1]
    assert entry.act == "letter_posted"
    assert entry.facts == {
        "letter": "acknowledgement",
        "mailing": mailing_id,
        "stencil": row.stencil,
    }


def test_the_letters_of_a_case_are_one_thread() -> None:
    copies = [
        queries.printed_copy(Recipient.objects.get(mailing=mailing_id).pk)
        for mailing_id in (post(), post(references=["<pedido@ejemplo.example>"]))
    ]

    first, second = (
        email.message_from_bytes(copy.raw, policy=email.policy.default) for copy in copies
    )
    root = first["References"].split()[0]
    assert tokens.case_of_message_id(token_secret(), root) == 12
    assert second["References"].split() == [root, "<pedido@ejemplo.example>"]
    assert second["In-Reply-To"] == "<pedido@ejemplo.example>"
    assert first["Auto-Submitted"] == "auto-generated"


def test_an_identifier_that_a_stranger_made_up_does_not_enter_our_headers() -> None:
    bad = ["<a b@x>", "<a@x>\r\nBcc: <b@y>", "sin corchetes", "<" + "a" * 300 + "@x>", "<ñ@x>"]

    copy = queries.printed_copy(Recipient.objects.get(mailing=post(references=bad)).pk)

    message = email.message_from_bytes(copy.raw, policy=email.policy.default)
    assert len(message["References"].split()) == 1


def test_a_letter_to_what_is_no_address_is_refused() -> None:
    with pytest.raises(ContentError):
        post(to="ana@unimacizo.example, otro@unimacizo.example")


def test_a_secrets_body_is_dropped_after_its_verdict_and_its_outcome_kept() -> None:
    mailing_id = post(case=None, kind=MailingKind.SECRET, text="Su código es 492031.\n", html="")
    assert b"492031" in queries.printed_copy(Recipient.objects.get(mailing=mailing_id).pk).raw

    settle_all(mailing_id)

    with pytest.raises(ContentGoneError):
        queries.printed_copy(Recipient.objects.get(mailing=mailing_id).pk)
    assert queries.mailing(mailing_id).totals.accepted == 1
    assert list(entries_of(mailing_chain(mailing_id))) == []


def test_the_same_code_for_two_people_is_two_contents() -> None:
    same: dict[str, Any] = {"case": None, "kind": MailingKind.SECRET, "text": "Su código es 1.\n"}
    first, second = post(**same), post(**same, to="otra@unimacizo.example")

    settle_all(first)

    assert b"1." in queries.printed_copy(Recipient.objects.get(mailing=second).pk).raw


def test_what_a_library_mails_leaves_as_a_secret_mailing() -> None:
    message = EmailMultiAlternatives("Código", "Su código es 1.", to=["ana@unimacizo.example"])
    message.attach_alternative("<p>Su código es <b>1</b>.</p>", "text/html")

    assert EmailBackend().send_messages([message]) == 1

    row = Mailing.objects.get()
    assert (row.kind, row.priority) == ("secret", 0)
    assert "<b>1</b>" in queries.stencil(row.stencil_id).html


def test_a_letter_before_the_institution_is_set_up_carries_the_readers_domain() -> None:
    from circular.people.models import Institution

    Institution.objects.all().delete()

    mailing_id = post(case=None, to="primera@otra.example")

    assert queries.stencil(queries.mailing(mailing_id).stencil).sender_address == (
        "circular@otra.example"
    )


def test_a_case_is_exported_with_content_whose_hash_is_the_approved_digest() -> None:
    mailing_id = post()
    post(kind=MailingKind.SECRET)
    settle_all(mailing_id)

    files = {file.path: file.content for file in exports.files_of(12)}

    canonical = files[f"envios/{mailing_id}/plantilla.json"]
    assert hashlib.sha256(canonical).hexdigest() == queries.mailing(mailing_id).stencil
    assert b"ana@unimacizo.example" in files[f"envios/{mailing_id}/destinatarios.csv"]
    assert any(path.endswith(".eml") for path in files)
    assert len({path.split("/")[1] for path in files}) == 1
    assert exports.chains_of(12) == [mailing_chain(mailing_id)]


@pytest.mark.parametrize("text", ["=1+1", "+57", "-2", "@SUMA(A1)"])
def test_no_cell_of_an_export_is_a_formula(text: str) -> None:
    assert exports.safe_cell(text).startswith("'")


def test_a_sealed_password_opens_only_with_the_key_of_the_house(settings: object) -> None:
    sealed = seal("contraseña")

    assert "contraseña" not in sealed
    assert unseal(sealed) == "contraseña"
    assert (seal(""), unseal("")) == ("", "")
