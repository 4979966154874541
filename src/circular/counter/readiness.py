"""What an institution must have before it can send, and what of it is there: facts, not memories.

Rules:
1. Each line looks at the thing itself each time: a relay is ready when it answered, not when it was saved.
2. *Missing* stands between the institution and its first sending; *look* does not, but somebody should.
3. Each line leads to the page where it is done.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import F, Max
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from circular.counter import formats, trays
from circular.directory import queries as directory
from circular.dispatch import queries as relays
from circular.mailing.models import WitnessMailbox
from circular.people import queries as people
from circular.people.models import Holding, Institution, Membership, Sender
from circular.people.roles import Role
from circular.workflow.models import Recess, TimeLimit


class Standing(StrEnum):
    """How one thing stands."""

    MISSING = "missing"
    LOOK = "look"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that an institution needs."""

    code: str
    standing: Standing
    title: str
    fact: str
    url: str
    act: str


def steps(now: datetime) -> tuple[Step, ...]:
    """Return every step in the order in which they are best done; ten queries."""
    return (
        _institution(),
        *_posts(now),
        _units(),
        _senders(),
        _directory(),
        _relay(now),
        _workers(),
        _witnesses(),
        _limits(),
        _recesses(now),
        _requests_by_mail(),
    )


def missing(found: tuple[Step, ...]) -> int:
    """Return how many steps still stand in the way."""
    return sum(step.standing is Standing.MISSING for step in found)


def heading(count: int) -> str:
    """Say first what is left."""
    if not count:
        return _("Todo está listo para enviar")
    word = formats.lowered(formats.in_words(count, trays.lang(), feminine=True))
    return ngettext(
        "Puesta en marcha: falta %(word)s cosa", "Puesta en marcha: faltan %(word)s cosas", count
    ) % {"word": word}


def _figure(count: int) -> str:
    return formats.figure(count, trays.lang())


def _institution() -> Step:
    named = Institution.objects.exclude(name="").exclude(domain="").first()
    return Step(
        code="institution",
        standing=Standing.DONE if named else Standing.MISSING,
        title=_("Institución"),
        fact=f"{named.name}, {named.domain}"
        if named
        else _("Faltan el nombre y el dominio de correo; van en cada mensaje."),
        url=reverse("people:institution"),
        act=_("Cambiar la institución") if named else _("Completar la institución"),
    )


def _posts(now: datetime) -> tuple[Step, ...]:
    today = timezone.localdate(now)
    held = dict(
        Holding.objects.filter(people.held_on(today), post__active=True, person__is_active=True)
        .values_list("post__role")
        .annotate(name=Max("post__name"))
    )
    wanted = (
        (Role.COMMUNICATIONS, _("Cargo que revisa"), _("Nadie puede aprobar una solicitud.")),
        (Role.TIC, _("Cargo que envía"), _("Nadie puede enviar lo aprobado.")),
        (
            Role.PROCESS_OWNER,
            _("Cargo que lidera el proceso"),
            _("Los avisos de demora no llegan."),
        ),
    )
    return tuple(
        Step(
            code=role.value,
            standing=Standing.DONE
            if role.value in held
            else Standing.LOOK
            if role is Role.PROCESS_OWNER
            else Standing.MISSING,
            title=title,
            fact=_("Lo ocupa alguien hoy: %(post)s") % {"post": held[role.value]}
            if role.value in held
            else without,
            url=reverse("people:posts"),
            act=_("Ver los cargos") if role.value in held else _("Crear el cargo y asignarlo"),
        )
        for role, title, without in wanted
    )


def _units() -> Step:
    count = Membership.objects.filter(person__is_active=True).values("unit").distinct().count()
    return Step(
        code="units",
        standing=Standing.DONE if count else Standing.MISSING,
        title=_("Dependencias y quienes solicitan"),
        fact=ngettext(
            "%(count)s dependencia tiene quien solicite por ella.",
            "%(count)s dependencias tienen quien solicite por ellas.",
            count,
        )
        % {"count": _figure(count)}
        if count
        else _("Nadie solicita todavía por una dependencia."),
        url=reverse("people:units") if not count else reverse("people:people"),
        act=_("Ver las personas") if count else _("Crear las dependencias"),
    )


def _senders() -> Step:
    count = Sender.objects.filter(active=True).count()
    return Step(
        code="senders",
        standing=Standing.DONE if count else Standing.MISSING,
        title=_("Remitentes"),
        fact=ngettext(
            "%(count)s remitente en el catálogo.", "%(count)s remitentes en el catálogo.", count
        )
        % {"count": _figure(count)}
        if count
        else _("Nadie escribe un remitente a mano: sin catálogo no se puede solicitar."),
        url=reverse("people:senders"),
        act=_("Ver los remitentes") if count else _("Añadir un remitente"),
    )


def _directory() -> Step:
    count = directory.active_count()
    source = directory.source_date()
    return Step(
        code="directory",
        standing=Standing.DONE if count else Standing.MISSING,
        title=_("Cuentas del directorio"),
        fact=ngettext(
            "%(count)s cuenta, importada el %(at)s.",
            "%(count)s cuentas, importadas el %(at)s.",
            count,
        )
        % {
            "count": _figure(count),
            "at": formats.moment_with_year(timezone.localtime(source.at), trays.lang()),
        }
        if count and source is not None
        else _("El directorio está vacío: no hay a quién escribir."),
        url=reverse("directory:import"),
        act=_("Importar otra lista") if count else _("Importar la lista de cuentas"),
    )


def _relay(now: datetime) -> Step:
    known = [one for one in relays.relays() if one.active]
    ready = [one for one in known if one.worked_at is not None and not one.failures]
    if ready:
        worked = max(one.worked_at for one in ready if one.worked_at is not None)
        fact = _("%(name)s respondió %(at)s.") % {
            "name": ready[0].name,
            "at": trays.near(worked, now),
        }
    elif known:
        fact = _("%(name)s está guardado, pero no ha respondido bien a una prueba.") % {
            "name": known[0].name
        }
    else:
        fact = _("No hay por dónde enviar.")
    return Step(
        code="relay",
        standing=Standing.DONE if ready else Standing.MISSING,
        title=_("Servidor de salida, probado"),
        fact=fact,
        url=reverse("relays") if known else reverse("relay-new"),
        act=_("Probar el servidor de salida") if known else _("Añadir un servidor de salida"),
    )


def _workers() -> Step:
    count = len(relays.workers())
    return Step(
        code="workers",
        standing=Standing.DONE if count else Standing.MISSING,
        title=_("Proceso que envía"),
        fact=ngettext("%(count)s en marcha.", "%(count)s en marcha.", count)
        % {"count": _figure(count)}
        if count
        else _("Ninguno está en marcha. Lo inician «circular up» o «circular worker»."),
        url=reverse("relays"),
        act=_("Ver los procesos"),
    )


def _witnesses() -> Step:
    count = WitnessMailbox.objects.filter(active=True).count()
    return Step(
        code="witnesses",
        standing=Standing.DONE if count else Standing.MISSING,
        title=_("Cuentas testigo"),
        fact=ngettext("%(count)s en uso.", "%(count)s en uso.", count) % {"count": _figure(count)}
        if count
        else _("Sin ellas no se puede comprobar que el correo llegó igual a lo aprobado."),
        url=reverse("witnesses") if count else reverse("witness-new"),
        act=_("Ver las cuentas testigo") if count else _("Añadir una cuenta testigo"),
    )


def _limits() -> Step:
    count = TimeLimit.objects.count()
    return Step(
        code="limits",
        standing=Standing.DONE,
        title=_("Plazos"),
        fact=ngettext(
            "%(count)s plazo cambiado aquí; los demás son los de fábrica.",
            "%(count)s plazos cambiados aquí; los demás son los de fábrica.",
            count,
        )
        % {"count": _figure(count)}
        if count
        else _("Rigen los de fábrica. Revíselos si su institución tiene otros."),
        url=reverse("limits"),
        act=_("Revisar los plazos"),
    )


def _recesses(now: datetime) -> Step:
    today = timezone.localdate(now)
    ahead = Recess.objects.filter(until_on__gte=today).order_by(F("from_on").asc()).first()
    return Step(
        code="recesses",
        standing=Standing.DONE if ahead else Standing.LOOK,
        title=_("Recesos"),
        fact=_("El próximo: %(name)s, desde el %(day)s.")
        % {
            "name": ahead.name,
            "day": formats.day(ahead.from_on, trays.lang(), today=today),
        }
        if ahead
        else _("No hay recesos por venir: los plazos contarán las vacaciones como días hábiles."),
        url=reverse("recesses"),
        act=_("Ver los recesos") if ahead else _("Anotar los recesos"),
    )


def _requests_by_mail() -> Step:
    address = people.institution().drafts_address
    return Step(
        code="drafts",
        standing=Standing.DONE if address else Standing.LOOK,
        title=_("Solicitudes por correo"),
        fact=address
        or _("No hay buzón de solicitudes: por ahora solo se solicita desde estas páginas."),
        url=reverse("people:institution"),
        act=_("Cambiar el buzón") if address else _("Escribir el buzón de solicitudes"),
    )
