"""The words that the front door stores: which door, how far a mail is, and what it was. Pure."""

from enum import StrEnum


class Door(StrEnum):
    """Where a message came in."""

    LMTP = "lmtp"
    SMTP = "smtp"
    STDIN = "stdin"


class MailState(StrEnum):
    """How far an incoming message is."""

    STORED = "stored"  # safe, not looked at yet
    SORTED = "sorted"  # somebody's business, or nobody's; see `SortedAs`
    SET_ASIDE = "set_aside"  # it failed three times; a person looks at it


class SortedAs(StrEnum):
    """What an incoming message turned out to be."""

    NEW_REQUEST = "new_request"
    REPLY = "reply"
    BOUNCE = "bounce"
    AUTO_REPLY = "auto_reply"
    STRANGER = "stranger"
    UNSORTABLE = "unsortable"
    DUPLICATE = "duplicate"
    LOOP = "loop"


class Reason(StrEnum):
    """Why it was sorted so. Every member has a sentence in `labels`."""

    KNOWN_ACCOUNT = "known_account"
    ANSWERS_A_LETTER = "answers_a_letter"
    OUR_TOKEN = "our_token"  # noqa: S105 (a reason, no secret)
    NO_TOKEN_OF_OURS = "no_token_of_ours"  # noqa: S105
    NULL_SENDER = "null_sender"
    DELIVERY_REPORT = "delivery_report"
    SYSTEM_MAILBOX = "system_mailbox"
    AUTO_SUBMITTED = "auto_submitted"
    BULK_OR_LIST = "bulk_or_list"
    UNKNOWN_ADDRESS = "unknown_address"
    INACTIVE_ACCOUNT = "inactive_account"
    NO_FROM = "no_from"
    SEVERAL_FROM = "several_from"
    UNREADABLE_FROM = "unreadable_from"
    OUR_OWN_ADDRESS = "our_own_address"
    OUR_OWN_MAIL = "our_own_mail"
    TOO_MANY_HOPS = "too_many_hops"
    TOO_MANY_PARTS = "too_many_parts"
    TOO_DEEP = "too_deep"
    ANSWERS_A_CIRCULAR = "answers_a_circular"
    TOO_MANY_TODAY = "too_many_today"
    ARRIVED_BEFORE = "arrived_before"
    FAILED_THREE_TIMES = "failed_three_times"
