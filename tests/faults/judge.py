"""The judge of every scenario: the far side's own file against our rows, name by name.

Rules
1. Nobody is forgotten: whoever was to be written to is with the far side, or is shown as refused,
   suppressed, in doubt or still to do (and in the end nobody is still to do).
2. Accepted means that the far side has it; refused means that it has not.
3. Nobody is mailed twice without a recorded decision: a possible duplicate is named on its row, and
   every copy has the same Message-ID and the same octets.
4. Those in doubt are at most as many as could be under way.
5. The counters are the rows.
"""

from collections import Counter
from dataclasses import dataclass, field

from faults.ground import House


@dataclass(slots=True)
class Judgement:
    """What was wrong, in words, and the figures of the run."""

    problems: list[str] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong."""
        return not self.problems

    def object_if(self, wrong: object, words: str) -> None:
        """Note a problem where something is the case; a collection shows its first names."""
        if wrong:
            names = sorted(wrong)[:5] if isinstance(wrong, (set, frozenset, list)) else ""
            count = f" ({len(wrong)}: {names})" if isinstance(wrong, (set, list)) else ""
            self.problems.append(words + count)


def judge(
    house: House,
    mailing: int,
    *,
    most_in_doubt: int = 0,
    most_named: int | None = None,
    to_do: bool = False,
    truth: dict[str, str] | None = None,
) -> Judgement:
    """Compare both books.

    ``most_named`` bounds those in doubt and those named as possible duplicates together; ``truth``
    says what must have become of each address.
    """
    found = Judgement()
    rows = house.ask(
        "SELECT address, state, possible_duplicate FROM mailing_recipient"
        " WHERE mailing_id = %s AND NOT witness",
        mailing,
    )
    state = {address: was for address, was, _ in rows}
    named = {address for address, _, duplicate in rows if duplicate}
    lines = house.took()
    copies = Counter(line["rcpt"] for line in lines)
    by_state: dict[str, set[str]] = {}
    for address, was in state.items():
        by_state.setdefault(was, set()).add(address)
    doubtful = by_state.get("in_doubt", set())
    twice = {address for address, count in copies.items() if count > 1}
    texts: dict[str, set[tuple[str, str]]] = {}
    for line in lines:
        texts.setdefault(line["rcpt"], set()).add((line["message_id"], line["digest"]))

    found.object_if(not rows, "nobody was to be written to")
    found.object_if(
        by_state.get("accepted", set()) - set(copies), "accepted, not with the far side"
    )
    found.object_if(by_state.get("refused", set()) & set(copies), "refused, yet with the far side")
    found.object_if(set(copies) - set(state), "strangers got mail")
    found.object_if(twice - named, "mailed twice in silence")
    found.object_if({name for name in twice if len(texts[name]) > 1}, "copies differ")
    if not to_do:
        found.object_if(by_state.get("pending", set()), "still to do")
    found.object_if(
        len(doubtful) > most_in_doubt, f"{len(doubtful)} in doubt, at most {most_in_doubt}"
    )
    if most_named is not None:
        count = len(doubtful | named)
        found.object_if(count > most_named, f"{count} in doubt or named, at most {most_named}")
    names = ("pending", "accepted", "refused", "bounced", "suppressed", "in_doubt")
    totals = house.ask(
        f"SELECT {', '.join(names)} FROM mailing_mailing WHERE id = %s",
        mailing,
    )
    for name, total in zip(names, totals[0] if totals else (), strict=False):
        counted = len(by_state.get(name, ()))
        found.object_if(total != counted, f"counter {name} says {total}, rows say {counted}")
    if truth is not None:
        wrong = {
            f"{address}: {state.get(address)} instead of {was}"
            for address, was in truth.items()
            if state.get(address) != was
        }
        found.object_if(wrong, "not as the script's truth")
    found.figures = {
        "people": len(state),
        "copies": sum(copies.values()),
        "twice": len(twice),
        "named": len(named),
        **{was: len(who) for was, who in sorted(by_state.items())},
    }
    return found
