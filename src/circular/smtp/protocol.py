"""One SMTP or LMTP session without I/O: octets in, events out.

Rules
1. Every decision about the order of replies is taken here; the session only moves octets.
2. Every recipient of every envelope is settled exactly once, whatever the relay does.
3. `receive()` never raises; an exception would lose verdicts already reached.
4. A reply belongs to the oldest command whose octets were taken by `take_outgoing()`. A reply to
   nothing ends the session: an answer that came before its question proves nothing.
5. Taking the final dot is handing it over: from then on silence means doubt. A body that was not
   cleared by `clear()` never leaves, so the owner can record the offer first.
6. Nobody is accepted without a 2yz after the final dot. Nobody is refused by a reply that only
   concerns the session: 421, a broken reply, a hang-up (RFC 5321 §3.8).

How it flows. Commands wait in a queue. With PIPELINING they all leave at once, up to and including
DATA, which must be the last of its group (RFC 2920 §3.1); behind a final dot the next envelope
leaves in the same write. Without it each waits for the reply to the one before. Expectations form
a second queue, so several envelopes may be in flight; BDAT will only be another kind of command.

When it fails: `Lost` with a stable code, then everybody open is settled as untried or in doubt.
Length: greeting, envelopes and ends share one queue of expectations; apart, Rule 4 would be two rules.

Sources: RFC 5321 §3.3, §3.8, §4.2.1; RFC 2920 §3.1; RFC 3207 §4; RFC 4954; RFC 2033 §4.2.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from circular.smtp import commands
from circular.smtp.capabilities import PLAIN_SMTP, Capabilities, capabilities_of
from circular.smtp.commands import Credentials, UnusablePathError
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
from circular.smtp.replies import MalformedReplyError, Reply, ReplyReader
from circular.smtp.verdicts import VERDICT_OF_CLASS, Verdict

CHUNK_OCTETS = 65536  # a body leaves in pieces of this size, so that a refusal can stop it
SERVICE_NOT_AVAILABLE = 421  # RFC 5321 §3.8: may answer anything; the relay hangs up after it


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One message for some people. The key is the owner's; it comes back in every event."""

    key: int
    sender: str  # "" is the null sender
    recipients: Sequence[str]
    raw: bytes  # the message as composed; line ends and dots are this package's business


@dataclass(slots=True)
class _Offer:
    """What is known of an envelope that has begun and is not finished."""

    key: int
    body: bytes  # as it goes on the wire
    open: set[int]  # not settled yet
    standing: set[int] = field(default_factory=set)  # accepted at RCPT, waiting for the dot
    cleared: bool = False
    wanted: bool = False  # the relay said 354
    mail_accepted: bool = False
    handed_over: bool = False  # the final dot was taken by take_outgoing()


@dataclass(frozen=True, slots=True)
class _Command:
    """Octets that will be answered; index is the recipient's for RCPT and for LMTP's dots."""

    phase: Phase
    octets: bytes
    offer: _Offer | None = None
    index: int = -1
    step: str = ""


class Conversation:
    """Write `take_outgoing()` to the relay, feed `receive()` with what comes back."""

    def __init__(self, manners: Manners) -> None:
        self._manners = manners
        self._reader = ReplyReader()
        self._queue: deque[_Command] = deque()  # not taken yet
        self._expected: deque[_Command] = deque([_Command(Phase.GREETING, b"")])
        self._offers: dict[int, _Offer] = {}  # begun and not finished, oldest first
        self._writing: _Offer | None = None  # whose body is partly taken
        self._written = 0
        self._awaiting_go_ahead = False
        self._secure = manners.encryption is Encryption.TLS
        self._ready = self._leaving = self._over = False
        self.capabilities: Capabilities = PLAIN_SMTP
        self.progress = 0  # grows with each whole reply and each write; a trickle of octets is none

    # -- what the owner may ask ---------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether this conversation has ended; its socket may be closed."""
        return self._over

    @property
    def is_ready(self) -> bool:
        """Whether an envelope may begin."""
        return self._ready and not self._over and not self._leaving

    @property
    def open_offers(self) -> int:
        """How many envelopes have begun and are not finished."""
        return len(self._offers)

    def is_offering(self, key: int) -> bool:
        """Whether this envelope has begun and is not finished."""
        return key in self._offers

    @property
    def phase(self) -> Phase:
        """What the relay is expected to do next; tells the owner which time-out runs."""
        if self._expected:
            return self._expected[0].phase
        if self._writing is not None:
            return Phase.BODY
        return Phase.IDLE

    # -- what the owner may do ----------------------------------------------------------------

    def begin(self, envelope: Envelope, *, cleared: bool = False) -> list[Event]:
        """Queue an envelope; those who cannot be offered to this relay are settled at once.

        Repeat: a key may be used again once it is finished.
        Raises: ValueError when the key is in use: events could not be told apart.
        """
        if envelope.key in self._offers:
            raise ValueError("this key is in use")
        everybody = range(len(envelope.recipients))
        if not self.is_ready:
            untried = dict.fromkeys(everybody, "session_not_ready")
            return [*self._settle_unsaid(envelope.key, Verdict.UNTRIED, untried)]
        body = commands.wire_body(envelope.raw)
        size = len(body) - len(commands.FINAL_DOT)
        eight_bit = commands.is_eight_bit(body)
        paths: dict[int, bytes] = {}
        objections: dict[int, str] = {}
        sender, objection = self._sender_path(envelope.sender)
        if self.capabilities.size is not None and size > self.capabilities.size:
            objection = "message_too_large"
        elif eight_bit and not self.capabilities.eight_bit:
            objection = "relay_lacks_8bitmime"
        for index, address in enumerate(envelope.recipients):
            try:
                path = commands.path_of(address)
            except UnusablePathError as unusable:
                objections[index] = str(unusable)
                continue
            if objection:
                objections[index] = objection
            elif not path.isascii() and not self.capabilities.utf8:
                objections[index] = "relay_lacks_smtputf8"
            else:
                paths[index] = path
        events = self._settle_unsaid(envelope.key, Verdict.REFUSED, objections)
        if not paths:
            return [*events, Finished(envelope.key)]
        offer = _Offer(envelope.key, body, set(paths), cleared=cleared)
        self._offers[offer.key] = offer
        mail = commands.mail_from(
            sender,
            size=size if self.capabilities.has_size else None,
            eight_bit=eight_bit,
            utf8=not all(path.isascii() for path in (sender, *paths.values())),
        )
        self._queue.append(_Command(Phase.MAIL, mail, offer))
        for index, path in paths.items():
            self._queue.append(_Command(Phase.RCPT, commands.rcpt_to(path), offer, index))
        self._queue.append(_Command(Phase.DATA, b"DATA\r\n", offer))
        return events

    def clear(self, key: int) -> None:
        """Allow this envelope's body to leave; its offer is on record now."""
        offer = self._offers.get(key)
        if offer is not None and not offer.cleared:
            offer.cleared = True
            if offer.wanted:
                self._start_body(offer)

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

    def abandon(self, why: str) -> list[Event]:
        """End it from our side (time-out, broken socket); settles everybody who is open."""
        return [] if self._over else self._lose(why, self.phase)

    def take_outgoing(self) -> bytes:
        """Give the octets to write now; taking a final dot is handing it over."""
        taken: list[bytes] = []
        size = 0
        while size < CHUNK_OCTETS and not self._over:
            if self._writing is not None:
                piece = self._next_piece(self._writing)
            elif self._queue and self._may_write():
                command = self._queue.popleft()
                self._expected.append(command)
                self._awaiting_go_ahead = command.phase is Phase.DATA
                piece = command.octets
            else:
                break
            taken.append(piece)
            size += len(piece)
        self.progress += bool(taken)
        return b"".join(taken)

    def receive(self, data: bytes) -> list[Event]:
        """Digest octets from the relay; b"" means that it closed the connection."""
        if self._over:
            return []
        if not data:
            return self._hang_up()
        self._reader.feed(data)
        events: list[Event] = []
        try:
            while not self.is_over and (reply := self._reader.next_reply()) is not None:
                self.progress += 1
                events.extend(self._digest(reply))
        except MalformedReplyError as broken:
            events += self._lose(str(broken), self.phase)
        return events

    # -- writing ------------------------------------------------------------------------------

    def _may_write(self) -> bool:
        if self._awaiting_go_ahead:
            return False
        if not self._expected:
            return True
        if not self._ready or self._queue[0].phase is Phase.QUIT:
            return False
        return self.capabilities.pipelining

    def _start_body(self, offer: _Offer) -> None:
        self._writing, self._written = offer, 0
        self._awaiting_go_ahead = False

    def _next_piece(self, offer: _Offer) -> bytes:
        start = self._written
        piece = offer.body[start : start + CHUNK_OCTETS]
        self._written += len(piece)
        if self._written >= len(offer.body):
            offer.handed_over = True
            offer.body = b""
            self._writing = None
            if self._manners.lmtp:  # RFC 2033 §4.2: one reply for each that stands, in RCPT order
                self._expected.extend(
                    _Command(Phase.DOT, b"", offer, index) for index in sorted(offer.standing)
                )
            else:
                self._expected.append(_Command(Phase.DOT, b"", offer))
        return piece

    # -- reading ------------------------------------------------------------------------------

    def _hang_up(self) -> list[Event]:
        at_rest = all(command.phase is Phase.QUIT for command in self._expected)
        if at_rest and self._ready and not self._offers and self._reader.is_empty:
            self._over = True
            return [Closed()]
        return self._lose("connection_closed", self.phase)

    def _digest(self, reply: Reply) -> Iterable[Event]:
        if not self._expected:
            return self._digest_unasked(reply)
        command = self._expected.popleft()
        if reply.code == SERVICE_NOT_AVAILABLE and command.phase is not Phase.DOT:
            return self._lose("relay_said_421", command.phase, reply, command.offer)
        if command.offer is not None:
            return self._digest_in_offer(command, command.offer, reply)
        return self._digest_in_session(command, reply)

    def _digest_unasked(self, reply: Reply) -> list[Event]:
        if reply.code == SERVICE_NOT_AVAILABLE:
            return self._lose("relay_said_421", self.phase, reply)
        verdict = VERDICT_OF_CLASS.get(reply.code // 100)
        offer = self._writing
        if offer is not None and verdict in (Verdict.DEFERRED, Verdict.REFUSED):
            # A refusal while the body is being written: definite, since no dot was handed over.
            # Only a hang-up stops the relay from reading the rest as a body, or as commands.
            settled = self._settle(offer, offer.standing, verdict, Phase.BODY, reply)
            return [*settled, *self._lose("refused_during_body", Phase.BODY, reply)]
        return self._lose("reply_to_nothing", self.phase, reply)

    def _digest_in_offer(self, command: _Command, offer: _Offer, reply: Reply) -> Iterator[Event]:
        verdict = VERDICT_OF_CLASS.get(reply.code // 100)
        match command.phase, verdict:
            case Phase.MAIL, Verdict.ACCEPTED:
                offer.mail_accepted = True
            case Phase.MAIL, Verdict.DEFERRED | Verdict.REFUSED:
                yield from self._settle(offer, offer.open, verdict, Phase.MAIL, reply)
                self._forget_unsent(offer)
            case Phase.RCPT, Verdict.ACCEPTED:
                offer.standing |= {command.index} & offer.open
            case Phase.RCPT, Verdict.DEFERRED | Verdict.REFUSED:
                yield from self._settle(offer, {command.index}, verdict, Phase.RCPT, reply)
            case Phase.DATA, None:  # 3yz: the relay waits for text
                offer.wanted = True
                if not offer.standing:
                    # RFC 2920 §3.1: everybody was refused, yet the relay waits: a lone dot.
                    self._awaiting_go_ahead = False
                    self._queue.appendleft(_Command(Phase.RSET, commands.FINAL_DOT, offer))
                    return
                yield BodyWanted(offer.key)
                if offer.cleared:
                    self._start_body(offer)
            case Phase.DATA, Verdict.DEFERRED | Verdict.REFUSED:
                self._awaiting_go_ahead = False
                yield from self._settle(offer, offer.open, verdict, Phase.DATA, reply)
                yield from self._finish_after_reset(offer)
            case Phase.DOT, Verdict.ACCEPTED | Verdict.DEFERRED | Verdict.REFUSED:
                who = offer.standing if command.index < 0 else {command.index}
                yield from self._settle(offer, who, verdict, Phase.DOT, reply)
                if not offer.open:
                    yield self._finish(offer)
                if reply.code == SERVICE_NOT_AVAILABLE:
                    yield from self._lose("relay_said_421", Phase.DOT, reply)
            case Phase.RSET, Verdict.ACCEPTED | Verdict.DEFERRED | Verdict.REFUSED:
                # The answer to a lone dot: nobody stands, so its verdict concerns nobody.
                yield self._finish(offer)
            case _:
                yield from self._lose("reply_out_of_place", command.phase, reply, offer)
        early = command.phase in (Phase.MAIL, Phase.RCPT) and not self._over
        if early and not offer.open and not self._is_awaited(offer):
            # Nobody is left before DATA was said: without pipelining it need not be said at all.
            self._forget_unsent(offer)
            yield from self._finish_after_reset(offer)

    def _digest_in_session(self, command: _Command, reply: Reply) -> Iterable[Event]:
        kind = reply.code // 100
        match command.phase, kind:
            case Phase.GREETING, 2:
                self._queue.append(self._hello())
                return []
            case Phase.EHLO, 2:
                if command.step != "HELO":
                    self.capabilities = capabilities_of(reply)
                return self._after_hello()
            case Phase.EHLO, 5 if command.step == "EHLO" and not self._needs_extensions():
                self._queue.append(self._hello(b"HELO"))  # RFC 5321 §3.2: an old server
                return []
            case Phase.TLS, 2:
                # RFC 3207 §4.2 and CVE-2011-0411: what came in clear behind the 220 is forged.
                if not self._reader.is_empty:
                    return self._lose("plaintext_after_starttls", Phase.TLS)
                return [TlsWanted()]
            case Phase.AUTH, _:
                return self._digest_sign_in(command, reply)
            case Phase.RSET, 2:
                return []
            case Phase.QUIT, _:
                self._over = True
                return [Closed()]
            case _:
                return self._lose(f"refused_at_{command.phase}", command.phase, reply)

    # -- greeting and sign-in -----------------------------------------------------------------

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

    def _after_hello(self) -> list[Event]:
        if self._manners.encryption is Encryption.STARTTLS and not self._secure:
            if not self.capabilities.starttls:
                return self._lose("starttls_not_offered", Phase.TLS)
            self._queue.append(_Command(Phase.TLS, b"STARTTLS\r\n"))
            return []
        credentials = self._manners.credentials
        if credentials is None:
            return self._become_ready()
        if not self._secure and not self._manners.plain_credentials:
            return self._lose("password_needs_tls", Phase.AUTH)
        if "PLAIN" in self.capabilities.auth:
            octets = b"AUTH PLAIN %s\r\n" % commands.auth_plain(credentials)
            self._queue.append(_Command(Phase.AUTH, octets, step="done"))
        elif "LOGIN" in self.capabilities.auth:
            self._queue.append(_Command(Phase.AUTH, b"AUTH LOGIN\r\n", step="username"))
        else:
            return self._lose("sign_in_not_offered", Phase.AUTH)
        return []

    def _digest_sign_in(self, command: _Command, reply: Reply) -> list[Event]:
        credentials = self._manners.credentials
        if reply.code // 100 == 2 and command.step == "done":
            return self._become_ready()
        if reply.code == 334 and credentials is not None and command.step != "done":
            # RFC 4954 §4: LOGIN asks twice; what it asks for is not looked at, only the order.
            text = credentials.username if command.step == "username" else credentials.password
            following = "password" if command.step == "username" else "done"
            octets = commands.encoded(text) + b"\r\n"
            self._queue.append(_Command(Phase.AUTH, octets, step=following))
            return []
        return self._lose("refused_at_auth", Phase.AUTH, reply)

    def _become_ready(self) -> list[Event]:
        self._ready = True
        return [Ready(self.capabilities)]

    # -- ends ---------------------------------------------------------------------------------

    def _is_awaited(self, offer: _Offer) -> bool:
        """Whether a reply about this envelope is still to come, DATA not said yet apart."""
        return any(command.offer is offer for command in self._expected) or any(
            command.offer is offer and command.phase is not Phase.DATA for command in self._queue
        )

    def _forget_unsent(self, offer: _Offer) -> None:
        self._queue = deque(command for command in self._queue if command.offer is not offer)

    def _finish(self, offer: _Offer) -> Finished:
        self._offers.pop(offer.key, None)
        return Finished(offer.key)

    def _finish_after_reset(self, offer: _Offer) -> Iterator[Event]:
        if offer.mail_accepted:
            # The relay still holds the sender; the next MAIL would be "nested" (RFC 5321 §4.1.4).
            self._queue.appendleft(_Command(Phase.RSET, b"RSET\r\n"))
        yield self._finish(offer)

    def _settle(
        self,
        offer: _Offer,
        who: set[int],
        verdict: Verdict,
        phase: Phase,
        reply: Reply | None = None,
        *,
        why: str = "",
    ) -> list[Event]:
        settled = sorted(who & offer.open)
        offer.open.difference_update(settled)
        offer.standing.difference_update(settled)
        return [
            Settled(
                key=offer.key, recipient=index, verdict=verdict, phase=phase, reply=reply, why=why
            )
            for index in settled
        ]

    def _settle_unsaid(self, key: int, verdict: Verdict, whys: dict[int, str]) -> list[Event]:
        """Settle people about whom nothing was said to the relay."""
        return [
            Settled(
                key=key, recipient=index, verdict=verdict, phase=Phase.IDLE, reply=None, why=why
            )
            for index, why in whys.items()
        ]

    def _lose(
        self, why: str, phase: Phase, reply: Reply | None = None, said_to: _Offer | None = None
    ) -> list[Event]:
        """End the session: those whose dot was handed over are in doubt, all others untried."""
        self._over = True
        self._queue.clear()
        self._expected.clear()
        self._writing = None
        events: list[Event] = [Lost(why, phase, reply)]
        for offer in self._offers.values():
            heard = reply if offer is said_to else None
            if offer.handed_over:
                doubtful = set(offer.standing)
                events += self._settle(offer, doubtful, Verdict.IN_DOUBT, Phase.DOT, why=why)
            events += self._settle(offer, set(offer.open), Verdict.UNTRIED, phase, heard, why=why)
        self._offers.clear()
        return events
