"""Who may open a page: decorators for views, and the actor in whose name a request acts."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from circular.evidence.actors import Actor
from circular.people import queries
from circular.people.models import Person
from circular.people.roles import GRANTS, Permission, Role, may

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

_ROLES = "_circular_roles"  # asked once per request


def person_of(request: HttpRequest) -> Person:
    """Return the signed-in person.

    Raises:  PermissionDenied when nobody is signed in
    """
    if not request.user.is_authenticated:
        raise PermissionDenied
    return request.user


def roles(request: HttpRequest) -> frozenset[Role]:
    """Return the roles of whoever asks; nobody signed in has none."""
    if not request.user.is_authenticated:
        return frozenset()
    found = getattr(request, _ROLES, None)
    if found is None:
        found = queries.roles_of(person_of(request).pk)
        setattr(request, _ROLES, found)
    return cast("frozenset[Role]", found)


def permits(request: HttpRequest, permission: Permission) -> bool:
    return may(roles(request), permission)


def actor_of(request: HttpRequest, role: Role | None = None) -> Actor:
    """Return who acts: the person, in the post that gives them the role where there is one."""
    person = person_of(request)
    post = queries.post_of(person.pk, role) if role is not None else None
    return Actor.of(person.pk, post=post.code if post else None)


def actor_for(request: HttpRequest, permission: Permission) -> Actor:
    """Return who acts, in the first of their posts that gives them the permission."""
    person = person_of(request)
    posts = queries.posts_of(person.pk)
    post = next((post for post in posts if permission in GRANTS[post.role]), None)
    return Actor.of(person.pk, post=post.code if post else None)


def require_signed_in(view: View[P]) -> View[P]:
    """Open the page to whoever is signed in; send others to sign in and back."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    return guarded


def require_role(*wanted: Role) -> Callable[[View[P]], View[P]]:
    """Open the page to people who have one of the roles today."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not roles(request).intersection(wanted):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return require_signed_in(guarded)

    return decorate


def require_permission(permission: Permission) -> Callable[[View[P]], View[P]]:
    """Open the page to people whose roles grant the permission today."""
    return require_role(*(role for role, granted in GRANTS.items() if permission in granted))
