"""The first steps of an institution: what is left before it can send."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from circular.counter import desk, readiness
from circular.counter.readiness import Standing
from circular.people.roles import Permission


@require_safe
@login_required
def first_steps(request: HttpRequest) -> HttpResponse:
    """Show what is missing, what deserves a look, and what is in order."""
    desk.require(request, Permission.ADMINISTER)
    found = readiness.steps(timezone.now())
    missing = readiness.missing(found)
    groups = (
        (Standing.MISSING, _("Falta"), "c-bad", "circle-x"),
        (Standing.LOOK, _("Conviene mirar"), "c-warn", "alert-triangle"),
        (Standing.DONE, _("En orden"), "c-ok", "circle-check"),
    )
    return render(
        request,
        "counter/first_steps.html",
        {
            "nav": "administration",
            "heading": readiness.heading(missing),
            "missing": missing,
            "groups": [
                {
                    "code": standing.value,
                    "title": title,
                    "tone": tone,
                    "icon": icon,
                    "steps": [step for step in found if step.standing is standing],
                }
                for standing, title, tone, icon in groups
                if any(step.standing is standing for step in found)
            ],
        },
    )
