"""Other requests of the sample university, each left where it waits for a person.

Repeat:  a request that is already there is not asked for again; its subject tells it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from circular.config.demo import university as u
from circular.config.demo.story import NUMBER, Story, StuckError

Steps = tuple[tuple[u.Player, str, Mapping[str, str]], ...]

TAKE: Steps = ((u.REVIEWER, "taken", {}),)
FORWARD: Steps = (*TAKE, (u.REVIEWER, "approved", {}))
ACCEPT: Steps = (*FORWARD, (u.OPERATOR, "accepted_by_it", {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One request and how far it goes."""

    subject: str
    text: str
    steps: Steps
    group: str = "student"


def _working_day(ahead: int) -> datetime:
    """Return a day from Monday to Friday, some days from now."""
    day = datetime.now(tz=ZoneInfo("America/Bogota")) + timedelta(days=ahead)
    while day.weekday() > 4:  # nobody asks for a circular on a Saturday
        day += timedelta(days=1)
    return day


def scenes() -> tuple[Scene, ...]:
    """Return the open cases, one for each state that waits for a person."""
    when = {"on": f"{_working_day(2):%d/%m/%Y}", "at": "10:00"}
    return (
        Scene(
            subject="Renovación de matrícula: plazo hasta el 11 de diciembre",
            text="La renovación de la matrícula se hace en el portal hasta el 11 de diciembre.",
            steps=(),
        ),
        Scene(
            subject="Encuesta de clima laboral de 2026",
            text="La encuesta toma diez minutos y sus respuestas son anónimas.",
            steps=TAKE,
            group="administrative",
        ),
        Scene(
            subject="Convocatoria de monitores",
            text="Inscripciones abiertas para monitores del próximo periodo.",
            steps=(
                *TAKE,
                (
                    u.REVIEWER,
                    "returned",
                    {"reason": "Diga en el asunto hasta cuándo hay plazo."},
                ),
            ),
        ),
        Scene(
            subject="Corte de agua en la sede Norte el sábado 28 de noviembre",
            text="La sede Norte no tendrá agua el sábado 28 de noviembre entre las 8 y las 12.",
            steps=FORWARD,
        ),
        Scene(
            subject="Cierre de actas del segundo periodo",
            text="El sistema de actas cierra el viernes 18 de diciembre a las 18:00.",
            steps=(*ACCEPT, (u.OPERATOR, "scheduled", when)),
            group="teaching",
        ),
        Scene(
            subject="Vacaciones colectivas: del 21 de diciembre al 8 de enero",
            text="Las oficinas cierran del 21 de diciembre al 8 de enero.",
            steps=(*ACCEPT, (u.OPERATOR, "started", {}), (u.OPERATOR, "paused", {})),
        ),
    )


def open_cases(story: Story) -> None:
    """File the requests that are not there yet and take each as far as its scene goes."""
    browser = story.browser(u.REQUESTER)
    there = browser.open("/expedientes").text
    for scene in scenes():
        if scene.subject in there:
            continue
        _take_through(story, _ask(story, scene), scene.steps)
    if "Grados de diciembre" not in there + browser.open("/bandeja").text:
        _ask(
            story,
            Scene(
                subject="Grados de diciembre: ensayo general",
                text="El ensayo general es el jueves 10 de diciembre a las 9:00.",
                steps=(),
            ),
            button="save",
        )


def _take_through(story: Story, number: str, steps: Steps) -> None:
    """Do the acts of a scene in their order; what a page does not offer is said."""
    for player, act, values in steps:
        if act == "paused":  # a sending that has begun is worth pausing
            story.wait_for(lambda: story.case(number)["accepted"] > 100 or None, "el envío")
        if not story.act(player, number, act, values):
            story.say(f"   {number}: {player.role} no encontró cómo «{act}»")
            return


def _ask(story: Story, scene: Scene, button: str = "file") -> str:
    """Fill in the request form as the unit would; return the filing number, "" of a draft."""
    browser = story.browser(u.REQUESTER)
    form = browser.open("/solicitudes/nueva").form("filed")
    if form is None:
        raise StuckError("la página de solicitudes no trae formulario")
    page = browser.send(
        form,
        {
            "subject": scene.subject,
            "text": f"Cordial saludo:\n\n{scene.text}\n\nDivisión de Salud y Bienestar",
            "a0-groups": [scene.group],
            "contact_phone": "ext. 1200",
            "wanted_on": f"{_working_day(3):%d/%m/%Y}",
            "reason": "Interesa a todo el público elegido.",
        },
        button=("do", button),
    )
    number = NUMBER.search(page.text)
    if button == "file" and number is None:
        raise StuckError(f"la solicitud «{scene.subject}» no quedó radicada: {page.errors}")
    return number[0] if number else ""
