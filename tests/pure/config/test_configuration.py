"""Every wrong value is named, all at once; a typing mistake is never silence."""

import re
import stat
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import example, given
from hypothesis import strategies as st

from circular.config import configuration
from circular.config.configuration import ConfigurationError, Listen, load, read, secret_key_of
from variants import assert_catches

SEEDS: dict[str, type[Any]] = {
    "institution": configuration.InstitutionSeed,
    **configuration.SEED_TABLES,
}
HERE = Path("/srv/circular")
SETTINGS_PAGE = Path(__file__).resolve().parents[3] / "docs" / "settings.md"


def reading(toml: str = "", **environ: str) -> configuration.Configuration:
    return read(tomllib.loads(toml), environ, file_folder=HERE, folder=Path("/home/anna"))


def problems_of(toml: str = "", **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        reading(toml, **environ)
    return refused.value.problems


def test_an_empty_configuration_has_a_data_folder_beside_the_file_and_no_database_url() -> None:
    found = reading()

    assert found.data_folder == HERE / "data"
    assert found.demo_folder == HERE / "demo-data"
    assert found.database_url == ""
    assert found.web_listen == Listen("127.0.0.1", 8000)


def test_the_environment_wins_over_the_file() -> None:
    found = reading('web_listen = "127.0.0.1:9000"\nworkers = 2', CIRCULAR_WEB_LISTEN="[::1]:9001")

    assert found.web_listen == Listen("::1", 9001)
    assert found.workers == 2


def test_a_folder_named_in_the_environment_counts_from_the_current_folder() -> None:
    assert reading(CIRCULAR_DATA_FOLDER="here").data_folder == Path("/home/anna/here")


def test_every_wrong_value_is_named_at_once_with_what_is_allowed() -> None:
    problems = problems_of(
        'web_listen = "8000"\nworkers = 0\nbehind_proxy = "maybe"\nlog_level = "loud"',
        CIRCULAR_BASE_URL="circular.example.org",
    )

    assert len(problems) == 5
    assert [re.search("«(.*?)»", problem)[1] for problem in problems] == [  # type: ignore[index]
        "web_listen",
        "workers",
        "behind_proxy",
        "log_level",
        "CIRCULAR_BASE_URL",
    ]
    assert "127.0.0.1:8000" in problems[0]
    assert "1 a 64" in problems[1]
    assert "true, false" in problems[2]
    assert "debug, info, warning, error" in problems[3]
    assert "https://" in problems[4]


@pytest.mark.parametrize(
    "written",
    [
        "http://a b",
        "http://exa%mple.org",
        "http://-",
        "http://[::1",
        "http://[x]",
        "http://a:99999",
    ],
)
def test_a_name_that_no_page_could_be_reached_by_is_refused(written: str) -> None:
    assert "https://" in problems_of(CIRCULAR_BASE_URL=written)[0]


@pytest.mark.parametrize(
    "written", ["http://[::1]:8000", "https://Circular.Example.org", "http://127.0.0.1"]
)
def test_a_name_that_pages_are_reached_by_is_taken(written: str) -> None:
    assert reading(CIRCULAR_BASE_URL=written).base_url == written


@pytest.mark.parametrize(
    ("listen", "told"),
    [
        ("127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("0.0.0.0:9000", "http://127.0.0.1:9000"),
        ("[::]:9000", "http://[::1]:9000"),
        ("pages.example.org:80", "http://pages.example.org:80"),
    ],
)
def test_without_a_base_url_links_lead_to_where_the_pages_are(listen: str, told: str) -> None:
    assert reading(f'web_listen = "{listen}"').base_url == told
    assert (
        reading(f'web_listen = "{listen}"\nbase_url = "https://x.org"').base_url == "https://x.org"
    )


def test_two_doors_at_one_address_are_refused() -> None:
    [problem] = problems_of('web_listen = "127.0.0.1:8024"')

    assert "«lmtp_listen» y «web_listen»" in problem
    assert "127.0.0.1:8024" in problem


def test_a_key_that_does_not_exist_is_an_error_in_the_file_and_in_the_environment() -> None:
    problems = problems_of("database = 1", CIRCULAR_DATABSE_URL="postgresql://x/y")

    assert "«database»" in problems[0]
    assert "database_url" in problems[0]
    assert "«CIRCULAR_DATABSE_URL»" in problems[1]


def test_a_seed_row_with_a_key_that_does_not_exist_or_is_missing_says_which_row() -> None:
    problems = problems_of('[[seed.units]]\ncode = "A"\nname = "A"\n[[seed.units]]\ncod = "B"')

    assert all("[[seed.units]] 2" in problem for problem in problems)
    assert [
        re.search("«.*?»", problem)[0]  # type: ignore[index]
        for problem in problems
    ] == ["«cod»", "«code»", "«name»"]


def test_a_seed_row_that_names_a_unit_nobody_defined_is_refused() -> None:
    assert (
        "«NOBODY»"
        in problems_of(
            '[[seed.senders]]\nunit = "NOBODY"\ndisplay_name = "X"\naddress = "x@example.org"'
        )[0]
    )


def test_a_seed_code_given_twice_is_refused() -> None:
    row = '[[seed.units]]\ncode = "A"\nname = "A"\n'

    assert "«A»" in problems_of(row + row)[0]


def test_units_that_stand_below_themselves_are_refused() -> None:
    problems = problems_of(
        '[[seed.units]]\ncode = "A"\nname = "A"\nparent = "B"\n'
        '[[seed.units]]\ncode = "B"\nname = "B"\nparent = "A"'
    )

    assert [problem.split()[1] for problem in problems] == ["A", "B"]


def test_a_secret_comes_from_a_file_and_is_never_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 40 + "\n")

    found = reading(CIRCULAR_SECRET_KEY_FILE=str(tmp_path / "key"))

    assert found.secret_key == "k" * 40
    assert "kkk" not in repr(found)


def test_a_wrong_secret_is_named_without_its_value() -> None:
    [problem] = problems_of(CIRCULAR_SECRET_KEY="tooshort")

    assert "CIRCULAR_SECRET_KEY" in problem
    assert "tooshort" not in problem


def test_a_secret_given_twice_is_refused() -> None:
    [problem] = problems_of(CIRCULAR_SECRET_KEY="k" * 40, CIRCULAR_SECRET_KEY_FILE="/nowhere")

    assert "se excluyen" in problem


def test_a_secret_file_that_cannot_be_read_is_named() -> None:
    assert "/nowhere/key" in problems_of(CIRCULAR_SECRET_KEY_FILE="/nowhere/key")[0]


def test_only_secrets_may_come_from_a_file() -> None:
    assert "no existe la clave" in problems_of(CIRCULAR_WORKERS_FILE="/etc/hosts")[0]


def test_a_file_that_is_no_toml_is_named_and_the_environment_is_still_judged(
    tmp_path: Path,
) -> None:
    (tmp_path / "circular.toml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigurationError) as refused:
        load({"CIRCULAR_WORKERS": "many"}, folder=tmp_path)

    assert len(refused.value.problems) == 2


def test_a_configuration_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"other\.toml"):
        load({"CIRCULAR_CONFIG": "other.toml"}, folder=tmp_path)


@pytest.mark.parametrize("named", ["~nobody-here/circular.toml", ".", "x" * 5000, "a\nb"])
def test_a_configuration_file_that_cannot_be_is_named(tmp_path: Path, named: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load({"CIRCULAR_CONFIG": named, "CIRCULAR_WORKERS": "many"}, folder=tmp_path)

    assert len(refused.value.problems) == 2


def test_the_secret_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    found = load({"CIRCULAR_DATA_FOLDER": "data"}, folder=tmp_path)

    first, second = secret_key_of(found), secret_key_of(found)

    assert first == second
    assert len(first) >= configuration.SHORTEST_SECRET
    assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]


@example({"data_folder": "~0"})  # the home of nobody
@given(st.dictionaries(st.sampled_from(sorted(configuration.CONFIGURATION_KEYS)), st.text()))
def test_whatever_the_environment_says_the_answer_is_a_configuration_or_its_problems(
    values: dict[str, str],
) -> None:
    environ = {f"CIRCULAR_{key.upper()}": value for key, value in values.items()}

    try:
        answer: object = reading(**environ).workers
    except ConfigurationError as refused:
        answer = refused.problems

    assert answer


def test_a_reader_that_refuses_without_a_word_or_stumbles_is_caught() -> None:
    right = read

    def silent(*tables: Any, **folders: Any) -> configuration.Configuration:
        try:
            return right(*tables, **folders)
        except ConfigurationError:
            raise ConfigurationError([]) from None

    def stumbling(table: Any, environ: dict[str, str], **folders: Any) -> object:
        int(environ.get("CIRCULAR_WORKERS", "1"))
        return right(table, environ, **folders)

    holds = test_whatever_the_environment_says_the_answer_is_a_configuration_or_its_problems
    assert_catches(holds, __name__, "read", silent)
    assert_catches(holds, __name__, "read", stumbling, ValueError)


@pytest.mark.parametrize("key", sorted(configuration.CONFIGURATION_KEYS))
def test_the_settings_page_documents_the_key(key: str) -> None:
    assert f"| `{key}` | `CIRCULAR_{key.upper()}` |" in SETTINGS_PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("table", "key"),
    [(table, key.name) for table, cls in SEEDS.items() for key in fields(cls)],
)
def test_the_settings_page_documents_the_seed(table: str, key: str) -> None:
    page = SETTINGS_PAGE.read_text(encoding="utf-8")
    section = page.split(f"### `seed.{table}`", 1)[1].split("\n#", 1)[0]

    assert f"| `{key}` |" in section


def test_the_settings_page_documents_no_key_that_does_not_exist() -> None:
    page = SETTINGS_PAGE.read_text(encoding="utf-8")

    documented = re.findall(r"^\| `(\w+)` \| `CIRCULAR_", page, flags=re.MULTILINE)

    assert sorted(documented) == sorted(configuration.CONFIGURATION_KEYS)


def test_three_keys_about_signatures_go_together() -> None:
    [problem] = problems_of('dkim_domain = "universidad.edu.co"')

    assert "dkim_selector" in problem


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"CIRCULAR_DKIM_DOMAIN": "Una Universidad"}, "dkim_domain"),
        ({"CIRCULAR_DKIM_SELECTOR": "a b"}, "dkim_selector"),
        ({"CIRCULAR_DKIM_KEY": "-----BEGIN PRIVATE KEY-----\nnone"}, "PEM"),
        ({"CIRCULAR_DKIM_KEY": "a word"}, "PEM"),
    ],
)
def test_a_signature_that_cannot_be_is_named(wrong: dict[str, str], named: str) -> None:
    key = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    good = {
        "CIRCULAR_DKIM_DOMAIN": "universidad.edu.co",
        "CIRCULAR_DKIM_SELECTOR": "c2026",
        "CIRCULAR_DKIM_KEY": key.decode(),
    }

    assert reading(**good).dkim_selector == "c2026"
    assert any(named in problem for problem in problems_of(**good | wrong))
