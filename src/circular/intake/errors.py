"""What can go wrong at the front door beyond what a reply says."""


class IntakeError(Exception):
    """Base of this room's errors; `code` is stable."""

    code = "intake"


class TooLargeError(IntakeError):
    """A message beyond the installation's limit; trying again does not help."""

    code = "too_large"
