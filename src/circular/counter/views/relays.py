"""Where mail leaves: the relays, the processes that send, and when a sending stops by itself.

Kept by the IT Division or the administrator.
"""

from datetime import timedelta
from typing import Any

from django.contrib import messages as told
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from circular.counter import desk, formats, relay_words, trays
from circular.counter.relay_forms import (
    RelayForm,
    SendingRulesForm,
    initial_of,
    initial_of_preset,
)
from circular.dispatch import queries as relays
from circular.dispatch import services as dispatch
from circular.dispatch.breaker import BreakerRules
from circular.dispatch.errors import PasswordNeededError
from circular.dispatch.labels import PRESET_ADVICE, PRESET_NAMES, trouble_name
from circular.dispatch.presets import BY_KEY, PRESETS
from circular.evidence.actors import Actor
from circular.mailing.kinds import MailClass
from circular.people.roles import Permission

TYPE_IT_AGAIN = gettext_lazy("Escriba otra vez la contraseña: cambió el servidor")
LETTERS = MailClass.OFFICIAL.value  # the class of our own letters (mailing.services.posting)
ENDED_SHOWN = timedelta(days=1)


def _keeper(request: HttpRequest) -> Actor:
    """Return who keeps relays: the IT Division or the administrator."""
    desk.require(request, Permission.ADMINISTER, Permission.OPERATE_SENDING)
    return desk.actor(request)


@require_safe
@login_required
def relay_list(request: HttpRequest) -> HttpResponse:
    """List the relays with their health and what is used of their quotas."""
    _keeper(request)
    now = timezone.now()
    held = relays.quota_usages()
    rules = relays.breaker_rules()
    rows = relays.relays()
    return render(
        request,
        "counter/relays.html",
        {
            "nav": "administration",
            "relays": [
                relay_words.row(one, now)
                | {
                    "quotas": relay_words.quota_lines(held.get(one.id, ())),
                    "terms": relay_words.terms(one),
                }
                for one in rows
            ],
            "letters_stay": any(one.active for one in rows) and not any(map(_takes_letters, rows)),
            "rules": rules,
            "sending": len(relays.workers()),
        },
    )


def _takes_letters(row: relays.RelayRow) -> bool:
    """Say whether our own letters and codes leave by this relay: official mail to nobody's group."""
    return row.active and not row.groups and (not row.classes or LETTERS in row.classes)


def _quotas(relay_id: int) -> list[Any]:
    return [usage.quota for usage in relays.quota_usages().get(relay_id, ())]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def relay(request: HttpRequest, relay_id: int | None = None) -> HttpResponse:
    """Add or change a relay; "Guardar y probar" also greets it and says what it answered."""
    by = _keeper(request)
    row = relays.relay(relay_id) if relay_id is not None else None
    if relay_id is not None and row is None:
        raise Http404
    initial: dict[str, Any] = {}
    if row is not None:
        initial = initial_of(row, _quotas(row.id))
    preset = BY_KEY.get(request.GET.get("modelo", ""))
    if preset is not None:
        initial |= initial_of_preset(preset)
    form = RelayForm(
        request.POST if request.method == "POST" else None,
        initial=initial,
        is_last=row is not None and row.active and _is_last(row.id),
    )
    status = 200
    if request.method == "POST":
        status = 422
        saved = _save(form, row, by) if form.is_valid() else None
        if saved is not None:
            return _saved(request, saved, active=form.cleaned_data["active"])
    return render(
        request,
        "counter/relay.html",
        {
            "nav": "administration",
            "title": row.name if row is not None else _("Nuevo servidor de salida"),
            "form": form,
            "parts": dict(form.parts()),
            "presets": [{"key": one.key, "name": PRESET_NAMES[one.key]} for one in PRESETS],
            "preset": preset,
            "advice": PRESET_ADVICE[preset.key] if preset is not None else "",
        },
        status=status,
    )


def _is_last(relay_id: int) -> bool:
    return not any(one.active for one in relays.relays() if one.id != relay_id)


def _save(form: RelayForm, row: relays.RelayRow | None, by: Actor) -> int | None:
    """Save what was typed; None, and the form says why, when it cannot be."""
    password = form.cleaned_data["password"]
    try:
        return dispatch.save_relay(
            **form.place(),
            password=password or (None if row is not None else ""),
            terms=form.terms(),
            relay_id=row.id if row is not None else None,
            by=by,
        )
    except PasswordNeededError:
        form.add_error("password", TYPE_IT_AGAIN)
    except IntegrityError:
        form.add_error("name", _("Escriba un nombre que no tenga otro servidor"))
    return None


def _saved(request: HttpRequest, saved: int, *, active: bool) -> HttpResponse:
    if active:
        _tell_test(request, saved, saved=True)
    else:
        told.warning(request, _("Se guardó fuera de uso: por ahí no sale nada."))
    return redirect("relays")


@require_POST
@login_required
def relay_test(request: HttpRequest, relay_id: int) -> HttpResponse:
    """Greet a relay, sign in, and say goodbye; nothing is sent."""
    _keeper(request)
    if relays.relay(relay_id) is None:
        raise Http404
    _tell_test(request, relay_id)
    return redirect("relays")


def _tell_test(request: HttpRequest, relay_id: int, *, saved: bool = False) -> None:
    found = dispatch.test_relay(relay_id, by=desk.actor(request))
    if found.ok:
        told.success(
            request,
            _("El servidor respondió en %(ms)s ms y acepta a este equipo.")
            % {"ms": formats.figure(found.milliseconds, trays.lang())},
        )
        return
    words = (
        _("Se guardó, pero la prueba falló: %(trouble)s. %(detail)s")
        if saved
        else _("La prueba falló: %(trouble)s. %(detail)s")
    )
    told.error(
        request,
        words % {"trouble": str(trouble_name(found.trouble)).lower(), "detail": found.detail},
    )


# ---- processes -------------------------------------------------------------------------------


@require_safe
@login_required
def worker_list(request: HttpRequest) -> HttpResponse:
    """List the processes that send, what each sends now, and those of the last day that ended."""
    _keeper(request)
    now = timezone.now()
    rows = relays.workers(ended_since=now - ENDED_SHOWN)
    names = relay_words.names_of_mailings({mailing for row in rows for mailing, _count in row.work})
    return render(
        request,
        "counter/workers.html",
        {
            "nav": "administration",
            "workers": [
                relay_words.worker(row, now, names) for row in rows if row.ended_at is None
            ],
            "may_open": desk.reader(request).may(Permission.SEE_ALL_CASES),
            "ended": [relay_words.worker(row, now, names) for row in rows if row.ended_at],
        },
    )


# ---- when a sending stops by itself ----------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def sending_rules(request: HttpRequest) -> HttpResponse:
    """Change how much may be refused before a circular stops and asks."""
    by = _keeper(request)
    held = relays.breaker_rules()
    form = SendingRulesForm(
        request.POST if request.method == "POST" else None,
        initial={"percent": held.percent, "least": held.least},
    )
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            dispatch.save_sending_rules(BreakerRules(**form.cleaned_data), by=by)
            told.success(request, _("La regla quedó cambiada; vale en unos segundos."))
            return redirect("relays")
    return render(
        request,
        "counter/form.html",
        {
            "nav": "administration",
            "title": _("Cuándo se detiene solo un envío"),
            "back": reverse("relays"),
            "back_words": _("Servidores de salida"),
            "form": form,
            "button": _("Cambiar la regla"),
        },
        status=status,
    )
