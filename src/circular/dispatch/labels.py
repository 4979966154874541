"""The post office's codes in words that tell a person what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from circular.dispatch.quotas import QuotaUnit, Window
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
    Trouble.TOO_MANY_REFUSED: _("Se rechazó una parte demasiado grande de lo entregado"),
    Trouble.TOO_MANY_AT_ONCE: _("El servidor de salida recibe menos personas por mensaje"),
    Trouble.UNPRINTABLE: _("Circular no pudo preparar el mensaje; nada salió"),
    Trouble.RESTORED: _(
        "Se restauró una copia de respaldo: lo enviado después de hacerla no consta aquí."
        " Compare con los registros del servidor de salida antes de continuar"
    ),
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


PRESET_NAMES: dict[str, StrOrPromise] = {
    "postfix": _("Postfix u otro servidor del campus"),
    "google_user": _("Google Workspace (SMTP relay): el remitente es una cuenta registrada"),
    "google_organisation": _("Google Workspace (SMTP relay): el remitente no es una cuenta"),
    "exchange_online": _("Exchange Online, con un buzón"),
    "microsoft_hve": _("Microsoft High Volume Email: solo destinatarios de la institución"),
    "amazon_ses": _("Amazon SES"),
}
PRESET_ADVICE: dict[str, StrOrPromise] = {
    "postfix": _("Escriba el servidor; pida al administrador que acepte a este equipo."),
    "google_user": _(
        "En la consola de Google autorice la dirección IP de este equipo. Google cuenta por el"
        " remitente del sobre: 10.000 personas en 24 horas."
    ),
    "google_organisation": _(
        "Solo si la dirección de rebotes no es una cuenta de Google: cuenta la organización entera."
    ),
    "exchange_online": _(
        "Escriba el buzón y su contraseña, con SMTP AUTH permitido: 30 mensajes por minuto y"
        " 10.000 personas en 24 horas."
    ),
    "microsoft_hve": _(
        "Escriba la cuenta HVE y su contraseña; compruebe en su centro de administración cuántas"
        " personas al día le permiten."
    ),
    "amazon_ses": _(
        "Cambie la región en el servidor y las cuotas por las de su cuenta: las de aquí son las"
        " del entorno de pruebas."
    ),
}
WINDOWS: dict[Window, StrOrPromise] = {
    Window.MINUTE: _("por minuto"),
    Window.TEN_MINUTES: _("en diez minutos"),
    Window.HOUR: _("por hora"),
    Window.DAY: _("en 24 horas"),
}
UNITS: dict[QuotaUnit, StrOrPromise] = {
    QuotaUnit.MESSAGES: _("mensajes"),
    QuotaUnit.RECIPIENTS: _("personas"),
}
