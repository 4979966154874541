"""A property is worth what it catches: here it meets a variant that is wrong on purpose."""

import sys
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import settings


def assert_catches(
    holds: Callable[[], object],
    owner: object,
    name: str,
    wrong: object,
    *failing: type[Exception],
) -> None:
    """Run a property while `owner.name` is `wrong`; it has to fail, by an AssertionError if nothing else is said.

    Shapes:  ``owner`` is a module, a class, or the name of the test's own module
    """
    where = sys.modules[owner] if isinstance(owner, str) else owner
    judged = holds.func if isinstance(holds, partial) else holds
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, wrong)
        # Hypothesis keeps the settings of the moment at which a test was read.
        patch.setattr(
            judged, "_hypothesis_internal_use_settings", settings.get_profile("hunt"), raising=False
        )
        with pytest.raises(failing or AssertionError):
            holds()
