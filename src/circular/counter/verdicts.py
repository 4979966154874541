"""What the closing clerk found, as checks: each reason with its tone, and the line that differs."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from circular.counter import parts, trays
from circular.followup.closing import GOOD, Reason
from circular.followup.labels import sentence
from circular.followup.models import Verification

# Reasons that are no verdict yet: the clerk looks again, or a person decides.
OPEN = frozenset(
    {
        Reason.STILL_PENDING,
        Reason.SOMEBODY_IN_DOUBT,
        Reason.WITNESS_NOT_SEEN,
        Reason.WITNESS_UNREADABLE,
        Reason.NO_WITNESS,
        Reason.OTHER_MEANS,
    }
)
DIFF_LINES = 12  # what a person reads before deciding; the rest is in the case file


@dataclass(frozen=True, slots=True)
class Found:
    """The last look at one sending."""

    reasons: tuple[Reason, ...]
    checks: tuple[parts.Check, ...]
    outcome: str
    difference: tuple[str, ...]

    @property
    def for_letter(self) -> list[tuple[bool, str]]:
        """Return each reason as the verdict's letter lists it."""
        return [(reason in GOOD, sentence(reason)) for reason in self.reasons]


def of_case(request_id: int) -> Found | None:
    """Return what was found at the last look, or None before the first.

    Index:  followup_verified_once (request, round)
    """
    row = Verification.objects.filter(request=request_id).order_by("-round").first()
    if row is None:
        return None
    reasons = tuple(Reason(code) for code in row.reasons if code in set(Reason))
    seen = _("Se miró %(at)s") % {"at": trays.near(row.last_look_at, timezone.now())}
    difference = tuple(str(line) for line in row.difference)
    checks = tuple(
        _check(reason, seen if index == 0 else "", difference)
        for index, reason in enumerate(reasons)
    )
    return Found(reasons, checks, row.outcome, difference)


def _check(reason: Reason, more: str, difference: Sequence[str]) -> parts.Check:
    if reason in GOOD:
        return parts.Check(
            tone=parts.Tone.OK, icon="circle-check", fact=sentence(reason), more=more
        )
    if reason in OPEN:
        return parts.Check(tone=parts.Tone.WARN, icon="clock", fact=sentence(reason), more=more)
    differs = reason in {Reason.TEXT_DIFFERS, Reason.CONTENT_NOT_AS_APPROVED}
    return parts.Check(
        tone=parts.Tone.BAD,
        icon="circle-x",
        fact=sentence(reason),
        more=more,
        diff=tuple(_line(line) for line in difference[:DIFF_LINES]) if differs else (),
    )


def _line(line: str) -> tuple[str, str]:
    """Return a line of a diff as (kind, text): removed, added or the same."""
    kind = {"-": "del", "+": "ins"}.get(line[:1], "")
    return kind, line[1:].strip() if kind else line.strip()


def expected() -> tuple[parts.Check, ...]:
    """Return the checks that are still to come, before anything was looked at."""
    return tuple(
        parts.Check(
            tone=parts.Tone.IDLE,
            icon="circle-dashed",
            fact=fact,
            more=_("Se comprueba al terminar"),
        )
        for fact in (
            _("Los totales cuadran"),
            _("Las cuentas testigo lo recibieron"),
            _("Lo recibido es igual a lo aprobado"),
        )
    )
