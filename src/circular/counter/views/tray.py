"""The tray of each role, and the list of cases."""

from collections import Counter

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from circular.counter import desk, formats, labels, queries, readiness, trays
from circular.intake import queries as intake
from circular.people import queries as people
from circular.people.roles import Permission, Role
from circular.workflow.states import State


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Lead to what waits for the reader; an administrator of a house that cannot send yet, to that."""
    if _missing(request):
        return redirect("first-steps")
    return redirect("tray")


@require_safe
@login_required
def tray(request: HttpRequest) -> HttpResponse:
    """Show what waits for the reader, then what others have in hand."""
    reader = desk.reader(request)
    now = timezone.now()
    between = desk.calendar(request).business_between
    most = queries.TRAY_LIMIT
    duties_owed = list(queries.duties_of(reader)[:most])
    doubtful = list(queries.doubtful(reader)[:most])
    unread = list(queries.unread_letters(reader)[:most])
    waits = trays.together(
        [
            *(trays.wait_of_duty(duty) for duty in duties_owed),
            *(trays.wait_of_doubt(case) for case in doubtful),
            *(trays.wait_of_letter(letter, now) for letter in unread),
        ]
    )
    mine = [wait.request.pk for wait in waits]
    if max(len(duties_owed), len(doubtful), len(unread)) < most:
        desk.know_waiting(request, len(waits))  # all of it was read: nothing is left to count
    waiting = desk.waiting_count(request)
    others = list(queries.in_other_hands(reader, mine)[: queries.OTHERS_LIMIT + 1])
    offices = desk.offices(request)
    duties = queries.open_duties(case.pk for case in others)
    drafts = [case for case in queries.own_drafts(reader)[: queries.PAGE] if case.pk not in mine]
    chosen = request.GET.get("falta", "")
    counts = Counter(wait.code for wait in waits)
    names = {wait.code: wait.do for wait in reversed(waits)}
    wanted = [wait for wait in waits if wait.code == chosen] if chosen in counts else waits
    shown = trays.pressing_first(wanted, now)[: queries.TRAY_LIMIT]
    sorting = reader.roles & {Role.COMMUNICATIONS, Role.TIC, Role.ADMINISTRATOR}
    return render(
        request,
        "counter/tray.html",
        {
            "nav": "tray",
            "heading": trays.heading(waiting),
            "unseen": (len(wanted) if chosen in counts else waiting) - len(shown),
            "open_count": waiting + min(len(others), queries.OTHERS_LIMIT) + len(drafts),
            "unsorted_count": intake.unsorted_count() if sorting else None,
            "lanes": trays.lanes(shown, now, between),
            "quick": [
                {"code": code, "label": names[code], "count": count}
                for code, count in counts.items()
            ],
            "chosen": chosen if chosen in counts else "",
            "drafts": [trays.row_of_case(case, None, now, between, offices) for case in drafts],
            "others": [
                trays.row_of_case(case, duties.get(case.pk), now, between, offices)
                for case in others[: queries.OTHERS_LIMIT]
            ],
            "more_others": len(others) > queries.OTHERS_LIMIT,
            "may_request": reader.may(Permission.REQUEST_MAILING),
            "registers": Role.COMMUNICATIONS in reader.roles,
            "missing": _missing(request),
        },
    )


def _missing(request: HttpRequest) -> int:
    """Return what an administrator still has to do before anybody can send; 0 for all others."""
    if not desk.reader(request).may(Permission.ADMINISTER):
        return 0
    return readiness.missing(readiness.steps(timezone.now()))


@require_safe
@login_required
def cases(request: HttpRequest) -> HttpResponse:
    """List the cases that the reader may open, by last act; a whole number leads to its case."""
    reader = desk.reader(request)
    now = timezone.now()
    sought = _sought(request)
    found = queries.cases(reader, sought)
    if sought.words:
        exact = queries.case_by_number(reader, sought.words.upper())
        if exact is not None:
            return redirect("case", exact.filing_number)
    pages = Paginator(found, queries.PAGE)
    page = pages.get_page(request.GET.get("pagina"))
    rows = list(page.object_list)
    offices = desk.offices(request)
    between = desk.calendar(request).business_between
    duties = queries.open_duties(case.pk for case in rows)
    searched = bool(
        sought.words
        or sought.state
        or sought.unit
        or sought.mail_class
        or sought.closed is not None
    )
    return render(
        request,
        "counter/cases.html",
        {
            "nav": "cases",
            "heading": _count_heading(pages.count),
            "rows": [
                trays.row_of_case(case, duties.get(case.pk), now, between, offices) for case in rows
            ],
            "sought": sought,
            "closed": sought.closed,
            "searched": searched,
            "filtered": bool(sought.state or sought.unit or sought.mail_class),
            "states": [
                (code, pill.word)
                for code, pill in labels.STATES.items()
                if code != State.DRAFT.value
            ],
            "classes": list(labels.CLASSES.items()),
            "units": people.units(),
            "newer": _turn(request, page.previous_page_number()) if page.has_previous() else "",
            "older": _turn(request, page.next_page_number()) if page.has_next() else "",
            "may_request": reader.may(Permission.REQUEST_MAILING),
        },
    )


def _sought(request: HttpRequest) -> queries.Sought:
    unit = request.GET.get("dependencia", "")
    closed = True if request.GET.get("cerrados") else False if request.GET.get("abiertos") else None
    return queries.Sought(
        words=request.GET.get("q", "").replace("\0", "").strip()[:120],
        state=request.GET.get("estado", "") if request.GET.get("estado") in labels.STATES else "",
        unit=int(unit) if unit.isascii() and unit.isdigit() and len(unit) < 10 else None,
        mail_class=request.GET.get("clase", "")
        if request.GET.get("clase") in labels.CLASSES
        else "",
        closed=closed,
    )


def _turn(request: HttpRequest, page: int) -> str:
    """Return the address of another page of the same search."""
    asked = request.GET.copy()
    asked["pagina"] = str(page)
    return asked.urlencode()


def _count_heading(count: int) -> str:
    if not count:
        return _("Expedientes")
    return ngettext("%(count)s expediente", "%(count)s expedientes", count) % {
        "count": formats.figure(count, trays.lang())
    }
