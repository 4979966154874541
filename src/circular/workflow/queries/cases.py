"""Finding a case by what people call it."""

from circular.workflow.models import Request


def case_by_number(number: str) -> int | None:
    """Return the case with a filing number, however it is capitalized.

    Index: request.filing_number (unique)
    """
    return (
        Request.objects.filter(filing_number=number.strip().upper())
        .values_list("pk", flat=True)
        .first()
    )
