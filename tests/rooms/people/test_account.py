"""One's own account: a new password ends other sessions, a stale session changes no keys."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from circular.evidence.actors import SYSTEM
from circular.people import services
from circular.people.models import OneTimeLink, Person
from circular.people.signin import MailSignInCode, ask_for_code

pytestmark = pytest.mark.django_db

OLD, NEW = "tres ranas y un tambor", "cuatro tambores y una rana"


@pytest.fixture
def anna() -> Client:
    invited = services.invite_person(email="anna@u.edu.co", full_name="A", mailed=False, by=SYSTEM)
    services.set_password(invited.person, OLD, by=SYSTEM)
    return entered()


def entered(password: str = OLD) -> Client:
    client = Client()
    client.post("/entrar", {"email": "anna@u.edu.co", "password": password})
    return client


def is_in(client: Client) -> bool:
    return client.get("/cuenta").status_code == 200


def test_language_and_look_are_kept_and_shown_at_once(anna: Client) -> None:
    anna.post("/cuenta", {"language": "en", "theme": "dark"})

    page = anna.get("/cuenta").content.decode()
    assert 'lang="en"' in page
    assert 'data-bs-theme="dark"' in page


def test_a_language_that_we_do_not_speak_is_refused(anna: Client) -> None:
    assert anna.post("/cuenta", {"language": "xx", "theme": "dark"}).status_code == 422


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(anna: Client) -> None:
    other = entered()
    data = {"current": OLD, "password": NEW, "again": NEW}

    anna.post("/cuenta/contrasena", data)

    assert (is_in(anna), is_in(other)) == (True, False)
    assert is_in(entered(NEW))


def test_without_the_present_password_it_is_not_changed(anna: Client) -> None:
    answer = anna.post("/cuenta/contrasena", {"current": "no", "password": NEW, "again": NEW})

    assert answer.status_code == 422
    assert "No es la contraseña que usa ahora" in answer.content.decode()
    assert Person.objects.get().check_password(OLD)


def test_somebody_without_password_chooses_one_only_with_a_fresh_sign_in(anna: Client) -> None:
    person = Person.objects.get()
    person.set_unusable_password()
    person.save()
    client = Client()
    client.force_login(person)

    client.post("/cuenta/contrasena", {"password": NEW, "again": NEW})

    assert not Person.objects.get().has_usable_password()


def test_after_a_quarter_of_an_hour_a_passkey_needs_a_new_proof(anna: Client) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
        assert anna.get("/cuenta/llaves/opciones").status_code == 403


def test_a_session_ends_after_a_working_day(anna: Client) -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=13), tick=False):
        assert not is_in(anna)


def test_a_password_voids_an_invitation_that_was_not_used(anna: Client) -> None:
    assert not OneTimeLink.objects.filter(used_at__isnull=True).exists()


def test_the_account_is_of_nobody_who_is_not_signed_in(client: Client) -> None:
    assert client.get("/cuenta").headers["Location"] == "/entrar?next=/cuenta"


def test_the_job_of_a_code_is_done_by_the_queue_and_may_be_done_twice(
    anna: Client, letterbox: Any
) -> None:
    from circular import jobs
    from circular.people import tasks  # registers the work
    from circular.people.models import SignInCode

    ask_for_code("anna@u.edu.co", now=timezone.now())
    job = MailSignInCode(SignInCode.objects.get().pk)

    assert tasks.mail_sign_in_code is not None
    assert jobs.run(job)
    assert jobs.run(job)
    assert len(letterbox.letters) == 1
