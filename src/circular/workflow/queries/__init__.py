"""Reads of the desk: the rules of the house, what is open, what waits. Nothing here writes."""

from circular.workflow.labels import refusal_sentence as refusal_sentence
from circular.workflow.queries.acts import (
    OpenAct as OpenAct,
)
from circular.workflow.queries.acts import (
    acts_open as acts_open,
)
from circular.workflow.queries.acts import (
    acts_open_to as acts_open_to,
)
from circular.workflow.queries.cases import case_by_number as case_by_number
from circular.workflow.queries.debtors import (
    Debtor as Debtor,
)
from circular.workflow.queries.debtors import (
    debtors as debtors,
)
from circular.workflow.queries.debtors import (
    duty_due_first as duty_due_first,
)
from circular.workflow.queries.house import (
    RecessRow as RecessRow,
)
from circular.workflow.queries.house import (
    authorities_over as authorities_over,
)
from circular.workflow.queries.house import (
    authority_of as authority_of,
)
from circular.workflow.queries.house import (
    desk_rules as desk_rules,
)
from circular.workflow.queries.house import (
    followed as followed,
)
from circular.workflow.queries.house import (
    office_calendar as office_calendar,
)
from circular.workflow.queries.house import (
    owed_by as owed_by,
)
from circular.workflow.queries.house import (
    pinned as pinned,
)
from circular.workflow.queries.house import (
    procedure_in_force as procedure_in_force,
)
from circular.workflow.queries.house import (
    procedure_source as procedure_source,
)
from circular.workflow.queries.house import (
    procedures as procedures,
)
from circular.workflow.queries.house import (
    recesses as recesses,
)
from circular.workflow.queries.house import (
    shipped_source as shipped_source,
)
from circular.workflow.queries.house import (
    time_limits as time_limits,
)
from circular.workflow.queries.house import (
    urgent_posts as urgent_posts,
)
from circular.workflow.queries.standing import (
    content_of as content_of,
)
from circular.workflow.queries.standing import (
    count_of as count_of,
)
from circular.workflow.queries.standing import (
    doer as doer,
)
from circular.workflow.queries.standing import (
    facts_of as facts_of,
)
