"""One address, checked and in its one canonical spelling, or None. Never a guess.

Rules:
  1. Accepted: a dot-atom local part (with UTF-8 letters, RFC 6531) and a domain of labels. Legal but
     exotic forms (quoted local parts, domain literals, comments) are refused: no account of an
     institution has one, and every parser of them differs (reliability.md §3).
  2. Canonical: NFC, lower case, domain as A-labels. Two spellings of one mailbox are one account.
  3. A control character, a space or a bracket anywhere makes it no address.

Sources: RFC 5321 §4.1.2 and §4.5.3.1; RFC 5322 §3.4.1; RFC 6531 §3.3; RFC 5890 §2.3.
"""

from __future__ import annotations

import re
import unicodedata

# RFC 5322 §3.2.3 atext, without the characters that shells and templates trip over being special.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a1-\U0010ffff]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_PLAIN = frozenset("0123456789-.")
_ADDRESS_OCTETS = 254  # RFC 5321 §4.5.3.1.3: a path of 256 with its brackets
_LOCAL_OCTETS = 64  # RFC 5321 §4.5.3.1.1
# Categories that no local part needs: controls, format, surrogates, private use, separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})


def ascii_domain(domain: str) -> str | None:
    """Return a domain as lower-case A-labels, or None when it is not one."""
    folded = unicodedata.normalize("NFC", domain).lower()
    if not folded.isascii():
        # Letters, marks and digits only (RFC 5892 §2.1): the library's IDNA 2003 would turn other
        # signs into letters and even into dots ("⒈" becomes "1.").
        if not all(unicodedata.category(char)[0] in "LM" or char in _PLAIN for char in folded):
            return None
        try:
            folded = folded.encode("idna").decode("ascii").lower()
        except UnicodeError:
            return None
    labels = folded.split(".")
    if len(labels) < 2 or len(folded) > 253:
        return None
    if not all(_LABEL.match(label) for label in labels):
        return None
    if labels[-1].isdigit():
        return None
    # A label with hyphens in third and fourth place is a code; only xn-- is one (RFC 5891 §4.2.3.1).
    if any(label[2:4] == "--" and not label.startswith("xn--") for label in labels):
        return None
    return folded


def normalize(text: str) -> str | None:
    """Return the canonical spelling of a bare address (``local@domain``), or None."""
    text = unicodedata.normalize("NFC", text.strip(" \t"))
    local, at, domain = text.rpartition("@")
    if not at or not _LOCAL.match(local):
        return None
    if not local.isascii() and any(unicodedata.category(char) in _UNSEEN for char in local):
        return None
    if not local.isascii() and unicodedata.combining(local[0]):
        return None
    domain_ascii = ascii_domain(domain)
    if domain_ascii is None:
        return None
    canonical = f"{unicodedata.normalize('NFC', local.lower())}@{domain_ascii}"
    if len(local.encode()) > _LOCAL_OCTETS or len(canonical.encode()) > _ADDRESS_OCTETS:
        return None
    return canonical


def parse_address(text: str) -> str | None:
    """Read what a person typed into one field: an address, perhaps within angle brackets.

    ``Ana Gómez <ana@x.example>`` gives ``ana@x.example``; two addresses give None.
    """
    text = text.strip()
    if text.endswith(">") and text.count("<") == 1 and text.count(">") == 1:
        name, _, text = text[:-1].partition("<")
        if "@" in name:
            return None
    return normalize(text)


def needs_smtputf8(address: str) -> bool:
    """Say whether a relay must offer SMTPUTF8 to carry this address (RFC 6531 §3.1)."""
    return not address.isascii()
