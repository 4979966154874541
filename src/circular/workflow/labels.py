"""The words of the desk: its states, and for each refusal the fact and the remedy.

Look.md §4 is the rule: usted, sentence case, fact first, then what to do. The words of buttons and
of the history belong to the pages (`counter.labels`).
"""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, ngettext
from django.utils.translation import gettext_lazy as _

from circular.workflow.acts import Act
from circular.workflow.guards import Refusal
from circular.workflow.states import State
from circular.workflow.transitions import NotMoved

Word = Promise | str

STATES: Mapping[State, Word] = {
    State.DRAFT: _("Borrador"),
    State.FILED: _("Radicada"),
    State.IN_REVIEW: _("En revisión"),
    State.RETURNED: _("Devuelta"),
    State.REJECTED: _("Rechazada"),
    State.APPROVED: _("Aprobada"),
    State.FORWARDED: _("Remitida a TIC"),
    State.SCHEDULED: _("Programada"),
    State.SENDING: _("En envío"),
    State.PAUSED: _("En pausa"),
    State.SENT: _("Enviada"),
    State.CONFIRMED: _("Confirmada"),
    State.VERIFIED: _("Verificada"),
    State.CLOSED: _("Cerrada"),
    State.CANCELLED: _("Cancelada"),
}

MISSING: Mapping[str, Word] = {
    "unit": _("la dependencia"),
    "responsible": _("la persona responsable"),
    "sender": _("el remitente"),
    "subject": _("el asunto"),
    "message": _("el mensaje"),
    "audience": _("los destinatarios"),
    "unfit": _(
        "un mensaje que se pueda enviar: revise el asunto, los campos y la dirección de respuesta"
    ),
}

# Acts whose turn has not come: what they wait for.
AWAITED: Mapping[str, Word] = {
    Act.APPROVE: _("Se aprueba cuando la solicitud esté en revisión."),
    Act.FORWARD: _("Se remite cuando esté aprobada."),
    Act.ACCEPT: _("Se acepta cuando Comunicaciones la remita."),
    Act.START: _("Se inicia cuando Comunicaciones la apruebe y la remita."),
    Act.CONFIRM_TO_COMMUNICATIONS: _("Se confirma cuando termine el envío."),
    Act.CONFIRM_TO_REQUESTER: _("Se confirma cuando TIC confirme."),
    Act.VERIFY: _("Se verifica cuando el envío esté confirmado y no haya pendientes ni dudas."),
    Act.CLOSE: _("Se cierra cuando el envío esté verificado."),
}

REFUSALS: Mapping[Refusal, Word] = {
    Refusal.WRONG_STATE: _(
        "El expediente ya está en el estado «%(state)s». Vuelva a abrirlo para ver qué puede hacer ahora."
    ),
    Refusal.TOO_EARLY: _("Todavía no es el momento: el expediente está en el estado «%(state)s»."),
    Refusal.NOT_COMMUNICATIONS: _(
        "Este paso es de Comunicaciones. Pídalo a la oficina que revisa las solicitudes."
    ),
    Refusal.NOT_IT: _("Este paso es de la División TIC. Pídalo a quien opera los envíos."),
    Refusal.NOT_REQUESTER: _(
        "Este paso es de la dependencia que solicita. Pídalo a la persona responsable."
    ),
    Refusal.NOT_AUTHORITY: _(
        "Usted no tiene autoridad sobre este público. La autorización la da el cargo que la tiene."
    ),
    Refusal.NOT_OVERSEER: _(
        "Este paso es del líder del proceso o de Calidad. Pídalo a uno de ellos."
    ),
    Refusal.NOT_URGENT_POST: _(
        "Su cargo no puede declarar urgencias. Pídalo a un cargo de la lista de urgentes."
    ),
    Refusal.NOT_INVOLVED: _("Este paso es de la oficina que tiene ahora el expediente."),
    Refusal.MACHINE_ONLY: _("Esto lo hace Circular por su cuenta. No tiene que hacer nada."),
    Refusal.NOT_CANCELLED_BY_YOU: _(
        "Antes de programar cancela quien solicita; después, Comunicaciones o TIC. Pídalo a quien corresponde."
    ),
    Refusal.ALREADY_TAKEN: _(
        "Otra persona ya tomó esta solicitud. Si debe seguir usted, releve a quien la tiene."
    ),
    Refusal.ALREADY_YOURS: _("Usted ya tiene esta solicitud. Siga con ella."),
    Refusal.HELD_BY_ANOTHER: _(
        "Otra persona tiene esta solicitud. Relévela antes de actuar, o deje que siga."
    ),
    Refusal.ALREADY_DONE: _("Esto ya se hizo. No hace falta repetirlo."),
    Refusal.OWN_REQUEST: _(
        "La solicitud es suya y nadie tramita su propia solicitud. Pídalo a otra persona de la oficina."
    ),
    Refusal.REGISTERED_BY_YOU: _(
        "Usted registró esta solicitud y la institución separa las funciones. Debe aprobarla otra persona."
    ),
    Refusal.APPROVED_BY_YOU: _(
        "Usted aprobó esta solicitud y la institución separa las funciones. Debe enviarla otra persona."
    ),
    Refusal.OWN_URGENCY: _("Usted declaró la urgencia. Debe revisarla otra persona."),
    Refusal.REASON_MISSING: _("Falta la razón. Escríbala: queda en el expediente."),
    Refusal.INCOMPLETE: _("La solicitud está incompleta. Falta %(missing)s."),
    Refusal.CONTENT_CHANGED: _(
        "El contenido cambió después de que usted lo abrió. Revise la diferencia y decida otra vez."
    ),
    Refusal.APPROVAL_VOID: _(
        "La aprobación ya no vale: el contenido cambió. Devuélvala a Comunicaciones para que la apruebe otra vez."
    ),
    Refusal.COUNT_UNSEEN: _(
        "No consta cuántas personas vio al decidir. Abra otra vez la solicitud y apruebe desde allí."
    ),
    Refusal.COUNT_CHANGED: _(
        "El público cambió: eran %(before)s personas y ahora son %(now)s. Revise la cifra y confírmela."
    ),
    Refusal.EMPTY_AUDIENCE: _(
        "El público no tiene ninguna cuenta activa. Revise los destinatarios o el directorio."
    ),
    Refusal.TEST_MISSING: _(
        "No se ha enviado una prueba de este contenido. Espere la prueba antes de dar el visto bueno."
    ),
    Refusal.SIGN_OFF_MISSING: _(
        "Falta el visto bueno del solicitante sobre este contenido. Envíe la prueba y espere su respuesta."
    ),
    Refusal.CONSENT_MISSING: _(
        "Falta la autorización de quien responde por este público. Espere a que la dé."
    ),
    Refusal.NOT_ACCEPTED: _("La División TIC no la ha aceptado. Acéptela primero."),
    Refusal.TIME_PAST: _("Esa hora ya pasó. Elija una hora que esté por venir."),
    Refusal.TIME_MISSING: _("Falta la hora de salida. Elija el día y la hora."),
    Refusal.NOT_DUE: _("No ha llegado la hora programada. Circular lo inicia entonces."),
    Refusal.START_OVERDUE: _(
        "La hora programada pasó hace demasiado y no salió. Comience el envío ahora o prográmelo otra vez."
    ),
    Refusal.FIGURES_MISSING: _("Faltan las cifras del envío. Escríbalas todas."),
    Refusal.FIGURES_DO_NOT_BALANCE: _(
        "Las cifras no cuadran: la suma no es el público. Corríjalas antes de declarar el envío."
    ),
    Refusal.FIGURES_OPEN: _(
        "Quedan personas pendientes o en duda. Declare el envío cuando no quede ninguna."
    ),
    Refusal.DOCUMENT_MISSING: _("Falta el soporte del envío. Agregue al menos un documento."),
    Refusal.SENT_BY_CIRCULAR: _(
        "Circular ya envió una parte. Termine el envío con Circular o envíe a quienes faltan."
    ),
    Refusal.SENT_OUTSIDE: _(
        "El envío se hizo por otros medios. Circular no tiene la lista de las personas a quienes se envió."
    ),
    Refusal.STILL_PENDING: _(
        "El envío no ha terminado. Espere a que no quede ninguna persona pendiente."
    ),
    Refusal.IN_DOUBT: _("Hay personas en duda. Resuelva cada una antes de verificar."),
    Refusal.IT_NOT_CONFIRMED: _(
        "La División TIC no ha confirmado el envío. Espere su confirmación."
    ),
    Refusal.VERDICT_MISSING: _("Falta el veredicto. Diga si se envió como se aprobó."),
    Refusal.NEGATIVE_NEEDS_A_PERSON: _(
        "El veredicto es negativo. Una persona de Comunicaciones debe decidir cómo sigue."
    ),
    Refusal.NOBODY_MISSING: _("No falta ninguna persona. No hay a quién enviar otra vez."),
    Refusal.NOTHING_OWED: _("Nadie debe nada ahora en este expediente. No hay a quién recordar."),
    Refusal.OWED_BY_YOU: _(
        "Lo que se espera lo debe usted o su oficina. Hágalo, o pídalo a quien tiene el asunto."
    ),
    Refusal.REMINDED_LATELY: _(
        "Ya se le recordó hace menos de una hora. Espere su respuesta antes de insistir."
    ),
    Refusal.NO_MAILBOX: _(
        "El cargo que lo debe no tiene un buzón al que escribir. Pida a Administración que lo anote."
    ),
    Refusal.NOBODY_IN_DOUBT: _(
        "Esa duda ya no existe: alguien la resolvió antes, o llegó su respuesta."
    ),
    Refusal.NOT_URGENT: _("El expediente no es urgente. No hay urgencia que revisar."),
    Refusal.ALREADY_URGENT: _("El expediente ya es urgente. No hace falta repetirlo."),
    Refusal.URGENT_NOT_REVIEWED: _(
        "Nadie ha revisado todavía la urgencia. El líder del proceso debe revisarla antes de cerrar."
    ),
}


def sentence(refused: NotMoved) -> str:
    """Return the fact and the remedy of a refusal, in the reader's language."""
    about = refused.about
    match refused.refusal:
        case Refusal.TOO_EARLY if (awaited := AWAITED.get(str(about.get("act")))) is not None:
            return str(awaited)
        case Refusal.STILL_PENDING if about.get("pending"):
            pending = int(about["pending"])
            return ngettext(
                "Queda %(pending)s persona pendiente. Espere a que no quede ninguna.",
                "Quedan %(pending)s personas pendientes. Espere a que no quede ninguna.",
                pending,
            ) % {"pending": figure(pending)}
        case Refusal.IN_DOUBT if about.get("in_doubt"):
            doubts = int(about["in_doubt"])
            return ngettext(
                "Hay %(in_doubt)s persona en duda. Resuélvala antes de verificar.",
                "Hay %(in_doubt)s personas en duda. Resuelva cada una antes de verificar.",
                doubts,
            ) % {"in_doubt": figure(doubts)}
        case _:
            return str(REFUSALS[refused.refusal]) % _words(about)


def _words(about: Mapping[str, int | str]) -> dict[str, str]:
    """Put the codes and counts of a refusal into words."""
    words = {
        name: figure(value) if isinstance(value, int) else value for name, value in about.items()
    }
    if "state" in words:
        words["state"] = str(STATES[State(words["state"])]).lower()
    missing = [str(MISSING.get(code, code)) for code in str(about.get("missing", "")).split()]
    words["missing"] = joined(missing) if missing else gettext("un dato")
    return {"before": "0", "now": "0", "state": "", **words}


def joined(words: list[str]) -> str:
    """Return «a, b y c»."""
    if len(words) < 2:  # one word needs no «y»
        return "".join(words)
    return gettext("%(first)s y %(last)s") % {
        "first": ", ".join(words[:-1]),
        "last": words[-1],
    }


def figure(number: int) -> str:
    """Return a count as the reader's language writes it: 14.286, in English 14,286."""
    grouped = f"{number:,}"
    return grouped if (get_language() or "").startswith("en") else grouped.replace(",", ".")


def refusal_sentence(code: str) -> str:
    """Return the sentence of a refusal known only by its code."""
    return sentence(NotMoved(Refusal(code)))
