"""The seed fills an empty installation once, through the rooms' services."""

import tomllib
from pathlib import Path

import pytest

from circular.config import configuration, seed
from circular.config.configuration import Seed
from circular.dispatch.models import Relay
from circular.evidence.chain import HOUSE
from circular.evidence.queries import entries_of
from circular.mailing.models import WitnessMailbox
from circular.people.models import Institution, Person, Post, Sender, Unit

pytestmark = pytest.mark.django_db

TOML = """
[seed.institution]
name = "Universidad del Cauce"
short_name = "Unicauce"
domain = "unicauce.example"
drafts_address = "solicitudes@circular.unicauce.example"
separate_duties = false

[[seed.units]]
code = "bienestar"
name = "Bienestar"
parent = "rectoria"
[[seed.units]]
code = "rectoria"
name = "Rectoría"

[[seed.posts]]
code = "tic"
name = "Operador"
role = "tic"
mailbox = "tic@unicauce.example"
unit = "rectoria"

[[seed.people]]
email = "Otto@unicauce.example"
full_name = "Otto Operador"
password = "una clave de muestra"
posts = ["tic"]
units = ["bienestar"]
administrator = true

[[seed.senders]]
unit = "bienestar"
display_name = "Bienestar Universitario"
address = "bienestar@unicauce.example"

[[seed.relays]]
name = "Principal"
host = "relay.unicauce.example"
password = "secreto"
username = "circular"

[[seed.witnesses]]
address = "testigo@unicauce.example"
imap_host = "imap.unicauce.example"
username = "testigo"
password = "secreto"

[[seed.time_limits]]
stage = "review"
minutes = 240
"""


def read(text: str) -> Seed:
    return configuration.read(tomllib.loads(text), {}, file_folder=Path("/"), folder=Path("/")).seed


def test_an_empty_installation_is_filled_and_each_row_is_an_entry() -> None:
    assert seed.fill_if_empty(read(TOML))

    institution = Institution.objects.get()
    assert (institution.short_name, institution.separate_duties) == ("Unicauce", False)
    assert Unit.objects.get(code="bienestar").parent == Unit.objects.get(code="rectoria")
    otto = Person.objects.get()
    assert otto.email == "otto@unicauce.example"
    assert otto.check_password("una clave de muestra")
    assert otto.is_superuser
    assert Post.objects.get(code="tic").holdings.get().person == otto
    assert Sender.objects.get().unit.code == "bienestar"
    assert Relay.objects.get().host == "relay.unicauce.example"
    assert WitnessMailbox.objects.get().imap_host == "imap.unicauce.example"
    acts = {entry.act for entry in entries_of(HOUSE)}
    assert {"institution_saved", "unit_saved", "post_saved", "post_given", "person_invited"} <= acts


def test_an_installation_that_knows_its_institution_is_not_touched() -> None:
    seed.fill_if_empty(read(TOML))
    Institution.objects.update(short_name="Changed on a page")

    assert not seed.fill_if_empty(read(TOML))

    assert Institution.objects.get().short_name == "Changed on a page"
    assert Person.objects.count() == 1


def test_no_seed_leaves_an_installation_empty() -> None:
    assert not seed.fill_if_empty(Seed())

    assert not Institution.objects.exists()


def test_no_password_of_the_seed_is_stored_in_the_clear() -> None:
    seed.fill_if_empty(read(TOML))

    assert "secreto" not in str(Relay.objects.values_list("password_sealed", flat=True).get())
    assert "secreto" not in str(
        WitnessMailbox.objects.values_list("password_sealed", flat=True).get()
    )
