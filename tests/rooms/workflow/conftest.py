"""The cast of the desk: a small university with every post held, and one draft on the table."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import pytest

from circular.directory.services import import_accounts
from circular.evidence.actors import SYSTEM, Actor
from circular.mailing.kinds import MailClass
from circular.people.models import (
    Holding,
    Institution,
    Membership,
    Person,
    Post,
    Sender,
    Unit,
)
from circular.people.roles import Role
from circular.workflow import services
from circular.workflow.content import Content
from circular.workflow.models import Request
from circular.workflow.queries import house
from circular.workflow.states import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everybody who may act, by what they do."""

    anna: Actor  # asks
    paula: Actor  # Communications
    pedro: Actor  # Communications too
    otto: Actor  # IT Division
    dean: Actor  # an authority over students
    vera: Actor  # owns the process
    mallory: Actor  # nobody
    unit: int
    sender: int
    deans_post: int


def person(name: str) -> Person:
    return Person.objects.create(email=f"{name.casefold()}@uni.example", full_name=name)


def hold(who: Person, role: Role, code: str) -> int:
    post, _ = Post.objects.get_or_create(
        code=code, defaults={"name": code, "role": role, "mailbox": f"{code}@uni.example"}
    )
    Holding.objects.create(person=who, post=post, from_on=date(2020, 1, 1))
    return post.pk


@pytest.fixture
def cast(db: None) -> Cast:
    Institution.objects.update_or_create(
        pk=1,
        defaults={"name": "Universidad de Prueba", "short_name": "UP", "domain": "uni.example"},
    )
    unit = Unit.objects.create(code="salud", name="División de Salud", kind="administrative")
    sender = Sender.objects.create(
        unit=unit, display_name="Bienestar", address="bienestar@uni.example"
    )
    people = {
        name: person(name) for name in ("Anna", "Paula", "Pedro", "Otto", "Dean", "Vera", "Mallory")
    }
    Membership.objects.create(person=people["Anna"], unit=unit)
    hold(people["Paula"], Role.COMMUNICATIONS, "comunicaciones")
    hold(people["Pedro"], Role.COMMUNICATIONS, "comunicaciones")
    hold(people["Otto"], Role.TIC, "tic")
    deans_post = hold(people["Dean"], Role.APPROVER, "decano")
    hold(people["Vera"], Role.PROCESS_OWNER, "proceso")
    import_accounts(
        b"address,given_name,groups\n"
        + b"".join(b"est%d@uni.example,E%d,student\n" % (each, each) for each in range(3)),
        name="cuentas.csv",
        keep_good=False,
        confirm=True,
        by=SYSTEM,
    )
    actors = {name.casefold(): Actor.of(each.pk) for name, each in people.items()}
    return Cast(unit=unit.pk, sender=sender.pk, deans_post=deans_post, **actors)


@pytest.fixture
def content(cast: Cast) -> Content:
    return Content(
        sender=cast.sender,
        subject="Jornada de salud",
        text="Habrá una jornada de salud el martes.",
        audience=rule(),
        mail_class=MailClass.INFORMATIVE,
    )


def rule() -> dict[str, object]:
    from circular.directory.rules import Clause, Rule, rule_to_json

    return dict(rule_to_json(Rule((Clause(groups=frozenset({"student"})),))))


@pytest.fixture
def draft(cast: Cast, content: Content) -> int:
    return services.create_draft(
        content, by=cast.anna, requester=cast.anna.person, unit=cast.unit, channel=Channel.WEB
    )


@pytest.fixture
def reach(cast: Cast, draft: int) -> Callable[[str], int]:
    """Return a function that walks the draft along the usual way until a state."""

    def walk(state: str) -> int:
        steps: tuple[Callable[[], object], ...] = (
            lambda: services.file_request(draft, by=cast.anna),
            lambda: services.take(draft, by=cast.paula),
            lambda: services.approve(draft, by=cast.paula, seen_digest=digest(draft), seen_count=3),
            lambda: services.accept(draft, by=cast.otto),
            lambda: services.start(draft, by=cast.otto),
        )
        for step in steps:
            if Request.objects.get(pk=draft).state == state and state != "forwarded":
                return draft
            step()
            if state == "forwarded" and Request.objects.get(pk=draft).state == state:
                services.accept(draft, by=cast.otto)
                return draft
        assert Request.objects.get(pk=draft).state == state
        return draft

    return walk


def digest(request_id: int) -> str:
    row = Request.objects.select_related("version").get(pk=request_id)
    assert row.version is not None
    return row.version.digest


__all__ = ["Cast", "digest", "house", "rule"]
