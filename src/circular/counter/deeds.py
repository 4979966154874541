"""How each act of the desk looks on a page: its words, its icon, and whether it has a page of its own.

Rules:
1. At most one act is the filled button: the first that is allowed in the order of `ORDER`.
2. Harm always has a page of its own, stands last and apart, and its words end in "…".
3. An act that needs words, a time or figures has a page too; the rest is one POST.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from circular.counter import parts
from circular.workflow.acts import Act


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One act as a button.

    Shapes:  `slug` is its address; `page` says that a page asks first; `rank` is its claim to be filled
    """

    act: Act
    slug: str
    label: Promise | str
    icon: str
    page: bool = False
    harm: bool = False
    filled: bool = False
    heading: Promise | str = ""
    sentence: Promise | str = ""


# In the order in which they claim the filled button and stand in the bar.
DEEDS: tuple[Deed, ...] = (
    Deed(
        act=Act.FILE,
        slug="radicar",
        label=_("Radicar la solicitud"),
        icon="file-check",
        filled=True,
        heading=_("Radique esta solicitud"),
        sentence=_("Mientras sea borrador no tiene radicado ni plazos."),
    ),
    Deed(
        act=Act.TAKE,
        slug="tomar",
        label=_("Tomar el asunto"),
        icon="hand-grab",
        filled=True,
        heading=_("Tome este asunto para revisarlo"),
        sentence=_("Queda a su cargo hasta que lo apruebe, lo devuelva o lo suelte."),
    ),
    Deed(
        act=Act.RESUBMIT,
        slug="presentar",
        label=_("Corregir y presentar otra vez"),
        icon="pencil",
        page=True,
        filled=True,
        heading=_("Corrija la solicitud"),
        sentence=_("La versión anterior se conserva. Comunicaciones revisa la nueva."),
    ),
    Deed(
        act=Act.APPROVE,
        slug="aprobar",
        label=_("Aprobar y remitir a TIC"),
        icon="rubber-stamp",
        filled=True,
        heading=_("Revise y decida"),
        sentence=_("Aprueba exactamente el mensaje y el público de esta página."),
    ),
    Deed(
        act=Act.AUTHORISE,
        slug="autorizar",
        label=_("Autorizar este público"),
        icon="certificate",
        filled=True,
        heading=_("Decida si autoriza este público"),
        sentence=_("Autoriza exactamente el mensaje y el público de esta página."),
    ),
    Deed(
        act=Act.FORWARD,
        slug="remitir",
        label=_("Remitir a TIC"),
        icon="mail-forward",
        filled=True,
        heading=_("Remita la solicitud a TIC"),
    ),
    Deed(
        act=Act.ACCEPT,
        slug="aceptar",
        label=_("Aceptar el envío"),
        icon="calendar-check",
        filled=True,
        heading=_("Acepte este envío"),
        sentence=_("Queda a su cargo programarlo o comenzarlo."),
    ),
    Deed(
        act=Act.START,
        slug="comenzar",
        label=_("Comenzar el envío…"),
        icon="player-play",
        page=True,
        filled=True,
        heading=_("Comience o programe el envío"),
        sentence=_("Al comenzar se fija el público y salen los mensajes."),
    ),
    Deed(
        act=Act.RESUME,
        slug="reanudar",
        label=_("Reanudar el envío"),
        icon="player-play",
        filled=True,
        heading=_("El envío está en pausa"),
        sentence=_("Nadie se perdió: sigue con quienes están pendientes."),
    ),
    Deed(
        act=Act.CONFIRM_TO_COMMUNICATIONS,
        slug="confirmar-a-comunicaciones",
        label=_("Confirmar a Comunicaciones"),
        icon="mail-forward",
        filled=True,
        heading=_("Confirme el envío a Comunicaciones"),
        sentence=_("La carta lleva las seis cifras, el comienzo y el fin."),
    ),
    Deed(
        act=Act.CONFIRM_TO_REQUESTER,
        slug="confirmar-al-solicitante",
        label=_("Confirmar al solicitante"),
        icon="mail-forward",
        filled=True,
        heading=_("Confirme el envío al solicitante"),
        sentence=_("La carta dice que el servidor lo aceptó y que la verificación está en curso."),
    ),
    Deed(
        act=Act.VERIFY,
        slug="verificar",
        label=_("Verificar el envío…"),
        icon="checkup-list",
        page=True,
        filled=True,
        heading=_("Verifique que se envió"),
        sentence=_("Circular ya reunió las comprobaciones; el veredicto es suyo."),
    ),
    Deed(
        act=Act.REVIEW_AFTERWARDS,
        slug="revisar-urgencia",
        label=_("Anotar que la urgencia se revisó"),
        icon="eye-check",
        page=True,
        filled=True,
        heading=_("Revise si era urgente"),
    ),
    Deed(
        act=Act.CLOSE,
        slug="cerrar",
        label=_("Cerrar el expediente"),
        icon="lock",
        filled=True,
        heading=_("Cierre el expediente"),
        sentence=_("El envío está verificado; nada más falta."),
    ),
    Deed(
        act=Act.SIGN_OFF,
        slug="visto-bueno",
        label=_("Dar el visto bueno a la prueba"),
        icon="eye-check",
        filled=True,
        heading=_("Dé su visto bueno a la prueba"),
        sentence=_("Mire el mensaje de esta página y la prueba que le llegó: son el mismo."),
    ),
    Deed(
        act=Act.SCHEDULE,
        slug="programar",
        label=_("Programar el envío"),
        icon="calendar-time",
        page=True,
    ),
    Deed(act=Act.PAUSE, slug="pausar", label=_("Pausar el envío"), icon="player-pause"),
    Deed(act=Act.SEND_TEST, slug="probar", label=_("Enviar una prueba"), icon="test-pipe"),
    Deed(act=Act.CORRECT, slug="corregir", label=_("Corregir el texto"), icon="pencil", page=True),
    Deed(
        act=Act.ASK_MISSING,
        slug="pedir",
        label=_("Pedir lo que falta"),
        icon="mail-question",
        page=True,
    ),
    Deed(
        act=Act.RETURN,
        slug="devolver",
        label=_("Devolver con razones"),
        icon="corner-up-left",
        page=True,
    ),
    Deed(
        act=Act.SEND_BACK,
        slug="devolver-a-comunicaciones",
        label=_("Devolver a Comunicaciones"),
        icon="corner-up-left",
        page=True,
    ),
    Deed(
        act=Act.DECLARE_SENT,
        slug="declarar-enviado",
        label=_("Declarar enviado por otros medios"),
        icon="edit",
        page=True,
    ),
    Deed(
        act=Act.RESEND_MISSING,
        slug="reenviar",
        label=_("Reenviar a quienes faltan…"),
        icon="send",
        page=True,
    ),
    Deed(
        act=Act.REMIND,
        slug="recordar",
        label=_("Recordar a quien lo debe…"),
        icon="bell",
        page=True,
    ),
    Deed(
        act=Act.TAKE_OVER,
        slug="relevar",
        label=_("Tomar el asunto de otra persona…"),
        icon="hand-grab",
        page=True,
    ),
    Deed(act=Act.RELEASE_CASE, slug="soltar", label=_("Soltar el asunto"), icon="arrow-back-up"),
    Deed(
        act=Act.DECLARE_URGENT,
        slug="urgente",
        label=_("Pasar al carril urgente"),
        icon="urgent",
        page=True,
    ),
    Deed(
        act=Act.COPY,
        slug="copiar",
        label=_("Nueva solicitud a partir de esta"),
        icon="copy",
    ),
    Deed(
        act=Act.ISSUE_ERRATUM,
        slug="fe-de-erratas",
        label=_("Emitir una fe de erratas…"),
        icon="edit",
        page=True,
    ),
    Deed(
        act=Act.FIND_NOT_SENT,
        slug="no-enviado",
        label=_("Declarar «no enviado»…"),
        icon="alert-triangle",
        page=True,
        harm=True,
    ),
    Deed(
        act=Act.REOPEN,
        slug="reabrir",
        label=_("Reabrir el expediente…"),
        icon="lock-open",
        page=True,
    ),
    Deed(
        act=Act.REJECT,
        slug="rechazar",
        label=_("Rechazar la solicitud…"),
        icon="ban",
        page=True,
        harm=True,
    ),
    Deed(
        act=Act.CANCEL,
        slug="cancelar",
        label=_("Cancelar…"),
        icon="circle-x",
        page=True,
        harm=True,
    ),
)

BY_ACT: Mapping[Act, Deed] = {deed.act: deed for deed in DEEDS}
BY_SLUG: Mapping[str, Deed] = {deed.slug: deed for deed in DEEDS}

# Shown only where they answer the case's question; else the bar would name every act of the house.
QUIET_REFUSALS = frozenset(
    {
        "wrong_state",
        "already_done",
        "already_yours",
        "not_urgent",
        "already_urgent",
        "nobody_missing",
        "sent_by_circular",
        "sent_outside",
        "held_by_another",
        "already_taken",
    }
)
# Acts whose "not yet" a reader waits for; the others' turn is not news.
AWAITED = (
    Act.APPROVE,
    Act.AUTHORISE,
    Act.START,
    Act.CONFIRM_TO_COMMUNICATIONS,
    Act.CONFIRM_TO_REQUESTER,
    Act.VERIFY,
    Act.CLOSE,
    Act.SIGN_OFF,
)


def url_of(deed: Deed, number: str) -> str:
    """Return where an act on a case is asked for."""
    return reverse("act", args=[number, deed.slug])


def bar(
    *,
    number: str,
    allowed: Iterable[Act],
    refused: Mapping[Act, tuple[str, str]],
    heading: str,
    sentence: str,
    hidden: Mapping[Act, Mapping[str, str]],
    extra: tuple[parts.Deed, ...] = (),
    sending: bool = False,
) -> parts.Acts:
    """Return the bar of acts of a case for one reader.

    Shapes:  `refused` gives code and sentence; `hidden` what a direct POST must carry
    """
    may = set(allowed)
    primary: Deed | None = next((deed for deed in DEEDS if deed.filled and deed.act in may), None)

    def button(deed: Deed) -> parts.Deed:
        return parts.Deed(
            code=deed.act.value,
            label=gettext("Cancelar lo que falta…")
            if sending and deed.act is Act.CANCEL
            else str(deed.label),
            icon=deed.icon,
            url=url_of(deed, number),
            post=not deed.page,
            harm=deed.harm,
            hidden=tuple(hidden.get(deed.act, {}).items()),
        )

    # On a case that is over, the case file is what a reader comes for.
    first = next((one for one in extra if one.filled), None) if primary is None else None
    shown = [deed for deed in DEEDS if deed.act in may and deed is not primary]
    not_yet = [
        parts.NotYet(str(BY_ACT[act].label).rstrip("…"), refused[act][1])
        for act in AWAITED
        if act in refused and refused[act][0] not in QUIET_REFUSALS
    ]
    return parts.Acts(
        heading=str(primary.heading) if primary is not None else heading,
        sentence=str(primary.sentence) if primary is not None else sentence,
        primary=button(primary) if primary is not None else first,
        others=(
            *(button(deed) for deed in shown if not deed.harm),
            *(one for one in extra if one is not first),
        ),
        harm=tuple(button(deed) for deed in shown if deed.harm),
        not_yet=tuple(not_yet[:4]),
    )
