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


def require(request: HttpRequest, *permissions: Permission) -> queries.Reader:
    """Return the reader, who holds at least one of the permissions."""
    found = reader(request)
    if not any(found.may(permission) for permission in permissions):
        raise PermissionDenied
    return found


def actor(request: HttpRequest, role: Role | None = None) -> Actor:
    """Return who acts: the person, in the post through which they hold the role."""
    person = reader(request).person
    post = people.post_of(person, role) if role is not None else None
    if post is None:
        posts = people.posts_of(person)
        post = posts[0] if posts and role is None else None
    return Actor.of(person, post.code if post is not None else None)


def offices() -> Mapping[str, str]:
    """Return how the two offices and the requester are called."""
    institution = people.institution()
    return {
        Role.COMMUNICATIONS.value: institution.communications_name,
        Role.TIC.value: institution.it_name,
        Role.REQUESTER.value: _("Solicitante"),
        Role.APPROVER.value: _("Autoridad del público"),
    }
