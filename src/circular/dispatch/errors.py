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
