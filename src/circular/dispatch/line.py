"""One session's work: takes people from the shelf, hands them over, and tells what was answered.

Rules
1. Nobody is handed over before it stands in the journal, under a lease that is still ours.
2. Whatever ends a session settles everybody on it: the SMTP core says how, `trouble` what it means.
3. What an answer says about the relay or the mailing is the crew's to act on; a session that heard
   something of the kind finishes what it has begun and takes nobody else.

Every message passes here, so this is written for few steps: one pass over the events of a read, one
line of text for a verdict, one write for all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from circular.dispatch import printing
from circular.dispatch.books import Books
from circular.dispatch.errors import FencedError
from circular.dispatch.lots import Lot, Shelf
from circular.dispatch.queries import RelayAccess
from circular.dispatch.testimony import handing_over
from circular.dispatch.trouble import Meaning, Scope, Trouble, meaning_of
from circular.mailformat.headers import UnsafeHeaderError
from circular.mailing.rendering import RecipientFacts
from circular.outcomes.lines import line_of, written
from circular.outcomes.verdicts import OutcomeFact, Source, Verdict
from circular.smtp.events import Event, Finished, Lost, Settled
from circular.smtp.protocol import Envelope
from circular.smtp.session import Session

logger = logging.getLogger(__name__)


class Crew(Protocol):
    """What a session asks of those who drive it."""

    books: Books
    shelf: Shelf
    reads: int

    def now(self) -> datetime:
        """Give the time."""

    def may_offer(self) -> bool:
        """Say whether somebody new may be offered anything."""

    def next_try(self, lot: Lot, person: RecipientFacts, meaning: Meaning) -> datetime | None:
        """Say when somebody is tried again who was deferred or not tried."""

    def hold_back(self, lot: Lot, person: RecipientFacts | None = None) -> None:
        """Let a mailing wait that cannot be printed."""

    def works(self, relay: RelayAccess, size: int | None) -> None:
        """Note that a relay took mail in a session that has just begun."""

    def took(self, lot: Lot, count: int) -> None:
        """Note that people of a lot were accepted."""

    def settled(self, lot: Lot) -> None:
        """Note that somebody of a lot is under way no more, not accepted."""

    def act_on(self, relay: RelayAccess, lot: Lot, meaning: Meaning, detail: str) -> bool:
        """Let relay and mailing bear what is theirs; say whether this session takes nobody else."""

    def lost(self, relay: RelayAccess, event: Lost, accepted: int) -> None:
        """Note that a session ended."""

    def running_low(self, relay: int) -> None:
        """Note that a session took people; whoever leases may have to lease more."""


class Line:
    """What is under way on one session; called by it (`smtp.session.Watcher`)."""

    def __init__(self, crew: Crew, relay: RelayAccess) -> None:
        self._crew = crew
        self._relay = relay
        self._offers: dict[int, tuple[Lot, RecipientFacts]] = {}  # by envelope
        self._accepted = 0
        self.is_closing = False  # finishes what has begun here, takes nobody else
        self.changed = asyncio.Event()  # nobody is on it any more, or it has ended

    @property
    def is_busy(self) -> bool:
        """Whether somebody is on this session."""
        return bool(self._offers)

    def lots(self) -> set[Lot]:
        """Give the lots whose people are on this session."""
        return {lot for lot, _ in self._offers.values()}

    def handing_over(self, _: Session, keys: Sequence[int]) -> None:
        """Write down whose final dot leaves next.

        Raises:  FencedError, JournalBrokenError: it must not leave
        """
        by_lease: dict[int, list[int]] = {}
        for key in keys:
            lot, person = self._offers[key]
            if lot.is_lost:
                raise FencedError(str(lot.lent.lease))
            on_loan = by_lease.get(lot.lent.lease)
            if on_loan is None:
                on_loan = by_lease[lot.lent.lease] = []
            on_loan.append(person.id)
        lines = "".join([handing_over(lease, people) for lease, people in by_lease.items()])
        self._crew.books.hand_over(lines, by_lease.keys())

    def happened(self, session: Session, events: Sequence[Event]) -> None:
        """Write down what was answered, let everybody bear what is theirs, and offer more."""
        crew, offers = self._crew, self._offers
        crew.reads += 1
        now = crew.now()
        at = now.isoformat()
        notes: dict[Lot, list[str]] = {}
        accepted: dict[Lot, int] = {}
        for event in events:
            kind = type(event)
            if kind is Settled:
                offered = offers.get(event.key)  # type: ignore[union-attr]
                if offered is None:
                    continue
                lot, person = offered
                lines = notes.get(lot)
                if lines is None:
                    lines = notes[lot] = []
                reply = event.reply  # type: ignore[union-attr]
                if event.verdict is Verdict.ACCEPTED and reply is not None:  # type: ignore[union-attr]
                    lines.append(
                        f"{lot.lent.lease}\t{person.id}\taccepted\tsmtp\t\t{at}\t{reply.code}"
                        f"\t{reply.enhanced}\t\t{written(reply.text)}\n"
                    )
                    accepted[lot] = accepted.get(lot, 0) + 1
                else:
                    lines.append(self._judge(lot, person, event, now))  # type: ignore[arg-type]
            elif kind is Finished:
                offers.pop(event.key, None)  # type: ignore[union-attr]
            elif isinstance(event, Lost):
                crew.lost(self._relay, event, self._accepted)
        for lot, lines in notes.items():
            crew.books.note(lot.lent, "".join(lines), len(lines))
        if accepted:
            if not self._accepted:
                crew.works(self._relay, session.capabilities.size)
            for lot, count in accepted.items():
                self._accepted += count
                crew.took(lot, count)
        self.fill(session)
        if not offers or session.is_over:
            self.changed.set()

    def _judge(self, lot: Lot, person: RecipientFacts, event: Settled, now: datetime) -> str:
        """Write a verdict that is more than *accepted*, and let others bear their share of it."""
        crew = self._crew
        meaning = meaning_of(event.verdict, event.phase, event.reply, event.why)
        fact = OutcomeFact(
            recipient=person.id,
            verdict=meaning.verdict,
            at=now,
            code=event.reply.code if event.reply else None,
            enhanced=event.reply.enhanced if event.reply else "",
            reply=event.reply.text if event.reply else event.why,
            next_try_at=crew.next_try(lot, person, meaning),
            reason=meaning.trouble.value if meaning.verdict is Verdict.REFUSED else "",
        )
        crew.settled(lot)
        if crew.act_on(self._relay, lot, meaning, fact.reply):
            self.is_closing = True
        return line_of(lot.lent.lease, fact)

    def fill(self, session: Session) -> None:
        """Begin as many offers as there is room for."""
        room = session.room
        if not room or self.is_closing or not self._crew.may_offer():
            return
        crew, relay = self._crew, self._relay.id
        envelopes: list[Envelope] = []
        while room > 0:
            lot = crew.shelf.first(relay)
            if lot is None:
                break
            if lot.press is None or lot.is_lost:
                crew.hold_back(lot)
                continue
            person, envelope = self._next(lot)
            if envelope is None:
                continue
            self._offers[envelope.key] = lot, person
            envelopes.append(envelope)
            room -= 1
        if envelopes:
            self.changed.clear()
            session.begin_all(envelopes)
        crew.running_low(relay)

    def _next(self, lot: Lot) -> tuple[RecipientFacts, Envelope | None]:
        """Take who goes next and print the copy; None when it cannot be printed."""
        assert lot.press is not None
        person = self._crew.shelf.take(lot)
        try:
            return person, printing.envelope(lot.press, person, self._relay)
        except UnsafeHeaderError:
            self._give_up(lot, person)
        except Exception:
            # Part of the session's loop (style.md §6.3): ours, not theirs, so the mailing waits.
            logger.exception("a copy cannot be printed", extra={"mailing": lot.lent.mailing})
            self._crew.hold_back(lot, person)
        return person, None

    def _give_up(self, lot: Lot, person: RecipientFacts) -> None:
        """Refuse whose own address or name cannot stand in a header; nobody else is touched."""
        crew = self._crew
        fact = OutcomeFact(
            recipient=person.id,
            verdict=Verdict.REFUSED,
            at=crew.now(),
            reason=Trouble.MESSAGE_REFUSED.value,
            source=Source.POLICY,
        )
        crew.books.note(lot.lent, line_of(lot.lent.lease, fact), 1)
        crew.settled(lot)
        crew.act_on(
            self._relay,
            lot,
            Meaning(Verdict.REFUSED, Scope.MESSAGE, Trouble.MESSAGE_REFUSED),
            "",
        )
