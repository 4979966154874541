"""Only this house makes a token, and only the very token it made names a recipient."""

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.mailformat import tokens
from circular.mailformat.addresses import normalize
from variants import assert_catches

SECRET = b"a fixed secret for the tests"
NUMBERS = st.integers(1, (1 << 64) - 1)


@given(NUMBERS)
def test_a_token_names_its_recipient_in_any_case(number: int) -> None:
    token = tokens.recipient_token(SECRET, number)

    assert tokens.read_token(SECRET, token) == number
    assert tokens.read_token(SECRET, token.upper()) == number


@given(NUMBERS, NUMBERS)
def test_a_token_is_good_for_one_purpose_and_one_secret(number: int, other: int) -> None:
    token = tokens.recipient_token(SECRET, number)

    assert tokens.read_number(SECRET, tokens.CASE, token) is None
    assert tokens.read_token(b"another", token) is None
    assert (tokens.recipient_token(SECRET, other) == token) == (other == number)


@given(NUMBERS)
def test_a_token_is_what_the_library_would_write(number: int) -> None:
    """Tokens of years ago must be read; and a copy that is offered again is the same byte for byte."""
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    told = hmac.new(SECRET, b"circular token\0recipient\0" + octets, "sha256").digest()[:10]
    expected = base64.b32encode(octets + told).decode().rstrip("=").lower()

    assert tokens.recipient_token(SECRET, number) == expected


def test_a_reader_that_minds_the_case_or_forgets_the_purpose_is_caught() -> None:
    read_token, read_number = tokens.read_token, tokens.read_number

    def pedantic(secret: bytes, token: str) -> int | None:
        return read_token(secret, token) if token.islower() else None

    def forgetful(secret: bytes, _purpose: str, token: str) -> int | None:
        return read_number(secret, tokens.RECIPIENT, token)

    assert_catches(test_a_token_names_its_recipient_in_any_case, tokens, "read_token", pedantic)
    assert_catches(
        test_a_token_is_good_for_one_purpose_and_one_secret, tokens, "read_number", forgetful
    )


def forgeries_accepted(read: object, token: str, position: int, char: str) -> bool:
    """Say whether a reader takes a token with one character changed."""
    changed = token[:position] + char + token[position + 1 :]
    return changed != token and read(SECRET, changed) is not None  # type: ignore[operator]


@given(NUMBERS, st.data())
def test_a_token_with_one_character_changed_names_nobody(number: int, data: st.DataObject) -> None:
    token = tokens.recipient_token(SECRET, number)
    position = data.draw(st.integers(0, len(token) - 1))
    char = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))

    assert not forgeries_accepted(tokens.read_token, token, position, char)


def test_the_property_above_catches_a_reader_that_does_not_check_the_hash() -> None:
    import base64

    def careless(_secret: bytes, token: str) -> int:
        body = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
        return int.from_bytes(body[:-10], "big")

    assert forgeries_accepted(careless, tokens.recipient_token(SECRET, 77), 9, "q")


@given(st.text())
def test_no_other_text_names_anybody(text: str) -> None:
    assert tokens.read_token(SECRET, text) is None
    assert tokens.recipient_of_address(SECRET, text) is None
    assert tokens.recipient_of_message_id(SECRET, text) is None
    assert tokens.case_of_message_id(SECRET, text) is None


@given(NUMBERS)
def test_the_bounce_address_is_an_address_and_leads_back(number: int) -> None:
    token = tokens.recipient_token(SECRET, number)
    address = tokens.bounce_address("solicitudes@circular.unimacizo.example", token)

    assert normalize(address) == address
    assert tokens.recipient_of_address(SECRET, address.upper()) == number


def test_a_number_taken_from_any_text_or_an_address_without_its_plus_is_caught() -> None:
    def generous(_secret: bytes, text: str) -> int:
        return sum(text.encode("utf-8", "surrogatepass"))

    def joined(_base: str, token: str) -> str:
        return f"circular-{token}@circular.unimacizo.example"

    holds = test_the_bounce_address_is_an_address_and_leads_back
    assert_catches(test_no_other_text_names_anybody, tokens, "read_token", generous)
    assert_catches(holds, tokens, "bounce_address", joined)


def test_a_message_id_and_the_id_of_a_case_are_not_taken_for_each_other() -> None:
    message = tokens.message_id(SECRET, 5, "x.example")
    case = tokens.case_message_id(SECRET, 5, "x.example")

    assert tokens.recipient_of_message_id(SECRET, message) == 5
    assert tokens.case_of_message_id(SECRET, case) == 5
    assert tokens.recipient_of_message_id(SECRET, case) is None
    assert tokens.case_of_message_id(SECRET, message) is None


@pytest.mark.parametrize("number", [0, -1, 1 << 64])
def test_a_number_that_is_no_id_gets_no_token(number: int) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        tokens.recipient_token(SECRET, number)
