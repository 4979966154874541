"""What the tests of people share: a postman that keeps letters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from circular.people import postman


@dataclass(frozen=True, slots=True)
class Posted:
    letter: str
    to: str
    language: str
    context: Mapping[str, object]


@dataclass(slots=True)
class Letterbox:
    """The scripted double of the composing room: every letter, in order."""

    letters: list[Posted] = field(default_factory=list)

    def take(
        self, letter: postman.HouseLetter, to: str, language: str, context: Mapping[str, object]
    ) -> None:
        self.letters.append(Posted(letter.value, to, language, context))

    @property
    def last(self) -> Posted:
        return self.letters[-1]


@pytest.fixture
def letterbox(monkeypatch: pytest.MonkeyPatch) -> Letterbox:
    box = Letterbox()
    monkeypatch.setattr(postman, "_postmen", [])
    postman.register_postman(box.take)
    return box
