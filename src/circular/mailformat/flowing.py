"""Lines that a mail program broke only because the next word did not fit, joined again. Pure.

Rules:
1. No word is added, lost or moved; only a line break becomes a space.
2. A break is soft when the first word of the next line would have passed the width of the text, and
   that width is one at which mail programs wrap. Longer lines somewhere mean that nothing was wrapped.
3. Lists, quotations, labels ("Hora: 10 a. m."), indented lines and short lines keep their breaks.
4. A paragraph is joined only if one of its breaks stands in the middle of a sentence.

Known gaps: verses that are as long as wrapped prose and go on in small letters are joined.
"""

import re
from itertools import pairwise

NARROWEST, WIDEST = 60, 80  # columns; RFC 3676 §4.2 asks for 66 to 78, programs use 60 to 80

_KEPT = re.compile(r"[>\-*•–—·+|#\s]|\d{1,3}[.)]|[a-z]\)|[^\s:]{1,20}(?: \S{1,20}){0,2}:(?:\s|$)")
_ENDED = (".", ":", ";", "!", "?", "…")


def flowing(text: str) -> str:
    """Return the text with its soft breaks as spaces.

    Shapes:  lines end in LF; blank lines stay as they are
    """
    lines = text.split("\n")
    width = max(map(len, lines), default=0)
    if not NARROWEST <= width <= WIDEST:
        return text
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line.rstrip())
        else:
            blocks += [[line], []]
    return "\n".join("\n".join(_joined(block, width)) for block in blocks if block)


def _joined(block: list[str], width: int) -> list[str]:
    soft = [_is_soft(line, follower, width) for line, follower in pairwise(block)]
    within = [
        is_soft and not line.endswith(_ENDED) and follower[:1].islower()
        for is_soft, line, follower in zip(soft, block, block[1:], strict=False)
    ]
    if not any(within):
        return block
    joined = [block[0]]
    for is_soft, line in zip(soft, block[1:], strict=True):
        if is_soft:
            joined[-1] += " " + line
        else:
            joined.append(line)
    return joined


def _is_soft(line: str, follower: str, width: int) -> bool:
    if _KEPT.match(follower) or line[:1] in {">", "|"}:
        return False
    return len(line) + 1 + len(follower.split(maxsplit=1)[0]) > width
