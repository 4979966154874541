"""One SMTP or LMTP session without I/O: octets in, events out.

Rules
1. Every decision about the order of replies is taken here; the session only moves octets.
2. Every recipient of every envelope is settled exactly once, whatever the relay does.
3. `receive()` never raises; an exception would lose verdicts already reached.
4. A reply belongs to the oldest command whose octets were taken by `take_outgoing()`. A reply to
   nothing ends the session: an answer that came before its question proves nothing.
5. Taking the end of a body (the final dot, or the last octet of BDAT LAST) is handing it over:
   `take_handed_over()` names the envelope, and from then on silence means doubt. A body that was not
   cleared by `clear()` never leaves, so the owner can record the offer first.
6. Nobody is accepted without a 2yz to the end of the body. Nobody is refused by a reply that only
   concerns the session: 421, a broken reply, a hang-up (RFC 5321 §3.8).

How it flows. Envelopes and session commands wait in one queue; what was said and not answered stands
in another, in the same order. An envelope counts what it said and what it heard, which is its state.

    lock-step    each command waits for the reply to the one before
    PIPELINING   MAIL, every RCPT and DATA leave at once, DATA last of its group; the next envelope
                 leaves in the same write as a final dot (RFC 2920 §3.1)
    CHUNKING     MAIL, every RCPT, BDAT LAST and the body leave at once, and so do the envelopes
                 behind, up to `Manners.depth`. A transaction that fails leaves the relay in a state
                 nobody can know (RFC 3030 §2), so a RSET parts each from one that is not answered.
                 The first BDAT of a session goes alone: a relay that announced it and reads it as a
                 command shows itself before anything stands behind it. A long body waits for the
                 answers to its RCPTs and goes in chunks, so that a refusal can stop it.

When it fails: `Lost` with a stable code, then everybody open is settled as untried or in doubt. After
a 421 that was the relay's last word everybody behind it is untried: it answers in order, and hung up.
Length: greeting, envelopes and ends share one queue of expectations; apart, Rule 4 would be two rules.

Sources: RFC 5321 §3.3, §3.8, §4.1.1.4, §4.2.1; RFC 2920 §3.1; RFC 3030 §2; RFC 3207 §4; RFC 4954;
RFC 2033 §4.2; RFC 3461 §4, §5; RFC 9422 §4.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, final

from circular.smtp import commands
from circular.smtp.bodies import FINAL_DOT, Body
from circular.smtp.capabilities import PLAIN_SMTP, Capabilities, capabilities_of
from circular.smtp.commands import Credentials, Dsn, UnusablePathError
from circular.smtp.events import (
    BodyWanted,
    Closed,
    Event,
    Finished,
    Lost,
    Phase,
    Ready,
    Settled,
    TlsWanted,
)
from circular.smtp.replies import Reply, ReplyReader
from circular.smtp.verdicts import VERDICT_OF_CLASS, Verdict

WRITE_OCTETS = 262_144  # about what leaves in one write; many envelopes in one cost the least
# A body up to this size leaves at once, with CHUNKING right behind its envelope. A longer one leaves
# in pieces of this size, with CHUNKING after the answers to RCPT, so that a refusal can stop it.
CHUNK_OCTETS = 65_536
BDAT_OCTETS = 262_144  # of one chunk of a long body
IN_FLIGHT_OCTETS = 2_097_152  # of the bodies on a session, more envelopes wait with their owner
DATA_DEPTH = 2  # one whose body travels, one behind it (RFC 2920 lets DATA be the last of a group)
SERVICE_NOT_AVAILABLE = 421  # RFC 5321 §3.8: may answer anything; the relay hangs up after it
# RFC 5321 §4.2.4: what a relay says that does not know a command, whatever it announced.
NOT_KNOWN = frozenset({500, 502, 504})
NEGATIVE = (Verdict.DEFERRED, Verdict.REFUSED)
# None for 3yz: the relay waits for something.
VERDICT_OF = {code: VERDICT_OF_CLASS.get(code // 100) for code in range(200, 600)}


class Encryption(StrEnum):
    """How the session must be protected before anything of ours is said."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"  # from the first octet; the socket's owner did it before the greeting


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How to behave towards this relay."""

    name: str = "localhost"  # said in EHLO
    encryption: Encryption = Encryption.NONE
    credentials: Credentials | None = None
    plain_credentials: bool = False  # whether a password may cross a line without TLS
    lmtp: bool = False
    depth: int = 10  # envelopes in flight with PIPELINING and CHUNKING; bounds the doubt of a kill
    chunking: bool = True  # whether BDAT is used where it is announced


class Envelope(NamedTuple):
    """One message for some people. The key is the owner's; it comes back in every event."""

    key: int
    sender: str  # "" is the null sender
    recipients: Sequence[str]
    raw: bytes | Body  # as composed; line ends and dots are this package's business
    dsn: Dsn | None = None  # told to relays that announce DSN
    originals: Sequence[str] = ()  # for ORCPT: who each recipient was at first


class _Ruling(NamedTuple):
    """A reply that decides about everybody in an envelope, kept until its last reply is in."""

    verdict: Verdict
    phase: Phase
    reply: Reply


@final
class _Offer:
    """What is known of an envelope that has begun and is not finished.

    What most envelopes never need stands in the class: one of these is made for every message.
    """

    said: int = 0  # commands whose octets were taken, ends of bodies included
    heard: int = 0  # replies to them
    mail_accepted: bool = False
    ruling: _Ruling | None = None
    wire: bytes | None = None  # a long body while it is being written
    written: int = 0
    chunk_end: int = 0
    last: int = -1  # the number of the end among what was said; -1: not said yet
    go_ahead: bool = False  # the relay said 354
    handed_over: bool = False
    dots: list[int] | None = None  # LMTP: who is still to be answered for
    has_succeeded: bool = False  # a 2yz to the end, for anybody

    def __init__(
        self, key: int, lines: list[bytes], people: list[int], body: Body, cleared: bool
    ) -> None:
        self.key = key
        self.lines = lines  # MAIL, each RCPT and, without BDAT, DATA
        self.people = people  # whom each RCPT names, as an index into the envelope
        self.body = body
        self.cleared = cleared
        self.open = set(people)  # not settled yet
        self.standing: set[int] = set()  # accepted at RCPT, waiting for the end
        self.easy = len(people) + 1  # so many replies need only be noted where they are 250


@dataclass(frozen=True, slots=True)
class _Command:
    """Octets of the session, not of an envelope, that will be answered."""

    phase: Phase
    octets: bytes
    step: str = ""
    offer: _Offer | None = None  # whose lone dot this is


_RSET = _Command(Phase.RSET, b"RSET\r\n")


class Conversation:
    """Write `take_outgoing()` to the relay, feed `receive()` with what comes back."""

    def __init__(self, manners: Manners) -> None:
        self._manners = manners
        self._reader = ReplyReader()
        self._queue: deque[_Command | _Offer] = deque()  # not taken, or not wholly
        self._expected: deque[_Command | _Offer] = deque([_Command(Phase.GREETING, b"")])
        self._offers: dict[int, _Offer] = {}  # begun and not finished, oldest first
        self._octets = 0  # of their bodies
        self._handed_over: list[int] = []
        self._secure = manners.encryption is Encryption.TLS
        self._ready = self._leaving = self._over = False
        self._bdat = self._bdat_proved = False
        self._depth = 0
        # What the relay said with 421 while answers about handed-over bodies were still awaited.
        self._parting: tuple[Phase, Reply, _Offer | None] | None = None
        self._went_on = False  # it answered something else after that
        self.capabilities: Capabilities = PLAIN_SMTP
        self.chunking_refused = False  # announced, and read as an unknown command
        self.has_more = False  # after a write: whether another could follow it at once
        self.progress = 0  # grows with each whole reply and each write; a trickle of octets is none

    # -- what the owner may ask ---------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether this conversation has ended; its socket may be closed."""
        return self._over

    @property
    def is_ready(self) -> bool:
        """Whether an envelope may begin."""
        return self._ready and not self._over and not self._leaving and self._parting is None

    @property
    def open_offers(self) -> int:
        """How many envelopes have begun and are not finished."""
        return len(self._offers)

    @property
    def room(self) -> int:
        """How many more envelopes would be said without waiting for those that have begun."""
        room = self._depth - len(self._offers)
        if room <= 0 or self._octets > IN_FLIGHT_OCTETS or not self.is_ready:
            return 0
        return room

    def is_offering(self, key: int) -> bool:
        """Whether this envelope has begun and is not finished."""
        return key in self._offers

    @property
    def phase(self) -> Phase:
        """What the relay is expected to do next; tells the owner which time-out runs."""
        if self._parting is not None:
            return Phase.QUIT
        if not self._expected:
            return Phase.BODY if self._writing is not None else Phase.IDLE
        first = self._expected[0]
        return first.phase if isinstance(first, _Command) else self._phase_of(first, first.heard)

    # -- what the owner may do ----------------------------------------------------------------

    def begin(self, envelope: Envelope, *, cleared: bool = False) -> list[Event]:
        """Queue an envelope; those who cannot be offered to this relay are settled at once.

        Repeat: a key may be used again once it is finished.
        Raises: ValueError when the key is in use: events could not be told apart; or when there are
                originals, and not one for each recipient
        """
        key, sender, recipients, raw, dsn, originals = envelope
        if key in self._offers:
            raise ValueError("this key is in use")
        if originals and len(originals) != len(recipients):
            raise ValueError("not one original for each recipient")
        if not self.is_ready:
            everybody = dict.fromkeys(range(len(recipients)), "session_not_ready")
            return [*self._settle_unsaid(key, Verdict.UNTRIED, everybody), Finished(key)]
        body = raw if isinstance(raw, Body) else Body(raw)
        can = self.capabilities
        sender_path, objection = self._sender_path(sender)
        if can.size is not None and body.octets > can.size:
            objection = "message_too_large"
        elif body.is_eight_bit and not can.eight_bit:
            objection = "relay_lacks_8bitmime"
        people: list[int] = []
        lines = [b""]
        whys: dict[int, str] = {}
        needs_utf8 = not sender_path.isascii()
        notify = dsn.of_rcpt() if dsn is not None and can.dsn else b""
        for index, address in enumerate(recipients):
            try:
                path = commands.path_of(address)
            except UnusablePathError as unusable:
                whys[index] = str(unusable)
                continue
            if objection:
                whys[index] = objection
                continue
            if not path.isascii():
                if not can.utf8:
                    whys[index] = "relay_lacks_smtputf8"
                    continue
                needs_utf8 = True
            people.append(index)
            if originals and can.dsn:
                lines.append(commands.rcpt_to(path, notify + commands.orcpt(originals[index])))
            else:
                lines.append(commands.rcpt_to(path, notify))
        events = self._settle_unsaid(key, Verdict.REFUSED, whys) if whys else []
        if can.rcpt_max is not None and len(people) > can.rcpt_max:
            # RFC 9422 §4: known before a word is said, so it costs nobody a refusal.
            beyond = dict.fromkeys(people[can.rcpt_max :], "relay_takes_fewer")
            events += self._settle_unsaid(key, Verdict.UNTRIED, beyond)
            del people[can.rcpt_max :], lines[can.rcpt_max + 1 :]
        if not people:
            events.append(Finished(key))
            return events
        lines[0] = commands.mail_from(
            sender_path,
            size=body.octets if can.has_size else None,
            eight_bit=body.is_eight_bit,
            utf8=needs_utf8,
            more=dsn.of_mail() if dsn is not None and can.dsn else b"",
        )
        if not self._bdat:
            lines.append(b"DATA\r\n")
        offer = _Offer(key, lines, people, body, cleared)
        self._offers[key] = offer
        self._octets += body.octets
        self._queue.append(offer)
        return events

    def clear(self, key: int) -> None:
        """Allow this envelope's body to leave; its offer is on record now."""
        offer = self._offers.get(key)
        if offer is not None:
            offer.cleared = True

    def tls_started(self) -> None:
        """Tell that the socket is encrypted now: what was announced in clear is forgotten."""
        self._secure = True
        self.capabilities = PLAIN_SMTP
        self._reader = ReplyReader()
        self._queue.append(self._hello())

    def quit(self) -> None:
        """Say goodbye behind everything that is queued."""
        if not self._over and not self._leaving:
            self._leaving = True
            self._queue.append(_Command(Phase.QUIT, b"QUIT\r\n"))

    def abandon(self, why: str, *, unwritten: Collection[int] = ()) -> list[Event]:
        """End it from our side (time-out, broken socket); settles everybody who is open.

        Shapes:  ``unwritten`` names envelopes whose end was taken and never given to the socket
        """
        for key in unwritten:
            if key in self._offers:
                self._offers[key].handed_over = False
        self._went_on = True  # the relay did not hang up, so it may be reading still
        return [] if self._over else self._lose(why, self.phase)

    def take_outgoing(self) -> bytes:
        """Give the octets to write now; taking the end of a body is handing it over."""
        queue = self._queue
        if not queue or self._over or self._parting is not None:
            return b""
        taken: list[bytes] = []
        size = 0
        self.has_more = False
        while queue:
            first = queue[0]
            if type(first) is _Offer:
                if not self._say(first, taken):
                    break
                size += first.body.octets
                if size > WRITE_OCTETS:
                    self.has_more = True
                    break
            elif self._may_say(first):
                queue.popleft()
                self._expected.append(first)
                taken.append(first.octets)
            else:
                break
        if not taken:
            return b""
        self.progress += 1
        return b"".join(taken)

    def take_handed_over(self) -> list[int]:
        """Give the keys of those whose end was among the octets taken since the last call."""
        keys, self._handed_over = self._handed_over, []
        return keys

    def receive(self, data: bytes) -> list[Event]:
        """Digest octets from the relay; b"" means that it closed the connection."""
        if self._over:
            return []
        if not data:
            return self._hang_up()
        reader = self._reader
        replies = reader.read(data)
        events: list[Event] = []
        expected = self._expected
        left = len(replies)
        self.progress += left
        for reply in replies:
            left -= 1
            first = expected[0] if expected else None
            if type(first) is _Offer:
                position = first.heard
                if reply.code == 250 and first.easy and self._parting is None:
                    # Nearly every reply: what `_hear` does with a yes to MAIL, RCPT and the end.
                    if position < first.easy and position + 1 < first.said:
                        first.heard = position + 1
                        if position:
                            first.standing.add(first.people[position - 1])
                        else:
                            first.mail_accepted = True
                        continue
                    if position == first.last and first.handed_over and not self._manners.lmtp:
                        expected.popleft()
                        self._take_for_all(first, reply, events)
                        continue
                self._hear(first, reply, events)
            elif first is None:
                self._hear_unasked(reply, events)
            else:
                expected.popleft()
                if first is _RSET and reply.code == 250:
                    continue
                self._hear_in_session(first, reply, events, more=left > 0)
            if self._parting is not None and not self._over:
                self._went_on = self._went_on or reply.code != SERVICE_NOT_AVAILABLE
                self._look_whether_all_is_said(events)
            if self._over:
                return events
        if reader.broken and reader is self._reader:
            events += self._lose(reader.broken, self.phase)
        return events

    # -- writing ------------------------------------------------------------------------------

    @property
    def _writing(self) -> _Offer | None:
        """The envelope whose body may leave, or has left in part."""
        first = self._queue[0] if self._queue else None
        if isinstance(first, _Offer) and first.cleared and (first.go_ahead or first.written):
            return first
        return None

    def _may_say(self, command: _Command) -> bool:
        if not self._expected:
            return True
        return self._ready and command.phase is not Phase.QUIT and self.capabilities.pipelining

    def _expect(self, offer: _Offer) -> None:
        """Count one more thing said by this envelope, whose reply comes behind all others."""
        if offer.heard == offer.said:
            self._expected.append(offer)
        offer.said += 1

    def _say(self, offer: _Offer, taken: list[bytes]) -> bool:
        """Take what this envelope may say now; False when nothing may follow in this write."""
        if offer.said < len(offer.lines):
            if not self.capabilities.pipelining:
                if not self._expected:
                    self._expect(offer)
                    taken.append(offer.lines[offer.said - 1])
                return False
            if self._bdat and self._expected:
                if not self._bdat_proved:
                    return False
                if self._expected[-1] is not _RSET:
                    self._expected.append(_RSET)
                    taken.append(_RSET.octets)
            self._expected.append(offer)
            offer.said = len(offer.lines)
            taken += offer.lines
            if not self._bdat:
                return False  # DATA is the last of its group
        if not offer.cleared:
            return False
        body = offer.body
        if body.octets > CHUNK_OCTETS:
            return self._say_long(offer, taken)
        if self._bdat:
            if self._expected and not self.capabilities.pipelining:
                return False
            self._expect(offer)
            taken.append(b"BDAT %d LAST\r\n" % body.octets)
            taken += body.plain()
        elif offer.go_ahead:
            self._expect(offer)
            taken += body.dotted()
        else:
            return False
        self._hand_over(offer)
        return True

    def _say_long(self, offer: _Offer, taken: list[bytes]) -> bool:
        """Take a piece of a body that goes in several, each a write, so that a refusal is seen."""
        if self._bdat:
            if offer.written == offer.chunk_end and not self._say_bdat(offer, taken):
                return False
            taken.append(self._next_piece(offer, offer.body.plain, offer.chunk_end))
            if offer.written == offer.chunk_end and offer.ruling and offer.wire is not None:
                self._queue.popleft()  # refused meanwhile: what was announced is whole, no more goes
        elif offer.go_ahead:
            taken.append(self._next_piece(offer, offer.body.dotted, None))
            if offer.wire is None:
                self._expect(offer)
        else:
            return False
        if offer.wire is None:
            self._hand_over(offer)
        self.has_more = True
        return False

    def _say_bdat(self, offer: _Offer, taken: list[bytes]) -> bool:
        """Announce the next chunk of a long body, where it may go (RFC 3030 §2)."""
        if offer.heard < offer.said and not offer.written:
            return False  # it waits to hear who stands
        if self._expected and not self.capabilities.pipelining:
            return False
        end = min(offer.written + BDAT_OCTETS, offer.body.octets)
        last = b" LAST" if end == offer.body.octets else b""
        self._expect(offer)
        taken.append(b"BDAT %d%s\r\n" % (end - offer.written, last))
        offer.chunk_end = end
        if last:
            offer.last = offer.said - 1
        return True

    def _next_piece(
        self, offer: _Offer, octets: Callable[[], list[bytes]], end: int | None
    ) -> bytes:
        """Cut the next piece off a long body; `wire` is dropped with its last."""
        if offer.wire is None:
            offer.wire = b"".join(octets())
        start = offer.written
        stop = min(start + CHUNK_OCTETS, len(offer.wire) if end is None else end)
        piece = offer.wire[start:stop]
        offer.written = stop
        if stop == len(offer.wire):
            offer.wire = None
        return piece

    def _hand_over(self, offer: _Offer) -> None:
        """Note that the end of this body was taken: from here on silence means doubt."""
        offer.last = offer.said - 1
        offer.handed_over = True
        self._handed_over.append(offer.key)
        self._queue.popleft()

    # -- reading ------------------------------------------------------------------------------

    def _hang_up(self) -> list[Event]:
        if self._parting is not None:
            phase, reply, said_to = self._parting
            return self._lose("relay_said_421", phase, reply, said_to, read=self._went_on)
        at_rest = all(
            isinstance(one, _Command) and one.phase is Phase.QUIT for one in self._expected
        )
        if at_rest and self._ready and not self._offers and self._reader.is_empty:
            self._over = True
            return [Closed()]
        return self._lose("connection_closed", self.phase)

    def _hear_unasked(self, reply: Reply, events: list[Event]) -> None:
        offer = self._writing
        if reply.code == SERVICE_NOT_AVAILABLE:
            events += self._lose("relay_said_421", self.phase, reply)
        elif offer is not None:
            self._hear_during_body(offer, reply, events)
        else:
            events += self._lose("reply_to_nothing", self.phase, reply)

    def _hear_during_body(self, offer: _Offer, reply: Reply, events: list[Event]) -> None:
        """Digest a reply to a body whose end was not handed over: a refusal is definite.

        Only a hang-up stops the relay from reading the rest as a body, or as commands.
        """
        verdict = VERDICT_OF[reply.code]
        if verdict in NEGATIVE and (offer.go_ahead or offer.chunk_end):
            self._settle(offer, sorted(offer.standing), verdict, Phase.BODY, reply, events)
            events += self._lose("refused_during_body", Phase.BODY, reply)
        else:
            events += self._lose("reply_to_nothing", Phase.BODY, reply)

    def _phase_of(self, offer: _Offer, position: int) -> Phase:
        """Say to what the reply with this number answers."""
        people = len(offer.people)
        if position <= people:
            return Phase.RCPT if position else Phase.MAIL
        if self._bdat:
            return Phase.DOT if offer.handed_over else Phase.BODY
        return Phase.DATA if position == people + 1 else Phase.DOT

    def _hear(self, offer: _Offer, reply: Reply, events: list[Event]) -> None:
        """Digest the reply to the oldest unanswered command of this envelope."""
        position = offer.heard
        offer.heard = position + 1
        if offer.heard == offer.said and not (position == offer.last and self._spread(offer)):
            self._expected.popleft()
        people = len(offer.people)
        verdict = VERDICT_OF[reply.code]
        if position == offer.last:
            self._hear_end(offer, reply, verdict, events)
        elif reply.code == SERVICE_NOT_AVAILABLE:
            self._hear_421(offer, position, reply, events)
        elif position > people:
            if self._bdat:
                self._hear_chunk(offer, reply, verdict, events)
            else:
                self._hear_data(offer, reply, verdict, events)
        elif verdict is None:
            phase = self._phase_of(offer, position)
            events += self._lose("reply_out_of_place", phase, reply, offer)
        elif verdict is not Verdict.ACCEPTED:
            self._hear_refusal(offer, position, reply, verdict, events)
            self._look_who_is_left(offer, events)
        elif position:
            offer.standing.add(offer.people[position - 1])
            if offer.ruling is not None and self._bdat and offer.last < 0:
                offer.standing.clear()  # it refused the sender, and nothing of the body has left
                self._look_who_is_left(offer, events)
        else:
            offer.mail_accepted = True

    def _hear_refusal(
        self, offer: _Offer, position: int, reply: Reply, verdict: Verdict, events: list[Event]
    ) -> None:
        if position:
            person = [offer.people[position - 1]]
            if offer.ruling is not None:
                self._rule(offer, offer.ruling, person, events)
            else:
                self._settle(offer, person, verdict, Phase.RCPT, reply, events)
        else:
            offer.easy, offer.ruling = 0, _Ruling(verdict, Phase.MAIL, reply)
            if not offer.chunk_end and offer.last < 0:  # nothing of the body has left
                self._rule(offer, offer.ruling, sorted(offer.open), events)
                if not self.capabilities.pipelining or self._bdat:
                    self._forget_unsaid(offer)

    def _look_who_is_left(self, offer: _Offer, events: list[Event]) -> None:
        """End an envelope before its body where nobody is left to hand it to."""
        everybody_named = offer.said > len(offer.people)
        if (
            offer.heard == offer.said
            and not offer.standing
            and (everybody_named or not offer.open)
            and offer.last < 0
        ):
            self._forget_unsaid(offer)
            self._finish(offer, events, is_clean=not offer.mail_accepted)

    def _hear_data(
        self, offer: _Offer, reply: Reply, verdict: Verdict | None, events: list[Event]
    ) -> None:
        if verdict is None and self._parting is not None:
            pass  # it waits for text after it said goodbye; this envelope's end settles it
        elif verdict is None:  # 3yz: the relay waits for text
            if offer.ruling is not None and offer.standing:
                # It refused the sender and accepts a recipient: a lone dot would be a message.
                events += self._lose("reply_out_of_place", Phase.DATA, reply, offer)
            elif offer.standing:
                offer.go_ahead = True
                if not offer.cleared:
                    events.append(BodyWanted(offer.key))
            else:
                # RFC 2920 §3.1: everybody was refused, yet the relay waits: a lone dot.
                self._queue[0] = _Command(Phase.RSET, FINAL_DOT, offer=offer)
        elif verdict is Verdict.ACCEPTED:
            events += self._lose("reply_out_of_place", Phase.DATA, reply, offer)
        else:
            self._settle(offer, sorted(offer.open), verdict, Phase.DATA, reply, events)
            self._forget_unsaid(offer)
            self._finish(offer, events, is_clean=not offer.mail_accepted)

    def _hear_chunk(
        self, offer: _Offer, reply: Reply, verdict: Verdict | None, events: list[Event]
    ) -> None:
        """Digest the reply to a chunk that is not the last."""
        if offer.heard == offer.said and offer.written < offer.chunk_end:
            self._hear_during_body(offer, reply, events)
        elif verdict is None:
            events += self._lose("reply_out_of_place", Phase.BODY, reply, offer)
        elif self._shows_no_bdat(offer, reply):
            events += self._lose("chunking_refused", Phase.BODY, reply)
        elif verdict is not Verdict.ACCEPTED:
            offer.ruling = offer.ruling or _Ruling(verdict, Phase.BODY, reply)
            if offer.written == offer.chunk_end:
                self._forget_unsaid(offer)
            self._end_by_ruling(offer, events)
        elif offer.ruling is not None:
            self._end_by_ruling(offer, events)

    def _end_by_ruling(self, offer: _Offer, events: list[Event]) -> None:
        """End an envelope whose chunk was refused once no more replies to it are awaited."""
        if offer.heard == offer.said and offer.ruling is not None and not offer.handed_over:
            self._rule(offer, offer.ruling, sorted(offer.open), events)
            self._finish(offer, events, is_clean=False)

    def _shows_no_bdat(self, offer: _Offer, reply: Reply) -> bool:
        """Whether a relay that announced CHUNKING has read our first BDAT as an unknown command.

        It reads the body as commands then, so this session is over; nothing stands behind it.
        """
        if self._bdat_proved or reply.code not in NOT_KNOWN:
            self._bdat_proved = True
            return False
        offer.handed_over = False
        self.chunking_refused = True
        return True

    def _spread(self, offer: _Offer) -> bool:
        """Expect one reply for each who stands where the relay speaks LMTP (RFC 2033 §4.2)."""
        if not self._manners.lmtp or offer.dots is not None:
            return False
        offer.dots = [person for person in offer.people if person in offer.standing]
        offer.said += max(len(offer.dots) - 1, 0)
        return len(offer.dots) > 1

    def _hear_end(
        self, offer: _Offer, reply: Reply, verdict: Verdict | None, events: list[Event]
    ) -> None:
        """Digest the reply to the final dot or to BDAT LAST."""
        ruling = offer.ruling
        if not offer.handed_over:
            self._hear_during_body(offer, reply, events)
            return
        if verdict is None:
            events += self._lose("reply_out_of_place", Phase.DOT, reply, offer)
            return
        if self._bdat and self._shows_no_bdat(offer, reply):
            events += self._lose("chunking_refused", Phase.BODY, reply)
            return
        offer.has_succeeded = offer.has_succeeded or verdict is Verdict.ACCEPTED
        if offer.dots:
            who = [offer.dots.pop(0)]
            offer.last += 1
        else:
            who = sorted(offer.standing) if len(offer.standing) > 1 else list(offer.standing)
        if ruling is None:
            self._settle(offer, who, verdict, Phase.DOT, reply, events)
        elif verdict is Verdict.ACCEPTED:
            # It refused the sender or a chunk, and took the message all the same: nobody can know.
            why = "taken_after_refusal"
            self._settle(offer, who, Verdict.IN_DOUBT, Phase.DOT, reply, events, why=why)
        else:
            self._rule(offer, ruling, who, events)
        if not offer.dots:
            if ruling is not None and offer.open:
                self._rule(offer, ruling, sorted(offer.open), events)
            # RFC 5321 §4.1.1.4: a final dot ends the transaction, whatever its answer; RFC 3030
            # promises that only of a BDAT LAST that succeeded (for anybody, in LMTP).
            self._finish(offer, events, is_clean=not self._bdat or offer.has_succeeded)
        if reply.code == SERVICE_NOT_AVAILABLE:
            self._part(None, Phase.DOT, reply, events)

    def _take_for_all(self, offer: _Offer, reply: Reply, events: list[Event]) -> None:
        """Settle everybody who stands as accepted, and finish: nearly every end of all."""
        self._bdat_proved = self._bdat
        key = offer.key
        who = offer.standing
        for person in who if len(who) < 2 else sorted(who):
            event = Settled(key, person, Verdict.ACCEPTED, Phase.DOT, reply, "")
            events.append(event)
        del self._offers[key]
        self._octets -= offer.body.octets
        events.append(Finished(key))

    # -- 421 ----------------------------------------------------------------------------------

    def _hear_421(self, offer: _Offer, position: int, reply: Reply, events: list[Event]) -> None:
        """Digest a 421 to a command before the end of the body: it is about the session."""
        phase = self._phase_of(offer, position)
        if offer.handed_over:
            if not position:
                offer.easy, offer.ruling = 0, _Ruling(Verdict.UNTRIED, phase, reply)
            else:
                self._settle_by_421(offer, offer.people[position - 1], reply, events)
        self._part(offer, phase, reply, events)

    def _settle_by_421(self, offer: _Offer, person: int, reply: Reply, events: list[Event]) -> None:
        if offer.ruling is not None:
            self._rule(offer, offer.ruling, [person], events)
        else:
            why = "relay_said_421"
            self._settle(offer, [person], Verdict.UNTRIED, Phase.RCPT, reply, events, why=why)

    def _part(
        self, said_to: _Offer | None, phase: Phase, reply: Reply, events: list[Event]
    ) -> None:
        """Say nothing more; hear what the relay says of what it holds, if anything, and end."""
        self._queue.clear()
        if self._parting is None:
            self._parting = (phase, reply, said_to)
        self._look_whether_all_is_said(events)

    def _look_whether_all_is_said(self, events: list[Event]) -> None:
        if self._parting is not None and not any(
            offer.handed_over for offer in self._offers.values()
        ):
            phase, reply, said_to = self._parting
            events += self._lose("relay_said_421", phase, reply, said_to)

    # -- the session's own commands -----------------------------------------------------------

    def _hear_in_session(
        self, command: _Command, reply: Reply, events: list[Event], *, more: bool
    ) -> None:
        kind = reply.code // 100
        if reply.code == SERVICE_NOT_AVAILABLE:
            self._part(command.offer, command.phase, reply, events)
            return
        match command.phase, kind:
            case Phase.RSET, 2 | 4 | 5 if command.offer is not None:
                # The answer to a lone dot: nobody stands, so its verdict concerns nobody.
                self._finish(command.offer, events, is_clean=True)
            case Phase.RSET, 2:
                pass
            case Phase.GREETING, 2:
                self._queue.append(self._hello())
            case Phase.EHLO, 2:
                if command.step != "HELO":
                    self.capabilities = capabilities_of(reply)
                self._after_hello(events)
            case Phase.EHLO, 5 if command.step == "EHLO" and not self._needs_extensions():
                self._queue.append(self._hello(b"HELO"))  # RFC 5321 §3.2: an old server
            case Phase.TLS, 2:
                # RFC 3207 §4.2 and CVE-2011-0411: what came in clear behind the 220 is forged.
                if more or not self._reader.is_empty:
                    events += self._lose("plaintext_after_starttls", Phase.TLS)
                else:
                    events.append(TlsWanted())
            case Phase.AUTH, _:
                self._hear_in_sign_in(command, reply, events)
            case Phase.QUIT, _:
                self._over = True
                events.append(Closed())
            case _:
                events += self._lose(f"refused_at_{command.phase}", command.phase, reply)

    def _hello(self, word: bytes = b"") -> _Command:
        word = word or (b"LHLO" if self._manners.lmtp else b"EHLO")
        return _Command(
            Phase.EHLO, commands.hello(word, self._manners.name), step=word.decode("ascii")
        )

    def _sender_path(self, sender: str) -> tuple[bytes, str]:
        """Give the sender's octets and, where it cannot be said to this relay, why."""
        if not sender:
            return b"", ""
        try:
            path = commands.path_of(sender)
        except UnusablePathError:
            return b"", "unusable_sender"
        if not path.isascii() and not self.capabilities.utf8:
            return b"", "relay_lacks_smtputf8"
        return path, ""

    def _needs_extensions(self) -> bool:
        wants_tls = self._manners.encryption is Encryption.STARTTLS and not self._secure
        return wants_tls or self._manners.credentials is not None or self._manners.lmtp

    def _after_hello(self, events: list[Event]) -> None:
        if self._manners.encryption is Encryption.STARTTLS and not self._secure:
            if self.capabilities.starttls:
                self._queue.append(_Command(Phase.TLS, b"STARTTLS\r\n"))
            else:
                events += self._lose("starttls_not_offered", Phase.TLS)
            return
        credentials = self._manners.credentials
        if credentials is None:
            self._become_ready(events)
        elif not self._secure and not self._manners.plain_credentials:
            events += self._lose("password_needs_tls", Phase.AUTH)
        elif not credentials.are_usable:
            events += self._lose("unusable_credentials", Phase.AUTH)
        else:
            command = self._sign_in(credentials)
            if command is None:
                events += self._lose("sign_in_not_offered", Phase.AUTH)
            else:
                self._queue.append(command)

    def _sign_in(self, credentials: Credentials) -> _Command | None:
        """Choose how to sign in; None where the relay offers nothing that we have."""
        offered = self.capabilities.auth
        if credentials.bearer:
            if "XOAUTH2" not in offered:
                return None
            octets = b"AUTH XOAUTH2 %s\r\n" % commands.auth_xoauth2(credentials)
            return _Command(Phase.AUTH, octets, step="token")
        if "PLAIN" in offered:
            octets = b"AUTH PLAIN %s\r\n" % commands.auth_plain(credentials)
            return _Command(Phase.AUTH, octets, step="done")
        if "LOGIN" in offered:
            return _Command(Phase.AUTH, b"AUTH LOGIN\r\n", step="username")
        return None

    def _hear_in_sign_in(self, command: _Command, reply: Reply, events: list[Event]) -> None:
        credentials = self._manners.credentials
        if reply.code // 100 == 2 and command.step in ("done", "token"):
            self._become_ready(events)
        elif reply.code // 100 == 3 and command.step == "token":
            # The reason stands in the 334; an empty answer asks for the refusal itself.
            self._queue.append(_Command(Phase.AUTH, b"\r\n", step="refused"))
        elif reply.code // 100 == 3 and command.step in ("username", "password") and credentials:
            # RFC 4954 §4: LOGIN asks twice; what it asks for is not looked at, only the order. Of its
            # code the first digit alone (RFC 5321 §4.3.2): some servers say 300.
            text = credentials.username if command.step == "username" else credentials.password
            following = "password" if command.step == "username" else "done"
            octets = commands.encoded(text) + b"\r\n"
            self._queue.append(_Command(Phase.AUTH, octets, step=following))
        else:
            events += self._lose("refused_at_auth", Phase.AUTH, reply)

    def _become_ready(self, events: list[Event]) -> None:
        self._ready = True
        self._bdat = self.capabilities.chunking and self._manners.chunking
        if not self.capabilities.pipelining:
            self._depth = 1
        else:
            self._depth = max(self._manners.depth, 1) if self._bdat else DATA_DEPTH
        events.append(Ready(self.capabilities))

    # -- ends ---------------------------------------------------------------------------------

    def _forget_unsaid(self, offer: _Offer) -> None:
        if self._queue and self._queue[0] is offer:
            self._queue.popleft()

    def _finish(self, offer: _Offer, events: list[Event], *, is_clean: bool) -> None:
        del self._offers[offer.key]
        self._octets -= offer.body.octets
        events.append(Finished(offer.key))
        if not is_clean and not self._expected and not self._leaving:
            # The relay still holds the sender; the next MAIL would be "nested" (RFC 5321 §4.1.4).
            # Where replies are awaited, a RSET went before what they answer.
            self._queue.appendleft(_RSET)

    def _rule(self, offer: _Offer, ruling: _Ruling, who: list[int], events: list[Event]) -> None:
        why = "relay_said_421" if ruling.verdict is Verdict.UNTRIED else ""
        self._settle(offer, who, ruling.verdict, ruling.phase, ruling.reply, events, why=why)

    def _settle(
        self,
        offer: _Offer,
        who: list[int],
        verdict: Verdict,
        phase: Phase,
        reply: Reply | None,
        events: list[Event],
        *,
        why: str = "",
    ) -> None:
        for person in who:
            if person in offer.open:
                offer.open.remove(person)
                offer.standing.discard(person)
                events.append(Settled(offer.key, person, verdict, phase, reply, why))

    def _settle_unsaid(self, key: int, verdict: Verdict, whys: dict[int, str]) -> list[Event]:
        """Settle people about whom nothing was said to the relay."""
        return [Settled(key, index, verdict, Phase.IDLE, None, why) for index, why in whys.items()]

    def _lose(
        self,
        why: str,
        phase: Phase,
        reply: Reply | None = None,
        said_to: _Offer | None = None,
        *,
        read: bool = True,
    ) -> list[Event]:
        """End the session: those whose end was handed over are in doubt, all others untried.

        Shapes:  ``read`` False: the relay hung up after a 421 and read nothing that was behind it
        """
        self._over = True
        self._queue.clear()
        self._expected.clear()
        events: list[Event] = [Lost(why, phase, reply)]
        for offer in self._offers.values():
            heard = reply if offer is said_to else None
            left = sorted(offer.open)
            if offer.handed_over and offer.ruling is not None:
                self._rule(offer, offer.ruling, left, events)
            elif offer.handed_over and read:
                verdict = Verdict.IN_DOUBT
                self._settle(offer, left, verdict, Phase.DOT, None, events, why=why)
            else:
                self._settle(offer, left, Verdict.UNTRIED, phase, heard, events, why=why)
        self._offers.clear()
        self._octets = 0
        return events
