"""A real Dovecot on a free port, with one user, TLS and a mail folder of its own, for any tier."""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from circular.imap.mailbox import MailboxAccount, Security
from ports import free_port

CONFIGURATION = """
protocols = imap
base_dir = {run}
state_dir = {run}/state
log_path = {run}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
listen = 127.0.0.1
mail_location = maildir:{mail}
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 0
first_valid_gid = 0
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
auth_mechanisms = plain login
passdb {{
  driver = static
  args = password=secreto
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A running server and its mail folder."""

    folder: Path
    plain: int
    tls: int

    def account(self, security: Security = Security.NONE, **other: object) -> MailboxAccount:
        """Give the account of the witness."""
        fields: dict[str, object] = {
            "host": "localhost",
            "port": self.tls if security is Security.TLS else self.plain,
            "security": security,
            "username": "testigo",
            "password": "secreto",
        }
        return MailboxAccount(**{**fields, **other})  # type: ignore[arg-type]

    def deliver(self, raw: bytes, *, name: str) -> None:
        """Put a message into the INBOX, as an MDA would."""
        new = self.folder / "mail" / "new"
        new.mkdir(parents=True, exist_ok=True)
        (new / name).write_bytes(raw)
        os.chown(new / name, (self.folder / "mail").stat().st_uid, -1)

    def empty(self) -> None:
        """Forget every message and every UID."""
        mail = self.folder / "mail"
        for path in mail.rglob("*"):
            if path.is_file():
                path.unlink()

    @property
    def certificate(self) -> Path:
        """Return the certificate to trust: set SSL_CERT_FILE to it."""
        return self.folder / "cert.pem"


@contextmanager
def running_dovecot(program: str, openssl: str) -> Iterator[Dovecot]:
    """Start Dovecot in the foreground and stop it afterwards."""
    # A UNIX socket's path holds 107 octets: pytest's own folder may be longer.
    folder = Path(f"/tmp/circular-dovecot-{os.getpid()}-{free_port()}")
    for name in ("mail/cur", "mail/new", "mail/tmp", "run/state", "home"):
        (folder / name).mkdir(parents=True)
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    as_root = os.getuid() == 0
    owner = 65534 if as_root else os.getuid()  # nobody: Dovecot will not serve root's mail
    group = 65534 if as_root else os.getgid()
    if as_root:
        for top in (folder / "mail", folder / "home"):
            for path in (top, *top.rglob("*")):
                os.chown(path, owner, group)
    server = Dovecot(folder, free_port(), free_port())
    (folder / "dovecot.conf").write_text(
        CONFIGURATION.format(
            folder=folder, run=folder / "run", mail=folder / "mail", uid=owner, gid=group,
            plain=server.plain, tls=server.tls,
            user="dovecot" if as_root else pwd.getpwuid(owner).pw_name,
            group="dovecot" if as_root else grp.getgrgid(group).gr_name,
        )
    )  # fmt: skip
    with (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            [program, "-F", "-c", str(folder / "dovecot.conf")], stderr=errors
        )
    try:
        _wait_for(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(server: Dovecot, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", server.plain), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    log = server.folder / "run" / "dovecot.log"
    said = (server.folder / "stderr").read_text() + (log.read_text() if log.exists() else "")
    raise RuntimeError(f"dovecot does not answer: {said}")
