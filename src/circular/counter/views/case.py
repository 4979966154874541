"""The page of a case, the things it links to, and the same facts for a machine."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from circular.counter import (
    casefile,
    desk,
    labels,
    messages,
    pages,
    queries,
)
from circular.counter.security import PREVIEW_POLICY
from circular.evidence import queries as archive
from circular.workflow.models import Attachment, Request

VIEWS = ("escritorio", "telefono", "texto")


def found_case(request: HttpRequest, number: str) -> Request:
    """Return the case of this number, or say that there is nothing for this reader."""
    case = queries.case_by_number(desk.reader(request), number)
    if case is None:
        raise Http404
    return case


@require_safe
@login_required
def case(request: HttpRequest, number: str) -> HttpResponse:
    """Show the case."""
    row = found_case(request, number)
    return render(request, "counter/case.html", pages.case_page(request, row))


@require_safe
@login_required
def figures(request: HttpRequest, number: str) -> HttpResponse:
    """Draw the totals alone: what the case page asks for while it is sending."""
    part = pages.totals_part(found_case(request, number))
    if part["totals"] is None:
        raise Http404
    return render(request, "counter/figures.html", part)


@require_safe
@login_required
def machine(request: HttpRequest, number: str) -> JsonResponse:
    """Give the case to a machine: same reader, same permission as the page."""
    row = found_case(request, number)
    return JsonResponse(pages.machine_facts(request, row))


@require_safe
@login_required
@xframe_options_sameorigin
def message(request: HttpRequest, number: str) -> HttpResponse:
    """Show the message itself, alone, under its own policy."""
    return preview(messages.message_of(found_case(request, number)))


def preview(shown: messages.Shown | None) -> HttpResponse:
    """Answer with a message as its recipient sees it."""
    if shown is None:
        raise Http404
    response = HttpResponse(shown.preview().html)
    response["Content-Security-Policy"] = PREVIEW_POLICY
    return response


@require_safe
@login_required
def entry(request: HttpRequest, number: str, sequence: str) -> HttpResponse:
    """Show one entry of the archive with all that it holds."""
    row = found_case(request, number)
    entries = archive.entries_of(pages.chain_of(row))
    found = next((one for one in entries if one.sequence == int(sequence)), None)
    if found is None:
        raise Http404
    people, posts = casefile.people_in([found])
    return render(
        request,
        "counter/entry.html",
        {
            "nav": "cases",
            "number": number,
            "entry": found,
            "seal_word": casefile.seal(found),
            "what": labels.happening(found.act).what,
            "by": casefile.by_whom(found, people, posts),
            "facts": [(name, _plain(value)) for name, value in sorted(found.facts.items())],
        },
    )


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return "—" if value is None else str(value)


@require_safe
@login_required
def document(request: HttpRequest, number: str, document_id: str) -> HttpResponse:
    """Hand out a supporting document, always as a download."""
    row = found_case(request, number)
    found = Attachment.objects.filter(request=row, pk=document_id).first()
    if found is None:
        raise Http404
    response = HttpResponse(archive.blob(found.digest), content_type="application/octet-stream")
    response["Content-Disposition"] = _attachment(found.name)
    return response


def _attachment(name: str) -> str:
    """Return a Content-Disposition that no name can break out of."""
    from django.utils.http import content_disposition_header

    return content_disposition_header(True, name) or "attachment"
