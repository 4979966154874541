"""The sending, person by person where a person must decide: progress, doubts, reasons, relays."""

from collections import Counter
from typing import Any

from django.contrib import messages as told
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from circular.counter import (
    casefile,
    deeds,
    desk,
    formats,
    labels,
    pages,
    parts,
    queries,
    relay_words,
    trays,
)
from circular.counter.forms import SpeedForm
from circular.dispatch import queries as relays
from circular.mailing import queries as mailings
from circular.mailing.kinds import MailingKind
from circular.mailing.models import Mailing, Recipient
from circular.outcomes import queries as outcomes
from circular.outcomes.queries import Problem
from circular.outcomes.verdicts import Resolution
from circular.people.roles import Permission, Role
from circular.workflow import labels as words
from circular.workflow import services
from circular.workflow.acts import Act
from circular.workflow.models import Request
from circular.workflow.states import ON_THE_WIRE, State
from circular.workflow.transitions import Moved

SHOWN = 50  # people named on the page at once; deciding on more than that is a policy, not a click


def _case(request: HttpRequest, number: str) -> tuple[Request, Mailing]:
    row = queries.case_by_number(desk.reader(request), number)
    if row is None or row.mailing is None or row.mailing.frozen_at is None:
        raise Http404
    return row, row.mailing


@require_safe
@login_required
def sending(request: HttpRequest, number: str) -> HttpResponse:
    """Show how the sending stands and what a person must decide."""
    row, mailing = _case(request, number)
    return render(request, "counter/sending.html", page(request, row, mailing))


@require_safe
@login_required
def progress(request: HttpRequest, number: str) -> HttpResponse:
    """Draw the figures alone: what the page asks for every three seconds."""
    row, mailing = _case(request, number)
    response = render(request, "counter/sending_progress.html", progress_part(row, mailing))
    if State(row.state) is not State.SENDING:
        # The state moved: the whole page has other buttons now.
        response["HX-Refresh"] = "true"
    return response


@require_POST
@login_required
def resolve(request: HttpRequest, number: str, recipient_id: str) -> HttpResponse:
    """Record what a person decided about one doubt."""
    row, mailing = _case(request, number)
    desk.require(request, Permission.OPERATE_SENDING)
    if not Recipient.objects.filter(pk=recipient_id, mailing=mailing).exists():
        raise Http404
    try:
        resolution = Resolution(request.POST.get("resolution", ""))
    except ValueError:
        raise Http404 from None
    answer = services.resolve_doubt(
        row.pk, int(recipient_id), resolution, by=desk.actor(request, Role.TIC)
    )
    if isinstance(answer, Moved):
        told.success(request, _("La duda quedó resuelta."))
    elif resolution is Resolution.OFFER_AGAIN and State(row.state) is State.CANCELLED:
        told.warning(request, _("La solicitud está cancelada: a nadie se le ofrece otra vez."))
    else:
        told.warning(request, words.sentence(answer))
    return redirect(reverse("sending", args=[number]) + "#dudas")


@require_POST
@login_required
def speed(request: HttpRequest, number: str) -> HttpResponse:
    """Set how fast the sending may go at most, from the next message on."""
    row, mailing = _case(request, number)
    desk.require(request, Permission.OPERATE_SENDING)
    form = SpeedForm(request.POST)
    if not form.is_valid():
        shown = page(request, row, mailing) | {"speed": form}
        return render(request, "counter/sending.html", shown, status=422)
    refused = services.set_ceiling(
        row.pk, form.cleaned_data["per_minute"], by=desk.actor(request, Role.TIC)
    )
    if refused is None:
        told.success(request, _("La velocidad quedó cambiada."))
    else:
        told.warning(request, words.sentence(refused))
    return redirect("sending", number)


def progress_part(row: Request, mailing: Mailing) -> dict[str, Any]:
    """Return the live figures."""
    totals = casefile.totals(row)
    assert totals is not None
    language = trays.lang()
    share = formats.percent(totals.settled, totals.audience, language)
    pending = formats.figure(totals.pending, language)
    left = (
        _("Faltan %(pending)s") % {"pending": pending} if totals.pending else _("Nadie pendiente")
    )
    audience = ngettext("De %(count)s persona", "De %(count)s personas", totals.audience) % {
        "count": formats.figure(totals.audience, language)
    }
    lines = [_("%(audience)s; va el %(share)s.") % {"audience": audience, "share": share}]
    rate = _rate(row, totals)
    if rate and totals.pending and State(row.state) is State.SENDING:
        lines.append(_("%(rate)s por minuto.") % {"rate": formats.figure(rate, language)})
    state = State(row.state)
    if totals.pending and state is State.SENDING:
        lines += _outlook(mailing, totals.pending, rate)
    return {
        "totals": totals,
        "left": left,
        "told": " ".join(lines),
        # The live region speaks at each tenth and at each change of state (look.md §3).
        "spoken": _("%(state)s. Va el %(share)s.")
        % {
            "state": labels.state_pill(row.state).word,
            "share": formats.percent(totals.settled * 10 // max(1, totals.audience), 10, language),
        },
        "self_paused": labels.self_pause(mailing.self_paused) if mailing.self_paused else None,
        "now": timezone.now(),
        "live": state is State.SENDING,
        "number": row.filing_number,
    }


def _outlook(mailing: Mailing, pending: int, rate: int) -> list[str]:
    """Say when it will end, and when a used-up quota has room again."""
    found = relays.outlook(mailing.pk, left=pending, per_second=rate / 60 if rate else None)
    now, said = timezone.now(), []
    if found.waits_until is not None:
        said.append(_("Habrá cuota otra vez %(at)s.") % {"at": trays.near(found.waits_until, now)})
    if found.ends_at is not None and found.ends_at > now:
        said.append(_("Se espera terminar %(at)s.") % {"at": trays.near(found.ends_at, now)})
    return said


def _rate(row: Request, totals: parts.Totals) -> int:
    """Return how many a minute since the start, or 0 when that says nothing yet."""
    if row.started_at is None:
        return 0
    minutes = (timezone.now() - row.started_at).total_seconds() / 60
    done = totals.settled - totals.suppressed
    return round(done / minutes) if minutes >= 0.25 and done > 0 else 0


def page(request: HttpRequest, row: Request, mailing: Mailing) -> dict[str, Any]:
    """Return everything the sending page draws."""
    reader = desk.reader(request)
    # Who asked reads how many; the people behind the figures are the offices' business.
    sees_people = reader.may(Permission.SEE_ALL_CASES)
    doubts = outcomes.doubts(mailing.pk, limit=SHOWN)
    problems = outcomes.problems(mailing.pk, limit=SHOWN)
    duplicates = mailings.possible_duplicates(mailing.pk, limit=SHOWN) if sees_people else []
    answers = pages.open_acts_of(request, row)
    open_acts = {one.act for one in answers if one.refusal is None}
    deciding = next((one for one in answers if one.act is Act.RESOLVE_DOUBT), None)
    bar = deeds.bar(
        number=row.filing_number or "",
        allowed=open_acts & {Act.PAUSE, Act.RESUME, Act.CANCEL, Act.RESEND_MISSING},
        refused={},
        heading="",
        sentence="",
        hidden={},
        sending=True,
    )
    count = mailing.in_doubt
    heading = ngettext("%(word)s persona en duda", "%(word)s personas en duda", count)
    return {
        "nav": "cases",
        **pages.title_part(row),
        **progress_part(row, mailing),
        "bar": bar,
        "speed": SpeedForm(initial={"per_minute": mailing.per_minute})
        if State(row.state) in ON_THE_WIRE and reader.may(Permission.OPERATE_SENDING)
        else None,
        "doubts": [_doubt(one) for one in doubts] if sees_people else [],
        "doubts_heading": heading % {"word": formats.in_words(count, trays.lang(), feminine=True)}
        if count
        else _("Nadie en duda"),
        "sure": not count,
        "more_doubts": max(0, count - len(doubts)),
        "may_resolve": Act.RESOLVE_DOUBT in open_acts,
        "not_resolved_by_you": deciding.sentence if deciding is not None and count else "",
        "may_offer": State(row.state) is not State.CANCELLED,
        "duplicates": [
            {"address": one.address, "told": labels.RECIPIENT_STATES.get(one.state.value, "")}
            for one in duplicates
        ],
        "duplicates_heading": ngettext(
            "%(count)s persona pudo recibir dos copias",
            "%(count)s personas pudieron recibir dos copias",
            len(duplicates),
        )
        % {"count": formats.in_words(len(duplicates), trays.lang(), feminine=True)},
        "reasons": _reasons(problems),
        "problems": [_problem(one) for one in problems] if sees_people else [],
        "relays": [relay_words.row(one, timezone.now()) for one in relays.relays()],
        "may_administer": reader.may(Permission.ADMINISTER),
        "tests": _tests(row),
        "witnesses": _witnesses(mailing),
    }


def _doubt(problem: Problem) -> dict[str, Any]:
    one, last = problem.recipient, problem.last
    at = last.at if last is not None else None
    facts = [
        formats.moment(timezone.localtime(at), trays.lang(), now=timezone.localtime(), seconds=True)
        if at is not None
        else "",
        str(labels.trouble("", one.reason).words).lower(),
        _("intento %(count)s") % {"count": max(1, one.attempts)},
    ]
    return {"id": one.id, "address": one.address, "told": " · ".join(filter(None, facts))}


def _problem(problem: Problem) -> dict[str, Any]:
    one, last = problem.recipient, problem.last
    reply = f"{last.code or ''} {last.enhanced} {last.reply}".strip() if last is not None else ""
    state = str(labels.RECIPIENT_STATES.get(one.state.value, one.state.value))
    return {"address": one.address, "told": " · ".join(filter(None, [state, reply[:200]]))}


def _reasons(problems: list[Problem]) -> list[dict[str, Any]]:
    counted: Counter[tuple[str, str]] = Counter(
        (problem.last.enhanced if problem.last is not None else "", problem.recipient.reason)
        for problem in problems
    )
    found = []
    for (enhanced, reason), count in counted.most_common():
        told_as = labels.trouble(enhanced, reason)
        found.append(
            {"words": told_as.words, "remedy": told_as.remedy, "code": enhanced, "count": count}
        )
    return found


def _tests(row: Request) -> tuple[parts.Check, ...]:
    tests = mailings.mailings_of_case(row.pk, MailingKind.TEST)
    if not tests:
        return (
            parts.Check(
                tone=parts.Tone.IDLE,
                icon="circle-dashed",
                fact=_("No se ha enviado ninguna prueba"),
            ),
        )
    last = tests[-1]
    same = row.version is not None and last.stencil == row.version.digest
    at = last.released_at or last.created_at
    return (
        parts.Check(
            tone=parts.Tone.OK if same else parts.Tone.WARN,
            icon="circle-check" if same else "alert-triangle",
            fact=_("Enviado %(at)s, igual al aprobado") % {"at": trays.near(at, timezone.now())}
            if same
            else _("El texto cambió después de la prueba"),
            seal=last.stencil,
        ),
    )


def _witnesses(mailing: Mailing) -> str:
    if not mailing.witnesses:
        return _(
            "Este envío no lleva cuentas testigo: la verificación no podrá comprobar lo recibido."
        )
    done = mailing.witnesses - mailing.witnesses_pending
    return ngettext(
        "Se ofreció a %(done)s de %(count)s cuenta testigo.",
        "Se ofreció a %(done)s de %(count)s cuentas testigo.",
        mailing.witnesses,
    ) % {"done": done, "count": mailing.witnesses}
