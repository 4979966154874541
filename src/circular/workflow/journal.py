"""What the archive keeps of a deed, and the deed read back from it. Pure.

Rule 1: `deed_from_journal(journal_facts(deed))` gives a deed with the same effect; roles and posts
        are not kept, because only guards ask for them.
Rule 2: ids, codes, counts, times and digests only; see `evidence.chain`.
"""

from collections.abc import Mapping
from datetime import datetime

from circular.workflow.acts import Act, Deed, Doer, Figures
from circular.workflow.states import State, Verdict

JournalFacts = Mapping[str, int | str | bool | list[str] | list[int]]


def journal_facts(deed: Deed, before: State, after: State) -> JournalFacts:
    """Return what the archive keeps of a deed: ids, codes, counts, times and digests."""
    kept: dict[str, int | str | bool | list[str] | list[int]] = {
        "from": before.value,
        "to": after.value,
    }
    texts = {
        "digest": deed.seen_digest,
        "new_digest": deed.new_digest,
        "reason": deed.reason,
        "channel": deed.channel,
        "refusal": deed.refusal,
        "number": deed.number,
        "verdict": deed.verdict.value if deed.verdict else "",
        "scheduled_at": deed.scheduled_at.isoformat() if deed.scheduled_at else "",
    }
    kept |= {name: value for name, value in texts.items() if value}
    if deed.seen_count is not None:
        kept["count"] = deed.seen_count
    if deed.post is not None:
        kept["post"] = deed.post
    if deed.documents:
        kept["documents"] = list(deed.documents)
    if deed.figures is not None:
        figures = deed.figures
        kept |= {
            "audience": figures.audience,
            "accepted": figures.accepted,
            "refused": figures.refused,
            "bounced": figures.bounced,
            "suppressed": figures.suppressed,
            "pending": figures.pending,
            "in_doubt": figures.in_doubt,
        }
    return kept


def deed_from_journal(
    act: str, at: datetime, person: int | None, facts: Mapping[str, object]
) -> Deed:
    """Read a deed back from what the archive kept of it; roles are not kept, nor needed."""

    def text(name: str) -> str:
        return str(facts.get(name, ""))

    def number(name: str) -> int | None:
        value = facts.get(name)
        return value if isinstance(value, int) else None

    documents = facts.get("documents", ())
    figures = None
    if "accepted" in facts:
        names = ("audience", "accepted", "refused", "bounced", "suppressed", "pending", "in_doubt")
        figures = Figures(**{name: number(name) or 0 for name in names})
    return Deed(
        act=Act(act),
        by=Doer(person=person, machine=person is None),
        at=at,
        seen_digest=text("digest"),
        seen_count=number("count"),
        new_digest=text("new_digest"),
        reason=text("reason"),
        channel=text("channel"),
        scheduled_at=datetime.fromisoformat(text("scheduled_at")) if text("scheduled_at") else None,
        figures=figures,
        documents=tuple(map(str, documents)) if isinstance(documents, list | tuple) else (),
        verdict=Verdict(text("verdict")) if text("verdict") else None,
        refusal=text("refusal"),
        post=number("post"),
        number=text("number"),
    )
