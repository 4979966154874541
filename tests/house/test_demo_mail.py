"""The sample mail server, spoken to with other people's clients."""

import imaplib
import json
import os
import signal
import smtplib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from circular.config.demo.town import MAIL_PASSWORD, Town, lay_out

WITNESS = "testigo1@unimacizo.example"


def start(town: Town) -> "subprocess.Popen[bytes]":
    server = subprocess.Popen(
        [sys.executable, "-m", "circular.config.demo.mailserver", str(town.mail_town)],
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    return server


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return lay_out(tmp_path / "demo")


@pytest.fixture
def server(town: Town) -> Iterator["subprocess.Popen[bytes]"]:
    running = start(town)
    yield running
    running.kill()
    running.communicate()


def message(to: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Message-ID"] = "rector@unimacizo.example", to, "<uno@prueba>"
    mail["Subject"] = "Jornada <script>alert(1)</script>"
    mail.set_content("Cordial saludo")
    return mail


def send(town: Town, to: str) -> None:
    with smtplib.SMTP("127.0.0.1", town.ports.smtp, timeout=10) as client:
        client.send_message(message(to))


def inbox(town: Town, address: str) -> list[Any]:
    with imaplib.IMAP4("127.0.0.1", town.ports.imap, timeout=10) as client:
        client.login(address, MAIL_PASSWORD)
        client.select("INBOX", readonly=True)
        _, found = client.uid("SEARCH", "HEADER", "Message-ID", '"<uno@prueba>"')
        uids = found[0].split()
        return [client.uid("FETCH", uid.decode(), "(BODY.PEEK[])")[1][0][1] for uid in uids]


def test_what_was_taken_is_there_after_a_kill(
    town: Town, server: "subprocess.Popen[bytes]"
) -> None:
    send(town, WITNESS)
    os.kill(server.pid, signal.SIGKILL)
    server.wait()

    again = start(town)
    try:
        (raw,) = inbox(town, WITNESS)
    finally:
        again.kill()
        again.communicate()

    assert b"Cordial saludo" in raw


@pytest.mark.usefixtures("server")
def test_an_unknown_mailbox_is_refused_by_code(town: Town) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(town, "nadie@unimacizo.example")

    assert refused.value.recipients["nadie@unimacizo.example"][0] == 550


@pytest.mark.usefixtures("server")
def test_a_wrong_password_opens_no_mailbox(town: Town) -> None:
    with (
        imaplib.IMAP4("127.0.0.1", town.ports.imap, timeout=10) as client,
        pytest.raises(imaplib.IMAP4.error),
    ):
        client.login(WITNESS, "otra")


@pytest.mark.usefixtures("server")
def test_a_page_shows_hostile_text_as_text(town: Town) -> None:
    send(town, WITNESS)

    address = f"{town.mail_pages}/buzon?de={WITNESS}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        page = answer.read().decode()

    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in page


def test_a_second_layout_keeps_the_ports(town: Town) -> None:
    again = lay_out(town.folder)

    assert again.ports == town.ports
    assert json.loads(town.mail_town.read_text())["ports"]["imap"] == town.ports.imap
