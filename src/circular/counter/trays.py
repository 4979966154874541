"""A tray: what waits for its reader in lanes by due time, then what others have in hand.

Rules:
1. Urgent first, then what is late, then today, then later; inside a lane the soonest first.
2. A matter stands in a tray once: with its soonest duty, and says all that is wanted of the reader.
3. What waits for somebody else says for whom, and until when.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from circular.counter import clocks, formats, labels, parts
from circular.counter.progress import Reached, activities_done, activity_now
from circular.people.roles import Role
from circular.workflow.models import Correspondence, Duty, Request
from circular.workflow.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One thing that one matter wants of the reader."""

    request: Request
    do: str
    more: str = ""
    code: str
    duty: Duty | None = None


def lang() -> str:
    """Return the language of the page that is being made."""
    return formats.language_of(get_language())


def near(at: datetime, now: datetime) -> str:
    """Say a time near now, in the reader's zone."""
    return formats.moment_near(timezone.localtime(at), lang(), now=timezone.localtime(now))


def case_url(request: Request) -> str:
    """Return where a case, or a draft, stands."""
    if request.filing_number:
        return reverse("case", args=[request.filing_number])
    return reverse("draft", args=[request.pk])


def ring(request: Request, *, late: bool, size: int = 44) -> parts.Ring:
    """Return the ring of a case."""
    state = State(request.state)
    done = activities_done(state, reached(request))
    return parts.ring_of(done, now=activity_now(state, done), late=late, size=size)


def reached(request: Request) -> Reached:
    """Return the times that end activities."""
    return Reached(
        filed_at=request.filed_at,
        forwarded_at=request.forwarded_at,
        sent_at=request.sent_at,
        confirmed_at=request.confirmed_to_requester_at,
        verified_at=request.verified_at,
    )


def people_count(request: Request) -> str:
    """Say to how many people it goes, when that is known."""
    mailing = request.mailing
    count = mailing.audience if mailing is not None and mailing.audience else request.approved_count
    if not count:
        return ""
    return ngettext("%(count)s persona", "%(count)s personas", count) % {
        "count": formats.figure(count, lang())
    }


def wait_of_duty(duty: Duty) -> Wait:
    """Return what a duty wants, in the words of a tray."""
    request = duty.request
    do = str(labels.STAGES_TO_DO.get(duty.stage, duty.stage))
    more = people_count(request)
    match (duty.stage, State(request.state)):
        case ("send", State.SCHEDULED) if request.scheduled_at is not None:
            do = _("Vigilar el envío")
            more = _("Sale %(at)s") % {"at": near(request.scheduled_at, timezone.now())}
        case ("send", State.SENDING):
            do = _("Seguir el envío")
        case ("send", State.PAUSED):
            do = _("Reanudar o cancelar")
        case ("send", _other):
            do = _("Programar o enviar")
        case ("confirm", _other) if duty.owed_by == Role.TIC:
            do = _("Confirmar a Comunicaciones")
        case ("confirm", _other):
            do = _("Confirmar al solicitante")
        case ("review", State.IN_REVIEW) if request.forwarded_at is not None:
            do, more = _("Revisar otra vez"), _("TIC la devolvió")
        case _other:
            pass
    return Wait(request=request, do=do, more=more, code=duty.stage, duty=duty)


def wait_of_letter(letter: Correspondence, now: datetime) -> Wait:
    """Return the wish to be read that an incoming letter has."""
    return Wait(
        request=letter.request,
        do=_("Leer la respuesta"),
        more=_("Llegó %(at)s") % {"at": near(letter.at, now)},
        code="answer",
    )


def wait_of_doubt(request: Request) -> Wait:
    """Return the decision that people in doubt want."""
    count = request.mailing.in_doubt if request.mailing is not None else 0
    more = ngettext("%(count)s persona en duda", "%(count)s personas en duda", count)
    return Wait(
        request=request,
        do=_("Resolver dudas"),
        more=more % {"count": formats.figure(count, lang())},
        code="doubts",
    )


def together(waits: Iterable[Wait]) -> list[Wait]:
    """Return one wait per case: the first, with what else is wanted said under it."""
    by_case: dict[int, Wait] = {}
    for wait in waits:
        first = by_case.get(wait.request.pk)
        if first is None:
            by_case[wait.request.pk] = wait
        elif wait.do != first.do:
            by_case[wait.request.pk] = Wait(
                request=first.request,
                do=first.do,
                more=_("También: %(act)s") % {"act": formats.lowered(wait.do)},
                code=first.code,
                duty=first.duty,
            )
    return list(by_case.values())


def duty_clock(duty: Duty, now: datetime, between: clocks.Between) -> parts.Clock:
    """Return the clock of a duty."""
    reading = clocks.read(
        started_at=duty.started_at,
        due_at=duty.due_at,
        granted=timedelta(minutes=duty.minutes),
        now=now,
        between=between,
    )
    return clock_of(reading, now, reminders=duty.reminders)


def clock_of(reading: clocks.Reading, now: datetime, *, reminders: int = 0) -> parts.Clock:
    """Return a reading in words."""
    span = formats.business(reading.span)
    at = near(reading.due_at, now)
    if reading.late:
        fact = _("Vencida hace %(span)s hábiles") % {"span": span}
        line = _("Venció %(at)s") % {"at": at}
        if reminders:
            line += "; " + ngettext(
                "va %(count)s recordatorio", "van %(count)s recordatorios", reminders
            ) % {"count": reminders}
        return parts.Clock(tone=reading.tone, icon=reading.icon, fact=fact, lines=(line,))
    return parts.Clock(
        tone=reading.tone,
        icon=reading.icon,
        fact=_("Quedan %(span)s hábiles") % {"span": span},
        lines=(_("Vence %(at)s") % {"at": at},),
        track=reading.track,
    )


def row_of_wait(wait: Wait, now: datetime, between: clocks.Between) -> parts.Row:
    """Return a matter that waits for the reader."""
    clock = duty_clock(wait.duty, now, between) if wait.duty is not None else None
    late = wait.duty is not None and wait.duty.due_at < now
    return _row(wait.request, clock, late=late, do=wait.do, more=wait.more)


def _row(
    request: Request, clock: parts.Clock | None, *, late: bool, do: str = "", more: str = ""
) -> parts.Row:
    version = request.version
    return parts.Row(
        url=case_url(request),
        subject=(version.subject if version is not None else "") or _("Sin asunto todavía"),
        unit=request.unit.name if request.unit is not None else _("Sin dependencia todavía"),
        mail_class=str(labels.CLASSES.get(version.mail_class, "")) if version is not None else "",
        number=request.filing_number or "",
        ring=ring(request, late=late),
        clock=clock,
        do=do,
        do_more=more,
        state=request.state,
    )


def row_of_case(
    request: Request,
    duty: Duty | None,
    now: datetime,
    between: clocks.Between,
    offices: Mapping[str, str],
) -> parts.Row:
    """Return a matter that somebody else has in hand, or that is over."""
    late = duty is not None and duty.due_at < now
    return _row(request, _others_clock(request, duty, now, between, offices), late=late)


def _others_clock(
    request: Request,
    duty: Duty | None,
    now: datetime,
    between: clocks.Between,
    offices: Mapping[str, str],
) -> parts.Clock:
    state = State(request.state)
    who = offices.get(duty.owed_by, "") if duty is not None else ""
    mailing = request.mailing
    if state in {State.SENDING, State.PAUSED} and mailing is not None and mailing.audience:
        share = formats.percent(mailing.audience - mailing.pending, mailing.audience, lang())
        line = _("Comenzó %(at)s") % {"at": near(request.started_at or now, now)}
        return parts.Clock(
            tone=parts.Tone.OK, icon="building", fact=f"{offices['tic']}, {share}", lines=(line,)
        )
    if state is State.SCHEDULED and request.scheduled_at is not None:
        line = _("Sale %(at)s") % {"at": near(request.scheduled_at, now)}
        return parts.Clock(tone=parts.Tone.OK, icon="building", fact=offices["tic"], lines=(line,))
    if state is State.RETURNED:
        line = _("Devuelta %(at)s") % {"at": near(request.changed_at, now)}
        return parts.Clock(
            tone=parts.Tone.IDLE, icon="building", fact=offices["requester"], lines=(line,)
        )
    if duty is not None:
        base = duty_clock(duty, now, between)
        return parts.Clock(
            tone=base.tone,
            icon="building" if duty.due_at >= now else base.icon,
            fact=who or base.fact,
            lines=(base.fact, *base.lines[:1]) if duty.due_at < now else base.lines,
        )
    line = _("Último acto: %(at)s") % {"at": near(request.changed_at, now)}
    fact = str(labels.state_pill(request.state).word)
    return parts.Clock(tone=parts.Tone.IDLE, icon="circle-dot", fact=fact, lines=(line,))


LANES = ("urgente", "vencidos", "hoy", "despues")


def lane_of(wait: Wait, now: datetime) -> str:
    """Return the lane in which a matter stands; what has no limit is for today."""
    if wait.request.urgent:
        return "urgente"
    if wait.duty is None:
        return "hoy"
    if wait.duty.due_at < now:
        return "vencidos"
    return "hoy" if timezone.localdate(wait.duty.due_at) <= timezone.localdate(now) else "despues"


def pressing_first(waits: Iterable[Wait], now: datetime) -> list[Wait]:
    """Return them as the lanes show them; those without a limit stand last in theirs."""
    return sorted(
        waits,
        key=lambda wait: (
            LANES.index(lane_of(wait, now)),
            wait.duty is None,
            wait.duty.due_at if wait.duty is not None else now,
        ),
    )


def lanes(waits: Iterable[Wait], now: datetime, between: clocks.Between) -> tuple[parts.Lane, ...]:
    """Return the lanes that have something in them, the most pressing first."""
    rows: dict[str, list[parts.Row]] = {code: [] for code in LANES}
    for wait in pressing_first(waits, now):
        rows[lane_of(wait, now)].append(row_of_wait(wait, now, between))
    heads = {
        "urgente": (_("Urgente"), "c-bad", "urgent"),
        "vencidos": (_("Vencidos"), "c-late", "clock-exclamation"),
        "hoy": (_("Para hoy"), "", ""),
        "despues": (_("Después"), "", ""),
    }
    return tuple(
        parts.Lane(code=code, title=title, css=css, icon=icon, rows=tuple(rows[code]))
        for code, (title, css, icon) in heads.items()
        if rows[code]
    )


def heading(count: int) -> str:
    """Say first how much is wanted of the reader."""
    if not count:
        return _("Nada espera por usted")
    word = formats.in_words(count, lang())
    return ngettext(
        "%(word)s asunto espera por usted", "%(word)s asuntos esperan por usted", count
    ) % {"word": word}
