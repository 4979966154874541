"""A code and an invitation leave the house as Mailings of kind secret."""

import pytest
from django.utils import timezone

from circular.evidence.actors import SYSTEM
from circular.mailing.models import Mailing, Recipient
from circular.people import services, signin
from circular.people.models import SignInCode

pytestmark = pytest.mark.django_db


def test_a_code_leaves_as_a_secret_mailing_to_its_own_mailbox() -> None:
    services.invite_person(email="anna@u.edu.co", full_name="A", mailed=False, by=SYSTEM)
    signin.ask_for_code("anna@u.edu.co", now=timezone.now())

    assert signin.mail_code(SignInCode.objects.get().pk, now=timezone.now())

    mailing = Mailing.objects.get()
    assert (mailing.kind, mailing.state) == ("secret", "released")
    assert Recipient.objects.get(mailing=mailing).address == "anna@u.edu.co"


def test_an_invitation_leaves_as_a_secret_mailing_with_its_link() -> None:
    invited = services.invite_person(email="dean@u.edu.co", full_name="D", by=SYSTEM)

    mailing = Mailing.objects.get()
    assert mailing.kind == "secret"
    assert f"/invitacion/{invited.token}" in str(mailing.stencil.content)
