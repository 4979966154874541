"""Mail that no rule could attend to: strangers, what could not be read, reports that name nobody.

Strangers are never answered; a person looks, and says that it was looked at.
"""

from django.contrib import messages as told
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from circular.counter import desk
from circular.intake import queries as intake
from circular.intake import services
from circular.people.roles import Role

PAGE = 25  # messages a page
READERS = frozenset({Role.COMMUNICATIONS, Role.TIC, Role.ADMINISTRATOR})


def _reader_of_mail(request: HttpRequest) -> None:
    if not desk.reader(request).roles & READERS:
        raise PermissionDenied


@require_safe
@login_required
def unsorted(request: HttpRequest) -> HttpResponse:
    """List the mail that waits for a person, the newest first."""
    _reader_of_mail(request)
    after = request.GET.get("despues", "")
    known = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else None
    found = intake.unsorted(after=known, limit=PAGE + 1)
    return render(
        request,
        "counter/unsorted.html",
        {
            "nav": "tray",
            "mails": found[:PAGE],
            "count": intake.unsorted_count(),
            "older": found[PAGE - 1].id if len(found) > PAGE else None,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def mail(request: HttpRequest, mail_id: int) -> HttpResponse:
    """Show one message as text; a POST notes that somebody dealt with it."""
    _reader_of_mail(request)
    found = intake.unsorted_mail(mail_id)
    if found is None:
        raise Http404
    if request.method == "POST":
        if services.look_at(mail_id, by=desk.actor(request)):
            told.success(request, _("El correo quedó anotado como atendido."))
        return redirect("unsorted")
    return render(request, "counter/unsorted_mail.html", {"nav": "tray", "mail": found})


@require_safe
@login_required
def original(request: HttpRequest, mail_id: int) -> HttpResponse:
    """Hand out the message exactly as it came, always as a download."""
    _reader_of_mail(request)
    raw = intake.raw_of(mail_id) if intake.unsorted_mail(mail_id) is not None else None
    if raw is None:
        raise Http404
    response = HttpResponse(raw, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="correo-{mail_id}.eml"'
    return response
