"""The words that people read for this room's codes."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from circular.outcomes.verdicts import Resolution, Source

SOURCES: Mapping[Source, Promise] = {
    Source.SMTP: _("Respuesta del servidor de correo"),
    Source.BOUNCE: _("Aviso de rebote"),
    Source.PERSON: _("Decisión de una persona"),
    Source.POLICY: _("Regla de la clase de correo"),
    Source.EXPIRY: _("Plazo agotado"),
    Source.CANCEL: _("Cancelación"),
    Source.WITNESS: _("Cuenta testigo"),
}

RESOLUTIONS: Mapping[Resolution, Promise] = {
    Resolution.ACCEPTED: _("Darlo por aceptado"),
    Resolution.OFFER_AGAIN: _("Ofrecerlo otra vez"),
    Resolution.GIVE_UP: _("No ofrecerlo más"),
}
