"""What a reply means, in one place: the recipient's, the message's, the sender's or the relay's. Pure.

Rules
1. Nobody is refused for what is not theirs: a reply about the relay, the session or the sender
   leaves people waiting, and the relay or the mailing bears the trouble.
2. The table is read from the top; the first row that fits decides. No row: the digit decides, and
   it concerns the recipient at RCPT, the message afterwards.
3. A row about the relay says what becomes of it, too: it rests, or it gets fewer connections.
4. A new oddity is a new row here, with its source, and a sample in the tests: every row has one.

Order: what names a quota or a sender in a code of its own; then codes that speak plainly of one
mailbox, so that no guess at words can turn a full mailbox into a full relay; then words.

Sources: RFC 5321 §4.2.3; RFC 3463 §3; docs/decisions/0018 (552 to RCPT is what it says);
Postfix src/smtp/smtp_trouble.c (scopes of damage); each row's own.
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
    TRANSACTION = "transaction"  # too many people in one; each may be offered in a smaller one
    MAILING = "mailing"  # every copy alike: the sender, the size
    SESSION = "session"  # this connection; another one may do better
    RELAY = "relay"  # everybody, for a while


class Effect(StrEnum):
    """What becomes of the relay."""

    NONE = "none"
    SLOW = "slow"  # fewer connections; it rests only when no other connection works
    REST = "rest"  # nobody is offered anything for a while


class Trouble(StrEnum):
    """Stable codes; ``labels`` says them in words."""

    NONE = ""
    REFUSED = "relay_refused"
    BAD_ADDRESS = "bad_address"
    TOO_LARGE = "message_too_large"
    MESSAGE_REFUSED = "message_refused"
    SENDER_REFUSED = "sender_refused"
    TOO_MANY_REFUSED = "too_many_refused"
    TOO_MANY_AT_ONCE = "too_many_recipients"
    UNPRINTABLE = "message_unprintable"
    RESTORED = "restored"  # from a backup: what left after it was made is not known here
    LACKS_SMTPUTF8 = "relay_lacks_smtputf8"
    LACKS_8BITMIME = "relay_lacks_8bitmime"
    NO_RELAY = "relay_missing"
    NO_ROUTE = "relay_serves_others"
    OWN_QUOTA = "quota_used"  # by our own books, before the relay has to say so
    UNREACHABLE = "relay_unreachable"
    NOT_TRUSTED = "relay_not_trusted"
    SIGN_IN = "relay_sign_in"
    NO_RELAYING = "relay_no_relaying"
    QUOTA = "relay_quota"
    BUSY = "relay_busy"
    THROTTLED = "relay_throttles"  # it asked for a slower pace: a try a minute, not more
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
        Trouble.THROTTLED,
        Trouble.BLOCKED,
        Trouble.CONFUSED,
        Trouble.BROKEN_OFF,
    }
)
# These end when somebody is lent to a relay again: a quota has room, a relay serves this mailing.
PAUSES_OF_ROUTES = frozenset({Trouble.OWN_QUOTA, Trouble.NO_ROUTE})
# All that end by themselves.
PAUSES_THAT_END = PAUSES_OF_RELAYS | PAUSES_OF_ROUTES


@dataclass(frozen=True, slots=True)
class Meaning:
    """What to record for the recipient, and who bears the trouble."""

    verdict: Verdict
    scope: Scope
    trouble: Trouble
    effect: Effect = Effect.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: every condition that is given must hold."""

    name: str
    source: str
    phases: Collection[Phase] = ()
    codes: Collection[int] = ()
    digit: int = 0
    enhanced: str = ""  # a pattern for the whole code
    text: str = ""  # a pattern found anywhere, case apart
    scope: Scope
    trouble: Trouble = Trouble.NONE
    effect: Effect = Effect.NONE

    def fits(self, phase: Phase, reply: Reply) -> bool:
        """Say whether every condition holds."""
        return (
            (not self.phases or phase in self.phases)
            and (not self.codes or reply.code in self.codes)
            and (not self.digit or reply.code // 100 == self.digit)
            and (not self.enhanced or re.fullmatch(self.enhanced, reply.enhanced) is not None)
            and (not self.text or re.search(self.text, reply.text, re.IGNORECASE) is not None)
        )


_BEFORE_MAIL = (Phase.GREETING, Phase.EHLO, Phase.TLS, Phase.AUTH)
_AFTER_DATA = (Phase.DATA, Phase.BODY, Phase.DOT)
_NAMED = (Phase.RCPT, *_AFTER_DATA)  # a person was named before this was said
_BLOCKED = (
    r"spamhaus|spamcop|barracuda|sorbs|black ?list|block ?list|dnsbl|\brbl\b|blocked using"
    r"|client (host|address|ip).{0,60}(blocked|rejected|denied)|your (ip|host|server).{0,60}"
    r"(blocked|listed|banned|rejected|denied|reputation)|poor reputation|(sender|ip) reputation"
    r"|sending (ip|host).{0,40}(listed|blocked)|\bbad ip\b|banned sending ip"
    r"|access denied - invalid helo|spammer list|reverse (dns|hostname)|\bptr\b"
)
GOOGLE = "support.google.com/a/answer/3726730 and 6140680 (read 2026-11)"
MICROSOFT = "learn.microsoft.com: non-delivery reports in Exchange Online (read 2026-11)"
SUBMISSION = "learn.microsoft.com: SMTP submission improvements (read 2026-11)"

TABLE: tuple[Row, ...] = (
    # -- who we are ---------------------------------------------------------------------------
    Row(
        name="encryption is asked for",
        source="RFC 3207 §4 (530); Exchange Online 421 4.7.66",
        codes=(421, 530, 550),
        text=r"starttls|must use tls|tls (1\.[01] )?.{0,30}(not supported|required)",
        phases=(*_BEFORE_MAIL, Phase.MAIL),
        scope=Scope.RELAY,
        trouble=Trouble.NOT_TRUSTED,
        effect=Effect.REST,
    ),
    Row(
        name="signing in does not work for the moment",
        source="RFC 4954 §6 (454 4.7.0); Google: too many login attempts",
        phases=(Phase.AUTH,),
        digit=4,
        scope=Scope.RELAY,
        trouble=Trouble.BUSY,
        effect=Effect.REST,
    ),
    Row(
        name="signing in elsewhere does not work for the moment",
        source="RFC 4954 §6 (454 4.7.0)",
        codes=(454,),
        enhanced=r"4\.7\.0",
        text="authentica|log ?in|credential",
        scope=Scope.RELAY,
        trouble=Trouble.BUSY,
        effect=Effect.REST,
    ),
    Row(
        name="sign-in refused",
        source="RFC 4954 §6",
        codes=(530, 534, 535, 538),
        scope=Scope.RELAY,
        trouble=Trouble.SIGN_IN,
        effect=Effect.REST,
    ),
    Row(
        name="sign-in refused in words",
        source=f"{MICROSOFT}: 5.7.57; Google 5.5.1, 5.7.1 Invalid credentials for relay",
        digit=5,
        text=r"authentication (is )?required|must authenticate|not authenticated"
        r"|invalid credentials|5\.7\.57\b",
        scope=Scope.RELAY,
        trouble=Trouble.SIGN_IN,
        effect=Effect.REST,
    ),
    # -- quotas -------------------------------------------------------------------------------
    Row(
        name="quota by code",
        source="Google 550 5.4.5; Exchange Online 5.1.90 (10,000 recipients a day), 4.5.127, "
        f"5.7.705 and 5.7.750 (tenant over its threshold): {MICROSOFT}",
        enhanced=r"5\.4\.5|5\.1\.90|4\.5\.127|5\.7\.705|5\.7\.750|[45]\.7\.23[2-6]",
        scope=Scope.RELAY,
        trouble=Trouble.QUOTA,
        effect=Effect.REST,
    ),
    Row(
        name="quota of Google's relay",
        source=f"{GOOGLE}: 550 5.7.1 Daily SMTP relay limit exceeded for customer",
        text=r"daily (smtp )?(relay|user|sending).{0,20}limit exceeded",
        scope=Scope.RELAY,
        trouble=Trouble.QUOTA,
        effect=Effect.REST,
    ),
    Row(
        name="peak of Google's relay",
        source=f"{GOOGLE}: 450 4.2.1 Peak SMTP relay limit exceeded for customer (ten minutes)",
        text=r"peak (smtp )?relay limit exceeded",
        scope=Scope.RELAY,
        trouble=Trouble.THROTTLED,
        effect=Effect.REST,
    ),
    Row(
        name="daily quota of Amazon",
        source="docs.aws.amazon.com/ses: manage-sending-quotas-errors (read 2026-11)",
        text=r"(daily|hourly) (message|sending) (quota|limit) exceeded",
        scope=Scope.RELAY,
        trouble=Trouble.QUOTA,
        effect=Effect.REST,
    ),
    Row(
        name="the account that signs in has used its own up",
        source=f"{SUBMISSION}: 554 5.2.0 and 5.2.2 STOREDRV.Submission (its Sent Items are full, "
        "or its day is)",
        text=r"storedrv\.submission.*(quota|full)",
        scope=Scope.RELAY,
        trouble=Trouble.QUOTA,
        effect=Effect.REST,
    ),
    Row(
        name="the account that signs in is slowed for its errors",
        source="learn.microsoft.com: continuous error throttling for SMTP AUTH, 550 5.2.251 to 255",
        enhanced=r"5\.2\.25[1-5]",
        scope=Scope.RELAY,
        trouble=Trouble.QUOTA,
        effect=Effect.REST,
    ),
    # -- too much at once ---------------------------------------------------------------------
    Row(
        name="too many connections by code",
        source=f"{SUBMISSION}: 432 4.3.2 Concurrent connections limit exceeded",
        codes=(432,),
        text=r"concurrent|connection|sender thread|clientsubmit",
        scope=Scope.SESSION,
        trouble=Trouble.BUSY,
        effect=Effect.SLOW,
    ),
    Row(
        name="too many connections in words",
        source="Postfix anvil(8): 421 4.7.0 too many connections; Exim smtp_accept_max_per_host",
        digit=4,
        text=r"(too many|concurrent|simultaneous|maximum number of).{0,20}(connections|sessions)"
        r"|connection (rate|limit)|sender thread limit",
        scope=Scope.SESSION,
        trouble=Trouble.BUSY,
        effect=Effect.SLOW,
    ),
    Row(
        name="too many people in one transaction",
        source="RFC 5321 §4.5.3.1.10 (452, once 552); Google 452 4.5.3; Exchange 5.5.3",
        phases=(Phase.RCPT,),
        codes=(452, 552, 550, 451),
        text=r"too many recipients(?! from)|recipients? (limit|per (message|transaction))"
        r"|multiple destination domains|separate transaction",
        scope=Scope.TRANSACTION,
        trouble=Trouble.TOO_MANY_AT_ONCE,
    ),
    Row(
        name="too many people in one transaction by code",
        source="RFC 3463 §3.6: X.5.3 too many recipients",
        phases=(Phase.RCPT,),
        enhanced=r"[45]\.5\.3",
        scope=Scope.TRANSACTION,
        trouble=Trouble.TOO_MANY_AT_ONCE,
    ),
    Row(
        name="the rate of this mailbox",
        source=f"{GOOGLE}: 450 4.2.1, 550 5.2.1; Exchange 432 4.3.2 STOREDRV.Deliver",
        phases=_NAMED,
        text=r"user you are trying to contact is receiving mail|storedrv\.deliver"
        r"|recipient (thread|rate) limit|recipient.{0,20}too (quickly|fast)",
        scope=Scope.RECIPIENT,
        trouble=Trouble.REFUSED,
    ),
    Row(
        name="sending rate of Amazon",
        source="docs.aws.amazon.com/ses: 454 Throttling failure: Maximum sending rate exceeded",
        digit=4,
        text=r"maximum sending rate exceeded|throttling failure",
        scope=Scope.RELAY,
        trouble=Trouble.THROTTLED,
        effect=Effect.SLOW,
    ),
    Row(
        name="rate by code",
        source="Google 421 4.7.28; Exchange Online 451 4.7.500 to 4.7.699 (server busy)",
        enhanced=r"4\.7\.28|4\.7\.[56][0-9]{2}",
        scope=Scope.RELAY,
        trouble=Trouble.THROTTLED,
        effect=Effect.REST,
    ),
    # -- blocked, not allowed -----------------------------------------------------------------
    Row(
        name="blocked by code",
        source=f"{MICROSOFT}: 5.7.501 to 503 (banned sender), 5.7.506, 5.7.508, 5.7.511, 5.7.606 "
        "to 649 (banned address), 5.7.708 (address of low reputation)",
        enhanced=r"5\.7\.(50[12368]|511|60[6-9]|6[1-4][0-9]|708)",
        scope=Scope.RELAY,
        trouble=Trouble.BLOCKED,
        effect=Effect.REST,
    ),
    Row(
        name="the sending domain proves too little",
        source="Outlook 550 5.7.515 (since 5 May 2025); Gmail 5.7.26, 5.7.27, 5.7.29, 5.7.30, "
        "5.7.32, 5.7.40; RFC 7372 (5.7.20 to 5.7.25)",
        enhanced=r"5\.7\.(515|2[0-9]|3[0-2]|40)",
        scope=Scope.MAILING,
        trouble=Trouble.SENDER_REFUSED,
    ),
    Row(
        name="not allowed to send as this sender",
        source=f"{MICROSOFT}: 5.7.60 SendAsDenied, 5.1.8 (sender restricted), 5.7.509; "
        "RFC 3463 §3.2: X.1.7, X.1.8",
        phases=(Phase.MAIL, *_NAMED),
        digit=5,
        enhanced=r"5\.1\.[78]|5\.7\.60|5\.7\.509",
        scope=Scope.MAILING,
        trouble=Trouble.SENDER_REFUSED,
    ),
    Row(
        name="not allowed to send as this sender, in words",
        source="Exchange Online: 5.2.0 STOREDRV…SendAsDenied; Postfix reject_sender_login_mismatch; "
        "Amazon SES 554 Message rejected: Email address is not verified",
        phases=(Phase.MAIL, *_NAMED),
        digit=5,
        text=r"sendasdenied|not allowed to send as|sender address rejected: not owned"
        r"|not verified\. the following identities",
        scope=Scope.MAILING,
        trouble=Trouble.SENDER_REFUSED,
    ),
    # -- one mailbox, in plain codes ----------------------------------------------------------
    Row(
        name="this mailbox by code",
        source="RFC 3463 §3.2 (X.1.1 to X.1.6, X.1.10) and §3.3 (X.2.1 to X.2.4)",
        phases=_NAMED,
        enhanced=r"[45]\.1\.([1-6]|10)|[45]\.2\.[1-4]",
        scope=Scope.RECIPIENT,
        trouble=Trouble.REFUSED,
    ),
    Row(
        name="policy of the mailbox",
        source=f"{MICROSOFT}: 5.7.1 to 5.7.136 (restricted groups and mailboxes), RESOLVER.RST",
        phases=_NAMED,
        digit=5,
        text=r"resolver\.rst|not authori[sz]ed to send to (the|this)|restricted (from|to)"
        r"|do(es)? not have permission to send to|only accepts (mail|messages) from",
        scope=Scope.RECIPIENT,
        trouble=Trouble.REFUSED,
    ),
    # -- words --------------------------------------------------------------------------------
    # RFC 5321 §4.2.4: these say that the relay did not understand us, nothing about the person.
    # After a refusal within a body it may be reading text as commands.
    Row(
        name="not understood",
        source="RFC 5321 §4.2.4",
        phases=(Phase.RCPT, Phase.DATA),
        codes=(500, 502, 503, 504),
        scope=Scope.SESSION,
        trouble=Trouble.CONFUSED,
        effect=Effect.SLOW,
    ),
    Row(
        name="quota in words",
        source="Exim and cPanel hosts: max emails per hour exceeded; emailit 452 4.5.3 Daily limit",
        text=r"(daily|hourly|sending|relay|messages?) .{0,30}(quota|limit).{0,40}exceed"
        r"|exceed.{0,30}(sending|daily|hourly|relay|messages?) .{0,10}(quota|limit)"
        r"|max emails per (hour|day)",
        scope=Scope.RELAY,
        trouble=Trouble.QUOTA,
        effect=Effect.REST,
    ),
    Row(
        name="rate in words",
        source="Postfix anvil(8): too much mail from, too many recipients from; Google 421 4.7.0",
        digit=4,
        text=r"too many (messages|recipients from)|too much mail|rate.?limit|throttl|slow down"
        r"|unusual rate",
        scope=Scope.RELAY,
        trouble=Trouble.THROTTLED,
        effect=Effect.REST,
    ),
    Row(
        name="busy in words",
        source="RFC 3463 §3.4 (4.3.1, 4.3.2); RFC 5321 §3.8; Google 4.4.5",
        digit=4,
        text=r"too many errors|(try|retry) (again )?later.{0,40}(server|system|relay)"
        r"|service (is )?(not |un)(currently )?available"
        r"|(server|system) (is )?(busy|overloaded|shutting)|insufficient system"
        r"|(server|system|service).{0,20}(busy|overload|shutting)",
        scope=Scope.RELAY,
        trouble=Trouble.BUSY,
        effect=Effect.REST,
    ),
    Row(
        name="busy by code",
        source="RFC 3463 §3.4: the system is full or takes nothing now",
        digit=4,
        enhanced=r"4\.3\.[12]|4\.4\.5",
        scope=Scope.RELAY,
        trouble=Trouble.BUSY,
        effect=Effect.REST,
    ),
    Row(
        name="no relaying",
        source="Postfix reject_unauth_destination; Exchange 5.7.64 TenantAttribution, 5.7.54",
        digit=5,
        text=r"relay(ing)?( access)? (is )?(denied|not permitted|not allowed|prohibited)"
        r"|not (permitted|allowed|authori[sz]ed) to relay|we do not relay|unable to relay"
        r"|tenantattribution",
        scope=Scope.RELAY,
        trouble=Trouble.NO_RELAYING,
        effect=Effect.REST,
    ),
    Row(
        name="blocked in words",
        source="the smtp-replies corpus (zone-mta's rules)",
        text=_BLOCKED,
        scope=Scope.RELAY,
        trouble=Trouble.BLOCKED,
        effect=Effect.REST,
    ),
    # -- every copy alike ---------------------------------------------------------------------
    Row(
        name="too large",
        source="RFC 1870 §6.2; RFC 3463 §3.4 X.3.4: this copy is as large as every other one",
        phases=(Phase.MAIL, *_AFTER_DATA),
        codes=(552, 554, 523),
        enhanced=r"5\.3\.4",
        scope=Scope.MAILING,
        trouble=Trouble.TOO_LARGE,
    ),
    Row(
        name="too large before anybody was named",
        source="RFC 1870 §6.1",
        phases=(Phase.MAIL,),
        codes=(552,),
        scope=Scope.MAILING,
        trouble=Trouble.TOO_LARGE,
    ),
    Row(
        name="sender refused",
        source="RFC 5321 §3.3: nobody was named yet",
        phases=(Phase.MAIL,),
        digit=5,
        scope=Scope.MAILING,
        trouble=Trouble.SENDER_REFUSED,
    ),
    Row(
        name="not now, before anybody was named",
        source="RFC 5321 §4.3.2 (451, 452, 455 to MAIL)",
        phases=(Phase.MAIL,),
        digit=4,
        scope=Scope.RELAY,
        trouble=Trouble.BUSY,
        effect=Effect.REST,
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
    "unusable_credentials": Trouble.SIGN_IN,
    "password_cannot_be_opened": Trouble.SIGN_IN,
    "refused_at_tls": Trouble.NOT_TRUSTED,
    "cannot_connect": Trouble.UNREACHABLE,
    "connect_timeout": Trouble.UNREACHABLE,
    "name_not_found": Trouble.UNREACHABLE,
    "relay_said_421": Trouble.BUSY,
    "no_smtp_reply": Trouble.CONFUSED,
    "reply_to_nothing": Trouble.CONFUSED,
    "reply_out_of_place": Trouble.CONFUSED,
    "reply_of_two_minds": Trouble.CONFUSED,
    "reply_of_too_many_lines": Trouble.CONFUSED,
    "reply_line_too_long": Trouble.CONFUSED,
    "taken_after_refusal": Trouble.CONFUSED,
    "chunking_refused": Trouble.CONFUSED,
}
# We ended it, or a fresh session with other manners goes on at once: nothing about the relay.
_OURS = frozenset(
    {"chunking_refused", "not_recorded", "session_ended", "session_not_ready", "lease_lost"}
)
# Another connection would meet the same.
_OF_EVERY_SESSION = frozenset(
    {Trouble.NOT_TRUSTED, Trouble.SIGN_IN, Trouble.NO_RELAYING, Trouble.QUOTA, Trouble.BLOCKED}
)
# Nothing was said about these people: our own core objected.
_OF_OBJECTION: dict[str, tuple[Scope, Trouble]] = {
    "unusable_address": (Scope.RECIPIENT, Trouble.BAD_ADDRESS),
    "address_too_long": (Scope.RECIPIENT, Trouble.BAD_ADDRESS),
    "relay_lacks_smtputf8": (Scope.RECIPIENT, Trouble.LACKS_SMTPUTF8),
    "message_too_large": (Scope.MAILING, Trouble.TOO_LARGE),
    "relay_lacks_8bitmime": (Scope.MAILING, Trouble.LACKS_8BITMIME),
    "unusable_sender": (Scope.MAILING, Trouble.SENDER_REFUSED),
}


def row_for(phase: Phase, reply: Reply) -> Row | None:
    """Give the row that decides what a refusal means, None when its digit does."""
    return next((row for row in TABLE if row.fits(phase, reply)), None)


def _row_of_session(phase: Phase, reply: Reply | None) -> Row | None:
    if reply is None:
        return None
    found = row_for(phase, reply)
    return found if found is not None and found.scope in (Scope.RELAY, Scope.SESSION) else None


def trouble_of_session(why: str, phase: Phase, reply: Reply | None) -> Trouble:
    """Say what a session that ended or never began means for its relay."""
    found = _row_of_session(phase, reply)
    if found is not None:
        return found.trouble
    if reply is not None and why != "relay_said_421" and phase in (Phase.GREETING, Phase.EHLO):
        return Trouble.BUSY if reply.code // 100 == 4 else Trouble.BLOCKED
    if reply is not None and why == "relay_said_421" and reply.enhanced.startswith("4.7."):
        return Trouble.THROTTLED  # RFC 3463 §3.8: policy, not weakness
    return _OF_WHY.get(why, Trouble.BROKEN_OFF)


def effect_of_session(why: str, phase: Phase, reply: Reply | None, *, accepted: int = 0) -> Effect:
    """Say what becomes of a relay after a session that ended or never began.

    One that ends after work well done means nothing: many relays close after so many messages, or
    so many minutes, and a fresh connection may open at once.
    """
    if why in _OURS:
        return Effect.NONE
    found = _row_of_session(phase, reply)
    if found is not None:
        return found.effect
    if accepted:
        return Effect.NONE
    trouble = trouble_of_session(why, phase, reply)
    return Effect.REST if trouble in _OF_EVERY_SESSION else Effect.SLOW


def meaning_of(
    verdict: Verdict, phase: Phase, reply: Reply | None, why: str = "", *, alone: bool = True
) -> Meaning:
    """Say what one settled offer means, for the recipient and for everybody else.

    ``alone`` says that the transaction had one recipient: it cannot have held too many.
    """
    if verdict in (Verdict.ACCEPTED, Verdict.IN_DOUBT):
        return Meaning(verdict, Scope.RECIPIENT, Trouble.NONE)
    if verdict is Verdict.UNTRIED and why == "relay_takes_fewer":  # RFC 9422: over its RCPTMAX
        return Meaning(verdict, Scope.TRANSACTION, Trouble.TOO_MANY_AT_ONCE)
    if verdict is Verdict.UNTRIED:
        return Meaning(verdict, Scope.SESSION, Trouble.NONE)
    if reply is None:
        scope, trouble = _OF_OBJECTION.get(why, (Scope.SESSION, Trouble.CONFUSED))
        effect = Effect.SLOW if scope is Scope.SESSION else Effect.NONE
        spared = verdict if scope is Scope.RECIPIENT else Verdict.UNTRIED
        return Meaning(spared, scope, trouble, effect)
    row = row_for(phase, reply)
    if row is None or row.scope is Scope.RECIPIENT:
        return _of_the_digit(verdict, phase, row)
    if row.scope is Scope.TRANSACTION and alone:
        return Meaning(Verdict.DEFERRED, Scope.SESSION, Trouble.BUSY, Effect.SLOW)
    # A reply that named the person leaves a fact; one at MAIL named nobody, and one about the
    # number of people in a transaction says that this person was not looked at.
    unseen = phase is Phase.MAIL or row.scope is Scope.TRANSACTION
    return Meaning(
        Verdict.UNTRIED if unseen else Verdict.DEFERRED, row.scope, row.trouble, row.effect
    )


def _of_the_digit(verdict: Verdict, phase: Phase, row: Row | None) -> Meaning:
    if verdict is Verdict.DEFERRED:
        return Meaning(verdict, Scope.RECIPIENT, Trouble.NONE)
    if row is None and phase in _AFTER_DATA:
        return Meaning(verdict, Scope.MESSAGE, Trouble.MESSAGE_REFUSED)
    return Meaning(verdict, Scope.RECIPIENT, Trouble.REFUSED)
