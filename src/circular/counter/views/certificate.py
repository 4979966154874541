"""The certificate of a closed case: what was asked, what was sent and what was found, on one page.

It is a reading copy. What proves it is the case itself, which can be exported and checked alone.
"""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from circular.counter import casefile, desk, pages, parts
from circular.counter.views.case import found_case
from circular.workflow.states import State


@require_safe
@login_required
def certificate(request: HttpRequest, number: str) -> HttpResponse:
    """Show the certificate of a case that was closed; other cases have none."""
    row = found_case(request, number)
    if State(row.state) is not State.CLOSED:
        raise Http404
    case = pages.file_of(row)
    phases = casefile.phases(case, desk.calendar(request).business_between)
    return render(
        request,
        "counter/certificate.html",
        {
            "nav": "cases",
            **pages.title_part(row),
            **pages.totals_part(row),
            **pages.audience_part(row),
            **pages.verdict_part(row, case),
            "institution": desk.institution(request),
            "steps": [_line(step) for phase in phases for step in phase.steps],
            "procedure": case.procedure,
            "chain_ok": pages.check_case(case),
            "head": case.entries[-1] if case.entries else None,
        },
    )


def _line(step: parts.Step) -> dict[str, object]:
    """Return an activity with the evidence that stands last: what ended it."""
    return {
        "number": step.number,
        "title": step.title,
        "when": step.when,
        "end": step.evidence[-1:],
    }
