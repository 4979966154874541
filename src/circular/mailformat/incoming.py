"""Any bytes as an incoming message: what a person would see, and the signs of who really wrote.

Rules
1. `parse` never raises and never recurses; what is wrong with a message is listed in `defects`.
2. Everything is capped: parts, depth, octets of a header, characters of a text (numbers below).
3. No text holds a control character besides line ends in bodies; no header value holds a line end,
   not even one that came out of an encoded word.
4. Addresses are counted as written: `From: a@x, <b@y>` is two, however a mail client shows it.
5. Nothing found here is proof of anything: a From line is a claim.

When it fails: a part that cannot be decoded is kept as raw octets, text is read as UTF-8, else as
Windows-1252, which gives every octet a character.
Over 400 lines: one walk through one message, best read at once. The standard library's parser is
not used: it recurses per nested part and per nested comment, raises on unknown charsets and hands
out line breaks from encoded words (reliability.md §4, measured).
Known gaps: uuencoded text, S/MIME and PGP wrappers and winmail.dat stay what they are: attachments or text.
Sources: RFC 5322 §2.2, §3.4, §3.6; RFC 2045 §5, §6; RFC 2046 §5.1; RFC 2047; RFC 2231; RFC 3462;
RFC 3676 §4.2; RFC 3834 §2 and §5.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

from circular.mailformat.addresses import normalize
from circular.mailformat.html import text_of

MOST_PARTS: Final = 1_000  # a real mail has tens
MOST_DEPTH: Final = 30  # levels of multipart; forwarded chains of real mail stay below ten
MOST_HEADER_OCTETS: Final = 256_000  # of one part; Postfix keeps 102,400 (header_size_limit)
MOST_FIELDS: Final = 2_000
MOST_VALUE: Final = 32_000  # characters of one field looked at
MOST_TEXT: Final = 2_000_000  # characters of one text
MOST_ADDRESSES: Final = 1_000
MOST_IDS: Final = 200
MOST_RETURNED: Final = 1_000_000  # octets of a returned message looked at


class Defect(StrEnum):
    """What is wrong with a message; none of it stops the reading."""

    TOO_MANY_PARTS = "too_many_parts"
    TOO_DEEP = "too_deep"
    HEADER_TOO_LONG = "header_too_long"
    BAD_ENCODING = "bad_encoding"
    UNKNOWN_CHARSET = "unknown_charset"
    NO_BOUNDARY = "no_boundary"
    BAD_ADDRESS = "bad_address"
    TEXT_TOO_LONG = "text_too_long"


class Sign(StrEnum):
    """A sign that a program wrote, and that nobody waits for an answer (RFC 3834 §2)."""

    AUTO_SUBMITTED = "auto_submitted"
    AUTO_REPLY = "auto_reply"  # the older ways to say so, and the words of an absence notice
    BULK = "bulk"
    LIST = "list"
    NULL_RETURN_PATH = "null_return_path"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address as written: `address` is canonical, or None when it is not one."""

    name: str
    written: str
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file of a message; `inline` when the HTML shows it by its content id."""

    name: str
    media_type: str
    content: bytes
    content_id: str
    inline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message as read. Shapes: addresses, ids and attachments in the order they were written."""

    message_id: str  # with its brackets; empty when there is none
    from_: tuple[Mailbox, ...]  # of all From fields together
    reply_to: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]  # To and Cc
    subject: str
    date: datetime | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    text: str
    html: str
    attachments: tuple[Attached, ...]
    signs: frozenset[Sign]
    hops: int  # Received fields
    parts: int
    report: bytes  # the machine-readable part of a delivery report
    returned: bytes  # what the report gives back of the message it is about
    defects: frozenset[Defect]


@dataclass(frozen=True, slots=True)
class _Part:
    header: bytes
    body: bytes
    depth: int
    inside: str  # media type of the multipart around it


Fields = Sequence[tuple[str, str]]


def parse(raw: bytes) -> Incoming:
    """Read any bytes as a message.

    Repeat:  the same bytes give the same answer
    """
    return _Reading(raw).incoming()


def header_values(raw_header: bytes, name: str) -> list[str]:
    """Return the undecoded values of one field of a header block, unfolded."""
    return [value for field, value in _fields(raw_header, set()) if field == name.lower()]


def without_controls(text: str) -> str:
    """Make a header value one line: every control, line or direction character becomes a blank."""
    return " ".join(_CONTROLS.sub(" ", text).split())


# Controls, Unicode line ends, zero-width and direction marks, lone surrogates, the BOM.
_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_BODY_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# Deleted by `translate`: a regular expression keeps a piece for each octet, a hundred times the body.
_NOT_BASE64 = bytes(
    sorted(set(range(256)) - set((string.ascii_letters + string.digits + "+/").encode()))
)
_BLANK_LINE = re.compile(rb"\n\r?\n")  # begins with a literal: found ten times sooner
_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]*:")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,900}>")
_ABSENCE = re.compile(
    r"(?i)(respuesta autom[aá]tica|automatic reply|auto(matic)? ?reply|autoreply|out of (the )?office|"
    r"fuera de (la )?oficina|ausencia temporal|abwesenheitsnotiz)\b"
)


class _Reading:
    """One walk through one message."""

    def __init__(self, raw: bytes) -> None:
        self.defects: set[Defect] = set()
        self.texts: list[str] = []
        self.htmls: list[str] = []
        self.attached: list[Attached] = []
        self.report = b""
        self.returned = b""
        self.parts = 0
        header, body = _split(raw)
        self.fields = _fields(header, self.defects)
        self.is_report = False
        self._walk(_Part(header, body, 0, ""))

    def incoming(self) -> Incoming:
        html = "\n".join(self.htmls)
        text = "\n\n".join(text for text in self.texts if text.strip())
        if not text.strip() and html:
            text = text_of(html)
        from_ = self._mailboxes("from")
        if any(mailbox.address is None for mailbox in from_):
            self.defects.add(Defect.BAD_ADDRESS)
        return Incoming(
            message_id=next(iter(self._ids("message-id")), ""),
            from_=from_,
            reply_to=self._mailboxes("reply-to"),
            to=(*self._mailboxes("to"), *self._mailboxes("cc")),
            subject=decoded(self._first("subject"), self.defects),
            date=_date(self._first("date")),
            in_reply_to=self._ids("in-reply-to"),
            references=self._ids("references"),
            text=text,
            html=html,
            attachments=_shown_inline(self.attached, html),
            signs=self._signs(),
            hops=sum(name == "received" for name, _value in self.fields),
            parts=self.parts,
            report=self.report,
            returned=self.returned,
            defects=frozenset(self.defects),
        )

    # --- header ---------------------------------------------------------------------------------

    def _first(self, name: str) -> str:
        return next((value for field, value in self.fields if field == name), "")

    def _all(self, name: str) -> list[str]:
        return [value for field, value in self.fields if field == name]

    def _ids(self, name: str) -> tuple[str, ...]:
        found = _MESSAGE_ID.findall(" ".join(self._all(name)))
        return tuple(dict.fromkeys(found))[:MOST_IDS]

    def _mailboxes(self, name: str) -> tuple[Mailbox, ...]:
        found = [box for value in self._all(name) for box in mailboxes(value, self.defects)]
        return tuple(found[:MOST_ADDRESSES])

    def _signs(self) -> frozenset[Sign]:
        signs: set[Sign] = set()
        for value in self._all("auto-submitted"):
            if _bare(value) not in ("", "no"):
                signs.add(Sign.AUTO_SUBMITTED)
        names = {name for name, _value in self.fields}
        if names & {
            "x-autoreply",
            "x-autorespond",
            "x-autoresponder",
            "x-auto-reply",
            "x-mail-autoreply",
        }:
            signs.add(Sign.AUTO_REPLY)
        precedences = {_bare(value) for value in self._all("precedence")}
        if precedences & {"auto_reply", "auto-reply"} or _ABSENCE.match(
            decoded(self._first("subject"), set())
        ):
            signs.add(Sign.AUTO_REPLY)
        if precedences & {"bulk", "junk", "list"}:
            signs.add(Sign.BULK)
        if names & {"list-id", "list-unsubscribe", "list-post", "list-help"}:
            signs.add(Sign.LIST)
        if any(value.strip() == "<>" for value in self._all("return-path")):
            signs.add(Sign.NULL_RETURN_PATH)
        if self.is_report or self.report:
            signs.add(Sign.REPORT)
        return frozenset(signs)

    # --- body -----------------------------------------------------------------------------------

    def _walk(self, whole: _Part) -> None:
        waiting = [whole]
        while waiting:
            part = waiting.pop()
            self.parts += 1
            if self.parts > MOST_PARTS:
                self.defects.add(Defect.TOO_MANY_PARTS)
                return
            fields = _fields(part.header, self.defects)
            kind, parameters = media_type(_value(fields, "content-type"), part.inside)
            if kind.startswith("multipart/"):
                if part.depth == 0 and kind == "multipart/report":
                    self.is_report = True
                boundary = parameters.get("boundary", "")
                if part.depth >= MOST_DEPTH:
                    self.defects.add(Defect.TOO_DEEP)
                    continue
                if boundary:
                    children = list(self._children(part, boundary, kind))
                    if children:
                        waiting += reversed(children)
                        continue
                self.defects.add(Defect.NO_BOUNDARY)
                kind, parameters = "text/plain", {}
            self._keep(part, fields, kind, parameters)

    def _children(self, part: _Part, boundary: str, kind: str) -> Iterator[_Part]:
        line = re.compile(
            rb"(?m)^--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*\r?$"
        )
        start: int | None = None
        count = 0
        for found in line.finditer(part.body):
            if start is not None:
                yield self._child(part.body[start : found.start()], part, kind)
                count += 1
                if count > MOST_PARTS:
                    self.defects.add(Defect.TOO_MANY_PARTS)
                    return
            if found[1]:
                return
            start = found.end() + 1  # beyond the line end
        if start is not None:  # the closing line is missing: what is there still counts
            yield self._child(part.body[start:], part, kind)

    @staticmethod
    def _child(piece: bytes, part: _Part, kind: str) -> _Part:
        # The line end before a boundary belongs to the boundary (RFC 2046 §5.1.1).
        piece = piece.removesuffix(b"\n").removesuffix(b"\r")
        header, body = _split(piece)
        return _Part(header, body, part.depth + 1, kind)

    def _keep(self, part: _Part, fields: Fields, kind: str, parameters: dict[str, str]) -> None:
        disposition, more = _parameters(_value(fields, "content-disposition"))
        name = file_name(more.get("filename") or parameters.get("name") or "", self.defects)
        content = self._content(part.body, _bare(_value(fields, "content-transfer-encoding")))
        if part.inside == "multipart/report":
            if kind in ("message/delivery-status", "message/global-delivery-status"):
                self.report = self.report or content[:MOST_RETURNED]
                return
            if kind in (
                "message/rfc822",
                "text/rfc822-headers",
                "message/global",
                "message/global-headers",
            ):
                self.returned = self.returned or content[:MOST_RETURNED]
                return
        shown = disposition != "attachment" and not (
            name and disposition != "inline" and kind != "text/html"
        )
        if shown and kind in ("text/plain", "text/html"):
            text = self._text(content, parameters.get("charset", ""))
            if kind == "text/plain":
                if parameters.get("format", "").lower() == "flowed":
                    text = unflowed(text, delsp=parameters.get("delsp", "").lower() == "yes")
                self.texts.append(text)
            else:
                self.htmls.append(text)
            return
        if not content and not name:
            return
        content_id = without_controls(_value(fields, "content-id")).strip("<> ")[:250]
        self.attached.append(
            Attached(
                name=name or _given_name(kind, len(self.attached) + 1),
                media_type=kind,
                content=content,
                content_id=content_id,
                inline=disposition != "attachment",
            )
        )

    def _content(self, body: bytes, encoding: str) -> bytes:
        if encoding == "base64":
            return self._base64(body)
        if encoding == "quoted-printable":
            return quopri.decodestring(body)
        if encoding not in ("", "7bit", "8bit", "binary"):
            self.defects.add(Defect.BAD_ENCODING)
        return body

    def _base64(self, body: bytes) -> bytes:
        kept = body.partition(b"=")[0].translate(None, _NOT_BASE64)
        if len(kept) % 4 == 1:
            self.defects.add(Defect.BAD_ENCODING)
            kept = kept[:-1]
        try:
            return base64.b64decode(kept + b"=" * (-len(kept) % 4))
        except binascii.Error:
            self.defects.add(Defect.BAD_ENCODING)
            return body

    def _text(self, content: bytes, charset: str) -> str:
        text = decode_octets(content, charset, self.defects)
        if len(text) > MOST_TEXT:
            self.defects.add(Defect.TEXT_TOO_LONG)
            text = text[:MOST_TEXT]
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return _BODY_CONTROLS.sub("\ufffd", text)


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """Part header and body at the first blank line."""
    if raw[:1] == b"\n":
        return b"", raw[1:]
    if raw[:2] == b"\r\n":
        return b"", raw[2:]
    found = _BLANK_LINE.search(raw)
    if found is None:
        return raw, b""
    return raw[: found.start()].removesuffix(b"\r"), raw[found.end() :]


def _fields(header: bytes, defects: set[Defect]) -> list[tuple[str, str]]:
    """Return the fields of a header, names in lower case, values unfolded and undecoded."""
    if len(header) > MOST_HEADER_OCTETS:
        defects.add(Defect.HEADER_TOO_LONG)
        header = header[:MOST_HEADER_OCTETS]
    fields: list[tuple[str, str]] = []
    folded: list[str] = []
    name = ""
    for octets in [*header.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"), b"end:"]:
        line = decode_octets(octets, "", set())
        if line[:1] in (" ", "\t") and name:
            folded.append(line.strip())
            continue
        if name:
            fields.append((name, " ".join(folded)[:MOST_VALUE]))
            if len(fields) >= MOST_FIELDS:
                defects.add(Defect.HEADER_TOO_LONG)
                return fields
        found = _FIELD.match(line)
        name = found[1].lower() if found else ""
        folded = [line[found.end() :].strip()] if found else []
    return fields


def _value(fields: Fields, name: str) -> str:
    return next((value for field, value in fields if field == name), "")


def _bare(value: str) -> str:
    """Return the first word of a structured value, without comments and parameters."""
    return re.split(r"[;(]", value, maxsplit=1)[0].strip().lower()


def decode_octets(octets: bytes, charset: str, defects: set[Defect]) -> str:
    """Return octets as text, whatever they claim to be."""
    name = charset.strip().strip("\"'").lower()
    if name and name not in _NO_CHARSETS:
        try:
            return octets.decode(codecs.lookup(name).name)
        except (LookupError, UnicodeError, ValueError):
            defects.add(Defect.UNKNOWN_CHARSET)
    elif name in _NO_CHARSETS:
        defects.add(Defect.UNKNOWN_CHARSET)
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        # Five octets have no character in Windows-1252; Latin-1 gives every octet one.
        try:
            return octets.decode("cp1252")
        except UnicodeDecodeError:
            return octets.decode("latin-1")


# Python codecs that are no charsets of mail; some of them run for seconds on hostile input.
_NO_CHARSETS = frozenset(
    [
        "idna",
        "punycode",
        "unicode_escape",
        "unicode-escape",
        "raw_unicode_escape",
        "raw-unicode-escape",
        "undefined",
        "mbcs",
        "oem",
        "utf-7",
        "utf7",
    ]
)
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]{0,8000})\?=")


def decoded(value: str, defects: set[Defect]) -> str:
    """Return a header value with its encoded words read, on one line."""
    pieces: list[str] = []
    end = 0
    after_word = False
    pending: tuple[str, bytes] | None = None  # neighbours may share a character: join octets first
    for found in _ENCODED_WORD.finditer(value):
        between = value[end : found.start()]
        charset = found[1].partition("*")[0].lower()
        octets = _word_octets(found[2], found[3], charset)
        if pending is not None and (between.strip() or pending[0] != charset):
            pieces.append(decode_octets(pending[1], pending[0], defects))
            pending = None
        if between.strip() or not after_word:
            pieces.append(between)
        pending = (charset, (pending[1] if pending else b"") + octets)
        end, after_word = found.end(), True
    if pending is not None:
        pieces.append(decode_octets(pending[1], pending[0], defects))
    pieces.append(value[end:])
    return without_controls("".join(pieces))


def _word_octets(encoding: str, text: str, charset: str) -> bytes:
    # Eudora 4.2 left octets beyond ASCII in its encoded words: read them in the word's charset.
    try:
        octets = text.encode("ascii" if charset in _NO_CHARSETS else charset)
    except (LookupError, UnicodeError, ValueError):
        octets = text.encode("utf-8", "replace")
    if encoding in "bB":
        kept = octets.translate(None, _NOT_BASE64)
        kept = kept[:-1] if len(kept) % 4 == 1 else kept
        return base64.b64decode(kept + b"=" * (-len(kept) % 4))
    return quopri.decodestring(octets.replace(b"_", b"=20"))


def mailboxes(value: str, defects: set[Defect]) -> list[Mailbox]:
    """Read an address list: every element between top-level commas is one, comments aside.

    Units:  linear in the length; comments nest without recursion
    """
    found: list[Mailbox] = []
    piece: list[str] = []
    depth, quoted, angle, escaped = 0, False, False, False
    for char in [*value, ","]:
        if escaped:
            escaped = False
            if not depth:
                piece.append(char)
        elif char == "\\" and (quoted or depth):
            escaped = True
        elif depth:
            depth += (char == "(") - (char == ")")
        elif char == '"':
            quoted = not quoted
            piece.append(char)
        elif quoted:
            piece.append(char)
        elif char == "(" and not angle:
            depth = 1
        elif char == ":" and not angle:
            if "@" in "".join(piece):  # no name of a group: an address that wants to be overlooked
                _add_mailbox("".join(piece), found, defects)
            piece = []
        elif char in ",;" and not angle:
            _add_mailbox("".join(piece), found, defects)
            piece = []
        else:
            angle = (angle or char == "<") and char != ">"
            piece.append(char)
    if piece or quoted or depth or angle:
        # Something was left open: what stands there counts as one address that cannot be read.
        _add_mailbox("(" + "".join(piece), found, defects)
    return found


def _add_mailbox(piece: str, found: list[Mailbox], defects: set[Defect]) -> None:
    piece = piece.strip()
    if not piece or len(found) > MOST_ADDRESSES:
        return
    before, bracket, inside = piece.rpartition("<")
    if bracket and inside.endswith(">"):
        name, written = before.strip().strip('"'), inside[:-1].strip()
        sound = "<" not in before and ">" not in before
    else:
        name, written, sound = "", piece, not bracket
    address = normalize(written) if sound else None
    found.append(Mailbox(decoded(name, defects), without_controls(written)[:400], address))


def media_type(value: str, inside: str = "") -> tuple[str, dict[str, str]]:
    """Return the media type in lower case and its parameters; what cannot be read is plain text."""
    kind, parameters = _parameters(value)
    if re.fullmatch(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}", kind):
        return kind, parameters
    if not kind and inside == "multipart/digest":
        return "message/rfc822", parameters  # RFC 2046 §5.1.5
    # "text" alone was written by mailers of the nineties (RFC 1049).
    return ("text/plain" if kind in ("", "text") else "application/octet-stream"), parameters


_PARAMETER = re.compile(
    r';\s*([!#$&+\-^_`|~%*\'.0-9A-Za-z]{1,60})\s*=\s*("(?:[^"\\]|\\.){0,4000}"?|[^;]{0,4000})'
)


def _parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return the first word and the parameters, RFC 2231 pieces joined and decoded."""
    first = re.split(r"[;(\s]", value.strip(), maxsplit=1)[0].lower()
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for name, written in _PARAMETER.findall(value):
        text = (
            re.sub(r"\\(.)", r"\1", written[1:].removesuffix('"'))
            if written[:1] == '"'
            else written.strip()
        )
        stem, *marks = name.lower().split("*")
        if not marks:
            plain.setdefault(stem, text)
            continue
        number = int(marks[0]) if marks[0].isdecimal() and len(marks[0]) < 4 else 0
        pieces.setdefault(stem, {}).setdefault(number, (name.endswith("*"), text))
    for stem, numbered in pieces.items():
        plain[stem] = _extended([numbered[number] for number in sorted(numbered)])
    return first, plain


def _extended(pieces: list[tuple[bool, str]]) -> str:
    """Decode RFC 2231 §4 pieces: charset'language'percent-encoded."""
    charset = ""
    if pieces and pieces[0][0] and pieces[0][1].count("'") >= 2:
        charset, _language, rest = pieces[0][1].split("'", 2)
        pieces = [(True, rest), *pieces[1:]]
    octets = b""
    for is_encoded, text in pieces:
        part = text.encode("utf-8", "replace")
        octets += (
            re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), part)
            if is_encoded
            else part
        )
    return decode_octets(octets, charset, set())


def file_name(written: str, defects: set[Defect]) -> str:
    """Return a file's name without any path, control or line end, short enough for every system."""
    name = re.split(r"[/\\]", decoded(written, defects))[-1].strip(". ")
    name = re.sub(r'[<>:"|?*]', "_", name)
    if len(name) <= 120:
        return name
    stem, dot, ending = name.rpartition(".")
    return f"{stem[:100]}.{ending}" if dot and len(ending) <= 12 else name[:120]


def _given_name(kind: str, number: int) -> str:
    ending = {"image/jpeg": "jpg", "message/rfc822": "eml", "text/plain": "txt"}.get(
        kind, kind.partition("/")[2]
    )
    return f"adjunto-{number}.{re.sub(r'[^a-z0-9]', '', ending)[:12] or 'bin'}"


def _shown_inline(attached: list[Attached], html: str) -> tuple[Attached, ...]:
    """Mark as inline what the HTML shows by its id; everything else is a file beside the message."""
    shown = {found.lower() for found in re.findall(r"(?i)cid:([^\"'\s>)]{1,250})", html)}
    return tuple(
        Attached(
            name=file.name,
            media_type=file.media_type,
            content=file.content,
            content_id=file.content_id,
            inline=bool(file.content_id) and file.content_id.lower() in shown,
        )
        for file in attached
    )


def unflowed(text: str, *, delsp: bool) -> str:
    """Join the soft line breaks of format=flowed (RFC 3676 §4.2)."""
    lines: list[str] = []
    soft = False
    for line in text.split("\n"):
        # One leading blank is stuffing, unless the line is quoted.
        bare = line[1:] if line[:1] == " " else line
        if soft and not line.startswith(">"):
            lines[-1] += bare
        else:
            lines.append(bare)
        soft = bare.endswith(" ") and bare != "-- " and not line.startswith(">")
        if soft and delsp:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
        # "-0000" means: no zone known; the time itself is UTC (RFC 5322 §3.3).
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
