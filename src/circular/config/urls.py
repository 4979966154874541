"""Every address of the house, room by room."""

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from circular.config import monitoring

ROOMS = ("people", "directory", "intake", "counter")

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", monitoring.health),
    path("metrics", monitoring.metrics),
    *(
        path("", include(f"circular.{room}.urls"))
        for room in ROOMS
        if find_spec(f"circular.{room}.urls")
    ),
]

handler400 = "circular.counter.views.errors.bad_request"
handler403 = "circular.counter.views.errors.forbidden"
handler404 = "circular.counter.views.errors.not_found"
handler500 = "circular.counter.views.errors.server_error"
