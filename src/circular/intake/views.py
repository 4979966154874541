"""The front door's pages: the one-time page of a draft, and the tray of unsorted mail.

Rules
1. GET and HEAD show; only a POST with the form's token acts. Link scanners fetch, they do not post.
2. A one-time address is never sent on (no referrer) and never kept (no store).
3. A token that opens nothing looks the same whether it was wrong or never given.
"""

from http import HTTPStatus

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from circular.evidence.actors import Actor
from circular.intake import labels, queries, services
from circular.intake.forms import DraftForm, initial_of
from circular.people.queries import person_may
from circular.people.roles import Permission
from circular.workflow.labels import sentence
from circular.workflow.transitions import NotMoved


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: HttpRequest, token: str) -> HttpResponse:
    """Show the draft of a one-time link; a POST completes and files it."""
    answer = _draft(request, token)
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex"
    return answer


def _draft(request: HttpRequest, token: str) -> HttpResponse:
    link = queries.link_of_token(token)
    if link is None:
        return render(request, "intake/gone.html", {"why": "unknown"}, status=HTTPStatus.NOT_FOUND)
    found = queries.draft_of(link.request)
    if link.used_at is not None and found.filing_number:
        return render(request, "intake/filed.html", {"draft": found})
    if link.used_at is not None or not found.is_draft or link.expires_at <= timezone.now():
        return render(request, "intake/gone.html", {"why": "lapsed"}, status=HTTPStatus.GONE)
    initial = initial_of(
        found.content,
        unit=found.unit,
        contact_name=found.contact_name,
        contact_phone=found.contact_phone,
    )
    posted = request.POST if request.method == "POST" else None
    form = DraftForm(posted, initial=dict(initial), person_id=link.person, draft=found.content)
    refusal, status = "", HTTPStatus.OK
    if posted is not None and form.is_valid():
        filed = services.file_by_link(
            link.id,
            form.content(),
            unit=int(form.cleaned_data["unit"]),
            contact_name=form.cleaned_data["contact_name"],
            contact_phone=form.cleaned_data["contact_phone"],
        )
        if not isinstance(filed, NotMoved):
            return redirect("intake:draft", token=token)
        refusal, status = sentence(filed), HTTPStatus.CONFLICT
    elif posted is not None:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    return render(
        request,
        "intake/draft.html",
        {"form": form, "draft": found, "link": link, "refusal": refusal},
        status=status,
    )


@login_required
@require_safe
def unsorted(request: HttpRequest) -> HttpResponse:
    """List the mail that waits for a person: strangers, what could not be sorted, failures."""
    _may_see(request)
    before = request.GET.get("antes", "")
    rows = queries.unsorted_mail(before=int(before) if before.isdecimal() else None)
    return render(
        request,
        "intake/unsorted.html",
        {
            "rows": [
                (
                    row,
                    labels.SORTED_AS[row.sorted_as] if row.sorted_as else "",
                    labels.REASONS[row.reason] if row.reason else "",
                )
                for row in rows
            ],
            "older": rows[-1].id if len(rows) == queries.PAGE else None,
            "nav": "tray",
        },
    )


@login_required
@require_safe
def raw(request: HttpRequest, incoming: int) -> HttpResponse:
    """Hand out a message exactly as it came in, as a file: nothing of it is shown in the page."""
    _may_see(request)
    content = queries.raw_of(incoming)
    if content is None:
        raise Http404
    answer = HttpResponse(content, content_type="application/octet-stream")
    answer["Content-Disposition"] = f'attachment; filename="correo-{incoming}.eml"'
    answer["Content-Security-Policy"] = "sandbox"
    return answer


@login_required
@require_POST
def looked_at(request: HttpRequest, incoming: int) -> HttpResponse:
    """Note that a message was dealt with; it leaves the tray and stays in the archive."""
    _may_see(request)
    services.mark_looked_at(incoming, by=Actor.of(_person(request)))
    return redirect("intake:unsorted")


def _person(request: HttpRequest) -> int:
    assert request.user.pk is not None
    return int(request.user.pk)


def _may_see(request: HttpRequest) -> None:
    """Strangers' mail is shown to those who see every case; to anybody else it does not exist."""
    if not person_may(_person(request), Permission.SEE_ALL_CASES):
        raise Http404
