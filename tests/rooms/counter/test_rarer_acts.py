"""What is seldom done is done through the pages by the right person, and the case shows it."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from circular.evidence.actors import CLOCK
from circular.evidence.queries import entries_of
from circular.evidence.services import case_chain
from circular.people.models import Holding, Person, Post
from circular.people.roles import Role
from circular.workflow import services
from circular.workflow.content import Content
from circular.workflow.models import Duty, Request
from circular.workflow.queries import content_of
from circular.workflow.states import Verdict
from counter_town import SignIn, Town, draft, settle, walk


def page(client: Client, number: str) -> str:
    answer = client.get(f"/e/{number}")
    assert answer.status_code == 200
    return answer.content.decode()


def acts_of(number: str) -> list[str]:
    return [one.act for one in entries_of(case_chain(Request.objects.get(filing_number=number).pk))]


@pytest.fixture
def rector(town: Town) -> Post:
    """Let a post of the same unit call cases urgent."""
    person = Person.objects.create(email="rita@unimacizo.example", full_name="R. Ectora")
    post = Post.objects.create(
        code="rectoria", name="Rectoría", role=Role.QUALITY, mailbox="rectoria@unimacizo.example"
    )
    Holding.objects.create(person=person, post=post, from_on=date(2020, 1, 1))
    services.name_urgent_post(post.pk, by=town.actor("admin"))
    town.people["rita"] = person
    return post


def test_an_erratum_goes_to_the_same_people_as_a_linked_case(town: Town, browser: SignIn) -> None:
    number = walk(town, draft(town, "Jornada de salud"), "sent")
    anna = browser("anna")

    asked = anna.get(f"/e/{number}/actos/fe-de-erratas").content.decode()
    answer = anna.post(f"/e/{number}/actos/fe-de-erratas")

    assert "Va a las mismas" in asked
    assert browser("otto").post(f"/e/{number}/actos/fe-de-erratas").status_code == 409
    erratum = Request.objects.get(erratum_of__filing_number=number)
    assert answer["Location"].endswith(f"/{erratum.pk}")
    assert anna.get(answer["Location"]).status_code == 200
    services.update_draft(erratum.pk, _corrected(erratum), by=town.actor("anna"))
    made = walk(town, erratum.pk, "sending")
    mailing = Request.objects.get(pk=erratum.pk).mailing
    first = Request.objects.get(filing_number=number).mailing
    assert mailing is not None
    assert first is not None
    assert mailing.audience == first.audience
    assert f'<a href="/e/{number}">{number}</a>' in page(anna, made)
    assert f'<a href="/e/{made}">{made}</a>' in page(anna, number)
    assert "erratum_issued" in acts_of(number)


def _corrected(erratum: Request) -> Content:
    assert erratum.version is not None
    return replace(content_of(erratum.version), text="El día es otro: el miércoles.")


def test_a_new_request_is_made_from_a_closed_one(town: Town, browser: SignIn) -> None:
    number = walk(town, draft(town, "Jornada de salud"), "closed")
    anna = browser("anna")

    answer = anna.post(f"/e/{number}/actos/copiar")

    copy = Request.objects.select_related("version").get(copied_from__filing_number=number)
    assert copy.version is not None
    assert (copy.state, copy.version.subject) == ("draft", "Jornada de salud")
    assert anna.get(answer["Location"]).status_code == 200
    made = walk(town, copy.pk, "filed")
    assert number in page(anna, made)
    assert made in page(anna, number)


def test_an_urgent_case_has_shorter_limits_and_is_looked_at_afterwards(
    town: Town, browser: SignIn, rector: Post
) -> None:
    pk = draft(town, "Cierre de la sede")
    number = walk(town, pk, "forwarded")
    rita, paula, vera = browser("rita"), browser("paula"), browser("vera")
    usual = Duty.objects.get(request=pk, ended_at=None).due_at

    assert paula.post(f"/e/{number}/actos/urgente", {"reason": "Hoy"}).status_code == 409
    assert rita.post(f"/e/{number}/actos/urgente", {"reason": ""}).status_code == 422
    answer = rita.post(f"/e/{number}/actos/urgente", {"reason": "Se inundó el sótano."})

    assert answer.status_code == 302
    assert Duty.objects.get(request=pk, ended_at=None).due_at < usual
    html = page(paula, number)
    assert "R. Ectora declaró la urgencia:" in html
    assert "Se inundó el sótano." in html
    walk_on(town, pk)
    assert paula.post(f"/e/{number}/actos/cerrar").status_code == 409
    assert rita.post(f"/e/{number}/actos/revisar-urgencia", {"reason": "Sí"}).status_code == 409
    reviewed = vera.post(
        f"/e/{number}/actos/revisar-urgencia", {"reason": "No podía esperar al lunes."}
    )
    assert reviewed.status_code == 302
    assert "No podía esperar al lunes." in page(paula, number)
    assert paula.post(f"/e/{number}/actos/cerrar").status_code == 302
    assert acts_of(number)[-2:] == ["reviewed_afterwards", "closed"]


def walk_on(town: Town, pk: int) -> None:
    """Go on from the hand-over to the verdict."""
    otto, paula = town.actor("otto"), town.actor("paula")
    services.accept(pk, by=otto)
    services.start(pk, by=otto)
    settle(pk)
    services.mark_sent(pk, by=CLOCK)
    services.confirm_to_communications(pk, by=otto)
    services.confirm_to_requester(pk, by=paula)
    services.verify(pk, by=paula, verdict=Verdict.POSITIVE)


def test_a_sending_by_other_means_is_declared_with_its_evidence(
    town: Town, browser: SignIn
) -> None:
    number = walk(town, draft(town, "Jornada de salud"), "accepted")
    otto = browser("otto")
    yesterday = timezone.localdate() - timedelta(days=1)
    told = {
        "audience": "60",
        "accepted": "58",
        "refused": "2",
        "bounced": "0",
        "suppressed": "0",
        "on": f"{yesterday:%d/%m/%Y}",
        "began": "14:00",
        "ended": "14:40",
    }
    address = f"/e/{number}/actos/declarar-enviado"

    assert otto.post(address, told).status_code == 422
    proof = SimpleUploadedFile("reporte.csv", b"a;b\n", content_type="text/csv")
    assert browser("paula").post(address, told | {"documents": proof}).status_code == 409
    proof.seek(0)
    told["note"] = "Con la consola del proveedor"
    assert otto.post(address, told | {"documents": proof}).status_code == 302
    assert "Con la consola del proveedor" in otto.get(f"/e/{number}").content.decode()

    html = page(browser("anna"), number)
    assert "reporte.csv" in html
    assert "58" in html
    row = Request.objects.get(filing_number=number)
    assert (row.state, row.way) == ("sent", "external")
    assert acts_of(number)[-1] == "declared_sent"


def test_a_closed_case_is_reopened_with_its_reason(town: Town, browser: SignIn) -> None:
    number = walk(town, draft(town, "Jornada de salud"), "closed")
    quentin = browser("quentin")

    for name in ("anna", "otto"):
        refused = browser(name).post(f"/e/{number}/actos/reabrir", {"reason": "Quiero"})
        assert refused.status_code == 409
    assert quentin.post(f"/e/{number}/actos/reabrir", {"reason": ""}).status_code == 422
    answer = quentin.post(f"/e/{number}/actos/reabrir", {"reason": "Llegó un reclamo."})

    assert answer.status_code == 302
    html = page(browser("paula"), number)
    assert "Reabierta con esta razón:" in html
    assert "Llegó un reclamo." in html
    assert Request.objects.get(filing_number=number).state == "confirmed"
    assert "/actos/verificar" in html
