"""What a failure means: nobody is refused for what is not theirs.

Every row of the table has samples here, worded as the providers word them; the row that decides is
named, so a row that hides another is seen.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.dispatch.trouble import (
    PAUSES_OF_RELAYS,
    PAUSES_THAT_END,
    TABLE,
    Effect,
    Meaning,
    Scope,
    Trouble,
    effect_of_session,
    meaning_of,
    row_for,
    trouble_of_session,
)
from circular.smtp.events import Phase
from circular.smtp.replies import Reply
from circular.smtp.verdicts import VERDICT_OF_CLASS, Verdict

NOT_THEIRS = (Scope.RELAY, Scope.SESSION, Scope.MAILING, Scope.TRANSACTION)


def reply_of(line: str) -> Reply:
    code, _, text = line.partition(" ")
    return Reply(int(code), (text.encode(),))


def meaning(phase: Phase, line: str, *, alone: bool = True) -> Meaning:
    reply = reply_of(line)
    return meaning_of(VERDICT_OF_CLASS[reply.code // 100], phase, reply, alone=alone)


def of_line(line: str) -> Meaning:
    return meaning(Phase.RCPT, f"{line[:3]} {line[3:].lstrip(' -')}")


# The row that decides → what it was written for: phase and reply.
SAMPLES: dict[str, tuple[tuple[Phase, str], ...]] = {
    "encryption is asked for": (
        (Phase.MAIL, "530 5.7.0 Must issue a STARTTLS command first"),
        (Phase.EHLO, "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade"),
    ),
    "signing in does not work for the moment": (
        (Phase.AUTH, "454 4.7.0 Temporary authentication failure"),
        (Phase.AUTH, "454 4.7.0 Too many login attempts, please try again later. gsmtp"),
    ),
    "signing in elsewhere does not work for the moment": (
        (Phase.MAIL, "454 4.7.0 Cannot authenticate due to temporary system problem. Try again later"),
    ),
    "sign-in refused": (
        (Phase.AUTH, "535 5.7.8 Username and Password not accepted"),
        (Phase.AUTH, "535 5.7.3 Authentication unsuccessful"),
        (Phase.MAIL, "530 5.7.0 Authentication needed"),
        (Phase.AUTH, "534 5.7.9 Application-specific password needed"),
        (Phase.AUTH, "538 5.7.11 Encryption needed for requested mechanism"),
    ),
    "sign-in refused in words": (
        (Phase.MAIL, "550 5.7.57 Client not authenticated to send mail"),
        (Phase.RCPT, "550 5.7.1 Invalid credentials for relay [192.0.2.1]. gsmtp"),
        (Phase.RCPT, "550 authentication required"),
    ),
    "quota by code": (
        (Phase.RCPT, "550 5.4.5 Daily SMTP relay limit exceeded for user. gsmtp"),
        (Phase.DOT, "550 5.1.90 Your message can't be sent because you've reached your daily limit"),
        (Phase.DOT, "550 5.7.705 Access denied, tenant has exceeded threshold"),
        (Phase.DOT, "550 5.7.233 tenant external recipients"),
        (Phase.MAIL, "451 4.5.127 Message rejected. Excessive message rate from sender"),
    ),
    "quota of Google's relay": (
        (Phase.RCPT, "550 5.7.1 Daily SMTP relay limit exceeded for customer. gsmtp"),
        (Phase.DOT, "550 5.7.1 Daily user sending limit exceeded"),
    ),
    "peak of Google's relay": (
        (Phase.RCPT, "450 4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error"),
    ),
    "daily quota of Amazon": (
        (Phase.DOT, "454 Throttling failure: Daily message quota exceeded."),
        (Phase.DOT, "454 Throttling failure: Daily sending quota exceeded."),
    ),
    "the account that signs in has used its own up": (
        (Phase.DOT, "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException"),
        (Phase.DOT, "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException"),
    ),
    "the account that signs in is slowed for its errors": (
        (Phase.DOT, "550 5.2.255 Sender throttled due to continuous invalid recipients errors"),
    ),
    "too many connections by code": (
        (Phase.MAIL, "432 4.3.2 Concurrent connections limit exceeded"),
        (Phase.DOT, "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded"),
    ),
    "too many connections in words": (
        (Phase.GREETING, "421 4.7.0 192.0.2.1 Error: too many connections from 192.0.2.1"),
        (Phase.MAIL, "421 Trop de connexions. Too many connections, slow down. OFR005_104"),
        (Phase.DOT, "451 4.3.2 STOREDRV; sender thread limit exceeded"),
    ),
    "too many people in one transaction": (
        (Phase.RCPT, "452 4.5.3 Error: too many recipients"),
        (Phase.RCPT, "552 too many recipients"),
        (Phase.RCPT, "451 4.3.0 Multiple destination domains per transaction is unsupported"),
    ),
    "too many people in one transaction by code": (
        (Phase.RCPT, "452 4.5.3 Domain policy size exceeded"),
        (Phase.RCPT, "550 5.5.3 RESOLVER.ADR.RecipLimit"),
    ),
    "the rate of this mailbox": (
        (Phase.RCPT, "450 4.2.1 The user you are trying to contact is receiving mail too quickly"),
        (Phase.DOT, "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded"),
    ),
    "sending rate of Amazon": (
        (Phase.DOT, "454 Throttling failure: Maximum sending rate exceeded."),
    ),
    "rate by code": (
        (Phase.DOT, "421 4.7.28 Our system has detected an unusual rate of unsolicited mail"),
        (Phase.RCPT, "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)"),
    ),
    "blocked by code": (
        (Phase.MAIL, "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP"),
        (Phase.MAIL, "550 5.7.501 Access denied, spam abuse detected"),
        (Phase.RCPT, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]"),
    ),
    "the sending domain proves too little": (
        (Phase.DOT, "550 5.7.515 Access denied, sending domain does not meet the required level"),
        (Phase.DOT, "550 5.7.26 This mail has been blocked because the sender is unauthenticated"),
    ),
    "not allowed to send as this sender": (
        (Phase.DOT, "550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
        (Phase.RCPT, "550 5.1.8 Access denied, bad outbound sender"),
        (Phase.MAIL, "553 5.1.7 bad address of sender"),
    ),
    "not allowed to send as this sender, in words": (
        (Phase.DOT, "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiException"),
        (Phase.RCPT, "553 5.7.1 <a@b.example>: Sender address rejected: not owned by user c"),
        (Phase.DOT, "554 Message rejected: Email address is not verified. The following identities"),
    ),
    "this mailbox by code": (
        (Phase.RCPT, "550 5.1.1 unknown"),
        (Phase.RCPT, "552 5.2.2 user quota exceeded, mailbox limit"),
        (Phase.RCPT, "452 4.2.2 The email account that you tried to reach is over quota"),
        (Phase.DOT, "550 5.2.1 The account is disabled"),
    ),
    "policy of the mailbox": (
        (Phase.RCPT, "550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized"),
        (Phase.DOT, "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup"),
        (Phase.RCPT, "550 5.7.1 You are not authorized to send to this recipient"),
    ),
    "not understood": (
        (Phase.RCPT, "503 5.5.1 bad sequence"),
        (Phase.DATA, "502 5.5.2 command not implemented"),
    ),
    "quota in words": (
        (Phase.RCPT, "550 5.7.0 Sending quota for this account is exceeded"),
        (Phase.MAIL, "452 4.4.0 Daily message limit was exceeded"),
        (Phase.RCPT, "550 Domain example.org has exceeded the max emails per hour (500/500)"),
    ),
    "rate in words": (
        (Phase.RCPT, "450 4.7.1 Error: too much mail from 192.0.2.1"),
        (Phase.RCPT, "450 4.7.1 Error: too many recipients from 192.0.2.1"),
        (Phase.DOT, "451 4.7.1 throttled"),
    ),
    "busy in words": (
        (Phase.RCPT, "451 4.4.5 Server busy, try again later"),
        (Phase.GREETING, "421 Service not available, closing transmission channel"),
    ),
    "busy by code": (
        (Phase.RCPT, "452 4.3.1 disk full"),
        (Phase.RCPT, "451 4.3.2 please wait"),
    ),
    "no relaying": (
        (Phase.RCPT, "554 5.7.1 <x@y.example>: Relay access denied"),
        (Phase.RCPT, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"),
        (Phase.RCPT, "550 5.7.64 TenantAttribution; Relay Access Denied"),
    ),
    "blocked in words": (
        (Phase.RCPT, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using x.example"),
    ),
    "too large": (
        (Phase.DOT, "552 5.3.4 Message size exceeds fixed limit"),
        (Phase.DOT, "554 5.3.4 too big"),
        (Phase.MAIL, "523 5.3.4 too big"),
    ),
    "too large before anybody was named": ((Phase.MAIL, "552 size exceeds what we take"),),
    "sender refused": ((Phase.MAIL, "550 5.7.1 not your sender"),),
    "not now, before anybody was named": ((Phase.MAIL, "451 4.3.0 later"),),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "phase", "line"),
    [(name, phase, line) for name, lines in SAMPLES.items() for phase, line in lines],
)
def test_a_reply_is_decided_by(name: str, phase: Phase, line: str) -> None:
    found = row_for(phase, reply_of(line))

    assert found is not None
    assert found.name == name


def test_every_row_has_a_source_and_a_sample() -> None:
    assert [row.name for row in TABLE] == list(SAMPLES)
    assert all(row.source for row in TABLE)


@pytest.mark.parametrize(
    ("phase", "line"),
    [
        (phase, line)
        for row in TABLE
        if row.scope in NOT_THEIRS
        for phase, line in SAMPLES[row.name]
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_no_reply_about_the_relay_marks_an_address_bad(
    phase: Phase, line: str, *, alone: bool
) -> None:
    found = meaning(phase, line, alone=alone)

    assert found.verdict in (Verdict.DEFERRED, Verdict.UNTRIED)
    assert found.scope not in (Scope.RECIPIENT, Scope.MESSAGE)


def test_a_row_about_the_relay_says_what_becomes_of_it() -> None:
    for row in TABLE:
        about_the_relay = row.scope in (Scope.RELAY, Scope.SESSION)

        assert (row.effect is not Effect.NONE) is about_the_relay, row.name


@pytest.mark.parametrize(
    ("phase", "line", "expected"),
    [
        (Phase.RCPT, "550 5.1.1 unknown", (Verdict.REFUSED, Scope.RECIPIENT, Trouble.REFUSED, Effect.NONE)),
        (Phase.RCPT, "552 5.2.2 mailbox full", (Verdict.REFUSED, Scope.RECIPIENT, Trouble.REFUSED, Effect.NONE)),
        (Phase.RCPT, "552 no room", (Verdict.REFUSED, Scope.RECIPIENT, Trouble.REFUSED, Effect.NONE)),
        (Phase.RCPT, "552 too many recipients", (Verdict.DEFERRED, Scope.SESSION, Trouble.BUSY, Effect.SLOW)),
        (Phase.RCPT, "450 4.2.0 greylisted", (Verdict.DEFERRED, Scope.RECIPIENT, Trouble.NONE, Effect.NONE)),
        (Phase.RCPT, "503 5.5.1 bad sequence", (Verdict.DEFERRED, Scope.SESSION, Trouble.CONFUSED, Effect.SLOW)),
        (Phase.RCPT, "554 5.7.1 Relay access denied", (Verdict.DEFERRED, Scope.RELAY, Trouble.NO_RELAYING, Effect.REST)),
        (Phase.RCPT, "550 5.4.5 Daily sending quota exceeded", (Verdict.DEFERRED, Scope.RELAY, Trouble.QUOTA, Effect.REST)),
        (Phase.RCPT, "450 4.2.1 Peak SMTP relay limit exceeded", (Verdict.DEFERRED, Scope.RELAY, Trouble.THROTTLED, Effect.REST)),
        (Phase.RCPT, "450 4.2.1 user is receiving mail at a rate that", (Verdict.DEFERRED, Scope.RECIPIENT, Trouble.NONE, Effect.NONE)),
        (Phase.RCPT, "530 5.7.0 Authentication required", (Verdict.DEFERRED, Scope.RELAY, Trouble.SIGN_IN, Effect.REST)),
        (Phase.MAIL, "550 5.7.1 not your sender", (Verdict.UNTRIED, Scope.MAILING, Trouble.SENDER_REFUSED, Effect.NONE)),
        (Phase.MAIL, "451 4.3.0 later", (Verdict.UNTRIED, Scope.RELAY, Trouble.BUSY, Effect.REST)),
        (Phase.MAIL, "552 5.3.4 too big", (Verdict.UNTRIED, Scope.MAILING, Trouble.TOO_LARGE, Effect.NONE)),
        (Phase.MAIL, "432 4.3.2 Concurrent connections limit exceeded", (Verdict.UNTRIED, Scope.SESSION, Trouble.BUSY, Effect.SLOW)),
        (Phase.DOT, "552 5.3.4 too big", (Verdict.DEFERRED, Scope.MAILING, Trouble.TOO_LARGE, Effect.NONE)),
        (Phase.DOT, "554 5.6.0 no", (Verdict.REFUSED, Scope.MESSAGE, Trouble.MESSAGE_REFUSED, Effect.NONE)),
        (Phase.DOT, "550 5.7.1 delivery not authorized, message refused", (Verdict.REFUSED, Scope.MESSAGE, Trouble.MESSAGE_REFUSED, Effect.NONE)),
        (Phase.DOT, "451 4.7.1 throttled", (Verdict.DEFERRED, Scope.RELAY, Trouble.THROTTLED, Effect.REST)),
        (Phase.DOT, "250 2.0.0 ok", (Verdict.ACCEPTED, Scope.RECIPIENT, Trouble.NONE, Effect.NONE)),
    ],
)  # fmt: skip
def test_a_reply_means(
    phase: Phase, line: str, expected: tuple[Verdict, Scope, Trouble, Effect]
) -> None:
    assert meaning(phase, line) == Meaning(*expected)


def test_whoever_was_one_too_many_is_offered_again_in_a_smaller_transaction() -> None:
    found = meaning(Phase.RCPT, "452 4.5.3 too many recipients", alone=False)

    assert found == Meaning(Verdict.UNTRIED, Scope.TRANSACTION, Trouble.TOO_MANY_AT_ONCE)


def test_whoever_is_over_the_announced_limit_is_offered_again_in_another_transaction() -> None:
    found = meaning_of(Verdict.UNTRIED, Phase.IDLE, None, "relay_takes_fewer", alone=False)

    assert found == Meaning(Verdict.UNTRIED, Scope.TRANSACTION, Trouble.TOO_MANY_AT_ONCE)


def check_fairness(found: Meaning, phase: Phase, code: int) -> None:
    if found.verdict is Verdict.ACCEPTED:
        assert code // 100 == 2
    if found.verdict is Verdict.REFUSED:
        assert code // 100 == 5
        assert found.scope in (Scope.RECIPIENT, Scope.MESSAGE)
        assert phase is not Phase.MAIL


WORDS = st.lists(
    st.sampled_from(
        [
            "4.2.1", "5.1.1", "5.2.2", "5.4.5", "5.7.1", "4.7.0", "4.5.3", "5.3.4", "2.0.0", "quota",
            "exceeded", "daily", "limit", "relay", "denied", "too many", "recipients", "connections",
            "mailbox", "full", "user", "spamhaus", "STOREDRV.Submission", "busy", "server",
        ]
    ),
    max_size=6,
).map(" ".join)  # fmt: skip


@given(
    phase=st.sampled_from([Phase.RCPT, Phase.DATA, Phase.BODY, Phase.DOT, Phase.MAIL]),
    code=st.integers(200, 599).filter(lambda code: code // 100 != 3),
    text=WORDS,
    alone=st.booleans(),
)
def test_only_a_2yz_accepts_and_only_a_5yz_refuses(
    phase: Phase, code: int, text: str, *, alone: bool
) -> None:
    found = meaning(phase, f"{code} {text}", alone=alone)

    check_fairness(found, phase, code)
    row = row_for(phase, reply_of(f"{code} {text}"))
    if code // 100 != 2 and row is not None and row.scope in NOT_THEIRS:
        assert found.verdict is not Verdict.REFUSED


def test_a_table_that_holds_a_refused_sender_against_the_recipient_is_caught() -> None:
    unfair = Meaning(Verdict.REFUSED, Scope.RECIPIENT, Trouble.REFUSED)

    with pytest.raises(AssertionError):
        check_fairness(unfair, Phase.MAIL, 550)


@pytest.mark.parametrize(
    ("why", "verdict", "scope", "trouble"),
    [
        ("unusable_address", Verdict.REFUSED, Scope.RECIPIENT, Trouble.BAD_ADDRESS),
        ("message_too_large", Verdict.UNTRIED, Scope.MAILING, Trouble.TOO_LARGE),
        ("unusable_sender", Verdict.UNTRIED, Scope.MAILING, Trouble.SENDER_REFUSED),
        ("an objection of a newer core", Verdict.UNTRIED, Scope.SESSION, Trouble.CONFUSED),
    ],
)
def test_what_our_own_core_refused_means(
    why: str, verdict: Verdict, scope: Scope, trouble: Trouble
) -> None:
    found = meaning_of(Verdict.REFUSED, Phase.IDLE, None, why)

    assert (found.verdict, found.scope, found.trouble) == (verdict, scope, trouble)


@pytest.mark.parametrize("verdict", [Verdict.IN_DOUBT, Verdict.UNTRIED])
def test_silence_keeps_its_meaning(verdict: Verdict) -> None:
    assert meaning_of(verdict, Phase.DOT, None, "connection_closed").verdict is verdict


@pytest.mark.parametrize(
    ("why", "phase", "line", "trouble"),
    [
        ("cannot_connect", Phase.CONNECT, "", Trouble.UNREACHABLE),
        ("certificate_refused", Phase.CONNECT, "", Trouble.NOT_TRUSTED),
        ("refused_at_auth", Phase.AUTH, "535 5.7.8 no", Trouble.SIGN_IN),
        ("refused_at_greeting", Phase.GREETING, "554 no service for you", Trouble.BLOCKED),
        ("refused_at_greeting", Phase.GREETING, "451 not now", Trouble.BUSY),
        ("relay_said_421", Phase.RCPT, "421 4.7.0 go away", Trouble.THROTTLED),
        ("relay_said_421", Phase.RCPT, "421 4.4.2 timeout", Trouble.BUSY),
        ("no_smtp_reply", Phase.MAIL, "", Trouble.CONFUSED),
        ("connection_closed", Phase.DOT, "", Trouble.BROKEN_OFF),
        ("timeout_at_data", Phase.DATA, "", Trouble.BROKEN_OFF),
    ],
)
def test_the_end_of_a_session_means(why: str, phase: Phase, line: str, trouble: Trouble) -> None:
    code, _, text = line.partition(" ")
    reply = Reply(int(code), (text.encode(),)) if line else None

    assert trouble_of_session(why, phase, reply) is trouble


@pytest.mark.parametrize(
    ("why", "phase", "line", "accepted", "effect"),
    [
        ("cannot_connect", Phase.CONNECT, "", 0, Effect.SLOW),
        ("relay_said_421", Phase.GREETING, "421 too many connections", 0, Effect.SLOW),
        ("relay_said_421", Phase.RCPT, "421 4.7.0 closing after 50 messages", 50, Effect.NONE),
        ("relay_said_421", Phase.DOT, "421 4.7.28 unusual rate of mail", 50, Effect.REST),
        ("connection_closed", Phase.DOT, "", 3, Effect.NONE),
        ("connection_closed", Phase.MAIL, "", 0, Effect.SLOW),
        ("refused_at_auth", Phase.AUTH, "535 5.7.8 no", 0, Effect.REST),
        ("refused_at_auth", Phase.AUTH, "454 4.7.0 not now", 0, Effect.REST),
        ("certificate_refused", Phase.CONNECT, "", 0, Effect.REST),
        ("refused_at_greeting", Phase.GREETING, "554 no service for you", 0, Effect.REST),
        ("unusable_credentials", Phase.AUTH, "", 0, Effect.REST),
        ("chunking_refused", Phase.DATA, "502 5.5.1 what?", 0, Effect.NONE),
        ("not_recorded", Phase.DOT, "", 0, Effect.NONE),
        ("reply_line_too_long", Phase.RCPT, "", 0, Effect.SLOW),
    ],
)
def test_after_a_session_the_relay(
    why: str, phase: Phase, line: str, accepted: int, effect: Effect
) -> None:
    reply = reply_of(line) if line else None

    assert effect_of_session(why, phase, reply, accepted=accepted) is effect


def test_a_pause_that_ends_by_itself_is_the_relays() -> None:
    assert all(pause.value.startswith("relay_") for pause in PAUSES_OF_RELAYS)
    assert Trouble.SENDER_REFUSED not in PAUSES_OF_RELAYS
    assert Trouble.TOO_MANY_REFUSED not in PAUSES_THAT_END
    assert Trouble.OWN_QUOTA in PAUSES_THAT_END


def test_real_replies_about_us_are_never_held_against_a_recipient(
    corpora: Callable[[str], Any],
) -> None:
    """The smtp-replies corpus: what the sender's side is at fault for."""
    samples = [
        sample
        for sample in corpora("smtp-replies").samples.values()
        if "sender_side_fault" in sample and not sample["input"].startswith(("2", "3", "421"))
    ]

    ours = [s["input"] for s in samples if s["sender_side_fault"]]
    theirs = [s["input"] for s in samples if not s["sender_side_fault"]]
    blamed = [line for line in ours if of_line(line).verdict is Verdict.REFUSED]
    spread = [line for line in theirs if of_line(line).scope is Scope.RELAY]

    assert len(ours) > 8
    assert theirs
    # One reply quotes nothing but a word of its own invention.
    assert len(blamed) <= 1
    assert not spread
