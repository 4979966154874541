"""How long to wait: before a person is tried again, before a relay is, before a lease ends. Pure.

Rules
1. Waits double and are capped; each is stretched by a share of itself that the caller's dice give,
   so that a thousand people deferred in the same second do not come back in the same second.
2. Time and dice are arguments.

Sources: RFC 5321 §4.5.4.1 (retry after thirty minutes, shorter at first); Postfix's
minimal_backoff_time (300 s) and maximal_backoff_time (4,000 s); greylisting waits five minutes.
"""

from dataclasses import dataclass
from datetime import timedelta

from circular.dispatch.trouble import Trouble

JITTER = 0.25  # at most a quarter longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The figures that decide how patient the post office is; seconds, but for `unrecorded`."""

    first_retry: float = 60
    longest_retry: float = 3600
    first_rest: float = 2
    longest_rest: float = 300
    throttled_rest: float = 60  # reliability.md §6 row 14: at most a try a minute while throttled
    quota_rest: float = 900  # a day's quota comes back in slices of a rolling window
    poll: float = 0.3  # a pause must take effect within a second of sending
    recover_every: float = 2  # a killed worker's people wait no longer than this
    idle_session: float = 5  # an idle connection is given back to the relay
    lease: float = 60  # renewed all the time; so long a lost machine's people wait
    stop_within: float = 12  # for what is on a session when we are asked to stop
    # Answers that are on this machine and not in the database yet: at most so many, and none for
    # longer than it takes to write them down together.
    unrecorded: int = 4000
    record_every: float = 0.05


DEFAULT_PACE = Pace()


def _stretched(seconds: float, dice: float) -> timedelta:
    return timedelta(seconds=seconds * (1 + JITTER * dice))


def retry_after(attempts: int, dice: float, pace: Pace = DEFAULT_PACE) -> timedelta:
    """Say how long a deferred recipient waits after so many attempts.

    Units:   ``dice`` from 0 to 1
    """
    doublings = min(max(attempts - 1, 0), 20)
    return _stretched(min(pace.first_retry * 2.0**doublings, pace.longest_retry), dice)


def rest_after(failures: int, dice: float, pace: Pace = DEFAULT_PACE) -> timedelta:
    """Say how long a relay rests after so many failures in a row."""
    doublings = min(max(failures - 1, 0), 20)
    return _stretched(min(pace.first_rest * 2.0**doublings, pace.longest_rest), dice)


def rest_for(trouble: Trouble, failures: int, dice: float, pace: Pace = DEFAULT_PACE) -> timedelta:
    """Say how long a relay rests after this trouble: one that asked for patience gets it.

    Units:   ``dice`` from 0 to 1
    """
    least = {Trouble.THROTTLED: pace.throttled_rest, Trouble.QUOTA: pace.quota_rest}.get(trouble)
    if least is None:
        return rest_after(failures, dice, pace)
    doublings = min(max(failures - 1, 0), 20)
    return _stretched(min(least * 2.0**doublings, max(pace.longest_rest, 4 * least)), dice)
