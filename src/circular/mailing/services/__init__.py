"""The only writer of stencils and mailings: compose, freeze, release, hold, withdraw, post a letter.

Rules:
  1. Every act takes ``by=`` and owns its transaction; its evidence is appended as the last
     statement, on the mailing's chain (and on the case's for letters).
  2. Row states are moved by ``outcomes``; here rows are only made (freeze). The counters follow by
     trigger in the same statement.

Locks:   the mailing row (no key) first, then its recipients by id, the heads of chains last.

One module per part of a mailing's life: ``stencils``, ``freezing``, ``releasing``, ``posting``,
``witnesses``.
"""

from circular.mailing.services.freezing import (
    add_named,
    create_mailing,
    freeze_audience,
    freeze_same_recipients,
)
from circular.mailing.services.posting import (
    post_house_letter,
    post_letter,
    post_text,
    send_test,
)
from circular.mailing.services.releasing import (
    OFFERED_FOR,
    close_frontier,
    drop_content,
    hold_all,
    hold_mailing,
    hold_mailings,
    mark_cancelled,
    note_settled,
    pause_mailing,
    pause_self,
    release_mailing,
    reopen_for_offering,
    resume_mailing,
    resume_self,
    set_ceiling,
    settled_entries,
)
from circular.mailing.services.stencils import (
    compose_stencil,
    current_frame,
    save_frame,
    save_stencil,
)
from circular.mailing.services.witnesses import (
    add_witness,
    save_witness,
)

__all__ = [
    "OFFERED_FOR",
    "add_named",
    "add_witness",
    "close_frontier",
    "compose_stencil",
    "create_mailing",
    "current_frame",
    "drop_content",
    "freeze_audience",
    "freeze_same_recipients",
    "hold_all",
    "hold_mailing",
    "hold_mailings",
    "mark_cancelled",
    "note_settled",
    "pause_mailing",
    "pause_self",
    "post_house_letter",
    "post_letter",
    "post_text",
    "release_mailing",
    "reopen_for_offering",
    "resume_mailing",
    "resume_self",
    "save_frame",
    "save_stencil",
    "save_witness",
    "send_test",
    "set_ceiling",
    "settled_entries",
]
