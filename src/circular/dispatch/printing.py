"""From people on loan to envelopes: the one place where the octets of a copy become final.

A copy's body, where no merge field makes it anybody's own, is looked at once for all copies.
"""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from circular.dispatch.queries import RelayAccess
from circular.mailformat.dkim import Key, read_key, signature_fields
from circular.mailing.rendering import Press, RecipientFacts
from circular.smtp.bodies import Body, Piece
from circular.smtp.protocol import Envelope


def envelope(press: Press, person: RecipientFacts, relay: RelayAccess) -> Envelope:
    """Print one person's copy, signed where its relay leaves that to us.

    Raises:  UnsafeHeaderError when the person's own address or name would break out of a field;
             anything else is the fault of this house
    """
    copy = press.print_parts(person)
    head = copy.head
    if relay.sign_dkim:
        keys = _keys_for(press.sender_domain)
        head = signature_fields(head + copy.body, keys, press.released_at) + head
    return Envelope(
        key=person.id,
        sender=copy.envelope_from,
        recipients=(copy.rcpt,),
        raw=Body(head, _piece(copy.body)),
    )


@lru_cache(maxsize=8)
def _piece(body: bytes) -> Piece:
    """Look at a body once; copies that share it give the very same octets."""
    return Piece(body)


@lru_cache(maxsize=64)
def _keys_for(domain: str) -> tuple[Key, ...]:
    """Give the keys whose domain speaks for a sender's: its own, or one above it (RFC 7489 §3.1.1)."""
    here = settings.CIRCULAR
    if not here.dkim_key:
        return ()
    signing = here.dkim_domain
    if domain != signing and not domain.endswith("." + signing):
        return ()
    return (read_key(here.dkim_key.encode(), domain=signing, selector=here.dkim_selector),)
