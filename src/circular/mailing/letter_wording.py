"""What each letter says: one function per letter, from its context to a sheet.

Rules
1. The first paragraph says what happened; the sentence that says whether the reader has to do
   something is always there.
2. We say *aceptado*: never that people received or read anything.
3. Every sentence goes through gettext; figures and times are said in the reader's language and the
   institution's time zone.

Over 400 lines, because a letter is best read beside the others. Sources: look.md §4 and §5, the
glossary, activities 1 to 5 of the procedure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from circular.mailing import letter_contexts as given
from circular.mailing.letter_layout import (
    Block,
    Checks,
    Code,
    Difference,
    Listing,
    Paragraph,
    Quotation,
    Rows,
    Sheet,
    Totals,
    one_line,
    quoted_lines,
)

# Codes of the fields of a request, as intake and workflow name them.
FIELDS: Final = {
    "unit": gettext_noop("Dependencia"),
    "responsible": gettext_noop("Responsable"),
    "contact": gettext_noop("Contacto"),
    "sender": gettext_noop("Remitente"),
    "reply_to": gettext_noop("Responder a"),
    "subject": gettext_noop("Asunto"),
    "message": gettext_noop("Mensaje"),
    "attachments": gettext_noop("Anexos"),
    "images": gettext_noop("Imágenes"),
    "audience": gettext_noop("Público"),
    "wanted_at": gettext_noop("Fecha de salida"),
    "mail_class": gettext_noop("Clase"),
    "reason": gettext_noop("Motivo"),
}

# Codes of what somebody owes (workflow): (the fact, what is expected).
STAGES: Final = {
    "confirm_draft": (
        gettext_noop("Falta completar la solicitud"),
        gettext_noop("completar los datos y radicar"),
    ),
    "review": (
        gettext_noop("Falta revisar esta solicitud"),
        gettext_noop("aprobar, devolver o rechazar con la razón"),
    ),
    "correct": (
        gettext_noop("Falta corregir esta solicitud"),
        gettext_noop("corregir y presentar otra vez"),
    ),
    "authorise": (
        gettext_noop("Falta autorizar esta solicitud"),
        gettext_noop("autorizar el envío a este público, o devolverlo con la razón"),
    ),
    "forward": (
        gettext_noop("Falta remitir esta solicitud a la oficina que envía"),
        gettext_noop("remitir la solicitud aprobada"),
    ),
    "send": (
        gettext_noop("Falta enviar este correo"),
        gettext_noop("iniciar el envío, o devolver con la razón"),
    ),
    "confirm": (
        gettext_noop("Falta confirmar este envío"),
        gettext_noop("confirmar el envío con sus cifras"),
    ),
    "verify": (
        gettext_noop("Falta verificar este envío"),
        gettext_noop("verificar que el correo se envió"),
    ),
    "review_afterwards": (
        gettext_noop("Falta la revisión posterior de este envío urgente"),
        gettext_noop("revisar lo que salió por la vía urgente"),
    ),
}
OTHER_STAGE: Final = (gettext_noop("Hay un plazo vencido"), gettext_noop("realizar lo que falta"))

WEEKDAYS: Final = {
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
MONTHS: Final = {
    "es": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """In whose name, in which language and time zone a letter speaks."""

    institution: str
    communications: str  # name of the office that reviews
    it: str  # name of the office that sends
    base_url: str
    zone: tzinfo
    language: str = "es"  # es | en

    def figure(self, number: int) -> str:
        """Say 14286 as 14.286, or 14,286 in English."""
        grouped = f"{number:,}"
        return grouped if self.language == "en" else grouped.replace(",", ".")

    def moment(self, at: datetime) -> str:
        """Say a time at full length: 13 de noviembre de 2026 a las 16:58."""
        there = at.astimezone(self.zone)
        month = MONTHS[self.language][there.month - 1]
        if self.language == "en":
            return f"{there.day} {month} {there.year} at {there:%H:%M}"
        return f"{there.day} de {month} de {there.year} {self._clock('a', there)}"

    def short(self, at: datetime) -> str:
        """Say a time in a table: mié 18 nov, 14:00."""
        there = at.astimezone(self.zone)
        weekday = WEEKDAYS[self.language][there.weekday()][:3]
        month = MONTHS[self.language][there.month - 1][:3]
        return f"{weekday} {there.day} {month}, {there:%H:%M}"

    def span(self, start: datetime, end: datetime) -> str:
        """Say from when to when, with the day once where it is the same day."""
        first, last = start.astimezone(self.zone), end.astimezone(self.zone)
        if first.date() != last.date():
            return _("entre el %(start)s y el %(end)s") % {
                "start": self.moment(start),
                "end": self.moment(end),
            }
        month = MONTHS[self.language][first.month - 1]
        if self.language == "en":
            return f"on {first.day} {month} {first.year} between {first:%H:%M} and {last:%H:%M}"
        return f"el {first.day} de {month} de {first.year} entre {self._hour(first)} y {self._hour(last)}"

    def day(self, on: date) -> str:
        """Say a day: lunes 16 de noviembre."""
        month, weekday = MONTHS[self.language][on.month - 1], WEEKDAYS[self.language][on.weekday()]
        return (
            f"{weekday} {on.day} {month}"
            if self.language == "en"
            else f"{weekday} {on.day} de {month}"
        )

    def people(self, count: int) -> str:
        """Say how many people."""
        return ngettext("%(figure)s persona", "%(figure)s personas", count) % {
            "figure": self.figure(count)
        }

    def hours(self, count: int) -> str:
        """Say business hours."""
        return _("%(figure)s h hábiles") % {"figure": self.figure(count)}

    def case_link(self, filing_number: str, label: str) -> tuple[str, str]:
        """Link to the page of a case; opening it does nothing else."""
        return label, f"{self.base_url}/e/{filing_number}"

    def _hour(self, there: datetime) -> str:
        return f"{'la' if there.hour == 1 else 'las'} {there:%H:%M}"

    def _clock(self, preposition: str, there: datetime) -> str:
        return f"{preposition} {self._hour(there)}"


def seal_of(sequence: int, digest: str) -> str:
    """Say the head of the archive so that a person can compare it: groups of four, complete."""
    safe = one_line(digest)
    return f"{sequence} · " + " ".join(safe[i : i + 4] for i in range(0, len(safe), 4))


def _stage(code: str) -> tuple[str, str]:
    fact, expected = STAGES.get(code, OTHER_STAGE)
    return _(fact), _(expected)


def _field(code: str) -> str:
    return _(FIELDS[code]) if code in FIELDS else code


def _rows(*rows: tuple[str, str | datetime | int | None]) -> list[Block]:
    """Keep the rows that have a text; `x and words(x)` is an `x` that says nothing when it is absent."""
    kept = tuple((label, value) for label, value in rows if isinstance(value, str) and value)
    return [Rows(kept)] if kept else []


def _quotation(label: str, text: str | None) -> list[Block]:
    lines = quoted_lines(text or "")
    return [Quotation(label, lines)] if lines else []


def _procedure(code: str, version: int, activity: int) -> str:
    return _("Procedimiento %(code)s, versión %(version)s, actividad %(activity)s.") % {
        "code": code,
        "version": version,
        "activity": activity,
    }


def _answerable() -> str:
    return _("Puede responder a este correo: su respuesta queda en el expediente.")


def _seal(sequence: int | None, digest: str | None) -> list[str]:
    if sequence is None or not digest:
        return []
    return [
        _("Sello del archivo: %(seal)s.") % {"seal": seal_of(sequence, digest)},
        _("Conserve este correo: sirve para comprobar que el archivo no cambió."),
    ]


def _case_sheet(
    context: given.CaseContext,
    voice: Voice,
    *,
    fact: str,
    blocks: Sequence[Block],
    link: str,
    activity: int,
    footer: Sequence[str] = (),
) -> Sheet:
    return Sheet(
        fact=fact,
        matter=context["subject"],
        stamp=context["filing_number"],
        blocks=tuple(blocks),
        # A draft has no number and no page of its own; its author has the one-time link.
        link=voice.case_link(context["filing_number"], link) if context["filing_number"] else None,
        footer=(
            *footer,
            _procedure(context["procedure_code"], context["procedure_version"], activity),
        ),
    )


def draft_received(context: given.DraftReceivedContext, voice: Voice) -> Sheet:
    """Say what was understood and what is missing; nothing is filed yet."""
    understood = [(_field(code), value) for code, value in context["understood"]]
    missing = tuple(_field(code) for code in context["missing"])
    what_now = (
        _("Abra la página, complete lo que falta y radique.")
        if missing
        else _("Abra la página, revise lo que entendimos y radique.")
    )
    blocks: list[Block] = [
        Paragraph(
            _("Llegó un correo desde su cuenta con una solicitud de correo masivo: «%(subject)s».")
            % {"subject": context["subject"]}
            + " "
            + _("Todavía no está radicada.")
            + " "
            + what_now
        ),
        *_rows(*understood),
    ]
    if missing:
        blocks.append(Listing(_("Falta"), missing))
    blocks.append(
        Paragraph(
            _(
                "El enlace es personal, sirve una sola vez y vence el %(expires)s. Abrirlo no radica"
                " nada: se radica con el botón de la página."
            )
            % {"expires": voice.moment(context["expires_at"])}
        )
    )
    return Sheet(
        fact=_("Falta un paso para radicar su solicitud"),
        matter=context["subject"],
        blocks=tuple(blocks),
        link=(_("Revisar y radicar la solicitud"), context["link"]),
        footer=(
            _("Si usted no escribió ese correo, no haga nada: sin este paso nadie lo tramita."),
            _procedure(context["procedure_code"], context["procedure_version"], 1),
        ),
    )


def acknowledgement(context: given.AcknowledgementContext, voice: Voice) -> Sheet:
    """Say the radicado and when what is expected."""

    def until(at: datetime | None) -> str | None:
        return None if at is None else _("hasta el %(time)s") % {"time": voice.short(at)}

    wanted, hours = context.get("wanted_at"), context.get("confirmation_hours")
    count, skipped = context.get("audience_count"), context.get("skipped_days", ())
    blocks: list[Block] = [
        Paragraph(
            _(
                "Su solicitud «%(subject)s» quedó radicada el %(time)s. No tiene que hacer nada por ahora."
            )
            % {"subject": context["subject"], "time": voice.moment(context["filed_at"])}
        ),
        *_rows(
            (_("Revisión"), until(context.get("review_due_at"))),
            (_("Programación y envío"), until(context.get("dispatch_due_at"))),
            (_("Salida que pidió"), wanted and voice.short(wanted)),
            (
                _("Confirmación con cifras"),
                hours and _("%(hours)s después") % {"hours": voice.hours(hours)},
            ),
            (_("Público"), None if count is None else voice.people(count)),
        ),
    ]
    days = ", ".join(voice.day(on) for on in skipped)
    closing = _("Si falta algo, le escribiremos a este mismo correo.")
    if days:
        closing = (
            ngettext(
                "No cuenta, por no ser hábil: %(days)s.",
                "No cuentan, por no ser hábiles: %(days)s.",
                len(skipped),
            )
            % {"days": days}
            + " "
            + closing
        )
    blocks.append(Paragraph(closing))
    return _case_sheet(
        context,
        voice,
        fact=_("Recibimos su solicitud"),
        blocks=blocks,
        link=_("Ver la solicitud"),
        activity=1,
        footer=[_answerable()],
    )


def missing(context: given.MissingContext, voice: Voice) -> Sheet:
    """Ask for what a request lacks."""
    number = context.get("filing_number") or ""
    items = tuple(_field(code) for code in context.get("missing", ()))
    blocks: list[Block] = [
        Paragraph(
            _(
                "Para seguir con su solicitud «%(subject)s», %(office)s necesita algo más. Complételo en la página."
            )
            % {"subject": context["subject"], "office": voice.communications}
        )
    ]
    if items:
        blocks.append(Listing(_("Falta"), items))
    blocks += _quotation(_("Observación de la oficina"), context.get("note"))
    label = _("Completar la solicitud")
    link = context.get("link")
    if link is None and number:
        link = voice.case_link(number, label)[1]
    return Sheet(
        fact=_("Falta información en su solicitud"),
        matter=context["subject"],
        stamp=number,
        blocks=tuple(blocks),
        link=None if link is None else (label, link),
        footer=(
            _("Mientras falte, el plazo de la revisión no corre."),
            _procedure(context["procedure_code"], context["procedure_version"], 1),
        ),
    )


def returned(context: given.ReturnedContext, voice: Voice) -> Sheet:
    """Say why it came back and what to correct."""
    due = context.get("due_at")
    return _case_sheet(
        context,
        voice,
        fact=_("Su solicitud fue devuelta para corregir"),
        blocks=[
            Paragraph(
                _(
                    "%(office)s devolvió la solicitud «%(subject)s» el %(time)s. Corríjala y"
                    " preséntela otra vez; conserva su radicado."
                )
                % {
                    "office": voice.communications,
                    "subject": context["subject"],
                    "time": voice.moment(context["returned_at"]),
                }
            ),
            *_quotation(_("Razón"), context["reason"]),
            *_rows((_("Plazo para corregir"), due and voice.short(due))),
        ],
        link=_("Corregir la solicitud"),
        activity=1,
        footer=[_answerable()],
    )


def rejected(context: given.RejectedContext, voice: Voice) -> Sheet:
    """Say why it was refused and which channel suits it."""
    return _case_sheet(
        context,
        voice,
        fact=_("Su solicitud fue rechazada"),
        blocks=[
            Paragraph(
                _(
                    "%(office)s rechazó la solicitud «%(subject)s» el %(time)s. El correo no se"
                    " enviará y el expediente queda cerrado."
                )
                % {
                    "office": voice.communications,
                    "subject": context["subject"],
                    "time": voice.moment(context["rejected_at"]),
                }
            ),
            *_quotation(_("Razón"), context["reason"]),
            *_quotation(_("Canal sugerido"), context.get("channel")),
        ],
        link=_("Ver el expediente"),
        activity=2,
        footer=[_answerable()],
    )


def approved(context: given.ApprovedContext, voice: Voice) -> Sheet:
    """Tell the requester that it was approved and handed over."""
    wanted, due = context.get("wanted_at"), context.get("dispatch_due_at")
    count = context.get("audience_count")
    return _case_sheet(
        context,
        voice,
        fact=_("Su solicitud fue aprobada"),
        blocks=[
            Paragraph(
                _(
                    "%(office)s aprobó la solicitud «%(subject)s» el %(time)s y la remitió a"
                    " %(it)s. No tiene que hacer nada: le confirmaremos cuando se envíe."
                )
                % {
                    "office": voice.communications,
                    "subject": context["subject"],
                    "time": voice.moment(context["approved_at"]),
                    "it": voice.it,
                }
            ),
            *_rows(
                (_("Salida que pidió"), wanted and voice.short(wanted)),
                (_("Plazo para enviar"), due and voice.short(due)),
                (_("Público"), None if count is None else voice.people(count)),
                (_("Huella del contenido aprobado"), context.get("content_digest")),
            ),
        ],
        link=_("Ver el expediente"),
        activity=2,
        footer=[_answerable()],
    )


def request_to_review(context: given.RequestToReviewContext, voice: Voice) -> Sheet:
    """Hand a filed or corrected request to the office that reviews (activity 1)."""
    wanted, due = context.get("wanted_at"), context.get("due_at")
    count = context.get("audience_count")
    again = context.get("resubmitted", False)
    opening = (
        _("«%(subject)s» volvió corregida el %(time)s.")
        if again
        else _("«%(subject)s» quedó radicada el %(time)s.")
    )
    return _case_sheet(
        context,
        voice,
        fact=_("La solicitud volvió corregida") if again else _("Llegó una solicitud por revisar"),
        blocks=[
            Paragraph(
                opening % {"subject": context["subject"], "time": voice.moment(context["filed_at"])}
                + " "
                + _("Revísela y apruebe, devuelva o rechace con la razón.")
            ),
            *_rows(
                (_("Vía"), _("urgente") if context.get("urgent", False) else None),
                (_("Dependencia"), context["unit"]),
                (_("Remitente"), context["sender"]),
                (_("Clase"), context["mail_class"]),
                (_("Público"), context["audience"]),
                (_("Personas"), None if count is None else voice.figure(count)),
                (_("Salida pedida"), wanted and voice.short(wanted)),
                (_("Plazo para decidir"), due and voice.short(due)),
            ),
        ],
        link=_("Abrir la solicitud"),
        activity=1,
        footer=[_answerable()],
    )


def consent_asked(context: given.ConsentAskedContext, voice: Voice) -> Sheet:
    """Ask an authority over the audience for its authorisation."""
    wanted, due = context.get("wanted_at"), context.get("due_at")
    count = context.get("audience_count")
    return _case_sheet(
        context,
        voice,
        fact=_("Falta su autorización para escribir a este público"),
        blocks=[
            Paragraph(
                _(
                    "%(office)s aprobó «%(subject)s» el %(time)s. Su público necesita además su"
                    " autorización: autorice, o devuelva con la razón."
                )
                % {
                    "office": voice.communications,
                    "subject": context["subject"],
                    "time": voice.moment(context["approved_at"]),
                }
            ),
            *_rows(
                (_("Dependencia"), context["unit"]),
                (_("Remitente"), context["sender"]),
                (_("Clase"), context["mail_class"]),
                (_("Público"), context["audience"]),
                (_("Personas"), None if count is None else voice.figure(count)),
                (_("Salida pedida"), wanted and voice.short(wanted)),
                (_("Plazo para decidir"), due and voice.short(due)),
                (_("Huella del contenido aprobado"), context.get("content_digest")),
            ),
        ],
        link=_("Abrir la solicitud"),
        activity=2,
        footer=[_answerable()],
    )


def urgent_declared(context: given.UrgentDeclaredContext, voice: Voice) -> Sheet:
    """Tell that a request goes by the urgent lane."""
    due = context.get("due_at")
    return _case_sheet(
        context,
        voice,
        fact=_("Una solicitud va por el carril urgente"),
        blocks=[
            Paragraph(
                _(
                    "%(who)s declaró urgente «%(subject)s» el %(time)s. Atiéndala primero: sus plazos"
                    " son más cortos y el caso se revisa después."
                )
                % {
                    "who": context["declared_by"],
                    "subject": context["subject"],
                    "time": voice.moment(context["declared_at"]),
                }
            ),
            *_quotation(_("Razón"), context["reason"]),
            *_rows((_("Plazo"), due and voice.short(due))),
        ],
        link=_("Abrir la solicitud"),
        activity=2,
        footer=[_answerable()],
    )


def forwarded(context: given.ForwardedContext, voice: Voice) -> Sheet:
    """Hand the request over to the office that sends (activity 2)."""
    wanted, due = context.get("wanted_at"), context.get("due_at")
    count = context.get("audience_count")
    return _case_sheet(
        context,
        voice,
        fact=_("Se remite una solicitud aprobada"),
        blocks=[
            Paragraph(
                _(
                    "%(office)s aprobó «%(subject)s» y la remite para su envío el %(time)s."
                    " Acéptela y prográmela, o devuélvala con la razón."
                )
                % {
                    "office": voice.communications,
                    "subject": context["subject"],
                    "time": voice.moment(context["forwarded_at"]),
                }
            ),
            *_rows(
                (_("Dependencia"), context["unit"]),
                (_("Remitente"), context["sender"]),
                (_("Clase"), context["mail_class"]),
                (_("Público"), context["audience"]),
                (_("Personas"), None if count is None else voice.figure(count)),
                (_("Salida pedida"), wanted and voice.short(wanted)),
                (_("Plazo para enviar"), due and voice.short(due)),
                (_("Huella del contenido aprobado"), context.get("content_digest")),
            ),
        ],
        link=_("Abrir el envío"),
        activity=2,
        footer=[
            _("Si se envía por otros medios, dígalo en esa página con su soporte."),
        ],
    )


def sent_back(context: given.SentBackContext, voice: Voice) -> Sheet:
    """Tell Communications that the office that sends did not take it."""
    due = context.get("due_at")
    return _case_sheet(
        context,
        voice,
        fact=_("La solicitud volvió a revisión"),
        blocks=[
            Paragraph(
                _("%(it)s devolvió «%(subject)s» el %(time)s. Revise la razón y decida otra vez.")
                % {
                    "it": voice.it,
                    "subject": context["subject"],
                    "time": voice.moment(context["sent_back_at"]),
                }
            ),
            *_quotation(_("Razón"), context["reason"]),
            *_rows((_("Plazo para decidir"), due and voice.short(due))),
        ],
        link=_("Abrir la solicitud"),
        activity=2,
        footer=[_answerable()],
    )


def proof(context: given.ProofContext, voice: Voice) -> Sheet:
    """Ask the requester for the sign-off on the test message."""
    due = context.get("due_at")
    return _case_sheet(
        context,
        voice,
        fact=_("Dé su visto bueno a la prueba"),
        blocks=[
            Paragraph(
                _(
                    "El %(time)s salió hacia usted un mensaje de prueba de «%(subject)s», tal como"
                    " saldrá. Léalo y dé su visto bueno en la página, o pida un cambio."
                )
                % {"subject": context["subject"], "time": voice.moment(context["tested_at"])}
            ),
            *_rows(
                (_("Plazo"), due and voice.short(due)),
                (_("Huella del contenido"), context["content_digest"]),
            ),
            Paragraph(_("El visto bueno vale para este contenido; si cambia, se pide otra vez.")),
        ],
        link=_("Ver la prueba"),
        activity=2,
        footer=[_answerable()],
    )


def _figures(context: given.FiguresContext, voice: Voice) -> list[Block]:
    declared = context.get("declared", False)
    blocks: list[Block] = [
        Totals(
            (
                (_("Aceptados por el servidor"), voice.figure(context["accepted"])),
                (_("Rechazados"), voice.figure(context["refused"])),
                (_("Rebotados"), voice.figure(context["bounced"])),
                (_("Excluidos antes de enviar"), voice.figure(context["suppressed"])),
                (_("En duda"), voice.figure(context["in_doubt"])),
                (_("Pendientes"), voice.figure(context["pending"])),
            ),
            (_("Público congelado"), voice.figure(context["audience_count"])),
        )
    ]
    if declared:
        blocks.append(
            Paragraph(
                _("Son cifras declaradas por %(it)s: el correo se envió por otros medios.")
                % {"it": voice.it}
            )
        )
    return blocks


def _what_accepted_means() -> str:
    return _(
        "«Aceptado» quiere decir que el servidor recibió el correo; no dice si la persona lo leyó."
    )


def confirmation_to_communications(
    context: given.ConfirmationToCommunicationsContext, voice: Voice
) -> Sheet:
    """Confirm the sending to Communications (activity 4): figures, times, operator, rule, seal."""
    return _case_sheet(
        context,
        voice,
        fact=_("Se confirma el envío"),
        blocks=[
            Paragraph(
                _("Confirmación de %(it)s: «%(subject)s» salió %(span)s.")
                % {
                    "it": voice.it,
                    "subject": context["subject"],
                    "span": voice.span(context["started_at"], context["ended_at"]),
                }
                + " "
                + _("Falta confirmarlo a quien lo pidió y verificarlo.")
            ),
            *_figures(context, voice),
            *_rows(
                (_("Público"), context["audience"]),
                (_("Inicio"), voice.short(context["started_at"])),
                (_("Fin"), voice.short(context["ended_at"])),
                (_("Operador"), context["operator"]),
                (_("Huella del contenido aprobado"), context.get("content_digest")),
                (
                    _("Procedimiento"),
                    _("%(code)s, versión %(version)s")
                    % {"code": context["procedure_code"], "version": context["procedure_version"]},
                ),
            ),
            Paragraph(_what_accepted_means()),
        ],
        link=_("Ver el expediente"),
        activity=4,
        footer=[
            _("Confirma: %(it)s, el %(time)s.")
            % {"it": voice.it, "time": voice.moment(context["confirmed_at"])},
            *_seal(context["seal_sequence"], context["seal_digest"]),
        ],
    )


def confirmation_to_requester(context: given.ConfirmationToRequesterContext, voice: Voice) -> Sheet:
    """Confirm the sending to the requester (activity 4): verification is in progress."""
    return _case_sheet(
        context,
        voice,
        fact=_("Su correo se envió"),
        blocks=[
            Paragraph(
                _("«%(subject)s» salió %(span)s.")
                % {
                    "subject": context["subject"],
                    "span": voice.span(context["started_at"], context["ended_at"]),
                }
                + " "
                + _("El servidor de correo lo aceptó para %(people)s.")
                % {"people": voice.people(context["accepted"])}
                + " "
                + _("La verificación está en curso y le avisaremos el resultado.")
            ),
            *_figures(context, voice),
            Paragraph(_what_accepted_means() + " " + _("No tiene que hacer nada.")),
        ],
        link=_("Ver el expediente"),
        activity=4,
        footer=[
            _("Envió: %(it)s. Confirma: %(office)s, el %(time)s.")
            % {
                "it": voice.it,
                "office": voice.communications,
                "time": voice.moment(context["confirmed_at"]),
            },
            *_seal(context["seal_sequence"], context["seal_digest"]),
        ],
    )


def _verdict_rows(context: given.VerdictContext, voice: Voice) -> list[Block]:
    accepted, audience = context.get("accepted"), context.get("audience_count")
    return _rows(
        (_("Verificó"), context.get("verified_by")),
        (
            _("Aceptados por el servidor"),
            None
            if accepted is None or audience is None
            else _("%(accepted)s de %(audience)s")
            % {"accepted": voice.figure(accepted), "audience": voice.figure(audience)},
        ),
    )


def verdict_positive(context: given.VerdictContext, voice: Voice) -> Sheet:
    """Tell that the sending was verified (activity 5)."""
    return _case_sheet(
        context,
        voice,
        fact=_("El envío quedó verificado"),
        blocks=[
            Paragraph(
                _(
                    "El %(time)s se verificó que «%(subject)s» se envió tal como se aprobó."
                    " No tiene que hacer nada."
                )
                % {"subject": context["subject"], "time": voice.moment(context["verified_at"])}
            ),
            Checks(tuple(context["checks"])),
            *_verdict_rows(context, voice),
        ],
        link=_("Ver el expediente"),
        activity=5,
        footer=_seal(context.get("seal_sequence"), context.get("seal_digest")),
    )


def verdict_negative(context: given.NegativeVerdictContext, voice: Voice) -> Sheet:
    """Tell that the verification failed, with each reason and the difference."""
    difference = tuple(line.replace("\r", "") for line in context.get("difference", ()))
    blocks: list[Block] = [
        Paragraph(
            _(
                "La verificación del %(time)s no pudo dar por bueno el envío de «%(subject)s»."
                " %(office)s decide qué sigue y le avisará."
            )
            % {
                "subject": context["subject"],
                "time": voice.moment(context["verified_at"]),
                "office": voice.communications,
            }
        ),
        Checks(tuple(context["checks"])),
    ]
    if difference:
        label = _("Diferencia entre lo aprobado (-) y lo recibido por la cuenta testigo (+)")
        blocks.append(
            Difference(label, difference[:60])
        )  # a letter, not a patch: the page has it all
        if len(difference) > 60:
            blocks.append(Paragraph(_("La diferencia completa está en el expediente.")))
    blocks += _verdict_rows(context, voice)
    return _case_sheet(
        context,
        voice,
        fact=_("La verificación del envío es negativa"),
        blocks=blocks,
        link=_("Ver el expediente"),
        activity=5,
        footer=_seal(context.get("seal_sequence"), context.get("seal_digest")),
    )


def reminder(context: given.ReminderContext, voice: Voice) -> Sheet:
    """Remind a post of what it owes (activity 5)."""
    fact, expected = _stage(context["stage"])
    limit, count = context.get("limit_hours"), context.get("audience_count")
    blocks: list[Block] = [
        Paragraph(
            (
                _(
                    "La solicitud «%(subject)s» espera desde el %(start)s y no consta que se haya"
                    " atendido. El plazo venció el %(due)s."
                )
                if context["number"]
                else _(
                    "La solicitud «%(subject)s» espera desde el %(start)s y no consta que se haya"
                    " atendido. El plazo vence el %(due)s."
                )
            )
            % {
                "subject": context["subject"],
                "start": voice.moment(context["started_at"]),
                "due": voice.moment(context["due_at"]),
            }
        ),
        *_rows(
            (_("Se espera de"), context["owed_by"]),
            (_("Qué"), expected),
            (_("Público"), None if count is None else voice.people(count)),
            (_("Plazo"), limit and voice.hours(limit)),
            (
                _("Recordatorio"),
                context["number"]
                and _("%(number)s de %(of)s") % {"number": context["number"], "of": context["of"]},
            ),
        ),
    ]
    following = context.get("next_at")
    if following is not None:
        again = {"time": voice.moment(following)}
        blocks.append(
            Paragraph(
                _("Si no hay respuesta, el %(time)s Circular avisa al líder del proceso.") % again
                if context.get("next_escalates", False)
                else _("Si no hay respuesta, el %(time)s Circular avisa otra vez.") % again
            )
        )
    return _case_sheet(
        context,
        voice,
        fact=_("Recordatorio: %(fact)s") % {"fact": fact[:1].lower() + fact[1:]},
        blocks=blocks,
        link=_("Abrir la solicitud"),
        activity=5,
        footer=[_answerable()],
    )


def escalation(context: given.EscalationContext, voice: Voice) -> Sheet:
    """Tell the process owner that reminders had no effect."""
    fact, expected = _stage(context["stage"])
    overdue, count = context.get("overdue_hours"), context.get("audience_count")
    return _case_sheet(
        context,
        voice,
        fact=_("Escalamiento: %(fact)s") % {"fact": fact[:1].lower() + fact[1:]},
        blocks=[
            Paragraph(
                _(
                    "La solicitud «%(subject)s» espera desde el %(start)s, su plazo venció el"
                    " %(due)s y los recordatorios no tuvieron respuesta. Intervenga ante quien debe"
                    " atenderla."
                )
                % {
                    "subject": context["subject"],
                    "start": voice.moment(context["started_at"]),
                    "due": voice.moment(context["due_at"]),
                }
            ),
            *_rows(
                (_("Se espera de"), context["owed_by"]),
                (_("Qué"), expected),
                (_("Recordatorios enviados"), voice.figure(context["reminders"])),
                (_("Vencido hace"), overdue and voice.hours(overdue)),
                (_("Público"), None if count is None else voice.people(count)),
            ),
        ],
        link=_("Abrir la solicitud"),
        activity=5,
        footer=[_answerable()],
    )


def not_sent(context: given.NotSentContext, voice: Voice) -> Sheet:
    """Remind the office that sends of a mail found not sent (activity 5)."""
    gap, count, due = (
        context.get("missing_count"),
        context.get("audience_count"),
        context.get("due_at"),
    )
    return _case_sheet(
        context,
        voice,
        fact=_("Recordatorio: el correo no se envió"),
        blocks=[
            Paragraph(
                _(
                    "Al verificar el %(time)s se encontró que «%(subject)s» no se envió, o no a todo"
                    " su público. Envíelo a quienes faltan, o diga en la página qué ocurrió."
                )
                % {"subject": context["subject"], "time": voice.moment(context["found_at"])}
            ),
            *_rows(
                (_("Se espera de"), voice.it),
                (_("Faltan"), None if gap is None else voice.people(gap)),
                (_("Público congelado"), None if count is None else voice.people(count)),
                (_("Plazo"), due and voice.short(due)),
            ),
            *_quotation(_("Lo que se encontró"), context.get("reason")),
        ],
        link=_("Abrir el envío"),
        activity=5,
        footer=[_("Si ya lo envió por otros medios, dígalo en esa página con su soporte.")],
    )


def cancelled(context: given.CancelledContext, voice: Voice) -> Sheet:
    """Tell that the request was cancelled and what had gone out before."""
    accepted, withdrawn = context.get("accepted"), context.get("withdrawn")
    return _case_sheet(
        context,
        voice,
        fact=_("La solicitud fue cancelada"),
        blocks=[
            Paragraph(
                _(
                    "%(who)s canceló la solicitud «%(subject)s» el %(time)s. No tiene que hacer nada."
                )
                % {
                    "who": context["cancelled_by"],
                    "subject": context["subject"],
                    "time": voice.moment(context["cancelled_at"]),
                }
            ),
            *_quotation(_("Razón"), context.get("reason")),
            *_rows(
                (
                    _("Aceptados por el servidor antes de cancelar"),
                    None if accepted is None else voice.figure(accepted),
                ),
                (_("Retirados sin enviar"), None if withdrawn is None else voice.figure(withdrawn)),
            ),
        ],
        link=_("Ver el expediente"),
        activity=3,
        footer=[_answerable()],
    )


def correspondence(context: given.CorrespondenceContext, voice: Voice) -> Sheet:
    """Tell the post that holds a case that somebody wrote."""
    return _case_sheet(
        context,
        voice,
        fact=_("Llegó una respuesta al expediente"),
        blocks=[
            Paragraph(
                _(
                    "El %(time)s llegó un correo sobre «%(subject)s» y quedó en el expediente."
                    " Léalo; un correo no cambia el estado de la solicitud."
                )
                % {"subject": context["subject"], "time": voice.moment(context["received_at"])}
            ),
            *_rows((_("Dice venir de"), context["author"])),
            *_quotation(_("Comienza así"), context["excerpt"]),
        ],
        link=_("Ver la correspondencia"),
        activity=1,
        footer=[
            _("La línea «De» de un correo no prueba quién lo escribió."),
        ],
    )


def sign_in_code(context: given.SignInCodeContext, voice: Voice) -> Sheet:
    """Hand a one-time code to the page that asked for it."""
    return Sheet(
        fact=_("Su código para entrar"),
        blocks=(
            Paragraph(
                _(
                    "Escriba este código en la página donde lo pidió. Vence el %(time)s y sirve una vez."
                )
                % {"time": voice.moment(context["expires_at"])}
            ),
            Code(_("Código"), context["code"]),
            Paragraph(
                _("Si usted no lo pidió, no haga nada. Nadie de la institución se lo pedirá.")
            ),
        ),
        footer=(_("Este correo no tiene enlaces a propósito."),),
    )


def invitation(context: given.InvitationContext, voice: Voice) -> Sheet:
    """Invite somebody of the staff to sign in."""
    return Sheet(
        fact=_("Tiene una invitación a Circular"),
        blocks=(
            Paragraph(
                _(
                    "%(institution)s lo invita a Circular, donde se tramitan sus correos masivos."
                    " Abra la página y elija su contraseña."
                )
                % {"institution": voice.institution}
            ),
            *_rows(
                (_("Nombre"), context.get("full_name")),
                (_("Cargo"), context.get("post")),
                (_("Vence"), voice.short(context["expires_at"])),
            ),
            Paragraph(
                _("El enlace es personal y sirve una sola vez. Abrirlo no hace nada por sí solo.")
            ),
        ),
        link=(_("Aceptar la invitación"), context["link"]),
        footer=(_("Si no esperaba esta invitación, no haga nada."),),
    )


def anchor(context: given.AnchorContext, voice: Voice) -> Sheet:
    """Put the head of the archive into a mailbox outside."""
    return Sheet(
        fact=_("Sello del archivo del %(time)s") % {"time": voice.moment(context["at"])},
        blocks=(
            Paragraph(
                _(
                    "Conserve este correo; no tiene que hacer nada. Con él se comprueba más adelante"
                    " que al archivo no se le quitó ni se le cambió nada hasta aquí."
                )
            ),
            Rows(
                (
                    (_("Asiento"), voice.figure(context["sequence"])),
                    (_("Hora"), voice.moment(context["at"])),
                    (_("Huella"), context["digest"]),
                )
            ),
        ),
        footer=(
            _("Comprobación: circular evidence verify --anchor %(digest)s")
            % {"digest": context["digest"]},
        ),
    )
