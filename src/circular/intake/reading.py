"""From a mail's words to the content of a draft: what was understood, and what is left in words. Pure.

Rules
1. The catalogue decides the sender, the directory the places, the calendar's day the date: what does
   not fit one of them stays in the author's words (`audience_words`, `wanted_words`) or empty.
2. Nothing is invented: a unit or sender is taken unasked only when the author has exactly one.
3. `understood` and `missing` are what the author is told, in the order of the form.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from circular.directory.rules import Clause, Rule
from circular.intake.fields import (
    AudienceRead,
    Places,
    folded,
    read_audience,
    read_class,
    read_date,
    read_fields,
    without_fields,
)
from circular.mailformat.addresses import parse_address
from circular.mailformat.incoming import Incoming

SUBJECT_LIMIT: Final = 300  # characters; a longer one is no subject
_ANSWERED = re.compile(r"(?i)\A\s*(?:(?:re|rv|fwd?|reenv(?:iar|iado)?)\s*(?:\[\d+\])?\s*:\s*)+")


@dataclass(frozen=True, slots=True)
class Named:
    """A unit or a catalogue sender by its names."""

    id: int
    names: tuple[str, ...]
    unit: int | None = None  # of a sender


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote, as the house knows him, and what he may ask with."""

    full_name: str
    phone: str
    units: tuple[Named, ...]
    senders: tuple[Named, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The fields of a request as far as a mail stated them."""

    unit: int | None
    sender: int | None
    contact_name: str
    contact_phone: str
    reply_to: str
    subject: str
    text: str
    html: str
    rule: Rule | None
    audience_words: str
    mail_class: str | None
    wanted_at: datetime | None
    wanted_words: str
    reason: str


def read_request(
    incoming: Incoming, author: Author, places: Places, *, now: datetime, zone: tzinfo
) -> Reading:
    """Read a mail as a request for a mass mail."""
    understood = read_fields(incoming.text)
    stated = understood.values
    unit = _named(stated.get("unit", ""), author.units)
    sender = _named(stated.get("sender", ""), author.senders)
    unit_id = unit.id if unit else None
    if unit_id is None and sender is not None and "unit" not in stated:
        unit_id = sender.unit
    wanted = _wanted(stated.get("wanted_at", ""), now, zone)
    audience = read_audience(stated.get("audience", ""), places)
    subject = stated.get("subject") or _ANSWERED.sub("", incoming.subject)
    return Reading(
        unit=unit_id,
        sender=sender.id if sender else None,
        contact_name=(stated.get("responsible") or author.full_name)[:200],
        contact_phone=(stated.get("contact") or author.phone)[:60],
        reply_to=parse_address(stated.get("reply_to", "")) or "",
        subject=subject.strip()[:SUBJECT_LIMIT],
        text=understood.message.strip("\n"),
        html=without_fields(incoming.html, understood),
        rule=None if audience is None else rule_of(audience),
        audience_words="" if audience else stated.get("audience", ""),
        mail_class=read_class(stated.get("mail_class", "")),
        wanted_at=wanted,
        wanted_words="" if wanted else stated.get("wanted_at", ""),
        reason=stated.get("reason", ""),
    )


def rule_of(read: AudienceRead) -> Rule:
    """Write what was read as the directory's rule: all its words hold together."""
    return Rule(
        (
            Clause(
                groups=frozenset(read.groups),
                faculties=frozenset(read.faculties),
                programmes=frozenset(read.programmes),
                campuses=frozenset(read.campuses),
            ),
        )
    )


def _named(stated: str, known: Sequence[Named]) -> Named | None:
    """Find what the author named; unasked, the only one there is."""
    if not stated:
        return known[0] if len(known) == 1 else None
    sought = folded(stated)
    found = [one for one in known if any(folded(name) in sought for name in one.names if name)]
    exact = [one for one in found if any(folded(name) == sought for name in one.names)]
    narrowed = exact or found
    return narrowed[0] if len(narrowed) == 1 else None


def _wanted(words: str, now: datetime, zone: tzinfo) -> datetime | None:
    local = now.astimezone(zone)
    read = read_date(words, today=local.date()) if words else None
    if read is None:
        return None
    wanted = read.replace(tzinfo=zone)
    return wanted if wanted > now else None
