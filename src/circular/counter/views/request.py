"""Asking for a mass mail: the form, its preview, the draft, and correcting what was returned.

Rules:
1. Nothing typed is lost: every answer to a POST draws the form with what was sent, files included.
2. The form carries a key of its own; sent twice it is one draft and one filing.
3. Whoever writes for another unit (by telephone, on paper) says so, and names the unit's mailbox.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages as told
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from circular.counter import (
    audiences,
    desk,
    formats,
    labels,
    messages,
    pages,
    parts,
    queries,
    trays,
)
from circular.counter.forms import (
    AUDIENCE_FIELDS,
    MOST_CLAUSES,
    RequestForm,
    clauses_from,
    rule_of,
)
from circular.counter.security import PREVIEW_POLICY
from circular.directory import labels as directory_words
from circular.directory import queries as directory
from circular.directory.queries import Choice
from circular.directory.rules import Rule, rule_to_json
from circular.evidence.services import store_blob
from circular.mailing.kinds import MailClass
from circular.people import queries as people
from circular.people.roles import Permission, Role
from circular.workflow import queries as workflow
from circular.workflow import services
from circular.workflow.acts import Act
from circular.workflow.content import Attached, Content
from circular.workflow.models import Request
from circular.workflow.states import Channel, Stage, State
from circular.workflow.transitions import NotMoved

KEPT_SALT = "circular.counter.kept"


# ---- a new request and a draft ---------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Show an empty form, or take one in."""
    desk.require(request, Permission.REQUEST_MAILING)
    if request.method == "POST":
        return _taken_in(request, None)
    return _show(request, None, _bound(request, None, None))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def draft(request: HttpRequest, request_id: int) -> HttpResponse:
    """Show a draft in its form, or take in what changed."""
    row = _draft(request, request_id)
    if State(row.state) is not State.DRAFT:
        return render(
            request,
            "counter/draft_over.html",
            {"nav": "cases", **pages.title_part(row), "ended": row.ended_because},
        )
    if request.method == "POST":
        return _taken_in(request, row)
    return _show(request, row, _bound(request, row, None))


@require_safe
@login_required
@xframe_options_sameorigin
def draft_message(request: HttpRequest, request_id: int) -> HttpResponse:
    """Show the draft's message alone, under its own policy."""
    shown = messages.message_of(_draft(request, request_id))
    if shown is None:
        raise Http404
    response = HttpResponse(shown.preview().html)
    response["Content-Security-Policy"] = PREVIEW_POLICY
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def discard(request: HttpRequest, request_id: int) -> HttpResponse:
    """Ask before a draft is thrown away, and throw it away by POST."""
    row = _draft(request, request_id)
    refused: dict[str, str] | None = None
    if request.method == "POST":
        answer = services.cancel(row.pk, by=desk.actor(request), reason="")
        if not isinstance(answer, NotMoved):
            told.success(request, _("El borrador se descartó."))
            return redirect("tray")
        refused = {"fact": services_words(answer), "remedy": ""}
    return render(
        request,
        "counter/discard.html",
        {"nav": "cases", **pages.title_part(row), "row": row, "refused": refused},
        status=409 if refused else 200,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def correct(request: HttpRequest, number: str) -> HttpResponse:
    """Show the version in force in the form, or take in a corrected one."""
    row = queries.case_by_number(desk.reader(request), number)
    if row is None:
        raise Http404
    if State(row.state) not in {State.RETURNED, State.IN_REVIEW}:
        return redirect("case", number)
    if request.method == "POST":
        return _taken_in(request, row)
    return _show(request, row, _bound(request, row, None))


def _draft(request: HttpRequest, request_id: int) -> Request:
    row = queries.draft_by_id(desk.reader(request), request_id)
    if row is None:
        raise Http404
    return row


def services_words(answer: NotMoved) -> str:
    """Return a refusal in words."""
    from circular.workflow import labels as words

    return words.sentence(answer)


# ---- the form --------------------------------------------------------------------------------


def _bound(
    request: HttpRequest, row: Request | None, data: Any, *, filing: bool = False
) -> RequestForm:
    """Return the form for this reader: their units, the catalogue's senders, what the row holds."""
    reader = desk.reader(request)
    registers = Role.COMMUNICATIONS in reader.roles
    units = people.units() if registers else people.units_of(reader.person)
    senders = (
        [sender for unit in units for sender in people.senders_of_unit(unit.id)]
        if not registers
        else list(_all_senders())
    )
    names = {unit.id: unit.name for unit in units}
    return RequestForm(
        data,
        request.FILES if data is not None else None,
        initial=_initial(request, row),
        units=[(str(unit.id), unit.name) for unit in units],
        senders=[
            (
                str(sender.id),
                f"{sender.display_name} <{sender.address}>"
                + (f" · {names[sender.unit]}" if len(units) > 1 and sender.unit in names else ""),
            )
            for sender in senders
        ],
        registers=registers and row is None,
        may_hurry=row is None
        and not workflow.urgent_posts().isdisjoint(post.id for post in reader.posts),
        filing=filing,
    )


def _all_senders() -> Sequence[people.SenderRow]:
    return [
        people.SenderRow(
            id=row.pk,
            unit=row.unit_id,
            display_name=row.display_name,
            address=row.address,
            reply_to=row.reply_to or row.address,
        )
        for row in people.senders_listed().filter(active=True)
    ]


def _initial(request: HttpRequest, row: Request | None) -> dict[str, Any]:
    """Return what stands in the form before anybody types."""
    if row is None:
        person = people.person(desk.reader(request).person)
        return {
            "key": uuid.uuid4().hex,
            "contact_name": person.full_name if person is not None else "",
            "contact_phone": person.phone if person is not None else "",
        }
    version = row.version
    wanted = timezone.localtime(version.wanted_at) if version and version.wanted_at else None
    found: dict[str, Any] = {
        "key": uuid.uuid4().hex,
        "unit": str(row.unit_id or ""),
        "contact_name": row.contact_name,
        "contact_phone": row.contact_phone,
    }
    if version is not None:
        found |= {
            "sender": str(version.sender_id or ""),
            "reply_to": version.reply_to,
            "subject": version.subject,
            "text": version.text,
            "html": version.html,
            "mail_class": version.mail_class,
            "reason": version.reason,
            "wanted_on": wanted.date() if wanted else None,
            "wanted_time": _half_hour(wanted) if wanted else "10:00",
            "kept": _keep([dict(file) for file in version.attachments]),
        }
    return found


def _half_hour(at: Any) -> str:
    return f"{at.hour:02d}:{'30' if at.minute >= 30 else '00'}"


def _keep(files: Sequence[Mapping[str, Any]]) -> str:
    """Seal the list of files that are stored already, so that the form can carry it."""
    return signing.dumps(list(files), salt=KEPT_SALT)


def _kept(text: str) -> list[dict[str, Any]]:
    """Open the list of files; one that somebody wrote by hand is no list."""
    if not text:
        return []
    try:
        found = signing.loads(text, salt=KEPT_SALT)
    except signing.BadSignature:
        return []
    return found if isinstance(found, list) else []


def _clauses(request: HttpRequest, row: Request | None) -> list[dict[str, list[str]]]:
    """Return the combinations on the page, or those of the version."""
    if request.method == "POST":
        text = request.POST.get("clauses", "1")
        count = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 1
        return clauses_from(request.POST, max(1, count))
    rule = audiences.rule_of_json(row.version.audience if row and row.version else None)
    found = [
        {name: sorted(getattr(clause, name)) for name in AUDIENCE_FIELDS}
        for clause in (rule.clauses if rule is not None else ())
    ]
    return found or [{name: [] for name in AUDIENCE_FIELDS}]


# ---- taking in -------------------------------------------------------------------------------


def _taken_in(request: HttpRequest, row: Request | None) -> HttpResponse:
    """Save, file, or only draw again with one combination more or the count anew."""
    do = request.POST.get("do", "file")
    form = _bound(request, row, request.POST, filing=do == "file")
    clauses = _clauses(request, row)
    if do == "add" and len(clauses) < MOST_CLAUSES:
        clauses.append({name: [] for name in AUDIENCE_FIELDS})
    good = form.is_valid()
    files = _files(request, form)
    if do in {"add", "count"}:
        form.errors.clear()
        return _show(request, row, form, clauses=clauses, files=files)
    rule = rule_of(clauses)
    erratum = row is not None and row.erratum_of_id is not None
    missing = do == "file" and not rule.clauses and not erratum
    audience_error = _("Elija los destinatarios") if missing else ""
    if good and do == "file" and rule.clauses and not directory.count(rule):
        audience_error = _("Elija un público con al menos una persona")
    if not good or audience_error:
        return _show(
            request,
            row,
            form,
            clauses=clauses,
            files=files,
            audience_error=audience_error,
            status=422,
        )
    unit, sender = _whole(form.cleaned_data["unit"]), _whole(form.cleaned_data["sender"])
    if unit is not None and sender is not None:
        catalogue = {one.id for one in people.senders_of_unit(unit)}
        if sender not in catalogue:
            form.add_error("sender", _("Elija un remitente de la dependencia que solicita"))
            return _show(request, row, form, clauses=clauses, files=files, status=422)
    content = _content(form, rule, files, row)
    return _written(request, row, form, content, do)


def _written(
    request: HttpRequest, row: Request | None, form: RequestForm, content: Content, do: str
) -> HttpResponse:
    """Write the version, and file or present it when that was asked for."""
    by = desk.actor(request)
    given = form.cleaned_data
    unit = _whole(given["unit"])
    if row is not None and row.filing_number:
        service = services.resubmit if State(row.state) is State.RETURNED else services.correct
        answer = service(row.pk, content, by=by)
        if isinstance(answer, NotMoved):
            return _refused(request, row, form, content, answer)
        told.success(request, _("La versión corregida quedó guardada; la anterior se conserva."))
        return redirect("case", row.filing_number)
    if row is None:
        channel = Channel(given.get("channel") or Channel.WEB.value)
        registered = channel in {Channel.PHONE, Channel.PAPER}
        request_id = services.create_draft(
            content,
            by=by,
            requester=_requester(given, by.person) if registered else by.person,
            unit=unit,
            channel=channel,
            answer_to=given.get("answer_to", ""),
            contact_name=given["contact_name"],
            contact_phone=given["contact_phone"],
            idempotency_key=given["key"],
        )
    else:
        request_id = row.pk
        updated = services.update_draft(
            row.pk,
            content,
            by=by,
            unit=unit,
            contact_name=given["contact_name"],
            contact_phone=given["contact_phone"],
        )
        if isinstance(updated, NotMoved):
            return _refused(request, row, form, content, updated)
    if given.get("urgent"):
        services.declare_urgent(request_id, by=desk.actor(request), reason=given["urgent_reason"])
    if do != "file":
        return redirect(reverse("draft", args=[request_id]) + "#previa")
    filed = services.file_request(request_id, by=by)
    made = Request.objects.get(pk=request_id)
    if isinstance(filed, NotMoved) and not made.filing_number:
        return _refused(request, made, form, content, filed)
    if not isinstance(filed, NotMoved):
        told.success(request, _("La solicitud está radicada; el acuse va en camino."))
    return redirect("case", made.filing_number)


def _requester(given: Mapping[str, Any], fallback: int | None) -> int | None:
    """Return who asked by telephone or on paper: the owner of the mailbox, if one is known here."""
    found = people.person_by_address(given.get("answer_to", ""))
    return found.id if found is not None else fallback


def _refused(
    request: HttpRequest, row: Request, form: RequestForm, content: Content, answer: NotMoved
) -> HttpResponse:
    sentence = services_words(answer)
    fact, stop, remedy = sentence.partition(". ")
    return _show(
        request,
        row,
        form,
        clauses=_clauses(request, row),
        files=[_plain(file) for file in content.attachments],
        refused={"fact": fact + ("." if stop else ""), "remedy": remedy},
        status=409,
    )


def _whole(text: str) -> int | None:
    return int(text) if text else None


def _files(request: HttpRequest, form: RequestForm) -> list[dict[str, Any]]:
    """Return the files of the message: those kept, less those dropped, and those sent now.

    A file is stored at once, so that an error elsewhere in the form does not lose it.
    """
    dropped = set(request.POST.getlist("drop"))
    files = [file for file in _kept(request.POST.get("kept", "")) if file["digest"] not in dropped]
    if "attached" in form.errors:
        return files
    for file in request.FILES.getlist("attached"):
        content = file.read()
        media_type = file.content_type or "application/octet-stream"
        digest = store_blob(content, media_type=media_type)
        if digest not in {one["digest"] for one in files}:
            files.append(
                _plain(
                    Attached(
                        name=file.name or _("anexo"),
                        media_type=media_type,
                        digest=digest,
                        octets=len(content),
                    )
                )
            )
    return files


def _plain(file: Attached) -> dict[str, Any]:
    return {
        "name": file.name,
        "media_type": file.media_type,
        "digest": file.digest,
        "octets": file.octets,
        "content_id": file.content_id,
        "inline": file.inline,
    }


def _content(
    form: RequestForm, rule: Rule, files: Sequence[Mapping[str, Any]], row: Request | None
) -> Content:
    given = form.cleaned_data
    version = row.version if row is not None else None
    return Content(
        sender=_whole(given["sender"]),
        reply_to=given["reply_to"],
        subject=given["subject"],
        html=given["html"],
        text=given["text"].replace("\r\n", "\n"),
        attachments=tuple(Attached(**file) for file in files),
        audience=rule_to_json(rule) if rule.clauses else None,
        audience_words=version.audience_words if version is not None else "",
        mail_class=MailClass(given["mail_class"]),
        wanted_at=form.wanted_at(),
        wanted_words=version.wanted_words if version is not None else "",
        reason=given["reason"],
    )


# ---- drawing ---------------------------------------------------------------------------------


@require_POST
@login_required
def count(request: HttpRequest) -> HttpResponse:
    """Draw the count of the combinations on the page: what the form asks for at each change."""
    desk.require(request, Permission.REQUEST_MAILING, Permission.SEE_AUDIENCES)
    rule = rule_of(_clauses(request, None))
    return render(
        request,
        "counter/audience_count.html",
        {
            "count": audiences.figures(rule, sample=False) if rule.clauses else None,
            "chosen": bool(rule.clauses),
        },
    )


def _show(
    request: HttpRequest,
    row: Request | None,
    form: RequestForm,
    *,
    clauses: list[dict[str, list[str]]] | None = None,
    files: Sequence[Mapping[str, Any]] | None = None,
    audience_error: str = "",
    refused: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    clauses = clauses if clauses is not None else _clauses(request, row)
    choices = directory.choices()
    rule = rule_of(clauses)
    if files is None:
        files = _kept(str(form.initial.get("kept", "")))
    if form.is_bound:
        data = request.POST.copy()
        data["kept"] = _keep(files)
        form.data = data
    filed = row is not None and bool(row.filing_number)
    message = _message(request, row)
    errors = _error_list(form, audience_error)
    heading = _("Solicitar un correo masivo")
    if filed:
        heading = _("Corregir la solicitud")
    elif row is not None:
        heading = _("Terminar y radicar el borrador")
    return render(
        request,
        "counter/request.html",
        {
            "nav": "cases",
            "title": heading,
            "heading": heading,
            "lead": _(
                "Con estos datos Comunicaciones revisa y la División TIC envía. "
                "Puede guardar y seguir después."
            )
            if not filed
            else _("La versión anterior se conserva. Lo aprobado sobre ella deja de valer."),
            "back": trays.case_url(row) if filed and row is not None else "",
            "form": form,
            "errors_heading": _error_heading(len(errors)),
            "error_list": errors,
            "audience_error": audience_error,
            "refused": refused,
            "clauses": [_clause(index, clause, choices) for index, clause in enumerate(clauses)],
            "choices": choices,
            "may_add": len(clauses) < MOST_CLAUSES,
            "count": audiences.figures(rule, sample=False) if rule.clauses else None,
            "chosen": bool(rule.clauses),
            "kept_files": [file for file in files if not file.get("inline")],
            "class_hints": list(labels.CLASS_HINTS.items()),
            "button": _("Presentar la versión corregida") if filed else _("Radicar la solicitud"),
            "act_code": _act_code(row),
            "may_save": not filed,
            "saved_at": row.version.written_at
            if row is not None and row.version and not filed
            else None,
            "advice": tuple(
                parts.Check(tone=parts.Tone.WARN, icon="alert-triangle", fact=fact)
                for fact in (messages.advice_on(row) if row is not None else ())
            ),
            "discard_url": reverse("draft-discard", args=[row.pk])
            if row is not None and not filed
            else "",
            "steps": _steps(request, form),
            "row": row,
            **message,
        },
        status=status,
    )


def _act_code(row: Request | None) -> str:
    if row is None or not row.filing_number:
        return Act.FILE.value
    return (Act.RESUBMIT if State(row.state) is State.RETURNED else Act.CORRECT).value


def _message(request: HttpRequest, row: Request | None) -> dict[str, Any]:
    if row is None:
        return {
            "message": None,
            "no_message": _(
                "Guarde el borrador y aquí verá el correo como le llegará a cada persona."
            ),
            "view": pages.VIEWS[0],
        }
    url = (
        reverse("case-message", args=[row.filing_number])
        if row.filing_number
        else reverse("draft-message", args=[row.pk])
    )
    return pages.message_part(request, row, url=url)


def _error_list(form: RequestForm, audience_error: str) -> list[tuple[str, str]]:
    """Return what is wrong in the order of the page."""
    found = []
    order = list(form.fields)
    place = order.index("mail_class")
    for index, name in enumerate(order):
        if index == place and audience_error:
            found.append(("publico", audience_error))
        bound = form[name]
        found += [(bound.id_for_label or str(bound.auto_id), str(error)) for error in bound.errors]
    return found


def _error_heading(count: int) -> str:
    words = ngettext(
        "No se pudo radicar: hay una cosa por corregir",
        "No se pudo radicar: hay %(count)s cosas por corregir",
        count,
    )
    return words % {"count": formats.in_words(count, trays.lang(), feminine=True).lower()}


def _clause(index: int, clause: Mapping[str, list[str]], choices: Any) -> dict[str, Any]:
    """Return one combination with its options as the template draws them."""
    selects = (
        ("campuses", _("Sede"), _("Todas"), choices.campuses),
        ("faculties", _("Facultad"), _("Todas"), choices.faculties),
        ("programmes", _("Programa"), _("Todos"), choices.programmes),
        ("units", _("Dependencia de las personas"), _("Todas"), choices.units),
    )
    return {
        "index": index,
        "groups": [
            {
                "value": option.value,
                "word": directory_words.group(option.value).capitalize(),
                "count": option.count,
                "chosen": option.value in clause["groups"],
            }
            for option in choices.groups
        ],
        "selects": [
            {
                "name": name,
                "label": label,
                "all": every,
                "options": [_option(option, clause[name]) for option in options],
            }
            for name, label, every, options in selects
            if options
        ],
    }


def _option(option: Choice, chosen: Sequence[str]) -> dict[str, Any]:
    return {"value": option.value, "count": option.count, "chosen": option.value in chosen}


def _steps(request: HttpRequest, form: RequestForm) -> list[tuple[str, str]]:
    """Say what happens after filing, with the latest times if it were filed now."""
    now = timezone.now()
    calendar = desk.calendar(request)
    limits = workflow.time_limits()
    review = calendar.add_business(now, limits[Stage.REVIEW, False].after)
    handed = calendar.add_business(review, limits[Stage.FORWARD, False].after)
    language = trays.lang()
    hours = formats.business(limits[Stage.CONFIRM, False].after)

    def latest(at: Any) -> str:
        local = timezone.localtime(at)
        words = formats.moment(local, language, now=timezone.localtime(now), weekday=True)
        return _("A más tardar el %(at)s") % {"at": words}

    wanted = form["wanted_on"].value()
    return [
        (_("Recibe el radicado por correo"), _("Enseguida")),
        (_("Comunicaciones revisa y aprueba"), latest(review)),
        (_("La División TIC programa el envío"), latest(handed)),
        (
            _("Sale el correo"),
            str(wanted) if wanted else _("Falta elegir el día"),
        ),
        (
            _("Recibe la confirmación con cifras"),
            _("%(hours)s hábiles después del último mensaje") % {"hours": hours},
        ),
    ]
