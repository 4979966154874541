"""A body that tries to end early arrives as one message, whatever the relay takes for a line end."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from circular.smtp.events import Settled
from circular.smtp.protocol import Envelope, Manners
from circular.smtp.session import Place, open_session
from circular.smtp.verdicts import Verdict

HEAD = b"Subject: one\r\n\r\nbefore"
SECOND = b"MAIL FROM:<x@evil.example>\r\nRCPT TO:<y@example.org>\r\nDATA\r\nSubject: two\r\n\r\nx"
# The nine end-of-data sequences of the scanner, those of the corpus among them.
SEQUENCES = [
    b"\n.\n", b"\n.\r\n", b"\r.\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n",
    b"\r\n\x00.\r\n", b"\r\n.\r\n",
]  # fmt: skip


class LaxRelay:
    """Takes any line end for one, as the worst servers of 2023 did, and keeps every octet."""

    def __init__(self) -> None:
        self.wire = b""
        self.messages = 0
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await self._listen(reader, writer)
        finally:
            writer.close()
            self.gone.set()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 lax\r\n")
        pending, in_body, body_start = b"", False, 0
        while data := await reader.read(65536):
            pending += data
            if in_body:
                self.wire += data
                lax = b"\n" + self.wire[body_start:].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                if b"\n.\n" in lax:
                    self.messages += lax.count(b"\n.\n")
                    in_body, pending = False, b""
                    writer.write(b"250 taken\r\n")
                continue
            while b"\n" in pending:
                line, _, pending = pending.partition(b"\n")
                writer.write(b"354 go\r\n" if line.startswith(b"DATA") else b"250 ok\r\n")
                if line.startswith(b"DATA"):
                    in_body, body_start = True, len(self.wire)


async def send(raw: bytes) -> tuple[LaxRelay, Settled]:
    relay = LaxRelay()
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    session = await open_session(Place(host="127.0.0.1", port=port), Manners(name="a.example"))
    session.begin(
        Envelope(key=1, sender="a@example.org", recipients=["b@example.org"], raw=raw), cleared=True
    )
    settled = None
    while settled is None:
        events = await session.events()
        settled = next((event for event in events if isinstance(event, Settled)), None)
    await session.quit()
    await relay.gone.wait()
    await asyncio.sleep(0)
    server.close()
    return relay, settled


@pytest.mark.parametrize("sequence", SEQUENCES, ids=repr)
def test_no_second_message_comes_out_of_a_body(sequence: bytes) -> None:
    relay, settled = asyncio.run(send(HEAD + sequence + SECOND))

    ends = relay.wire.count(b"\r\n")
    assert relay.wire.count(b"\r") == relay.wire.count(b"\n") == ends
    assert relay.messages == 1
    assert settled.verdict is Verdict.ACCEPTED


def test_the_corpus_holds_no_sequence_that_is_not_tried(corpora: Callable[[str], Any]) -> None:
    samples = corpora("smtp-smuggling").samples.values()

    assert {bytes.fromhex(sample["input_hex"]) for sample in samples} <= set(SEQUENCES)


def test_a_body_sent_as_it_came_is_caught() -> None:
    """Deliberately broken: stuffing that knows only CRLF before a dot."""
    lax = (HEAD + b"\n.\n" + SECOND + b"\r\n.\r\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    assert lax.count(b"\n.\n") == 2
