"""`circular doctor` asks a real name server for the record of the key that signs."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from circular.config.configuration import Configuration
from circular.config.doctor import Finding, signature
from circular.mailformat.dkim import read_key

PEM = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    .decode()
)
SIGNING = Configuration(
    data_folder=Path("data"),
    dkim_domain="universidad.edu.co",
    dkim_selector="c2026",
    dkim_key=PEM,
)
RECORD = read_key(PEM.encode(), domain="universidad.edu.co", selector="c2026").record()
Ask = Callable[..., list[Finding]]


@pytest.fixture
def asked() -> Iterator[Ask]:
    """Give a function that puts texts in the DNS and returns what the doctor finds."""
    texts: list[str] = []
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            octets, asker = listening.recvfrom(4096)
            if not octets:
                return
            question = dns.message.from_wire(octets)
            answer = dns.message.make_response(question)
            answer.flags |= dns.flags.RA
            name = question.question[0].name
            if str(name) != "c2026._domainkey.universidad.edu.co.":
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif texts:
                # A string of a TXT record has at most 255 octets; longer records are several.
                parts = [
                    " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
                    for text in texts
                ]
                answer.answer.append(dns.rrset.from_text_list(name, 60, "IN", "TXT", parts))
            listening.sendto(answer.to_wire(), asker)

    server = threading.Thread(target=serve)
    server.start()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = listening.getsockname()[1]

    def ask(*published: str, configuration: Configuration = SIGNING) -> list[Finding]:
        texts[:] = published
        return list(signature(configuration, resolver))

    yield ask
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"", listening.getsockname())
    server.join()
    listening.close()


def test_nothing_is_asked_where_nothing_is_signed(asked: Ask) -> None:
    assert asked(configuration=replace(SIGNING, dkim_key="")) == []


def test_the_published_key_is_found(asked: Ask) -> None:
    [finding] = asked(RECORD)

    assert finding.good, finding.remedy
    assert "c2026._domainkey.universidad.edu.co" in finding.about


@pytest.mark.parametrize(
    "published",
    [(), ("v=spf1 -all",), (RECORD, RECORD + " "), ("v=DKIM1; p=",), (RECORD.replace("M", "N"),)],
    ids=["nothing", "another", "several", "revoked", "differs"],
)
def test_a_record_that_does_not_carry_the_key_is_named_with_what_to_publish(
    asked: Ask, published: tuple[str, ...]
) -> None:
    [finding] = asked(*published)

    assert not finding.good
    assert RECORD in finding.remedy


def test_a_name_that_does_not_exist_is_a_missing_record(asked: Ask) -> None:
    [finding] = asked(RECORD, configuration=replace(SIGNING, dkim_selector="other"))

    assert not finding.good
    assert "v=DKIM1" in finding.remedy
