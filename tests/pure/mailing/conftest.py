"""Content, frame and release facts for the pure tests of composing."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import circular.mailing
from circular.mailing.composing import Draft, FrameFacts
from circular.mailing.content import StencilContent, StencilFile
from circular.mailing.kinds import MailingKind
from circular.mailing.rendering import RecipientFacts, ReleaseFacts

PDF = b"%PDF-1.7 " + bytes(range(256)) * 3
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
FRAMES = Path(circular.mailing.__file__).parent / "frames"


@pytest.fixture
def frame() -> FrameFacts:
    return FrameFacts(
        version=1,
        html=(FRAMES / "default.html").read_text(encoding="utf-8"),
        text=(FRAMES / "default.txt").read_text(encoding="utf-8"),
        institution="Universidad del Macizo",
    )


@pytest.fixture
def draft() -> Draft:
    return Draft(
        sender_name="Bienestar Universitario",
        sender_address="bienestar@unimacizo.example",
        subject="Jornada de salud y bienestar: del 24 al 26 de noviembre",
        html="<p>Cordial saludo, {{nombre}}:</p><ul><li>Vacunación</li><li>Tamizaje</li></ul>",
        audience_rule={"clauses": [{"groups": ["student"]}]},
        unit_name="División de Salud y Bienestar",
        notice="Correo informativo autorizado por Comunicaciones, radicado CIR-2026-000412.",
    )


@pytest.fixture
def release() -> ReleaseFacts:
    return ReleaseFacts(
        kind=MailingKind.CIRCULAR,
        released_at=datetime(2026, 11, 23, 14, 0, tzinfo=UTC),
        message_domain="unimacizo.example",
        bounce_address="solicitudes@circular.unimacizo.example",
        list_id="circulares.unimacizo.example",
        secret=b"a fixed secret for the tests",
    )


@pytest.fixture
def ana() -> RecipientFacts:
    return RecipientFacts(
        id=41,
        address="ana@unimacizo.example",
        fields={"given": "Ana María", "family": "Gómez", "preferred": ""},
    )


@pytest.fixture
def with_files() -> Callable[[StencilContent], tuple[StencilContent, dict[str, bytes]]]:
    def add(content: StencilContent) -> tuple[StencilContent, dict[str, bytes]]:
        files = {hashlib.sha256(octets).hexdigest(): octets for octets in (PDF, PNG)}
        pdf, png = files
        return (
            replace(
                content,
                files=(
                    StencilFile(
                        name="Guía de la jornada.pdf",
                        media_type="application/pdf",
                        digest=pdf,
                        octets=len(PDF),
                    ),
                    StencilFile(
                        name="afiche.png",
                        media_type="image/png",
                        digest=png,
                        octets=len(PNG),
                        content_id="afiche@circular",
                    ),
                ),
            ),
            files,
        )

    return add
