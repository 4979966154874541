"""The case page's parts put together: what the template draws, and the same facts for a machine."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from circular.counter import (
    audiences,
    casefile,
    deeds,
    desk,
    formats,
    labels,
    messages,
    parts,
    queries,
    trays,
    verdicts,
)
from circular.evidence import queries as archive
from circular.evidence.chain import ChainKey, case_chain, check_chain
from circular.followup import queries as followup
from circular.mailformat import tokens
from circular.mailing import queries as mailings
from circular.mailing.models import Recipient
from circular.mailing.sealed import token_secret
from circular.people.roles import Permission
from circular.workflow import queries as workflow
from circular.workflow.acts import Act
from circular.workflow.calendar import Calendar
from circular.workflow.models import Attachment, Correspondence, Request
from circular.workflow.services.desk import digest_of
from circular.workflow.states import State, Verdict

VIEWS = ("escritorio", "telefono", "texto")
LIVE = frozenset({State.SENDING})


def chain_of(row: Request) -> ChainKey:
    """Return the name of a case's chain."""
    return case_chain(row.pk)


def file_of(row: Request) -> casefile.CaseFile:
    """Read what several parts of the page look at."""
    entries = archive.entries_of(chain_of(row))
    people, posts = casefile.people_in(entries)
    return casefile.CaseFile(
        request=row,
        procedure=workflow.pinned(row.procedure),
        entries=entries,
        duties=queries.duties_on(row.pk),
        letters=queries.letters_on(row.pk),
        people=people,
        posts=posts,
        now=timezone.now(),
    )


def title_part(row: Request) -> dict[str, Any]:
    """Return the head of every page about a case."""
    late = False
    version = row.version
    sender = version.sender.display_name if version is not None and version.sender else ""
    unit = row.unit.name if row.unit is not None else _("una dependencia sin elegir")
    byline = _("Solicita: %(unit)s.") % {"unit": unit}
    if sender:
        byline += " " + _("Lo firma «%(sender)s».") % {"sender": sender}
    return {
        "case": row,
        "number": row.filing_number or "",
        "ring": trays.ring(row, late=late, size=72),
        "pill": labels.state_pill(row.state),
        "subject": (version.subject if version else "") or _("Sin asunto todavía"),
        "byline": byline,
        "class_word": labels.CLASSES.get(version.mail_class if version else "", ""),
        "urgent_word": _("Urgente"),
        "external_word": _("Por otros medios"),
    }


def totals_part(row: Request) -> dict[str, Any]:
    """Return the six figures with their heading; empty before the audience is frozen."""
    totals = casefile.totals(row)
    if totals is None:
        return {"totals": None}
    now = timezone.now()
    live = State(row.state) in LIVE
    share = formats.percent(totals.settled, totals.audience, trays.lang())
    pending = formats.figure(totals.pending, trays.lang())
    return {
        "totals": totals,
        "totals_heading": totals_heading(row, totals),
        "totals_when": totals_when(row),
        "live": live,
        "now": now,
        "number": row.filing_number,
        "doubts_url": reverse("sending", args=[row.filing_number]) + "#dudas",
        "spoken": _("Va el %(share)s. Faltan %(pending)s personas.")
        % {"share": share, "pending": pending},
    }


def totals_heading(row: Request, totals: parts.Totals) -> str:
    """Say the fact that the figures show."""
    language = trays.lang()
    if totals.pending and State(row.state) in {State.SENDING, State.PAUSED}:
        return _("Faltan %(pending)s de %(audience)s personas") % {
            "pending": formats.figure(totals.pending, language),
            "audience": formats.figure(totals.audience, language),
        }
    if totals.in_doubt:
        count = totals.in_doubt
        return ngettext("%(count)s persona en duda", "%(count)s personas en duda", count) % {
            "count": formats.in_words(count, language, feminine=True)
        }
    return _("Cuentas del envío")


def totals_when(row: Request) -> str:
    """Say from when to when."""
    start = row.started_at or (row.mailing.released_at if row.mailing is not None else None)
    end = row.sent_at
    if row.declared:
        return ""
    if start is None:
        return ""
    local = timezone.localtime(start)
    day = formats.moment_with_year(local, trays.lang()).rsplit(",", 1)[0]
    if end is None:
        return _("Comenzó el %(day)s, %(start)s") % {"day": day, "start": f"{local:%H:%M:%S}"}
    return _("%(day)s, de %(start)s a %(end)s") % {
        "day": day,
        "start": f"{local:%H:%M:%S}",
        "end": f"{timezone.localtime(end):%H:%M:%S}",
    }


def message_part(request: HttpRequest, row: Request, *, url: str) -> dict[str, Any]:
    """Return the message with the view that was chosen."""
    view = request.GET.get("vista", VIEWS[0])
    shown = messages.message_of(row)
    return {
        "view": view if view in VIEWS else VIEWS[0],
        "message": messages.facts_of(shown, url=url, approved=row.approved_digest),
        "no_message": _("Todavía no hay mensaje que mostrar: falta el texto o el remitente."),
    }


def audience_part(row: Request) -> dict[str, Any]:
    """Return who gets it: sentence, figures that add up, sample."""
    version = row.version
    rule = audiences.rule_of_json(version.audience if version is not None else None)
    mailing = row.mailing
    frozen = mailing.audience if mailing is not None and mailing.frozen_at is not None else 0
    return {
        "audience": audiences.figures(rule, frozen=frozen) if rule is not None else None,
        "audience_words": version.audience_words if version is not None else "",
    }


def acts_part(
    request: HttpRequest, row: Request, case: casefile.CaseFile, *, digest: str, count: int | None
) -> parts.Acts:
    """Return what the reader may do now, and what not yet."""
    reader = desk.reader(request)
    open_acts = open_acts_of(request, row)
    allowed = [one.act for one in open_acts if one.refusal is None]
    refused = {
        one.act: (one.refusal.value, one.sentence) for one in open_acts if one.refusal is not None
    }
    seen = {"seen_digest": digest}
    hidden: dict[Act, Mapping[str, str]] = {
        Act.APPROVE: seen | ({"seen_count": str(count)} if count is not None else {}),
        Act.AUTHORISE: seen,
        Act.SIGN_OFF: seen,
        Act.SEND_TEST: seen,
    }
    heading, sentence = waiting_words(case, desk.offices(request))
    return deeds.bar(
        number=row.filing_number or "",
        allowed=allowed,
        refused=refused,
        heading=heading,
        sentence=sentence,
        hidden=hidden,
        extra=extra_deeds(row, reader),
        sending=case.state in {State.SENDING, State.PAUSED},
    )


def open_acts_of(request: HttpRequest, row: Request) -> tuple[workflow.OpenAct, ...]:
    """Return the acts that are open to the reader, and those that are not yet."""
    facts = workflow.facts_of(
        row,
        rules=desk.rules(request),
        separate_duties=desk.institution(request).separate_duties,
    )
    return workflow.acts_open(facts, desk.doer(request), now=timezone.now())


def extra_deeds(row: Request, reader: queries.Reader) -> tuple[parts.Deed, ...]:
    """Return the doors that are no acts: the sending, the case file."""
    found = []
    if row.mailing is not None and row.mailing.frozen_at is not None:
        found.append(
            parts.Deed(
                code="",
                label=_("Ver el envío persona por persona"),
                icon="send",
                url=reverse("sending", args=[row.filing_number]),
            )
        )
    if reader.may(Permission.EXPORT_EVIDENCE):
        found.append(
            parts.Deed(
                code="",
                label=_("Descargar el expediente"),
                icon="file-zip",
                url=reverse("case-export", args=[row.filing_number]),
                post=True,
                filled=State(row.state) is State.CLOSED,
            )
        )
    return tuple(found)


def waiting_words(case: casefile.CaseFile, offices: Mapping[str, str]) -> tuple[str, str]:
    """Say that nothing waits for the reader, and for whom it waits."""
    match case.state:
        case State.CLOSED:
            return _("El expediente está cerrado"), _("Nada más falta. Se puede descargar entero.")
        case State.REJECTED:
            return _("La solicitud fue rechazada"), _("La razón está en la correspondencia.")
        case State.CANCELLED:
            return _("La solicitud se canceló"), _("Lo que ya había salido sigue en las cuentas.")
        case _other:
            pass
    owed = case.open_duties
    nothing = _("Nada espera por usted")
    office = {"office": offices["tic"]}
    match case.state:
        case State.SENDING:
            return nothing, _("%(office)s está enviando. Cuando termine, confirma.") % office
        case State.SCHEDULED:
            return nothing, _("%(office)s ya lo programó.") % office
        case State.VERIFIED:
            return nothing, _("El envío está verificado; Circular cierra el expediente.")
        case _other:
            pass
    if not owed:
        return nothing, ""
    who = offices.get(owed[0].owed_by, str(labels.ROLES.get(owed[0].owed_by, "")))
    what = formats.lowered(str(labels.STAGE_NAMES.get(owed[0].stage, owed[0].stage)))
    sentence = _("Lo que sigue es: %(what)s. Lo debe: %(who)s.") % {"what": what, "who": who}
    return nothing, sentence


def clock_part(case: casefile.CaseFile, calendar: Calendar) -> dict[str, Any]:
    """Return the clock of what is owed first."""
    owed = case.open_duties
    if not owed:
        return {"clock": None}
    duty = owed[0]
    closed = [
        _("El %(day)s no cuenta: %(name)s.")
        % {
            "day": formats.day(day, trays.lang(), today=timezone.localdate(), weekday=True),
            "name": name,
        }
        for day, name in calendar.closed_days(duty.started_at, duty.due_at)
    ]
    return {
        "clock": trays.duty_clock(duty, case.now, calendar.business_between),
        "clock_heading": labels.STAGE_CLOCKS.get(duty.stage, _("Plazo")),
        "closed_days": closed,
    }


def post_part(case: casefile.CaseFile) -> list[dict[str, Any]]:
    """Return the correspondence, first to last."""
    found = []
    for letter in case.letters:
        incoming = letter.direction == "in"
        other = letter.person.full_name if letter.person is not None else letter.address
        found.append(
            {
                "icon": "mail-down" if incoming else "mail-up",
                "who": (_("De %(who)s") if incoming else _("A %(who)s")) % {"who": other},
                "subject": letter.subject
                if incoming or letter.letter not in labels.LETTERS
                else labels.LETTERS[letter.letter],
                "at": letter.at,
                "url": reverse("letter", args=[case.number, letter.pk]),
                "unread": incoming and letter.read_at is None,
                "unread_word": _("Sin leer"),
            }
        )
    return found


def facts_part(
    row: Request, case: casefile.CaseFile, reader: queries.Reader
) -> list[tuple[str, str]]:
    """Return the other fields of the request."""
    version = row.version
    found: list[tuple[str, str]] = []
    if row.contact_name:
        found.append(
            (_("Responsable"), " · ".join(filter(None, [row.contact_name, row.contact_phone])))
        )
    if version is not None and version.wanted_at is not None:
        wanted = trays.near(version.wanted_at, case.now)
        found.append((_("Debe salir"), wanted))
    elif version is not None and version.wanted_words:
        found.append((_("Debe salir"), version.wanted_words))
    if row.scheduled_at is not None:
        found.append((_("Programado"), trays.near(row.scheduled_at, case.now)))
    if version is not None and version.reason:
        found.append((_("Motivo"), version.reason))
    for name, person in (
        (_("Revisa"), row.reviewer),
        (_("Aprobó"), row.approver),
        (_("Opera"), row.operator),
    ):
        if person is not None:
            found.append((name, person.full_name))
    if version is not None:
        found.append((_("Versión"), str(version.number)))
    found.append(
        (
            _("Procedimiento"),
            f"{case.procedure.code}, v{case.procedure.version}",
        )
    )
    for name, other in (
        (_("Fe de erratas de"), row.erratum_of),
        (_("A partir de"), row.copied_from),
    ):
        if other is not None and other.filing_number:
            found.append((name, _linked(other.filing_number)))
    for number, is_erratum in queries.made_from(reader, row.pk):
        name = _("Tiene fe de erratas") if is_erratum else _("Dio origen a")
        found.append((name, _linked(number)))
    return found


def _linked(number: str) -> str:
    """Return a filing number that leads to its case."""
    return format_html('<a href="{}">{}</a>', reverse("case", args=[number]), number)


# Acts whose reason stands in the row alone, and the state in which it is of use.
REASONS = {
    State.FORWARDED: ("found_not_sent", gettext_lazy("Declarada «no enviada» con esta razón:")),
    State.IN_REVIEW: ("sent_back", gettext_lazy("Devuelta a Comunicaciones con esta razón:")),
    State.CONFIRMED: ("reopened", gettext_lazy("Reabierta con esta razón:")),
    State.CLOSED: ("closed", gettext_lazy("Cerrada con esta razón:")),
}


def reasons_part(row: Request, case: casefile.CaseFile) -> list[dict[str, Any]]:
    """Return the words behind an urgency, and behind the act that led to the state."""
    notes: list[dict[str, Any]] = []
    if row.urgent and row.urgent_because:
        by = case.people.get(row.urgent_by_id or 0, "")
        notes.append(
            {
                "tone": "c-warn",
                "icon": "urgent",
                "fact": _("%(person)s declaró la urgencia:") % {"person": by},
                "rest": row.urgent_because,
            }
        )
    if row.urgent_review:
        notes.append(
            {
                "tone": "c-idle",
                "icon": "eye-check",
                "fact": _("Al revisar la urgencia se encontró:"),
                "rest": row.urgent_review,
            }
        )
    if row.declared and row.declared.get("note"):
        notes.append(
            {
                "tone": "c-idle",
                "icon": "message",
                "fact": _("TIC declaró con qué medios se envió:"),
                "rest": row.declared["note"],
            }
        )
    act, words = REASONS.get(State(row.state), ("", ""))
    last = next((entry for entry in reversed(case.entries) if entry.act == act), None)
    # The row keeps the last reason given; the entry's digest says whether it is this act's.
    if last is not None and last.facts.get("reason") == digest_of(row.ended_because):
        notes.append(
            {"tone": "c-idle", "icon": "message", "fact": words, "rest": row.ended_because}
        )
    return notes


def notes_part(row: Request) -> list[dict[str, Any]]:
    """Return what stands above everything else: an erratum, a hold, a pause of its own."""
    notes: list[dict[str, Any]] = []
    if row.held:
        notes.append(
            {
                "tone": "c-warn",
                "icon": "alert-triangle",
                "fact": _("El envío programado no comenzó."),
                "rest": str(workflow.refusal_sentence(row.held)),
            }
        )
    mailing = row.mailing
    if mailing is not None and mailing.self_paused and State(row.state) is State.SENDING:
        why, remedy = labels.self_pause(mailing.self_paused)
        notes.append(
            {
                "tone": "c-warn",
                "icon": "player-pause",
                "fact": _("El envío se detuvo solo: %(reason)s.")
                % {"reason": formats.lowered(why)},
                "rest": remedy,
            }
        )
    if row.ended_because and State(row.state) in {State.RETURNED, State.REJECTED, State.CANCELLED}:
        words = {
            State.RETURNED: _("Devuelta con esta razón:"),
            State.REJECTED: _("Rechazada con esta razón:"),
            State.CANCELLED: _("Cancelada con esta razón:"),
        }[State(row.state)]
        notes.append(
            {
                "tone": "c-bad" if State(row.state) is State.REJECTED else "c-warn",
                "icon": "message",
                "fact": words,
                "rest": row.ended_because,
            }
        )
    if row.suggested_channel and State(row.state) is State.REJECTED:
        notes.append(
            {
                "tone": "c-idle",
                "icon": "info-circle",
                "fact": _("Canal que le conviene más:"),
                "rest": row.suggested_channel,
            }
        )
    return notes


def duplicates_part(row: Request) -> tuple[parts.Check, ...]:
    """Say how many people may have got two copies; their names stand on the sending page."""
    count = len(mailings.possible_duplicates(row.mailing_id)) if row.mailing_id is not None else 0
    if not count:
        return ()
    words = ngettext(
        "%(count)s persona pudo recibir dos copias",
        "%(count)s personas pudieron recibir dos copias",
        count,
    )
    return (
        parts.Check(
            tone=parts.Tone.DOUBT,
            icon="copy",
            fact=words % {"count": formats.in_words(count, trays.lang(), feminine=True)},
            more=_("Quedó en duda y se le ofreció otra vez. Quién es está en la página del envío."),
        ),
    )


def verdict_part(row: Request, case: casefile.CaseFile) -> dict[str, Any]:
    """Return the verdict with its reasons, or the checks as they stand before it."""
    found = verdicts.of_case(row.pk)
    if not row.verdict or row.verified_at is None:
        started = row.started_at is not None or row.sent_at is not None
        checks = found.checks if found is not None else verdicts.expected() if started else ()
        return {"verdict": None, "checks": checks}
    good = row.verdict == Verdict.POSITIVE
    entry = next((one for one in reversed(case.entries) if one.act == Act.VERIFY.value), None)
    by = casefile.by_whom(entry, case.people, case.posts) if entry is not None else "Circular"
    at = formats.moment_with_year(timezone.localtime(row.verified_at), trays.lang())
    return {
        "checks": (
            *(found.checks if found is not None else verdicts.of_entries(case.entries)),
            *duplicates_part(row),
        ),
        "verdict": {
            "tone": "c-ok" if good else "c-bad",
            "icon": "circle-check" if good else "alert-triangle",
            "fact": _("Verificado: el correo se envió como se aprobó")
            if good
            else _("No verificado: el correo no se pudo comprobar como se aprobó"),
            "who": f"{by}, {at}.",
        },
    }


def case_page(request: HttpRequest, row: Request) -> dict[str, Any]:
    """Return everything the case page draws."""
    case = file_of(row)
    between = desk.calendar(request).business_between
    message = message_part(request, row, url=reverse("case-message", args=[row.filing_number]))
    audience = audience_part(row)
    digest = row.version.digest if row.version is not None else ""
    count = audience["audience"]["total"] if audience["audience"] else None
    chain = check_case(case)
    entries = len(case.entries)
    history = [
        {
            "icon": item.icon,
            "what": item.what,
            "more": item.more,
            "by": item.by,
            "seal": item.seal,
            "at": item.at,
            "entry_url": reverse("entry", args=[row.filing_number, entry.sequence]),
        }
        for item, entry in zip(casefile.history(case), reversed(case.entries), strict=True)
    ]
    return {
        "nav": "cases",
        **title_part(row),
        **totals_part(row),
        **message,
        **audience,
        **clock_part(case, desk.calendar(request)),
        **verdict_part(row, case),
        "notes": [*notes_part(row), *reasons_part(row, case)],
        "phases": casefile.phases(case, between),
        "post": post_part(case),
        "attachments": list(Attachment.objects.filter(request=row).order_by("added_at")),
        "history": history,
        "history_heading": ngettext(
            "Historia: %(count)s asiento", "Historia: %(count)s asientos", entries
        )
        % {"count": formats.figure(entries, trays.lang())},
        "chain_ok": chain,
        "chain_word": _("Cadena íntegra") if chain else _("La cadena no cuadra"),
        "facts": facts_part(row, case, desk.reader(request)),
        "bar": acts_part(request, row, case, digest=digest, count=count),
        "anchor": anchor_part(row),
    }


def anchor_part(row: Request) -> dict[str, Any] | None:
    """Return the head of the archive that left the house with the last confirmation of this case.

    Before any confirmation there is none: nothing outside proves this case yet.
    """
    told = followup.confirmations(row.pk)
    if not told:
        return None
    last = told[-1]
    return {"sequence": last.house_sequence, "digest": last.house_digest, "at": last.at}


def check_case(case: casefile.CaseFile) -> bool:
    """Tell whether the entries on the page form an unbroken chain."""
    key = chain_of(case.request)
    return check_chain(str(key), archive.stored_entries(key)).finding is None


def machine_facts(request: HttpRequest, row: Request) -> dict[str, Any]:
    """Return the case as one JSON object."""
    case = file_of(row)
    totals = casefile.totals(row)
    open_acts = open_acts_of(request, row)
    message_ids = letter_ids(case)
    activities = []
    for activity in case.procedure.activities:
        mine = [entry for entry in case.entries if entry.act in activity.evidence]
        activities.append(
            {
                "number": activity.number,
                "phase": activity.phase,
                "control_point": activity.control_point,
                "evidence": [
                    {
                        "kind": entry.act,
                        "at": entry.at.isoformat(),
                        "message_id": message_ids.get(letter.pk) or None
                        if (letter := casefile.letter_for(entry, case.letters)) is not None
                        else None,
                        "hash": entry.digest,
                    }
                    for entry in mine
                ],
            }
        )
    names = ("audience", "accepted", "refused", "bounced", "suppressed", "pending", "in_doubt")
    return {
        "filing_number": row.filing_number,
        "state": row.state,
        "activities": activities,
        **{name: getattr(totals, name) if totals is not None else 0 for name in names},
        "confirmations": [
            {"to": letter.address, "message_id": message_ids.get(letter.pk, "")}
            for letter in case.letters
            if letter.letter in {"confirmation_to_communications", "confirmation_to_requester"}
        ],
        "verified": row.verdict == Verdict.POSITIVE and row.verified_at is not None,
        "possible_duplicates": duplicates_for(desk.reader(request), row),
        "acts": [one.act.value for one in open_acts if one.refusal is None],
    }


def duplicates_for(reader: queries.Reader, row: Request) -> list[str]:
    """Return who may have got two copies, to the offices that may know it by name."""
    if row.mailing_id is None or not reader.may(Permission.SEE_ALL_CASES):
        return []
    return [one.address for one in mailings.possible_duplicates(row.mailing_id)]


def message_id_of(letter: Correspondence) -> str:
    """Return the Message-ID of one of our letters, computed from its only recipient's row."""
    if letter.mailing_id is None:
        return letter.message_id
    recipient = Recipient.objects.filter(mailing=letter.mailing_id).order_by("pk").first()
    found = mailings.recipient(recipient.pk) if recipient is not None else None
    return found.message_id if found is not None else ""


def letter_ids(case: casefile.CaseFile) -> dict[int, str]:
    """Return the Message-ID of each letter of a case, in one query for all of ours."""
    found = {letter.pk: letter.message_id for letter in case.letters if letter.message_id}
    of_mailing = {
        letter.mailing_id: letter.pk for letter in case.letters if letter.mailing_id is not None
    }
    rows = Recipient.objects.filter(mailing__in=list(of_mailing)).values_list(
        "pk", "mailing_id", "mailing__message_domain"
    )
    for pk, mailing_id, domain in rows:
        if domain:
            found[of_mailing[mailing_id]] = tokens.message_id(token_secret(), pk, domain)
    return found
