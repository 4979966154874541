"""The sample university is the same on every machine."""

import hashlib

from circular.config.demo import university


def test_two_thousand_accounts_with_an_address_each() -> None:
    people = university.accounts()

    assert len(people) == 2000
    assert len({person.address for person in people}) == 2000
    assert {group for person in people for group in person.groups} == {
        "student",
        "teaching",
        "administrative",
    }
    assert len({person.faculty for person in people if person.faculty}) == 6


def test_the_seed_is_fixed() -> None:
    first, second = university.accounts_csv(), university.accounts_csv()

    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_refused_and_bouncing_mailboxes_are_addressed_too() -> None:
    addressed = {person.address for person in university.accounts()}

    assert university.unknown_mailboxes() <= addressed
    assert university.bouncing_mailboxes() <= addressed
    assert not university.unknown_mailboxes() & set(university.mailboxes())
