"""Passkeys: allauth keeps and checks the keys, this room decides what they open.

Rule 1: a passkey signs in by itself, with the person verified by the device.
Rule 2: keys belong to the host of our base URL; behind another name they do not work.

Sources: W3C WebAuthn Level 2; docs/decisions/0030.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from typing_extensions import override

from circular.evidence.actors import Actor
from circular.evidence.services import HOUSE, EntryDraft, append
from circular.people import queries
from circular.people.models import Person

MOST_KEYS = 10  # of one person: a phone, a computer, a token, and spares


class PasskeyAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Tells allauth under which name our keys are kept on a device."""

    @override
    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {
            "id": urlsplit(settings.BASE_URL).hostname or "localhost",
            "name": f"Circular · {queries.institution().short_name}".strip(" ·"),
        }


@dataclass(frozen=True, slots=True)
class PasskeyRow:
    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


def passkeys_of(person_id: int) -> list[PasskeyRow]:
    """Return a person's passkeys, oldest first."""
    rows = Authenticator.objects.filter(
        user_id=person_id, type=Authenticator.Type.WEBAUTHN
    ).order_by("created_at")
    return [PasskeyRow(row.pk, row.data["name"], row.created_at, row.last_used_at) for row in rows]


def begin_signing_in() -> dict[str, Any]:
    """Return what a browser needs to offer its passkeys; the challenge stays in the session."""
    return cast("dict[str, Any]", auth.begin_authentication())


def finish_signing_in(answer: object) -> Person | None:
    """Return the active person whose passkey signed the challenge, or None."""
    if not isinstance(answer, dict) or not isinstance(answer.get("response"), dict):
        return None
    try:
        person = auth.extract_user_from_response(answer)
        key = auth.complete_authentication(person, answer)
    except (ValidationError, ValueError, TypeError, KeyError):
        # allauth translates most of what a stranger may send, the library below it not all.
        return None
    if not person.is_active:
        return None
    key.record_usage()
    return cast("Person", person)


def begin_adding(person: Person) -> dict[str, Any]:
    """Return what a browser needs to make a passkey; the challenge stays in the session."""
    return cast("dict[str, Any]", auth.begin_registration(person, passwordless=True))


@transaction.atomic
def add_passkey(person: Person, answer: object, *, name: str, by: Actor) -> bool:
    """Keep the passkey that the browser made; False when the answer does not fit the challenge."""
    if not isinstance(answer, dict) or len(passkeys_of(person.pk)) >= MOST_KEYS:
        return False
    try:
        auth.complete_registration(answer)
    except (ValidationError, ValueError, TypeError, KeyError):
        return False
    auth.WebAuthn.add(person, name, answer)
    _append("passkey_added", person.pk, by)
    return True


@transaction.atomic
def remove_passkey(person: Person, key_id: int, *, by: Actor) -> bool:
    """Forget one of the person's own passkeys.

    Repeat:  a key that is gone is not removed again
    """
    removed, _ = Authenticator.objects.filter(
        pk=key_id, user_id=person.pk, type=Authenticator.Type.WEBAUTHN
    ).delete()
    if removed:
        _append("passkey_removed", person.pk, by)
    return bool(removed)


def _append(act: str, person_id: int, by: Actor) -> None:
    append(EntryDraft(chain=HOUSE, act=act, by=by, at=timezone.now(), facts={"subject": person_id}))
