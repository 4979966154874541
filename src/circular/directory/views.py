"""Pages of the directory: accounts, imports with their preview, and audiences."""

from http import HTTPStatus

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from circular.directory import labels, queries, services
from circular.directory.forms import Combinations, ConfirmForm, UploadForm
from circular.directory.reports import ImportOutcome
from circular.people.access import (
    actor_for,
    permits,
    person_of,
    require_permission,
    require_signed_in,
)
from circular.people.roles import Permission

PAGE = 50  # accounts of a list
BAD_LINES_SHOWN = 100  # of a preview; the file itself is the better place to look at more
NAV = {"nav": "directory"}
importers = require_permission(Permission.IMPORT_ACCOUNTS)


@require_signed_in
@require_safe
def accounts(request: HttpRequest) -> HttpResponse:
    """List accounts by address, with a search; who may see no addresses sees the audiences."""
    if not permits(request, Permission.SEE_ACCOUNTS):
        return redirect("directory:audiences")
    sought = " ".join(request.GET.get("q", "").replace("\0", "").split())[:100]
    after = request.GET.get("desde", "").replace("\0", "")[:320]
    rows = queries.accounts_found(sought, after=after, most=PAGE + 1)
    context = {
        "rows": [
            (row, labels.groups(row.groups), row.programme or row.unit) for row in rows[:PAGE]
        ],
        "next": rows[PAGE - 1].address if len(rows) > PAGE else "",
        "is_first": not after,
        "sought": sought,
        "source": queries.source_date(),
        "active": queries.active_count(),
        "imports": queries.imports_made(most=5),
        "may_import": permits(request, Permission.IMPORT_ACCOUNTS),
    }
    return render(request, "directory/accounts.html", NAV | context)


@importers
@require_http_methods(["GET", "HEAD", "POST"])
def bring(request: HttpRequest) -> HttpResponse:
    """Take the file of a list; nothing changes before its preview is confirmed."""
    form = UploadForm(*((request.POST, request.FILES) if request.method == "POST" else ()))
    if form.is_valid():
        file = form.cleaned_data["file"]
        content, name = file.read(), str(file.name)
        report = services.preview_import(content, name=name)
        if report.outcome in {ImportOutcome.UNREADABLE, ImportOutcome.NOBODY}:
            form.add_error("file", labels.fault(report) or labels.headline(report))
        else:
            upload = services.keep_upload(content, name=name, by=person_of(request).pk)
            return redirect("directory:preview", upload)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    context = {"form": form, "source": queries.source_date()}
    return render(request, "directory/import.html", NAV | context, status=status)


@importers
@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: HttpRequest, upload_id: int) -> HttpResponse:
    """Show what the list would change, and import it once that is confirmed."""
    person = person_of(request)
    upload = queries.upload_of(upload_id, person.pk)
    if upload is None:
        raise Http404
    posted = request.method == "POST"
    keep_good = bool((request.POST if posted else request.GET).get("keep_good"))
    report = services.preview_import(upload.content, name=upload.name, keep_good=keep_good)
    changes = report.changes
    form = ConfirmForm(
        request.POST if posted else None,
        initial={"keep_good": keep_good, "expected": changes.deactivated},
        must_type=not changes.is_plausible,
    )
    if posted and form.is_valid():
        report = services.import_accounts(
            upload.content,
            name=upload.name,
            keep_good=form.cleaned_data["keep_good"],
            confirm=True,
            expected=form.cleaned_data["expected"],
            by=actor_for(request, Permission.IMPORT_ACCOUNTS),
        )
        if report.done:
            services.forget_uploads(by=person.pk, before=timezone.now() - services.UPLOAD_LIVES)
            messages.success(request, labels.headline(report))
            return redirect("directory:accounts")
        messages.error(
            request, _("El directorio cambió mientras tanto: mire las cifras y confirme otra vez.")
        )
        return redirect("directory:preview", upload_id)
    shown = [(line.line, labels.flaw(line)) for line in report.bad[:BAD_LINES_SHOWN]]
    context = {
        "upload": upload,
        "report": report,
        "headline": labels.headline(report).rstrip("."),
        "changes": changes,
        "bad": shown,
        "more_bad": report.bad_count - len(shown),
        "form": form,
        "keep_good": keep_good,
        "may_confirm": report.outcome in {ImportOutcome.READY, ImportOutcome.NEEDS_CONFIRMATION},
        "act": ngettext("Importar %(count)s cuenta", "Importar %(count)s cuentas", report.good)
        % {"count": labels.figure(report.good)},
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "directory/preview.html", NAV | context, status=status)


@importers
@require_POST
def forget(request: HttpRequest, upload_id: int) -> HttpResponse:
    """Throw the uploaded file away; the directory stays as it is."""
    if queries.upload_of(upload_id, person_of(request).pk) is None:
        raise Http404
    services.forget_uploads(by=person_of(request).pk, before=timezone.now() - services.UPLOAD_LIVES)
    messages.info(request, _("El archivo quedó descartado; el directorio sigue como estaba."))
    return redirect("directory:accounts")


@require_permission(Permission.SEE_AUDIENCES)
@require_safe
def audiences(request: HttpRequest) -> HttpResponse:
    """Count the audience of one or more combinations, with a sample that names nobody.

    Repeat:  the address holds what was chosen, so it can be kept and sent to a colleague
    """
    asked = Combinations(request.GET, choices=queries.choices())
    context: dict[str, object] = {
        "asked": asked,
        "source": queries.source_date(),
        "may_import": permits(request, Permission.IMPORT_ACCOUNTS),
        "may_see_accounts": permits(request, Permission.SEE_ACCOUNTS),
    }
    good = asked.is_valid()
    if good:
        rule = asked.rule()
        parts = queries.breakdown(rule)
        context |= {
            "sentence": labels.sentence(rule),
            "parts": parts,
            "groups": [(labels.group(part.group), part.count) for part in parts.groups],
            "sample": [labels.sample(row.groups, row.place) for row in queries.sample(rule)],
        }
    status = HTTPStatus.OK if good else HTTPStatus.UNPROCESSABLE_ENTITY
    return render(request, "directory/audiences.html", NAV | context, status=status)
