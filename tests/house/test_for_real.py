"""The README's "Run it for real", followed step by step with a real Postfix and a real Dovecot."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import servers
from circular.config.demo import university as u
from circular.config.demo.browser import Browser, Form, Page
from circular.config.demo.story import Story
from circular.config.demo.town import REQUESTS, Ports, Town
from ports import free_port

ADMINISTRATOR = u.Player(
    address="admin@unimacizo.example",
    name="Amparo Prueba",
    role="administración",
    post=None,
    password="una clave larga de verdad",
)
STUDENTS = [f"estudiante{number}@unimacizo.example" for number in range(1, 6)]
STAFF = [u.REQUESTER, u.REVIEWER, u.OPERATOR]
WITNESS = u.WITNESSES[0]

ACCOUNTS = "correo;nombres;grupos;dependencia\n" + "".join(
    f"{address};Nombre {number};estudiante;\n" for number, address in enumerate(STUDENTS)
)


@pytest.fixture
def mail(require_program: Callable[[str, str], str]) -> Iterator[servers.UniversityMail]:
    require_program("postfix", "postfix")
    require_program("dovecot", "dovecot-imapd dovecot-lmtpd")
    if os.getuid():
        pytest.skip("Postfix's master must be root")
    boxes = [
        ADMINISTRATOR.address,
        *(player.address for player in STAFF),
        *u.POST_BOXES.values(),
        *STUDENTS,
        WITNESS,
    ]
    # Postfix and Dovecot run as users of their own: pytest's folders are closed to them.
    with tempfile.TemporaryDirectory(prefix="circular-mail-") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "m").mkdir()
        with servers.university_mail(Path(folder) / "m", boxes) as university:
            yield university


def environment() -> dict[str, str]:
    """Return the environment of somebody who has only the file in the folder."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CIRCULAR_")}


@contextmanager
def circular_up(folder: Path, ports: Ports) -> Iterator[str]:
    """Run `circular up` on an empty folder; yields the one-time link that it prints."""
    (folder / "circular.toml").write_text(
        f'base_url = "http://127.0.0.1:{ports.web}"\n'
        f'web_listen = "127.0.0.1:{ports.web}"\n'
        f'lmtp_listen = "127.0.0.1:{ports.door}"\n'
    )
    log = folder / "up.log"
    with log.open("wb") as said:
        up = subprocess.Popen(
            [sys.executable, "-m", "circular", "up"],
            cwd=folder,
            env=environment(),
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _link_in(log, up)
    finally:
        up.terminate()
        up.wait(timeout=60)


def _link_in(log: Path, up: "subprocess.Popen[bytes]") -> str:
    """Wait for the one-time link that `up` prints when it is ready."""
    until = time.monotonic() + 120
    while time.monotonic() < until and up.poll() is None:
        if link := re.search(r"http://\S+/primer-acceso/\S+", log.read_text()):
            return link[0]
        time.sleep(0.2)
    pytest.fail(f"no link: {log.read_text()}")


def own_form(page: Page) -> Form:
    """Return the page's own form: the one with most fields."""
    return max(page.forms, key=lambda form: len(form.fields))


def fill(browser: Browser, path: str, **values: str) -> Page:
    page = browser.open(path)
    return browser.send(own_form(page), values)


def accept_invitation(story: Story, player: u.Player) -> None:
    """Open the link of the newest letter in a person's own mailbox and choose a password."""
    letter = story.wait_for(
        lambda: story.letter_to(player.address, ""), f"la invitación de {player.address}"
    )
    link = re.search(r"http://\S+/invitacion/\S+", letter)
    assert link, letter
    browser = Browser(story.town.web)
    browser.send(
        own_form(browser.open(link[0])), {"password": player.password, "again": player.password}
    )


def set_up(story: Story, link: str, mail: servers.UniversityMail) -> None:
    """Do steps 3 and 4: the first administrator, then everything on the pages."""
    admin = Browser(story.town.web)
    first = own_form(admin.open(link))
    wanted = {
        "full_name": ADMINISTRATOR.name,
        "email": ADMINISTRATOR.address,
        "password": ADMINISTRATOR.password,
        "again": ADMINISTRATOR.password,
        "institution": "Universidad del Macizo",
        "domain": u.DOMAIN,
    }
    admin.send(first, {name: wanted[name] for name in first.fields if name in wanted})
    fill(
        admin,
        "/administracion/servidores/nuevo",
        name="Postfix",
        host="127.0.0.1",
        port=str(mail.smtp),
        security="none",
    )
    fill(
        admin,
        "/administracion/institucion",
        name="Universidad del Macizo",
        domain=u.DOMAIN,
        communications_name="Centro de Gestión de las Comunicaciones",
        it_name="División TIC",
        drafts_address=REQUESTS,
    )
    fill(
        admin,
        "/administracion/dependencias/nueva",
        code="bienestar",
        name="División de Salud y Bienestar",
        category="administrative",
        mailbox=u.REQUESTER.address,
    )
    fill(
        admin,
        "/administracion/remitentes/nuevo",
        display_name="Bienestar Universitario",
        address=u.REQUESTER.address,
    )
    for code, role in (("comunicaciones", "communications"), ("tic", "tic")):
        fill(
            admin,
            "/administracion/cargos/nuevo",
            code=code,
            name=code.title(),
            role=role,
            mailbox=u.POST_BOXES[code],
        )
    fill(
        admin,
        "/administracion/testigos/nueva",
        address=WITNESS,
        imap_host="127.0.0.1",
        imap_port=str(mail.imap),
        security="none",
        username=WITNESS,
        password=servers.PASSWORD,
    )
    for player in STAFF:
        units = {"units": "1"} if player is u.REQUESTER else {}
        fill(
            admin,
            "/administracion/personas/invitar",
            full_name=player.name,
            email=player.address,
            **units,
        )
        accept_invitation(story, player)
    appoint(admin, u.REVIEWER, "comunicaciones")
    appoint(admin, u.OPERATOR, "tic")


def appoint(admin: Browser, player: u.Player, code: str) -> None:
    """Give a person a post, on the post's page."""
    for path in re.findall(
        r'href="(/administracion/cargos/\d+)"', admin.open("/administracion/cargos").text
    ):
        page = admin.open(path)
        if any(form.fields.get("code") == [code] for form in page.forms):
            form = next(form for form in page.forms if form.action.endswith("/asignar"))
            admin.send(form, {"person": player.address})
            return
    pytest.fail(f"no post {code}")


@pytest.mark.timeout(400)
def test_the_readme_followed_with_postfix_and_dovecot_ends_in_a_closed_case(
    mail: servers.UniversityMail, tmp_path: Path
) -> None:
    ports = Ports(web=free_port(), door=free_port(), smtp=mail.smtp, imap=mail.imap, pages=0)
    mail.route(door=ports.door)
    town = Town(folder=tmp_path, ports=ports)
    story = Story(town, print)

    with circular_up(tmp_path, ports) as link:
        set_up(story, link, mail)
        accounts = tmp_path / "accounts.csv"
        accounts.write_text(
            ACCOUNTS + f"{u.REQUESTER.address};Lucía;administrativo;División de Salud y Bienestar\n"
        )
        subprocess.run(
            [sys.executable, "-m", "circular", "directory", "import", str(accounts), "--yes"],
            cwd=tmp_path,
            env=environment(),
            check=True,
            capture_output=True,
        )
        story.begin()
        case = story.walk(story.file_by_link())
        doctor = subprocess.run(
            [sys.executable, "-m", "circular", "doctor"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    assert case["state"] == "closed"
    assert case["verified"] is True
    assert case["accepted"] == case["audience"] == len(STUDENTS) + 1
    for student in STUDENTS:
        assert list(mail.maildir(student).rglob("new/*")), f"{student} got nothing"
    assert doctor.returncode == 0, doctor.stdout
