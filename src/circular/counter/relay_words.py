"""A relay's health in words: colour, icon and word, and the last thing it said."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from circular.counter import trays
from circular.dispatch.labels import trouble_name
from circular.dispatch.queries import RelayRow


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
    }
