"""The pages of the directory show counts before anything changes, and names to few."""

from io import BytesIO

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from circular.directory.models import Account, Upload
from circular.directory.services import import_accounts
from circular.evidence.actors import SYSTEM
from circular.people import services
from circular.people.models import Person
from circular.people.roles import Role

pytestmark = pytest.mark.django_db

LIST = "correo;nombres;grupos;programa;sede\n" + "".join(
    f"p{number:04}@u.edu.co;Zenobia;{'docente' if number % 5 else 'docente,estudiante'};Música;Norte\n"
    for number in range(120)
)


def signed_in(role: Role | None) -> Client:
    name = role.value if role else "mallory"
    invited = services.invite_person(
        email=f"{name}@u.edu.co", full_name=name, mailed=False, by=SYSTEM
    )
    if role:
        post = services.save_post(
            None,
            code=name,
            name=name,
            role=role.value,
            mailbox=f"{name}@u.edu.co",
            unit=None,
            by=SYSTEM,
        )
        services.appoint(person=invited.person, post=post, from_on=timezone.localdate(), by=SYSTEM)
    client = Client()
    client.force_login(Person.objects.get(pk=invited.person))
    return client


@pytest.fixture
def otto() -> Client:
    return signed_in(Role.TIC)


@pytest.fixture
def imported() -> None:
    import_accounts(LIST.encode(), name="lista.csv", keep_good=False, confirm=True, by=SYSTEM)


def upload(client: Client, content: bytes, name: str = "lista.csv") -> HttpResponse:
    file = BytesIO(content)
    file.name = name
    return client.post("/directorio/importar", {"file": file})  # type: ignore[return-value]


@pytest.mark.parametrize("page", ["/directorio/importar", "/directorio/publicos"])
def test_mallory_sees_nothing_of_the_directory(page: str) -> None:
    assert signed_in(None).get(page).status_code == 403


@pytest.mark.usefixtures("imported")
def test_communications_sees_audiences_and_no_address() -> None:
    client = signed_in(Role.COMMUNICATIONS)

    led = client.get("/directorio")
    page = client.get("/directorio/publicos").content.decode()

    assert led.headers["Location"] == "/directorio/publicos"
    assert "p0001@u.edu.co" not in page
    assert "Zenobia" not in page


@pytest.mark.parametrize("page", ["/directorio", "/directorio/importar", "/directorio/publicos"])
def test_an_empty_directory_says_what_comes_next(otto: Client, page: str) -> None:
    answer = otto.get(page)

    assert answer.status_code == 200
    assert "importar" in answer.content.decode().lower()


def test_a_list_is_shown_before_it_changes_anything(otto: Client) -> None:
    answer = upload(otto, LIST.encode())

    page = otto.get(answer.headers["Location"]).content.decode()
    assert "120 cuentas nuevas" in page
    assert not Account.objects.exists()


def test_a_confirmed_list_becomes_the_directory_and_the_file_is_forgotten(otto: Client) -> None:
    preview = upload(otto, LIST.encode()).headers["Location"]

    answer = otto.post(preview, {"expected": 0})

    assert answer.headers["Location"] == "/directorio"
    assert Account.objects.filter(active=True).count() == 120
    assert not Upload.objects.exists()


def test_an_image_is_refused_at_its_field(otto: Client) -> None:
    answer = upload(otto, b"\x89PNG\r\n\x1a\n\0\0\0", "cuentas.csv")

    assert answer.status_code == 422
    assert "Es una imagen, no una lista" in answer.content.decode()
    assert not Upload.objects.exists()


def test_bad_lines_are_named_and_only_the_good_ones_offered(otto: Client) -> None:
    preview = upload(otto, LIST.encode() + b"nadie;Ana;docente;;\n").headers["Location"]

    page = " ".join(otto.get(preview).content.decode().split())
    offered = otto.get(preview + "?keep_good=1").content.decode()

    assert "Línea 122: «nadie» no es una dirección de correo" in page
    assert "Importar 120 cuentas" not in page
    assert "Importar 120 cuentas" in offered


def test_bad_lines_are_not_imported_by_a_forged_confirmation(otto: Client) -> None:
    preview = upload(otto, LIST.encode() + b"nadie;Ana;docente;;\n").headers["Location"]

    otto.post(preview, {"expected": 0})

    assert not Account.objects.exists()


@pytest.mark.usefixtures("imported")
def test_when_most_would_go_the_number_must_be_typed(otto: Client) -> None:
    preview = upload(otto, b"correo\np0000@u.edu.co\n").headers["Location"]

    quick = otto.post(preview, {"expected": 119})
    typed = otto.post(preview, {"expected": 119, "typed": "119"})

    assert quick.status_code == 422
    assert typed.status_code == 302
    assert Account.objects.filter(active=True).count() == 1


@pytest.mark.usefixtures("imported")
def test_a_count_that_is_no_longer_true_confirms_nothing(otto: Client) -> None:
    preview = upload(otto, LIST.encode().replace(b"p0119", b"q0119")).headers["Location"]

    otto.post(preview, {"expected": 0})

    assert Account.objects.filter(address="p0119@u.edu.co", active=True).exists()


def test_the_file_of_one_person_is_nothing_to_another(otto: Client) -> None:
    preview = upload(otto, LIST.encode()).headers["Location"]

    other = signed_in(Role.ADMINISTRATOR)

    assert other.get(preview).status_code == 404
    assert other.post(preview + "/descartar").status_code == 404


def test_a_discarded_file_changes_nothing(otto: Client) -> None:
    preview = upload(otto, LIST.encode()).headers["Location"]

    otto.post(preview + "/descartar")

    assert not Upload.objects.exists()
    assert not Account.objects.exists()


@pytest.mark.usefixtures("imported")
def test_an_audience_is_an_equation_that_a_reader_can_add_up(otto: Client) -> None:
    answer = otto.get("/directorio/publicos", {"groups": ["student", "teaching"]})

    page = " ".join(answer.content.decode().split())
    assert "24 estudiantes + 120 docentes − 24 repetidas = 120" in page
    assert "24 personas están en más de un grupo" in page


@pytest.mark.usefixtures("imported")
def test_a_value_that_is_not_in_the_list_is_refused(otto: Client) -> None:
    assert otto.get("/directorio/publicos", {"faculties": ["x\0"]}).status_code == 200
    assert otto.get("/directorio/publicos", {"groups": ["x\0"]}).status_code == 422


@pytest.mark.usefixtures("imported")
def test_the_list_of_accounts_goes_on_where_it_stopped(otto: Client) -> None:
    first = otto.get("/directorio").content.decode()
    second = otto.get("/directorio", {"desde": "p0049@u.edu.co"}).content.decode()

    assert "desde=p0049%40u.edu.co" in first
    assert "p0049@u.edu.co<" not in second
    assert "p0050@u.edu.co" in second


@pytest.mark.usefixtures("imported")
@pytest.mark.parametrize("page", ["/directorio", "/directorio?q=zen", "/directorio/publicos"])
def test_a_page_asks_few_questions_however_long_the_list_is(otto: Client, page: str) -> None:
    with CaptureQueriesContext(connection) as asked:
        answer = otto.get(page)

    assert answer.status_code == 200
    assert len(asked) <= 20


@pytest.mark.usefixtures("imported")
def test_several_combinations_are_one_audience_of_whoever_is_in_any(otto: Client) -> None:
    alone = otto.get("/directorio/publicos", {"groups": "student"}).context["parts"].total
    both = otto.get(
        "/directorio/publicos", {"conjuntos": "2", "groups": "student", "y1-groups": "teaching"}
    )

    assert both.context["parts"].total > alone
    assert "Y también" in both.content.decode()


@pytest.mark.usefixtures("imported")
def test_an_empty_combination_beside_others_adds_nobody(otto: Client) -> None:
    alone = otto.get("/directorio/publicos", {"groups": "student"}).context["parts"].total
    asked = otto.get("/directorio/publicos", {"conjuntos": "3", "groups": "student"})

    assert asked.context["parts"].total == alone
    assert otto.get("/directorio/publicos", {"conjuntos": "99999"}).status_code == 200
    assert otto.get("/directorio/publicos", {"conjuntos": "x"}).status_code == 200
