"""The procedure as the document it is, and the calendar that its time limits follow."""

from datetime import timedelta
from itertools import groupby

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from circular.counter import desk, formats, labels, trays
from circular.people.roles import Permission
from circular.workflow import queries as workflow
from circular.workflow.limits import OWED_BY
from circular.workflow.models import Recess
from circular.workflow.states import Stage

AHEAD = timedelta(days=366)


@require_safe
@login_required
def procedure(request: HttpRequest) -> HttpResponse:
    """Show the document of the version in force, or of another one that is asked for."""
    loaded = workflow.procedures()
    shown = workflow.procedure_in_force()
    asked = request.GET.get("version", "")
    if asked:
        shown_or_none = next(
            (one for one in loaded if one.code == shown.code and str(one.version) == asked), None
        )
        if shown_or_none is None:
            raise Http404
        shown = shown_or_none
    count = workflow.followed(shown)
    return render(
        request,
        "counter/procedure.html",
        {
            "nav": "procedure",
            "procedure": shown,
            "versions": sorted(one.version for one in loaded if one.code == shown.code),
            "followed": ngettext(
                "%(count)s expediente la sigue.", "%(count)s expedientes la siguen.", count
            )
            % {"count": formats.figure(count, trays.lang())}
            if count
            else "",
            "process": [part.strip() for part in shown.process.split("/")][:2],
            "sections": [
                (_("Responsable"), _sentence(shown.responsible)),
                (_("Objetivo"), shown.objective),
                (_("Alcance"), shown.scope),
                (_("Marco normativo"), _applies(shown.normative_framework)),
            ],
            "annexes": [
                (_("Formatos"), _applies(shown.formats)),
                (_("Abreviaturas y definiciones"), _applies(shown.definitions)),
                (_("Anexos"), _applies(shown.annexes)),
            ],
            "phases": [
                (labels.PHASES.get(phase, phase), list(activities))
                for phase, activities in groupby(shown.activities, key=lambda one: one.phase)
            ],
        },
    )


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _applies(text: str) -> str:
    """Write out the document's "N/A"."""
    return _("No aplica.") if text.replace(".", "").upper() in {"N/A", "NA"} else text


@require_safe
@login_required
def calendar(request: HttpRequest) -> HttpResponse:
    """Show office hours, time limits and the days that do not count."""
    reader = desk.reader(request)
    now = timezone.now()
    office = desk.calendar(request)
    limits = workflow.time_limits()
    recesses = list(Recess.objects.order_by("from_on"))
    return render(
        request,
        "counter/calendar.html",
        {
            "nav": "calendar",
            "open_now": office.is_open(now),
            "hours": [(f"{start:%H:%M}", f"{end:%H:%M}") for start, end in office.hours.spans],
            "days_off": [(day, name) for day, name in office.closed_days(now, now + AHEAD)],
            "limits": [
                {
                    "stage": labels.STAGE_NAMES.get(stage, stage),
                    "owed_by": labels.ROLES.get(OWED_BY[stage].value, ""),
                    "ordinary": timedelta(minutes=limits[stage, False].minutes),
                    "urgent": timedelta(minutes=limits[stage, True].minutes),
                    "remind": timedelta(minutes=limits[stage, False].remind_every_minutes),
                    "escalate": limits[stage, False].escalate_after,
                }
                for stage in Stage
            ],
            "recesses": recesses,
            "may_administer": reader.may(Permission.ADMINISTER),
        },
    )
