"""Every message is exactly one thing, and only a person with an account begins a draft."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.intake.classify import classify
from circular.intake.sorting import (
    AutoReply,
    BounceReport,
    Duplicate,
    Known,
    Loop,
    NewRequest,
    ReplyToCase,
    Sorted,
    Standing,
    Stranger,
    UnmatchedReport,
    Unsortable,
    sort,
)
from circular.intake.words import Reason, SortedAs
from circular.mailformat.dsn import Action, Report
from circular.mailformat.incoming import Incoming, Sign, parse

ANA = "ana@unimacizo.example"
KNOWN = Known(standing=Standing.ACTIVE, own_addresses=frozenset({"solicitudes@unimacizo.example"}))
FAILED = Report(recipient=None, action=Action.FAILED, status="5.1.1", diagnostic="550 no")
DELAYED = replace(FAILED, action=Action.DELAYED)


def mail(*fields: str, sender: str = ANA) -> Incoming:
    lines = [f"From: {sender}"] if sender else []
    return parse("\r\n".join([*lines, *fields, "", "Texto."]).encode())


def test_a_known_account_asks_for_a_mass_mail() -> None:
    assert sort(mail("Subject: Jornada"), KNOWN) == NewRequest(ANA)


@pytest.mark.parametrize(
    ("because", "incoming", "known"),
    [
        (Loop(Reason.OUR_OWN_MAIL), mail(), replace(KNOWN, own_message=True)),
        (Loop(Reason.OUR_OWN_ADDRESS), mail(sender="Solicitudes@UniMacizo.example"), KNOWN),
        (Loop(Reason.TOO_MANY_HOPS), mail(*["Received: x"] * 51), KNOWN),
        (AutoReply(Reason.AUTO_SUBMITTED), mail("Auto-Submitted: auto-replied"), KNOWN),
        (AutoReply(Reason.AUTO_SUBMITTED), mail("Subject: Fuera de la oficina: Re: x"), KNOWN),
        (UnmatchedReport(Reason.NULL_SENDER), mail("Return-Path: <>"), KNOWN),
        (UnmatchedReport(Reason.SYSTEM_MAILBOX), mail(sender="Mailer-Daemon@x.example"), KNOWN),
        (UnmatchedReport(Reason.SYSTEM_MAILBOX), mail(sender="MAILER-DAEMON"), KNOWN),
        (AutoReply(Reason.BULK_OR_LIST), mail("List-Id: <a.b>"), KNOWN),
        (AutoReply(Reason.BULK_OR_LIST), mail("Precedence: bulk"), KNOWN),
        (UnmatchedReport(Reason.NULL_SENDER), mail(), replace(KNOWN, null_sender=True)),
        (UnmatchedReport(Reason.NO_TOKEN_OF_OURS), mail(), replace(KNOWN, reports=(FAILED,))),
        (Unsortable(Reason.NO_FROM), mail(sender=""), KNOWN),
        (Unsortable(Reason.SEVERAL_FROM), mail(sender=f"{ANA}, b@y.co"), KNOWN),
        (Unsortable(Reason.SEVERAL_FROM), mail(f"From: {ANA}"), KNOWN),
        (Unsortable(Reason.UNREADABLE_FROM), mail(sender="Ana"), KNOWN),
        (Unsortable(Reason.ANSWERS_A_CIRCULAR), mail(), replace(KNOWN, answers_circular=True)),
        (Unsortable(Reason.TOO_MANY_TODAY), mail(), replace(KNOWN, answered_too_often=True)),
        (Stranger(ANA, Reason.UNKNOWN_ADDRESS), mail(), replace(KNOWN, standing=Standing.UNKNOWN)),
        (
            Stranger(ANA, Reason.INACTIVE_ACCOUNT),
            mail(),
            replace(KNOWN, standing=Standing.INACTIVE),
        ),
        (Duplicate(7, ANA), mail(), replace(KNOWN, earlier=7)),
        (ReplyToCase(9, ANA), mail(), replace(KNOWN, case=9, standing=Standing.UNKNOWN)),
    ],
    ids=str,
)
def test_a_message_is_something_else_because(
    because: Sorted, incoming: Incoming, known: Known
) -> None:
    assert sort(incoming, known) == because


def test_an_answer_to_a_case_counts_even_from_the_mailbox_that_we_share_with_an_office() -> None:
    ours = "solicitudes@unimacizo.example"

    assert sort(mail(sender=ours), replace(KNOWN, case=9)) == ReplyToCase(9, ours)


def test_a_delivery_report_settles_the_recipient_that_our_token_names() -> None:
    assert sort(
        mail(), replace(KNOWN, reports=(FAILED,), recipient=3, null_sender=True)
    ) == BounceReport(3, True, "5.1.1", "550 no")


def test_a_warning_of_delay_is_not_permanent() -> None:
    report = sort(mail(), replace(KNOWN, reports=(DELAYED,), recipient=3))

    assert isinstance(report, BounceReport)
    assert not report.is_permanent


def test_two_froms_are_refused_even_when_one_is_known() -> None:
    """CVE-2023-27043: parsers disagree about which one counts."""
    assert isinstance(sort(mail(sender=f"<evil@y.co>\\,<{ANA}>"), KNOWN), Unsortable)


KNOWLEDGE = st.builds(
    Known,
    null_sender=st.booleans(),
    reports=st.sampled_from([(), (FAILED,), (DELAYED,)]),
    recipient=st.sampled_from([None, 3]),
    own_message=st.booleans(),
    own_addresses=st.just(frozenset({"solicitudes@unimacizo.example"})),
    case=st.sampled_from([None, 9]),
    answers_circular=st.booleans(),
    standing=st.sampled_from(Standing),
    earlier=st.sampled_from([None, 7]),
    answered_too_often=st.booleans(),
)
MAILS = st.lists(
    st.sampled_from(
        [
            "Auto-Submitted: auto-replied",
            "List-Id: <a.b>",
            "Return-Path: <>",
            "Subject: Jornada",
            f"From: {ANA}",
        ]
    ),
    max_size=3,
).flatmap(
    lambda fields: st.sampled_from(
        [ANA, "", "solicitudes@unimacizo.example", f"{ANA}, b@y.co"]
    ).map(lambda sender: mail(*fields, sender=sender))
)


def harmless(incoming: Incoming, known: Known, answer: Sorted) -> bool:
    """Tell whether an answer could neither feed a loop nor believe a stranger."""
    if not isinstance(answer, NewRequest):
        return True
    return (
        not incoming.signs & set(Sign)
        and not known.null_sender
        and not known.own_message
        and known.standing is Standing.ACTIVE
        and len(incoming.from_) == 1
        and answer.author not in known.own_addresses
    )


@given(MAILS, KNOWLEDGE)
def test_only_one_known_person_writing_by_hand_begins_a_draft(
    incoming: Incoming, known: Known
) -> None:
    assert harmless(incoming, known, sort(incoming, known))


def test_a_sorter_that_forgets_automatic_mail_would_be_caught() -> None:
    """The property above, shown to fail on a deliberately broken answer."""
    assert not harmless(mail("Auto-Submitted: auto-replied"), KNOWN, NewRequest(ANA))


# Bounces without any sign of a program, by people's mailboxes: words alone tell (a later issue).
ONLY_WORDS_TELL = 4
BOUNCES = [
    "sisimai",
    "flufl-bounce",
    "bounceparser",
    "php-bounce-handler",
    "small-bounces",
    "dada-mail",
]


def test_samples_of_bounces_begin_no_draft_even_if_a_known_account_stands_in_from(
    corpora: Callable[[str], Any],
) -> None:
    begun: list[str] = []
    seen = 0
    for name in BOUNCES:
        corpus = corpora(name)
        for sample, expected in corpus.samples.items():
            if expected["kind"] in {"bounce", "delay_warning", "autoreply", "complaint"}:
                seen += 1
                if classify(corpus.raw(sample))["as"] == "new_request":
                    begun.append(sample)

    assert seen > 300
    assert len(begun) <= ONLY_WORDS_TELL, begun


def test_every_message_of_every_corpus_is_something(corpora: Callable[[str], Any]) -> None:
    for name in (*BOUNCES, "espoofer", "redmine-mail-handler", "mime4j", "mimekit", "flanker"):
        corpus = corpora(name)
        for sample in corpus.samples:
            assert classify(corpus.raw(sample))["as"] in set(SortedAs)
