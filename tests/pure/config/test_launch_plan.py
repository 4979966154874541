"""How PostgreSQL is started depends on who runs Circular and what the machine allows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circular.config import embedded
from circular.config.embedded import Launch, launch_plan

KNOWN = frozenset({0, 1, 33, 1000, 65534})


def test_a_normal_user_starts_it_directly() -> None:
    assert (
        launch_plan(
            uid=1000, known_uids=KNOWN, namespaces_work=True, system_user=None, reachable=False
        )
        == Launch()
    )


def test_root_starts_it_in_a_user_namespace() -> None:
    found = launch_plan(
        uid=0, known_uids=KNOWN, namespaces_work=True, system_user=(998, 998), reachable=True
    )

    assert found == Launch(prefix=("unshare", "--user", "--map-user=1000", "--map-group=1000"))


def test_where_nobody_has_number_1000_another_name_is_borrowed() -> None:
    """initdb wants a user with a name, and a fresh container has no user 1000."""
    found = launch_plan(
        uid=0,
        known_uids=KNOWN - {1000},
        namespaces_work=True,
        system_user=None,
        reachable=True,
    )

    assert found is not None
    assert "--map-user=1" in found.prefix


def test_root_without_namespaces_uses_the_system_user_where_it_can_get_there() -> None:
    plans = [
        launch_plan(
            uid=0,
            known_uids=KNOWN,
            namespaces_work=False,
            system_user=(998, 997),
            reachable=reachable,
        )
        for reachable in (True, False)
    ]

    assert plans == [Launch(uid=998, gid=997), None]


def test_root_with_neither_has_no_way() -> None:
    assert (
        launch_plan(
            uid=0, known_uids=KNOWN, namespaces_work=False, system_user=None, reachable=True
        )
        is None
    )


def test_a_number_without_a_name_needs_a_namespace_too() -> None:
    """`docker run --user 12345`: initdb would not know who that is."""
    plans = [
        launch_plan(
            uid=12345, known_uids=KNOWN, namespaces_work=works, system_user=(9, 9), reachable=True
        )
        for works in (True, False)
    ]

    assert plans[0] is not None
    assert plans[0].prefix[0] == "unshare"
    assert plans[1] is None


def keeps_the_limit(place: Path) -> bool:
    return len(bytes(place / embedded.SOCKET_NAME)) <= embedded.LONGEST_SOCKET_PATH


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=200))
def test_the_socket_path_is_short_whatever_the_path_of_the_data_folder(name: str) -> None:
    assert keeps_the_limit(embedded.socket_folder(Path("/srv") / name))


def test_the_check_of_the_socket_path_catches_a_path_that_is_only_counted_in_characters() -> None:
    folder = Path("/srv") / ("ñ" * 60)
    in_characters = folder / "postgresql.run"

    assert len(str(in_characters / embedded.SOCKET_NAME)) <= embedded.LONGEST_SOCKET_PATH
    with pytest.raises(AssertionError):
        assert keeps_the_limit(in_characters)
