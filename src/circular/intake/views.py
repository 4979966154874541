"""The front door's page: the one-time page of a draft. (Unsorted mail is shown by the counter.)

Rules
1. GET and HEAD show; only a POST with the form's token acts. Link scanners fetch, they do not post.
2. A one-time address is never sent to another site (referrer) and never kept (no store).
3. A token that opens nothing looks the same whether it was wrong or never given.
"""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from circular.intake import queries, services
from circular.intake.forms import DraftForm, initial_of
from circular.people import queries as people
from circular.workflow.labels import sentence
from circular.workflow.transitions import NotMoved


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: HttpRequest, token: str) -> HttpResponse:
    """Show the draft of a one-time link; a POST completes and files it."""
    answer = _draft(request, token)
    # Not "no-referrer": browsers then post "Origin: null", which the forms' own check refuses.
    answer["Referrer-Policy"] = "same-origin"
    answer["X-Robots-Tag"] = "noindex"
    return answer


def _draft(request: HttpRequest, token: str) -> HttpResponse:
    link = queries.link_of_token(token)
    if link is None:
        return render(request, "intake/gone.html", {"why": "unknown"}, status=HTTPStatus.NOT_FOUND)
    found = queries.draft_of(link.request)
    if link.used_at is not None and found.filing_number:
        return render(request, "intake/filed.html", {"draft": found})
    holder = people.person(link.person)
    ended = holder is None or not holder.is_active
    lapsed = not found.is_draft or link.expires_at <= timezone.now()
    if link.used_at is not None or ended or lapsed:
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
