"""Our DKIM signatures, judged by an implementation that is not ours (Debian's python3-dkim)."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.mailformat import dkim as ours
from circular.mailformat.dkim import Key, signature_fields
from conftest import absent
from signed import AT, ED25519, MESSAGE, RSA

words = st.text(st.sampled_from(" \tabcXYZ:;=\xe1-."), max_size=60).map(lambda text: text.encode())


PYTHON = Path("/usr/bin/python3")  # Debian's own, for which the package is made
# Reads lines of "records message", both in base 64; answers whether every signature is good.
JUDGE = r"""
import sys, base64, json, dkim
for line in sys.stdin:
    records, raw = (base64.b64decode(part) for part in line.split())
    names = {name.encode(): text.encode() for name, text in json.loads(records).items()}
    def dns(name, timeout=5): return names.get(name, b"")
    try:
        sound = all(dkim.DKIM(raw).verify(idx=n, dnsfunc=dns) for n in range(len(names)))
    except dkim.DKIMException:
        sound = False
    print(int(sound), flush=True)
"""
Judge = Callable[..., bool]


@pytest.fixture(scope="module")
def is_sound() -> Iterator[Judge]:
    """Give a function that says whether every signature is good for the other implementation."""
    if subprocess.run([PYTHON, "-c", "import dkim, nacl"], capture_output=True).returncode:
        absent("the judge is not installed: apt-get install python3-dkim python3-nacl")
    with subprocess.Popen(
        [PYTHON, "-c", JUDGE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as judge:
        assert judge.stdin is not None
        assert judge.stdout is not None
        questions, answers = judge.stdin, judge.stdout

        def ask(raw: bytes, *keys: Key) -> bool:
            records = json.dumps({f"{key.name}.": key.record() for key in keys}).encode()
            words = (base64.b64encode(one).decode() for one in (records, raw))
            print(*words, file=questions, flush=True)
            answer = answers.readline().strip()
            assert answer in {"0", "1"}
            return answer == "1"

        yield ask


def signed(raw: bytes, *keys: Key) -> bytes:
    return signature_fields(raw, keys, AT) + raw


@pytest.mark.parametrize(
    "keys", [(RSA,), (ED25519,), (RSA, ED25519)], ids=["rsa", "ed25519", "both"]
)
def test_a_signed_message_is_good_for_another_implementation(
    is_sound: Judge, keys: Sequence[Key]
) -> None:
    assert is_sound(signed(MESSAGE, *keys), *keys)


@given(st.lists(words, max_size=6), words)
def test_any_message_is_good_for_another_implementation(
    is_sound: Judge, lines: list[bytes], subject: bytes
) -> None:
    body = b"\r\n".join(lines)
    raw = b"From: a@universidad.edu.co\r\nSubject: x" + subject + b"\r\n\r\n" + body
    assert is_sound(signed(raw, ED25519), ED25519)


def test_a_signer_that_keeps_the_blanks_of_a_header_is_caught(
    is_sound: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "_relaxed", lambda value: value.strip(b" "))
    assert not is_sound(signed(MESSAGE, ED25519), ED25519)


def test_a_signer_that_keeps_the_empty_lines_at_the_end_is_caught(
    is_sound: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "_simple_body", lambda body: body)
    assert not is_sound(signed(MESSAGE, ED25519), ED25519)


@pytest.mark.parametrize(
    "line",
    [
        b"From: otro@example.org",
        b"Subject: otro",
        b"To: otro@example.org",
        b"Reply-To: o@example.org",
    ],
)
def test_a_second_field_put_in_on_the_way_breaks_the_signature(
    is_sound: Judge, line: bytes
) -> None:
    raw = signed(MESSAGE, RSA)
    assert is_sound(raw, RSA)
    assert not is_sound(line + b"\r\n" + raw, RSA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"bajas@", b"altas@"),
        (b"Cuerpo", b"cuerpo"),
        (b"charset=utf-8", b"charset=latin1"),
        (b"de\r\n  marzo", b"de mayo"),
    ],
)
def test_what_is_altered_on_the_way_breaks_the_signature(
    is_sound: Judge, old: bytes, new: bytes
) -> None:
    assert not is_sound(signed(MESSAGE, RSA).replace(old, new), RSA)


def test_a_header_that_is_folded_anew_does_not(is_sound: Judge) -> None:
    raw = signed(MESSAGE, RSA).replace(b"Rectoria <", b"Rectoria\r\n\t<")
    assert is_sound(raw, RSA)
