"""The words that people read for this room's codes."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from circular.mailing.cleaning import Advice
from circular.mailing.kinds import MailClass, MailingKind, MailingState
from circular.mailing.recipients import Reason, RecipientState

KINDS: Mapping[MailingKind, Promise] = {
    MailingKind.CIRCULAR: _("Correo masivo"),
    MailingKind.TEST: _("Mensaje de prueba"),
    MailingKind.LETTER: _("Carta"),
    MailingKind.SECRET: _("Código de acceso"),
    MailingKind.ANCHOR: _("Sello diario"),
}

CLASSES: Mapping[MailClass, Promise] = {
    MailClass.OFFICIAL: _("Oficial"),
    MailClass.INFORMATIVE: _("Informativo"),
    MailClass.PROMOTIONAL: _("Promocional"),
}

STATES: Mapping[MailingState, Promise] = {
    MailingState.DRAFT: _("En preparación"),
    MailingState.FROZEN: _("Listo para salir"),
    MailingState.RELEASED: _("En envío"),
    MailingState.PAUSED: _("En pausa"),
    MailingState.SETTLED: _("Terminado"),
    MailingState.CANCELLED: _("Cancelado"),
}

RECIPIENT_STATES: Mapping[RecipientState, Promise] = {
    RecipientState.ACCEPTED: _("Aceptado"),
    RecipientState.REFUSED: _("Rechazado"),
    RecipientState.BOUNCED: _("Rebotado"),
    RecipientState.SUPPRESSED: _("Excluido"),
    RecipientState.IN_DOUBT: _("En duda"),
    RecipientState.PENDING: _("Pendiente"),
}

REASONS: Mapping[Reason, Promise] = {
    Reason.RELAY_REFUSED: _("El servidor de correo lo rechazó"),
    Reason.MESSAGE_REFUSED: _("El servidor de correo rechazó el mensaje para todos"),
    Reason.EXPIRED: _("Se agotó el plazo de envío sin respuesta favorable"),
    Reason.CANCELLED: _("El envío se canceló antes de llegarle"),
    Reason.GIVEN_UP: _("Una persona decidió no ofrecerlo otra vez"),
    Reason.BAD_ADDRESS: _("La dirección está mal escrita"),
    Reason.INACTIVE_ACCOUNT: _("La cuenta no está activa"),
    Reason.BOUNCED: _("El mensaje volvió con un aviso de rebote"),
    Reason.HUNG_UP: _("El servidor cortó la conexión sin confirmar"),
    Reason.WORKER_LOST: _("El proceso que enviaba se interrumpió sin registrar la respuesta"),
}

ADVICE: Mapping[Advice, Promise] = {
    Advice.EMPTY: _("El mensaje no tiene texto."),
    Advice.IMAGE_ONLY: _(
        "El mensaje es casi solo una imagen: escriba en texto lo que dice, para quien no la ve."
    ),
    Advice.MISSING_ALT: _("Hay imágenes sin texto alternativo: describa lo que muestran."),
    Advice.REMOTE_IMAGE: _(
        "Hay imágenes que se cargan de otro sitio: muchos programas de correo no las muestran."
    ),
    Advice.VAGUE_LINK: _("Hay enlaces que dicen «aquí» o «clic»: diga adónde llevan."),
    Advice.HEADING_SKIPPED: _("Los títulos saltan un nivel: use primero el más alto."),
    Advice.UPPERCASE_SUBJECT: _("Escriba el asunto sin mayúsculas sostenidas."),
    Advice.LONG_SUBJECT: _("El asunto es largo: los teléfonos muestran unos 40 caracteres."),
    Advice.CLIPPED: _("El mensaje es tan largo que algunos programas de correo lo cortan."),
    Advice.HEAVY: _("Los adjuntos pesan mucho: publique el archivo y ponga un enlace."),
    Advice.PARTS_REMOVED: _(
        "Se quitaron partes que el correo no permite (formularios, videos, programas o imágenes"
        " pegadas). Adjunte las imágenes."
    ),
}

# Why content cannot be saved; the keys are the codes of ``content.ContentError``.
PROBLEMS: Mapping[str, Promise] = {
    "no_subject": _("Escriba el asunto."),
    "no_text": _("Escriba el mensaje."),
    "no_sender": _("Elija el remitente."),
    "bad_reply_to": _("Escriba completa la dirección de respuesta, como nombre@dominio."),
    "bad_address": _("Escriba la dirección completa, como nombre@dominio."),
    "bad_file": _("Un adjunto no se pudo leer. Adjúntelo otra vez."),
    "control_character": _(
        "El texto tiene caracteres que el correo no permite. Escríbalo de nuevo."
    ),
    "unknown_field": _(
        "Hay un campo que no existe. Los que puede usar son nombre, nombres, apellidos y"
        " nombre_completo, entre llaves dobles."
    ),
    "no_recipient": _("Escriba al menos una dirección completa, como nombre@dominio."),
    "not_configured": _("Falta el dominio de correo de la institución. Un administrador lo pone."),
    "unknown_language": _("El idioma del mensaje no es uno de los que se pueden usar."),
    "body_once": _("El marco debe tener el lugar del mensaje una sola vez."),
    "unknown_place": _("El marco nombra un lugar que no existe."),
}
