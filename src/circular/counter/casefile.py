"""A case as its page shows it: the five activities with their evidence, the history, the clocks.

Rules:
1. Titles, posts and control points come from the procedure's data; nothing here knows the document.
2. Evidence without what, when and seal is not shown as evidence; the seal is the entry's number and
   short digest.
3. Posts before persons: "Profesional universitario (P. Ejemplo)"; machines are "Circular".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from circular.counter import clocks, formats, labels, parts, queries, trays
from circular.counter.progress import activities_done, activity_now
from circular.evidence.actors import ActorKind
from circular.evidence.queries import EntryRow
from circular.workflow.models import Correspondence, Duty, Request
from circular.workflow.procedure import Activity, Procedure
from circular.workflow.states import State

# The letter that an act sends: what its evidence links to.
LETTER_OF: Mapping[str, tuple[str, ...]] = {
    "acknowledged": ("acknowledgement",),
    "asked_for_missing": ("missing",),
    "filed": ("request_to_review",),
    "declared_urgent": ("urgent_declared",),
    "returned": ("returned",),
    "rejected": ("rejected",),
    "tested": ("proof",),
    "forwarded": ("forwarded",),
    "sent_back": ("sent_back",),
    "confirmed_to_communications": ("confirmation_to_communications",),
    "confirmed_to_requester": ("confirmation_to_requester",),
    "verified": ("verdict_positive", "verdict_negative"),
    "found_not_sent": ("not_sent",),
    "reminded": ("reminder",),
    "escalated": ("escalation",),
    "cancelled": ("cancelled",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """Everything that several parts of the page look at."""

    request: Request
    procedure: Procedure
    entries: Sequence[EntryRow]
    duties: Sequence[Duty]
    letters: Sequence[Correspondence]
    people: Mapping[int, str]
    posts: Mapping[str, str]
    now: datetime

    @property
    def state(self) -> State:
        """Return the state of the request."""
        return State(self.request.state)

    @property
    def done(self) -> int:
        """Return how many activities are done."""
        return activities_done(self.state, trays.reached(self.request))

    @property
    def open_duties(self) -> list[Duty]:
        """Return what is owed now, the soonest first."""
        return sorted(
            (duty for duty in self.duties if duty.ended_at is None), key=lambda duty: duty.due_at
        )

    @property
    def number(self) -> str:
        """Return the filing number; a draft has none."""
        return self.request.filing_number or ""


def by_whom(entry: EntryRow, people: Mapping[int, str], posts: Mapping[str, str]) -> str:
    """Say who acted: the post, then the person."""
    if entry.by.kind is not ActorKind.PERSON or entry.by.person is None:
        return str(labels.MACHINES.get(entry.by.kind.value, entry.by.kind.value))
    name = people.get(entry.by.person, "")
    post = posts.get(entry.by.post or "", "")
    if post and name:
        return f"{post} ({name})"
    return post or name


def seal(entry: EntryRow) -> str:
    """Return the entry's place and short digest."""
    return _("asiento %(number)s · %(digest)s") % {
        "number": formats.figure(entry.sequence, trays.lang()),
        "digest": formats.seal(entry.digest),
    }


def letter_for(entry: EntryRow, letters: Sequence[Correspondence]) -> Correspondence | None:
    """Return the letter that an act sent: the one its entry names, else of its kind the nearest."""
    named = entry.facts.get("letters")
    posted = {one for one in named if isinstance(one, int)} if isinstance(named, list) else set()
    kinds = LETTER_OF.get(entry.act, ())
    raw = entry.facts.get("raw")
    if raw or (entry.act == "drafted" and entry.facts.get("channel") == "mail"):
        mails = [letter for letter in letters if letter.raw_digest]
        same = [letter for letter in mails if letter.raw_digest == raw] or mails[:1]
        return same[0] if same else None
    mine = [letter for letter in letters if letter.mailing_id in posted]
    same = [letter for letter in mine or letters if letter.letter in kinds]
    return min(same, key=lambda letter: abs(letter.at - entry.at), default=None)


def thing_of(entry: EntryRow, case: CaseFile) -> str:
    """Return the address of the thing itself: the letter, the mail, the message, or the entry."""
    number = case.number
    letter = letter_for(entry, case.letters)
    if letter is not None:
        return reverse("letter", args=[number, letter.pk])
    return reverse("entry", args=[number, entry.sequence])


def detail_of(entry: EntryRow) -> str:
    """Say the count or the time that belongs to an entry, after its name."""
    facts = entry.facts
    count = facts.get("count") if facts.get("count") is not None else facts.get("audience")
    if entry.act in {"approved", "frozen", "audience_frozen", "started"} and isinstance(count, int):
        words = ngettext("%(count)s persona", "%(count)s personas", count)
        return ": " + words % {"count": formats.figure(count, trays.lang())}
    scheduled = facts.get("scheduled_at")
    if entry.act == "scheduled" and isinstance(scheduled, str):
        at = datetime.fromisoformat(scheduled)
        return _(" para %(at)s") % {"at": trays.near(at, at)}
    verdict = facts.get("verdict")
    if entry.act == "verified" and isinstance(verdict, str):
        word = _("enviado, sin diferencias") if verdict == "positive" else _("no comprobado")
        return f": {word}"
    return ""


def evidence_of(entry: EntryRow, case: CaseFile) -> parts.Evidence:
    """Return an entry as evidence."""
    told = labels.happening(entry.act)
    letter = letter_for(entry, case.letters)
    by = by_whom(entry, case.people, case.posts)
    if letter is not None and letter.address and letter.direction == "out":
        by = _("%(by)s, a %(address)s") % {"by": by, "address": letter.address}
    return parts.Evidence(
        icon=told.icon,
        what=str(told.what),
        more=detail_of(entry),
        at=entry.at,
        by=by,
        seal=seal(entry),
        url=thing_of(entry, case),
    )


def phases(case: CaseFile, between: clocks.Between) -> tuple[parts.Phase, ...]:
    """Return the route of the procedure with the evidence under each activity."""
    made: list[parts.Phase] = []
    now_at = activity_now(case.state, case.done)
    for activity in case.procedure.activities:
        step = _step(activity, case, now_at, between)
        name = str(labels.PHASES.get(activity.phase, activity.phase))
        if made and made[-1].name == name:
            made[-1] = parts.Phase(name, (*made[-1].steps, step))
        else:
            made.append(parts.Phase(name, (step,)))
    return tuple(made)


def _called(post: str) -> str:
    """Return a post inside a sentence: small, unless it is the proper name of an office."""
    named = any(word[:1].isupper() for word in post.split()[1:])
    return post if named else formats.lowered(post)


def _step(
    activity: Activity, case: CaseFile, now_at: int | None, between: clocks.Between
) -> parts.Step:
    mine = [entry for entry in case.entries if entry.act in activity.evidence]
    posts = ", ".join(_called(post) for post in activity.posts)
    verb = _("Responden") if len(activity.posts) > 1 else _("Responde")
    duty = _("%(verb)s: %(posts)s. Punto de control: %(point)s.") % {
        "verb": verb,
        "posts": posts,
        "point": formats.lowered(activity.control_point),
    }
    owed = [one for one in case.open_duties if one.stage in activity.stages]
    state, when, tone, icon = _standing(activity, case, now_at, owed, between)
    return parts.Step(
        number=activity.number,
        title=activity.title,
        state=state,
        duty=duty,
        when=when,
        tone=tone,
        when_icon=icon,
        evidence=tuple(evidence_of(entry, case) for entry in mine),
        pending=_pending(activity, case, state),
        live=case.state is State.SENDING and activity.number == now_at,
    )


def _standing(
    activity: Activity,
    case: CaseFile,
    now_at: int | None,
    owed: Sequence[Duty],
    between: clocks.Between,
) -> tuple[str, str, parts.Tone, str]:
    if activity.number <= case.done:
        spent = _spent(activity, case, between)
        return "done", spent, parts.Tone.OK, ""
    if activity.number != now_at:
        if case.state in {State.REJECTED, State.CANCELLED}:
            return "todo", _("No se llegó a esta actividad"), parts.Tone.PLAIN, ""
        return "todo", "", parts.Tone.PLAIN, ""
    if not owed:
        return "now", _("En curso"), parts.Tone.NOW, "clock"
    clock = trays.duty_clock(owed[0], case.now, between)
    late = owed[0].due_at < case.now
    tone = clock.tone if late or clock.tone is parts.Tone.WARN else parts.Tone.NOW
    return ("late" if late else "now"), clock.fact, tone, clock.icon


def _spent(activity: Activity, case: CaseFile, between: clocks.Between) -> str:
    """Say in how much business time an activity was done, of how much."""
    ended = [
        duty
        for duty in case.duties
        if duty.stage in activity.stages and duty.stage != "confirm_draft" and duty.ended_at
    ]
    if not ended:
        return _("Cumplida")
    used = sum(
        (between(duty.started_at, duty.ended_at) for duty in ended if duty.ended_at), timedelta(0)
    )
    granted = timedelta(minutes=sum(duty.minutes for duty in ended))
    return _("Cumplida en %(used)s de %(granted)s hábiles") % {
        "used": formats.business(used),
        "granted": formats.business(granted),
    }


def _pending(activity: Activity, case: CaseFile, state: str) -> str:
    if state == "done" or case.state in {State.REJECTED, State.CANCELLED}:
        return ""
    mailing = case.request.mailing
    if activity.number == 3 and case.state is State.SENDING and mailing is not None:
        return _("Falta: que ninguna persona quede pendiente. Hay %(count)s.") % {
            "count": formats.figure(mailing.pending, trays.lang())
        }
    if activity.number == 2 and case.state is State.RETURNED:
        return _("Falta: que el solicitante corrija lo que se le devolvió y lo presente otra vez.")
    return str(labels.PENDING.get(activity.number, ""))


def history(case: CaseFile) -> list[parts.Evidence]:
    """Return every entry, the latest first."""
    return [evidence_of(entry, case) for entry in reversed(case.entries)]


def totals(request: Request) -> parts.Totals | None:
    """Return the six figures: measured by Circular, or declared by TIC."""
    if request.declared:
        figures = request.declared["figures"]
        return parts.Totals(
            audience=int(figures.get("audience", 0)),
            accepted=int(figures.get("accepted", 0)),
            refused=int(figures.get("refused", 0)),
            bounced=int(figures.get("bounced", 0)),
            suppressed=int(figures.get("suppressed", 0)),
            in_doubt=int(figures.get("in_doubt", 0)),
            pending=int(figures.get("pending", 0)),
            declared=True,
        )
    mailing = request.mailing
    if mailing is None or mailing.frozen_at is None:
        return None
    return parts.Totals(
        audience=mailing.audience,
        accepted=mailing.accepted,
        refused=mailing.refused,
        bounced=mailing.bounced,
        suppressed=mailing.suppressed,
        in_doubt=mailing.in_doubt,
        pending=mailing.pending,
    )


def people_in(entries: Sequence[EntryRow]) -> tuple[dict[int, str], dict[str, str]]:
    """Return the names of the people and posts that entries hold, in two queries."""
    persons = {entry.by.person for entry in entries if entry.by.person}
    posts = {entry.by.post for entry in entries if entry.by.post}
    return queries.names_of(persons), queries.post_names(posts)
