"""What went wrong, in the look of the house: what is safe and what to do, never a trace."""

import logging
import secrets
import sys

from django.db import Error as DatabaseError
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.utils.translation import gettext as _

log = logging.getLogger(__name__)


def _page(request: HttpRequest, status: int, title: str, text: str, code: str = "") -> HttpResponse:
    """Draw the frame with the fault in it; a fault of the database draws the bare one."""
    facts = {"title": title, "text": text, "code": code, "status": status}
    try:
        body = loader.render_to_string("counter/fault.html", facts, request)
    except DatabaseError:
        body = loader.render_to_string("counter/fault_bare.html", facts)
    return HttpResponse(body, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer what cannot be read."""
    del exception
    return _page(
        request,
        400,
        _("No se entiende lo que llegó"),
        _("El navegador envió algo incompleto. Vuelva a la página anterior e inténtelo otra vez."),
    )


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a reader who may not."""
    del exception
    return _page(
        request,
        403,
        _("Su cargo no abre esta página"),
        _("Si cree que debería abrirla, pida al administrador que revise su cargo."),
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that is too old, or that did not come from our own page."""
    del reason
    return _page(
        request,
        403,
        _("La página estuvo abierta demasiado tiempo"),
        _("Nada se hizo. Vuelva atrás, recargue la página e inténtelo otra vez."),
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer an address that leads nowhere, or nowhere for this reader."""
    del exception
    return _page(
        request,
        404,
        _("Aquí no hay nada para usted"),
        _("La dirección no existe, o el expediente es de otra dependencia. Revise el radicado."),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a fault of ours with a code that the log has too; a database that is away is none."""
    if isinstance(sys.exc_info()[1], OperationalError):
        return unavailable()
    code = secrets.token_hex(2).upper()
    log.error("fault shown to a person", extra={"fault": code})
    return _page(
        request,
        500,
        _("No se pudo hacer"),
        _(
            "Lo que ya estaba guardado sigue guardado. Inténtelo otra vez; si se repite, avise a la "
            "División TIC con el código %(code)s."
        )
        % {"code": code},
        code,
    )


def unavailable() -> HttpResponse:
    """Answer while the database is away, with a page that asks nothing of it."""
    facts = {
        "title": _("Circular vuelve en un momento"),
        "text": _(
            "La base de datos se está reiniciando. Nada se perdió. Recargue la página en un minuto."
        ),
    }
    response = HttpResponse(loader.render_to_string("counter/fault_bare.html", facts), status=503)
    response["Retry-After"] = "60"
    return response
