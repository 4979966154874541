"""The counter's words: a state as tone, icon and word; codes of other rooms as sentences."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from circular.counter.parts import Tone
from circular.dispatch.labels import trouble_name
from circular.dispatch.trouble import PAUSES_THAT_END


@dataclass(frozen=True, slots=True)
class Pill:
    """A state in the three ways that look.md asks for."""

    tone: Tone
    icon: str
    word: Promise | str


STATES: dict[str, Pill] = {
    "draft": Pill(Tone.PLAIN, "pencil", _("Borrador")),
    "filed": Pill(Tone.NOW, "file-check", _("Radicada")),
    "in_review": Pill(Tone.NOW, "eye", _("En revisión")),
    "returned": Pill(Tone.WARN, "corner-up-left", _("Devuelta")),
    "rejected": Pill(Tone.BAD, "ban", _("Rechazada")),
    "approved": Pill(Tone.OK, "rubber-stamp", _("Aprobada")),
    "forwarded": Pill(Tone.NOW, "arrow-right", _("Remitida a TIC")),
    "scheduled": Pill(Tone.PLAIN, "calendar-time", _("Programada")),
    "sending": Pill(Tone.NOW, "send", _("En envío")),
    "paused": Pill(Tone.WARN, "player-pause", _("En pausa")),
    "sent": Pill(Tone.OK, "mail-check", _("Enviada")),
    "confirmed": Pill(Tone.OK, "checks", _("Confirmada")),
    "verified": Pill(Tone.OK, "circle-check", _("Verificada")),
    "closed": Pill(Tone.OK, "lock", _("Cerrada")),
    "cancelled": Pill(Tone.PLAIN, "circle-x", _("Cancelada")),
}

CLASSES: dict[str, Promise | str] = {
    "oficial": _("Oficial"),
    "informativo": _("Informativo"),
    "promocional": _("Promocional"),
}


def state_pill(code: str) -> Pill:
    """Return how a state is shown; an unknown one is shown by its code, plainly."""
    return STATES.get(code, Pill(Tone.PLAIN, "circle-dot", code))


@dataclass(frozen=True, slots=True)
class Happening:
    """One kind of entry as the route and the history tell it."""

    icon: str
    what: Promise | str


# Every act that the archive may hold of a case (`workflow.acts.Act`) and of its mailing.
HAPPENINGS: dict[str, Happening] = {
    "received": Happening("mail", _("Solicitud recibida por correo")),
    "drafted": Happening("pencil", _("Borrador preparado")),
    "draft_changed": Happening("pencil", _("Borrador cambiado")),
    "filed": Happening("file-check", _("Radicación")),
    "lapsed": Happening("circle-x", _("Borrador vencido sin radicar")),
    "acknowledged": Happening("mail-forward", _("Acuse de recibo con fechas esperadas")),
    "asked_for_missing": Happening("mail-question", _("Petición de lo que falta")),
    "taken": Happening("hand-grab", _("Asunto tomado para revisión")),
    "taken_over": Happening("hand-grab", _("Asunto tomado de otra persona")),
    "released_case": Happening("hand-grab", _("Asunto soltado")),
    "returned": Happening("corner-up-left", _("Devolución con razones")),
    "corrected": Happening("pencil", _("Texto corregido")),
    "resubmitted": Happening("refresh", _("Versión corregida, presentada otra vez")),
    "rejected": Happening("ban", _("Rechazo con razones")),
    "tested": Happening("test-pipe", _("Mensaje de prueba")),
    "signed_off": Happening("eye-check", _("Visto bueno del solicitante sobre la prueba")),
    "approved": Happening("rubber-stamp", _("Aprobación del texto y del público")),
    "authorised": Happening("certificate", _("Autorización del público")),
    "forwarded": Happening("mail-forward", _("Correo de traslado a la División TIC")),
    "accepted_by_it": Happening("calendar-check", _("Aceptada por la División TIC")),
    "sent_back": Happening("corner-up-left", _("Devolución de TIC a Comunicaciones")),
    "scheduled": Happening("calendar-time", _("Programación del envío")),
    "start_held": Happening("alert-triangle", _("Comienzo detenido")),
    "started": Happening("player-play", _("Comienzo del envío")),
    "frozen": Happening("snowflake", _("Público congelado")),
    "audience_frozen": Happening("snowflake", _("Público congelado")),
    "released": Happening("send", _("Envío liberado")),
    "paused": Happening("player-pause", _("Pausa del envío")),
    "resumed": Happening("player-play", _("Reanudación del envío")),
    "cancelled": Happening("circle-x", _("Cancelación")),
    "declared_sent": Happening("edit", _("Envío declarado por TIC, por otros medios")),
    "sent": Happening("send", _("Envío terminado")),
    "settled": Happening("send", _("Envío terminado")),
    "doubt_resolved": Happening("help-circle", _("Duda resuelta")),
    "confirmed_to_communications": Happening(
        "mail-forward", _("Confirmación de TIC a Comunicaciones")
    ),
    "confirmed_to_requester": Happening(
        "mail-forward", _("Confirmación de Comunicaciones al solicitante")
    ),
    "verified": Happening("checkup-list", _("Veredicto de la verificación")),
    "found_not_sent": Happening("alert-triangle", _("Declaración de «no enviado»")),
    "resent_to_missing": Happening("send", _("Reenvío a quienes faltaban")),
    "reminded": Happening("bell", _("Recordatorio")),
    "escalated": Happening("bell", _("Aviso al líder del proceso")),
    "erratum_issued": Happening("edit", _("Fe de erratas emitida")),
    "copied": Happening("copy", _("Nueva solicitud a partir de esta")),
    "declared_urgent": Happening("urgent", _("Declaración de urgencia")),
    "reviewed_afterwards": Happening("eye-check", _("Revisión posterior de la urgencia")),
    "closed": Happening("lock", _("Cierre del expediente")),
    "reopened": Happening("lock-open", _("Reapertura del expediente")),
    "exported": Happening("file-zip", _("Descarga del expediente")),
    "batch_settled": Happening("send", _("Respuesta del servidor a un lote")),
    "late_settled": Happening("send", _("Respuesta tardía de un servidor")),
    "self_paused": Happening("player-pause", _("El envío se detuvo solo")),
    "ceiling_set": Happening("send", _("El operador cambió la velocidad")),
    "self_resumed": Happening("player-play", _("El envío siguió solo")),
    "bounced": Happening("arrow-back-up", _("Rebote")),
    "bounce_waits": Happening("arrow-back-up", _("Rebote que espera la respuesta de otra oferta")),
    "offered_again": Happening("refresh", _("Ofrecido otra vez")),
    "expired": Happening("clock-exclamation", _("Se acabó el tiempo de reintentar")),
    "correspondence_received": Happening("mail-down", _("Llegó un correo al expediente")),
    "correspondence_read": Happening("mail-opened", _("Se leyó un correo del expediente")),
    "correspondence_answered": Happening("mail-up", _("Se respondió un correo")),
    "document_attached": Happening("file-text", _("Soporte añadido")),
    "letter_posted": Happening("mail-up", _("Carta enviada")),
    "corresponded": Happening("mail-down", _("Correspondencia recibida")),
    "document_added": Happening("file-text", _("Documento añadido")),
}


def happening(act: str) -> Happening:
    """Return how an entry is told; an unknown act is told by its code, which is still true."""
    return HAPPENINGS.get(act, Happening("circle-dot", act))


# What a tray says somebody must do, by the stage of what they owe.
STAGES_TO_DO: dict[str, Promise | str] = {
    "confirm_draft": _("Completar y radicar"),
    "review": _("Revisar"),
    "correct": _("Corregir"),
    "authorise": _("Autorizar"),
    "forward": _("Remitir a TIC"),
    "send": _("Programar o enviar"),
    "confirm": _("Confirmar"),
    "verify": _("Verificar"),
    "review_afterwards": _("Revisar la urgencia"),
}

STAGE_NAMES: dict[str, Promise | str] = {
    "confirm_draft": _("Radicar el borrador"),
    "review": _("Revisión"),
    "correct": _("Corrección por el solicitante"),
    "authorise": _("Autorización del público"),
    "forward": _("Traslado a TIC"),
    "send": _("Envío"),
    "confirm": _("Confirmación"),
    "verify": _("Verificación"),
    "review_afterwards": _("Revisión posterior de lo urgente"),
}

# Headings of the clock on the case page.
STAGE_CLOCKS: dict[str, Promise | str] = {
    "confirm_draft": _("Plazo para radicar"),
    "review": _("Plazo de la revisión"),
    "correct": _("Plazo para corregir"),
    "authorise": _("Plazo de la autorización"),
    "forward": _("Plazo del traslado"),
    "send": _("Plazo del envío"),
    "confirm": _("Plazo de la confirmación"),
    "verify": _("Plazo de la verificación"),
    "review_afterwards": _("Plazo de la revisión posterior"),
}

ROLES: dict[str, Promise | str] = {
    "requester": _("Solicitante"),
    "communications": _("Comunicaciones"),
    "approver": _("Autoridad del público"),
    "tic": _("División TIC"),
    "quality": _("Calidad"),
    "data_protection": _("Protección de datos"),
    "administrator": _("Administración"),
    "process_owner": _("Líder del proceso"),
}

PHASES: dict[str, Promise | str] = {
    "planear": _("Planear"),
    "hacer": _("Hacer"),
    "verificar": _("Verificar"),
    "ajustar": _("Ajustar"),
}

CLASS_HINTS: dict[str, Promise | str] = {
    "oficial": _("Obliga o afecta derechos."),
    "informativo": _("Interesa a todo el público elegido."),
    "promocional": _("Invita u ofrece algo que no es obligatorio."),
}

GROUPS: dict[str, Promise | str] = {
    "student": _("Estudiantes"),
    "teaching": _("Docentes"),
    "administrative": _("Administrativos"),
}

# What each activity still waits for, said under it.
PENDING: dict[int, Promise | str] = {
    1: _("Falta: que el solicitante radique la solicitud."),
    2: _("Falta: que Comunicaciones apruebe el texto y el público y los remita a TIC."),
    3: _("Falta: que la División TIC envíe el correo."),
    4: _("Faltan: la confirmación de TIC a Comunicaciones y la de Comunicaciones al solicitante."),
    5: _(
        "Falta: el veredicto. Si no se envió, Circular prepara el recordatorio a la División TIC."
    ),
}

MACHINES: dict[str, Promise | str] = {
    "clock": _("Circular"),
    "relay": _("Circular"),
    "door": _("Circular"),
    "system": _("Circular"),
}


def self_pause(code: str) -> tuple[str, str]:
    """Return why a mailing stands still, and who moves it: the relay's recovery, or a person."""
    if code in PAUSES_THAT_END:
        return str(trouble_name(code)), gettext("Sigue por sí mismo cuando se pueda.")
    return str(trouble_name(code)), gettext("Corrija la causa; después pulse Pausar y Reanudar.")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a message was not accepted, and what to do about it."""

    words: Promise | str
    remedy: Promise | str


# By enhanced status code (RFC 3463 §3), then by our own reason code.
TROUBLES: dict[str, Trouble] = {
    "5.1.1": Trouble(_("El buzón no existe"), _("Corregir en el directorio")),
    "5.1.2": Trouble(_("El dominio no existe"), _("Corregir en el directorio")),
    "5.1.6": Trouble(_("El buzón se mudó"), _("Corregir en el directorio")),
    "5.1.10": Trouble(_("El dominio no recibe correo"), _("Corregir en el directorio")),
    "5.2.1": Trouble(_("El buzón está desactivado"), _("Revisar si la cuenta sigue activa")),
    "5.2.2": Trouble(_("El buzón está lleno"), _("Nada: la persona debe liberar espacio")),
    "5.2.3": Trouble(
        _("El mensaje es muy grande para el buzón"), _("Quitar anexos la próxima vez")
    ),
    "5.4.1": Trouble(_("Nadie atiende ese dominio"), _("Corregir en el directorio")),
    "5.7.1": Trouble(_("El servidor no lo permite"), _("Revisar con quien administra el servidor")),
    "expired": Trouble(_("Se acabó el tiempo de reintentar"), _("Reenviar a quienes faltan")),
    "cancelled": Trouble(_("Cancelado antes de ofrecerlo"), _("Nada: fue una decisión")),
    "given_up": Trouble(
        _("Estaba en duda y una persona lo dio por perdido"), _("Nada: fue una decisión")
    ),
    "bad_address": Trouble(_("La dirección no sirve"), _("Corregir en el directorio")),
    "inactive_account": Trouble(_("La cuenta ya no está activa"), _("Nada: ya no es del público")),
    "relay_refused": Trouble(
        _("El servidor de salida lo rechazó"), _("Ver la respuesta del servidor")
    ),
    "message_refused": Trouble(
        _("El servidor rechazó el mensaje"), _("Ver la respuesta del servidor")
    ),
    "bounced": Trouble(_("Llegó un aviso de rebote"), _("Corregir en el directorio")),
    "hung_up": Trouble(_("La conexión se cortó después del punto final"), _("Decidir arriba")),
    "worker_lost": Trouble(_("El proceso que enviaba se detuvo"), _("Decidir arriba")),
}


def trouble(enhanced: str, reason: str) -> Trouble:
    """Return the most exact words there are for why it was not accepted."""
    return (
        TROUBLES.get(enhanced)
        or TROUBLES.get(reason)
        or Trouble(
            enhanced or reason or _("Sin razón conocida"), _("Ver la respuesta del servidor")
        )
    )


# The states of one recipient, in the singular of "persona".
RECIPIENT_STATES: dict[str, Promise | str] = {
    "pending": _("pendiente"),
    "accepted": _("aceptado"),
    "refused": _("rechazado"),
    "bounced": _("rebotado"),
    "suppressed": _("excluido"),
    "in_doubt": _("en duda"),
}


# Our letters as the correspondence of a case names them (`mailing.letters.Letter`).
LETTERS: dict[str, Promise | str] = {
    "draft_received": _("Lo que se entendió de la solicitud."),
    "acknowledgement": _("Acuse de recibo."),
    "missing": _("Petición de lo que falta."),
    "returned": _("Devolución con razones."),
    "rejected": _("Rechazo con razones."),
    "approved": _("Aviso de la aprobación."),
    "request_to_review": _("Solicitud para revisar."),
    "consent_asked": _("Petición de autorización del público."),
    "urgent_declared": _("Aviso de la urgencia."),
    "correspondence": _("Respuesta."),
    "forwarded": _("Traslado de la solicitud."),
    "sent_back": _("Devolución de TIC."),
    "proof": _("Prueba para su visto bueno."),
    "confirmation_to_communications": _("Confirmación del envío."),
    "confirmation_to_requester": _("Confirmación del envío."),
    "verdict_positive": _("Veredicto: se envió como se aprobó."),
    "verdict_negative": _("Veredicto: no se pudo comprobar."),
    "reminder": _("Recordatorio."),
    "escalation": _("Aviso al superior."),
    "not_sent": _("Recordatorio: no se envió."),
    "cancelled": _("Aviso de la cancelación."),
}
