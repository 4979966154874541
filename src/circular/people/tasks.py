"""Job entries of this room."""

from datetime import timedelta

from django.utils import timezone

from circular.jobs import runs
from circular.people.signin import (
    MailSignInCode,
    SignInRound,
    codes_to_mail,
    forget_expired,
    mail_code,
)


@runs(MailSignInCode)
def mail_sign_in_code(job: MailSignInCode) -> None:
    mail_code(job.code, now=timezone.now())


@runs(SignInRound, every=timedelta(minutes=1))
def look_for_lost_codes(_: SignInRound) -> None:
    now = timezone.now()
    for code_id in codes_to_mail(now=now):
        mail_code(code_id, now=now)
    forget_expired(now=now)
