"""Reads of the desk: the rules of the house, one case, the trays. Nothing here writes."""

from circular.workflow.queries.house import (
    desk_rules as desk_rules,
)
