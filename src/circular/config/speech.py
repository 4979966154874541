"""The command line speaks the reader's language without loading Django.

The sentences are Spanish in the source; English comes from the one catalogue that the pages use too.
`LANGUAGE`, `LC_ALL`, `LC_MESSAGES` and `LANG` decide, in this order, as for every Unix program.
"""

import gettext
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LOCALE_FOLDER = Path(__file__).resolve().parent.parent / "locale"
SPOKEN = ("es", "en")


def language_of(environ: Mapping[str, str]) -> str:
    """Return `en` where the environment asks for English first, else `es`."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        for wanted in environ.get(name, "").split(":"):
            if wanted[:2].lower() in SPOKEN:
                return wanted[:2].lower()
            if wanted:
                return "es"  # C, POSIX or a language that we do not speak
    return "es"


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("django", LOCALE_FOLDER, languages=[language], fallback=True)


def _(message: str) -> str:
    """Return the sentence in the language of the environment."""
    return _catalogue(language_of(os.environ)).gettext(message)


def ngettext(one: str, many: str, count: int) -> str:
    """Return the sentence for this count in the language of the environment."""
    return _catalogue(language_of(os.environ)).ngettext(one, many, count)
