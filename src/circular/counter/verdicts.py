"""What the closing clerk found, as checks: each reason with its tone, and the line that differs."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from circular.counter import formats, parts, trays
from circular.evidence.queries import EntryRow
from circular.followup import queries as followup
from circular.followup.closing import GOOD, Reason
from circular.followup.labels import checks as as_checks
from circular.followup.labels import sentence
from circular.followup.queries import CheckView
from circular.workflow.acts import Act

TONES = {"ok": parts.Tone.OK, "bad": parts.Tone.BAD, "warn": parts.Tone.WARN}
ICONS = {"ok": "circle-check", "bad": "circle-x", "warn": "clock"}


@dataclass(frozen=True, slots=True)
class Found:
    """The last look at one sending, as pages and the verdict's letter show it."""

    reasons: tuple[str, ...]
    checks: tuple[parts.Check, ...]
    difference: tuple[str, ...]

    @property
    def for_letter(self) -> tuple[tuple[bool, str], ...]:
        """Return each reason as the letter lists it."""
        return as_checks(Reason(code) for code in self.reasons)


def of_case(request_id: int) -> Found | None:
    """Return what was found at the last look, or None before the first."""
    view = followup.verification_of(request_id)
    if view is None:
        return None
    # With the year: this is printed, and read years later.
    at = formats.moment_with_year(timezone.localtime(view.last_look_at), trays.lang())
    seen = _("Se miró el %(at)s") % {"at": at}
    checks = tuple(_check(one, seen if index == 0 else "") for index, one in enumerate(view.checks))
    return Found(view.reasons, checks, view.difference)


def _check(view: CheckView, seen: str) -> parts.Check:
    diff = [("del", view.approved)] if view.approved else []
    diff += [("ins", view.received)] if view.received else []
    return parts.Check(
        tone=TONES.get(view.tone, parts.Tone.IDLE),
        icon=ICONS.get(view.tone, "circle-dashed"),
        fact=view.fact,
        more=" · ".join(filter(None, [view.more, seen])),
        seal=view.seal,
        diff=tuple(diff),
    )


def of_entries(entries: Sequence[EntryRow]) -> tuple[parts.Check, ...]:
    """Return the reasons that a person's verdict left in the archive, when the clerk has none."""
    entry = next((one for one in reversed(entries) if one.act == Act.VERIFY.value), None)
    codes = entry.facts.get("reasons") if entry is not None else None
    known = {reason.value for reason in Reason}
    reasons = [Reason(code) for code in codes if code in known] if isinstance(codes, list) else []
    checks = tuple(
        parts.Check(
            tone=parts.Tone.OK if reason in GOOD else parts.Tone.WARN,
            icon="circle-check" if reason in GOOD else "alert-triangle",
            fact=sentence(reason),
        )
        for reason in reasons
    )
    return checks or (
        parts.Check(
            tone=parts.Tone.IDLE,
            icon="user-check",
            fact=_("Lo comprobó una persona, sin cuentas testigo."),
        ),
    )


def expected() -> tuple[parts.Check, ...]:
    """Return the checks that are still to come, before anything was looked at."""
    facts = (
        _("Los totales cuadran"),
        _("Las cuentas testigo lo recibieron"),
        _("Lo recibido es igual a lo aprobado"),
    )
    return tuple(
        parts.Check(
            tone=parts.Tone.IDLE,
            icon="circle-dashed",
            fact=fact,
            more=_("Se comprueba al terminar"),
        )
        for fact in facts
    )
