"""DKIM keys, their records, and the shape of the signatures."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from circular.mailformat.dkim import BadKeyError, Key, judge_records, read_key, signature_fields
from signed import AT, ED25519, MESSAGE, RSA


def pem(
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey,
) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def signed(raw: bytes, *keys: Key) -> bytes:
    return signature_fields(raw, keys, AT) + raw


def test_the_same_message_gives_the_same_bytes() -> None:
    assert signed(MESSAGE, RSA, ED25519) == signed(MESSAGE, RSA, ED25519)


def test_no_line_is_too_long() -> None:
    fields = signature_fields(MESSAGE, (RSA, ED25519), AT)
    assert fields.count(b"DKIM-Signature: ") == 2
    assert max(len(line) for line in fields.split(b"\r\n")) <= 78


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
def test_a_key_is_read_back_and_found_in_its_record(key: Key) -> None:
    again = read_key(pem(key.private), domain=key.domain, selector=key.selector)
    assert again.record() == key.record()
    assert judge_records(again, [key.record()]) == ""
    assert judge_records(again, ["v=spf1 -all", key.record().replace("; ", " ;\t")]) == ""


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        ([], "missing"),
        (["v=spf1 -all"], "missing"),
        ([RSA.record(), RSA.record()], "several"),
        (["v=DKIM1; p="], "revoked"),
        ([ED25519.record()], "differs"),
        ([RSA.record() + "; h=sha1"], "differs"),
        ([RSA.record() + "; s=other"], "differs"),
        (["v=DKIM1; k=rsa; p=%%%"], "differs"),
    ],
)
def test_a_record_that_does_not_carry_the_key_is_named(records: list[str], verdict: str) -> None:
    assert judge_records(RSA, records) == verdict


@pytest.mark.parametrize(
    ("content", "domain", "selector", "code"),
    [
        (b"no key", "universidad.edu.co", "c1", "unreadable"),
        (pem(rsa.generate_private_key(65537, 1024)), "universidad.edu.co", "c1", "short"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "universidad.edu.co", "c1", "kind"),
        (pem(RSA.private), "Universidad.edu.co;", "c1", "domain"),
        (pem(RSA.private), "universidad.edu.co", "c1; t=y", "selector"),
    ],
)
def test_a_key_that_cannot_be_used_says_why(
    content: bytes, domain: str, selector: str, code: str
) -> None:
    with pytest.raises(BadKeyError, match=code):
        read_key(content, domain=domain, selector=selector)


def test_a_key_does_not_show_itself() -> None:
    assert "private" not in repr(replace(RSA, selector="c2"))
