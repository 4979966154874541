"""Every octet of a message follows from stencil, recipient and release, and holds no surprise."""

import email
import email.policy
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circular.mailformat import tokens
from circular.mailformat.headers import UnsafeHeaderError
from circular.mailing.composing import Draft, FrameFacts, compose
from circular.mailing.content import ContentError, StencilContent, StencilFile, check
from circular.mailing.kinds import MailClass, MailingKind
from circular.mailing.rendering import RecipientFacts, ReleaseFacts, preview, render
from variants import assert_catches

FilesAdded = Callable[[StencilContent], tuple[StencilContent, dict[str, bytes]]]


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_the_same_recipient_gets_the_same_octets_every_time(
    draft: Draft,
    frame: FrameFacts,
    release: ReleaseFacts,
    ana: RecipientFacts,
    with_files: FilesAdded,
) -> None:
    content, files = with_files(compose(draft, frame).content)

    assert render(content, ana, release, files) == render(content, ana, release, files)


def test_another_recipient_release_or_content_gives_other_octets(
    draft: Draft, frame: FrameFacts, release: ReleaseFacts, ana: RecipientFacts
) -> None:
    content = compose(draft, frame).content
    later = replace(release, released_at=release.released_at + timedelta(seconds=1))
    other = compose(replace(draft, subject="Otra jornada"), frame).content

    copies = {
        render(content, ana, release).raw,
        render(content, replace(ana, id=42), release).raw,
        render(content, ana, later).raw,
        render(other, ana, release).raw,
    }

    assert len(copies) == 4


def test_the_headers_are_those_of_a_bulk_mail_to_one_person(
    draft: Draft, frame: FrameFacts, release: ReleaseFacts, ana: RecipientFacts
) -> None:
    printed = render(
        compose(replace(draft, reply_to="salud@unimacizo.example"), frame).content, ana, release
    )

    message = read(printed.raw)

    assert message["From"] == "Bienestar Universitario <bienestar@unimacizo.example>"
    assert message["Reply-To"] == "salud@unimacizo.example"
    assert message["To"] == "Ana María Gómez <ana@unimacizo.example>"
    assert message["Subject"] == draft.subject
    assert message["Date"] == "Mon, 23 Nov 2026 14:00:00 +0000"
    assert message["List-Id"] == "<circulares.unimacizo.example>"
    assert message["Precedence"] == "bulk"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Message-ID"] == printed.message_id
    assert "Auto-Submitted" not in message
    assert "Cc" not in message
    assert "Bcc" not in message
    assert not message.defects


def test_our_own_letter_says_that_a_machine_wrote_it_and_joins_its_thread(
    draft: Draft, frame: FrameFacts, release: ReleaseFacts, ana: RecipientFacts
) -> None:
    letter = replace(
        release,
        kind=MailingKind.LETTER,
        in_reply_to="<uno@ejemplo.example>",
        references=("<caso@unimacizo.example>", "<uno@ejemplo.example>"),
    )

    message = read(render(compose(draft, frame).content, ana, letter).raw)

    assert message["Auto-Submitted"] == "auto-generated"
    assert "Precedence" not in message
    assert "List-Id" not in message
    assert message["References"] == "<caso@unimacizo.example> <uno@ejemplo.example>"


def test_the_envelope_sender_and_message_id_name_the_recipient_by_token(
    draft: Draft, frame: FrameFacts, release: ReleaseFacts, ana: RecipientFacts
) -> None:
    printed = render(compose(draft, frame).content, ana, release)

    assert tokens.recipient_of_address(release.secret, printed.envelope_from) == 41
    assert tokens.recipient_of_message_id(release.secret, printed.message_id) == 41
    assert tokens.recipient_of_address(b"another secret", printed.envelope_from) is None


def test_files_arrive_as_they_were_and_the_parts_stand_in_order(
    draft: Draft,
    frame: FrameFacts,
    release: ReleaseFacts,
    ana: RecipientFacts,
    with_files: FilesAdded,
) -> None:
    content, files = with_files(compose(draft, frame).content)

    message = read(render(content, ana, release, files).raw)

    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed",
        "multipart/related",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    attached = list(message.iter_attachments())
    assert attached[-1].get_filename() == "Guía de la jornada.pdf"
    assert attached[-1].get_content().startswith(b"%PDF-1.7 ")


def test_what_a_person_is_called_is_text_and_nothing_else(
    draft: Draft, frame: FrameFacts, release: ReleaseFacts, ana: RecipientFacts
) -> None:
    mallory = replace(
        ana,
        fields={"given": "<script>x</script>\r\nBcc: todos@x.example", "family": "{{apellidos}}"},
    )

    message = read(render(compose(draft, frame).content, mallory, release).raw)

    html = message.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content()
    assert "Bcc" not in message
    assert "{{apellidos}}" in str(message["To"])


@pytest.mark.parametrize("address", ["a@x.example>\r\nBcc: b@x.example", "a b@x.example", "a,b@x"])
def test_an_address_that_would_break_out_of_its_field_is_refused(
    draft: Draft, frame: FrameFacts, release: ReleaseFacts, ana: RecipientFacts, address: str
) -> None:
    with pytest.raises(UnsafeHeaderError):
        render(compose(draft, frame).content, replace(ana, address=address), release)


def test_the_preview_shows_what_the_message_will_say(
    draft: Draft, frame: FrameFacts, ana: RecipientFacts
) -> None:
    shown = preview(
        compose(replace(draft, html='<p>{{nombre}}</p><img src="cid:a@b" alt="">'), frame).content,
        ana.fields,
        images={"a@b": "/adjuntos/1"},
    )

    assert "Ana María" in shown.html
    assert "cid:" not in shown.html
    assert "/adjuntos/1" in shown.html


def test_an_image_whose_name_begins_another_ones_is_not_shown_for_it(
    draft: Draft, frame: FrameFacts, ana: RecipientFacts
) -> None:
    html = '<p>Hola</p><img src="cid:image10" alt=""><img src="cid:image1" alt="">'
    images = {"image1": "/adjuntos/1", "image10": "/adjuntos/10"}

    shown = preview(compose(replace(draft, html=html), frame).content, ana.fields, images=images)

    assert 'src="/adjuntos/10"' in shown.html
    assert 'src="/adjuntos/1"' in shown.html


TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n.=- {}é\u2028\u0085"),
    max_size=400,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS.filter(lambda text: text.strip()), name=TEXTS, subject=TEXTS)
def test_any_text_arrives_as_it_was_in_lines_that_smtp_can_carry(
    release: ReleaseFacts, ana: RecipientFacts, text: str, name: str, subject: str
) -> None:
    content = StencilContent(
        sender_name="Bienestar",
        sender_address="bienestar@unimacizo.example",
        reply_to="bienestar@unimacizo.example",
        subject=" ".join(subject.replace("\u2028", "").replace("\u0085", "").split()) or "asunto",
        html="",
        text=text.rstrip("\n") + "\n",
        mail_class=MailClass.OFFICIAL,
    )
    given_name = name.replace("\u2028", " ").replace("\u0085", " ").replace("\u2029", " ")
    person = replace(ana, fields={"given": given_name})
    if "\u2029" in content.subject:
        return

    raw = render(content, person, release).raw

    assert_soft(raw)
    body = read(raw).get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode().replace("\r\n", "\n") == content.text


ANYTHING = st.text(
    st.characters() | st.sampled_from("\r\n\0\t\x85\x9d\u2028\u2029\ud800"), max_size=60
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.tuples(ANYTHING, ANYTHING, ANYTHING), subject=ANYTHING, sender=ANYTHING, file=ANYTHING
)
def test_what_passes_the_check_can_be_printed_for_anybody(
    release: ReleaseFacts,
    ana: RecipientFacts,
    names: tuple[str, str, str],
    subject: str,
    sender: str,
    file: str,
) -> None:
    """A message that cannot be printed is found when it is composed, not when it should go out."""
    digest = hashlib.sha256(b"x").hexdigest()
    attached = StencilFile(name=file, media_type=file, digest=digest, octets=1, content_id=file)
    content = StencilContent(
        sender_name=sender,
        sender_address="bienestar@unimacizo.example",
        reply_to="bienestar@unimacizo.example",
        subject=subject + "{{nombre_completo}}",
        html="",
        text="x\n",
        files=(attached,),
        mail_class=MailClass.OFFICIAL,
        merge_fields=("nombre_completo",),
    )
    try:
        check(content)
    except ContentError:
        return
    person = replace(ana, fields=dict(zip(("given", "family", "preferred"), names, strict=True)))

    assert_soft(render(content, person, release, {digest: b"x"}).raw)


def test_a_check_that_lets_everything_pass_is_caught(
    release: ReleaseFacts, ana: RecipientFacts
) -> None:
    assert_catches(
        partial(test_what_passes_the_check_can_be_printed_for_anybody, release, ana),
        __name__,
        "check",
        lambda content: content,
        UnsafeHeaderError,
        AssertionError,
    )


def assert_soft(raw: bytes) -> None:
    """RFC 5321 §2.3.8 and §4.5.3.1.6: CRLF only, no line over 998 octets, and nothing beyond ASCII."""
    assert raw.endswith(b"\r\n")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert raw.isascii()
    assert b"\0" not in raw


@pytest.mark.parametrize(
    "broken", [b"a\nb\r\n", b"a\rb\r\n", b"a", b"x" * 999 + b"\r\n", b"\xe9\r\n"]
)
def test_the_property_above_catches_a_press_that_writes_bodies_raw(broken: bytes) -> None:
    with pytest.raises(AssertionError):
        assert_soft(broken)
