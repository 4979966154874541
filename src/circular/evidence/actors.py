"""Who acted: a person (perhaps in a post) or one of the house's machines. Pure.

Rule 1: every service takes `by=` an Actor, keyword-only, without default.
Rule 2: an actor holds ids and codes, never a name or an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """The kinds of actor that an entry can name."""

    PERSON = "person"
    CLOCK = "clock"  # a periodic round or a schedule
    RELAY = "relay"  # what a relay answered
    DOOR = "door"  # what came in by mail
    SYSTEM = "system"  # start-up, migrations, command line


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that acts; `person` is a people.Person id, `post` a post's code."""

    kind: ActorKind
    person: int | None = None
    post: str | None = None

    def __post_init__(self) -> None:
        """Refuse a person without id and a machine with one."""
        if (self.kind is ActorKind.PERSON) is (self.person is None):
            raise ValueError(f"an actor of kind {self.kind} with person {self.person!r}")

    @classmethod
    def of(cls, person: int, post: str | None = None) -> Actor:
        """Give the actor for a person, acting in a post where that matters."""
        return cls(ActorKind.PERSON, person, post)


CLOCK = Actor(ActorKind.CLOCK)
RELAY = Actor(ActorKind.RELAY)
DOOR = Actor(ActorKind.DOOR)
SYSTEM = Actor(ActorKind.SYSTEM)
