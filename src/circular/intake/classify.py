"""Say what a message is by itself, without a database: for developers and for testing mail rules. Pure."""

from circular.intake.fields import read_fields
from circular.intake.identity import content_key_of
from circular.intake.sorting import Known, Standing, author_of, sort
from circular.intake.words import Reason
from circular.mailformat import dsn
from circular.mailformat.incoming import parse


def classify(raw: bytes, *, null_sender: bool = False) -> dict[str, object]:
    """Return what `circular classify` prints for one message, ready for JSON.

    Every author counts as a known account here: nobody is looked up.
    """
    incoming = parse(raw)
    reports = dsn.parse(incoming)
    decision = sort(
        incoming, Known(null_sender=null_sender, reports=reports, standing=Standing.ACTIVE)
    )
    author = author_of(incoming)
    return {
        "as": decision.sorted_as.value,
        "because": decision.reason.value,
        "from": None if isinstance(author, Reason) else author,
        "subject": incoming.subject,
        "message_id": incoming.message_id or None,
        "fields": dict(read_fields(incoming.text).values),
        "attachments": [file.name for file in incoming.attachments],
        "signs": sorted(sign.value for sign in incoming.signs),
        "reports": [
            {"recipient": r.recipient, "action": r.action.value, "status": r.status}
            for r in reports
        ],
        "defects": sorted(defect.value for defect in incoming.defects),
        "content": content_key_of(raw),
    }
