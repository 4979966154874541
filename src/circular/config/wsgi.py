"""The web application as granian's worker process runs it."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from circular.config.kinship import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circular.config.settings")
# The worker outlives nobody: when granian's main process is killed, the port must be free again.
end_with_parent()

from django.conf import settings  # noqa: E402 - the module must be named first
from django.core.wsgi import get_wsgi_application  # noqa: E402

_pages = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one request; behind a proxy the visitor is who the proxy says."""
    if settings.CIRCULAR.behind_proxy:
        # The last address is the one that our own proxy wrote; those before it anybody can invent.
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        environ["REMOTE_ADDR"] = forwarded or environ.get("REMOTE_ADDR", "")
    return _pages(environ, start_response)
