"""A university with one unit, the sender that it may use, and Ana who belongs to it."""

from circular.people.models import Institution, Membership, Person, Sender, Unit

ANA = "ana.gomez@unimacizo.example"
DRAFTS = "solicitudes@unimacizo.example"


def furnish_office() -> None:
    Institution.objects.update_or_create(
        pk=1,
        defaults={
            "name": "Universidad del Macizo",
            "short_name": "Unimacizo",
            "domain": "unimacizo.example",
            "drafts_address": DRAFTS,
        },
    )
    unit = Unit.objects.create(code="BIE", name="División de Bienestar", kind="administrative")
    Sender.objects.create(
        unit=unit, display_name="Bienestar", address="bienestar@unimacizo.example"
    )
    ana = Person.objects.create(email=ANA, full_name="Ana Gómez", origin="imported", password="!")
    Membership.objects.create(person=ana, unit=unit)
