"""The institution's own five colours, as a sheet of their own: the pages allow no inline style."""

import re

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from circular.people import queries as people

COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")


@require_safe
@cache_control(private=True, max_age=300)
def colours(request: HttpRequest) -> HttpResponse:
    """Give the accent where the institution has chosen one; dark pages keep their own."""
    del request
    house = people.institution()
    chosen = {
        "--c-accent": house.accent,
        "--c-accent-deep": house.accent_deep,
        "--c-accent-soft": house.accent_soft,
        "--c-on-accent": house.on_accent,
        "--c-tick": house.tick,
    }
    lines = "".join(f" {name}: {value};" for name, value in chosen.items() if COLOUR.match(value))
    if not lines:
        return HttpResponse("", content_type="text/css")
    light = f'[data-bs-theme="light"] {{{lines} }}\n'
    auto = f'@media (prefers-color-scheme: light) {{ [data-bs-theme="auto"] {{{lines} }} }}\n'
    return HttpResponse(light + auto, content_type="text/css")
