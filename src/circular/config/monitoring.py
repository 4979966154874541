"""`/healthz` for those who keep the service running, `/metrics` for those who draw its curves.

`/healthz` says 200 when the database answers, else 503; it tells nothing else to strangers.
`/metrics` counts by state, never by person: recipients, cases, jobs. It asks for the token of the
configuration, or, without one, answers only to this machine and not through a proxy.
"""

import secrets
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

# Counters of rows that are kept as numbers already: no page and no scrape counts recipients.
FIGURES = (
    (
        "circular_recipients",
        "Recipients of released mailings, by state",
        """
        SELECT t.state, t.total FROM mailing_mailing CROSS JOIN LATERAL (
            VALUES ('pending', pending), ('accepted', accepted), ('refused', refused),
                   ('bounced', bounced), ('suppressed', suppressed), ('in_doubt', in_doubt)
        ) AS t (state, total)
        """,
    ),
    (
        "circular_requests",
        "Requests, by state",
        "SELECT state, count(*) FROM workflow_request GROUP BY state",
    ),
    (
        "circular_jobs",
        "Jobs in the queue, by state",
        "SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status",
    ),
)


class _House(Collector):
    """Reads the figures when somebody asks."""

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, about, question in FIGURES:
            family = GaugeMetricFamily(name, about, labels=["state"])
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT state, sum(number) FROM ({question}) AS f (state, number) GROUP BY state"  # noqa: S608 - our own constant
                )
                for state, number in cursor.fetchall():
                    family.add_metric([state], float(number))
            yield family


def _may_read(request: HttpRequest) -> bool:
    token = settings.CIRCULAR.metrics_token
    if token:
        given = request.headers.get("Authorization", "")
        return secrets.compare_digest(given.encode(), f"Bearer {token}".encode())
    through_proxy = "X-Forwarded-For" in request.headers
    return request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1"} and not through_proxy


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the figures in Prometheus' text format."""
    if not _may_read(request):
        return HttpResponse(status=404)
    registry = CollectorRegistry()
    registry.register(_House())
    return HttpResponse(generate_latest(registry), content_type="text/plain; version=0.0.4")


@require_safe
def health(_request: HttpRequest) -> HttpResponse:
    """Say whether the pages can do their work now."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "no database"}, status=503)
    return JsonResponse({"status": "ok"})
