"""Administration of people, posts, units, senders and the institution; each change is an entry."""

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from circular.people import queries, services
from circular.people.access import actor_for, person_of, require_permission
from circular.people.admin_forms import (
    AppointmentForm,
    InstitutionForm,
    InvitationForm,
    PersonForm,
    PostForm,
    RowForm,
    SenderForm,
    UnitForm,
)
from circular.people.models import Holding, Institution, Person, Post, Sender, Unit
from circular.people.roles import Permission, Term

PAGE = 50  # rows of a list
GET_OR_POST = require_http_methods(["GET", "HEAD", "POST"])
administrators = require_permission(Permission.ADMINISTER)
NAV = {"nav": "administration"}


def _form_page(
    request: HttpRequest, template: str, form: RowForm | InstitutionForm, **context: Any
) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, template, NAV | {"form": form} | context, status=status)


def _listed(request: HttpRequest, template: str, rows: Any, **context: Any) -> HttpResponse:
    page = Paginator(rows, PAGE).get_page(request.GET.get("pagina"))
    return render(request, template, NAV | {"rows": page} | context)


# --- people -------------------------------------------------------------------------------------


@administrators
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """List people by name, with a search."""
    sought = " ".join(request.GET.get("q", "").split())[:100].replace("\0", "")
    return _listed(
        request, "people/admin/people.html", queries.people_listed(sought), sought=sought
    )


@administrators
@GET_OR_POST
def invite(request: HttpRequest) -> HttpResponse:
    """Invite a person by mail."""
    form = InvitationForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        given = form.cleaned_data
        services.invite_person(
            email=given["email"],
            full_name=given["full_name"],
            phone=given["phone"],
            language=given["language"],
            administrator=given["administrator"],
            units=given.get("units", ()),
            by=actor_for(request, Permission.ADMINISTER),
        )
        messages.success(
            request, _("La invitación va hacia %(email)s.") % {"email": given["email"]}
        )
        return redirect("people:people")
    return _form_page(request, "people/admin/person.html", form, person=None)


@administrators
@GET_OR_POST
def person(request: HttpRequest, person_id: int) -> HttpResponse:
    """Change a person, or invite again."""
    row = get_object_or_404(Person, pk=person_id)
    initial = {
        "full_name": row.full_name,
        "phone": row.phone,
        "language": row.language,
        "units": [unit.id for unit in queries.units_of(row.pk)],
        "administrator": row.is_superuser,
        "is_active": row.is_active,
    }
    data = request.POST if request.method == "POST" else None
    is_self = row.pk == person_of(request).pk
    form = PersonForm(data, row=row.pk, initial=initial, is_self=is_self)
    if form.is_valid():
        given = form.cleaned_data
        services.update_person(
            row.pk,
            full_name=given["full_name"],
            phone=given["phone"],
            language=given["language"],
            is_active=given["is_active"],
            administrator=given["administrator"],
            units=given.get("units", ()),
            by=actor_for(request, Permission.ADMINISTER),
        )
        messages.success(request, _("%(name)s quedó guardado.") % {"name": given["full_name"]})
        return redirect("people:people")
    holdings = Holding.objects.filter(person=row).select_related("post").order_by("-from_on", "pk")
    return _form_page(request, "people/admin/person.html", form, person=row, holdings=holdings)


@administrators
@require_POST
def invite_again(request: HttpRequest, person_id: int) -> HttpResponse:
    """Mail a new link; the older ones are void."""
    invited = services.invite_again(person_id, by=actor_for(request, Permission.ADMINISTER))
    if invited is None:
        messages.error(request, _("No se invitó a nadie: la persona no puede entrar."))
    else:
        messages.success(request, _("Va una invitación nueva; la anterior ya no sirve."))
    return redirect("people:person", person_id)


# --- posts --------------------------------------------------------------------------------------


@administrators
@require_safe
def posts(request: HttpRequest) -> HttpResponse:
    """List posts with who holds them today."""
    today = timezone.localdate()
    rows = Paginator(queries.posts_listed(), PAGE).get_page(request.GET.get("pagina"))
    held = [
        (
            post,
            [
                holding
                for holding in post.holdings.all()
                if Term(holding.from_on, holding.until_on).covers(today)
            ],
        )
        for post in rows
    ]
    return render(request, "people/admin/posts.html", NAV | {"rows": rows, "held": held})


@administrators
@GET_OR_POST
def post(request: HttpRequest, post_id: int | None = None) -> HttpResponse:
    """Create or change a post; its holders stand beside it."""
    row = None if post_id is None else get_object_or_404(Post, pk=post_id)
    data = request.POST if request.method == "POST" else None
    form = PostForm(data, row=post_id, initial=_post_initial(row))
    if form.is_valid():
        given = form.cleaned_data
        saved = services.save_post(
            post_id,
            code=given["code"],
            name=given["name"],
            role=given["role"],
            mailbox=given["mailbox"],
            unit=given["unit"],
            active=given["active"],
            by=actor_for(request, Permission.ADMINISTER),
        )
        messages.success(request, _("El cargo quedó guardado."))
        return redirect("people:post", saved)
    return _post_page(request, row, form, None)


def _post_initial(row: Post | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "code": row.code,
        "name": row.name,
        "role": row.role,
        "mailbox": row.mailbox,
        "unit": row.unit_id,
        "active": row.active,
    }


def _post_page(
    request: HttpRequest, row: Post | None, form: PostForm, appointment: AppointmentForm | None
) -> HttpResponse:
    today = timezone.localdate()
    if row is not None and appointment is None:
        appointment = AppointmentForm(post=row.pk, initial={"from_on": today})
    holdings = (
        Holding.objects.filter(post=row).select_related("person").order_by("-from_on", "pk")
        if row is not None
        else ()
    )
    wrong = bool(form.errors or (appointment is not None and appointment.errors))
    context = {
        "form": form,
        "post": row,
        "holdings": holdings,
        "appointment": appointment,
        "today": today,
        "wrong": appointment if appointment is not None and appointment.errors else form,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return render(request, "people/admin/post.html", NAV | context, status=status)


@administrators
@require_POST
def appoint(request: HttpRequest, post_id: int) -> HttpResponse:
    """Give the post to a person."""
    row = get_object_or_404(Post, pk=post_id)
    form = AppointmentForm(request.POST, post=post_id)
    if not form.is_valid():
        shown = PostForm(row=post_id, initial=_post_initial(row))
        return _post_page(request, row, shown, form)
    given = form.cleaned_data
    services.appoint(
        person=given["person"],
        post=post_id,
        from_on=given["from_on"],
        until_on=given["until_on"],
        acting=given["acting"],
        by=actor_for(request, Permission.ADMINISTER),
    )
    messages.success(request, _("El cargo quedó asignado."))
    return redirect("people:post", post_id)


@administrators
@require_POST
def end_holding(request: HttpRequest, holding_id: int) -> HttpResponse:
    """Let a holding end today."""
    holding = get_object_or_404(Holding, pk=holding_id)
    ended = services.end_holding(
        holding_id,
        until_on=timezone.localdate(),
        by=actor_for(request, Permission.ADMINISTER),
    )
    if ended:
        messages.success(request, _("La asignación termina hoy."))
    else:
        messages.error(request, _("Nada cambió: la asignación ya había terminado o no comienza."))
    return redirect("people:post", holding.post_id)


# --- units --------------------------------------------------------------------------------------


@administrators
@require_safe
def units(request: HttpRequest) -> HttpResponse:
    """List units by name."""
    return _listed(request, "people/admin/units.html", queries.units_listed())


@administrators
@GET_OR_POST
def unit(request: HttpRequest, unit_id: int | None = None) -> HttpResponse:
    """Create or change a unit."""
    row = None if unit_id is None else get_object_or_404(Unit, pk=unit_id)
    initial = None
    if row is not None:
        initial = {
            "code": row.code,
            "name": row.name,
            "category": row.kind,
            "parent": row.parent_id,
            "mailbox": row.mailbox,
            "active": row.active,
        }
    data = request.POST if request.method == "POST" else None
    form = UnitForm(data, row=unit_id, initial=initial)
    if form.is_valid():
        given = form.cleaned_data
        try:
            services.save_unit(
                unit_id,
                code=given["code"],
                name=given["name"],
                kind=given["category"],
                parent=given["parent"],
                mailbox=given["mailbox"],
                active=given["active"],
                by=actor_for(request, Permission.ADMINISTER),
            )
        except ValueError:
            form.add_error("parent", _("Elija otra: esa depende de la que está cambiando"))
        else:
            messages.success(request, _("La dependencia quedó guardada."))
            return redirect("people:units")
    return _form_page(request, "people/admin/unit.html", form, unit=row)


# --- senders ------------------------------------------------------------------------------------


@administrators
@require_safe
def senders(request: HttpRequest) -> HttpResponse:
    """List the official senders by unit."""
    return _listed(request, "people/admin/senders.html", queries.senders_listed())


@administrators
@GET_OR_POST
def sender(request: HttpRequest, sender_id: int | None = None) -> HttpResponse:
    """Create or change an official sender."""
    row = None if sender_id is None else get_object_or_404(Sender, pk=sender_id)
    if row is None and not queries.units():
        messages.warning(
            request, _("Añada antes una dependencia: un remitente es de una de ellas.")
        )
        return redirect("people:unit_new")
    initial = None
    if row is not None:
        initial = {
            "unit": row.unit_id,
            "display_name": row.display_name,
            "address": row.address,
            "reply_to": row.reply_to,
            "active": row.active,
        }
    data = request.POST if request.method == "POST" else None
    form = SenderForm(data, row=sender_id, initial=initial)
    if form.is_valid():
        given = form.cleaned_data
        services.save_sender(
            sender_id,
            unit=given["unit"],
            display_name=given["display_name"],
            address=given["address"],
            reply_to=given["reply_to"],
            active=given["active"],
            by=actor_for(request, Permission.ADMINISTER),
        )
        messages.success(request, _("El remitente quedó guardado."))
        return redirect("people:senders")
    return _form_page(request, "people/admin/sender.html", form, sender=row)


# --- the institution ----------------------------------------------------------------------------


@administrators
@GET_OR_POST
def institution(request: HttpRequest) -> HttpResponse:
    """Change what the house knows of its institution."""
    row = Institution.objects.filter(pk=1).first() or Institution()
    names = list(InstitutionForm.base_fields)
    data = request.POST if request.method == "POST" else None
    form = InstitutionForm(data, initial={name: getattr(row, name) for name in names})
    if form.is_valid():
        services.save_institution(
            {name: form.cleaned_data[name] for name in names},
            by=actor_for(request, Permission.ADMINISTER),
        )
        messages.success(request, _("Los datos de la institución quedaron guardados."))
        return redirect("people:institution")
    return _form_page(request, "people/admin/institution.html", form)
