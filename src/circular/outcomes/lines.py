"""A verdict as one line of text: written down by the sender, read by its journal and by the database.

    lease TAB recipient TAB verdict TAB source TAB reason TAB at TAB code TAB enhanced TAB next try TAB reply

Rules:
  1. No field holds a tab, a line end or NUL; an empty field is a value that is not there.
  2. The same line goes to the journal and to ``settle.sql``: what a crash leaves is what is settled.

Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from circular.outcomes.verdicts import OutcomeFact, Source, Verdict, reason_after

_FIELDS = 10
_REPLY_CHARACTERS = 1000  # a relay's words; RFC 5321 §4.5.3.1.5 allows 512 octets a line
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
_REASONS = {verdict: reason_after(verdict).value for verdict in Verdict}


@dataclass(frozen=True, slots=True)
class Lent:
    """What one lease lends: the first offers to a range of ids, or the rows that carry its number."""

    lease: int
    mailing: int
    first: int = 0
    last: int = 0


def written(words: str) -> str:
    """Give a relay's words as they may stand in a line."""
    if words.isascii() and words.isprintable():
        return words[:_REPLY_CHARACTERS]
    return _UNWRITABLE.sub("\ufffd", words)[:_REPLY_CHARACTERS]


def line_of(lease: int | None, fact: OutcomeFact) -> str:
    """Write a verdict that one lease obtained."""
    reason = fact.reason or _REASONS[fact.verdict]
    next_try = "" if fact.next_try_at is None else fact.next_try_at.isoformat()
    return (
        f"{'' if lease is None else lease}\t{fact.recipient}\t{fact.verdict.value}"
        f"\t{fact.source.value}\t{reason}\t{fact.at.isoformat()}"
        f"\t{'' if fact.code is None else fact.code}\t{written(fact.enhanced)[:11]}\t{next_try}"
        f"\t{written(fact.reply)}\n"
    )


def read_line(line: str) -> tuple[int, OutcomeFact] | None:
    """Read a line back; None for one that is torn or none of ours."""
    fields = line.split("\t")
    if len(fields) != _FIELDS:
        return None
    lease, recipient, verdict, source, reason, at, code, enhanced, next_try, reply = fields
    try:
        return int(lease), OutcomeFact(
            recipient=int(recipient),
            verdict=Verdict(verdict),
            at=datetime.fromisoformat(at),
            code=int(code) if code else None,
            enhanced=enhanced,
            reply=reply,
            next_try_at=datetime.fromisoformat(next_try) if next_try else None,
            reason=reason,
            source=Source(source),
        )
    except ValueError:
        return None
