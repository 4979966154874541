"""Sessions with real TLS on real sockets: who is trusted, what is said before, what after."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from circular.smtp.commands import Credentials
from circular.smtp.events import Settled
from circular.smtp.protocol import Encryption, Envelope, Manners
from circular.smtp.session import Place, SessionFailedError, Timeouts, open_session
from circular.smtp.verdicts import Verdict

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Authority:
    """A throw-away certificate authority."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @property
    def cafile(self) -> str:
        return str(self.folder / "ca.pem")

    def server_context(
        self, host: str, *, ends: datetime = NOW + timedelta(days=1)
    ) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            named: x509.GeneralName = x509.IPAddress(ip_address(host))
        except ValueError:
            named = x509.DNSName(host)
        certificate = (
            _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), self.name, ends)
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName([named]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / f"{host}-{ends.timestamp()}.pem"
        path.write_bytes(_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _builder(subject: x509.Name, issuer: x509.Name, ends: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=2))
        .not_valid_after(ends)
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("ca")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A test's own authority")])
    certificate = (
        _builder(name, name, NOW + timedelta(days=2))
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(folder, key, name)


@dataclass
class TlsRelay:
    """A relay that starts TLS on request, and notes what it heard before and after."""

    context: ssl.SSLContext | None
    announces_starttls: bool = True
    forges: bytes = b""  # sent in clear right behind the answer to STARTTLS
    breaks_off: bool = False
    clear: list[str] = field(default_factory=list)
    secret: list[str] = field(default_factory=list)
    open: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._talk(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = self.secret if writer.get_extra_info("ssl_object") else self.clear
        writer.write(b"220 relay ESMTP\r\n")
        in_body = False
        while line := (await reader.readline()).decode().rstrip():
            heard.append(line)
            if in_body:
                in_body = line != "."
                if not in_body:
                    writer.write(b"250 queued\r\n")
            elif line.startswith("EHLO"):
                starttls = self.announces_starttls and heard is self.clear
                words = [b"STARTTLS"] if starttls else []
                writer.write(
                    b"250-relay\r\n%s250 AUTH PLAIN\r\n"
                    % b"".join(b"250-%s\r\n" % w for w in words)
                )
            elif line == "STARTTLS":
                writer.write(b"220 go\r\n" + self.forges)
                await writer.drain()
                if self.breaks_off or self.forges or self.context is None:
                    return
                await writer.start_tls(self.context)
                heard = self.secret
            elif line.startswith("AUTH"):
                writer.write(b"235 welcome\r\n")
            elif line == "DATA":
                writer.write(b"354 go\r\n")
                in_body = True
            elif line == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                writer.write(b"250 ok\r\n")

    @asynccontextmanager
    async def listening(self, *, tls: bool = False) -> AsyncIterator[int]:
        server = await asyncio.start_server(
            self.serve, "127.0.0.1", 0, ssl=self.context if tls else None
        )
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            if self.open:
                await asyncio.wait(self.open, timeout=2)


async def send(
    port: int, encryption: Encryption, cafile: str | None, *, verify: bool = True
) -> Verdict:
    session = await open_session(
        Place(host="127.0.0.1", port=port, cafile=cafile, verify=verify),
        Manners(
            name="desk.example",
            encryption=encryption,
            credentials=Credentials("desk", "s3cret"),
        ),
        Timeouts.at_most(3),
    )
    session.begin(
        Envelope(key=1, sender="a@b.example", recipients=["c@d.example"], raw=b"hi\r\n"),
        cleared=True,
    )
    settled: list[Settled] = []
    while not settled:
        settled = [event for event in await session.events() if isinstance(event, Settled)]
    await session.quit()
    return settled[0].verdict


def why_not(
    relay: TlsRelay, encryption: Encryption, cafile: str | None, *, tls: bool = False
) -> SessionFailedError:
    async def scene() -> SessionFailedError:
        async with relay.listening(tls=tls) as port:
            with pytest.raises(SessionFailedError) as failed:
                await send(port, encryption, cafile)
            return failed.value

    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("encryption", "tls"), [(Encryption.STARTTLS, False), (Encryption.TLS, True)]
)
def test_a_trusted_relay_hears_password_and_mail_under_tls_only(
    authority: Authority, encryption: Encryption, tls: bool
) -> None:
    relay = TlsRelay(authority.server_context("127.0.0.1"))

    async def scene() -> Verdict:
        async with relay.listening(tls=tls) as port:
            return await send(port, encryption, authority.cafile)

    assert asyncio.run(scene()) is Verdict.ACCEPTED
    assert {line.split()[0] for line in relay.clear} <= {"EHLO", "STARTTLS"}
    assert [line.split()[0] for line in relay.secret[:3]] == ["EHLO", "AUTH", "MAIL"]


@pytest.mark.parametrize(
    ("encryption", "tls"), [(Encryption.STARTTLS, False), (Encryption.TLS, True)]
)
@pytest.mark.parametrize(
    ("host", "ends", "said"),
    [
        ("other.example", NOW + timedelta(days=1), "IP address mismatch"),
        ("127.0.0.1", NOW - timedelta(days=1), "expired"),
    ],
)
def test_a_certificate_that_is_not_the_relays_is_refused_with_the_reason(
    authority: Authority, encryption: Encryption, tls: bool, host: str, ends: datetime, said: str
) -> None:
    relay = TlsRelay(authority.server_context(host, ends=ends))

    failed = why_not(relay, encryption, authority.cafile, tls=tls)

    assert failed.why == "certificate_refused"
    assert said in failed.detail
    assert not relay.secret


def test_a_certificate_of_an_unknown_authority_is_refused(authority: Authority) -> None:
    relay = TlsRelay(authority.server_context("127.0.0.1"))

    assert why_not(relay, Encryption.STARTTLS, None).why == "certificate_refused"


def test_verification_can_be_switched_off_for_a_relay(authority: Authority) -> None:
    relay = TlsRelay(authority.server_context("other.example"))

    async def scene() -> Verdict:
        async with relay.listening() as port:
            return await send(port, Encryption.STARTTLS, None, verify=False)

    assert asyncio.run(scene()) is Verdict.ACCEPTED


def test_a_relay_that_hides_starttls_hears_nothing_of_ours(authority: Authority) -> None:
    relay = TlsRelay(authority.server_context("127.0.0.1"), announces_starttls=False)

    assert why_not(relay, Encryption.STARTTLS, authority.cafile).why == "starttls_not_offered"
    assert [line.split()[0] for line in relay.clear] == ["EHLO"]


def test_replies_forged_behind_starttls_are_never_believed(authority: Authority) -> None:
    """CVE-2011-0411"""
    relay = TlsRelay(
        authority.server_context("127.0.0.1"), forges=b"250-relay\r\n250 AUTH PLAIN\r\n"
    )

    assert why_not(relay, Encryption.STARTTLS, authority.cafile).why == "plaintext_after_starttls"


def test_a_relay_that_breaks_off_instead_of_tls_is_a_reason(authority: Authority) -> None:
    relay = TlsRelay(authority.server_context("127.0.0.1"), breaks_off=True)

    assert why_not(relay, Encryption.STARTTLS, authority.cafile).why in (
        "tls_failed",
        "connection_closed",
    )


def test_a_plain_relay_asked_for_tls_from_the_start_is_a_reason() -> None:
    failed = why_not(TlsRelay(None), Encryption.TLS, None)

    assert failed.why == "tls_failed"


@pytest.mark.parametrize(
    ("host", "port", "why"),
    [
        ("127.0.0.1", 1, "cannot_connect"),
        ("no-such-host.invalid", 25, "name_not_found"),
        ("x" * 70 + ".invalid", 25, "cannot_connect"),
    ],
)
def test_a_relay_that_is_not_there_is_a_reason(host: str, port: int, why: str) -> None:
    async def scene() -> SessionFailedError:
        with pytest.raises(SessionFailedError) as failed:
            await open_session(Place(host=host, port=port), Manners(), Timeouts.at_most(3))
        return failed.value

    assert asyncio.run(scene()).why == why
