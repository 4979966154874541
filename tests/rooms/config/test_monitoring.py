"""Health and figures: true, and for those who may see them."""

from dataclasses import replace

import pytest
from django.conf import settings
from django.test import Client, override_settings

pytestmark = pytest.mark.django_db


def test_health_answers_without_signing_in(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_the_figures_are_for_this_machine_alone_where_no_token_is_set(client: Client) -> None:
    here = client.get("/metrics")
    elsewhere = client.get("/metrics", REMOTE_ADDR="192.0.2.7")
    through_proxy = client.get("/metrics", headers={"x-forwarded-for": "192.0.2.7"})

    assert here.status_code == 200
    assert b"circular_recipients" in here.content
    assert (elsewhere.status_code, through_proxy.status_code) == (404, 404)


def test_with_a_token_only_who_has_it_sees_the_figures(
    client: Client,
) -> None:
    secured = replace(settings.CIRCULAR, metrics_token="t" * 20)

    with override_settings(CIRCULAR=secured):
        answers = [
            client.get("/metrics", headers={"authorization": word}).status_code
            for word in ("", "Bearer wrong", f"Bearer {'t' * 20}")
        ]

    assert answers == [404, 404, 200]
