"""What a failure means, in one place: the recipient's, the message's, the sender's or the relay's. Pure.

Rules
1. Nobody is refused for what is not theirs: a reply about the relay, the session or the sender
   leaves people waiting, and the relay or the mailing bears the trouble.
2. The table is read from the top; the first row that fits decides. No row: the digit decides, and
   it concerns the recipient at RCPT, the message afterwards.
3. A new oddity is a new row here, with its source, and a sample in the tests.

Sources: RFC 5321 §4.2.3; docs/decisions/0018 (552 to RCPT is what it says); RFC 3463 §3;
Postfix src/smtp/smtp_trouble.c (scopes of damage); Google Workspace "SMTP relay error messages"
(450 4.2.1, 550 5.4.5, 550 5.7.1); the smtp-replies corpus (zone-mta's rules).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from circular.smtp.events import Phase
from circular.smtp.replies import Reply
from circular.smtp.verdicts import Verdict


class Scope(StrEnum):
    """Whose trouble it is."""

    RECIPIENT = "recipient"  # this person's address
    MESSAGE = "message"  # this person's copy
    MAILING = "mailing"  # every copy alike: the sender, the size
    SESSION = "session"  # this connection; another one may do better
    RELAY = "relay"  # everybody, for a while


class Trouble(StrEnum):
    """Stable codes; ``labels`` says them in words."""

    NONE = ""
    REFUSED = "relay_refused"
    BAD_ADDRESS = "bad_address"
    TOO_LARGE = "message_too_large"
    MESSAGE_REFUSED = "message_refused"
    SENDER_REFUSED = "sender_refused"
    EVERYBODY_REFUSED = "everybody_refused"
    UNPRINTABLE = "message_unprintable"
    LACKS_SMTPUTF8 = "relay_lacks_smtputf8"
    LACKS_8BITMIME = "relay_lacks_8bitmime"
    NO_RELAY = "relay_missing"
    UNREACHABLE = "relay_unreachable"
    NOT_TRUSTED = "relay_not_trusted"
    SIGN_IN = "relay_sign_in"
    NO_RELAYING = "relay_no_relaying"
    QUOTA = "relay_quota"
    BUSY = "relay_busy"
    BLOCKED = "relay_blocks_us"
    CONFUSED = "relay_confused"
    BROKEN_OFF = "relay_broke_off"


# What a circular shows while a relay is in trouble; it ends by itself when the relay takes mail
# again, and keeps nobody from probing the relay meanwhile.
PAUSES_OF_RELAYS = frozenset(
    {
        Trouble.NO_RELAY,
        Trouble.UNREACHABLE,
        Trouble.NOT_TRUSTED,
        Trouble.SIGN_IN,
        Trouble.NO_RELAYING,
        Trouble.QUOTA,
        Trouble.BUSY,
        Trouble.BLOCKED,
        Trouble.CONFUSED,
        Trouble.BROKEN_OFF,
    }
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What to record for the recipient, and who bears the trouble."""

    verdict: Verdict
    scope: Scope
    trouble: Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One line of the table: every condition that is given must hold."""

    phases: Collection[Phase] = ()
    codes: Collection[int] = ()
    digit: int = 0
    enhanced: str = ""  # a pattern for the whole code
    text: str = ""  # a pattern found anywhere, case apart
    scope: Scope
    trouble: Trouble

    def fits(self, phase: Phase, reply: Reply) -> bool:
        return (
            (not self.phases or phase in self.phases)
            and (not self.codes or reply.code in self.codes)
            and (not self.digit or reply.code // 100 == self.digit)
            and (not self.enhanced or re.fullmatch(self.enhanced, reply.enhanced) is not None)
            and (not self.text or re.search(self.text, reply.text, re.IGNORECASE) is not None)
        )


_AFTER_DATA = (Phase.DATA, Phase.BODY, Phase.DOT)
_BLOCKED = (
    r"spamhaus|spamcop|barracuda|sorbs|black ?list|block ?list|dnsbl|\brbl\b|blocked using"
    r"|client (host|address|ip).{0,60}(blocked|rejected|denied)|your (ip|host|server).{0,60}"
    r"(blocked|listed|banned|rejected|denied|reputation)|poor reputation|(sender|ip) reputation"
    r"|sending (ip|host).{0,40}(listed|blocked)|\bbad ip\b|banned sending ip|access denied - invalid helo|spammer list|reverse (dns|hostname)|\bptr\b"
)

TABLE: tuple[_Row, ...] = (
    # RFC 4954 §6: authentication is required, or was not good enough.
    _Row(codes=(530, 534, 535, 538), scope=Scope.RELAY, trouble=Trouble.SIGN_IN),
    _Row(
        digit=5,
        text=r"authentication (is )?required|must authenticate|not authenticated",
        scope=Scope.RELAY,
        trouble=Trouble.SIGN_IN,
    ),
    # RFC 5321 §4.2.4: these say that the relay did not understand us, nothing about the person.
    # After a refusal within a body it may be reading text as commands.
    _Row(
        phases=(Phase.RCPT, Phase.DATA),
        codes=(500, 502, 503, 504),
        scope=Scope.SESSION,
        trouble=Trouble.CONFUSED,
    ),
    # Google: 550 5.4.5 daily quota, 450 4.2.1 peak limit; Exchange Online: 5.1.90, 4.5.127
    # rate limits of the sender; 452 4.5.3 and 552 (RFC 5321 §4.5.3.1.10) too many recipients.
    _Row(enhanced=r"5\.4\.5|5\.1\.90", scope=Scope.RELAY, trouble=Trouble.QUOTA),
    _Row(
        text=r"(daily|hourly|sending|relay|message|user).{0,30}(quota|limit).{0,20}exceed"
        r"|exceed.{0,30}(sending|daily|hourly|relay|message) (quota|limit)|peak smtp relay limit",
        scope=Scope.RELAY,
        trouble=Trouble.QUOTA,
    ),
    _Row(
        phases=(Phase.RCPT,),
        codes=(452, 552),
        text="too many recipients",
        scope=Scope.SESSION,
        trouble=Trouble.BUSY,
    ),
    _Row(
        digit=4,
        text=r"too many (connections|messages|errors|sessions)|rate.?limit|throttl|slow down"
        r"|(try|retry) (again )?later.{0,40}(server|system|relay)|service (is )?(not|un)available"
        r"|(server|system) (is )?(busy|overloaded|shutting)|insufficient system",
        scope=Scope.RELAY,
        trouble=Trouble.BUSY,
    ),
    _Row(
        digit=5,
        text=r"relay(ing)?( access)? (is )?(denied|not permitted|not allowed|prohibited)"
        r"|not (permitted|allowed) to relay|we do not relay|unable to relay",
        scope=Scope.RELAY,
        trouble=Trouble.NO_RELAYING,
    ),
    _Row(text=_BLOCKED, scope=Scope.RELAY, trouble=Trouble.BLOCKED),
    # RFC 1870 §6.2 and RFC 3463 X.3.4: this copy is as large as every other one.
    _Row(
        phases=(Phase.MAIL, *_AFTER_DATA),
        codes=(552, 554, 523),
        enhanced=r"5\.3\.4",
        scope=Scope.MAILING,
        trouble=Trouble.TOO_LARGE,
    ),
    _Row(phases=(Phase.MAIL,), codes=(552,), scope=Scope.MAILING, trouble=Trouble.TOO_LARGE),
    # Everything else at MAIL is about the sender: nobody was named yet.
    _Row(phases=(Phase.MAIL,), digit=5, scope=Scope.MAILING, trouble=Trouble.SENDER_REFUSED),
    _Row(phases=(Phase.MAIL,), digit=4, scope=Scope.RELAY, trouble=Trouble.BUSY),
    _Row(
        phases=(Phase.RCPT, *_AFTER_DATA),
        digit=5,
        enhanced=r"5\.1\.[78]",
        scope=Scope.MAILING,
        trouble=Trouble.SENDER_REFUSED,
    ),
)

# Why a session ended, or never began, without a reply that the table knows.
_OF_WHY: dict[str, Trouble] = {
    "certificate_refused": Trouble.NOT_TRUSTED,
    "tls_failed": Trouble.NOT_TRUSTED,
    "plaintext_after_starttls": Trouble.NOT_TRUSTED,
    "starttls_not_offered": Trouble.NOT_TRUSTED,
    "timeout_at_tls": Trouble.NOT_TRUSTED,
    "password_needs_tls": Trouble.SIGN_IN,
    "sign_in_not_offered": Trouble.SIGN_IN,
    "refused_at_auth": Trouble.SIGN_IN,
    "refused_at_tls": Trouble.NOT_TRUSTED,
    "cannot_connect": Trouble.UNREACHABLE,
    "connect_timeout": Trouble.UNREACHABLE,
    "name_not_found": Trouble.UNREACHABLE,
    "relay_said_421": Trouble.BUSY,
}
# Nothing was said about these people: our own core objected.
_OF_OBJECTION: dict[str, tuple[Scope, Trouble]] = {
    "unusable_address": (Scope.RECIPIENT, Trouble.BAD_ADDRESS),
    "address_too_long": (Scope.RECIPIENT, Trouble.BAD_ADDRESS),
    "relay_lacks_smtputf8": (Scope.RECIPIENT, Trouble.LACKS_SMTPUTF8),
    "message_too_large": (Scope.MAILING, Trouble.TOO_LARGE),
    "relay_lacks_8bitmime": (Scope.MAILING, Trouble.LACKS_8BITMIME),
    "unusable_sender": (Scope.MAILING, Trouble.SENDER_REFUSED),
}


def trouble_of_session(why: str, phase: Phase, reply: Reply | None) -> Trouble:
    """Say what a session that ended or never began means for its relay."""
    if reply is not None and why != "relay_said_421":
        for row in TABLE:
            if row.scope is Scope.RELAY and row.fits(phase, reply):
                return row.trouble
        if phase in (Phase.GREETING, Phase.EHLO):
            return Trouble.BUSY if reply.code // 100 == 4 else Trouble.BLOCKED
    if why in ("no_smtp_reply", "reply_to_nothing", "reply_out_of_place", "reply_of_two_minds"):
        return Trouble.CONFUSED
    return _OF_WHY.get(why, Trouble.BROKEN_OFF)


def meaning_of(verdict: Verdict, phase: Phase, reply: Reply | None, why: str = "") -> Meaning:
    """Say what one settled offer means, for the recipient and for everybody else."""
    if verdict in (Verdict.ACCEPTED, Verdict.IN_DOUBT):
        return Meaning(verdict, Scope.RECIPIENT, Trouble.NONE)
    if verdict is Verdict.UNTRIED:
        return Meaning(verdict, Scope.SESSION, Trouble.NONE)
    if reply is None:
        scope, trouble = _OF_OBJECTION.get(why, (Scope.SESSION, Trouble.CONFUSED))
        return Meaning(verdict if scope is Scope.RECIPIENT else Verdict.UNTRIED, scope, trouble)
    for row in TABLE:
        if row.fits(phase, reply):
            # A reply that named the person leaves a fact; one at MAIL named nobody.
            spared = Verdict.UNTRIED if phase is Phase.MAIL else Verdict.DEFERRED
            return Meaning(spared, row.scope, row.trouble)
    if verdict is Verdict.DEFERRED:
        return Meaning(verdict, Scope.RECIPIENT, Trouble.NONE)
    if phase in _AFTER_DATA:
        return Meaning(verdict, Scope.MESSAGE, Trouble.MESSAGE_REFUSED)
    return Meaning(verdict, Scope.RECIPIENT, Trouble.REFUSED)
