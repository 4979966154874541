"""One message as a door took it: its bytes and its envelope, before anybody looked at it. Pure."""

from dataclasses import dataclass

from circular.intake.words import Door

_LONGEST_PATH = 320  # characters kept of an envelope address: 64 + @ + 255, RFC 5321 §4.5.3.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a door hands over; storing it never fails because of what it says."""

    raw: bytes
    mail_from: str
    rcpt_to: tuple[str, ...]
    door: Door

    @property
    def safe_mail_from(self) -> str:
        """The envelope sender as a column can hold it."""
        return safe_path(self.mail_from)

    @property
    def safe_rcpt_to(self) -> list[str]:
        """The envelope recipients as a column can hold them."""
        return [safe_path(path) for path in self.rcpt_to]


def safe_path(path: str) -> str:
    """Return an envelope address without what PostgreSQL refuses (NUL, lone surrogates)."""
    return path.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")[:_LONGEST_PATH]
