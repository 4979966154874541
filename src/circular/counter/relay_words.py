"""Relays and sender processes in words: health, terms, what is used of a quota, what is being sent."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from circular.counter import formats, labels, trays
from circular.dispatch.labels import UNITS, WINDOWS, trouble_name
from circular.dispatch.queries import RelayRow, WorkerRow
from circular.dispatch.quotas import Usage
from circular.mailing.kinds import MailingKind
from circular.mailing.labels import KINDS
from circular.mailing.models import Mailing
from circular.workflow.models import Request

# A process says so every two seconds (`Pace.recover_every`); this long without is no accident.
SILENT_AFTER = timedelta(seconds=30)


def row(relay: RelayRow, now: datetime) -> dict[str, Any]:
    """Return a relay as a line of a table."""
    if not relay.active:
        tone, icon, word = "", "player-pause", _("Inactivo")
    elif relay.resting_until is not None and relay.resting_until > now:
        tone, icon, word = "bad", "circle-x", _("En descanso")
    elif relay.failures:
        tone, icon, word = "warn", "alert-triangle", _("Con cortes")
    elif relay.worked_at is None:
        tone, icon, word = "", "circle-dashed", _("Sin probar")
    else:
        tone, icon, word = "ok", "circle-check", _("Bien")
    last = _("Sin usar todavía")
    if relay.failures:
        last = f"{trouble_name(relay.trouble)}. {relay.trouble_detail}".strip()
    elif relay.worked_at is not None:
        last = _("Atendió %(at)s") % {"at": trays.near(relay.worked_at, now)}
    security = {"none": _("sin cifrado"), "starttls": "STARTTLS", "tls": "TLS"}
    return {
        "id": relay.id,
        "name": relay.name,
        "where": f"{relay.host}:{relay.port}, {security.get(relay.security.value, '')}",
        "tone": tone,
        "icon": icon,
        "word": word,
        "connections": relay.max_connections,
        "last": last,
        "rests_until": relay.resting_until if word == _("En descanso") else None,
    }


def terms(relay: RelayRow) -> str:
    """Say in one line in what order a relay is used and for whom."""
    said = [
        _("orden %(rank)s, peso %(weight)s") % {"rank": relay.rank, "weight": relay.weight},
    ]
    if relay.classes:
        names = [str(labels.CLASSES.get(one, one)).lower() for one in relay.classes]
        said.append(_("solo correo %(classes)s") % {"classes": ", ".join(names)})
    if relay.groups:
        names = [str(labels.GROUPS.get(one, one)).lower() for one in relay.groups]
        said.append(_("solo para %(groups)s") % {"groups": ", ".join(names)})
    return "; ".join(said)


def quota_lines(usages: Iterable[Usage]) -> list[dict[str, Any]]:
    """Return what is used of each quota: in words, and for a bar."""
    language = trays.lang()
    return [
        {
            "words": _("%(used)s de %(most)s %(unit)s %(window)s")
            % {
                "used": formats.figure(usage.used, language),
                "most": formats.figure(usage.quota.most, language),
                "unit": UNITS[usage.quota.unit],
                "window": WINDOWS[usage.quota.window],
            },
            "lent": usage.lent,
            "used": min(usage.used, usage.quota.most),
            "most": usage.quota.most,
            "high": usage.quota.most * 9 // 10,
        }
        for usage in usages
    ]


def worker(row: WorkerRow, now: datetime, names: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    """Return a sender process as a line of a table."""
    silent = now - row.seen_at > SILENT_AFTER
    if row.ended_at is not None:
        tone, icon, word = "", "circle-minus", _("Terminó")
    elif silent:
        tone, icon, word = "bad", "alert-triangle", _("Sin señal de vida")
    elif row.leased:
        tone, icon, word = "ok", "send", _("Envía")
    else:
        tone, icon, word = "ok", "circle-check", _("Espera")
    return {
        "place": f"{row.host}:{row.pid}",
        "version": row.version or _("desconocida"),
        "tone": tone,
        "icon": icon,
        "word": word,
        "started_at": row.started_at,
        "seen_at": row.seen_at,
        "ended_at": row.ended_at,
        "work": [
            {
                "name": names.get(mailing, (_("Envío %(id)s") % {"id": mailing}, ""))[0],
                "number": names.get(mailing, ("", ""))[1],
                "people": ngettext("%(count)s persona", "%(count)s personas", count)
                % {"count": formats.figure(count, trays.lang())},
            }
            for mailing, count in row.work
        ],
    }


def names_of_mailings(mailings: Collection[int]) -> dict[int, tuple[str, str]]:
    """Return how mailings are called, and the filing number of the case where they have one.

    Two queries, however many there are.
    """
    if not mailings:
        return {}
    rows = Mailing.objects.filter(pk__in=mailings).values_list("id", "kind", "case")
    kinds = {pk: (kind, case) for pk, kind, case in rows}
    numbers = dict(
        Request.objects.filter(
            pk__in={case for _kind, case in kinds.values() if case is not None}
        ).values_list("id", "filing_number")
    )
    found = {}
    for pk, (kind, case) in kinds.items():
        number = numbers.get(case) or "" if case is not None else ""
        of_case = number and kind == MailingKind.CIRCULAR.value
        words = [] if of_case else [str(KINDS[MailingKind(kind)])]
        found[pk] = (" · ".join(filter(None, [*words, number])), number if of_case else "")
    return found
