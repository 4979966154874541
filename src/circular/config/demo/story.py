"""What the sample people do: one request walks the five activities, others stop on the way.

Rules:
1. Everything here is done by mail or on a page, by the person whose act it is.
2. What to do next is read from the case as it stands, never remembered: a killed demo goes on.
3. Only two facts are kept in the folder: the request that was mailed, and the case it became.
"""

import imaplib
import json
import re
import smtplib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any, TypeVar

from circular.config.demo import university as u
from circular.config.demo.browser import Browser, Form, Page, PageProblemError
from circular.config.demo.town import MAIL_PASSWORD, REQUESTS, Town

NUMBER = re.compile(r"\b[A-Z]{2,12}-\d{4}-\d{6}\b")
LOOK_AGAIN = 0.5  # seconds between two looks at a case that somebody else must move
PATIENCE = 600  # seconds without any change before the demo says that it is stuck

SUBJECT = "Jornada de salud y bienestar: del 24 al 26 de noviembre"
TEXT = """\
Remitente: Bienestar Universitario
Asunto: Jornada de salud y bienestar: del 24 al 26 de noviembre
Destinatarios: estudiantes, docentes y administrativos
Motivo: que toda la comunidad conozca los servicios gratuitos de la jornada

Cordial saludo:

Del martes 24 al jueves 26 de noviembre, la División de Salud y Bienestar
atiende sin cita en la sede Centro, de 8 a. m. a 12 m. y de 2 p. m. a 5 p. m.

- Vacunación contra influenza y tétanos
- Tamizaje visual y auditivo
- Odontología preventiva
- Orientación psicológica

Traiga su carné y su documento de identidad. Todos los servicios son
gratuitos para estudiantes, docentes y administrativos.
"""


Found = TypeVar("Found")


class StuckError(Exception):
    """Nothing moved for too long; the argument says who was expected to act."""


@dataclass(slots=True)
class Story:
    """The sample people at work on one town."""

    town: Town
    say: Callable[[str], None]
    browsers: dict[str, Browser] = field(default_factory=dict)

    # ---- what is kept between two runs

    def _kept(self) -> dict[str, Any]:
        file = self.town.folder / "relato.json"
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return kept

    def _keep(self, facts: Mapping[str, object]) -> None:
        file = self.town.folder / "relato.json"
        new = file.with_suffix(".new")
        new.write_text(json.dumps(facts), encoding="utf-8")
        new.replace(file)

    # ---- people at their screens

    def browser(self, player: u.Player) -> Browser:
        """Return a signed-in browser of one person."""
        if player.address not in self.browsers:
            browser = Browser(self.town.web)
            page = browser.open("/entrar/contrasena")
            form = next(form for form in page.forms if "password" in form.fields)
            browser.send(form, {"email": player.address, "password": player.password})
            self.browsers[player.address] = browser
        return self.browsers[player.address]

    def case(self, number: str, player: u.Player = u.REVIEWER) -> dict[str, Any]:
        """Return the case as its page states it for one person."""
        case: dict[str, Any] = json.loads(self.browser(player).open(f"/e/{number}.json").text)
        return case

    def act(
        self,
        player: u.Player,
        number: str,
        act: str,
        values: Mapping[str, str | list[str]] | None = None,
        *,
        path: str = "",
    ) -> bool:
        """Do one act on a case if the person's page offers it now; say whether it did.

        An act that stands behind a page of its own (harm, reasons) is done there.
        """
        browser = self.browser(player)
        page = browser.open(f"/e/{number}{path}")
        if page.form(act) is None and act in page.links:
            page = browser.open(page.links[act])
        form = page.form(act)
        if form is None:
            return False
        try:
            browser.send(form, values)
        except PageProblemError as problem:
            if problem.status not in {409, 422}:  # somebody else was first: look again
                raise
            self.say(f"   {player.role}: {problem.said}")
            return False
        return True

    # ---- activity 1: the request arrives as a mail

    def begin(self) -> None:
        """Go on with the unfinished request of this folder, or write and send a new one."""
        kept = self._kept()
        if "number" in kept and self.case(kept["number"])["state"] == "closed":
            kept = {}
        if "message_id" not in kept:
            self._write_request()
        if "number" not in self._kept():
            self._send_request()

    def _write_request(self) -> None:
        """Write the request as the unit would, and keep it before it is sent."""
        message = EmailMessage(policy=policy.SMTP)
        message["From"] = f"Bienestar Universitario <{u.REQUESTER.address}>"
        message["To"] = REQUESTS
        message["Subject"] = SUBJECT
        message["Date"] = format_datetime(datetime.now(tz=UTC))
        message_id = make_msgid(domain=u.DOMAIN)
        message["Message-ID"] = message_id
        message.set_content(TEXT)
        # Kept before it is sent: a kill in between sends it again, and the door knows it again.
        self._keep({"message_id": message_id, "raw": message.as_bytes().decode("latin-1")})

    def _send_request(self) -> None:
        """Hand the kept request to the university's mail server; twice is the same request."""
        raw = str(self._kept()["raw"]).encode("latin-1")
        with smtplib.SMTP("127.0.0.1", self.town.ports.smtp, timeout=30) as server:
            server.sendmail(u.REQUESTER.address, [REQUESTS], raw)

    def letter_to(self, address: str, about: str) -> str | None:
        """Return the text of the newest letter that answers a message, or None."""
        with imaplib.IMAP4("127.0.0.1", self.town.ports.imap, timeout=30) as mailbox:
            mailbox.login(address, MAIL_PASSWORD)
            mailbox.select("INBOX", readonly=True)
            _, found = mailbox.uid("SEARCH", "ALL")
            for uid in reversed((found[0] or b"").split()):
                _, parts = mailbox.uid("FETCH", uid.decode(), "(BODY.PEEK[])")
                raw = next((part[1] for part in parts if isinstance(part, tuple)), b"")
                letter = message_from_bytes(raw, policy=policy.default)
                if about in f"{letter['In-Reply-To']} {letter['References']}":
                    body = letter.get_body(("plain",))
                    return str(body.get_content()) if body is not None else ""
        return None

    def file_by_link(self) -> str:
        """Wait for the answer to the request, open its link and file it; return the number."""
        kept = self._kept()
        if "number" in kept:
            return str(kept["number"])
        letter = self.wait_for(
            lambda: self.letter_to(u.REQUESTER.address, str(kept["message_id"])),
            "la respuesta a la solicitud",
        )
        link = re.search(re.escape(self.town.web) + r"/\S+", letter)
        if link is None:
            raise StuckError("la respuesta a la solicitud no trae enlace")
        browser = Browser(self.town.web)  # nobody signed in: the mailbox is the proof
        page = browser.open(link[0])
        form = page.form("file") or _largest(page)
        if form is not None and NUMBER.search(page.text) is None:
            page = browser.send(form)
        number = NUMBER.search(page.text)
        if number is None:
            raise StuckError(f"la página del enlace no dio radicado: {page.errors.strip()}")
        self._keep({**kept, "number": number[0]})
        return number[0]

    # ---- activities 2 to 5

    def walk(self, number: str) -> dict[str, Any]:
        """Let everybody do what their page offers until the case is closed; return the case."""
        before, since = "", time.monotonic()
        while True:
            case = self.case(number)
            now = f"{case['state']} {case['pending']}"
            if case["state"] == "closed":
                return case
            if now != before:
                before, since = now, time.monotonic()
                left = f", faltan {case['pending']}" if case["pending"] else ""
                self.say(f"   {number}: {STATE_WORDS.get(case['state'], case['state'])}{left}")
            elif time.monotonic() - since > PATIENCE:
                raise StuckError(f"{number} sigue en «{case['state']}»")
            if not self._somebody_acts(number, case):
                time.sleep(LOOK_AGAIN)

    def _somebody_acts(self, number: str, case: Mapping[str, Any]) -> bool:
        """Do the first act that somebody's page offers in this state."""
        done_before = {
            evidence["kind"] for activity in case["activities"] for evidence in activity["evidence"]
        }
        for player, act, done in STEPS.get(str(case["state"]), ()):
            if act in ONCE and act in done_before:
                continue
            if self.act(player, number, act):
                self.say(f"   {player.role}: {done}")
                return True
        if case["in_doubt"] and case["state"] in {"sent", "confirmed"}:
            return self._resolve_doubts(number)
        return False

    def _resolve_doubts(self, number: str) -> bool:
        """Let the operator offer again to everybody in doubt, by name, as possible duplicates."""
        browser = self.browser(u.OPERATOR)
        page = browser.open(f"/e/{number}/envio")
        form = page.form("resolve_doubt")
        if form is None:
            return False
        again = next((button for button in form.buttons if button[1] == "offer_again"), None)
        browser.send(form, button=again)
        self.say("   División TIC: ofrece otra vez a quien quedó en duda, con su nombre")
        return True

    def wait_for(self, look: Callable[[], Found | None], what: str) -> Found:
        """Look again and again until there is something; StuckError says what never came."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if found := look():
                return found
            time.sleep(LOOK_AGAIN)
        raise StuckError(f"no llegó {what}")


def _largest(page: Page) -> Form | None:
    """Return the form with the most fields: the page's own, not the language switch."""
    posts = [form for form in page.forms if form.method == "post"]
    return max(posts, key=lambda form: len(form.fields), default=None)


STATE_WORDS = {
    "filed": "radicada",
    "in_review": "en revisión",
    "approved": "aprobada",
    "forwarded": "remitida a la División TIC",
    "sending": "en envío",
    "paused": "en pausa",
    "sent": "enviada",
    "confirmed": "confirmada",
    "verified": "verificada",
}

ONCE = {"tested", "signed_off"}  # a page offers these again and again; one is enough for a story

# state → who does what, in the order in which it is wanted
STEPS: dict[str, tuple[tuple[u.Player, str, str], ...]] = {
    "filed": ((u.REVIEWER, "taken", "toma el expediente"),),
    "in_review": (
        (u.REVIEWER, "tested", "envía la prueba al solicitante"),
        (u.REQUESTER, "signed_off", "da su visto bueno a la prueba"),
        (u.REVIEWER, "approved", "aprueba el texto y el público, y remite a TIC"),
    ),
    "approved": ((u.REVIEWER, "forwarded", "remite a la División TIC"),),
    "forwarded": (
        (u.OPERATOR, "accepted_by_it", "acepta la solicitud"),
        (u.OPERATOR, "started", "inicia el envío"),
    ),
    "paused": ((u.OPERATOR, "resumed", "reanuda el envío"),),
    "sent": ((u.REVIEWER, "confirmed_to_requester", "confirma al solicitante"),),
    "confirmed": ((u.REVIEWER, "verified", "verifica el envío"),),
    "verified": ((u.REVIEWER, "closed", "cierra el expediente"),),
}
