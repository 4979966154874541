"""Which acts are open to a person on a case, and why the others are not open yet.

Rule 1: the guards answer, not the page: each act is tried with everything it could need.
Rule 2: an act that this person may never do is absent; one whose time has not come stands there
        with the guard's own sentence, as far as it lies ahead on the line of the procedure.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from circular.workflow import labels
from circular.workflow.acts import MACHINE, Act, Deed, Doer, Figures
from circular.workflow.facts import RequestFacts
from circular.workflow.guards import NEVER, Refusal
from circular.workflow.models import Request
from circular.workflow.queries import standing
from circular.workflow.states import Verdict
from circular.workflow.transitions import MOVES, objection

# Acts that happen by themselves or inside another act; no page offers them.
BEHIND_THE_DESK = frozenset({Act.ACKNOWLEDGE, Act.HOLD, Act.ESCALATE, Act.LAPSE, Act.MARK_SENT})


@dataclass(frozen=True, slots=True)
class OpenAct:
    """One act: open now (`refusal` None), or not yet, with the sentence that says why."""

    act: Act
    refusal: Refusal | None
    sentence: str


def acts_open_to(person_id: int, request_id: int, *, now: datetime) -> tuple[OpenAct, ...]:
    """Return the acts of a person on a case, in the order of the procedure.

    The audience is not counted: what only the count could refuse is answered when the act is done.
    """
    row = Request.objects.select_related("version", "mailing").filter(pk=request_id).first()
    if row is None:
        return ()
    return acts_open(standing.facts_of(row), standing.doer(person_id), now=now)


def acts_open(facts: RequestFacts, doer: Doer, *, now: datetime) -> tuple[OpenAct, ...]:
    """Return the acts of a doer on facts that are at hand already."""
    own = facts.authorities & doer.posts
    trial = Deed(
        act=Act.FILE,
        by=doer,
        at=now,
        seen_digest=facts.digest,
        seen_count=facts.approved_count or 0,
        new_digest=facts.digest or "0",
        reason="0",
        scheduled_at=now + timedelta(hours=1),
        figures=Figures(audience=0, accepted=0),
        documents=("0",),
        verdict=Verdict.POSITIVE,
        post=min(own - facts.consents, default=min(own, default=None)),
    )
    found = []
    for act in MOVES:
        if act in BEHIND_THE_DESK:
            continue
        answer = _answer(facts, replace(trial, act=act))
        if answer is not None:
            found.append(answer)
    return tuple(found)


def _answer(facts: RequestFacts, deed: Deed) -> OpenAct | None:
    refused = objection(facts, deed)
    if refused is None:
        return OpenAct(deed.act, None, "")
    if refused.refusal in NEVER or refused.refusal is Refusal.WRONG_STATE:
        return None
    if refused.refusal is Refusal.TOO_EARLY and not _lies_ahead(facts, deed):
        return None
    return OpenAct(deed.act, refused.refusal, labels.sentence(refused))


def _lies_ahead(facts: RequestFacts, deed: Deed) -> bool:
    """Say whether an act that is too early is one that this person will have to do."""
    if deed.act not in labels.AWAITED or deed.by is MACHINE:
        return False
    _, never = MOVES[deed.act].who
    return not never(facts, deed)
