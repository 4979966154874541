"""What a relay announced in its answer to EHLO, and nothing it did not announce.

Sources: RFC 5321 §4.1.1.1; RFC 1870 (SIZE); RFC 2920; RFC 3207; RFC 4954; RFC 6152; RFC 6531;
RFC 3030; RFC 3461; RFC 9422 (LIMITS). Old servers write `AUTH=LOGIN PLAIN`.
"""

from dataclasses import dataclass

from circular.smtp.replies import Reply

MAX_ANNOUNCED = 10**12  # a number beyond this is no size, it is noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The extensions a session may use."""

    pipelining: bool = False
    starttls: bool = False
    eight_bit: bool = False
    utf8: bool = False
    chunking: bool = False
    dsn: bool = False
    enhanced_codes: bool = False
    has_size: bool = False
    size: int | None = None  # octets; None: announced without a number, with 0, or not at all
    auth: frozenset[str] = frozenset()
    rcpt_max: int | None = None
    mail_max: int | None = None


PLAIN_SMTP = Capabilities()


def _number(word: str) -> int | None:
    if not (word.isascii() and word.isdigit()) or len(word) > len(str(MAX_ANNOUNCED)):
        return None
    return int(word) or None


def capabilities_of(reply: Reply) -> Capabilities:
    """Read the answer to EHLO; its first line is a greeting and announces nothing."""
    words: dict[str, list[str]] = {}
    auth: set[str] = set()
    for line in reply.lines[1:]:
        keyword, *values = line.decode("ascii", "replace").upper().replace("=", " ").split() or [""]
        words.setdefault(keyword, values)
        if keyword == "AUTH":
            auth.update(values)
    limits = words.get("LIMITS", [])
    named = dict(zip(limits[::2], limits[1::2], strict=False))
    return Capabilities(
        pipelining="PIPELINING" in words,
        starttls="STARTTLS" in words,
        eight_bit="8BITMIME" in words,
        utf8="SMTPUTF8" in words,
        chunking="CHUNKING" in words,
        dsn="DSN" in words,
        enhanced_codes="ENHANCEDSTATUSCODES" in words,
        has_size="SIZE" in words,
        size=_number((words.get("SIZE") or [""])[0]),
        auth=frozenset(auth),
        rcpt_max=_number(named.get("RCPTMAX", "")),
        mail_max=_number(named.get("MAILMAX", "")),
    )
