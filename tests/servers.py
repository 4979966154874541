"""Real mail servers of the machine, started for a test on free ports and stopped after it.

`university_mail` is what an institution has: a Postfix that takes mail as a relay and hands it to
a Dovecot, which keeps mailboxes and shows them over IMAP. Postfix's master must be root.
"""

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

from ports import free_port

PASSWORD = "buzon-de-muestra"  # of every mailbox

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = correo.unimacizo.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
virtual_mailbox_domains = unimacizo.example
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
transport_maps = texthash:{folder}/transport
relay_domains = circular.unimacizo.example
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_reject_unlisted_recipient = yes
smtputf8_enable = no
minimal_backoff_time = 1s
queue_run_delay = 2s
smtp_address_preference = ipv4
biff = no
"""

MASTER_CF = """\
127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 2 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

DOVECOT_CONF = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
instance_name = circular-test-{imap}
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
default_internal_user = dovecot
default_login_user = dovenull
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service stats {{
  client_limit = 1000
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u allow_all_users=yes
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversityMail:
    """A relay and mailboxes as an institution has them."""

    folder: Path
    smtp: int
    imap: int
    lmtp: int

    def route(self, *, door: int) -> None:
        """Send mail for circular.unimacizo.example to Circular's door."""
        (self.folder / "transport").write_text(
            f"circular.unimacizo.example lmtp:inet:127.0.0.1:{door}\n"
        )
        subprocess.run(["postfix", "-c", str(self.folder / "etc"), "reload"], check=False)

    def maildir(self, address: str) -> Path:
        """Return where a mailbox keeps its files."""
        return self.folder / "dovecot" / "mail" / address


def wait_for_port(port: int, *, seconds: float = 15) -> None:
    """Return once something listens on a loopback port."""
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, f"nothing listens on {port}"
            time.sleep(0.05)
        else:
            return


@contextmanager
def dovecot(folder: Path) -> Iterator[tuple[int, int]]:
    """Run a Dovecot whose every mailbox has PASSWORD; yields its IMAP and LMTP ports."""
    folder.mkdir(parents=True, exist_ok=True)
    owner = pwd.getpwuid(os.getuid()) if os.getuid() else pwd.getpwnam("mail")
    imap, lmtp = free_port(), free_port()
    (folder / "mail").mkdir()
    os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
    # Dovecot's helpers run as users of their own and must be able to reach their folders.
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.getuid() and str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    configuration = folder / "dovecot.conf"
    configuration.write_text(
        DOVECOT_CONF.format(
            folder=folder,
            imap=imap,
            lmtp=lmtp,
            password=PASSWORD,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
        )
    )
    program = shutil.which("dovecot", path="/usr/sbin") or "dovecot"
    server = subprocess.Popen([program, "-F", "-c", str(configuration)])
    try:
        wait_for_port(imap)
        wait_for_port(lmtp)
        yield imap, lmtp
    finally:
        server.terminate()
        server.wait(timeout=20)


@contextmanager
def university_mail(folder: Path, mailboxes: list[str]) -> Iterator[UniversityMail]:
    """Run Postfix before Dovecot with these mailboxes; others are refused."""
    with dovecot(folder / "dovecot") as (imap, lmtp):
        smtp = free_port()
        etc = folder / "etc"
        for part in (etc, folder / "queue"):
            part.mkdir()
        (folder / "lib").mkdir()
        shutil.chown(folder / "lib", "postfix", "postfix")
        (folder / "mailboxes").write_text("".join(f"{box} ok\n" for box in mailboxes))
        (folder / "transport").write_text("")
        (etc / "main.cf").write_text(MAIN_CF.format(folder=folder, lmtp=lmtp))
        (etc / "master.cf").write_text(MASTER_CF.format(smtp=smtp))
        subprocess.run(["postfix", "-c", str(etc), "start"], check=True, capture_output=True)
        try:
            wait_for_port(smtp)
            yield UniversityMail(folder=folder, smtp=smtp, imap=imap, lmtp=lmtp)
        finally:
            subprocess.run(["postfix", "-c", str(etc), "stop"], check=False, capture_output=True)
