"""Plays a transcript against the SMTP core and says what became of each recipient.

A transcript's lines: `C: octets` must come from us (`C: <body>` is the whole body with its dot,
`C: <plain body>` the same as BDAT carries it),
`S: line` is said by the relay, `X` hangs up. Envelopes and manners stand in `# key: value` lines
at the top; `# outcome: 0 accepted, 1 deferred` is what must come out, `# lost: code` how it ended.
"""

from dataclasses import dataclass, field
from pathlib import Path

from circular.smtp.commands import Credentials, Dsn, Notify
from circular.smtp.events import Event, Lost, Ready, Settled, TlsWanted
from circular.smtp.protocol import Conversation, Encryption, Envelope, Manners

BODY = b"Subject: hi\r\n\r\n.hello\r\n"


@dataclass
class Played:
    """What a transcript led to."""

    outcome: dict[str, str] = field(default_factory=dict)
    lost: str = ""
    events: list[Event] = field(default_factory=list)
    said: bytes = b""


@dataclass
class Script:
    """A transcript: what is offered, what is said, what must come out."""

    headers: dict[str, str]
    lines: list[str]

    @classmethod
    def read(cls, path: Path) -> "Script":
        """Read a *.smtp file."""
        headers: dict[str, str] = {}
        lines: list[str] = []
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("# ") and ": " in line and not lines:
                key, value = line[2:].split(": ", 1)
                headers[key] = value.strip()
            elif line.strip() and not line.startswith("#"):
                lines.append(line.strip())
        return cls(headers, lines)


def conversation_of(headers: dict[str, str]) -> Conversation:
    """Build the conversation that a transcript's manners ask for."""
    user = headers.get("user", "")
    return Conversation(
        Manners(
            name="desk.example.org",
            encryption=Encryption(headers.get("encryption", "none")),
            credentials=Credentials(user, headers["password"], bearer="bearer" in headers)
            if user
            else None,
            plain_credentials="plain" in headers,
            lmtp="lmtp" in headers,
        )
    )


def envelopes_of(headers: dict[str, str]) -> list[Envelope]:
    """Build the envelopes: `;` between them, spaces between recipients."""
    return [
        Envelope(
            key=key,
            sender=headers.get("sender", "office@example.org"),
            recipients=people.split(),
            raw=BODY,
            dsn=Dsn(envid=headers["envid"], notify=frozenset({Notify.FAILURE, Notify.DELAY}))
            if "envid" in headers
            else None,
            originals=people.split() if "envid" in headers else (),
        )
        for key, people in enumerate(headers.get("to", "anna@example.org").split(";"))
    ]


def play(script: Script) -> Played:
    """Play it line by line; what we say must be what stands there."""
    conversation = conversation_of(script.headers)
    result = Played()
    unread = b""

    def note(events: list[Event]) -> None:
        for event in events:
            result.events.append(event)
            match event:
                case Settled():
                    who = f"{event.key}.{event.recipient}"
                    assert who not in result.outcome, f"{who} was settled twice"
                    result.outcome[who] = event.verdict
                case Lost():
                    result.lost = event.why
                case Ready():
                    for envelope in envelopes_of(script.headers):
                        note(conversation.begin(envelope, cleared=True))
                case TlsWanted():
                    conversation.tls_started()
                case _:
                    pass

    for line in script.lines:
        taken = conversation.take_outgoing()
        result.said += taken
        unread += taken
        match line[:2], line[3:]:
            case "C:", "<body>":
                wire = b"Subject: hi\r\n\r\n..hello\r\n.\r\n"
                assert unread.startswith(wire), f"expected the body, said {unread!r}"
                unread = unread[len(wire) :]
            case "C:", "<plain body>":
                assert unread.startswith(BODY), f"expected the body, said {unread!r}"
                unread = unread[len(BODY) :]
            case "C:", text:
                said, _, unread = unread.partition(b"\r\n")
                assert said == text.encode(), f"expected {text!r}, said {said!r}"
            case "S:", text:
                assert not unread, f"nothing more was expected, said {unread!r}"
                note(conversation.receive(text.encode() + b"\r\n"))
            case _:
                note(conversation.receive(b""))
    assert not unread + conversation.take_outgoing(), "it said more than the transcript knows"
    return result
