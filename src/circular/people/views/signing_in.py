"""Pages that prove who somebody is; every refusal looks the same, whoever asks."""

import json
from http import HTTPStatus

from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from circular.people import passkeys, queries, services, signin
from circular.people.forms import (
    AddressForm,
    CodeForm,
    FirstAccessForm,
    NewPasswordForm,
    PasswordForm,
)
from circular.people.models import Person, canonical

BACKEND = "django.contrib.auth.backends.ModelBackend"
NONCE, ASKED_FOR, NEXT = "sign_in_nonce", "sign_in_address", "sign_in_next"
PROVED_AT = "proved_at"  # when this session last proved who it is
TRAY = "/bandeja"


def _place(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def _wanted(request: HttpRequest) -> str:
    """Return where the person was going, if it is a page of this house."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    secure = request.is_secure()
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=secure):
        return wanted
    return ""


def _let_in(request: HttpRequest, person: Person, wanted: str = "") -> HttpResponse:
    login(request, person, backend=BACKEND)  # a new session key: no fixation
    request.session[PROVED_AT] = timezone.now().timestamp()
    return redirect(wanted or TRAY)


def _too_often(request: HttpRequest) -> HttpResponse:
    return render(request, "people/too_often.html", status=HTTPStatus.TOO_MANY_REQUESTS)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """Offer the ways in; a POST with address and password is the way of invited people."""
    if request.method != "POST":
        context = {"form": AddressForm(), "next": _wanted(request)}
        return render(request, "people/enter.html", context)
    form = PasswordForm(request.POST)
    if not form.is_valid():
        return _password_page(request, form)
    address, place = canonical(form.cleaned_data["email"]), _place(request)
    now = timezone.now()
    within = [
        signin.allowed(signin.PASSWORD_BY_ADDRESS_AND_PLACE, f"{address} {place}", now=now),
        signin.allowed(signin.PASSWORD_BY_ADDRESS, address, now=now),
        signin.allowed(signin.PASSWORD_BY_PLACE, place, now=now),
    ]
    if not all(within):
        return _too_often(request)
    # Django hashes a password for unknown, inactive and password-less people alike.
    person = authenticate(request, username=address, password=form.cleaned_data["password"])
    if not isinstance(person, Person):
        form.add_error(
            None, _("El correo y la contraseña no coinciden. Escríbalos otra vez o pida un código.")
        )
        return _password_page(request, form)
    return _let_in(request, person, _wanted(request))


@never_cache
@require_safe
def enter_with_password(request: HttpRequest) -> HttpResponse:
    """Show the form for address and password."""
    return _password_page(request, PasswordForm())


def _password_page(request: HttpRequest, form: PasswordForm) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    context = {"form": form, "next": _wanted(request)}
    return render(request, "people/password.html", context, status=status)


@never_cache
@require_POST
def ask_for_code(request: HttpRequest) -> HttpResponse:
    """Note that somebody wants a code; the answer is the same for every address."""
    form = AddressForm(request.POST)
    if not form.is_valid():
        context = {"form": form, "next": _wanted(request)}
        return render(request, "people/enter.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    address, now = canonical(form.cleaned_data["email"]), timezone.now()
    within = [
        signin.allowed(signin.CODE_BY_ADDRESS, address, now=now),
        signin.allowed(signin.CODE_BY_PLACE, _place(request), now=now),
    ]
    if not all(within):
        return _too_often(request)
    request.session[NONCE] = signin.ask_for_code(address, now=now)
    request.session[ASKED_FOR] = address
    request.session[NEXT] = _wanted(request)
    return redirect("people:enter_code")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def enter_code(request: HttpRequest) -> HttpResponse:
    """Take the code in the browser that asked for it."""
    nonce = str(request.session.get(NONCE, ""))
    if not nonce:
        return redirect("people:enter")
    form = CodeForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        found = signin.use_code(nonce, form.cleaned_data["code"], now=timezone.now())
        person = None if found is None else Person.objects.filter(pk=found).first()
        if person is not None:
            wanted = str(request.session.pop(NEXT, ""))
            del request.session[NONCE]
            return _let_in(request, person, wanted)
        form.add_error(
            "code", _("El código no sirve o ya venció. Revise el correo o pida otro código.")
        )
    return render(
        request,
        "people/code.html",
        {"form": form, "address": request.session.get(ASKED_FOR, "")},
        status=HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK,
    )


@never_cache
@require_http_methods(["GET", "POST"])
def enter_with_passkey(request: HttpRequest) -> HttpResponseBase:
    """Give a browser the challenge, and let in whoever signed it; for the page's script."""
    if request.method == "GET":
        return JsonResponse({"options": passkeys.begin_signing_in()})
    if not signin.allowed(signin.PASSKEY_BY_PLACE, _place(request), now=timezone.now()):
        return _too_often(request)
    try:
        answer = json.loads(request.POST.get("credential", ""))
    except ValueError:
        answer = None
    person = passkeys.finish_signing_in(answer)
    if person is None:
        form = AddressForm()
        context = {"form": form, "next": _wanted(request), "passkey_failed": True}
        return render(request, "people/enter.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return _let_in(request, person, _wanted(request))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest) -> HttpResponse:
    """End the session; a GET only asks, because anybody can make a browser follow a link."""
    if request.method != "POST":
        return render(request, "people/leave.html")
    logout(request)
    return redirect("people:enter")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Let an invited person choose a password; only the POST uses the link up."""
    now = timezone.now()
    if not signin.allowed(signin.LINK_BY_PLACE, _place(request), now=now):
        return _too_often(request)
    invited = queries.invitation(services.token_digest(token), now)
    if invited is None:
        return render(request, "people/link_gone.html", status=HTTPStatus.GONE)
    somebody = Person(email=invited.email, full_name=invited.full_name)
    form = NewPasswordForm(request.POST if request.method == "POST" else None, person=somebody)
    if form.is_valid():
        accepted = services.accept_invitation(token, form.cleaned_data["password"])
        person = None if accepted is None else Person.objects.filter(pk=accepted).first()
        if person is None:
            return render(request, "people/link_gone.html", status=HTTPStatus.GONE)
        return _let_in(request, person)
    return render(
        request,
        "people/invitation.html",
        {"form": form, "invited": invited},
        status=HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK,
    )


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def first_access(request: HttpRequest, token: str) -> HttpResponse:
    """Let whoever started the house become its first administrator, once."""
    now = timezone.now()
    if not signin.allowed(signin.LINK_BY_PLACE, _place(request), now=now):
        return _too_often(request)
    if not queries.first_access_is_open(services.token_digest(token), now):
        return render(request, "people/link_gone.html", status=HTTPStatus.GONE)
    form = FirstAccessForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        opened = services.open_house(
            token,
            email=form.cleaned_data["email"],
            full_name=form.cleaned_data["full_name"],
            password=form.cleaned_data["password"],
            institution=form.cleaned_data["institution"],
            domain=form.cleaned_data["domain"],
        )
        person = None if opened is None else Person.objects.filter(pk=opened).first()
        if person is None:
            return render(request, "people/link_gone.html", status=HTTPStatus.GONE)
        return _let_in(request, person, "/administracion")
    return render(
        request,
        "people/first_access.html",
        {"form": form},
        status=HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK,
    )
