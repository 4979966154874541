"""How a sink misbehaves: rules by script, by share and by the clock, the same in every run. Pure.

Rules are looked at in order; the first that fits is played. What chance decides comes from the seed
alone: by dice in the order of the questions, or, where a rule is `steady`, by the name that is
asked about, so that the truth of each recipient is known before the run.

    [[rule]]
    at = "rcpt"                 # connect, ehlo, mail, rcpt, data, dot, quit
    match = "full"              # part of the command's argument; absent: always
    share = 0.05                # how often, by the seed; absent: always
    steady = true               # the name and the seed decide, not the dice
    each = 1                    # at most so often for one name
    skip = 20                   # fits that pass before the rule begins
    times = 3                   # at most this often; absent: for ever
    from = 10.0                 # seconds of the sink's life in which it holds
    until = 70.0
    reply = "452 4.2.2 full"    # several lines: a list; absent: the usual reply
    delay = 0.5                 # seconds before the reply
    drip = 10.0                 # seconds before each octet of the reply
    hang = "before"             # hang up without a reply, or "after" it, or "silent": neither
    store = false               # at the dot: write it down before hanging up?
"""

import hashlib
import random
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

PHASES = ("connect", "ehlo", "mail", "rcpt", "data", "dot", "quit")
HANGS = ("", "before", "after", "silent")
_TOML_NAMES: Mapping[str, str] = {"from": "begins", "until": "ends"}  # `from` is Python's word


class ScriptError(ValueError):
    """A script that cannot be played; the message says why."""


@dataclass(slots=True, kw_only=True)
class Rule:
    """One way to misbehave."""

    at: str
    match: str = ""
    share: float = 1.0
    steady: bool = False
    each: int = -1
    skip: int = 0
    times: int = -1
    begins: float = 0.0
    ends: float = float("inf")
    reply: Sequence[str] = ()
    delay: float = 0.0
    drip: float = 0.0
    hang: Literal["", "before", "after", "silent"] = ""
    store: bool = True
    _played: Counter[str] = field(default_factory=Counter)

    def fits(self, argument: str, dice: random.Random, *, age: float = 0.0, seed: int = 1) -> bool:
        """Whether this rule is played now; counts itself down.

        Units:   ``age`` seconds since the sink began
        """
        if self.times == 0 or self.match not in argument or not self.begins <= age < self.ends:
            return False
        if self.share < 1.0:
            drawn = self.drawn(argument, seed) if self.steady else dice.random()
            if drawn >= self.share:
                return False
        if 0 <= self.each <= self._played[argument]:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.each >= 0:
            self._played[argument] += 1
        self.times -= self.times > 0
        return True

    def drawn(self, argument: str, seed: int) -> float:
        """Give what a steady rule draws for this name: from 0 to 1, the same at any time."""
        words = f"{seed} {self.at} {' '.join(self.reply)} {argument}"
        return int.from_bytes(hashlib.sha256(words.encode()).digest()[:6], "big") / 2**48


def rules_of(text: str) -> list[Rule]:
    """Read a script.

    Raises: ScriptError
    """
    try:
        rows = tomllib.loads(text).get("rule", [])
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(str(error)) from None
    known = {one.name for one in fields(Rule)} - {"_played", *_TOML_NAMES.values()} | set(
        _TOML_NAMES
    )
    rules = []
    for number, row in enumerate(rows, 1):
        unknown = set(row) - known
        if unknown or row.get("at") not in PHASES or row.get("hang", "") not in HANGS:
            words = ", ".join(sorted(unknown)) or "at or hang"
            raise ScriptError(f"rule {number}: {words} unknown")
        if isinstance(row.get("reply"), str):
            row["reply"] = [row["reply"]]
        rules.append(Rule(**{_TOML_NAMES.get(name, name): value for name, value in row.items()}))
    return rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How often each usual misfortune happens, from 0 to 1; names draw, so each has its truth."""

    defer: float = 0.0  # 450 at RCPT, the first time a recipient is named
    refuse: float = 0.0  # 550 at RCPT
    defer_dot: float = 0.0  # 451 after the dot, the first time
    refuse_dot: float = 0.0  # 554 after the dot
    busy: float = 0.0  # 421 at MAIL
    lose: float = 0.0  # hang up after the dot, nothing stored
    keep_and_lose: float = 0.0  # store it, and hang up instead of saying so
    cut: float = 0.0  # hang up at RCPT
    garbage: float = 0.0  # something that is no reply, at RCPT
    tarpit: float = 0.0  # a second for each octet of the reply to RCPT

    def rules(self) -> list[Rule]:
        """Give them as rules."""
        return [
            rule
            for rule in (
                Rule(at="rcpt", share=self.refuse, steady=True, reply=["550 5.1.1 no such user"]),
                Rule(
                    at="rcpt",
                    share=self.defer,
                    steady=True,
                    each=1,
                    reply=["450 4.2.0 come back soon"],
                ),
                Rule(at="rcpt", share=self.cut, hang="before"),
                Rule(at="rcpt", share=self.garbage, reply=["\x01\ufffd?! this is no reply"]),
                Rule(at="rcpt", share=self.tarpit, drip=1.0),
                Rule(at="mail", share=self.busy, reply=["421 4.3.2 closing"], hang="after"),
                Rule(at="dot", share=self.refuse_dot, steady=True, reply=["554 5.7.0 not this"]),
                Rule(
                    at="dot",
                    share=self.defer_dot,
                    steady=True,
                    each=1,
                    reply=["451 4.3.0 not now"],
                ),
                Rule(at="dot", share=self.lose, hang="before", store=False),
                Rule(at="dot", share=self.keep_and_lose, hang="before", store=True),
            )
            if rule.share > 0
        ]


SHARES = tuple(one.name for one in fields(Shares))
