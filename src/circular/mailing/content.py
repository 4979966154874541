"""What an approval binds: the content of a mailing as one canonical run of bytes, and its SHA-256.

Rules:
  1. The digest covers the canonical headers (sender, reply-to, subject), HTML and text with the
     institution's frame applied and the merge fields open, the decoded attachments (by their own
     SHA-256, name and type), the class, the audience rule, the language and the frame's version.
  2. Canonical means: UTF-8 JSON, keys sorted, no blanks, LF line ends, one line end at the end of
     each text, the attachments in their order.
  3. Merge fields are filled only when the content names them, and only with a recipient's own
     values; whatever else stands between braces is text.

Sources: design §2.3.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from circular.mailing.kinds import MailClass

FORMAT = "circular stencil 1"

# What a requester may write between double braces, and which of a recipient's fields it takes.
MERGE_FIELDS: Mapping[str, str] = {
    "nombre": "preferred",
    "nombres": "given",
    "apellidos": "family",
    "nombre_completo": "full",
}
_OPEN_FIELD = re.compile(r"\{\{ ?([a-z_]{1,40}) ?\}\}")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# What no header field may hold (``mailformat.headers`` refuses it when the message is printed, which
# would be too late to tell anybody).
_FORBIDDEN_IN_LINE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_CONTENT_ID = re.compile(r"[!-;=?-~]{0,200}\Z")
_LANGUAGE = re.compile(r"[a-z]{2}(?:-[A-Z]{2})?\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class ContentError(ValueError):
    """Content that no stencil may hold; ``code`` says why."""

    def __init__(self, code: str, fact: str = "") -> None:
        super().__init__(f"{code}: {fact}" if fact else code)
        self.code = code
        self.fact = fact


@dataclass(frozen=True, slots=True, kw_only=True)
class StencilFile:
    """A file of the content, by the SHA-256 of its decoded bytes; those lie in the archive."""

    name: str
    media_type: str
    digest: str
    octets: int
    content_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StencilContent:
    """Everything that is approved.

    Shapes:  ``merge_fields`` sorted; ``html`` empty for a text-only letter
    Units:   ``audience_rule`` is canonical JSON, or empty for a mailing to named addresses
    """

    sender_name: str
    sender_address: str
    reply_to: str
    subject: str
    html: str
    text: str
    files: tuple[StencilFile, ...] = ()
    mail_class: MailClass
    audience_rule: str = ""
    language: str = "es"
    frame_version: int = 0
    merge_fields: tuple[str, ...] = ()
    # Only a secret has one: two people may be sent the same code, and the content of one is dropped
    # while the other still waits; and no digest of a short code can be guessed.
    salt: str = ""

    def canonical(self) -> bytes:
        """Return the bytes that the digest is taken over."""
        return canonical_json({"format": FORMAT, **asdict(self)})

    def digest(self) -> str:
        """Return the SHA-256 of the canonical bytes, in hexadecimal."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def to_json(self) -> dict[str, Any]:  # plain JSON for one column; read back by ``from_json``
        """Return the content as plain JSON values."""
        value: dict[str, Any] = json.loads(self.canonical())
        return value


def canonical_json(value: object) -> bytes:
    """Return JSON in its one canonical spelling."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("utf-8")


def from_json(value: Mapping[str, Any]) -> StencilContent:
    """Read back what ``to_json`` gave.

    Raises:  ContentError for another format
    """
    fields = dict(value)
    if fields.pop("format", None) != FORMAT:
        raise ContentError("unknown_format")
    fields["files"] = tuple(StencilFile(**file) for file in fields["files"])
    fields["merge_fields"] = tuple(fields["merge_fields"])
    fields["mail_class"] = MailClass(fields["mail_class"])
    return StencilContent(**fields)


def tidy(text: str) -> str:
    """Return a text with LF line ends and exactly one at its end, in NFC.

    Raises:  ContentError for control characters
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _FORBIDDEN.search(text):
        raise ContentError("control_character")
    return unicodedata.normalize("NFC", text).rstrip("\n") + "\n"


def one_line(text: str) -> str:
    """Return a header text in NFC without surplus blanks.

    Raises:  ContentError for line breaks and control characters
    """
    if _FORBIDDEN_IN_LINE.search(text):
        raise ContentError("control_character")
    return unicodedata.normalize("NFC", " ".join(text.split()))


def open_fields(*texts: str) -> tuple[str, ...]:
    """Return the merge fields that texts use, sorted.

    Raises:  ContentError naming the first field that does not exist
    """
    found = {name for text in texts for name in _OPEN_FIELD.findall(text)}
    for name in sorted(found):
        if name not in MERGE_FIELDS:
            raise ContentError("unknown_field", name)
    return tuple(sorted(found))


def check(content: StencilContent) -> StencilContent:
    """Return the content, or refuse what could never be sent.

    Raises:  ContentError
    """
    for line in (content.sender_name, content.sender_address, content.reply_to, content.subject):
        if line != one_line(line):
            raise ContentError("not_tidy")
    if not content.subject:
        raise ContentError("no_subject")
    if not content.sender_address or "@" not in content.sender_address:
        raise ContentError("no_sender")
    if not content.text.strip():
        raise ContentError("no_text")
    for body in (content.html, content.text):
        if body and body != tidy(body):
            raise ContentError("not_tidy")
    for file in content.files:
        if not _DIGEST.match(file.digest) or file.octets < 0 or file.name != one_line(file.name):
            raise ContentError("bad_file")
        if not _CONTENT_ID.match(file.content_id):
            raise ContentError("bad_file")
    if not _LANGUAGE.match(content.language):
        raise ContentError("unknown_language")
    return content


def filled(text: str, values: Mapping[str, str], fields: tuple[str, ...]) -> str:
    """Fill the merge fields that the content names; every other brace is text."""
    if not fields:
        return text
    return _OPEN_FIELD.sub(
        lambda match: values.get(match[1], "") if match[1] in fields else match[0], text
    )


def has_open_field(text: str) -> bool:
    """Say whether a text would differ from one recipient to the next."""
    return _OPEN_FIELD.search(text) is not None


def merge_values(fields: Mapping[str, str]) -> dict[str, str]:
    """Return what each merge field becomes for a recipient's frozen fields.

    A person without a preferred name is called by the given name.
    """

    def clean(name: str) -> str:
        value = fields.get(name, "")
        if value.isprintable():  # nothing that the expression would find; nearly every name
            return " ".join(value.split()) if " " in value else value
        return " ".join(_FORBIDDEN_IN_LINE.sub(" ", value).split())

    given, family, preferred = clean("given"), clean("family"), clean("preferred")
    return {
        "nombre": preferred or given,
        "nombres": given,
        "apellidos": family,
        "nombre_completo": " ".join(part for part in (given or preferred, family) if part),
    }
