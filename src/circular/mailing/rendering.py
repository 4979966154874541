"""A stencil and a recipient become the octets of one message. Pure: the same in, the same out.

Rules:
  1. Date, boundaries, Message-ID and envelope follow from stencil, recipient and release alone, so
     a message that is offered again is the same byte for byte (design §2.3).
  2. One message goes to one person: To names nobody else.
  3. What comes from a recipient's row is text: escaped in HTML, without line breaks in headers.
  4. Only our own letters say ``Auto-Submitted``; a circular is what a person wrote, sent in bulk
     (practice.md §4, "Autoresponders").

Sources: practice.md §4; RFC 5322 §3.6; RFC 2919 (List-Id); RFC 3834 §5 (Auto-Submitted);
         MS-OXCMAIL §2.2.3.2.14 (X-Auto-Response-Suppress).
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from circular.mailformat import headers, outgoing, tokens
from circular.mailformat.addresses import needs_smtputf8
from circular.mailing.content import StencilContent, filled, has_open_field, merge_values
from circular.mailing.kinds import MailingKind

_OWN_LETTERS = frozenset({MailingKind.LETTER, MailingKind.SECRET, MailingKind.ANCHOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientFacts:
    """Everything about one recipient that may show in the message."""

    id: int
    address: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """What was pinned when the mailing was released.

    Units:   ``released_at`` is aware; ``references`` and ``in_reply_to`` with angle brackets
    """

    kind: MailingKind
    released_at: datetime
    message_domain: str
    bounce_address: str
    list_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    secret: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMessage:
    """One message ready to be offered: envelope and octets (CRLF, not dot-stuffed)."""

    envelope_from: str
    rcpt: str
    raw: bytes
    message_id: str
    smtputf8: bool


@dataclass(frozen=True, slots=True)
class CopyParts:
    """One message in two parts: what is the recipient's own, and what copies may share."""

    envelope_from: str
    rcpt: str
    head: bytes
    body: bytes


class _Body:
    """A text that is quoted-printable already, but for the lines that hold merge fields."""

    __slots__ = ("_lines", "_open", "_whole")

    def __init__(self, text: str, fields: tuple[str, ...]) -> None:
        lines = text.split("\n")
        self._open = [i for i, line in enumerate(lines) if fields and has_open_field(line)]
        encoded = [
            b"" if i in set(self._open) else outgoing.quoted_line(line)
            for i, line in enumerate(lines)
        ]
        self._whole = None if self._open else b"\r\n".join(encoded)
        self._lines = [(lines[i], encoded[i]) for i in range(len(lines))]

    @property
    def is_whole(self) -> bool:
        """Whether no merge field makes it anybody's own."""
        return self._whole is not None

    def fill(self, values: Mapping[str, str], fields: tuple[str, ...]) -> bytes:
        if self._whole is not None:
            return self._whole
        lines = [encoded for _, encoded in self._lines]
        for i in self._open:
            lines[i] = outgoing.quoted_line(filled(self._lines[i][0], values, fields))
        return b"\r\n".join(lines)


class Press:
    """Prints the copies of one mailing; what all copies share is encoded once."""

    def __init__(
        self, content: StencilContent, release: ReleaseFacts, files: Mapping[str, bytes]
    ) -> None:
        """Prepare everything that no recipient changes.

        Shapes:  ``files`` by digest; every file of the content must be there
        Raises:  UnsafeHeaderError, KeyError
        """
        self._content = content
        self._release = release
        self._seed = hashlib.sha256(content.digest().encode()).digest()
        self._text = _Body(content.text, content.merge_fields)
        self._html = _Body(content.html, content.merge_fields) if content.html else None
        self._attachments: Sequence[outgoing.EncodedPart] = [
            outgoing.encode(
                outgoing.Attachment(
                    name=file.name,
                    media_type=file.media_type,
                    content=files[file.digest],
                    content_id=file.content_id,
                )
            )
            for file in content.files
        ]
        self._shared = self._shared_fields()
        fields = content.merge_fields
        self._subject = (
            None
            if fields and has_open_field(content.subject)
            else headers.text_field("Subject", " ".join(content.subject.split()))
        )
        self._whole: bytes | None = None  # of a message whose body is nobody's own
        if self._text.is_whole and (self._html is None or self._html.is_whole):
            self._whole = self._body({}, {})

    @property
    def sender_domain(self) -> str:
        """The domain of the address in From."""
        return self._content.sender_address.rpartition("@")[2].lower()

    @property
    def released_at(self) -> datetime:
        """When the mailing was released."""
        return self._release.released_at

    def _shared_fields(self) -> list[bytes]:
        content, release = self._content, self._release
        fields = [
            headers.raw_field(
                "From", *headers.mailbox(content.sender_name, content.sender_address)
            ),
            outgoing.date_field(release.released_at),
        ]
        if content.reply_to and content.reply_to != content.sender_address:
            fields.append(headers.raw_field("Reply-To", *headers.mailbox("", content.reply_to)))
        if release.in_reply_to:
            fields.append(headers.raw_field("In-Reply-To", release.in_reply_to))
        if release.references:
            fields.append(headers.raw_field("References", *release.references))
        fields.append(headers.raw_field("Content-Language", content.language))
        if release.kind in _OWN_LETTERS:
            fields.append(headers.raw_field("Auto-Submitted", "auto-generated"))
        else:
            if release.list_id:
                fields.append(headers.raw_field("List-Id", f"<{release.list_id}>"))
            fields.append(headers.raw_field("Precedence", "bulk"))
        fields.append(headers.raw_field("X-Auto-Response-Suppress", "All"))
        return fields

    def _body(self, values: Mapping[str, str], escaped: Mapping[str, str]) -> bytes:
        """Return everything below the recipient's own fields."""
        fields = self._content.merge_fields
        return outgoing.build(
            outgoing.Message(
                fields=self._shared if self._subject is None else [self._subject, *self._shared],
                text=self._text.fill(values, fields),
                html=None if self._html is None else self._html.fill(escaped, fields),
                attachments=self._attachments,
                seed=self._seed,
            )
        )

    def print_parts(self, recipient: RecipientFacts) -> CopyParts:
        """Return one recipient's message; ``body`` is the same object where copies share it.

        Raises:  UnsafeHeaderError when the address would break out of its field
        """
        release = self._release
        values = merge_values(recipient.fields)
        token = tokens.recipient_token(release.secret, recipient.id)
        head = headers.raw_field(
            "To", *headers.mailbox(values["nombre_completo"], recipient.address)
        )
        if self._subject is None:
            subject = filled(self._content.subject, values, self._content.merge_fields)
            head += headers.text_field("Subject", " ".join(subject.split()))
        head += b"Message-ID: <%b@%b>\r\n" % (token.encode(), release.message_domain.encode())
        body = self._whole
        if body is None:
            escaped = {name: html.escape(value) for name, value in values.items()}
            body = self._body(values, escaped)
        return CopyParts(
            envelope_from=tokens.bounce_address(release.bounce_address, token),
            rcpt=recipient.address,
            head=head,
            body=body,
        )

    def print_copy(self, recipient: RecipientFacts) -> RenderedMessage:
        """Return one recipient's message as a whole.

        Raises:  UnsafeHeaderError when the address would break out of its field
        """
        parts = self.print_parts(recipient)
        return RenderedMessage(
            envelope_from=parts.envelope_from,
            rcpt=parts.rcpt,
            raw=parts.head + parts.body,
            message_id=tokens.message_id(
                self._release.secret, recipient.id, self._release.message_domain
            ),
            smtputf8=needs_smtputf8(recipient.address),
        )


def render(
    content: StencilContent,
    recipient: RecipientFacts,
    release: ReleaseFacts,
    files: Mapping[str, bytes] | None = None,
) -> RenderedMessage:
    """Return one recipient's message; for many copies of one mailing make a ``Press`` once."""
    return Press(content, release, files or {}).print_copy(recipient)


@dataclass(frozen=True, slots=True)
class Preview:
    """A message as one reader would see it."""

    subject: str
    html: str
    text: str


def preview(
    content: StencilContent, fields: Mapping[str, str], images: Mapping[str, str] | None = None
) -> Preview:
    """Return the parts of a message with the fields filled, for a page.

    Shapes:  ``images`` gives an address for each content id, which replaces ``cid:`` links
    """
    values = merge_values(fields)
    escaped = {name: html.escape(value) for name, value in values.items()}
    body = filled(content.html, escaped, content.merge_fields)
    # The longest first: "image1" stands within "image10" too.
    for content_id, address in sorted((images or {}).items(), key=lambda one: -len(one[0])):
        body = body.replace(f"cid:{content_id}", html.escape(address))
    return Preview(
        subject=filled(content.subject, values, content.merge_fields),
        html=body,
        text=filled(content.text, values, content.merge_fields),
    )
