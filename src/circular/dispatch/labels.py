"""The post office's codes in words that tell a person what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from circular.dispatch.trouble import Trouble

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

TROUBLES: dict[Trouble, StrOrPromise] = {
    Trouble.NONE: _("Sin novedad"),
    Trouble.REFUSED: _("El servidor de salida rechazó la dirección"),
    Trouble.BAD_ADDRESS: _("La dirección no se puede usar en un sobre de correo"),
    Trouble.TOO_LARGE: _("El mensaje supera el tamaño que acepta el servidor de salida"),
    Trouble.MESSAGE_REFUSED: _("El servidor de salida rechazó el mensaje"),
    Trouble.SENDER_REFUSED: _("El servidor de salida no acepta este remitente"),
    Trouble.EVERYBODY_REFUSED: _("El servidor de salida rechazó todo lo que se le entregó"),
    Trouble.TOO_MANY_REFUSED: _("Se rechazó una parte demasiado grande de lo entregado"),
    Trouble.TOO_MANY_AT_ONCE: _("El servidor de salida recibe menos personas por mensaje"),
    Trouble.UNPRINTABLE: _("Circular no pudo preparar el mensaje; nada salió"),
    Trouble.LACKS_SMTPUTF8: _("El servidor de salida no admite direcciones con tildes o eñes"),
    Trouble.LACKS_8BITMIME: _("El servidor de salida no admite contenido de 8 bits"),
    Trouble.NO_RELAY: _("No hay ningún servidor de salida activo"),
    Trouble.NO_ROUTE: _("Ningún servidor de salida activo atiende esta clase de correo o público"),
    Trouble.OWN_QUOTA: _("Se agotó por ahora la cuota del servidor de salida"),
    Trouble.UNREACHABLE: _("No hay conexión con el servidor de salida"),
    Trouble.NOT_TRUSTED: _("No se pudo establecer una conexión cifrada de confianza"),
    Trouble.SIGN_IN: _("El servidor de salida no aceptó el usuario o la contraseña"),
    Trouble.NO_RELAYING: _("El servidor de salida no permite reenviar correo desde aquí"),
    Trouble.QUOTA: _("Se alcanzó la cuota del servidor de salida"),
    Trouble.BUSY: _("El servidor de salida está ocupado y pidió esperar"),
    Trouble.THROTTLED: _("El servidor de salida pidió enviar más despacio"),
    Trouble.BLOCKED: _("El servidor de salida bloquea a este equipo"),
    Trouble.CONFUSED: _("El servidor de salida responde de forma incomprensible"),
    Trouble.BROKEN_OFF: _("El servidor de salida cortó la conexión"),
}


def trouble_name(code: str) -> StrOrPromise:
    """Return the words for a code; a code from a newer version is shown as it is."""
    try:
        return TROUBLES[Trouble(code)]
    except ValueError:
        return code
