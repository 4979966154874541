"""What the views share: the reader of a request, the offices' names, the office's hours.

Raises:  PermissionDenied where a page is not for the reader.
"""

from collections.abc import Mapping

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _

from circular.counter import queries
from circular.evidence.actors import Actor
from circular.people import queries as people
from circular.people.roles import Permission, Role
from circular.workflow import queries as workflow
from circular.workflow.acts import Doer
from circular.workflow.calendar import Calendar
from circular.workflow.models import DeskRules


def reader(request: HttpRequest) -> queries.Reader:
    """Return the reader of this request; found once a request."""
    known = getattr(request, "circular_reader", None)
    if known is None:
        if request.user.pk is None:
            raise PermissionDenied
        known = queries.reader_of(request.user.pk)
        request.circular_reader = known  # type: ignore[attr-defined]
    assert isinstance(known, queries.Reader)
    return known


def waiting_count(request: HttpRequest) -> int:
    """Return how many matters wait for the reader; counted once a request."""
    known = getattr(request, "circular_waiting", None)
    if known is None:
        known = queries.waiting_count(reader(request))
        request.circular_waiting = known  # type: ignore[attr-defined]
    assert isinstance(known, int)
    return known


def know_waiting(request: HttpRequest, count: int) -> None:
    """Take over how many matters wait, from who has read them all."""
    request.circular_waiting = count  # type: ignore[attr-defined]


def require(request: HttpRequest, *permissions: Permission) -> queries.Reader:
    """Return the reader, who holds at least one of the permissions."""
    found = reader(request)
    if not any(found.may(permission) for permission in permissions):
        raise PermissionDenied
    return found


def actor(request: HttpRequest, role: Role | None = None) -> Actor:
    """Return who acts: the person, in the post through which they hold the role, or their first."""
    known = reader(request)
    fitting = [post for post in known.posts if role is None or post.role is role]
    return Actor.of(known.person, fitting[0].code if fitting else None)


def doer(request: HttpRequest) -> Doer:
    """Return the reader as the desk's guards look at who acts."""
    known = reader(request)
    return Doer(
        person=known.person,
        roles=known.roles,
        posts=frozenset(post.id for post in known.posts),
        units=known.units,
    )


def institution(request: HttpRequest) -> people.InstitutionRow:
    """Return the institution; read once a request."""
    known = getattr(request, "circular_institution", None)
    if known is None:
        known = people.institution()
        request.circular_institution = known  # type: ignore[attr-defined]
    assert isinstance(known, people.InstitutionRow)
    return known


def rules(request: HttpRequest) -> DeskRules:
    """Return the rules of the review; read once a request."""
    known = getattr(request, "circular_rules", None)
    if known is None:
        known = workflow.desk_rules()
        request.circular_rules = known  # type: ignore[attr-defined]
    assert isinstance(known, DeskRules)
    return known


def calendar(request: HttpRequest) -> Calendar:
    """Return the office's calendar; read once a request."""
    known = getattr(request, "circular_calendar", None)
    if known is None:
        known = workflow.office_calendar(rules=rules(request))
        request.circular_calendar = known  # type: ignore[attr-defined]
    assert isinstance(known, Calendar)
    return known


def offices(request: HttpRequest) -> Mapping[str, str]:
    """Return how the two offices and the requester are called."""
    house = institution(request)
    return {
        Role.COMMUNICATIONS.value: house.communications_name,
        Role.TIC.value: house.it_name,
        Role.REQUESTER.value: _("Solicitante"),
        Role.APPROVER.value: _("Autoridad del público"),
        Role.PROCESS_OWNER.value: _("Líder del proceso"),
    }
