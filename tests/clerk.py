"""A small university with a witness mailbox, and a case walked to where the clerk begins: fixtures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from circular.directory.rules import Clause, Rule, rule_to_json
from circular.directory.services import import_accounts
from circular.evidence.actors import RELAY, SYSTEM, Actor
from circular.imap.folder import FolderMailbox
from circular.imap.mailbox import Mailbox, MailboxAccount
from circular.mailing.models import Mailing, Recipient
from circular.mailing.queries import printed_copy
from circular.mailing.services import add_witness, note_settled
from circular.people.models import Holding, Institution, Membership, Person, Post, Sender, Unit
from circular.people.roles import Role
from circular.workflow import services as desk
from circular.workflow.content import Content
from circular.workflow.models import Request
from circular.workflow.states import Channel

WITNESS = "testigo@correo.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who acts."""

    anna: Actor  # asks
    paula: Actor  # Communications
    otto: Actor  # IT Division
    vera: Actor  # owns the process
    unit: int
    sender: int


def _person(name: str) -> Person:
    return Person.objects.create(email=f"{name}@uni.example", full_name=name.title())


def _hold(who: Person, role: Role, code: str) -> None:
    post = Post.objects.create(code=code, name=code, role=role, mailbox=f"{code}@uni.example")
    Holding.objects.create(person=who, post=post, from_on=date(2020, 1, 1))


@pytest.fixture
def cast(db: None) -> Cast:
    """Fill every post that the clerk writes to."""
    Institution.objects.update_or_create(
        pk=1,
        defaults={
            "name": "Universidad de Prueba",
            "short_name": "UP",
            "domain": "uni.example",
            "confirm_automatically": True,
        },
    )
    unit = Unit.objects.create(code="salud", name="División de Salud", kind="administrative")
    sender = Sender.objects.create(
        unit=unit, display_name="Bienestar", address="bienestar@uni.example"
    )
    people = {name: _person(name) for name in ("anna", "paula", "otto", "vera")}
    Membership.objects.create(person=people["anna"], unit=unit)
    _hold(people["paula"], Role.COMMUNICATIONS, "comunicaciones")
    _hold(people["otto"], Role.TIC, "tic")
    _hold(people["vera"], Role.PROCESS_OWNER, "proceso")
    import_accounts(
        b"address,given_name,groups\n"
        + b"".join(b"est%d@uni.example,E%d,student\n" % (each, each) for each in range(3)),
        name="cuentas.csv",
        keep_good=False,
        confirm=True,
        by=SYSTEM,
    )
    actors = {name: Actor.of(each.pk) for name, each in people.items()}
    return Cast(unit=unit.pk, sender=sender.pk, **actors)


@pytest.fixture
def witness(cast: Cast) -> str:
    """Name one witness mailbox."""
    add_witness(
        address=WITNESS,
        imap_host="localhost",
        imap_port=143,
        security="none",
        username="testigo",
        password="secreto",
        folder="INBOX",
        by=SYSTEM,
    )
    return WITNESS


@pytest.fixture
def draft(cast: Cast) -> int:
    """Write a draft that lacks nothing."""
    content = Content(
        sender=cast.sender,
        subject="Jornada de salud",
        text="Habrá una jornada de salud el martes.",
        audience=dict(rule_to_json(Rule((Clause(groups=frozenset({"student"})),)))),
    )
    return desk.create_draft(
        content, by=cast.anna, requester=cast.anna.person, unit=cast.unit, channel=Channel.WEB
    )


def _digest(request_id: int) -> str:
    row = Request.objects.select_related("version").get(pk=request_id)
    assert row.version is not None
    return row.version.digest


Walk = Callable[[], int]


@pytest.fixture
def forwarded(cast: Cast, draft: int) -> Walk:
    """Walk the draft to IT's desk, accepted."""

    def walk() -> int:
        desk.file_request(draft, by=cast.anna)
        desk.take(draft, by=cast.paula)
        desk.approve(draft, by=cast.paula, seen_digest=_digest(draft), seen_count=3)
        desk.accept(draft, by=cast.otto)
        assert Request.objects.get(pk=draft).state == "forwarded"
        return draft

    return walk


@pytest.fixture
def settled(cast: Cast, forwarded: Walk) -> Callable[..., int]:
    """Walk on to a sending that owes nobody; some rows may have ended in another state."""

    def walk(**other: str) -> int:
        request_id = forwarded()
        desk.start(request_id, by=cast.otto)
        mailing = mailing_of(request_id)
        rows = Recipient.objects.filter(mailing=mailing.pk)
        rows.update(state="accepted")
        for address, state in other.items():
            rows.filter(address=f"{address}@uni.example").update(state=state, reason="test")
        assert note_settled(mailing.pk, by=RELAY)
        return request_id

    return walk


def mailing_of(request_id: int) -> Mailing:
    """Give the circular of a case."""
    mailing = Request.objects.get(pk=request_id).mailing
    assert mailing is not None
    return mailing


@dataclass(frozen=True, slots=True)
class WitnessInbox:
    """The witness's mailbox as a folder, delivered to by hand."""

    folder: Path

    def receive(self, request_id: int, *, altered: tuple[bytes, bytes] | None = None) -> None:
        """Deliver the witness's copy as the relay got it, or with one word altered on the way."""
        row = Recipient.objects.get(mailing=mailing_of(request_id).pk, witness=True)
        raw = printed_copy(row.pk).raw
        if altered is not None:
            assert altered[0] in raw
            raw = raw.replace(*altered)
        (self.folder / f"{len(list(self.folder.iterdir()))}.eml").write_bytes(
            b"Received: by mx.correo.example; Mon, 23 Nov 2026 12:00:00 -0500\r\n" + raw
        )

    @contextmanager
    def opening(self, account: MailboxAccount) -> Iterator[Mailbox]:
        """Open it, as `open_mailbox` does."""
        assert account.password == "secreto"
        yield FolderMailbox(self.folder)


@pytest.fixture
def inbox(witness: str, tmp_path: Path) -> WitnessInbox:
    """Return the witness's empty mailbox."""
    return WitnessInbox(tmp_path)
