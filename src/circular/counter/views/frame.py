"""The institution's frame round every circular, looked at with a specimen message within."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from circular.counter import desk
from circular.counter.messages import SPECIMEN
from circular.counter.security import PREVIEW_POLICY
from circular.mailing import services as mailing
from circular.mailing.composing import Draft
from circular.mailing.content import ContentError
from circular.mailing.models import Frame
from circular.mailing.rendering import Preview, preview
from circular.people.roles import Permission


@require_safe
@login_required
def frame(request: HttpRequest) -> HttpResponse:
    """Show the frame in force: a message in it, its text, and where it came from."""
    desk.require(request, Permission.ADMINISTER)
    shown = _specimen(request)
    newest = Frame.objects.select_related("created_by").order_by("-version").first()
    return render(
        request,
        "counter/frame.html",
        {
            "nav": "administration",
            "newest": newest,
            "shown": shown,
        },
    )


@require_safe
@login_required
@xframe_options_sameorigin
def frame_preview(request: HttpRequest) -> HttpResponse:
    """Show the specimen alone, under the policy of messages."""
    desk.require(request, Permission.ADMINISTER)
    shown = _specimen(request)
    if shown is None:
        raise Http404
    response = HttpResponse(shown.html)
    response["Content-Security-Policy"] = PREVIEW_POLICY
    return response


def _specimen(request: HttpRequest) -> Preview | None:
    """Return a message that nobody sends, within the frame; None while the mail domain is missing."""
    house = desk.institution(request)
    if not house.domain:
        return None
    draft = Draft(
        sender_name=house.name,
        sender_address=f"ejemplo@{house.domain}",
        subject=_("Así se ve un correo de la institución"),
        text=_(
            "Cordial saludo:\n\nEste es un mensaje de muestra. Lo que rodea estas líneas es el marco:"
            " lo llevan todos los correos masivos.\n\nNadie lo recibe."
        ),
        unit_name=_("La dependencia que solicita"),
        language=house.language,
    )
    try:
        return preview(mailing.compose_stencil(draft).content, SPECIMEN, {})
    except ContentError:
        return None
