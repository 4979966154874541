"""What every page needs to know, found only when a template asks for it.

Locks:  none. An error page can be drawn while the database is away, because nothing is read before.
"""

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject, cached_property
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from circular.counter import desk
from circular.people.roles import Role
from circular.workflow import queries as workflow


@dataclass(frozen=True, slots=True)
class Door:
    """One entry of the page's head."""

    code: str
    label: str
    url: str
    count: int | None = None


class Page:
    """The frame of one page, for one reader. Each part costs a query only when it is drawn."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        user = getattr(request, "user", None)
        self._user = user
        self.person = bool(user is not None and user.is_authenticated)

    @cached_property
    def roles(self) -> frozenset[Role]:
        """Return what the reader may be here."""
        return desk.reader(self._request).roles if self.person else frozenset()

    @cached_property
    def lang(self) -> str:
        """Return the page's language tag."""
        return "en" if (get_language() or "").startswith("en") else "es-CO"

    @property
    def theme(self) -> str:
        """Return light, dark or auto."""
        return self._user.theme if self._user and self.person else "auto"

    @cached_property
    def institution_name(self) -> str:
        """Return the name that stands under the product's."""
        return desk.institution(self._request).name

    @cached_property
    def who(self) -> str:
        """Return the reader's post, or the name of one who has none."""
        if not self._user or not self.person:
            return ""
        posts = desk.reader(self._request).posts
        return posts[0].name if posts else self._user.full_name

    @cached_property
    def nav(self) -> tuple[Door, ...]:
        """Return the doors this reader may use, the tray first."""
        if not self._user or not self.person:
            return ()
        waiting = desk.waiting_count(self._request)
        doors = [Door("tray", _("Bandeja"), "/bandeja", waiting)]
        if self.roles & {
            Role.COMMUNICATIONS,
            Role.QUALITY,
            Role.PROCESS_OWNER,
            Role.DATA_PROTECTION,
        }:
            doors.append(Door("cases", _("Expedientes"), "/expedientes"))
        elif Role.TIC in self.roles:
            doors.append(Door("cases", _("Envíos"), "/expedientes"))
        elif self.roles - {Role.ADMINISTRATOR}:
            doors.append(Door("cases", _("Mis solicitudes"), "/expedientes"))
        if self.roles & {Role.COMMUNICATIONS, Role.TIC, Role.PROCESS_OWNER, Role.ADMINISTRATOR}:
            doors.append(Door("calendar", _("Calendario"), "/calendario"))
        if self.roles & {Role.COMMUNICATIONS, Role.TIC, Role.DATA_PROTECTION, Role.ADMINISTRATOR}:
            doors.append(Door("directory", _("Directorio"), "/directorio"))
        doors.append(Door("procedure", _("Procedimiento"), "/procedimiento"))
        if self.roles & {Role.TIC, Role.ADMINISTRATOR}:
            doors.append(Door("administration", _("Administración"), "/administracion"))
        return tuple(doors)

    @cached_property
    def footer(self) -> str:
        """Return the procedure and the zone in which times are said."""
        procedure = workflow.procedure_in_force(rules=desk.rules(self._request))
        return _("Procedimiento %(code)s, versión %(version)s · Hora de Colombia") % {
            "code": procedure.code,
            "version": procedure.version,
        }


def page(request: HttpRequest) -> dict[str, object]:
    """Give templates `page`, and do nothing until it is used."""
    return {"page": SimpleLazyObject(lambda: Page(request))}
