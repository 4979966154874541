"""A circular to everybody in the directory, composed and released without a case."""

from circular.evidence.actors import SYSTEM
from circular.mailing import services
from circular.mailing.composing import Draft
from circular.mailing.kinds import MailClass, MailingKind

EVERYBODY: dict[str, object] = {"clauses": [{}]}


def release_circular(mail_class: MailClass, *, witnesses: bool) -> int:
    composed = services.compose_stencil(
        Draft(
            sender_name="Bienestar",
            sender_address="bienestar@unimacizo.example",
            subject="Jornada de salud",
            text="Del 24 al 26 de noviembre.",
            mail_class=mail_class,
            audience_rule=EVERYBODY,
        )
    )
    mailing_id = services.create_mailing(
        kind=MailingKind.CIRCULAR,
        stencil=services.save_stencil(composed.content, by=SYSTEM),
        by=SYSTEM,
    )
    services.freeze_audience(mailing_id, EVERYBODY, witnesses=witnesses, by=SYSTEM)
    services.release_mailing(mailing_id, by=SYSTEM)
    return mailing_id
