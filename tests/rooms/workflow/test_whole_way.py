"""One request walks all five activities; every act is evidence, every hand-over a letter."""

from typing import Any

import pytest

from circular.evidence.queries import entries_of
from circular.evidence.services import case_chain
from circular.mailing.models import Mailing, Recipient
from circular.workflow import services
from circular.workflow.models import Correspondence, Duty, Request
from circular.workflow.states import State, Verdict
from circular.workflow.transitions import Moved


def digest_of(request_id: int) -> str:
    version = Request.objects.select_related("version").get(pk=request_id).version
    assert version is not None
    return version.digest


def settle(request_id: int) -> None:
    """Play the post office: everybody was accepted."""
    mailing = Request.objects.get(pk=request_id).mailing_id
    Recipient.objects.filter(mailing=mailing).update(state="accepted")
    from circular.evidence.actors import RELAY
    from circular.mailing.services import note_settled

    assert mailing is not None
    assert note_settled(mailing, by=RELAY)


@pytest.mark.django_db
def test_a_request_walks_from_the_draft_to_the_closed_case(cast: Any, draft: int) -> None:
    assert isinstance(services.file_request(draft, by=cast.anna), Moved)
    assert isinstance(services.take(draft, by=cast.paula), Moved)
    assert isinstance(services.send_test(draft, by=cast.paula), Moved)
    assert isinstance(services.sign_off(draft, by=cast.anna, seen_digest=digest_of(draft)), Moved)
    approved = services.approve(draft, by=cast.paula, seen_digest=digest_of(draft), seen_count=3)
    assert isinstance(approved, Moved)
    assert approved.facts.state is State.FORWARDED
    assert isinstance(services.accept(draft, by=cast.otto), Moved)
    assert isinstance(services.start(draft, by=cast.otto), Moved)
    settle(draft)
    assert isinstance(services.mark_sent(draft), Moved)
    assert isinstance(services.confirm_to_communications(draft, by=cast.otto), Moved)
    assert isinstance(services.confirm_to_requester(draft, by=cast.paula), Moved)
    assert isinstance(
        services.verify(
            draft,
            by=cast.paula,
            verdict=Verdict.POSITIVE,
            reasons=["totals"],
            checks=[(True, "Los totales cuadran")],
        ),
        Moved,
    )
    assert isinstance(services.close(draft, by=cast.paula), Moved)

    row = Request.objects.get(pk=draft)
    assert row.state == State.CLOSED
    assert row.filing_number is not None
    assert row.filing_number.startswith("CIR-")
    assert not Duty.objects.filter(request=draft, ended_at__isnull=True).exists()
    acts = [entry.act for entry in entries_of(case_chain(draft)) if entry.act != "letter_posted"]
    assert acts == [
        "drafted",
        "filed",
        "acknowledged",
        "taken",
        "tested",
        "signed_off",
        "approved",
        "forwarded",
        "accepted_by_it",
        "started",
        "sent",
        "confirmed_to_communications",
        "confirmed_to_requester",
        "verified",
        "closed",
    ]
    letters = list(
        Correspondence.objects.filter(request=draft).order_by("id").values_list("letter", flat=True)
    )
    assert letters == [
        "acknowledgement",
        "request_to_review",
        "proof",
        "forwarded",
        "approved",
        "confirmation_to_communications",
        "confirmation_to_requester",
        "verdict_positive",
    ]
    assert row.mailing_id is not None
    assert Mailing.objects.get(pk=row.mailing_id).audience == 3
