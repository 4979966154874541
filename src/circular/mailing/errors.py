"""What can go wrong in the composing room that the caller did not ask for."""

from __future__ import annotations

from circular.mailing.content import ContentError

__all__ = ["ContentError", "ContentGoneError", "MailingError", "NotConfiguredError"]


class MailingError(Exception):
    """The base of this room's exceptions; ``code`` is stable, the sentence is in ``labels``."""

    code = "mailing"


class ContentGoneError(MailingError):
    """The content of a secret was dropped after its verdict and cannot be printed again."""

    code = "content_gone"


class ContentAlteredError(MailingError):
    """Stored content does not give the digest under which it was approved."""

    code = "content_altered"


class NotConfiguredError(MailingError):
    """The institution has no mail domain yet, so nothing can carry its name."""

    code = "not_configured"


class WrongStateError(MailingError):
    """The mailing is not in a state in which this can be done."""

    code = "wrong_state"


class RuleMismatchError(MailingError):
    """The audience to freeze is not the audience of the approved content."""

    code = "rule_mismatch"


class PasswordNeededError(MailingError):
    """The mailbox's host changed: a password that nobody typed is not said to another server."""

    code = "password_needed"
