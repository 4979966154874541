"""One letter of a case: ours as it went out, theirs as it came in, and the answer to it."""

from typing import Any

from django.contrib import messages as told
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_safe

from circular.counter import desk, formats, labels, pages, queries
from circular.counter.forms import ReasonForm
from circular.counter.security import PREVIEW_POLICY
from circular.evidence import queries as archive
from circular.mailing import queries as mailings
from circular.mailing.content import StencilContent
from circular.mailing.errors import ContentGoneError
from circular.mailing.models import Recipient
from circular.mailing.rendering import preview
from circular.people.roles import Role
from circular.workflow import services
from circular.workflow.models import Correspondence, Request


def _letter(request: HttpRequest, number: str, letter_id: str) -> tuple[Request, Correspondence]:
    row = queries.case_by_number(desk.reader(request), number)
    if row is None:
        raise Http404
    found = (
        Correspondence.objects.filter(request=row, pk=letter_id).select_related("person").first()
    )
    if found is None:
        raise Http404
    return row, found


def _content(letter: Correspondence) -> StencilContent | None:
    """Return what one of our own letters said; a secret one is gone after its verdict."""
    if letter.mailing_id is None:
        return None
    try:
        return mailings.stencil(mailings.mailing(letter.mailing_id).stencil)
    except ContentGoneError:
        return None


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def letter(request: HttpRequest, number: str, letter_id: str) -> HttpResponse:
    """Show a letter; answer one that came in, or note that it was read."""
    row, found = _letter(request, number, letter_id)
    reader = desk.reader(request)
    incoming = found.direction == "in"
    may_answer = incoming and Role.COMMUNICATIONS in reader.roles
    form = ReasonForm(
        request.POST if request.method == "POST" else None,
        label=_("Su respuesta"),
        need=_("Escriba la respuesta"),
        hint=_("Sale del buzón de Comunicaciones y queda en el expediente."),
    )
    status = 200
    if request.method == "POST":
        if not may_answer:
            raise Http404
        by = desk.actor(request, Role.COMMUNICATIONS)
        if request.POST.get("do") == "read":
            services.read_correspondence(found.pk, by=by)
            told.success(request, _("La carta quedó anotada como leída."))
            return redirect(reverse("case", args=[number]) + "#correspondencia")
        if form.is_valid():
            if services.answer_correspondence(found.pk, by=by, text=form.cleaned_data["reason"]):
                told.success(request, _("La respuesta va en camino."))
                return redirect(reverse("case", args=[number]) + "#correspondencia")
            form.add_error("reason", _("No salió: ese correo no trae una dirección que sirva"))
        status = 422
    return render(
        request,
        "counter/letter.html",
        _page(row, found, form, may_answer=may_answer),
        status=status,
    )


def _page(
    row: Request, found: Correspondence, form: ReasonForm, *, may_answer: bool
) -> dict[str, Any]:
    content = _content(found)
    number = row.filing_number or ""
    incoming = found.direction == "in"
    who = found.person.full_name if found.person is not None else found.address
    facts: list[tuple[str, str]] = []
    if found.mailing_id is not None:
        recipient = Recipient.objects.filter(mailing=found.mailing_id).first()
        if recipient is not None:
            facts.append((_("Estado"), str(labels.RECIPIENT_STATES.get(recipient.state, ""))))
        message_id = pages.message_id_of(found)
        if message_id:
            facts.append((_("Message-ID"), message_id))
    if found.raw_digest:
        facts.append((_("Huella"), formats.seal_long(found.raw_digest)))
    if found.message_id:
        facts.append((_("Message-ID"), found.message_id))
    return {
        "nav": "cases",
        "number": number,
        "letter": found,
        "heading": (_("Carta de %(who)s") if incoming else _("Carta a %(who)s")) % {"who": who},
        "text": content.text
        if content is not None
        else found.text or _("El texto ya no se guarda."),
        "html_url": reverse("letter-html", args=[number, found.pk])
        if content is not None and content.html
        else "",
        "original_url": reverse("letter-original", args=[number, found.pk])
        if found.raw_digest
        else "",
        "may_answer": may_answer,
        "unread": found.read_at is None,
        "form": form,
        "facts": facts,
    }


@require_safe
@login_required
@xframe_options_sameorigin
def letter_html(request: HttpRequest, number: str, letter_id: str) -> HttpResponse:
    """Show one of our letters alone, under its own policy."""
    _row, found = _letter(request, number, letter_id)
    content = _content(found)
    if content is None or not content.html:
        raise Http404
    response = HttpResponse(preview(content, {}).html)
    response["Content-Security-Policy"] = PREVIEW_POLICY
    return response


@require_safe
@login_required
def letter_original(request: HttpRequest, number: str, letter_id: str) -> HttpResponse:
    """Hand out a mail exactly as it came in, always as a download."""
    _row, found = _letter(request, number, letter_id)
    if not found.raw_digest:
        raise Http404
    response = HttpResponse(archive.blob(found.raw_digest), content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{number}-{found.pk}.eml"'
    return response
