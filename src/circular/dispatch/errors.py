"""What goes wrong in the post office that no return value can say."""


class DispatchError(Exception):
    """The room's base; `code` is stable."""

    code = "dispatch"


class RelayUnknownError(DispatchError):
    """No relay has this number."""

    code = "relay_unknown"


class NotAWorkerError(DispatchError):
    """This process does not hold the lock of its number any more."""

    code = "not_a_worker"


class PasswordNeededError(DispatchError):
    """The relay's host changed: a password that nobody typed is not said to another server."""

    code = "password_needed"


class JournalBrokenError(DispatchError):
    """What is about to happen cannot be written down on this machine."""

    code = "journal_broken"


class FencedError(DispatchError):
    """Somebody took this worker for lost: its leases are no permission any more."""

    code = "fenced"
