"""What the foot of every page leads to: help by role, the treatment of data, accessibility.

Data and accessibility are for everybody, signed in or not: whoever gets a letter may ask.
"""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from circular.counter import desk
from circular.counter.help import HELP
from circular.directory import queries as directory
from circular.directory.services import UPLOAD_LIVES
from circular.people import queries as people
from circular.people.roles import Role
from circular.people.services import INVITATION_LIVES
from circular.people.signin import CODE_LIVES


@require_safe
@login_required
def help_page(request: HttpRequest, slug: str = "") -> HttpResponse:
    """Show the help of one role; without a name, that of the reader's roles."""
    roles = desk.reader(request).roles
    if slug:
        shown = [one for one in HELP.values() if one.slug == slug]
        if not shown:
            raise Http404
    else:
        shown = [one for role, one in HELP.items() if role in roles] or [HELP[Role.REQUESTER]]
    mine = {one.slug for role, one in HELP.items() if role in roles}
    return render(
        request,
        "counter/help.html",
        {
            "shown": [
                {
                    "help": one,
                    "steps": [
                        {
                            "title": step.title,
                            "words": step.words,
                            "url": reverse(step.door) if step.door and one.slug in mine else "",
                        }
                        for step in one.steps
                    ],
                }
                for one in shown
            ],
            "others": [one for one in HELP.values() if one not in shown],
            "drafts_address": desk.institution(request).drafts_address,
        },
    )


@require_safe
def data(request: HttpRequest) -> HttpResponse:
    """Say what is kept about people, for how long, and whom to ask."""
    source = directory.source_date()
    return render(
        request,
        "counter/data.html",
        {
            "institution": desk.institution(request),
            "post": people.post_for(Role.DATA_PROTECTION) or people.post_for(Role.COMMUNICATIONS),
            "source": source,
            "session_hours": settings.SESSION_COOKIE_AGE // 3600,
            "code_minutes": round(CODE_LIVES.total_seconds() / 60),
            "upload_hours": round(UPLOAD_LIVES.total_seconds() / 3600),
            "invitation_days": INVITATION_LIVES.days,
        },
    )


@require_safe
def accessibility(request: HttpRequest) -> HttpResponse:
    """Say what was done so that everybody can use the pages, and what was not."""
    return render(
        request,
        "counter/accessibility.html",
        {
            "institution": desk.institution(request),
            "post": people.post_for(Role.COMMUNICATIONS),
        },
    )
