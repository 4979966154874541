"""Is what a witness mailbox holds what was approved? Equal by digest, or the difference in words. Pure.

Rules:
  1. Line ends and transfer encoding aside, the decoded parts of the copy must give the digest of the
     stencil with the witness's own fields filled (without merge fields: the approved digest itself).
  2. Class, audience rule and frame version are not in a message: they are taken from the stencil, so
     the digest covers what a reader can see.
  3. A difference is told part by part, as lines that were lost (-) and lines that were added (+).
  4. The copy is untrusted bytes: reading it never raises.

Sources: design §2.3 and §2.8.
"""

from __future__ import annotations

import difflib
import hashlib
import html
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from circular.mailformat.html import text_of
from circular.mailformat.incoming import Incoming, parse
from circular.mailing.content import StencilContent, StencilFile, filled, merge_values

_MOST_LINES = 60  # of one part's difference; a person reads no more
_LINE_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One part that is not as approved.

    Shapes:  ``part`` is one of sender, reply_to, subject, text, html, files; ``lines`` begin with
             ``- `` (approved, missing in the copy) or ``+ `` (in the copy, not approved)
    """

    part: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessReport:
    """What the comparison found; ``equal`` means that both digests are the same."""

    equal: bool
    expected_digest: str
    received_digest: str
    message_id: str
    differences: tuple[Difference, ...]

    def lines(self) -> tuple[str, ...]:
        """Return all differences as lines, each part under its name."""
        return tuple(line for one in self.differences for line in (f"@ {one.part}", *one.lines))


def compare(raw: bytes, content: StencilContent, fields: Mapping[str, str]) -> WitnessReport:
    """Compare a received message with the content approved, filled for this recipient."""
    received = parse(raw)
    expected = expected_content(content, fields)
    seen = _as_content(received, content)
    return WitnessReport(
        equal=expected.digest() == seen.digest(),
        expected_digest=expected.digest(),
        received_digest=seen.digest(),
        message_id=received.message_id,
        differences=tuple(_differences(expected, seen)),
    )


def expected_content(content: StencilContent, fields: Mapping[str, str]) -> StencilContent:
    """Return the content as this recipient should see it; without merge fields it is unchanged."""
    if not content.merge_fields:
        return content
    values = merge_values(fields)
    escaped = {name: html.escape(value) for name, value in values.items()}
    return replace(
        content,
        subject=" ".join(filled(content.subject, values, content.merge_fields).split()),
        text=filled(content.text, values, content.merge_fields),
        html=filled(content.html, escaped, content.merge_fields),
    )


def _as_content(received: Incoming, content: StencilContent) -> StencilContent:
    senders = received.from_
    replies = received.reply_to or senders
    return replace(
        content,
        sender_name=_words(", ".join(one.name for one in senders)),
        sender_address=", ".join(one.address or one.written for one in senders),
        reply_to=", ".join(one.address or one.written for one in replies),
        subject=_words(received.subject),
        text=_body(received.text),
        html=_body(received.html),
        files=_in_order(
            (
                StencilFile(
                    name=file.name,
                    media_type=file.media_type,
                    digest=hashlib.sha256(file.content).hexdigest(),
                    octets=len(file.content),
                    content_id=file.content_id.strip("<>"),
                )
                for file in received.attachments
            ),
            content.files,
        ),
    )


def _words(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _body(text: str) -> str:
    """Return a body with LF line ends and one at its end; no body stays none."""
    if not text.strip():
        return ""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"


def _in_order(
    found: Iterable[StencilFile], approved: tuple[StencilFile, ...]
) -> tuple[StencilFile, ...]:
    """Return the files in the approved order: inline parts travel before attached ones.

    A type that we could not send as such travels as octet-stream (``mailformat.outgoing``) and a
    name may have been made safe by the reader: bytes and content id decide which file it is.
    """
    rest = list(found)
    ordered: list[StencilFile] = []
    for file in approved:
        match = next(
            (
                one
                for one in rest
                if one.digest == file.digest and one.content_id == file.content_id
            ),
            None,
        )
        if match is not None:
            rest.remove(match)
            ordered.append(file)
    return (*ordered, *rest)


def _differences(expected: StencilContent, seen: StencilContent) -> Iterable[Difference]:
    pairs = (
        (
            "sender",
            f"{expected.sender_name} <{expected.sender_address}>",
            f"{seen.sender_name} <{seen.sender_address}>",
        ),
        ("reply_to", expected.reply_to, seen.reply_to),
        ("subject", expected.subject, seen.subject),
        ("text", expected.text, seen.text),
        ("html", *_readable(expected.html, seen.html)),
        ("files", _listed(expected.files), _listed(seen.files)),
    )
    for part, approved, found in pairs:
        if approved != found:
            yield Difference(part=part, lines=_diff(approved, found))


def _readable(approved: str, found: str) -> tuple[str, str]:
    """Return the words of both when the words differ, else the HTML itself."""
    if approved == found:
        return "", ""
    words = text_of(approved), text_of(found)
    return words if words[0] != words[1] else (approved, found)


def _listed(files: Iterable[StencilFile]) -> str:
    return "\n".join(f"{file.name} ({file.octets}) {file.digest[:16]}" for file in files)


def _diff(approved: str, found: str) -> tuple[str, ...]:
    lines = [
        f"{line[0]} {line[1:][:_LINE_CHARACTERS]}"
        for line in difflib.unified_diff(
            approved.splitlines(), found.splitlines(), lineterm="", n=0
        )
        if not line.startswith(("---", "+++", "@@"))
    ]
    if len(lines) > _MOST_LINES:
        return (*lines[:_MOST_LINES], "…")
    return tuple(lines)
