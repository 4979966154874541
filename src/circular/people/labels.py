"""The words by which people know roles, kinds and choices of this room."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from circular.people.roles import Role

ROLES: dict[Role, Promise] = {
    Role.REQUESTER: _("Solicitante"),
    Role.COMMUNICATIONS: _("Comunicaciones"),
    Role.APPROVER: _("Autoridad que autoriza"),
    Role.TIC: _("Operador de TIC"),
    Role.QUALITY: _("Calidad"),
    Role.DATA_PROTECTION: _("Protección de datos"),
    Role.ADMINISTRATOR: _("Administrador"),
    Role.PROCESS_OWNER: _("Líder del proceso"),
}
ROLE_CHOICES = [(role.value, label) for role, label in ROLES.items()]

UNIT_KINDS = [("academic", _("Académica")), ("administrative", _("Administrativa"))]
LANGUAGES = [("es", _("Español")), ("en", _("Inglés"))]
THEMES = [
    ("auto", _("Como el dispositivo")),
    ("light", _("Claro")),
    ("dark", _("Oscuro")),
]
ORIGINS = [("invited", _("Por invitación")), ("imported", _("Del directorio"))]
