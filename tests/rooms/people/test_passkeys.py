"""A passkey lets its person in and nobody else; the key here is software, the checks are real."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData

from circular.evidence.actors import SYSTEM
from circular.evidence.chain import HOUSE
from circular.evidence.queries import entries_of
from circular.people import passkeys, services
from circular.people.models import Person

pytestmark = pytest.mark.django_db

FLAGS = AuthenticatorData.FLAG
PRESENT_AND_VERIFIED = FLAGS.UP | FLAGS.UV


@dataclass
class SoftwareKey:
    """What a telephone does, in thirty lines."""

    origin: str = "http://127.0.0.1:8000"
    host: str = "127.0.0.1"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    identifier: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    owner: str = ""
    count: int = 0

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        data = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(data).encode()

    def _data(self, flags: Any, credential: Any = b"") -> AuthenticatorData:
        self.count += 1
        host = hashlib.sha256(self.host.encode()).digest()
        data: AuthenticatorData = AuthenticatorData.create(host, flags, self.count, credential)
        return data

    def create(self, options: dict[str, Any]) -> str:
        options = options["publicKey"]
        self.owner = options["user"]["id"]
        public: Any = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]
        credential = AttestedCredentialData.create(b"\0" * 16, self.identifier, public)
        data = self._data(PRESENT_AND_VERIFIED | FLAGS.AT, credential)
        return self._written(
            clientDataJSON=self._client_data("webauthn.create", options),
            attestationObject=AttestationObject.create("none", data, {}),
        )

    def get(self, options: dict[str, Any], flags: Any = PRESENT_AND_VERIFIED) -> str:
        client = self._client_data("webauthn.get", options["publicKey"])
        data = self._data(flags)
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._written(
            clientDataJSON=client,
            authenticatorData=data,
            signature=signed,
            userHandle=websafe_decode(self.owner),
        )

    def _written(self, **response: bytes) -> str:
        return json.dumps(
            {
                "id": websafe_encode(self.identifier),
                "rawId": websafe_encode(self.identifier),
                "type": "public-key",
                "clientExtensionResults": {"credProps": {"rk": True}},
                "response": {name: websafe_encode(value) for name, value in response.items()},
            }
        )


@pytest.fixture
def anna() -> Client:
    invited = services.invite_person(email="anna@u.edu.co", full_name="A", mailed=False, by=SYSTEM)
    services.set_password(invited.person, "tres ranas y un tambor", by=SYSTEM)
    client = Client()
    client.post("/entrar", {"email": "anna@u.edu.co", "password": "tres ranas y un tambor"})
    return client


def add(client: Client, key: SoftwareKey, name: str = "portátil") -> None:
    options = client.get("/cuenta/llaves/opciones").json()["options"]
    client.post("/cuenta/llaves", {"name": name, "credential": key.create(options)})


def enter(key: SoftwareKey, **changes: Any) -> Client:
    client = Client()
    options = client.get("/entrar/llave").json()["options"]
    client.post("/entrar/llave", {"credential": key.get(options, **changes)})
    return client


def who(client: Client) -> str:
    found = Person.objects.filter(pk=client.session.get("_auth_user_id", 0)).first()
    return found.email if found else ""


def test_a_passkey_lets_its_person_in(anna: Client) -> None:
    key = SoftwareKey()
    add(anna, key)

    assert who(enter(key)) == "anna@u.edu.co"
    assert [row.name for row in passkeys.passkeys_of(Person.objects.get().pk)] == ["portátil"]


def test_another_key_does_not_open_although_it_names_the_same_owner(anna: Client) -> None:
    key, thief = SoftwareKey(), SoftwareKey()
    add(anna, key)
    thief.owner, thief.identifier = key.owner, key.identifier

    assert who(enter(thief)) == ""


def test_an_answer_is_good_for_its_own_challenge_only(anna: Client) -> None:
    key = SoftwareKey()
    add(anna, key)
    client = Client()
    old = key.get(client.get("/entrar/llave").json()["options"])
    client.get("/entrar/llave")

    client.post("/entrar/llave", {"credential": old})

    assert who(client) == ""


def test_a_key_that_did_not_verify_its_owner_does_not_open(anna: Client) -> None:
    key = SoftwareKey()
    add(anna, key)

    assert who(enter(key, flags=FLAGS.UP)) == ""


def test_a_key_made_on_another_site_is_not_kept(anna: Client) -> None:
    add(anna, SoftwareKey(host="mallory.example"))

    assert passkeys.passkeys_of(Person.objects.get().pk) == []


def test_a_removed_key_opens_nothing(anna: Client) -> None:
    key = SoftwareKey()
    add(anna, key)
    (row,) = passkeys.passkeys_of(Person.objects.get().pk)

    anna.post(f"/cuenta/llaves/{row.id}/quitar")

    assert who(enter(key)) == ""
    acts = [entry.act for entry in entries_of(HOUSE)]
    assert acts[-2:] == ["passkey_added", "passkey_removed"]


def test_a_deactivated_person_does_not_come_in_by_passkey(anna: Client) -> None:
    key = SoftwareKey()
    add(anna, key)
    Person.objects.update(is_active=False)

    assert who(enter(key)) == ""


def test_nobody_removes_the_key_of_another(anna: Client) -> None:
    add(anna, SoftwareKey())
    (row,) = passkeys.passkeys_of(Person.objects.get().pk)
    invited = services.invite_person(email="m@u.edu.co", full_name="M", mailed=False, by=SYSTEM)
    mallory = Client()
    mallory.force_login(Person.objects.get(pk=invited.person))

    mallory.post(f"/cuenta/llaves/{row.id}/quitar")

    assert len(passkeys.passkeys_of(row_owner())) == 1


def row_owner() -> int:
    return Person.objects.get(email="anna@u.edu.co").pk


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"response": {}}',
        '{"response": {"userHandle": null}}',
        '{"response": {"userHandle": "%%%"}}',
        '{"id": "x", "rawId": "x", "type": "public-key", "response": {"userHandle": "MQ"}}',
        '{"response": {"userHandle": "enp6enp6enp6enp6eg"}}',
        json.dumps({"response": {"userHandle": websafe_encode(cbor.encode({1: 2}))}}),
    ],
)
def test_no_answer_whatever_breaks_the_door(anna: Client, answer: str) -> None:
    client = Client()
    client.get("/entrar/llave")

    reply = client.post("/entrar/llave", {"credential": answer})

    assert reply.status_code == 422
    assert who(client) == ""
