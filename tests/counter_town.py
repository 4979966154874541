"""A small university with a case in every state that a page can show."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.test import Client
from django.utils import timezone

from circular.directory.rules import Clause, Rule, rule_to_json
from circular.directory.services import import_accounts
from circular.evidence.actors import CLOCK, RELAY, SYSTEM, Actor
from circular.mailing.kinds import MailClass
from circular.mailing.models import Recipient
from circular.mailing.services import note_settled
from circular.people.models import Holding, Institution, Membership, Person, Post, Sender, Unit
from circular.people.roles import Role
from circular.workflow import services
from circular.workflow.acts import Figures
from circular.workflow.content import Content
from circular.workflow.models import Request
from circular.workflow.states import Channel, Verdict

SignIn = Callable[[str], Client]

FACULTIES = ("Ingeniería Civil", "Ciencias de la Salud", "Artes", "Derecho")
PROGRAMMES = ("Enfermería", "Ingeniería Forestal", "Licenciatura en Música", "Derecho")
CAMPUSES = ("Centro", "Norte")

TEXT = """Cordial saludo:

Del martes 24 al jueves 26 de noviembre, la División de Salud y Bienestar atiende sin cita en la \
sede Centro, de 8 a. m. a 12 m. y de 2 p. m. a 5 p. m.

Traiga su carné y su documento de identidad. Horarios: https://unimacizo.example/salud
"""


@dataclass(slots=True)
class Town:
    """The people by what they do, and the cases by their state."""

    people: dict[str, Person] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    sender: int = 0
    cases: dict[str, str] = field(default_factory=dict)
    draft: int = 0

    def actor(self, name: str) -> Actor:
        post = Holding.objects.filter(person=self.people[name]).select_related("post").first()
        return Actor.of(self.people[name].pk, post.post.code if post is not None else None)


def accounts_csv(count: int) -> bytes:
    """Return a list of accounts, the same each time."""
    dice = random.Random(412)
    lines = ["correo;nombres;apellidos;grupos;facultad;programa;sede;dependencia"]
    for number in range(count):
        group = ("student", "student", "student", "teaching", "administrative")[number % 5]
        both = ",administrative" if number % 41 == 0 and group == "student" else ""
        place = dice.randrange(4)
        lines.append(
            f"persona-{number:04d}@unimacizo.example;Persona {number};Ejemplo;"
            f"{group}{both};{FACULTIES[place]};{PROGRAMMES[place]};{CAMPUSES[dice.randrange(2)]};"
        )
    return "\n".join(lines).replace(",administrative", " administrative").encode()


def build_town(*, accounts: int = 60) -> Town:
    """Build it: units, posts held, directory, senders, and cases."""
    town = Town()
    Institution.objects.update_or_create(
        pk=1,
        defaults={
            "name": "Universidad del Macizo",
            "short_name": "Unimacizo",
            "domain": "unimacizo.example",
            "it_name": "División TIC",
        },
    )
    for code, name in (
        ("salud", "División de Salud y Bienestar"),
        ("bibliotecas", "División de Bibliotecas"),
        ("secretaria", "Secretaría General"),
    ):
        town.units[code] = Unit.objects.create(code=code, name=name, kind="administrative")
    sender = Sender.objects.create(
        unit=town.units["salud"],
        display_name="Bienestar Universitario",
        address="bienestar@unimacizo.example",
    )
    town.sender = sender.pk
    for name, full in (
        ("anna", "L. Muestra"),
        ("paula", "P. Ejemplo"),
        ("otto", "R. Modelo"),
        ("vera", "V. Prueba"),
        ("quentin", "Q. Calidad"),
        ("admin", "A. Casa"),
        ("mallory", "M. Ajena"),
    ):
        town.people[name] = Person.objects.create(
            email=f"{name}@unimacizo.example", full_name=full, is_superuser=name == "admin"
        )
    Membership.objects.create(person=town.people["anna"], unit=town.units["salud"])
    Membership.objects.create(person=town.people["mallory"], unit=town.units["bibliotecas"])
    for name, role, code, title in (
        ("paula", Role.COMMUNICATIONS, "comunicaciones", "Profesional universitario"),
        ("otto", Role.TIC, "tic", "Operador de envíos"),
        ("vera", Role.PROCESS_OWNER, "proceso", "Líder del proceso"),
        ("quentin", Role.QUALITY, "calidad", "Responsable de calidad"),
    ):
        post = Post.objects.create(
            code=code, name=title, role=role, mailbox=f"{code}@unimacizo.example"
        )
        Holding.objects.create(person=town.people[name], post=post, from_on=date(2020, 1, 1))
    import_accounts(
        accounts_csv(accounts), name="cuentas.csv", keep_good=True, confirm=True, by=SYSTEM
    )
    return town


def content(town: Town, subject: str, mail_class: MailClass = MailClass.INFORMATIVE) -> Content:
    """Return a complete request."""
    rule = Rule(
        (Clause(groups=frozenset({"student", "administrative"}), campuses=frozenset({"Centro"})),)
    )
    return Content(
        sender=town.sender,
        subject=subject,
        text=TEXT,
        audience=dict(rule_to_json(rule)),
        mail_class=mail_class,
        wanted_at=timezone.now() + timedelta(days=4),
        reason="Los servicios son gratuitos para todos en la sede.",
    )


def draft(town: Town, subject: str, mail_class: MailClass = MailClass.INFORMATIVE) -> int:
    """Open a draft of the unit of health."""
    return services.create_draft(
        content(town, subject, mail_class),
        by=town.actor("anna"),
        requester=town.people["anna"].pk,
        unit=town.units["salud"].pk,
        channel=Channel.WEB,
        contact_name="L. Muestra",
        contact_phone="Ext. 2140",
    )


STEPS = (
    "filed",
    "in_review",
    "forwarded",
    "accepted",
    "sending",
    "sent",
    "told",
    "confirmed",
    "verified",
    "closed",
)


def walk(town: Town, pk: int, goal: str) -> str:
    """Walk a draft along the usual way to a state; return its number."""
    anna, paula, otto = (town.actor(name) for name in ("anna", "paula", "otto"))
    for step in STEPS[: STEPS.index(goal) + 1]:
        row = Request.objects.select_related("version").get(pk=pk)
        digest = row.version.digest if row.version is not None else ""
        match step:
            case "filed":
                services.file_request(pk, by=anna)
            case "in_review":
                services.take(pk, by=paula)
            case "forwarded":
                services.send_test(pk, by=paula)
                services.sign_off(pk, by=anna, seen_digest=digest)
                services.approve(pk, by=paula, seen_digest=digest, seen_count=count(pk))
            case "accepted":
                services.accept(pk, by=otto)
            case "sending":
                services.start(pk, by=otto)
            case "sent":
                settle(pk)
                services.mark_sent(pk, by=CLOCK)
            case "told":
                services.confirm_to_communications(pk, by=otto)
            case "confirmed":
                services.confirm_to_requester(pk, by=paula)
            case "verified":
                services.verify(
                    pk,
                    by=paula,
                    verdict=Verdict.POSITIVE,
                    reasons=["totals_balance"],
                    checks=[(True, "Los totales cuadran.")],
                )
            case _closed:
                services.close(pk, by=paula)
    number = Request.objects.get(pk=pk).filing_number
    assert number is not None
    return number


def count(pk: int) -> int:
    """Return the audience now."""
    from circular.workflow.queries import count_of

    return count_of(Request.objects.select_related("version").get(pk=pk))


def some_settled(pk: int) -> None:
    """Play the post office half way: some accepted, one refused, one in doubt."""
    mailing = Request.objects.get(pk=pk).mailing_id
    ids = list(
        Recipient.objects.filter(mailing=mailing, witness=False)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    Recipient.objects.filter(pk__in=ids[: len(ids) * 2 // 3]).update(state="accepted")
    Recipient.objects.filter(pk=ids[-1]).update(state="refused", reason="relay_refused")
    Recipient.objects.filter(pk=ids[-2]).update(state="bounced", reason="bounced")
    Recipient.objects.filter(pk__in=ids[-4:-2]).update(
        state="in_doubt", reason="hung_up", attempts=1
    )


def settle(pk: int) -> None:
    """Play the post office to the end."""
    mailing = Request.objects.get(pk=pk).mailing_id
    assert mailing is not None
    Recipient.objects.filter(mailing=mailing, state__in=["pending", "in_doubt"]).update(
        state="accepted"
    )
    note_settled(mailing, by=RELAY)


def fill(town: Town) -> Town:
    """Put a case in every state on the desk."""
    paula, otto, anna = (town.actor(name) for name in ("paula", "otto", "anna"))
    for goal, subject in (
        ("filed", "Cierre de las bibliotecas por inventario, del 1 al 4 de diciembre"),
        ("in_review", "Curso de lectura crítica para docentes"),
        ("forwarded", "Ceremonia de grados de diciembre: instrucciones"),
        ("accepted", "Pago de matrícula con descuento por votación"),
        ("sending", "Jornada de salud y bienestar: del 24 al 26 de noviembre"),
        ("sent", "Convocatoria de monitorías para el primer periodo de 2027"),
        ("told", "Encuentro regional de semilleros de investigación"),
        ("confirmed", "Elección de representantes al Consejo Académico"),
        ("verified", "Suspensión del servicio de energía en la sede Norte"),
        ("closed", "Horario de atención de fin de año"),
    ):
        pk = draft(town, subject)
        town.cases[goal] = walk(town, pk, goal)
        if goal == "sending":
            some_settled(pk)
    for name, subject in (
        ("returned", "Torneo de ajedrez entre facultades"),
        ("rejected", "Venta de entradas para el concierto"),
        ("cancelled", "Simulacro de evacuación"),
        ("scheduled", "Jornada de vacunación contra la influenza"),
        ("paused", "Renovación de carnés de la biblioteca"),
        ("external", "Encuesta de autoevaluación institucional"),
    ):
        pk = draft(town, subject)
        match name:
            case "returned":
                town.cases[name] = walk(town, pk, "in_review")
                services.return_request(pk, by=paula, reason="Falta decir en qué fecha comienza.")
            case "rejected":
                town.cases[name] = walk(town, pk, "in_review")
                services.reject(
                    pk, by=paula, reason="No es de interés institucional.", channel="La cartelera."
                )
            case "cancelled":
                town.cases[name] = walk(town, pk, "filed")
                services.cancel(pk, by=anna, reason="Ya no se hace.")
            case "scheduled":
                town.cases[name] = walk(town, pk, "accepted")
                services.schedule(pk, by=otto, scheduled_at=timezone.now() + timedelta(days=2))
            case "paused":
                town.cases[name] = walk(town, pk, "sending")
                some_settled(pk)
                services.pause(pk, by=otto)
            case _external:
                town.cases[name] = walk(town, pk, "accepted")
                proof = services.attach(
                    pk, name="reporte.csv", media_type="text/csv", content=b"a;b\n", by=otto
                )
                services.declare_sent(
                    pk,
                    by=otto,
                    figures=Figures(audience=60, accepted=57, refused=2, bounced=1),
                    started_at=timezone.now() - timedelta(hours=2),
                    ended_at=timezone.now() - timedelta(hours=1),
                    documents=[proof],
                )
    town.draft = draft(town, "Borrador de la jornada de orientación")
    services.create_draft(
        Content(subject="Un borrador a medias"),
        by=anna,
        requester=town.people["anna"].pk,
        unit=None,
        channel=Channel.WEB,
    )
    return town
