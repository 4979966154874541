"""Proof that somebody is who they say: codes to their own mailbox, and how often one may try.

Rule 1: asking tells nothing: every address gets the same row, the same answer and the same work;
        a job looks the address up afterwards.
Rule 2: a code works in the browser that asked, once, for ten minutes and five attempts.
Rule 3: attempts are counted in the database, in their own transaction, so a failed or crashed
        attempt counts in every process.

When it fails: without a worker no code arrives; the page says to ask again.
Known gaps: behind a proxy all clients share its address unless the web server is told to trust it.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils.crypto import salted_hmac

from circular.jobs import Job, enqueue
from circular.people import queries
from circular.people.accounts import known_account
from circular.people.models import Person, RateLimit, SignInCode, canonical
from circular.people.postman import HouseLetter, post_letter
from circular.people.services import ensure_person

CODE_LIVES = timedelta(minutes=10)  # what the page and the letter promise
CODE_DIGITS = 6
MOST_ATTEMPTS = 5  # of 1,000,000 codes
KEPT_AFTER_EXPIRY = timedelta(days=1)  # for whoever looks into a complaint


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often something may be tried in a window of time."""

    name: str
    most: int
    window: timedelta


# Ten wrong passwords are more than a forgetful person needs, and nothing to somebody who guesses.
PASSWORD_BY_ADDRESS_AND_PLACE = Allowance("password", 10, timedelta(minutes=15))
# A whole campus may come from one address.
PASSWORD_BY_PLACE = Allowance("password_place", 300, timedelta(minutes=15))
PASSWORD_BY_ADDRESS = Allowance("password_address", 60, timedelta(hours=1))
CODE_BY_ADDRESS = Allowance("code", 5, timedelta(hours=1))
CODE_BY_PLACE = Allowance("code_place", 200, timedelta(hours=1))
LINK_BY_PLACE = Allowance("link_place", 60, timedelta(minutes=15))
PASSKEY_BY_PLACE = Allowance("passkey_place", 300, timedelta(minutes=15))


@dataclass(frozen=True, slots=True)
class MailSignInCode(Job):
    """Look up who asked for a code and mail it."""

    name = "people.mail_sign_in_code"
    code: int


@dataclass(frozen=True, slots=True)
class SignInRound(Job):
    """Mail codes whose job was lost, and forget what has expired."""

    name = "people.sign_in_round"


def allowed(allowance: Allowance, subject: str, *, now: datetime) -> bool:
    """Count one attempt and tell whether it is within the allowance.

    Locks:   the counter's row, for one statement
    """
    key = salted_hmac(allowance.name, subject, algorithm="sha256").hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO people_ratelimit AS limits (key, window_ends_at, count)
            VALUES (%(key)s, %(end)s, 1)
            ON CONFLICT (key) DO UPDATE SET
                count = CASE WHEN limits.window_ends_at <= %(now)s THEN 1
                             ELSE limits.count + 1 END,
                window_ends_at = CASE WHEN limits.window_ends_at <= %(now)s
                             THEN excluded.window_ends_at ELSE limits.window_ends_at END
            RETURNING count
            """,
            {"key": key, "now": now, "end": now + allowance.window},
        )
        return int(cursor.fetchone()[0]) <= allowance.most


@transaction.atomic
def ask_for_code(address: str, *, now: datetime) -> str:
    """Note that somebody asks for a code; return the nonce that their browser keeps.

    Repeat:  each call is a new code in a new browser
    """
    nonce = secrets.token_urlsafe(24)
    row = SignInCode.objects.create(
        address=canonical(address)[:254],
        nonce_digest=_digest("nonce", nonce),
        created_at=now,
        expires_at=now + CODE_LIVES,
    )
    enqueue(MailSignInCode(row.pk))
    return nonce


@transaction.atomic
def mail_code(code_id: int, *, now: datetime) -> bool:
    """Draw the code and mail it if the address is known; tell whether it was.

    Locks:   the code's row (no key)
    Repeat:  a code that was drawn is not drawn again
    """
    row = SignInCode.objects.select_for_update(no_key=True).filter(pk=code_id).first()
    if row is None or row.digest or row.used_at or row.expires_at <= now:
        return False
    person = queries.person_by_address(row.address)
    if person is None and (
        Person.objects.filter(email=row.address).exists() or known_account(row.address) is None
    ):
        row.expires_at = now  # nobody's: the round need not look again
        row.save(update_fields=["expires_at"])
        return False
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    row.digest = _digest(f"code {row.pk}", code)
    row.expires_at = now + CODE_LIVES
    row.save(update_fields=["digest", "expires_at"])
    post_letter(
        HouseLetter.SIGN_IN_CODE,
        to=row.address,
        language=person.language if person else queries.institution().language,
        context={"code": code, "expires_at": row.expires_at},
    )
    return True


def use_code(nonce: str, code: str, *, now: datetime) -> int | None:
    """Return the person whom the code proves, or None; each try counts, right or wrong.

    Repeat:  a code works once
    """
    rows = SignInCode.objects.filter(nonce_digest=_digest("nonce", nonce))
    # The attempt is counted before the code is looked at, in a statement of its own.
    counted = rows.filter(
        attempts__lt=MOST_ATTEMPTS, used_at__isnull=True, expires_at__gt=now
    ).update(attempts=F("attempts") + 1)
    row = rows.first() if counted else None
    given = _digest(f"code {row.pk if row else 0}", "".join(code.split()))
    if row is None or not row.digest or not hmac.compare_digest(given, row.digest):
        return None
    with transaction.atomic():
        if not rows.filter(used_at__isnull=True).update(used_at=now):
            return None
        person = queries.person_by_address(row.address)
        if person is not None:
            return person.id
        account = known_account(row.address)
        if account is None or Person.objects.filter(email=row.address).exists():
            return None  # deactivated between the mail and the code
        return ensure_person(account)


def codes_to_mail(*, now: datetime) -> list[int]:
    """Return codes that were asked for and never drawn: their job was lost."""
    rows = SignInCode.objects.filter(digest="", used_at__isnull=True, expires_at__gt=now)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def forget_expired(*, now: datetime) -> None:
    """Delete codes and counters that mean nothing any more."""
    SignInCode.objects.filter(expires_at__lt=now - KEPT_AFTER_EXPIRY).delete()
    RateLimit.objects.filter(window_ends_at__lt=now).delete()


def _digest(purpose: str, secret: str) -> str:
    return salted_hmac(f"sign-in {purpose}", secret, algorithm="sha256").hexdigest()
