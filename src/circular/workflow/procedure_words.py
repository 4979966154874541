"""What is wrong with a procedure's file, in a sentence that says what is allowed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from circular.workflow.procedure import ProcedureError, Slip

SENTENCES: Final[Mapping[Slip, Promise]] = MappingProxyType(
    {
        Slip.NOT_TOML: gettext_lazy("no es un archivo TOML: %(found)s"),
        Slip.UNKNOWN_KEY: gettext_lazy("no existe la clave «%(found)s»; existen: %(allowed)s"),
        Slip.NO_ACTIVITY: gettext_lazy("falta al menos una actividad [[activities]]"),
        Slip.PHASES_OUT_OF_ORDER: gettext_lazy(
            "las fases de las actividades van en este orden: %(allowed)s"
        ),
        Slip.NOT_IN_HISTORY: gettext_lazy(
            "la versión %(found)s no está en la historia de cambios; agregue un [[changes]] con"
            " esa versión"
        ),
        Slip.OUT_OF_SEQUENCE: gettext_lazy(
            "las actividades se numeran en orden; aquí va %(allowed)s y no %(found)s"
        ),
        Slip.NOTHING_SATISFIES: gettext_lazy(
            "falta con qué se cumple el punto de control; se permite: listas con una o más de"
            " %(allowed)s"
        ),
        Slip.NOBODY_ANSWERS: gettext_lazy("falta al menos un cargo que responda por la actividad"),
        Slip.NO_TEXT: gettext_lazy("se permite: un texto que no esté vacío"),
        Slip.NO_NUMBER: gettext_lazy("se permite: un número entero desde 1"),
        Slip.NO_DAY: gettext_lazy("se permite: una fecha sin comillas, como 2022-03-25"),
        Slip.NO_LIST: gettext_lazy('se permite: una lista, como ["a", "b"]'),
        Slip.NO_TABLES: gettext_lazy("se permite: tablas, cada una bajo [[%(place)s]]"),
        Slip.NO_TEXTS: gettext_lazy('se permite: una lista de textos, como ["a", "b"]'),
        Slip.UNKNOWN_EVIDENCE: gettext_lazy(
            "no existe la evidencia «%(found)s»; se permite: %(allowed)s"
        ),
        Slip.NONE_OF_THESE: gettext_lazy("no puede ser «%(found)s»; se permite: %(allowed)s"),
        Slip.OTHER_TEXT: gettext_lazy(
            "la versión %(found)s ya está aquí con otro texto; dé al texto nuevo una versión nueva"
        ),
        Slip.NOT_LOADED: gettext_lazy("no se ha cargado ninguna versión de %(found)s"),
        Slip.NOT_IN_FORCE: gettext_lazy("ninguna versión de %(found)s está vigente"),
        Slip.MISPLACED: gettext_lazy("el archivo contiene otro procedimiento"),
    }
)


def sentence_of(error: ProcedureError) -> str:
    """Return what is wrong, where, and what may stand there."""
    what = SENTENCES[error.slip] % {
        "place": error.place,
        "found": error.found,
        "allowed": ", ".join(error.allowed),
    }
    if not error.place:
        return _("El procedimiento no sirve: %(what)s.") % {"what": what}
    return _("El procedimiento no sirve: en «%(place)s», %(what)s.") % {
        "place": error.place,
        "what": what,
    }
