"""DKIM signatures: the same message, key and time give the same field, and no header can be added later.

Rules:
  1. Header fields are canonicalized "relaxed", the body "simple": our bodies are quoted-printable or
     base 64, which no honest relay rewrites, and "simple" costs one hash (RFC 6376 §3.4).
  2. Every field of ``COVERED`` that the message has is signed, and each of ``SEALED`` once more than
     it occurs, so a second From or Subject put in on the way breaks the signature (§8.15).
  3. Both algorithms are deterministic, so a message that is offered again is the same byte for byte.
  4. An RSA key shorter than 2048 bits is refused (RFC 8301 §3.2); rsa-sha1 does not exist here.

Sources: RFC 6376 §3.4, §3.5, §3.6.1, §3.7, §5; RFC 8301; RFC 8463.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

# §5.4.1, and what this house adds: who answers, how one gets off a list, what kind of mail it is.
COVERED = (
    b"from to cc reply-to subject date message-id in-reply-to references mime-version content-type"
    b" content-transfer-encoding content-language list-id list-unsubscribe list-unsubscribe-post"
    b" list-help auto-submitted precedence"
).split()  # fmt: skip
SEALED = frozenset(b"from to cc reply-to subject date message-id content-type".split())
SHORTEST_RSA = 2048  # bits
_BLANKS = re.compile(rb"[ \t]+")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+"
)
_SELECTOR = re.compile(
    r"(?=.{1,100}\Z)[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*\Z"
)


class BadKeyError(ValueError):
    """The key, its domain or its selector cannot be used.

    Shapes:  the argument is domain | selector | unreadable | kind | short
    """


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and where its public half stands in the DNS."""

    domain: str
    selector: str
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        """The ``a=`` tag (RFC 6376 §3.3, RFC 8463 §3)."""
        return "rsa-sha256" if isinstance(self.private, rsa.RSAPrivateKey) else "ed25519-sha256"

    @property
    def name(self) -> str:
        """The name of the DNS record (RFC 6376 §3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    def record(self) -> str:
        """Return the text that the DNS record must hold (RFC 6376 §3.6.1, RFC 8463 §4)."""
        kind = "rsa" if isinstance(self.private, rsa.RSAPrivateKey) else "ed25519"
        return f"v=DKIM1; k={kind}; p={base64.b64encode(self._public()).decode()}"

    def _public(self) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        return self.private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )

    def stands_in(self, record: str) -> bool:
        """Say whether a DNS record publishes this key and lets it sign mail."""
        tags = _tags(record)
        kind = "rsa" if isinstance(self.private, rsa.RSAPrivateKey) else "ed25519"
        digests = tags.get("h", "sha256").split(":")
        services = tags.get("s", "*").split(":")
        try:
            published = base64.b64decode(tags.get("p", ""), validate=True)
        except ValueError:
            return False
        return (
            tags.get("v", "DKIM1") == "DKIM1"
            and tags.get("k", "rsa") == kind
            and "sha256" in digests
            and ("*" in services or "email" in services)
            and published in self._published()
        )

    def _published(self) -> tuple[bytes, ...]:
        """Return the forms of the public key that verifiers take (RFC 6376 erratum 3017)."""
        if not isinstance(self.private, rsa.RSAPrivateKey):
            return (self._public(),)
        bare = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.PKCS1
        )
        return self._public(), bare

    def signed(self, octets: bytes) -> bytes:
        """Return the signature of these octets; the interpreter is free meanwhile."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(octets, padding.PKCS1v15(), hashes.SHA256())
        return self.private.sign(hashlib.sha256(octets).digest())  # RFC 8463 §3: the hash is signed


def read_key(pem: bytes, *, domain: str, selector: str) -> Key:
    """Read a private key without a passphrase (PKCS #1 or PKCS #8, PEM).

    Raises:  BadKeyError
    """
    if not _DOMAIN.fullmatch(domain):
        raise BadKeyError("domain")
    if not _SELECTOR.match(selector):
        raise BadKeyError("selector")
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKeyError("unreadable") from None
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return Key(domain, selector, private)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise BadKeyError("kind")
    if private.key_size < SHORTEST_RSA:
        raise BadKeyError("short")
    return Key(domain, selector, private)


def signature_fields(raw: bytes, keys: Sequence[Key], at: datetime) -> bytes:
    """Return one DKIM-Signature field per key, to be put in front of the message.

    Shapes:  ``raw`` is a whole message with CRLF line ends
    Units:   ``at`` is aware; seconds count
    """
    head, _, body = raw.partition(b"\r\n\r\n")
    digest = base64.b64encode(hashlib.sha256(_simple_body(body)).digest())
    names, octets = _covered(head)
    stamp = int(at.timestamp())
    return b"".join(_field(key, names, octets, digest, stamp) for key in keys)


def _field(key: Key, names: bytes, octets: bytes, digest: bytes, stamp: int) -> bytes:
    written, canonical = _tags_before_digest(key.algorithm, key.domain, key.selector, names, stamp)
    # §3.7: the field itself comes last, with an empty b= and without its line end.
    signature = base64.b64encode(key.signed(octets + canonical + digest + b"; b="))
    lines = [signature[start : start + 70] for start in range(0, len(signature), 70)]
    return written + digest + b";\r\n b=" + b"\r\n ".join(lines) + b"\r\n"


@lru_cache(maxsize=64)
def _tags_before_digest(
    algorithm: str, domain: str, selector: str, names: bytes, stamp: int
) -> tuple[bytes, bytes]:
    """Return the field up to its body hash, as written and canonical: the same for a whole mailing."""
    tags = (
        f"v=1; a={algorithm}; c=relaxed/simple; d={domain};\r\n s={selector}; t={stamp};\r\n h="
    ).encode()
    tags += _folded(names, b":") + b";\r\n bh="
    return b"DKIM-Signature: " + tags, b"dkim-signature:" + _relaxed(_FOLD.sub(b"", tags))


def _folded(names: bytes, at: bytes) -> bytes:
    """Break a list of names into lines of at most 78 octets; blanks around colons mean nothing."""
    lines = [b""]
    for name in names.split(at):
        if len(lines[-1]) + len(name) > 70:
            lines.append(b"")
        lines[-1] += name + at
    return b"\r\n ".join(lines).removesuffix(at)


def _covered(head: bytes) -> tuple[bytes, bytes]:
    """Return the ``h=`` list and the canonical fields in its order."""
    found: dict[bytes, list[bytes]] = {}
    for line in _FOLD.sub(b"", head).split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.setdefault(name.strip(b" \t").lower(), []).append(value)
    names: list[bytes] = []
    octets: list[bytes] = []
    for name in COVERED:
        values = found.get(name, ())
        # §5.4.2: of fields that occur twice the lowest counts first.
        octets += [b"%b:%b\r\n" % (name, _relaxed(value)) for value in reversed(values)]
        names += [name] * (len(values) + (name in SEALED))
    return b":".join(names), b"".join(octets)


def _relaxed(value: bytes) -> bytes:
    """Canonicalize a field's value that stands on one line (RFC 6376 §3.4.2)."""
    if b"  " in value or b"\t" in value:
        value = _BLANKS.sub(b" ", value)
    return value.strip(b" ")


def _simple_body(body: bytes) -> bytes:
    """Canonicalize a body: no empty lines at its end, exactly one line end (RFC 6376 §3.4.3)."""
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n"


def _tags(record: str) -> dict[str, str]:
    """Read a tag list (RFC 6376 §3.2); blanks inside values mean nothing in a key record."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip(): "".join(value.split()) for name, _, value in pairs if name.strip()}


def judge_records(key: Key, records: Iterable[str]) -> str:
    """Say what is wrong with the published records of a key; an empty answer means nothing.

    Shapes:  missing | several | revoked | differs | (empty)
    """
    texts = [text for text in records if "p" in _tags(text)]
    if not texts:
        return "missing"
    if len(texts) > 1:
        return "several"  # §3.6.2.2: the result is undefined
    if not _tags(texts[0])["p"]:
        return "revoked"
    return "" if key.stands_in(texts[0]) else "differs"
