"""Reading a witness mailbox: a real Dovecot, and servers that misbehave on script."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from circular.imap import mailbox
from circular.imap.folder import FolderMailbox
from circular.imap.mailbox import (
    AccessError,
    EncryptionError,
    FolderError,
    GarbledError,
    MailboxAccount,
    MailboxError,
    Security,
    UnreachableError,
    bears_id,
    open_mailbox,
)
from dovecot import Dovecot


def message(identifier: str, body: str = "hola") -> bytes:
    """Give a small message."""
    return (
        f"From: comunicaciones@example.edu.co\r\nMessage-ID: {identifier}\r\n"
        f"Subject: prueba\r\n\r\n{body}\r\n"
    ).encode()


@pytest.mark.parametrize("security", list(Security))
def test_the_message_with_our_id_is_fetched_byte_for_byte(
    dovecot: Dovecot, security: Security
) -> None:
    dovecot.deliver(message("<uno@example.edu.co>"), name="1")
    dovecot.deliver(message("<dos@example.edu.co>", "texto aprobado"), name="2")

    with open_mailbox(dovecot.account(security)) as inbox:
        [found] = inbox.messages_with_id("<dos@example.edu.co>")

    assert found.raw == message("<dos@example.edu.co>", "texto aprobado")
    assert not found.cut
    assert found.received_at is not None


def test_a_message_that_did_not_arrive_is_an_empty_answer(dovecot: Dovecot) -> None:
    dovecot.deliver(message("<uno@example.edu.co>"), name="1")

    with open_mailbox(dovecot.account()) as inbox:
        assert inbox.messages_with_id("<otro@example.edu.co>") == ()


def test_an_id_that_only_contains_ours_is_another_message(dovecot: Dovecot) -> None:
    dovecot.deliver(message("<no-dos@example.edu.co.evil>"), name="1")

    with open_mailbox(dovecot.account()) as inbox:
        assert inbox.messages_with_id("dos@example.edu.co") == ()


def test_looking_leaves_no_trace(dovecot: Dovecot) -> None:
    dovecot.deliver(message("<uno@example.edu.co>"), name="1")

    with open_mailbox(dovecot.account()) as inbox:
        inbox.messages_with_id("<uno@example.edu.co>")

    [kept] = (dovecot.folder / "mail").glob("*/1*")
    assert "S" not in kept.name.partition(":2,")[2]


def test_messages_after_a_uid_come_in_order_and_only_once(dovecot: Dovecot) -> None:
    for number in (1, 2, 3):
        dovecot.deliver(message(f"<m{number}@example.edu.co>"), name=str(number))

    with open_mailbox(dovecot.account()) as inbox:
        first = inbox.messages_after(0, limit=2)
        rest = inbox.messages_after(first[-1].uid)
        nothing = inbox.messages_after(rest[-1].uid)

    assert [found.uid for found in (*first, *rest)] == [1, 2, 3]
    assert nothing == ()


def test_a_message_over_the_limit_is_cut_and_says_so(
    dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "OCTETS_LIMIT", 500)
    dovecot.deliver(message("<big@example.edu.co>", "x" * 2000), name="1")

    with open_mailbox(dovecot.account()) as inbox:
        [found] = inbox.messages_with_id("<big@example.edu.co>")

    assert len(found.raw) == 500
    assert found.cut


def test_a_wrong_password_is_an_access_error(dovecot: Dovecot) -> None:
    with pytest.raises(AccessError), open_mailbox(dovecot.account(password="otra")):
        pass


def test_a_missing_folder_is_a_folder_error(dovecot: Dovecot) -> None:
    with pytest.raises(FolderError), open_mailbox(dovecot.account(folder="Nada")):
        pass


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_a_certificate_that_nobody_vouches_for_is_an_encryption_error(
    dovecot: Dovecot, security: Security, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))

    with pytest.raises(EncryptionError), open_mailbox(dovecot.account(security)):
        pass


def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    with pytest.raises(UnreachableError), open_mailbox(account(port)):
        pass


def account(port: int, *, timeout: float = 1.0) -> MailboxAccount:
    """Give an account on this machine."""
    return MailboxAccount(
        host="127.0.0.1",
        port=port,
        security=Security.NONE,
        username="testigo",
        password="secreto",
        timeout=timeout,
    )


Serve = Callable[[list[bytes]], int]


@pytest.fixture
def scripted() -> Iterator[Serve]:
    """Serve one connection: each element answers one received line; the tag is put in for %T."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(script: list[bytes]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def talk() -> None:
            try:
                peer, _ = listener.accept()
                with peer, peer.makefile("rb") as lines:
                    peer.sendall(script[0])
                    for answer in script[1:]:
                        line = lines.readline()
                        if not line:
                            return
                        peer.sendall(answer.replace(b"%T", line.split()[0]))
                    lines.read()
            except OSError:
                return

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        threads.append(thread)
        return int(listener.getsockname()[1])

    yield serve
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join(timeout=3)


HELLO = b"* OK ready\r\n"
# IMAPClient asks for capabilities before LOGIN, and again after it when none were announced.
SIGNED_IN = [
    HELLO,
    b"* CAPABILITY IMAP4rev1\r\n%T OK done\r\n",
    b"%T OK [CAPABILITY IMAP4rev1] in\r\n",
]
SELECTED = [*SIGNED_IN, b"* 1 EXISTS\r\n* FLAGS ()\r\n%T OK [READ-ONLY] done\r\n"]


@pytest.mark.parametrize(
    "script",
    [
        [b"220 mail.example ESMTP\r\n"],
        [b"\x00\xff\xfe" * 100 + b"\r\n"],
        [HELLO, b"garbage\r\n"],
        [HELLO, b"* CAPABILITY IMAP4rev1\r\n%T OK done\r\n", b"what?\r\n"],
        [*SIGNED_IN, b"* 1 EXISTS\r\n"],
        [*SELECTED, b"* SEARCH one two\r\n%T OK done\r\n"],
        [*SELECTED, b"* SEARCH 1\r\n%T OK done\r\n", b"* 1 FETCH (UID 1 BODY[]<0> {9999}\r\nab"],
        [*SELECTED, b"* SEARCH 1\r\n%T OK done\r\n", b"* 1 FETCH (UID 1 RFC822.SIZE x)\r\n%T OK done\r\n"],
        [*SELECTED, b"* SEARCH 1\r\n%T OK done\r\n", b"* 1 FETCH (UID 1)\r\n%T OK done\r\n"],
        [*SELECTED, b"* SEARCH 1\r\n%T OK done\r\n", b"* 1 FETCH ((((((\r\n%T OK done\r\n"],
        [*SELECTED, b"* BYE going down\r\n"],
        [*SELECTED, b"%T NO cannot\r\n"],
    ],
    ids=[
        "an SMTP server", "binary", "no capabilities", "nonsense after LOGIN", "silence at SELECT",
        "search of words", "a literal cut short", "a size that is no number", "no body",
        "open brackets", "bye", "search refused",
    ],
)  # fmt: skip
def test_a_server_that_misbehaves_is_a_typed_error(script: list[bytes], scripted: Serve) -> None:
    port = scripted(script)

    with pytest.raises(MailboxError), open_mailbox(account(port, timeout=0.5)) as inbox:
        inbox.messages_with_id("<uno@example.edu.co>")


def test_a_server_that_refuses_starttls_is_an_encryption_error(scripted: Serve) -> None:
    port = scripted([HELLO, b"* CAPABILITY IMAP4rev1\r\n%T OK done\r\n", b"%T BAD what\r\n"])

    from dataclasses import replace

    with (
        pytest.raises(EncryptionError),
        open_mailbox(replace(account(port), security=Security.STARTTLS)),
    ):
        pass


def test_a_server_that_drips_is_cut_off(scripted: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "WHOLE_VISIT", 0.3)
    port = scripted([HELLO, b"* CAPABILITY IMAP4rev1\r\n%T OK done\r\n"])

    with (
        pytest.raises((UnreachableError, GarbledError)),
        open_mailbox(account(port, timeout=30)),
    ):
        pass


def test_a_password_does_not_show_in_what_an_account_prints() -> None:
    assert "secreto" not in repr(account(143))


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (b"Message-ID: <a@b>\r\n\r\n", True),
        (b"MESSAGE-id:<a@b>\n\nbody", True),
        (b"Message-ID:\r\n <a@b>\r\n\r\n", True),
        (b"Message-ID: <a@b>x\r\n\r\n", False),
        (b"Subject: x\r\n\r\nMessage-ID: <a@b>\r\n", False),
        (b"", False),
    ],
)
def test_only_the_header_itself_counts(raw: bytes, answer: bool) -> None:
    assert bears_id(raw, "<a@b>") is answer


def test_the_folder_double_answers_the_same_questions(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.eml").write_bytes(message(f"<m{number}@x>"))
    double = FolderMailbox(tmp_path)

    assert [found.uid for found in double.messages_with_id("<m2@x>")] == [2]
    assert [found.uid for found in double.messages_after(0, limit=1)] == [1]
    assert double.messages_after(2) == ()
