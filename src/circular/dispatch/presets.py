"""What is known of the usual relays, as figures to start from: a choice fills the form, no more. Pure.

Rules
1. A preset is a suggestion that the office sees, may change, and saves; nothing follows a preset
   later. Providers change their limits without notice: each has its date and its source.
2. Where a provider gives each customer limits of their own (Amazon), the least it gives stands
   here: too slow is noticed, too fast is refused.

Sources: research of 2026-11 as named in each row; docs/sending.md says how to set each one up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from circular.dispatch.quotas import Quota, QuotaUnit, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One usual relay; its name and its advice for people stand in ``labels``."""

    key: str
    host: str  # "" where every institution has its own
    port: int = 587
    security: str = "starttls"
    verify: bool = True
    signs_in: bool = True  # with a user and a password, by default
    max_connections: int = 4
    recipients_per_message: int = 100
    messages_per_connection: int = 500
    max_age: int = 300
    depth: int = 8
    quotas: Sequence[Quota] = ()
    sources: Sequence[str] = ()
    read_on: str = "2026-11"


def _messages(window: Window, most: int) -> Quota:
    return Quota(window, QuotaUnit.MESSAGES, most)


def _recipients(window: Window, most: int) -> Quota:
    return Quota(window, QuotaUnit.RECIPIENTS, most)


PRESETS: tuple[Preset, ...] = (
    Preset(
        key="postfix",
        host="",
        port=25,
        signs_in=False,
        # smtpd_client_connection_count_limit is 50, half of default_process_limit: leave room for
        # the mail of everybody else.
        max_connections=20,
        recipients_per_message=1000,  # smtpd_recipient_limit
        messages_per_connection=1000,
        sources=("postfix.org/postconf.5.html",),
    ),
    Preset(
        key="google_user",
        host="smtp-relay.gmail.com",
        signs_in=False,
        max_connections=10,
        recipients_per_message=100,  # per transaction, for smtp-relay.gmail.com
        quotas=(_messages(Window.DAY, 10_000), _recipients(Window.DAY, 10_000)),
        sources=(
            "support.google.com/a/answer/2956491 (SMTP relay: 10,000 a day and registered sender)",
            "support.google.com/a/answer/6140680 (100 recipients a transaction)",
        ),
    ),
    Preset(
        key="google_organisation",
        host="smtp-relay.gmail.com",
        signs_in=False,
        max_connections=10,
        recipients_per_message=100,
        quotas=(_recipients(Window.TEN_MINUTES, 319_444), _recipients(Window.DAY, 4_600_000)),
        sources=("support.google.com/a/answer/2956491 (per organisation)",),
    ),
    Preset(
        key="exchange_online",
        host="smtp.office365.com",
        max_connections=3,  # concurrent submissions of one mailbox; 432 4.3.2 beyond
        recipients_per_message=500,  # by default; up to 1,000 where the tenant says so
        messages_per_connection=100,
        quotas=(_messages(Window.MINUTE, 30), _recipients(Window.DAY, 10_000)),
        sources=(
            "learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements",
            "learn.microsoft.com: Exchange Online limits",
        ),
    ),
    Preset(
        key="microsoft_hve",
        host="smtp.hve.mx.microsoft",
        max_connections=3,
        recipients_per_message=50,  # not published: few, until a test shows more
        quotas=(_recipients(Window.DAY, 100_000),),
        sources=(
            "learn.microsoft.com: High Volume Email (preview: 100,000 recipients a day and tenant)",
        ),
    ),
    Preset(
        key="amazon_ses",
        host="email-smtp.us-east-1.amazonaws.com",
        max_connections=4,
        recipients_per_message=50,
        # "Do not maintain long-lived connections": AWS, Amazon SES SMTP recommendations.
        messages_per_connection=100,
        max_age=60,
        # The sandbox: one a second, 200 a day. The console shows what an account really has.
        quotas=(_recipients(Window.MINUTE, 60), _recipients(Window.DAY, 200)),
        sources=(
            "docs.aws.amazon.com/ses/latest/dg/quotas.html",
            "aws.amazon.com/blogs/ses/amazon-ses-smtp-recommendations",
        ),
    ),
)
BY_KEY = {preset.key: preset for preset in PRESETS}
