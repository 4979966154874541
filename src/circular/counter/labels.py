"""The counter's words: a state as tone, icon and word; codes of other rooms as sentences."""

from dataclasses import dataclass

from django.utils.functional import _StrPromise
from django.utils.translation import gettext_lazy as _

from circular.counter.parts import Tone


@dataclass(frozen=True, slots=True)
class Pill:
    """A state in the three ways that look.md asks for."""

    tone: Tone
    icon: str
    word: "_StrPromise | str"


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

CLASSES: dict[str, "_StrPromise | str"] = {
    "oficial": _("Oficial"),
    "informativo": _("Informativo"),
    "promocional": _("Promocional"),
}


def state_pill(code: str) -> Pill:
    """Return how a state is shown; an unknown one is shown by its code, plainly."""
    return STATES.get(code, Pill(Tone.PLAIN, "circle-dot", code))
