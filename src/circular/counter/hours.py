"""The office's working time as the pages need it: one calendar a request, read from the desk."""

from circular.counter.clocks import Between
from circular.workflow import queries as workflow


def between() -> Between:
    """Return the function that counts business time from one moment to another."""
    return workflow.office_calendar().business_between
