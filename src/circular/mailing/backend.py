"""Django's e-mail backend: whatever a library sends leaves the house as a Mailing of kind *secret*.

Sign-in codes and resets come from django-allauth through ``django.core.mail``; here each message
becomes a mailing to each of its addresses, so that its outcome is kept and its body, which holds a
token, is dropped after the verdict (design §3).

When it fails: ``fail_silently`` is honoured; otherwise the exception reaches the page, because a code
that cannot be sent must not look as if it were on its way.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from typing_extensions import override

from circular.evidence.actors import SYSTEM
from circular.mailing import services
from circular.mailing.errors import ContentError, MailingError
from circular.mailing.kinds import MailingKind


class EmailBackend(BaseEmailBackend):
    """Hands messages over to ``mailing.services``; nothing is sent from here."""

    @override
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Release each message and return how many were taken over."""
        taken = 0
        for message in email_messages:
            try:
                taken += self._post(message)
            except (ContentError, MailingError):
                if not self.fail_silently:
                    raise
        return taken

    def _post(self, message: EmailMessage) -> int:
        html = ""
        if isinstance(message, EmailMultiAlternatives):
            html = next(
                (
                    str(alternative[0])
                    for alternative in message.alternatives
                    if alternative[1] == "text/html"
                ),
                "",
            )
        for address in message.recipients():
            services.post_text(
                subject=str(message.subject),
                text=str(message.body),
                html=html,
                to=address,
                kind=MailingKind.SECRET,
                by=SYSTEM,
            )
        return 1 if message.recipients() else 0
