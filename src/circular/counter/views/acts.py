"""Every act of the desk as a POST, and a page of its own where it asks for words or does harm.

Rules:
1. GET shows and never acts; a GET on an act without a page leads back to the case.
2. A refusal is shown as the fact and its remedy with status 409; a form that lacks something is 422.
3. The second of two who act at once is told what the first one did: the desk's own answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from django import forms
from django.contrib import messages as told
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from circular.counter import (
    casefile,
    deeds,
    desk,
    formats,
    labels,
    pages,
    parts,
    queries,
    trays,
    verdicts,
)
from circular.counter.forms import DeclareForm, ReasonForm, RejectForm, ScheduleForm
from circular.evidence.actors import Actor
from circular.people.queries import PostRow
from circular.people.roles import Role
from circular.workflow import labels as words
from circular.workflow import queries as workflow
from circular.workflow import services
from circular.workflow.acts import Act, Figures
from circular.workflow.guards import Refusal
from circular.workflow.models import Request
from circular.workflow.queries import standing
from circular.workflow.states import State, Verdict
from circular.workflow.transitions import Moved, NotMoved

Answer: TypeAlias = Moved | NotMoved

# Through which role an act is signed; the rest is signed by whoever asked.
ROLE_OF: Mapping[Act, Role] = {
    **dict.fromkeys(
        (
            Act.TAKE,
            Act.RETURN,
            Act.REJECT,
            Act.APPROVE,
            Act.FORWARD,
            Act.ASK_MISSING,
            Act.CONFIRM_TO_REQUESTER,
            Act.VERIFY,
            Act.FIND_NOT_SENT,
            Act.CLOSE,
        ),
        Role.COMMUNICATIONS,
    ),
    **dict.fromkeys(
        (
            Act.ACCEPT,
            Act.SCHEDULE,
            Act.START,
            Act.RESUME,
            Act.SEND_BACK,
            Act.DECLARE_SENT,
            Act.CONFIRM_TO_COMMUNICATIONS,
            Act.RESEND_MISSING,
        ),
        Role.TIC,
    ),
    Act.AUTHORISE: Role.APPROVER,
}
REMINDING = (Role.COMMUNICATIONS, Role.PROCESS_OWNER, Role.QUALITY)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def act(request: HttpRequest, number: str, slug: str) -> HttpResponse:
    """Show the page of an act, or do it."""
    row = queries.case_by_number(desk.reader(request), number)
    deed = deeds.BY_SLUG.get(slug)
    if row is None or deed is None:
        raise Http404
    if deed.act in {Act.CORRECT, Act.RESUBMIT}:
        return redirect("request-correct", number)
    if request.method != "POST":
        if not deed.page:
            return redirect("case", number)
        refusal = _objection(request, row, deed)
        return _asked(request, row, deed, refused=refusal, shut=refusal is not None)
    return _done(request, row, deed)


def _objection(request: HttpRequest, row: Request, deed: deeds.Deed) -> Mapping[str, str] | None:
    """Return why the reader may not do this now, before they have typed anything."""
    answer = next((one for one in pages.open_acts_of(request, row) if one.act is deed.act), None)
    if answer is None:
        return {
            "fact": _("Este acto no le corresponde, o ya pasó su momento."),
            "remedy": _("Vuelva al expediente para ver qué puede hacer ahora."),
        }
    return split(answer.sentence) if answer.refusal is not None else None


def signer(request: HttpRequest, deed: deeds.Deed) -> Actor:
    """Return who signs the act, in the post that lets them."""
    if deed.act is Act.REMIND:
        posts = desk.reader(request).posts
        fitting = (role for role in REMINDING if any(post.role is role for post in posts))
        return desk.actor(request, next(fitting, None))
    return desk.actor(request, ROLE_OF.get(deed.act))


def _authority(request: HttpRequest, row: Request) -> PostRow | None:
    """Return the post of the reader's whose consent is lacking, else one that has consented."""
    facts = workflow.facts_of(row)
    own = [post for post in desk.reader(request).posts if post.id in facts.authorities]
    lacking = [post for post in own if post.id not in facts.consents]
    return next(iter(lacking or own), None)


def _done(request: HttpRequest, row: Request, deed: deeds.Deed) -> HttpResponse:
    """Do the act, or say why not."""
    form = form_of(deed, row, request.POST, request.FILES)
    if not form.is_valid():
        return _asked(request, row, deed, form=form, status=422)
    answer = carry_out(request, row, deed, form)
    match answer:
        case int() if answer:
            made = Request.objects.get(pk=answer)
            told.success(request, _("Se preparó un borrador a partir de este expediente."))
            return redirect(trays.case_url(made))
        case NotMoved():
            return _refused(request, row, deed, answer, form)
        case _:
            told.success(request, outcome_words(deed))
    if deed.act in {Act.START, Act.PAUSE, Act.RESUME, Act.RESEND_MISSING}:
        return redirect("sending", row.filing_number)
    return redirect("case", row.filing_number)


def _refused(
    request: HttpRequest, row: Request, deed: deeds.Deed, answer: NotMoved, form: forms.Form
) -> HttpResponse:
    """Show the refusal where the act was asked for, with what was typed."""
    row = queries.case_by_number(desk.reader(request), row.filing_number or "") or row
    refused = refusal_words(answer)
    if deed.page:
        return _asked(request, row, deed, form=form, refused=refused, status=409)
    page = pages.case_page(request, row) | {"refused": refused}
    return render(request, "counter/case.html", page, status=409)


def refusal_words(answer: NotMoved) -> dict[str, str]:
    """Return a refusal as fact and remedy."""
    return split(words.sentence(answer))


def split(sentence: str) -> dict[str, str]:
    """Return the fact and the remedy of a sentence of the desk."""
    fact, stop, remedy = sentence.partition(". ")
    return {"fact": fact + ("." if stop else ""), "remedy": remedy}


def carry_out(
    request: HttpRequest, row: Request, deed: deeds.Deed, form: forms.Form
) -> Answer | int:
    """Call the one service of the act with what was typed."""
    given = form.cleaned_data
    by = signer(request, deed)
    digest = request.POST.get("seen_digest", "")
    count = _count(request.POST.get("seen_count", ""))
    pk = row.pk
    match deed.act:
        case Act.TAKE:
            return services.take(pk, by=by)
        case Act.TAKE_OVER:
            return services.take_over(pk, by=by)
        case Act.RELEASE_CASE:
            return services.release_case(pk, by=by)
        case Act.ASK_MISSING:
            return services.ask_missing(pk, by=by, note=given["reason"])
        case Act.RETURN:
            return services.return_request(pk, by=by, reason=given["reason"])
        case Act.REJECT:
            return services.reject(pk, by=by, reason=given["reason"], channel=given["channel"])
        case Act.SEND_TEST:
            return services.send_test(pk, by=by)
        case Act.SIGN_OFF:
            return services.sign_off(pk, by=by, seen_digest=digest)
        case Act.APPROVE:
            return services.approve(pk, by=by, seen_digest=digest, seen_count=count or 0)
        case Act.AUTHORISE:
            post = _authority(request, row)
            if post is not None:
                by = Actor.of(desk.reader(request).person, post.code)
            return services.authorise(
                pk, by=by, seen_digest=digest, post=post.id if post is not None else None
            )
        case Act.FORWARD:
            return services.forward(pk, by=by)
        case Act.ACCEPT:
            return services.accept(pk, by=by)
        case Act.SEND_BACK:
            return services.send_back(pk, by=by, reason=given["reason"])
        case Act.SCHEDULE:
            assert isinstance(form, ScheduleForm)
            return services.schedule(pk, by=by, scheduled_at=form.moment())
        case Act.START:
            return services.start(pk, by=by, accepted_count=count)
        case Act.PAUSE:
            return services.pause(pk, by=by)
        case Act.RESUME:
            return services.resume(pk, by=by)
        case Act.CANCEL:
            return services.cancel(pk, by=by, reason=given["reason"])
        case Act.DECLARE_SENT:
            return _declare(pk, by, given)
        case Act.CONFIRM_TO_COMMUNICATIONS:
            return services.confirm_to_communications(pk, by=by)
        case Act.CONFIRM_TO_REQUESTER:
            return services.confirm_to_requester(pk, by=by)
        case Act.VERIFY:
            return _verify(request, row, by)
        case Act.FIND_NOT_SENT:
            return services.find_not_sent(pk, by=by, reason=given["reason"])
        case Act.RESEND_MISSING:
            return services.resend_missing(pk, by=by, reason=given["reason"])
        case Act.REVIEW_AFTERWARDS:
            return services.review_afterwards(pk, by=by, note=given["reason"])
        case Act.DECLARE_URGENT:
            return services.declare_urgent(pk, by=by, reason=given["reason"])
        case Act.CLOSE:
            return services.close(pk, by=by, reason=given.get("reason", ""))
        case Act.REMIND:
            return services.remind_now(pk, by=by)
        case Act.REOPEN:
            return services.reopen(pk, by=by, reason=given["reason"])
        case Act.COPY:
            return services.copy_request(pk, by=by)
        case Act.ISSUE_ERRATUM:
            return services.issue_erratum(pk, by=by)
        case _other:
            raise Http404


def _count(text: str) -> int | None:
    digits = text.replace(".", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _declare(pk: int, by: Actor, given: Mapping[str, Any]) -> Answer:
    figures = Figures(
        audience=given["audience"],
        accepted=given["accepted"],
        refused=given["refused"],
        bounced=given["bounced"],
        suppressed=given["suppressed"],
    )
    documents = [
        services.attach(
            pk,
            name=file.name,
            media_type=file.content_type or "application/octet-stream",
            content=file.read(),
            by=by,
        )
        for file in given["documents"]
    ]
    began, ended = (
        timezone.make_aware(datetime.combine(given["on"], given[name]))
        for name in ("began", "ended")
    )
    return services.declare_sent(
        pk,
        by=by,
        figures=figures,
        started_at=began,
        ended_at=ended,
        documents=documents,
        note=given["note"],
    )


def _verify(request: HttpRequest, row: Request, by: Actor) -> Answer:
    """Record a person's verdict with the checks as they stand."""
    try:
        verdict = Verdict(request.POST.get("verdict", ""))
    except ValueError:  # no button was pressed: nothing is verified by silence
        return NotMoved(Refusal.VERDICT_MISSING)
    found = verdicts.of_case(row.pk)
    return services.verify(
        row.pk,
        by=by,
        verdict=verdict,
        reasons=found.reasons if found is not None else (),
        checks=found.for_letter if found is not None else (),
        difference=found.difference if found is not None else (),
    )


# ---- the pages of acts -----------------------------------------------------------------------


def form_of(deed: deeds.Deed, row: Request, data: Any = None, files: Any = None) -> forms.Form:
    """Return the form of an act; most have no field."""
    match deed.act:
        case Act.SCHEDULE:
            wanted = row.version.wanted_at if row.version is not None else None
            wanted = wanted if wanted is not None and wanted > timezone.now() else None
            local = timezone.localtime(wanted) if wanted is not None else None
            initial = {"on": local.date(), "at": f"{local:%H:%M}"} if local is not None else {}
            return ScheduleForm(data, initial=initial)
        case Act.DECLARE_SENT:
            return DeclareForm(data, files)
        case Act.REJECT:
            return RejectForm(data, hint=str(_HINT_READ), need=_("Escriba por qué se rechaza"))
        case (
            Act.RETURN
            | Act.SEND_BACK
            | Act.CANCEL
            | Act.REOPEN
            | Act.FIND_NOT_SENT
            | Act.RESEND_MISSING
            | Act.DECLARE_URGENT
            | Act.REVIEW_AFTERWARDS
            | Act.ASK_MISSING
        ):
            label, need = reason_words(deed.act)
            return ReasonForm(data, label=label, hint=str(_HINT_READ), need=need)
        case _other:
            return forms.Form(data)


def reason_words(what: Act) -> tuple[str, str]:
    """Return how an act asks why, and what it says when nothing was written."""
    return {
        Act.RETURN: (_("Qué hay que corregir"), _("Escriba qué hay que corregir")),
        Act.SEND_BACK: (_("Por qué se devuelve"), _("Escriba por qué se devuelve")),
        Act.CANCEL: (_("Por qué se cancela"), _("Escriba por qué se cancela")),
        Act.REOPEN: (_("Por qué se reabre"), _("Escriba por qué se reabre")),
        Act.FIND_NOT_SENT: (
            _("Cómo se sabe que no se envió"),
            _("Escriba cómo se sabe que no se envió"),
        ),
        Act.RESEND_MISSING: (_("Por qué se reenvía"), _("Escriba por qué se reenvía")),
        Act.DECLARE_URGENT: (_("Por qué no puede esperar"), _("Escriba por qué no puede esperar")),
        Act.REVIEW_AFTERWARDS: (_("Qué se encontró"), _("Escriba qué se encontró al revisarla")),
        Act.ASK_MISSING: (_("Qué falta"), _("Escriba qué falta")),
    }[what]


_HINT_READ = gettext_lazy("Lo leerán el solicitante y las oficinas, y queda en el expediente.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How one act's page asks."""

    question: str
    button: str
    back: str
    touched: Sequence[parts.Check] = ()
    mild: Mapping[str, str] | None = None
    hidden: Sequence[tuple[str, str]] = ()
    verdicts: Sequence[tuple[str, str]] = ()


def _asked(
    request: HttpRequest,
    row: Request,
    deed: deeds.Deed,
    *,
    form: forms.Form | None = None,
    refused: Mapping[str, str] | None = None,
    shut: bool = False,
    status: int = 200,
) -> HttpResponse:
    asked = asking(row, deed)
    form = form if form is not None else form_of(deed, row)
    return render(
        request,
        "counter/act.html",
        {
            "nav": "cases",
            "number": row.filing_number,
            "subject": row.version.subject if row.version is not None else "",
            "label": str(deed.label).rstrip("…"),
            "action": deeds.url_of(deed, row.filing_number or ""),
            "code": deed.act.value,
            "harm": deed.harm,
            "form": form,
            "multipart": form.is_multipart(),
            "refused": refused,
            "shut": shut,
            "question": asked.question,
            "button": asked.button,
            "back": asked.back,
            "touched": tuple(asked.touched),
            "mild": asked.mild,
            "hidden": asked.hidden,
            "verdicts": asked.verdicts,
        },
        status=status,
    )


def asking(row: Request, deed: deeds.Deed) -> Asked:
    """Return the question, who is touched, and the words of the button."""
    number = row.filing_number or ""
    label = str(deed.label).rstrip("…")
    match deed.act:
        case Act.CANCEL:
            return _ask_cancel(row, number)
        case Act.START:
            return _ask_start(row, number)
        case Act.VERIFY:
            return _ask_verify(row)
        case Act.REJECT:
            return Asked(
                question=_("¿Rechazar esta solicitud?"),
                button=_("Rechazar %(number)s") % {"number": number},
                back=_("No rechazar"),
                touched=[
                    _check(
                        parts.Tone.BAD,
                        "ban",
                        _("Este correo no saldrá."),
                        _("La solicitud termina aquí; no se puede corregir ni presentar otra vez."),
                    )
                ],
                mild={
                    "text": _("¿Solo hay que corregir algo?"),
                    "url": reverse("act", args=[number, deeds.BY_ACT[Act.RETURN].slug]),
                    "link": _("Devolver con razones"),
                },
            )
        case Act.FIND_NOT_SENT:
            return Asked(
                question=_("¿Declarar que este correo no se envió?"),
                button=_("Declarar «no enviado» y recordar a TIC"),
                back=_("Volver sin declarar"),
                touched=[
                    _check(
                        parts.Tone.BAD,
                        "alert-triangle",
                        _("El expediente vuelve a la actividad 3."),
                        _(
                            "La confirmación que hubiera deja de valer y TIC recibe el recordatorio."
                        ),
                    )
                ],
            )
        case Act.RESEND_MISSING:
            return _ask_resend(row)
        case Act.REMIND:
            return _ask_remind(row)
        case Act.TAKE_OVER:
            holder = row.reviewer if State(row.state) is State.IN_REVIEW else row.operator
            name = holder.full_name if holder is not None else ""
            return Asked(
                question=_("¿Tomar este asunto de otra persona?"),
                button=_("Tomar %(number)s") % {"number": number},
                back=_("No tomarlo"),
                touched=[
                    _check(
                        parts.Tone.WARN,
                        "user",
                        _("Hoy lo tiene %(name)s.") % {"name": name or _("nadie")},
                        _("Queda anotado quién lo tomó y cuándo."),
                    )
                ],
            )
        case Act.ISSUE_ERRATUM:
            mailing = row.mailing
            count = formats.figure(mailing.audience if mailing else 0, trays.lang())
            return Asked(
                question=_("¿Emitir una fe de erratas?"),
                button=_("Preparar la fe de erratas"),
                back=_("No emitirla"),
                touched=[
                    _check(
                        parts.Tone.NOW,
                        "users",
                        _("Va a las mismas %(count)s personas.") % {"count": count},
                        _("Es otra solicitud, unida a esta, y recorre las cinco actividades."),
                    )
                ],
            )
        case _other:
            return Asked(question=label, button=label, back=_("Volver sin hacerlo"))


def _check(tone: parts.Tone, icon: str, fact: str, more: str = "") -> parts.Check:
    return parts.Check(tone=tone, icon=icon, fact=fact, more=more)


def _people(count: int, one: str, many: str) -> str:
    return (one if count == 1 else many) % {"count": formats.figure(count, trays.lang())}


def _ask_cancel(row: Request, number: str) -> Asked:
    """Count who will not get it, who has it already, and who stays in doubt."""
    totals = casefile.totals(row)
    if totals is None or totals.declared or row.started_at is None:
        return Asked(
            question=_("¿Cancelar esta solicitud?"),
            button=_("Cancelar %(number)s") % {"number": number},
            back=_("No cancelar"),
            touched=[
                _check(
                    parts.Tone.BAD,
                    "circle-x",
                    _("Este correo no saldrá."),
                    _("Nadie lo ha recibido. El expediente queda cancelado y se conserva."),
                )
            ],
        )
    under_way = State(row.state) in {State.SENDING, State.PAUSED}
    touched = []
    if under_way:
        touched.append(
            _check(
                parts.Tone.BAD,
                "circle-x",
                _people(
                    totals.pending,
                    _("%(count)s persona no lo recibirá."),
                    _("%(count)s personas no lo recibirán."),
                ),
                _("Quedarán excluidas con la razón «cancelado»."),
            )
        )
    touched.append(
        _check(
            parts.Tone.IDLE,
            "circle-check",
            _people(
                totals.accepted,
                _("%(count)s ya lo tiene en su servidor."),
                _("%(count)s ya lo tienen en su servidor."),
            ),
            _("Eso no se puede deshacer."),
        )
    )
    if totals.in_doubt:
        touched.append(
            _check(
                parts.Tone.DOUBT,
                "help-circle",
                _people(
                    totals.in_doubt, _("%(count)s sigue en duda."), _("%(count)s siguen en duda.")
                ),
                _("Tendrá que resolverlas aunque cancele."),
            )
        )
    mild = None
    if State(row.state) is State.SENDING:
        mild = {
            "text": _("¿Solo necesita tiempo? Pausar detiene el envío y permite seguir después."),
            "url": reverse("sending", args=[number]),
            "link": _("Volver al envío para pausar"),
        }
    return Asked(
        question=_("¿Cancelar lo que falta de este envío?")
        if under_way
        else _("¿Cancelar esta solicitud?"),
        button=_("Cancelar %(number)s") % {"number": number}
        if not under_way
        else _people(
            totals.pending,
            _("Cancelar el envío a %(count)s persona"),
            _("Cancelar el envío a %(count)s personas"),
        ),
        back=_("No cancelar"),
        touched=touched,
        mild=mild,
    )


def _ask_start(row: Request, number: str) -> Asked:
    """Count who gets it now, and show the difference with what was approved."""
    count = standing.count_of(row)
    approved = row.approved_count or 0
    language = trays.lang()
    version = row.version
    sender = version.sender.display_name if version is not None and version.sender else ""
    touched = [
        _check(
            parts.Tone.NOW,
            "send",
            _people(
                count,
                _("%(count)s persona recibirá este correo."),
                _("%(count)s personas recibirán este correo."),
            ),
            _("Lo firma «%(sender)s». Lo que sale no se puede recoger.") % {"sender": sender},
        )
    ]
    if count != approved:
        touched.append(
            _check(
                parts.Tone.WARN,
                "alert-triangle",
                _("Se aprobaron %(approved)s; hoy son %(count)s.")
                % {
                    "approved": formats.figure(approved, language),
                    "count": formats.figure(count, language),
                },
                _("El directorio cambió. Al comenzar acepta la cuenta de hoy, y queda anotado."),
            )
        )
    tested = bool(row.tested_digest) and row.tested_digest == row.approved_digest
    touched.append(
        _check(
            parts.Tone.OK if tested else parts.Tone.WARN,
            "circle-check" if tested else "alert-triangle",
            _("Se probó este mismo mensaje.") if tested else _("Este mensaje no se ha probado."),
            "" if tested else _("Puede enviar antes una prueba a Comunicaciones y al solicitante."),
        )
    )
    return Asked(
        question=_("¿Comenzar el envío ahora?"),
        button=_people(
            count,
            _("Comenzar el envío a %(count)s persona"),
            _("Comenzar el envío a %(count)s personas"),
        ),
        back=_("No comenzar"),
        touched=touched,
        mild={
            "text": _("¿Debe salir a otra hora?"),
            "url": reverse("act", args=[number, deeds.BY_ACT[Act.SCHEDULE].slug]),
            "link": _("Programar el envío"),
        },
        hidden=[("seen_count", str(count))],
    )


def _ask_verify(row: Request) -> Asked:
    found = verdicts.of_case(row.pk)
    checks = list(found.checks) if found is not None else []
    if not checks:
        checks = [
            _check(
                parts.Tone.IDLE,
                "circle-dashed",
                _("Circular todavía no ha reunido las comprobaciones."),
                _("Mire usted las cuentas y las cuentas testigo antes de decidir."),
            )
        ]
    return Asked(
        question=_("¿Se envió el correo como se aprobó?"),
        button=_("Verificado"),
        back=_("Volver sin decidir"),
        touched=checks,
        verdicts=[
            (Verdict.POSITIVE.value, _("Verificar: se envió como se aprobó")),
            (Verdict.NEGATIVE.value, _("Anotar que no se pudo verificar")),
        ],
    )


def _ask_resend(row: Request) -> Asked:
    totals = casefile.totals(row)
    missing = totals.refused if totals is not None else 0
    return Asked(
        question=_("¿Reenviar solo a quienes faltan?"),
        button=_people(
            missing, _("Reenviar a %(count)s persona"), _("Reenviar a %(count)s personas")
        ),
        back=_("No reenviar"),
        touched=[
            _check(
                parts.Tone.NOW,
                "send",
                _people(
                    missing,
                    _("%(count)s persona lo recibirá otra vez en oferta."),
                    _("A %(count)s personas se les ofrecerá otra vez."),
                ),
                _("Solo a quienes el servidor rechazó o se excluyeron al cancelar."),
            ),
            _check(
                parts.Tone.IDLE,
                "circle-check",
                _("Quienes ya lo tienen no reciben nada."),
            ),
        ],
    )


def _ask_remind(row: Request) -> Asked:
    """Show who is reminded of what, at which mailbox."""
    duty = workflow.duty_due_first(row.pk)
    touched = []
    if duty is not None:
        late = duty.due_at <= timezone.now()
        at = trays.near(duty.due_at, timezone.now())
        owed = {"what": labels.STAGES_TO_DO.get(duty.stage, duty.stage), "at": at}
        touched = [
            _check(
                parts.Tone.NOW if one.mailbox else parts.Tone.WARN,
                "mail-forward" if one.mailbox else "alert-triangle",
                _("El recordatorio va a %(name)s, %(mailbox)s.")
                % {"name": one.name, "mailbox": one.mailbox}
                if one.mailbox
                else _("%(name)s no tiene buzón.") % {"name": one.name},
                _("Debe: %(what)s. Su plazo venció %(at)s.") % owed
                if late
                else _("Debe: %(what)s. Su plazo vence %(at)s.") % owed,
            )
            for one in workflow.debtors(row, workflow.facts_of(row), Role(duty.owed_by))
        ]
    return Asked(
        question=_("¿Enviar un recordatorio?"),
        button=_("Enviar el recordatorio"),
        back=_("No recordar"),
        touched=touched,
    )


def outcome_words(deed: deeds.Deed) -> str:
    """Say what is now true, not applause."""
    return {
        Act.TAKE: _("El asunto está a su cargo."),
        Act.TAKE_OVER: _("El asunto está ahora a su cargo."),
        Act.RELEASE_CASE: _("El asunto quedó libre para otra persona."),
        Act.ASK_MISSING: _("Se pidió lo que falta; el plazo espera al solicitante."),
        Act.RETURN: _("La solicitud volvió al solicitante con sus razones."),
        Act.REJECT: _("La solicitud quedó rechazada; el solicitante recibe la razón."),
        Act.SEND_TEST: _("La prueba va en camino."),
        Act.SIGN_OFF: _("Su visto bueno quedó anotado."),
        Act.APPROVE: _("La solicitud quedó aprobada."),
        Act.AUTHORISE: _("Su autorización quedó anotada."),
        Act.FORWARD: _("La solicitud está en la División TIC."),
        Act.ACCEPT: _("El envío está a su cargo."),
        Act.SEND_BACK: _("La solicitud volvió a Comunicaciones."),
        Act.SCHEDULE: _("El envío quedó programado."),
        Act.START: _("El envío comenzó; el público quedó fijado."),
        Act.PAUSE: _("El envío está en pausa."),
        Act.RESUME: _("El envío sigue."),
        Act.CANCEL: _("La solicitud quedó cancelada."),
        Act.DECLARE_SENT: _("El envío quedó declarado, con su soporte."),
        Act.CONFIRM_TO_COMMUNICATIONS: _("Comunicaciones recibe la confirmación."),
        Act.CONFIRM_TO_REQUESTER: _("El solicitante recibe la confirmación."),
        Act.VERIFY: _("El veredicto quedó anotado; el solicitante lo recibe."),
        Act.FIND_NOT_SENT: _("El asunto volvió a TIC con el recordatorio."),
        Act.RESEND_MISSING: _("Se ofrece otra vez a quienes faltan."),
        Act.REMIND: _("El recordatorio va en camino."),
        Act.DECLARE_URGENT: _("El asunto va por el carril urgente."),
        Act.REVIEW_AFTERWARDS: _("La urgencia quedó revisada."),
        Act.CLOSE: _("El expediente está cerrado."),
        Act.REOPEN: _("El expediente está abierto otra vez."),
    }.get(deed.act, str(deed.label))
