"""Every page says what a browser may do with it; a view may say something stricter or its own."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# One policy for all pages: nothing inline, nothing from elsewhere. A message preview has its own.
POLICY = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data:; "
    "font-src 'self'; "
    "connect-src 'self'; "
    "frame-src 'self'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; "
    "base-uri 'none'"
)

# The message of a requester: its own styles, its own inline images, no script, no form, no link away
# from the frame; only our own pages may frame it.
PREVIEW_POLICY = (
    "default-src 'none'; "
    "style-src 'unsafe-inline'; "
    "img-src 'self' data:; "
    "form-action 'none'; "
    "frame-ancestors 'self'; "
    "base-uri 'none'; "
    "sandbox"
)


class SecurityHeaders:
    """Middleware: the policy, no sniffing, and no cache that another person could read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request and put the headers that the view did not set itself."""
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"
        )
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response
