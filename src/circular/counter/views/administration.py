"""What an office may change of the house: witness mailboxes, time limits, recesses, desk rules.

People, posts, units and senders have pages in their own room, relays a view of their own; the index
leads to them too. All here is kept by the administrator.
"""

from datetime import time, timedelta

from django.contrib import messages as told
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from circular.counter import desk, labels
from circular.counter.admin_forms import LimitForm, RecessForm, RulesForm, WitnessForm
from circular.evidence.actors import Actor
from circular.mailing import services as mailing
from circular.mailing.content import ContentError
from circular.mailing.errors import PasswordNeededError as WitnessPasswordNeededError
from circular.mailing.models import WitnessMailbox
from circular.people.models import Post
from circular.people.roles import Permission
from circular.workflow import queries as workflow
from circular.workflow import services
from circular.workflow.models import AudienceAuthority
from circular.workflow.states import Stage

DOORS: tuple[tuple[Permission, str, str, Promise, Promise], ...] = (
    (
        Permission.ADMINISTER,
        "first-steps",
        "checkup-list",
        gettext_lazy("Puesta en marcha"),
        gettext_lazy("Lo que falta para poder enviar, mirado ahora"),
    ),
    (
        Permission.ADMINISTER,
        "people:people",
        "users",
        gettext_lazy("Personas"),
        gettext_lazy("Invitar, dar de baja y decir por qué dependencias solicitan"),
    ),
    (
        Permission.ADMINISTER,
        "people:posts",
        "user-check",
        gettext_lazy("Cargos"),
        gettext_lazy("El buzón de cada cargo y quién lo ocupa, también por encargo"),
    ),
    (
        Permission.ADMINISTER,
        "people:units",
        "building",
        gettext_lazy("Dependencias"),
        gettext_lazy("El árbol de quienes pueden solicitar"),
    ),
    (
        Permission.ADMINISTER,
        "people:senders",
        "mail",
        gettext_lazy("Remitentes"),
        gettext_lazy("El catálogo: nadie escribe un remitente a mano"),
    ),
    (
        Permission.ADMINISTER,
        "people:institution",
        "certificate",
        gettext_lazy("Institución"),
        gettext_lazy("Nombres, buzón de solicitudes, separación de funciones, colores"),
    ),
    (
        Permission.ADMINISTER,
        "frame",
        "photo",
        gettext_lazy("Marco de los mensajes"),
        gettext_lazy("Lo que rodea todo correo masivo, con una muestra"),
    ),
    (
        Permission.IMPORT_ACCOUNTS,
        "directory:import",
        "upload",
        gettext_lazy("Importar el directorio"),
        gettext_lazy("La lista entera de cuentas, desde un archivo CSV"),
    ),
    (
        Permission.OPERATE_SENDING,
        "relays",
        "server",
        gettext_lazy("Servidores de salida"),
        gettext_lazy("Por dónde sale el correo, cuánto les cabe y cómo están"),
    ),
    (
        Permission.OPERATE_SENDING,
        "workers",
        "gauge",
        gettext_lazy("Procesos de envío"),
        gettext_lazy("Qué equipos envían, qué envían y cuándo dieron señal de vida"),
    ),
    (
        Permission.ADMINISTER,
        "witnesses",
        "eye-check",
        gettext_lazy("Cuentas testigo"),
        gettext_lazy("Los buzones que prueban que el correo llegó igual"),
    ),
    (
        Permission.ADMINISTER,
        "limits",
        "clock",
        gettext_lazy("Plazos"),
        gettext_lazy("Cuánto puede tardar cada paso y cada cuánto se recuerda"),
    ),
    (
        Permission.ADMINISTER,
        "recesses",
        "calendar",
        gettext_lazy("Recesos"),
        gettext_lazy("Los días que la institución no trabaja"),
    ),
    (
        Permission.ADMINISTER,
        "rules",
        "settings",
        gettext_lazy("Reglas de la revisión"),
        gettext_lazy("Horario, visto bueno, autoridades y carril urgente"),
    ),
    (
        Permission.SEE_ALL_CASES,
        "unsorted",
        "mail-question",
        gettext_lazy("Correo sin clasificar"),
        gettext_lazy("Lo que llegó y ninguna regla pudo atender"),
    ),
)

# What the IT Division keeps and the administrator too.
OF_BOTH = ("relays", "workers")
TYPE_IT_AGAIN = gettext_lazy("Escriba otra vez la contraseña: cambió el servidor")


def _administrator(request: HttpRequest) -> Actor:
    desk.require(request, Permission.ADMINISTER)
    return desk.actor(request)


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Lead to what this reader may keep."""
    reader = desk.require(request, Permission.ADMINISTER, Permission.OPERATE_SENDING)
    doors = []
    for permission, name, icon, title, told_as in DOORS:
        theirs = name in OF_BOTH and reader.may(Permission.ADMINISTER)
        if not (reader.may(permission) or theirs):
            continue
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        doors.append({"url": url, "icon": icon, "title": title, "told": told_as})
    return render(request, "counter/administration.html", {"nav": "administration", "doors": doors})


# ---- witnesses -------------------------------------------------------------------------------


@require_safe
@login_required
def witness_list(request: HttpRequest) -> HttpResponse:
    """List the witness mailboxes."""
    _administrator(request)
    return render(
        request,
        "counter/witnesses.html",
        {"nav": "administration", "witnesses": list(WitnessMailbox.objects.order_by("pk"))},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def witness(request: HttpRequest, witness_id: int | None = None) -> HttpResponse:
    """Add or change a witness mailbox."""
    by = _administrator(request)
    row = WitnessMailbox.objects.filter(pk=witness_id).first() if witness_id is not None else None
    if witness_id is not None and row is None:
        raise Http404
    names = ("address", "imap_host", "imap_port", "security", "username", "folder", "active")
    initial = {name: getattr(row, name) for name in names} if row is not None else {}
    form = WitnessForm(request.POST if request.method == "POST" else None, initial=initial)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            given = dict(form.cleaned_data)
            password = given.pop("password")
            try:
                mailing.save_witness(
                    **given,
                    password=password or (None if row is not None else ""),
                    witness_id=witness_id,
                    by=by,
                )
            except WitnessPasswordNeededError:
                form.add_error("password", TYPE_IT_AGAIN)
            except ContentError:
                form.add_error("address", _("Escriba una dirección completa, como testigo@dominio"))
            except IntegrityError:
                form.add_error("address", _("Escriba una dirección que no sea ya cuenta testigo"))
            else:
                told.success(request, _("La cuenta testigo quedó guardada."))
                return redirect("witnesses")
    return render(
        request,
        "counter/form.html",
        {
            "nav": "administration",
            "title": row.address if row is not None else _("Nueva cuenta testigo"),
            "back": reverse("witnesses"),
            "back_words": _("Cuentas testigo"),
            "form": form,
            "button": _("Guardar la cuenta testigo"),
        },
        status=status,
    )


# ---- time limits, recesses, rules ------------------------------------------------------------


@require_safe
@login_required
def limit_list(request: HttpRequest) -> HttpResponse:
    """List the time limits of every stage in both lanes."""
    _administrator(request)
    limits = workflow.time_limits()
    return render(
        request,
        "counter/limits.html",
        {
            "nav": "administration",
            "limits": [
                {
                    "stage": stage.value,
                    "lane": "urgente" if urgent else "ordinario",
                    "lane_name": _("Urgente") if urgent else _("Ordinario"),
                    "name": labels.STAGE_NAMES[stage.value],
                    "urgent": urgent,
                    "minutes": limits[stage, urgent].after,
                    "remind": limits[stage, urgent].remind_every,
                    "escalate": limits[stage, urgent].escalate_after,
                }
                for stage in Stage
                for urgent in (False, True)
            ],
        },
    )


def _hours(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes // 60}:{minutes % 60:02d}" if minutes % 60 else str(minutes // 60)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def limit(request: HttpRequest, stage: str, lane: str) -> HttpResponse:
    """Change one time limit."""
    by = _administrator(request)
    if stage not in set(Stage) or lane not in {"ordinario", "urgente"}:
        raise Http404
    urgent = lane == "urgente"
    held = workflow.time_limits()[Stage(stage), urgent]
    form = LimitForm(
        request.POST if request.method == "POST" else None,
        initial={
            "minutes": _hours(held.after),
            "remind_every_minutes": _hours(held.remind_every),
            "escalate_after": held.escalate_after,
        },
    )
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            services.set_time_limit(Stage(stage), urgent=urgent, **form.cleaned_data, by=by)
            told.success(
                request, _("El plazo quedó cambiado; vale para lo que comience desde ahora.")
            )
            return redirect("limits")
    return render(
        request,
        "counter/form.html",
        {
            "nav": "administration",
            "title": f"{labels.STAGE_NAMES[stage]}: "
            + (_("carril urgente") if urgent else _("plazo ordinario")),
            "back": reverse("limits"),
            "back_words": _("Plazos"),
            "form": form,
            "button": _("Cambiar el plazo"),
        },
        status=status,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def recess_list(request: HttpRequest) -> HttpResponse:
    """List the recesses, and take in a new one."""
    by = _administrator(request)
    form = RecessForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            given = form.cleaned_data
            services.add_recess(
                given["name"], from_on=given["from_on"], until_on=given["until_on"], by=by
            )
            told.success(request, _("El receso quedó anotado; los plazos nuevos ya lo saltan."))
            return redirect("recesses")
    return render(
        request,
        "counter/recesses.html",
        {"nav": "administration", "form": form, "recesses": workflow.recesses()},
        status=status,
    )


@require_POST
@login_required
def recess_remove(request: HttpRequest, recess_id: int) -> HttpResponse:
    """Take a recess out of the calendar."""
    by = _administrator(request)
    if services.remove_recess(recess_id, by=by):
        told.success(request, _("El receso se quitó del calendario."))
    return redirect("recesses")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rules(request: HttpRequest) -> HttpResponse:
    """Show and change the desk's choices: hours, sign-off, authorities, urgent lane."""
    by = _administrator(request)
    held = workflow.desk_rules()
    names = ("morning_from", "morning_until", "afternoon_from", "afternoon_until")
    initial: dict[str, object] = {name: f"{getattr(held, name):%H:%M}" for name in names}
    initial |= {
        "require_sign_off": held.require_sign_off,
        "count_tolerance_permille": held.count_tolerance_permille,
        "start_late_minutes": held.start_late_minutes,
        "filing_prefix": held.filing_prefix,
    }
    do = request.POST.get("do", "")
    if request.method == "POST" and do:
        _change_authority(request, do, by)
        return redirect("rules")
    form = RulesForm(request.POST if request.method == "POST" else None, initial=initial)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            given = form.cleaned_data
            spans: tuple[tuple[time, time], tuple[time, time]] = (
                (given["morning_from"], given["morning_until"]),
                (given["afternoon_from"], given["afternoon_until"]),
            )
            services.set_desk_rules(
                count_tolerance_permille=given["count_tolerance_permille"],
                require_sign_off=given["require_sign_off"],
                start_late_minutes=given["start_late_minutes"],
                filing_prefix=given["filing_prefix"],
                hours=spans,
                by=by,
            )
            told.success(request, _("Las reglas quedaron cambiadas."))
            return redirect("rules")
    posts = list(Post.objects.filter(active=True).order_by("name"))
    urgent = workflow.urgent_posts()
    return render(
        request,
        "counter/rules.html",
        {
            "nav": "administration",
            "form": form,
            "posts": posts,
            "groups": [("", _("Cualquier público")), *labels.GROUPS.items()],
            "authorities": [
                {
                    "id": one.pk,
                    "post": one.post.name,
                    "group": labels.GROUPS.get(one.group, _("cualquier público")),
                }
                for one in AudienceAuthority.objects.select_related("post").order_by("post__name")
            ],
            "urgent": [post for post in posts if post.pk in urgent],
            "not_urgent": [post for post in posts if post.pk not in urgent],
        },
        status=status,
    )


def _change_authority(request: HttpRequest, do: str, by: Actor) -> None:
    """Name or drop an authority or an urgent post."""
    text = request.POST.get("post") or request.POST.get("authority") or ""
    if not (text.isascii() and text.isdigit() and len(text) < 15):
        raise Http404
    number = int(text)
    match do:
        case "name_authority" if Post.objects.filter(pk=number).exists():
            group = request.POST.get("group", "")
            services.name_authority(number, group if group in labels.GROUPS else "", by=by)
        case "drop_authority":
            services.drop_authority(number, by=by)
        case "name_urgent" if Post.objects.filter(pk=number).exists():
            services.name_urgent_post(number, by=by)
        case "drop_urgent":
            services.drop_urgent_post(number, by=by)
        case _other:
            raise Http404
    told.success(request, _("El cambio quedó hecho."))
