"""Whoever proves a mailbox, a password or a link comes in; everybody else learns nothing."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from circular import jobs
from circular.directory.services import import_accounts
from circular.evidence.actors import SYSTEM, Actor
from circular.evidence.chain import HOUSE
from circular.evidence.queries import entries_of
from circular.people import queries, services, signin
from circular.people.accounts import KnownAccount
from circular.people.models import OneTimeLink, Person, SignInCode

pytestmark = pytest.mark.django_db

PASSWORD = "tres ranas y un tambor"
ANNA = "anna@u.edu.co"


@pytest.fixture
def anna(letterbox: Any) -> int:
    invited = services.invite_person(email=ANNA, full_name="Anna Ruiz", by=SYSTEM)
    services.set_password(invited.person, PASSWORD, by=SYSTEM)
    return invited.person


@pytest.fixture
def luz() -> str:
    """Somebody whom only the directory knows."""
    content = "correo;nombres;apellidos;dependencia\nluz@u.edu.co;Luz;Peña;Biblioteca\n"
    import_accounts(content.encode(), name="c.csv", keep_good=False, confirm=True, by=SYSTEM)
    return "luz@u.edu.co"


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def mail_waiting_codes() -> None:
    """Do what the worker does."""
    for code in signin.codes_to_mail(now=timezone.now()):
        signin.mail_code(code, now=timezone.now())


def test_a_password_lets_its_person_in(client: Client, anna: int) -> None:
    answer = client.post("/entrar", {"email": "ANNA@u.edu.co", "password": PASSWORD})

    assert answer.headers["Location"] == "/bandeja"
    assert client.session["_auth_user_id"] == str(anna)


def test_a_password_leads_back_to_the_page_that_was_wanted(client: Client, anna: int) -> None:
    answer = client.post("/entrar", {"email": ANNA, "password": PASSWORD, "next": "/e/CIR-2026-1"})

    assert answer.headers["Location"] == "/e/CIR-2026-1"


@pytest.mark.parametrize("elsewhere", ["https://mallory.example/", "//mallory.example", "\\\\m.co"])
def test_nobody_is_led_out_of_the_house(client: Client, anna: int, elsewhere: str) -> None:
    answer = client.post("/entrar", {"email": ANNA, "password": PASSWORD, "next": elsewhere})

    assert answer.headers["Location"] == "/bandeja"


@pytest.mark.parametrize("email", [ANNA, "nadie@u.edu.co"])
def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    client: Client, anna: int, email: str
) -> None:
    answer = client.post("/entrar", {"email": email, "password": "otra cosa cualquiera"})

    assert answer.status_code == 422
    assert "El correo y la contraseña no coinciden" in answer.content.decode()
    assert not signed_in(client)


def test_a_deactivated_person_does_not_come_in(client: Client, anna: int) -> None:
    Person.objects.filter(pk=anna).update(is_active=False)

    client.post("/entrar", {"email": ANNA, "password": PASSWORD})

    assert not signed_in(client)


def test_after_ten_wrong_passwords_even_the_right_one_must_wait(client: Client, anna: int) -> None:
    for _ in range(10):
        client.post("/entrar", {"email": ANNA, "password": "no"})

    answer = client.post("/entrar", {"email": ANNA, "password": PASSWORD})

    assert answer.status_code == 429
    assert not signed_in(client)


def test_the_count_of_attempts_ends_with_its_window(client: Client, anna: int) -> None:
    now = timezone.now()
    for _ in range(10):
        assert signin.allowed(signin.PASSWORD_BY_ADDRESS_AND_PLACE, "x", now=now)

    assert not signin.allowed(signin.PASSWORD_BY_ADDRESS_AND_PLACE, "x", now=now)
    later = now + timedelta(minutes=15)
    assert signin.allowed(signin.PASSWORD_BY_ADDRESS_AND_PLACE, "x", now=later)


def test_a_counter_is_no_place_to_read_addresses_from(client: Client, anna: int) -> None:
    client.post("/entrar", {"email": ANNA, "password": "no"})

    from circular.people.models import RateLimit

    assert RateLimit.objects.count() == 3
    assert not any("anna" in key for key in RateLimit.objects.values_list("key", flat=True))


def test_signing_in_changes_the_session_key(client: Client, anna: int) -> None:
    client.get("/entrar/codigo/escribir")
    session = client.session
    session["x"] = 1
    session.save()
    before = session.session_key

    client.post("/entrar", {"email": ANNA, "password": PASSWORD})

    assert client.session.session_key != before


def test_leaving_takes_a_post(client: Client, anna: int) -> None:
    client.force_login(Person.objects.get(pk=anna))

    client.get("/salir")
    stayed = signed_in(client)
    client.post("/salir")

    assert stayed
    assert not signed_in(client)


def test_a_code_to_the_mailbox_lets_an_account_of_the_directory_in(
    client: Client, luz: str, letterbox: Any
) -> None:
    client.post("/entrar/codigo", {"email": "Luz@U.edu.co"})
    mail_waiting_codes()

    code = letterbox.last.context["code"]
    answer = client.post("/entrar/codigo/escribir", {"code": f" {code[:3]} {code[3:]} "})

    assert letterbox.last.to == luz
    assert answer.headers["Location"] == "/bandeja"
    person = queries.person_by_address(luz)
    assert person is not None
    assert person.full_name == "Luz Peña"


def test_a_code_lets_an_invited_person_in_too(client: Client, anna: int, letterbox: Any) -> None:
    client.post("/entrar/codigo", {"email": ANNA})
    mail_waiting_codes()

    client.post("/entrar/codigo/escribir", {"code": letterbox.last.context["code"]})

    assert client.session["_auth_user_id"] == str(anna)


def test_asking_for_a_code_tells_nothing_about_the_address(
    client: Client, luz: str, letterbox: Any
) -> None:
    answers = []
    for email in (luz, "nadie@u.edu.co"):
        asked = client.post("/entrar/codigo", {"email": email})
        page = client.get(asked.headers["Location"]).content.decode()
        answers.append(
            (asked.status_code, page.replace(email, "X").split("csrfmiddlewaretoken")[0])
        )

    assert answers[0] == answers[1]
    assert letterbox.letters == []  # the look-up is the worker's, so the time is the same too


def test_nobody_gets_a_letter_whom_nobody_knows(client: Client, letterbox: Any) -> None:
    client.post("/entrar/codigo", {"email": "nadie@u.edu.co"})

    mail_waiting_codes()

    assert letterbox.letters == []
    assert signin.codes_to_mail(now=timezone.now()) == []


def test_a_code_is_of_no_use_in_another_browser(client: Client, luz: str, letterbox: Any) -> None:
    client.post("/entrar/codigo", {"email": luz})
    mail_waiting_codes()
    other = Client()
    other.post("/entrar/codigo", {"email": luz})

    other.post("/entrar/codigo/escribir", {"code": letterbox.letters[0].context["code"]})

    assert not signed_in(other)


def test_a_code_works_once(client: Client, luz: str, letterbox: Any) -> None:
    nonce = signin.ask_for_code(luz, now=timezone.now())
    mail_waiting_codes()
    code = str(letterbox.last.context["code"])

    first = signin.use_code(nonce, code, now=timezone.now())
    second = signin.use_code(nonce, code, now=timezone.now())

    assert first is not None
    assert second is None


def test_a_code_is_void_after_five_wrong_tries(luz: str, letterbox: Any) -> None:
    now = timezone.now()
    nonce = signin.ask_for_code(luz, now=now)
    mail_waiting_codes()
    code = str(letterbox.last.context["code"])
    wrong = "000000" if code != "000000" else "111111"

    for _ in range(5):
        assert signin.use_code(nonce, wrong, now=now) is None

    assert signin.use_code(nonce, code, now=now) is None


def test_a_code_is_void_after_ten_minutes(luz: str, letterbox: Any) -> None:
    nonce = signin.ask_for_code(luz, now=timezone.now())
    mail_waiting_codes()

    late = timezone.now() + timedelta(minutes=10, seconds=1)

    assert signin.use_code(nonce, str(letterbox.last.context["code"]), now=late) is None


def test_before_the_code_was_drawn_no_code_matches(luz: str, letterbox: Any) -> None:
    nonce = signin.ask_for_code(luz, now=timezone.now())

    assert signin.use_code(nonce, "", now=timezone.now()) is None


def test_an_account_that_went_between_mail_and_code_does_not_come_in(
    luz: str, letterbox: Any
) -> None:
    nonce = signin.ask_for_code(luz, now=timezone.now())
    mail_waiting_codes()
    import_accounts(b"correo\notra@u.co\n", name="c", keep_good=False, confirm=True, by=SYSTEM)

    code = str(letterbox.last.context["code"])

    assert signin.use_code(nonce, code, now=timezone.now()) is None


def test_a_deactivated_person_gets_no_code_although_the_directory_knows_the_address(
    luz: str, letterbox: Any
) -> None:
    account = KnownAccount(luz, "Luz Peña", "")
    Person.objects.filter(pk=services.ensure_person(account)).update(is_active=False)

    signin.ask_for_code(luz, now=timezone.now())
    mail_waiting_codes()

    assert letterbox.letters == []


def test_what_expired_is_forgotten_after_a_day(luz: str, letterbox: Any) -> None:
    now = timezone.now()
    signin.ask_for_code(luz, now=now)

    signin.forget_expired(now=now + timedelta(days=2))

    assert not SignInCode.objects.exists()


def test_an_invitation_is_read_without_being_used_up(client: Client, letterbox: Any) -> None:
    invited = services.invite_person(email="dean@u.edu.co", full_name="Dean", by=SYSTEM)
    link = f"/invitacion/{invited.token}"

    assert [client.get(link).status_code, client.head(link).status_code] == [200, 200]
    assert letterbox.last.context["link"].endswith(link)
    assert OneTimeLink.objects.get().used_at is None


def test_an_invitation_gives_a_password_and_lets_in_once(client: Client, letterbox: Any) -> None:
    invited = services.invite_person(email="dean@u.edu.co", full_name="Dean", by=SYSTEM)
    link = f"/invitacion/{invited.token}"

    client.post(link, {"password": PASSWORD, "again": PASSWORD})
    came_in = signed_in(client)
    again = Client().post(link, {"password": "otra más larga todavía", "again": "x"})

    assert came_in
    assert again.status_code == 410
    assert Person.objects.get(email="dean@u.edu.co").check_password(PASSWORD)


@pytest.mark.parametrize(
    ("password", "again"),
    [("corta", "corta"), ("dean@u.edu.co", "dean@u.edu.co"), (PASSWORD, PASSWORD + "x"), ("", "")],
)
def test_a_weak_or_mistyped_password_is_told_at_its_field(
    client: Client, letterbox: Any, password: str, again: str
) -> None:
    invited = services.invite_person(email="dean@u.edu.co", full_name="Dean", by=SYSTEM)

    answer = client.post(f"/invitacion/{invited.token}", {"password": password, "again": again})

    assert answer.status_code == 422
    assert "c-errors" in answer.content.decode()
    assert not signed_in(client)


def test_an_old_invitation_is_void(client: Client, letterbox: Any) -> None:
    invited = services.invite_person(email="dean@u.edu.co", full_name="Dean", by=SYSTEM)

    with time_machine.travel(timezone.now() + timedelta(days=8), tick=False):
        answer = client.get(f"/invitacion/{invited.token}")

    assert answer.status_code == 410


def test_inviting_again_voids_the_link_before(client: Client, letterbox: Any) -> None:
    invited = services.invite_person(email="dean@u.edu.co", full_name="Dean", by=SYSTEM)

    newer = services.invite_again(invited.person, by=SYSTEM)

    assert newer is not None
    assert client.get(f"/invitacion/{invited.token}").status_code == 410
    assert client.get(f"/invitacion/{newer.token}").status_code == 200


def test_the_first_link_makes_the_first_administrator_and_no_second(client: Client) -> None:
    link = services.first_administrator_link()
    assert link is not None
    path = "/primer-acceso/" + link.rpartition("/")[2]
    data = {
        "full_name": "Amparo Prueba",
        "email": "Amparo@u.edu.co",
        "password": PASSWORD,
        "again": PASSWORD,
        "institution": "Universidad del Macizo",
        "domain": "u.edu.co",
    }

    client.post(path, data)
    second = Client().post(path, data | {"email": "mallory@u.edu.co"})

    assert signed_in(client)
    assert second.status_code == 410
    assert Person.objects.filter(is_superuser=True).count() == 1
    assert queries.institution().name == "Universidad del Macizo"
    assert services.first_administrator_link() is None


def test_a_newer_first_link_voids_the_older(client: Client) -> None:
    older, newer = services.first_administrator_link(), services.first_administrator_link()
    assert older is not None
    assert newer is not None

    assert client.get("/primer-acceso/" + older.rpartition("/")[2]).status_code == 410
    assert client.get("/primer-acceso/" + newer.rpartition("/")[2]).status_code == 200


def test_every_proof_that_changes_something_is_an_entry(letterbox: Any) -> None:
    invited = services.invite_person(email="dean@u.edu.co", full_name="Dean", by=SYSTEM)
    services.accept_invitation(invited.token, PASSWORD)
    services.set_password(invited.person, PASSWORD + "!", by=Actor.of(invited.person))

    acts = [entry.act for entry in entries_of(HOUSE)]

    assert acts == ["person_invited", "invitation_accepted", "password_set"]


def test_a_lost_job_is_found_by_the_round(luz: str, letterbox: Any) -> None:
    signin.ask_for_code(luz, now=timezone.now())

    from circular.people import tasks

    tasks.look_for_lost_codes(signin.SignInRound())

    assert letterbox.last.to == luz


def test_the_names_of_our_jobs_are_their_own() -> None:
    assert issubclass(signin.MailSignInCode, jobs.Job)
    assert signin.MailSignInCode.name != signin.SignInRound.name
