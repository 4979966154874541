"""What a witness received is what was approved, or the difference is told in lines."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from circular.mailing.composing import Draft, FrameFacts, compose
from circular.mailing.content import StencilContent
from circular.mailing.rendering import RecipientFacts, ReleaseFacts, render
from circular.mailing.witnesscheck import compare

FilesAdded = Callable[[StencilContent], tuple[StencilContent, dict[str, bytes]]]


def test_a_copy_that_arrived_untouched_has_the_approved_digest(
    draft: Draft,
    frame: FrameFacts,
    release: ReleaseFacts,
    ana: RecipientFacts,
    with_files: FilesAdded,
) -> None:
    plain = compose(replace(draft, html="<p>Del 24 al 26 de noviembre.</p>"), frame).content
    content, files = with_files(plain)

    report = compare(render(content, ana, release, files).raw, content, ana.fields)

    assert report.differences == ()
    assert report.equal
    assert report.received_digest == content.digest()


def test_merge_fields_are_compared_as_filled_for_this_recipient(
    draft: Draft, frame: FrameFacts, release: ReleaseFacts, ana: RecipientFacts
) -> None:
    content = compose(draft, frame).content
    raw = render(content, ana, release).raw

    assert compare(raw, content, ana.fields).equal
    assert not compare(raw, content, {"given": "Otra"}).equal


def test_line_ends_and_trace_headers_make_no_difference(
    draft: Draft, frame: FrameFacts, release: ReleaseFacts, ana: RecipientFacts
) -> None:
    content = compose(draft, frame).content
    raw = (
        b"Return-Path: <x@y.example>\r\nReceived: from a by b; now\r\n"
        + render(content, ana, release).raw
    )

    assert compare(raw.replace(b"\r\n", b"\n"), content, ana.fields).equal


@pytest.mark.parametrize(
    ("was", "becomes", "part"),
    [
        (b"Vacunaci=C3=B3n", b"Votaci=C3=B3n", "text"),
        (b"<li", b"<li hidden", "html"),
        (b"Subject: Jornada", b"Subject: [EXTERNO] Jornada", "subject"),
        (b"<bienestar@", b"<rector@", "sender"),
    ],
)
def test_one_altered_word_gives_a_negative_verdict_with_the_difference(
    draft: Draft,
    frame: FrameFacts,
    release: ReleaseFacts,
    ana: RecipientFacts,
    was: bytes,
    becomes: bytes,
    part: str,
) -> None:
    content = compose(draft, frame).content
    raw = render(content, ana, release).raw
    assert was in raw

    report = compare(raw.replace(was, becomes, 1), content, ana.fields)

    assert not report.equal
    assert part in [one.part for one in report.differences]
    assert all(line[:1] in "-+@…" for line in report.lines())


def test_a_lost_or_changed_file_is_told(
    draft: Draft,
    frame: FrameFacts,
    release: ReleaseFacts,
    ana: RecipientFacts,
    with_files: FilesAdded,
) -> None:
    content, files = with_files(compose(draft, frame).content)
    raw = render(replace(content, files=content.files[1:]), ana, release, files).raw

    report = compare(raw, content, ana.fields)

    assert [one.part for one in report.differences] == ["files"]
    assert report.differences[0].lines[0].startswith("- Guía de la jornada.pdf")


@pytest.mark.parametrize(
    "raw", [b"", b"\0", b"From: x\r\n\r\n" + b"\xff" * 100, b"MIME-Version: 1.0"]
)
def test_bytes_that_are_no_message_are_only_different(
    draft: Draft, frame: FrameFacts, ana: RecipientFacts, raw: bytes
) -> None:
    assert not compare(raw, compose(draft, frame).content, ana.fields).equal
