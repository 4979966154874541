"""What a relay's answer means for one recipient: five words that cover every case."""

from enum import StrEnum


class Verdict(StrEnum):
    """The end of one offer to one recipient."""

    ACCEPTED = "accepted"  # the relay took responsibility
    DEFERRED = "deferred"  # 4yz: may be offered again later
    REFUSED = "refused"  # 5yz: must not be offered again unchanged
    UNTRIED = "untried"  # it ended before the final dot: safe to offer again
    IN_DOUBT = "in_doubt"  # final dot handed over, no reply: never offered again blindly


# First digit only (RFC 5321 §4.2.1): an unknown code keeps the meaning of its class.
VERDICT_OF_CLASS = {2: Verdict.ACCEPTED, 4: Verdict.DEFERRED, 5: Verdict.REFUSED}
