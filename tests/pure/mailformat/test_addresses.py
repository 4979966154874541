"""One address in its one canonical spelling, or nothing: never a guess, never two at once."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from circular.mailformat.addresses import needs_smtputf8, normalize, parse_address

# Legal by RFC 5322 but no address of an account (module rule 1), so a refusal is our decision.
OUR_REFUSALS: dict[str, Callable[[str], bool]] = {
    "quoted local part": lambda text: text.startswith('"'),
    "domain literal": lambda text: text.endswith("]"),
    "comment or folding": lambda text: "(" in text or "\n" in text or "\r" in text,
    "domain of one label": lambda text: "." not in text.rpartition("@")[2],
    "domain that ends in a number": lambda text: text.rpartition(".")[2].isdigit(),
    "display name": lambda text: text.endswith(">"),
}


@pytest.mark.parametrize("corpus", ["addresses", "email-validator"])
def test_the_corpora_agree_but_for_what_we_refuse_on_purpose(
    corpora: Callable[[str], Any], corpus: str
) -> None:
    wrong = {}
    for name, sample in corpora(corpus).samples.items():
        text = sample["input"]
        if not isinstance(text, str) or sample.get("usable") is None:
            continue
        refused_on_purpose = any(rule(text) for rule in OUR_REFUSALS.values())
        found = normalize(text) is not None
        if found != sample["usable"] and not (sample["usable"] and refused_on_purpose):
            wrong[name] = (text, sample["usable"])

    assert {
        name: case
        for name, case in wrong.items()
        # Reserved domains (.local, .test) are real inside an institution.
        if corpora(corpus).samples[name].get("test") != "test_email_invalid_reserved_domain"
        # SMTPUTF8 addresses are ours to send to; that test switches them off.
        and corpora(corpus).samples[name].get("test") != "test_email_invalid_character_smtputf8_off"
    } == {}


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("Ana.Gomez@Unimacizo.EXAMPLE", "ana.gomez@unimacizo.example"),
        ("  ana@unimacizo.example\t", "ana@unimacizo.example"),
        ("ana@peñón.example", "ana@xn--pen-8mak.example"),
        ("ana@XN--PEN-8MAK.example", "ana@xn--pen-8mak.example"),
        ("Gómez@unimacizo.example", "gómez@unimacizo.example"),
        ("o'brien+lista@x.example", "o'brien+lista@x.example"),
    ],
)
def test_two_spellings_of_one_mailbox_are_one(typed: str, canonical: str) -> None:
    assert normalize(typed) == canonical


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "ana",
        "ana@",
        "@unimacizo.example",
        "ana@unimacizo",
        "ana@@unimacizo.example",
        "ana..gomez@unimacizo.example",
        ".ana@unimacizo.example",
        "ana@-x.example",
        "ana@x..example",
        "ana@127.0.0.1",
        "ana@[127.0.0.1]",
        "ana gomez@unimacizo.example",
        "ana@unimacizo.example\r\nBcc: x@y.example",
        "ana@unimacizo.example, otro@unimacizo.example",
        "<ana@unimacizo.example>",
        "ana\u200b@unimacizo.example",
        "ana\u202e@unimacizo.example",
        "a" * 65 + "@unimacizo.example",
        "ana@" + "x" * 64 + ".example",
        "ana@" + ".".join(["x" * 60] * 5),
    ],
)
def test_what_is_no_address_is_nothing(typed: str) -> None:
    assert normalize(typed) is None


def test_a_name_before_the_address_is_let_go_but_a_second_address_is_not() -> None:
    assert parse_address("Ana Gómez <Ana@x.example>") == "ana@x.example"
    assert parse_address("admin@a.example <ana@x.example>") is None
    assert parse_address("<a@x.example>, <b@x.example>") is None


def test_an_address_beyond_ascii_needs_smtputf8() -> None:
    assert needs_smtputf8("gómez@x.example")
    assert not needs_smtputf8("ana@xn--pen-8mak.example")


ANYTHING = st.text() | st.from_regex(r"[\w.+-]{1,70}@[\w.-]{1,80}")


def is_canonical(spelling: Callable[[str], str | None], text: str) -> bool:
    """Say whether what is made of a text is its own spelling, one mailbox and nothing else."""
    found = spelling(text)
    return found is None or (
        spelling(found) == found
        and not set(found) & set(' \t\r\n\0<>,;:"()[]\\')
        and found.count("@") == 1
        and len(found.encode()) <= 254
    )


@given(ANYTHING)
def test_a_canonical_address_is_its_own_canonical_spelling(text: str) -> None:
    assert is_canonical(normalize, text)


def test_a_spelling_that_only_looks_for_an_at_sign_is_caught() -> None:
    def careless(text: str) -> str | None:
        return text.strip().lower() if "@" in text else None

    find(ANYTHING, lambda text: not is_canonical(careless, text))
