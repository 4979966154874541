"""One's own account: language, look, password, passkeys."""

import json
from datetime import timedelta
from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from circular.people import passkeys, queries, services
from circular.people.access import actor_of, person_of, require_signed_in
from circular.people.forms import ChangePasswordForm, NewPasswordForm, PreferencesForm

PROVED_AT = "proved_at"  # written at sign-in
STILL_FRESH = timedelta(minutes=15)  # then a change of keys asks for a new proof


def _is_fresh(request: HttpRequest) -> bool:
    proved_at = float(request.session.get(PROVED_AT, 0))
    return timezone.now().timestamp() - proved_at < STILL_FRESH.total_seconds()


def _password_form(
    request: HttpRequest, *, bound: bool
) -> ChangePasswordForm | NewPasswordForm | None:
    """Return the form that fits: with the present password, or with a fresh sign-in instead."""
    person = person_of(request)
    data = request.POST if bound else None
    if person.has_usable_password():
        return ChangePasswordForm(data, person=person)
    return NewPasswordForm(data, person=person) if _is_fresh(request) else None


def _page(
    request: HttpRequest,
    preferences: PreferencesForm | None = None,
    password: ChangePasswordForm | NewPasswordForm | None = None,
) -> HttpResponse:
    person = person_of(request)
    wrong = (preferences is not None and preferences.errors) or (
        password is not None and password.errors
    )
    shown = PreferencesForm(initial={"language": person.language, "theme": person.theme})
    context = {
        "person": person,
        "posts": queries.posts_of(person.pk),
        "units": queries.units_of(person.pk),
        "preferences": preferences or shown,
        "password": password or _password_form(request, bound=False),
        "passkeys": passkeys.passkeys_of(person.pk),
        "is_fresh": _is_fresh(request),
        "wrong": password if password is not None and password.errors else preferences,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return render(request, "people/account.html", context, status=status)


@never_cache
@require_signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Show the account; a POST keeps language and look."""
    if request.method != "POST":
        return _page(request)
    form = PreferencesForm(request.POST)
    if not form.is_valid():
        return _page(request, preferences=form)
    services.set_preferences(
        person_of(request).pk,
        language=form.cleaned_data["language"],
        theme=form.cleaned_data["theme"],
    )
    messages.success(request, _("El idioma y el aspecto quedaron guardados."))
    return redirect("people:account")


@never_cache
@sensitive_post_parameters()
@require_signed_in
@require_POST
def change_password(request: HttpRequest) -> HttpResponse:
    """Take a new password; other sessions of the person end, this one stays."""
    form = _password_form(request, bound=True)
    if form is None:
        return redirect("people:account")
    if not form.is_valid():
        return _page(request, password=form)
    person = person_of(request)
    services.set_password(person.pk, form.cleaned_data["password"], by=actor_of(request))
    person.refresh_from_db()
    update_session_auth_hash(request, person)
    messages.success(request, _("La contraseña nueva ya vale. Las otras sesiones se cerraron."))
    return redirect("people:account")


@never_cache
@require_signed_in
@require_safe
def passkey_options(request: HttpRequest) -> HttpResponseBase:
    """Give the page's script what the browser needs to make a passkey."""
    if not _is_fresh(request):
        return JsonResponse({"code": "not_fresh"}, status=HTTPStatus.FORBIDDEN)
    return JsonResponse({"options": passkeys.begin_adding(person_of(request))})


@never_cache
@require_signed_in
@require_POST
def add_passkey(request: HttpRequest) -> HttpResponse:
    """Keep the passkey that the browser made."""
    name = " ".join(request.POST.get("name", "").split())[:60] or _("Llave de acceso")
    try:
        answer = json.loads(request.POST.get("credential", ""))
    except ValueError:
        answer = None
    added = _is_fresh(request) and passkeys.add_passkey(
        person_of(request), answer, name=name, by=actor_of(request)
    )
    if added:
        messages.success(request, _("La llave «%(name)s» ya sirve para entrar.") % {"name": name})
    else:
        messages.error(request, _("La llave no se guardó. Entre otra vez y repita el paso."))
    return redirect("people:account")


@never_cache
@require_signed_in
@require_POST
def remove_passkey(request: HttpRequest, key_id: int) -> HttpResponse:
    """Forget a passkey of one's own."""
    if passkeys.remove_passkey(person_of(request), key_id, by=actor_of(request)):
        messages.success(request, _("La llave quedó quitada."))
    return redirect("people:account")
