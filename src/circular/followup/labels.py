"""What the clerk's reasons are called in letters and on pages."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from circular.followup.closing import GOOD, Reason


def sentence(reason: Reason) -> str:
    """Say a reason in words."""
    return {
        Reason.TOTALS_BALANCE: _("Los totales cuadran con el público congelado."),
        Reason.TOTALS_DIFFER: _("Los totales no cuadran con el público congelado."),
        Reason.STILL_PENDING: _("Todavía hay direcciones pendientes."),
        Reason.NOBODY_IN_DOUBT: _("Nadie quedó en duda."),
        Reason.SOMEBODY_IN_DOUBT: _("Hay direcciones en duda que una persona debe resolver."),
        Reason.CONTENT_AS_APPROVED: _("Lo que salió lleva el sello de lo aprobado."),
        Reason.CONTENT_NOT_AS_APPROVED: _("Lo que salió no lleva el sello de lo aprobado."),
        Reason.WITNESSES_RECEIVED: _("Las cuentas testigo recibieron el mensaje."),
        Reason.WITNESS_NOT_SEEN: _("El mensaje no se ha visto en alguna cuenta testigo."),
        Reason.WITNESS_UNREADABLE: _("No se pudo leer el buzón de alguna cuenta testigo."),
        Reason.NO_WITNESS: _("El envío no tuvo cuentas testigo: una persona debe verificarlo."),
        Reason.TEXT_EQUALS: _("El texto recibido es igual al aprobado."),
        Reason.TEXT_DIFFERS: _("El texto recibido no es igual al aprobado."),
        Reason.OTHER_MEANS: _(
            "El envío se hizo con otros medios: las cifras son declaradas y una persona debe"
            " verificarlo."
        ),
    }[reason]


def seen_by(seen: int, witnesses: int) -> str:
    """Say how many witness mailboxes hold their copy."""
    return ngettext(
        "%(seen)d de %(witnesses)d cuenta testigo lo tiene.",
        "%(seen)d de %(witnesses)d cuentas testigo lo tienen.",
        witnesses,
    ) % {"seen": seen, "witnesses": witnesses}


def checks(reasons: Iterable[Reason]) -> tuple[tuple[bool, str], ...]:
    """Give each reason as (holds, sentence), as letters list them."""
    return tuple((reason in GOOD, sentence(reason)) for reason in reasons)
