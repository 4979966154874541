"""What a delivery report says about each recipient, from its machine-readable part only.

Rules
1. Only RFC 3464 fields are believed; words for people are not read here (bounces in depth: later).
2. Nothing raises; a block that names no recipient and no action gives no report.

Sources: RFC 3464 §2.1 to §2.3; RFC 3463 (status codes); RFC 6533 (utf-8 addresses).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from circular.mailformat.addresses import normalize
from circular.mailformat.incoming import Incoming, without_controls

MOST_REPORTS: Final = 1_000
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")


class Action(StrEnum):
    """RFC 3464 §2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of one recipient, as the reporting server says."""

    recipient: str | None  # canonical; None when it is no address
    action: Action
    status: str  # enhanced code, "" when there is none
    diagnostic: str

    @property
    def is_permanent(self) -> bool:
        """Tell whether the server gave up."""
        return self.action is Action.FAILED


def parse(incoming: Incoming) -> tuple[Report, ...]:
    """Return the reports in the order in which the message gives them."""
    text = incoming.report.decode("utf-8", "replace").replace("\r\n", "\n")
    reports = (_report(block) for block in re.split(r"\n[ \t]*\n", text))
    return tuple(report for report in reports if report is not None)[:MOST_REPORTS]


def _report(block: str) -> Report | None:
    fields: dict[str, str] = {}
    for line in re.sub(r"\n[ \t]+", " ", block.strip("\n")).split("\n")[:100]:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    written = fields.get("final-recipient") or fields.get("original-recipient")
    action = fields.get("action", "").split("(")[0].strip().lower()
    if not written or action not in set(Action):
        return None
    status = _STATUS.search(fields.get("status", ""))
    return Report(
        recipient=normalize(written.partition(";")[2] or written),
        action=Action(action),
        status=status[1] if status else "",
        diagnostic=without_controls(fields.get("diagnostic-code", "").partition(";")[2])[:500],
    )
