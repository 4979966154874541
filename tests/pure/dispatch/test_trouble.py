"""What a failure means: nobody is refused for what is the relay's, the session's or the sender's."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.dispatch.trouble import (
    PAUSES_OF_RELAYS,
    Meaning,
    Scope,
    Trouble,
    meaning_of,
    trouble_of_session,
)
from circular.smtp.events import Phase
from circular.smtp.replies import Reply
from circular.smtp.verdicts import VERDICT_OF_CLASS, Verdict


def meaning(phase: Phase, line: str) -> Meaning:
    code, _, text = line.partition(" ")
    reply = Reply(int(code), (text.encode(),))
    return meaning_of(VERDICT_OF_CLASS[reply.code // 100], phase, reply)


def of_line(line: str) -> Meaning:
    return meaning(Phase.RCPT, f"{line[:3]} {line[3:].lstrip(' -')}")


@pytest.mark.parametrize(
    ("phase", "line", "verdict", "scope", "trouble"),
    [
        (Phase.RCPT, "550 5.1.1 unknown", Verdict.REFUSED, Scope.RECIPIENT, Trouble.REFUSED),
        (Phase.RCPT, "552 5.2.2 mailbox full", Verdict.REFUSED, Scope.RECIPIENT, Trouble.REFUSED),
        (Phase.RCPT, "552 no room", Verdict.REFUSED, Scope.RECIPIENT, Trouble.REFUSED),
        (Phase.RCPT, "552 too many recipients", Verdict.DEFERRED, Scope.SESSION, Trouble.BUSY),
        (Phase.RCPT, "450 4.2.0 greylisted", Verdict.DEFERRED, Scope.RECIPIENT, Trouble.NONE),
        (Phase.RCPT, "503 5.5.1 bad sequence", Verdict.DEFERRED, Scope.SESSION, Trouble.CONFUSED),
        (Phase.RCPT, "554 5.7.1 Relay access denied", Verdict.DEFERRED, Scope.RELAY, Trouble.NO_RELAYING),
        (Phase.RCPT, "550 5.4.5 Daily sending quota exceeded", Verdict.DEFERRED, Scope.RELAY, Trouble.QUOTA),
        (Phase.RCPT, "450 4.2.1 Peak SMTP relay limit exceeded", Verdict.DEFERRED, Scope.RELAY, Trouble.QUOTA),
        (Phase.RCPT, "450 4.2.1 user is receiving mail at a rate that", Verdict.DEFERRED, Scope.RECIPIENT, Trouble.NONE),
        (Phase.RCPT, "530 5.7.0 Authentication required", Verdict.DEFERRED, Scope.RELAY, Trouble.SIGN_IN),
        (Phase.MAIL, "550 5.7.1 not your sender", Verdict.UNTRIED, Scope.MAILING, Trouble.SENDER_REFUSED),
        (Phase.MAIL, "451 4.3.0 later", Verdict.UNTRIED, Scope.RELAY, Trouble.BUSY),
        (Phase.MAIL, "552 5.3.4 too big", Verdict.UNTRIED, Scope.MAILING, Trouble.TOO_LARGE),
        (Phase.DOT, "552 5.3.4 too big", Verdict.DEFERRED, Scope.MAILING, Trouble.TOO_LARGE),
        (Phase.DOT, "554 5.6.0 no", Verdict.REFUSED, Scope.MESSAGE, Trouble.MESSAGE_REFUSED),
        (Phase.DOT, "451 4.7.1 throttled", Verdict.DEFERRED, Scope.RELAY, Trouble.BUSY),
        (Phase.DOT, "250 2.0.0 ok", Verdict.ACCEPTED, Scope.RECIPIENT, Trouble.NONE),
    ],
)  # fmt: skip
def test_a_reply_means(
    phase: Phase, line: str, verdict: Verdict, scope: Scope, trouble: Trouble
) -> None:
    assert meaning(phase, line) == Meaning(verdict, scope, trouble)


def check_fairness(found: Meaning, phase: Phase, code: int) -> None:
    if found.verdict is Verdict.ACCEPTED:
        assert code // 100 == 2
    if found.verdict is Verdict.REFUSED:
        assert code // 100 == 5
        assert found.scope in (Scope.RECIPIENT, Scope.MESSAGE)
        assert phase is not Phase.MAIL


@given(
    phase=st.sampled_from([Phase.RCPT, Phase.DATA, Phase.BODY, Phase.DOT, Phase.MAIL]),
    code=st.integers(200, 599).filter(lambda code: code // 100 != 3),
    text=st.sampled_from(["", "5.1.1 x", "5.7.1 relaying denied", "4.2.1 y", "5.4.5 q", "2.0.0"]),
)
def test_only_a_2yz_accepts_and_only_a_5yz_refuses(phase: Phase, code: int, text: str) -> None:
    check_fairness(meaning(phase, f"{code} {text}"), phase, code)


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

    assert found == Meaning(verdict, scope, trouble)


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
        ("relay_said_421", Phase.RCPT, "421 4.7.0 go away", Trouble.BUSY),
        ("no_smtp_reply", Phase.MAIL, "", Trouble.CONFUSED),
        ("connection_closed", Phase.DOT, "", Trouble.BROKEN_OFF),
        ("timeout_at_data", Phase.DATA, "", Trouble.BROKEN_OFF),
    ],
)
def test_the_end_of_a_session_means(why: str, phase: Phase, line: str, trouble: Trouble) -> None:
    code, _, text = line.partition(" ")
    reply = Reply(int(code), (text.encode(),)) if line else None

    assert trouble_of_session(why, phase, reply) is trouble


def test_a_pause_that_ends_by_itself_is_the_relays() -> None:
    assert all(pause.value.startswith("relay_") for pause in PAUSES_OF_RELAYS)
    assert Trouble.SENDER_REFUSED not in PAUSES_OF_RELAYS


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
