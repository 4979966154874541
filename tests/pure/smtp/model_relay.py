"""A relay as a model: it keeps to the RFCs, decides by a plan, and writes down what it took.

Two families of servers are played: those that clear a transaction when its BDAT LAST fails (Postfix)
and those that keep sender and recipients until RSET (Exim); RFC 3030 §2 leaves it open.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

NOT_ASKED = "250"


@dataclass
class ModelRelay:
    """Give it what we say; `heard()` gives what it answers, b"" ends it once `is_closed`."""

    plan: Callable[
        [str], str
    ]  # "mail", "rcpt 1@…", "data", "chunk", "end" → a code, "hang", "lose"
    extensions: Sequence[str] = (
        "PIPELINING",
        "CHUNKING",
        "8BITMIME",
        "SIZE",
        "ENHANCEDSTATUSCODES",
    )
    keeps_failed: bool = False  # like Exim: only RSET or an accepted message clears
    lmtp: bool = False
    taken: list[tuple[str, str, bytes]] = field(default_factory=list)  # sender, recipient, body
    is_closed: bool = False
    commands: int = 0
    answers: bytes = b"220 model\r\n"
    _input: bytes = b""
    _sender: str | None = None
    _people: list[str] = field(default_factory=list)
    _body: bytes | None = None  # of a message that is being read
    _in_data: bool = False

    def say(self, octets: bytes) -> None:
        """Take what the client wrote."""
        self._input += octets
        if "PIPELINING" not in self.extensions and not self._in_data:
            first = self._input.partition(b"\r\n")[0]
            if not first.startswith(b"BDAT"):
                assert self._input.count(b"\r\n") <= 1, "several commands without PIPELINING"
        while not self.is_closed and self._step():
            pass

    def heard(self) -> bytes:
        """Give the answers that are ready."""
        answers, self.answers = self.answers, b""
        return answers

    def _step(self) -> bool:
        if self._in_data:
            body, end, rest = self._until_dot()
            if not end:
                return False
            self._input, self._in_data = rest, False
            self._end(body)
            return True
        line, end, rest = self._input.partition(b"\r\n")
        if not end:
            return False
        words = line.decode().split()
        if words[:1] == ["BDAT"]:
            return self._bdat(words, rest)
        self._input = rest
        self._command(line.decode())
        return True

    def _until_dot(self) -> tuple[bytes, bytes, bytes]:
        body, end, rest = (b"\r\n" + self._input).partition(b"\r\n.\r\n")
        return (body + b"\r\n").replace(b"\r\n.", b"\r\n").removeprefix(b"\r\n"), end, rest

    def _answer(self, code: str, text: str = "x") -> None:
        if code == "hang":
            self.is_closed = True
            return
        self.answers += f"{code} {code[0]}.0.0 {text}\r\n".encode()
        if code == "421":
            self.is_closed = True

    def _reset(self) -> None:
        self._sender, self._people, self._body = None, [], None

    def _command(self, line: str) -> None:
        self.commands += 1
        verb = line[:4].upper()
        if verb in ("EHLO", "LHLO"):
            lines = ["model", *self.extensions]
            last = len(lines) - 1
            self.answers += "".join(
                f"250{' ' if n == last else '-'}{one}\r\n" for n, one in enumerate(lines)
            ).encode()
        elif verb == "MAIL":
            self._mail(line[len("MAIL FROM:<") :].partition(">")[0])
        elif verb == "RCPT":
            self._rcpt(line[len("RCPT TO:<") :].partition(">")[0])
        elif verb == "DATA":
            self._data()
        elif verb == "RSET":
            self._reset()
            self._answer("250", "reset")
        elif verb == "QUIT":
            self._answer("221")
            self.is_closed = True
        else:
            raise AssertionError(f"what is {line!r}?")

    def _mail(self, sender: str) -> None:
        if self._sender is not None:
            self._answer("503", "nested")
            return
        code = self.plan(f"mail {sender}")
        if code == "250":
            self._sender = sender
        self._answer(code)

    def _rcpt(self, person: str) -> None:
        code = self.plan(f"rcpt {person}") if self._sender is not None else "503"
        if code == "250":
            self._people.append(person)
        self._answer(code)

    def _data(self) -> None:
        if not self._people:
            self._answer("503", "nobody")
            return
        code = self.plan(f"data {self._sender}")
        self._in_data = code == "354"
        self._answer(code)

    def _bdat(self, words: list[str], rest: bytes) -> bool:
        assert "CHUNKING" in self.extensions, "BDAT that was not announced"
        size, last = int(words[1]), words[2:] == ["LAST"]
        if len(rest) < size:
            return False
        self.commands += 1
        chunk, self._input = rest[:size], rest[size:]
        if not self._people:
            self._answer("503", "nobody")
            if last and not self.keeps_failed:
                self._reset()
        elif last:
            self._end((self._body or b"") + chunk, by_bdat=True)
        else:
            code = self.plan(f"chunk {self._sender}")
            if code == "250":
                self._body = (self._body or b"") + chunk
            elif not self.keeps_failed:
                self._people = []
            self._answer(code)
        return True

    def _end(self, body: bytes, *, by_bdat: bool = False) -> None:
        """Take the message or not; "lose" takes it and breaks off before the answer."""
        sender, people = self._sender or "", self._people
        codes = [self.plan(f"end {person}") for person in people]
        codes = codes if self.lmtp else codes[:1] * len(people)
        for person, code in zip(people, codes, strict=True):
            if self.is_closed:
                break
            if code in ("250", "lose"):
                self.taken.append((sender, person, body))
            if code == "lose":
                self.is_closed = True
            elif self.lmtp:
                self._answer(code)
        if not self.lmtp and not self.is_closed:
            self._answer(codes[0])
        if not by_bdat or "250" in codes or not self.keeps_failed:
            self._reset()
