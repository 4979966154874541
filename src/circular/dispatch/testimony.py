"""What a worker's journal proves about the people it had on loan, once it can write no more. Pure.

Rules
1. Whoever's answer stands there has that verdict.
2. Whoever was handed over, without an answer, is in doubt.
3. Whoever was not handed over was never offered the message, for a line is written before the final
   dot is given to the kernel: untried. This holds only for a journal that is whole: written on this
   very start of this machine (a machine that lost its power lost lines, too).
4. Without a whole journal everybody who was on loan and has no answer is in doubt.
5. A line counts with its line end; the last one may be torn, and then what it announces never
   happened: the line comes first.

Shapes:  a line of two fields is a handing-over (lease, recipients parted by commas); one of ten is a
         verdict (`outcomes.lines`); anything else is nothing
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from circular.outcomes.lines import read_line


@dataclass(slots=True)
class Testimony:
    """What stands in one worker's journal.

    Shapes:  ``answers`` by lease, in the order in which they were written, as whole lines
    """

    whole: bool
    handed_over: dict[int, set[int]] = field(default_factory=dict)
    answers: dict[int, list[str]] = field(default_factory=dict)
    answered: dict[int, set[int]] = field(default_factory=dict)


def handing_over(lease: int, recipients: Iterable[int]) -> str:
    """Write down that these people's final dot is about to leave."""
    return f"{lease}\t{','.join(map(str, recipients))}\n"


def read(sheets: Iterable[str], *, whole: bool) -> Testimony:
    """Read the sheets of one journal, oldest first."""
    found = Testimony(whole)
    for sheet in sheets:
        for line in sheet.split("\n")[:-1]:
            _take(found, line)
    return found


def _take(found: Testimony, line: str) -> None:
    lease, tab, rest = line.partition("\t")
    if tab and "\t" not in rest:
        people = rest.split(",")
        if lease.isdecimal() and all(one.isdecimal() for one in people):
            found.handed_over.setdefault(int(lease), set()).update(map(int, people))
        return
    fact = read_line(line)
    if fact is not None:
        number, told = fact
        found.answers.setdefault(number, []).append(line + "\n")
        found.answered.setdefault(number, set()).add(told.recipient)


def is_untried(testimony: Testimony | None, lease: int, recipient: int) -> bool:
    """Say whether somebody on loan, without a recorded verdict, was certainly never offered it."""
    if testimony is None or not testimony.whole:
        return False
    return recipient not in testimony.handed_over.get(lease, ())
