"""Header fields as bytes: what goes in as text comes out as one sound field, or is refused.

Rules:
  1. CR, LF, NUL and every other control character in a value are refused, not cleaned: whoever
     sent them meant harm or made a mistake that a person has to see.
  2. A line is at most 78 octets where the words allow it, and never more than 998.
  3. Text beyond ASCII becomes UTF-8 encoded words of at most 75 octets, cut between characters.
  4. An encoded word is only ever ours: text that looks like one is encoded itself.

Sources: RFC 5322 §2.1.1 and §2.2.3; RFC 2047 §2, §5 and §8; reliability.md §3 (CVE-2024-6923 and
CVE-2026-1299: the standard library wrote what it should have refused, so it is not used here).
"""

from __future__ import annotations

import base64
import re

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_IDENTIFIER = re.compile(r"<[!-;=?-~]{3,}>\Z")  # printable ASCII but brackets and blanks
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,70}\Z")
_ATOM_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\- ]+\Z")
_EXTENDED = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`{|}~"
)  # RFC 2231 §7 attribute-char
_LINE = 76  # of the 78 that RFC 5322 §2.1.1 asks for; two spared for a comma and a bracket
_WORD_OCTETS = 42  # raw octets in one encoded word: 56 base-64 characters, and 12 around them


class UnsafeHeaderError(ValueError):
    """A value that would break out of its field."""


def checked(value: str) -> str:
    """Return the value, or refuse it when it holds a control character.

    Raises:  UnsafeHeaderError
    """
    if _CONTROL.search(value):
        raise UnsafeHeaderError("a header value holds a control character or a line break")
    return value.replace("\t", " ")


def sound_identifier(identifier: str) -> bool:
    """Say whether a Message-ID from outside is sound enough to stand in a field of ours."""
    return len(identifier) <= 250 and _IDENTIFIER.match(identifier) is not None


def encoded_words(text: str) -> list[str]:
    """Cut text into RFC 2047 encoded words, none of which splits a character."""
    words: list[str] = []
    piece = b""
    for char in text:
        octets = char.encode("utf-8")
        if len(piece) + len(octets) > _WORD_OCTETS:
            words.append(_word(piece))
            piece = b""
        piece += octets
    if piece:
        words.append(_word(piece))
    return words


def _word(piece: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(piece).decode('ascii')}?="


def _fold(name: str, atoms: list[str]) -> bytes:
    """Join atoms by single spaces, with a line break before one that would not fit."""
    lines: list[str] = []
    line = f"{name}:"
    for atom in atoms:
        if len(line) + 1 + len(atom) > _LINE and line.strip() and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {atom}"
    lines.append(line)
    field = "\r\n".join(lines) + "\r\n"
    octets = field.encode("utf-8")
    if any(len(piece) > 998 for piece in octets.split(b"\r\n")):
        raise UnsafeHeaderError("a header value holds a word longer than a line may be")
    return octets


def text_field(name: str, value: str) -> bytes:
    """Return an unstructured field (Subject and its like), folded, ending in CRLF.

    Raises:  UnsafeHeaderError
    """
    if not _NAME.match(name):
        raise UnsafeHeaderError("not a header name")
    value = checked(value).strip()
    words = value.split(" ")
    plain = value.isascii() and "=?" not in value and "" not in words
    if plain and all(len(word) <= 900 for word in words):
        return _fold(name, words)
    return _fold(name, encoded_words(value))


def raw_field(name: str, *atoms: str) -> bytes:
    """Return a structured field from atoms that may be parted by line breaks.

    Raises:  UnsafeHeaderError
    """
    if not _NAME.match(name):
        raise UnsafeHeaderError("not a header name")
    return _fold(name, [checked(atom) for atom in atoms])


def mailbox(display_name: str, address: str) -> list[str]:
    """Return the atoms of ``display name <address>``.

    Raises:  UnsafeHeaderError
    """
    checked(address)
    if any(char in address for char in ' <>,;:"()[]\\'):
        raise UnsafeHeaderError("an address holds a character that would end it")
    name = " ".join(checked(display_name).split())
    if not name:
        return [f"<{address}>"]
    if name.isascii() and "=?" not in name:
        if _ATOM_PHRASE.match(name):
            return [*name.split(" "), f"<{address}>"]
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return [*f'"{quoted}"'.split(" "), f"<{address}>"]
    return [*encoded_words(name), f"<{address}>"]


def parameter(name: str, value: str) -> list[str]:
    """Return ``name="value"``, or ``name*=`` when the value is not plain ASCII.

    Only one of the two: readers that meet both disagree which one counts (the standard library of
    Python 3.11 takes the first).

    Source:  RFC 2045 §5.1; RFC 2231 §4
    """
    value = checked(value)
    if value.isascii():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return [f'{name}="{escaped}"']
    encoded = "".join(
        chr(octet) if octet in _EXTENDED else f"%{octet:02X}" for octet in value.encode("utf-8")
    )
    # RFC 2231 §3: a long value is cut into numbered pieces, each on its own line.
    if len(encoded) <= _LINE - len(name) - 20:
        return [f"{name}*=utf-8''{encoded}"]
    pieces = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,20}", encoded)
    return [
        f"{name}*{number}*={mark}{piece}"
        for number, (mark, piece) in enumerate(
            zip(["utf-8''", *[""] * (len(pieces) - 1)], pieces, strict=True)
        )
    ]
