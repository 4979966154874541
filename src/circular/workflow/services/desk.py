"""One case on the desk: locked, read, decided on, written back, proved.

Every act of the room goes the same way, so that nothing is forgotten:
lock the request row (no key) → facts → `transitions.decide` → row and duties → letters → evidence.

Locks:   the request row (no key), the head of the case's chain; then, where an act sends, the mailing
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TypedDict

from django.utils import timezone
from typing_extensions import Unpack

from circular.evidence.actors import CLOCK, SYSTEM, Actor
from circular.evidence.chain import Fact
from circular.evidence.services import EntryDraft, append, case_chain, hold
from circular.workflow.acts import MACHINE, Act, Deed, Doer, Figures
from circular.workflow.calendar import Calendar
from circular.workflow.facts import RequestFacts
from circular.workflow.limits import Limit
from circular.workflow.models import DeskRules, Duty, Request
from circular.workflow.owed import stages_owed
from circular.workflow.queries import house, standing
from circular.workflow.states import Stage, State, Verdict
from circular.workflow.transitions import Moved, NotMoved, Trace, decide

__all__ = ["CLOCK", "SYSTEM", "Case", "Details", "digest_of", "open_case"]


class Details(TypedDict, total=False):
    """What an act may bring along (see `acts.Deed`)."""

    seen_digest: str
    seen_count: int | None
    new_digest: str
    missing: frozenset[str]
    reason: str
    channel: str
    scheduled_at: datetime | None
    figures: Figures | None
    documents: tuple[str, ...]
    verdict: Verdict | None
    refusal: str
    post: int | None
    number: str


def digest_of(words: str) -> str:
    """Return what evidence keeps of words that stand in a row; nothing for no words."""
    return sha256(words.strip().encode()).hexdigest() if words.strip() else ""


@dataclass(slots=True, kw_only=True)
class Case:
    """A request under lock, and what one act does to it."""

    row: Request
    facts: RequestFacts
    by: Actor
    doer: Doer
    at: datetime
    rules: DeskRules
    letters: list[int] = field(default_factory=list)  # mailings posted by this act
    traces: list[tuple[Trace, Actor]] = field(default_factory=list)  # to be proved
    _calendar: Calendar | None = None
    _limits: Mapping[tuple[Stage, bool], Limit] | None = None

    @property
    def calendar(self) -> Calendar:
        """Return the office's calendar, read once."""
        if self._calendar is None:
            self._calendar = house.office_calendar()
        return self._calendar

    def limit(self, stage: Stage) -> Limit:
        """Return the limit of a stage in this case's lane."""
        if self._limits is None:
            self._limits = house.time_limits()
        return self._limits[stage, self.row.urgent]

    def attempt(self, act: Act, **details: Unpack[Details]) -> Moved | NotMoved:
        """Decide an act, and where it is allowed bring the row and the duties in line with it.

        Nothing is proved yet: `prove` is the last statement of the service.
        """
        return self._attempt(act, self.doer, self.by, details)

    def attempt_as_system(self, act: Act, **details: Unpack[Details]) -> Moved | NotMoved:
        """Do what follows by itself from the act of a person: an acknowledgement, a reminder."""
        return self._attempt(act, MACHINE, SYSTEM, details)

    def _attempt(self, act: Act, doer: Doer, by: Actor, details: Details) -> Moved | NotMoved:
        decision = decide(self.facts, Deed(act=act, by=doer, at=self.at, **details))
        if isinstance(decision, Moved):
            self._write(decision.facts)
            self.facts = decision.facts
            self._keep_duties(decision.trail[-1].act)
            self.traces += [(trace, by) for trace in decision.trail]
        return decision

    def _write(self, facts: RequestFacts) -> None:
        """Copy what acts decide into the row; times are stamped where a fact became true."""
        row, at = self.row, self.at
        row.state = facts.state.value
        row.way = facts.way.value
        row.urgent, row.urgent_by_id = facts.urgent, facts.urgent_by
        row.reviewer_id, row.operator_id = facts.reviewer, facts.operator
        row.tested_digest, row.signed_off_digest = facts.tested_digest, facts.signed_off_digest
        if facts.approved_digest and (
            facts.approver != self.facts.approver
            or facts.approved_digest != self.facts.approved_digest
        ):
            row.approved_at = at
        row.approver_id = facts.approver
        row.approved_digest, row.approved_count = facts.approved_digest, facts.approved_count
        row.scheduled_at, row.held = facts.scheduled_at, facts.held
        row.verdict = facts.verdict.value if facts.verdict else ""
        row.verified_at = (row.verified_at or at) if facts.verdict else None
        row.acknowledged_at = _stamp(row.acknowledged_at, facts.acknowledged, at)
        row.started_at = _stamp(row.started_at, facts.started, at)
        row.confirmed_to_communications_at = _stamp(
            row.confirmed_to_communications_at, facts.confirmed_to_communications, at
        )
        row.confirmed_to_requester_at = _stamp(
            row.confirmed_to_requester_at, facts.confirmed_to_requester, at
        )
        row.reviewed_afterwards_at = _stamp(
            row.reviewed_afterwards_at, facts.reviewed_afterwards, at
        )
        if facts.state is not self.facts.state:
            _stamp_state(row, facts.state, at)
        row.changed_at = at
        row.save()

    def _keep_duties(self, act: Act) -> None:
        """Close what is no longer owed and open what is owed now."""
        wanted = stages_owed(self.facts)
        open_now = {
            Stage(duty.stage): duty
            for duty in Duty.objects.filter(request=self.row, ended_at__isnull=True)
        }
        for stage, duty in open_now.items():
            if stage not in wanted:
                duty.ended_at, duty.ended_by = self.at, act.value
                duty.next_reminder_at = None
                duty.save(update_fields=["ended_at", "ended_by", "next_reminder_at"])
            elif duty.owed_by != wanted[stage]:
                duty.owed_by = wanted[stage].value
                duty.save(update_fields=["owed_by"])
        for stage, role in wanted.items():
            if stage not in open_now:
                limit = self.limit(stage)
                due_at = self.calendar.add_business(self.at, limit.after)
                Duty.objects.create(
                    request=self.row,
                    stage=stage.value,
                    owed_by=role.value,
                    started_at=self.at,
                    due_at=due_at,
                    minutes=limit.minutes,
                    next_reminder_at=due_at,
                )

    def open_duties(self, act: Act) -> None:
        """Open what is owed from the start."""
        self._keep_duties(act)

    def duty(self, stage: Stage) -> Duty | None:
        """Return the open duty of a stage."""
        return Duty.objects.filter(
            request=self.row, stage=stage.value, ended_at__isnull=True
        ).first()

    def due_at(self, stage: Stage) -> datetime | None:
        """Return when the open duty of a stage is due."""
        duty = self.duty(stage)
        return duty.due_at if duty is not None else None

    def prove(self, **facts: Fact) -> None:
        """Append the traces of this case's acts, as the last statement of the transaction.

        The facts given here stand in the first trace, the letters in the last: where an act
        leads on to another (approve to forward), the letters are the hand-over's.
        """
        drafts = []
        last = len(self.traces) - 1
        for index, (trace, actor) in enumerate(self.traces):
            kept: dict[str, Fact] = {**trace.facts, **(facts if index == 0 else {})}
            if index == last and self.letters:
                kept["letters"] = list(self.letters)
            drafts.append(
                EntryDraft(
                    chain=case_chain(self.row.pk),
                    act=trace.act.value,
                    by=actor,
                    at=self.at,
                    facts=kept,
                )
            )
        append(*drafts)
        self.traces.clear()


def _stamp(stamp: datetime | None, holds: bool, at: datetime) -> datetime | None:
    return (stamp or at) if holds else None


def _stamp_state(row: Request, state: State, at: datetime) -> None:
    match state:
        case State.FILED if row.filed_at is None:
            row.filed_at = at
        case State.FORWARDED:
            row.forwarded_at = at
        case State.SENT:
            row.sent_at = at
        case State.CLOSED:
            row.closed_at = at
        case _:
            pass


def open_case(request_id: int, *, by: Actor, counted: bool = False) -> Case:
    """Put a case on the desk: its row locked, its facts read, its doer known.

    Locks:  the request row, then the head of its chain (no key)
    Raises: Request.DoesNotExist
    """
    row = (
        Request.objects.select_for_update(no_key=True, of=("self",))
        .select_related("version", "mailing", "requester", "procedure")
        .get(pk=request_id)
    )
    # Letters append to the house before this act's own entry does; see `hold` for why this is first.
    hold(case_chain(request_id))
    rules = house.desk_rules()
    count = standing.count_of(row) if counted else None
    return Case(
        row=row,
        facts=standing.facts_of(row, count=count, rules=rules),
        by=by,
        doer=standing.doer_of(by),
        at=timezone.now(),
        rules=rules,
    )
