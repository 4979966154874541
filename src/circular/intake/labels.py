"""The front door's codes in words that people read."""

from django.utils.translation import gettext_lazy as _

from circular.intake.words import Reason, SortedAs

SORTED_AS = {
    SortedAs.NEW_REQUEST: _("solicitud nueva"),
    SortedAs.REPLY: _("respuesta a un expediente"),
    SortedAs.BOUNCE: _("aviso de rebote"),
    SortedAs.AUTO_REPLY: _("respuesta automática"),
    SortedAs.STRANGER: _("remitente desconocido"),
    SortedAs.UNSORTABLE: _("sin clasificar"),
    SortedAs.DUPLICATE: _("repetido"),
    SortedAs.LOOP: _("correo nuestro que volvió"),
}
REASONS = {
    Reason.KNOWN_ACCOUNT: _("Llegó desde una cuenta del directorio."),
    Reason.ANSWERS_A_LETTER: _("Responde a una carta de Circular."),
    Reason.OUR_TOKEN: _("Nombra a un destinatario con nuestra propia marca."),
    Reason.NO_TOKEN_OF_OURS: _(
        "Es un aviso de rebote sin marca nuestra: no se sabe de quién habla."
    ),
    Reason.NULL_SENDER: _("Lo escribió un servidor, no una persona."),
    Reason.DELIVERY_REPORT: _("Es un aviso de un servidor que no se pudo leer."),
    Reason.SYSTEM_MAILBOX: _("Lo escribió el buzón técnico de un servidor de correo."),
    Reason.AUTO_SUBMITTED: _("Lo escribió un programa, por ejemplo un aviso de ausencia."),
    Reason.BULK_OR_LIST: _("Llegó por una lista de correo o un envío masivo."),
    Reason.UNKNOWN_ADDRESS: _("El remitente no está en el directorio. No se le respondió."),
    Reason.INACTIVE_ACCOUNT: _("La cuenta del remitente está inactiva. No se le respondió."),
    Reason.NO_FROM: _("No dice quién lo escribió."),
    Reason.SEVERAL_FROM: _("Dice venir de más de una dirección."),
    Reason.UNREADABLE_FROM: _("La dirección del remitente no se puede leer."),
    Reason.OUR_OWN_ADDRESS: _("Dice venir de nuestro propio buzón."),
    Reason.OUR_OWN_MAIL: _("Es un correo de Circular que volvió a entrar."),
    Reason.TOO_MANY_HOPS: _("Dio demasiadas vueltas entre servidores."),
    Reason.TOO_MANY_PARTS: _("Tiene demasiadas partes para leerlo completo."),
    Reason.TOO_DEEP: _("Tiene partes anidadas a demasiada profundidad."),
    Reason.ANSWERS_A_CIRCULAR: _("Responde a un correo masivo, no a una carta."),
    Reason.TOO_MANY_TODAY: _("Esta cuenta ya recibió el máximo de respuestas de un día."),
    Reason.ARRIVED_BEFORE: _("El mismo texto de la misma persona ya había llegado."),
    Reason.FAILED_THREE_TIMES: _("No se pudo procesar en tres intentos; se conserva completo."),
}
