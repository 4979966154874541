"""The writers of relays as an office keeps them: where they are, on what terms, for whom.

Rules
1. Every change is an entry; it names settings and figures, never a host, a user or a password.
2. Nobody who may change a relay learns its password by naming a server of their own: another host
   needs it typed again.
3. A quota that is set today counts what left before: what was lent in its window is taken for used.

Locks:   the relay row (no key), chain heads last
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from circular.dispatch import grants
from circular.dispatch.breaker import BreakerRules
from circular.dispatch.errors import PasswordNeededError, RelayUnknownError
from circular.dispatch.models import Relay, RelayQuota, Security, SendingRules, SignInMethod
from circular.dispatch.quotas import Quota
from circular.evidence.actors import Actor
from circular.evidence.services import HOUSE, EntryDraft, append
from circular.mailing.sealed import seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a relay is to be treated, and whom it may serve."""

    weight: int = 1
    classes: Sequence[str] = ()  # empty: all
    groups: Sequence[str] = ()  # empty: all
    recipients_per_message: int = 100
    messages_per_connection: int = 500
    max_age: int = 300  # seconds
    depth: int = 8
    sign_in: str = SignInMethod.PASSWORD.value
    sign_dkim: bool = False
    quotas: Sequence[Quota] = ()


@transaction.atomic
def save_relay(
    *,
    name: str,
    host: str,
    port: int,
    security: Security | str,
    verify: bool = True,
    username: str = "",
    password: str | None = None,
    max_connections: int = 4,
    rank: int = 100,
    active: bool = True,
    terms: Terms | None = None,
    relay_id: int | None = None,
    by: Actor,
) -> int:
    """Add or change a relay; a password of None keeps the one that is sealed, so do terms of None.

    A change ends the relay's rest: the next mail tries it at once.

    Locks:   the relay row (no key)
    Raises:  ValueError for a security or sign-in that is none; RelayUnknownError;
             PasswordNeededError; IntegrityError for a name that another relay has
    """
    now = grants.database_now()
    row = Relay()
    if relay_id is not None:
        found = Relay.objects.select_for_update(no_key=True).filter(pk=relay_id).first()
        if found is None:
            raise RelayUnknownError(str(relay_id))
        row = found
    if not username:
        password = ""
    if password is None and row.password_sealed and row.host != host.strip():
        raise PasswordNeededError(str(relay_id))
    row.name, row.host, row.port = name.strip(), host.strip(), port
    row.security = Security(security)
    row.verify = verify
    row.username = username
    if password is not None:
        row.password_sealed = seal(password) if username else ""
    row.max_connections, row.rank, row.active = max_connections, rank, active
    row.resting_until, row.failures, row.trouble, row.trouble_detail = None, 0, "", ""
    if terms is not None:
        _set_terms(row, terms)
    row.save()
    if terms is not None:
        _set_quotas(row, terms.quotas, now)
    append(
        EntryDraft(
            chain=HOUSE,
            act="relay_saved",
            by=by,
            at=now,
            facts={
                "relay": row.pk,
                "port": port,
                "security": row.security,
                "verify": verify,
                "active": active,
                "connections": max_connections,
                "rank": rank,
                "weight": row.weight,
                "classes": sorted(row.classes),
                "groups": len(row.groups),
                "quotas": [
                    f"{one.window}:{one.unit}:{one.most}" for one in row.quotas.order_by("id")
                ],
            },
        )
    )
    return row.pk


def _set_terms(row: Relay, terms: Terms) -> None:
    row.weight = terms.weight
    row.classes, row.groups = sorted(set(terms.classes)), sorted(set(terms.groups))
    row.recipients_per_message = terms.recipients_per_message
    row.messages_per_connection = terms.messages_per_connection
    row.max_age = terms.max_age
    row.depth = terms.depth
    row.sign_in = SignInMethod(terms.sign_in)
    row.sign_dkim = terms.sign_dkim


def _set_quotas(row: Relay, quotas: Sequence[Quota], now: datetime) -> None:
    wanted = {(one.window.value, one.unit.value): one.most for one in quotas}
    counted = {one.window for one in row.quotas.all()}
    for one in row.quotas.all():
        if (one.window, one.unit) not in wanted:
            one.delete()
    for (window, unit), most in wanted.items():
        RelayQuota.objects.update_or_create(
            relay=row, window=window, unit=unit, defaults={"most": most}
        )
    grants.recall(row.pk, {quota.window for quota in quotas if quota.window not in counted}, now)


def add_relay(
    *,
    name: str,
    host: str,
    port: int,
    security: Security | str = Security.STARTTLS,
    verify: bool = True,
    username: str = "",
    password: str = "",
    max_connections: int = 4,
    terms: Terms | None = None,
    by: Actor,
) -> int:
    """Add a relay; the password is plain and is sealed here."""
    return save_relay(
        name=name,
        host=host,
        port=port,
        security=security,
        verify=verify,
        username=username,
        password=password,
        max_connections=max_connections,
        terms=terms,
        by=by,
    )


@transaction.atomic
def save_sending_rules(rules: BreakerRules, *, by: Actor) -> None:
    """Say when a circular stops by itself and asks a person.

    Locks:   chain heads
    Raises:  IntegrityError for a share or a number that is none
    """
    SendingRules.objects.update_or_create(
        pk=1, defaults={"refused_percent": rules.percent, "refused_least": rules.least}
    )
    append(
        EntryDraft(
            chain=HOUSE,
            act="sending_rules_saved",
            by=by,
            at=grants.database_now(),
            facts={"percent": rules.percent, "least": rules.least},
        )
    )
