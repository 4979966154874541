"""From stored bytes to a draft, its letter and its radicado; and everything that must not become one."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from bienestar import ANA, DRAFTS, furnish_office
from circular.directory.services import import_accounts
from circular.evidence.actors import CLOCK, SYSTEM, Actor
from circular.evidence.models import Blob, Entry
from circular.intake import queries, services
from circular.intake.arrivals import Arrival
from circular.intake.models import DraftLink, IncomingMail
from circular.intake.words import Door, MailState, Reason, SortedAs
from circular.mailformat import tokens
from circular.mailing.models import Mailing, Recipient
from circular.mailing.sealed import token_secret
from circular.people.models import Person, Sender, Unit
from circular.workflow import services as workflow
from circular.workflow.models import Correspondence, Request
from circular.workflow.states import State

pytestmark = pytest.mark.django_db

BODY = """Cordial saludo:

Remitente: Bienestar
Asunto: Jornada de salud
Destinatarios: estudiantes
Fecha: 18/11/2099 14:00
Motivo: Salud de todos

Los invitamos a la jornada.
"""


@pytest.fixture(autouse=True)
def house() -> None:
    """A university with one unit, its sender, Ana who belongs to it, and the rector."""
    furnish_office()
    lines = [
        "address;groups;active",
        f"{ANA};administrative;si",
        "rector@unimacizo.example;teaching;si",
        *(f"estudiante{number}@unimacizo.example;student;si" for number in range(3)),
        "retirado@unimacizo.example;student;no",
    ]
    import_accounts(
        "\n".join(lines).encode(), name="cuentas.csv", keep_good=False, confirm=True, by=SYSTEM
    )


def message(
    *fields: str, author: str = ANA, body: str = BODY, identifier: str = "<1@pc.example>"
) -> bytes:
    lines = [
        f"From: {author}",
        f"Message-ID: {identifier}",
        "Subject: Solicitud de correo",
        *fields,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body.replace("\n", "\r\n")).encode()


def arrive(raw: bytes, *, mail_from: str = ANA, to: str = DRAFTS) -> IncomingMail:
    (number,) = services.store_arrivals(
        [Arrival(raw=raw, mail_from=mail_from, rcpt_to=(to,), door=Door.LMTP)]
    )
    services.sort_incoming(number)
    return IncomingMail.objects.get(pk=number)


def letters() -> list[tuple[str, str, str]]:
    """Every letter on its way: to whom, its subject, its text."""
    return [
        (row.address, row.mailing.stencil.subject, (row.mailing.stencil.content or {})["text"])
        for row in Recipient.objects.select_related("mailing__stencil").order_by("pk")
    ]


def link_in(text: str) -> str:
    found = re.search(r"^http\S*(/b/\S+)$", text, re.MULTILINE)
    assert found
    return found[1]


def filled(**changes: object) -> dict[str, object]:
    return {
        "unit": Unit.objects.get().pk,
        "contact_name": "Ana Gómez",
        "sender": Sender.objects.get().pk,
        "subject": "Jornada de salud",
        "text": "Los invitamos a la jornada.",
        "groups": ["student"],
        "mail_class": "informativo",
        "wanted_on": "18/11/2099",
        "wanted_time": "14:00",
        "reason": "Salud",
        **changes,
    }


def test_a_mail_from_a_known_account_becomes_a_draft_without_number() -> None:
    arrived = arrive(message())

    draft = Request.objects.select_related("version").get(pk=arrived.request or 0)
    assert (draft.state, draft.filing_number) == (State.DRAFT.value, None)
    assert draft.version is not None
    assert draft.version.subject == "Jornada de salud"
    assert draft.version.audience == {"clauses": [{"groups": ["student"]}]}
    assert draft.version.sender is not None
    assert "Remitente" not in draft.version.text
    assert "Los invitamos a la jornada." in draft.version.text
    assert arrived.sorted_as == SortedAs.NEW_REQUEST.value


def test_the_mail_that_asked_is_the_first_control_point_of_its_case() -> None:
    arrived = arrive(message())

    mail = Correspondence.objects.get(request=arrived.request, direction="in")
    entry = Entry.objects.get(act="received")
    assert (mail.raw_digest, mail.message_id) == (arrived.raw, "<1@pc.example>")
    assert (entry.facts["raw"], entry.facts["incoming"]) == (arrived.raw, arrived.pk)
    assert entry.chain.subject == arrived.request


def test_the_answer_says_what_was_understood_and_goes_to_the_accounts_own_address() -> None:
    arrive(message("Reply-To: evil@elsewhere.example"), mail_from="evil@elsewhere.example")

    ((to, subject, text),) = letters()
    assert to == ANA
    assert subject == "Falta un paso para radicar su solicitud: Jornada de salud"
    assert "Bienestar <bienestar@unimacizo.example>" in text
    assert link_in(text)


def test_the_token_of_the_link_is_kept_nowhere_but_in_the_letter() -> None:
    arrive(message())

    token = link_in(letters()[0][2]).removeprefix("/b/")
    link = DraftLink.objects.get()
    assert token not in str(DraftLink.objects.values())
    assert not any(token in str(entry.facts) for entry in Entry.objects.all())
    assert queries.link_of_token(token) is not None
    assert Mailing.objects.get().kind == "secret"
    assert link.expires_at > timezone.now() + timedelta(days=4)


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_whoever_only_fetches_the_link_files_nothing(method: str) -> None:
    """Link scanners fetch (RFC 8058 exists because of them)."""
    arrived = arrive(message())
    path = link_in(letters()[0][2])
    client = Client()

    for _ in range(5):
        answer = getattr(client, method)(path)
        assert answer.status_code in {200, 405}

    assert Request.objects.get(pk=arrived.request or 0).state == State.DRAFT.value
    assert DraftLink.objects.get().used_at is None


def test_the_post_on_that_page_files_it_and_the_acknowledgement_goes_out() -> None:
    arrived = arrive(message())
    client = Client()

    answer = client.post(link_in(letters()[0][2]), filled())

    filed = Request.objects.get(pk=arrived.request or 0)
    assert answer.status_code == 302
    assert filed.state != State.DRAFT.value
    assert re.fullmatch(r"CIR-\d{4}-\d{6}", filed.filing_number or "")
    to, subject, _text = letters()[1]
    assert to == ANA
    assert subject.startswith(f"[{filed.filing_number}] ")
    assert str(filed.filing_number) in client.get(answer["Location"]).content.decode()


def test_the_same_form_sent_twice_draws_one_number() -> None:
    arrive(message())
    path = link_in(letters()[0][2])
    Client().post(path, filled())

    again = Client().post(path, filled())

    assert again.status_code == 200
    assert Request.objects.exclude(filing_number=None).count() == 1


def test_a_post_without_the_forms_token_acts_on_nothing() -> None:
    arrived = arrive(message())

    answer = Client(enforce_csrf_checks=True).post(link_in(letters()[0][2]), filled())

    assert answer.status_code == 403
    assert Request.objects.get(pk=arrived.request or 0).state == State.DRAFT.value


def test_a_field_that_is_missing_is_asked_for_and_nothing_typed_is_lost() -> None:
    arrived = arrive(message())

    answer = Client().post(link_in(letters()[0][2]), filled(groups=[], subject="Otro asunto"))

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Elija el público" in page
    assert "Otro asunto" in page
    assert Request.objects.get(pk=arrived.request or 0).state == State.DRAFT.value


def test_a_link_that_expired_or_never_was_opens_nothing() -> None:
    arrive(message())
    path = link_in(letters()[0][2])
    long_ago = timezone.now() - timedelta(days=20)
    DraftLink.objects.update(created_at=long_ago, expires_at=long_ago + timedelta(days=1))

    assert Client().post(path, filled()).status_code == 410
    assert Client().get("/b/nada").status_code == 404
    assert Request.objects.get().state == State.DRAFT.value


def test_a_link_ends_with_the_account_that_it_was_written_to() -> None:
    arrive(message())
    path = link_in(letters()[0][2])
    Person.objects.update(is_active=False)

    shown, posted = Client().get(path), Client().post(path, filled())

    assert (shown.status_code, posted.status_code) == (410, 410)
    assert Request.objects.get().state == State.DRAFT.value


def test_the_page_of_a_link_is_neither_kept_nor_passed_on() -> None:
    arrive(message())

    answer = Client().get(link_in(letters()[0][2]))

    assert answer["Referrer-Policy"] == "same-origin"
    assert "no-store" in answer["Cache-Control"]


def test_a_forged_from_of_the_rector_files_nothing() -> None:
    """Design §2.6: the answer goes to the rector's own mailbox, which the forger cannot read."""
    arrived = arrive(message(author="rector@unimacizo.example"), mail_from="evil@elsewhere.example")

    assert Request.objects.get(pk=arrived.request or 0).filing_number is None
    assert [to for to, _subject, _text in letters()] == ["rector@unimacizo.example"]


@pytest.mark.parametrize(
    ("raw", "kind", "reason"),
    [
        (message(author="x@elsewhere.example"), SortedAs.STRANGER, Reason.UNKNOWN_ADDRESS),
        (message(author=f"{ANA}, x@y.example"), SortedAs.UNSORTABLE, Reason.SEVERAL_FROM),
        (message(f"From: {ANA}"), SortedAs.UNSORTABLE, Reason.SEVERAL_FROM),
        (message(author="Ana"), SortedAs.UNSORTABLE, Reason.UNREADABLE_FROM),
        (message("Auto-Submitted: auto-replied"), SortedAs.AUTO_REPLY, Reason.AUTO_SUBMITTED),
        (message("List-Id: <a.b>"), SortedAs.AUTO_REPLY, Reason.BULK_OR_LIST),
        (message(author=DRAFTS), SortedAs.LOOP, Reason.OUR_OWN_ADDRESS),
        (message(*["Received: x"] * 60), SortedAs.LOOP, Reason.TOO_MANY_HOPS),
        (b"", SortedAs.UNSORTABLE, Reason.NO_FROM),
        (b"\x00\xff" * 500, SortedAs.UNSORTABLE, Reason.NO_FROM),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_request_makes_no_draft_and_no_answer(
    raw: bytes, kind: SortedAs, reason: Reason
) -> None:
    arrived = arrive(raw)

    assert (arrived.sorted_as, arrived.reason) == (kind.value, reason.value)
    assert not Request.objects.exists()
    assert letters() == []


def test_an_account_that_was_deactivated_is_a_stranger() -> None:
    arrived = arrive(message(author="retirado@unimacizo.example"))

    assert (arrived.sorted_as, arrived.reason) == ("stranger", "inactive_account")
    assert letters() == []


def test_a_null_sender_gets_no_answer_even_when_a_person_is_named() -> None:
    arrive(message(), mail_from="")

    assert letters() == []


def test_the_same_message_twice_is_one_case() -> None:
    first = arrive(message())

    again = arrive(b"Received: from b by c\r\n" + message())

    assert again.pk == first.pk
    assert again.repeats == 1
    assert Request.objects.count() == 1
    assert len(letters()) == 1


def test_the_same_words_with_a_new_message_id_are_one_case() -> None:
    first = arrive(message())

    again = arrive(message(identifier="<2@pc.example>"))

    assert (again.sorted_as, again.request) == ("duplicate", first.request)
    assert Request.objects.count() == 1


def test_whoever_writes_the_same_words_again_gets_a_new_link_to_the_same_draft() -> None:
    arrive(message())
    arrive(message(identifier="<2@pc.example>"))
    links = [link_in(text) for _to, _subject, text in letters()]

    Client().post(links[1], filled())

    assert len(set(links)) == 2
    assert Client().post(links[0], filled()).status_code == 200  # "already filed"
    assert Request.objects.exclude(filing_number=None).count() == 1


def test_the_words_of_a_filed_request_written_again_change_nothing() -> None:
    arrive(message())
    Client().post(link_in(letters()[0][2]), filled())
    before = len(letters())

    arrive(message(identifier="<2@pc.example>"))

    assert len(letters()) == before
    assert Request.objects.count() == 1


def test_the_words_of_a_draft_that_lapsed_may_ask_again() -> None:
    first = arrive(message())
    workflow.lapse_draft(first.request or 0, by=CLOCK)

    again = arrive(message(identifier="<2@pc.example>"))

    assert again.sorted_as == SortedAs.NEW_REQUEST.value
    assert again.request != first.request


def test_other_words_are_another_draft() -> None:
    arrive(message())
    arrive(message(identifier="<2@pc.example>", body="Otra cosa."))

    assert Request.objects.count() == 2


def test_ten_answers_a_day_to_one_address_are_enough() -> None:
    for number in range(12):
        arrive(message(identifier=f"<{number}@pc.example>", body=f"Texto {number}."))

    assert len(letters()) == services.ANSWERS_A_DAY
    assert IncomingMail.objects.filter(reason=Reason.TOO_MANY_TODAY.value).count() == 2


def test_our_own_letter_in_our_own_inbox_is_a_loop() -> None:
    arrive(message())
    own = tokens.message_id(token_secret(), Recipient.objects.get().pk, "unimacizo.example")

    returned = arrive(message(identifier=own, author=ANA, body="rebotado"))

    assert (returned.sorted_as, returned.reason) == ("loop", "our_own_mail")


def test_a_reply_to_a_letter_is_correspondence_of_its_case() -> None:
    first = arrive(message())
    Client().post(link_in(letters()[0][2]), filled())
    letter = tokens.message_id(
        token_secret(), Recipient.objects.latest("pk").pk, "unimacizo.example"
    )

    reply = arrive(
        message(f"References: {letter}", identifier="<r@pc.example>", body="Gracias."),
    )

    assert (reply.sorted_as, reply.request) == ("reply", first.request)
    filed = Correspondence.objects.get(direction="in", message_id="<r@pc.example>")
    assert (filed.request_id, filed.address, filed.text.strip()) == (first.request, ANA, "Gracias.")
    assert Request.objects.count() == 1


def bounce(token: str, *, action: str = "failed") -> bytes:
    return f"""From: MAILER-DAEMON@relay.example
To: {token}
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

No existe.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; alguien@unimacizo.example
Action: {action}
Status: 5.1.1
--b--
""".encode()


def accepted_recipient() -> Recipient:
    arrive(message())
    Recipient.objects.update(state="accepted")
    return Recipient.objects.get()


def test_a_bounce_with_our_token_settles_that_recipient() -> None:
    recipient = accepted_recipient()
    verp = tokens.bounce_address(DRAFTS, tokens.recipient_token(token_secret(), recipient.pk))

    arrived = arrive(bounce(verp), mail_from="", to=verp)

    recipient.refresh_from_db()
    assert (arrived.sorted_as, arrived.reason) == ("bounce", "our_token")
    assert recipient.state == "bounced"


def test_a_bounce_with_a_forged_token_moves_nobody_and_waits_for_a_person() -> None:
    recipient = accepted_recipient()
    token = tokens.recipient_token(b"another secret", recipient.pk)
    verp = tokens.bounce_address(DRAFTS, token)

    arrived = arrive(bounce(verp), mail_from="", to=verp)

    recipient.refresh_from_db()
    assert recipient.state == "accepted"
    assert arrived.reason == Reason.NO_TOKEN_OF_OURS.value
    assert queries.unsorted_count() == 1


def test_a_message_that_fails_three_times_is_set_aside_with_its_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "read_request", _broken)
    raw = message()
    arrived = arrive(raw)
    for _ in range(3):
        services.sort_incoming(arrived.pk)

    arrived.refresh_from_db()
    assert (arrived.state, arrived.attempts) == (MailState.SET_ASIDE.value, 3)
    assert arrived.failure == "ZeroDivisionError"
    assert bytes(Blob.objects.get(pk=arrived.raw).content) == raw
    assert Entry.objects.filter(act="mail_set_aside").count() == 1
    assert not Request.objects.exists()


def _broken(*_args: object, **_kwargs: object) -> None:
    raise ZeroDivisionError


def test_a_message_that_kills_its_process_is_set_aside_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try is counted before it begins."""

    def killed(*_args: object, **_kwargs: object) -> None:
        raise SystemExit

    monkeypatch.setattr(services, "read_request", killed)
    (number,) = services.store_arrivals(
        [Arrival(raw=message(), mail_from=ANA, rcpt_to=(DRAFTS,), door=Door.LMTP)]
    )
    for _ in range(3):
        with pytest.raises(SystemExit):
            services.sort_incoming(number)

    services.sort_incoming(number)

    assert IncomingMail.objects.get().state == MailState.SET_ASIDE.value


def test_a_message_whose_job_was_lost_is_found_by_the_round() -> None:
    services.store_arrivals(
        [Arrival(raw=message(), mail_from=ANA, rcpt_to=(DRAFTS,), door=Door.LMTP)]
    )

    later = timezone.now() + timedelta(minutes=2)
    assert queries.stored_unsorted(timezone.now(), older_than=timedelta(seconds=30)) == []
    assert len(queries.stored_unsorted(later, older_than=timedelta(seconds=30))) == 1


def test_sorting_twice_changes_nothing() -> None:
    arrived = arrive(message())
    entries = Entry.objects.count()

    services.sort_incoming(arrived.pk)

    assert Entry.objects.count() == entries
    assert Request.objects.count() == 1


def test_evidence_of_sorting_names_no_address_and_no_word() -> None:
    arrive(message())

    facts = Entry.objects.get(act="mail_sorted").facts
    assert facts["as"] == "new_request"
    assert not re.search(r"@|Jornada|ana", str(facts))


def test_header_injection_in_the_subject_reaches_no_header() -> None:
    raw = message(body="Texto.").replace(
        b"Subject: Solicitud de correo", b"Subject: =?utf-8?q?hola=0D=0ABcc=3A_x=40y.example?="
    )
    arrive(raw)

    ((_to, subject, _text),) = letters()
    assert "\n" not in subject
    assert subject.endswith("hola Bcc: x@y.example")


def test_pictures_and_files_come_along_with_the_draft() -> None:
    raw = b"""From: ana.gomez@unimacizo.example
Subject: Con arte
Content-Type: multipart/related; boundary=b

--b
Content-Type: text/html; charset=utf-8

<p>Asunto: Jornada</p><p>Vean <img src="cid:arte"><script>alert(1)</script></p>
--b
Content-Type: image/png; name=arte.png
Content-ID: <arte>
Content-Transfer-Encoding: base64

iVBORw==
--b--
"""
    arrived = arrive(raw)

    version = Request.objects.select_related("version").get(pk=arrived.request or 0).version
    assert version is not None
    assert version.subject == "Jornada"
    assert "<script" not in version.html
    assert "cid:arte" in version.html
    (file,) = version.attachments
    assert (file["name"], file["inline"], file["content_id"]) == ("arte.png", True, "arte")
    assert bytes(Blob.objects.get(pk=file["digest"]).content) == b"\x89PNG"


def test_ten_thousand_parts_wait_for_a_person() -> None:
    raw = message("Content-Type: multipart/mixed; boundary=x", body="--x\n\nhola\n" * 10_000)

    assert arrive(raw).reason == Reason.TOO_MANY_PARTS.value


def test_whoever_looked_at_a_stranger_takes_it_off_the_tray(
    django_assert_max_num_queries: Callable[..., object],
) -> None:
    for number in range(5):
        arrive(message(author=f"x{number}@elsewhere.example"))
    ana = Person.objects.get(email=ANA)
    with django_assert_max_num_queries(1):  # type: ignore[attr-defined]
        rows = queries.unsorted()

    assert services.look_at(rows[0].id, by=Actor.of(ana.pk))
    assert not services.look_at(rows[0].id, by=Actor.of(ana.pk))
    assert queries.unsorted_count() == 4


def test_one_commit_stores_many_and_a_repeat_among_them_is_one_row() -> None:
    arrivals = [
        Arrival(
            raw=message(identifier=f"<{n % 3}@x>"), mail_from=ANA, rcpt_to=(DRAFTS,), door=Door.SMTP
        )
        for n in range(5)
    ]

    ids = services.store_arrivals(arrivals)

    assert ids[0] == ids[3]
    assert IncomingMail.objects.count() == 3


def test_the_door_takes_mail_for_the_institutions_domain() -> None:
    assert queries.our_domains() == {"unimacizo.example"}


TRAPS = {
    "nested a thousand deep": b"From: ana.gomez@unimacizo.example\r\n"
    + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(1000)
    ),
    "500 nested comments": message(author="(" * 500 + ")" * 500 + ANA, body="Texto."),
    "a charset that is none": message('Content-Type: text/plain; charset="x-nada"', body="Año."),
    "a charset that is a trap": message("Content-Type: text/plain; charset=unicode_escape"),
    "base64 that is none": message("Content-Transfer-Encoding: base64", body="%%%"),
    "a boundary that never comes": message("Content-Type: multipart/mixed; boundary=nunca"),
    "a file name with a path": message(
        'Content-Type: application/pdf; name="../../etc/passwd"', body="%PDF"
    ),
    "NUL everywhere": message(body="a\x00b\x00"),
    "a header of a megabyte": message("X-Largo: " + "a" * 1_000_000),
    "lone surrogates": message(body="x").replace(b"\r\n\r\nx", b"\r\n\r\n\xed\xa0\x80"),
}


@pytest.mark.parametrize("raw", TRAPS.values(), ids=TRAPS)
def test_every_trap_ends_as_a_sorted_message_with_an_entry(raw: bytes) -> None:
    """reliability.md §4"""
    arrived = arrive(raw)

    assert arrived.state == MailState.SORTED.value
    assert arrived.attempts == 1
    assert Entry.objects.filter(act="mail_sorted").count() == 1


def test_a_robot_that_answers_every_letter_gets_no_more_than_ten() -> None:
    """Two machines that write to each other stop by themselves (reliability.md §6, 21)."""
    arrive(message())
    for number in range(30):
        text = letters()[-1][2]
        arrive(message(identifier=f"<r{number}@robot.example>", body=f"{number} {text}"))

    assert len(letters()) <= services.ANSWERS_A_DAY


def test_a_reply_to_the_letter_of_a_draft_is_kept_with_it_and_begins_no_other() -> None:
    first = arrive(message())
    letter = tokens.message_id(token_secret(), Recipient.objects.get().pk, "unimacizo.example")

    reply = arrive(message(f"In-Reply-To: {letter}", identifier="<r@pc>", body="Es el 24."))

    assert (reply.sorted_as, reply.request) == ("reply", first.request)
    assert Request.objects.count() == 1
