"""Every letter, in both languages: whole, honest, harmless, readable by everybody."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from circular.mailing import letter_layout
from circular.mailing.letter_layout import WIDTH, Paragraph, RenderedLetter, Sheet, layout, one_line
from circular.mailing.letters import ContextMismatchError, Letter, Voice, render_letter
from variants import assert_catches

VOICE = Voice(
    institution="Universidad del Macizo",
    communications="Centro de Gestión de las Comunicaciones",
    it="División TIC",
    base_url="https://circular.unimacizo.example",
    zone=ZoneInfo("America/Bogota"),
)
FRIDAY = datetime(2026, 11, 13, 21, 58, tzinfo=UTC)  # 16:58 in Bogotá
TUESDAY = FRIDAY + timedelta(days=4)
DIGEST = "9c1e44b07a2fd6c8" * 4
CASE = {
    "subject": "Jornada de salud y bienestar: del 24 al 26 de noviembre",
    "filing_number": "CIR-2026-000412",
    "procedure_code": "PE-GE-2.3-PR-21",
    "procedure_version": 1,
}
FIGURES = {
    **CASE,
    "accepted": 14102,
    "refused": 19,
    "bounced": 45,
    "suppressed": 118,
    "in_doubt": 2,
    "pending": 0,
    "audience_count": 14286,
    "started_at": FRIDAY,
    "ended_at": FRIDAY + timedelta(minutes=39),
    "confirmed_at": FRIDAY + timedelta(hours=1),
    "seal_sequence": 48213,
    "seal_digest": DIGEST,
}
CHECKS = [
    (True, "Los seis totales suman el público congelado."),
    (False, "Falta una cuenta testigo."),
]
SAMPLES: dict[Letter, dict[str, Any]] = {
    Letter.DRAFT_RECEIVED: {
        "subject": CASE["subject"],
        "link": "https://circular.unimacizo.example/b/0123456789abcdef",
        "expires_at": TUESDAY,
        "understood": [
            ("sender", "Bienestar <bienestar@unimacizo.example>"),
            ("audience", "estudiantes"),
        ],
        "missing": ["wanted_at", "reason"],
        "procedure_code": "PE-GE-2.3-PR-21",
        "procedure_version": 1,
    },
    Letter.ACKNOWLEDGEMENT: {
        **CASE,
        "filed_at": FRIDAY,
        "review_due_at": TUESDAY,
        "dispatch_due_at": TUESDAY,
        "wanted_at": TUESDAY,
        "confirmation_hours": 2,
        "audience_count": 14286,
        "skipped_days": [date(2026, 11, 16)],
    },
    Letter.MISSING: {**CASE, "missing": ["audience"], "note": "Diga a quiénes.\nGracias."},
    Letter.RETURNED: {
        **CASE,
        "reason": "Falta la fecha.",
        "returned_at": FRIDAY,
        "due_at": TUESDAY,
    },
    Letter.REJECTED: {
        **CASE,
        "reason": "Es publicidad.",
        "channel": "Cartelera digital",
        "rejected_at": FRIDAY,
    },
    Letter.APPROVED: {
        **CASE,
        "approved_at": FRIDAY,
        "wanted_at": TUESDAY,
        "dispatch_due_at": TUESDAY,
        "audience_count": 14286,
        "content_digest": DIGEST,
    },
    Letter.REQUEST_TO_REVIEW: {
        **CASE,
        "filed_at": FRIDAY,
        "unit": "División de Salud",
        "sender": "Bienestar <bienestar@unimacizo.example>",
        "audience": "Estudiantes de la sede Centro",
        "audience_count": 14286,
        "mail_class": "informativo",
        "wanted_at": TUESDAY,
        "due_at": TUESDAY,
        "urgent": True,
    },
    Letter.CONSENT_ASKED: {
        **CASE,
        "approved_at": FRIDAY,
        "unit": "División de Salud",
        "sender": "Bienestar <bienestar@unimacizo.example>",
        "audience": "Estudiantes de la sede Centro",
        "mail_class": "oficial",
        "content_digest": DIGEST,
    },
    Letter.URGENT_DECLARED: {
        **CASE,
        "declared_at": FRIDAY,
        "declared_by": "Vicerrectoría (V. Ejemplo)",
        "reason": "Cierre de la sede por la lluvia.",
        "due_at": TUESDAY,
    },
    Letter.FORWARDED: {
        **CASE,
        "forwarded_at": FRIDAY,
        "unit": "División de Salud",
        "sender": "Bienestar <bienestar@unimacizo.example>",
        "audience": "Estudiantes de la sede Centro",
        "audience_count": 14286,
        "mail_class": "informativo",
        "wanted_at": TUESDAY,
        "due_at": TUESDAY,
        "content_digest": DIGEST,
    },
    Letter.SENT_BACK: {**CASE, "reason": "El público no existe.", "sent_back_at": FRIDAY},
    Letter.PROOF: {**CASE, "tested_at": FRIDAY, "due_at": TUESDAY, "content_digest": DIGEST},
    Letter.CONFIRMATION_TO_COMMUNICATIONS: {
        **FIGURES,
        "operator": "Operador de envíos (P. Ejemplo)",
        "audience": "Estudiantes y administrativos de la sede Centro",
        "content_digest": DIGEST,
    },
    Letter.CONFIRMATION_TO_REQUESTER: {**FIGURES, "declared": True},
    Letter.VERDICT_POSITIVE: {
        **CASE,
        "verified_at": FRIDAY,
        "checks": CHECKS[:1],
        "accepted": 10,
        "audience_count": 12,
    },
    Letter.VERDICT_NEGATIVE: {
        **CASE,
        "verified_at": FRIDAY,
        "verified_by": "Profesional universitario",
        "checks": CHECKS,
        "difference": ["@@ -1 +1 @@", "-Odontología", "+Ortodoncia", " igual"],
        "seal_sequence": 48213,
        "seal_digest": DIGEST,
    },
    Letter.REMINDER: {
        **CASE,
        "stage": "send",
        "owed_by": "División TIC, operador de envíos",
        "started_at": FRIDAY,
        "due_at": TUESDAY,
        "limit_hours": 16,
        "number": 1,
        "of": 2,
        "next_at": TUESDAY + timedelta(days=1),
        "next_escalates": True,
        "audience_count": 2638,
    },
    Letter.ESCALATION: {
        **CASE,
        "stage": "verify",
        "owed_by": "Profesional universitario",
        "started_at": FRIDAY,
        "due_at": TUESDAY,
        "reminders": 2,
        "overdue_hours": 8,
    },
    Letter.NOT_SENT: {
        **CASE,
        "found_at": FRIDAY,
        "reason": "La cuenta testigo no lo recibió.",
        "missing_count": 7,
        "audience_count": 14286,
        "due_at": TUESDAY,
    },
    Letter.CANCELLED: {
        **CASE,
        "cancelled_at": FRIDAY,
        "cancelled_by": "División TIC",
        "reason": "Se aplazó la jornada.",
        "accepted": 10,
        "withdrawn": 4,
    },
    Letter.CORRESPONDENCE: {
        **CASE,
        "author": "bienestar@unimacizo.example",
        "received_at": FRIDAY,
        "excerpt": "Buenas tardes:\nadjunto el arte.",
    },
    Letter.SIGN_IN_CODE: {"code": "482 913", "expires_at": FRIDAY},
    Letter.INVITATION: {
        "link": "https://circular.unimacizo.example/invitacion/abc",
        "expires_at": TUESDAY,
        "post": "Operador de envíos",
        "full_name": "Otto Operador",
    },
    Letter.ANCHOR: {"sequence": 48213, "digest": DIGEST, "at": FRIDAY},
}
EVERY = pytest.mark.parametrize("letter", list(Letter), ids=str)
BOTH = pytest.mark.parametrize("language", ["es", "en"])


def written(letter: Letter, language: str = "es", **changes: Any) -> RenderedLetter:
    context: Mapping[str, Any] = {**SAMPLES[letter], **changes}
    return render_letter(letter, context, language, voice=replace(VOICE, language=language))


class Reading(HTMLParser):
    """What a person or a screen reader meets in an HTML part."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.title = ""
        self._inside: list[str] = []
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self._inside.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self._inside.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        if "title" in self._inside:
            self.title += data
        elif "style" not in self._inside:
            self.words += data.split()

    def all_of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


@BOTH
@EVERY
def test_a_letter_has_a_subject_of_one_line_a_text_and_an_html_part(
    letter: Letter, language: str
) -> None:
    rendered = written(letter, language)

    assert rendered.subject
    assert rendered.subject == one_line(rendered.subject)
    assert rendered.text.endswith("\n")
    assert rendered.html.startswith("<!doctype html>")


@EVERY
def test_the_radicado_stands_in_the_subject_of_every_letter_about_a_case(letter: Letter) -> None:
    rendered = written(letter)

    if "filing_number" in SAMPLES[letter]:
        assert rendered.subject.startswith("[CIR-2026-000412] ")
        assert "CIR-2026-000412" in rendered.text


@BOTH
@EVERY
def test_the_text_part_holds_every_fact_of_the_html_part(letter: Letter, language: str) -> None:
    rendered = written(letter, language)

    missing = words_of(" ".join(Reading(rendered.html).words)) - words_of(rendered.text)
    assert missing == set()


def test_a_text_part_that_lacks_one_figure_is_noticed() -> None:
    """The check above, shown to fail on a deliberately broken letter."""
    rendered = written(Letter.CONFIRMATION_TO_REQUESTER)

    broken = rendered.text.replace("14.102", "")

    assert words_of(" ".join(Reading(rendered.html).words)) - words_of(broken) == {"102"}


@BOTH
@EVERY
def test_text_lines_fit_72_columns_and_the_link_stands_alone(letter: Letter, language: str) -> None:
    rendered = written(letter, language)
    links = [a["href"] for a in Reading(rendered.html).all_of("a")]

    for line in rendered.text.splitlines():
        assert len(line) <= WIDTH or " " not in line.strip() or DIGEST in line
    for link in links:
        assert link in rendered.text.splitlines()
    assert len(links) <= 1


@EVERY
def test_a_letter_links_to_a_page_of_this_house_and_nothing_in_it_can_act(letter: Letter) -> None:
    reading = Reading(written(letter).html)

    for anchor in reading.all_of("a"):
        assert re.fullmatch(
            r"https://circular\.unimacizo\.example/(e/CIR-2026-000412|b/\w+|invitacion/\w+)",
            anchor["href"] or "",
        )
    names = {tag for tag, _attributes in reading.tags}
    assert not names & {"form", "button", "input", "script", "iframe", "img", "link", "object"}
    assert not any(
        name.startswith("on") for _tag, attributes in reading.tags for name in attributes
    )


@BOTH
@EVERY
def test_the_html_part_is_accessible_without_being_seen(letter: Letter, language: str) -> None:
    """What axe asks of a letter: language, title, one heading, layout tables named as such."""
    rendered = written(letter, language)
    reading = Reading(rendered.html)

    assert reading.all_of("html")[0]["lang"] == {"es": "es-CO", "en": "en"}[language]
    assert reading.title == rendered.subject
    assert len(reading.all_of("h1")) == 1
    assert all(table.get("role") == "presentation" for table in reading.all_of("table"))
    assert 'name="color-scheme" content="light dark"' in rendered.html
    assert "prefers-color-scheme:dark" in rendered.html


@BOTH
@EVERY
def test_no_letter_says_that_people_got_or_read_anything(letter: Letter, language: str) -> None:
    text = written(letter, language).text.casefold()

    assert not words_of(text) & {"entregado", "entregados", "leído", "leídos", "delivered"}
    assert "!" not in text


@EVERY
def test_a_letter_with_too_little_is_refused_before_anything_is_written(letter: Letter) -> None:
    context = dict(SAMPLES[letter])
    required = {"subject", "code", "link", "digest"} & context.keys()
    del context[min(required)]

    with pytest.raises(ContextMismatchError):
        render_letter(letter, context, "es", voice=VOICE)


def test_a_letter_with_a_key_it_does_not_know_is_refused() -> None:
    with pytest.raises(ContextMismatchError, match="audiense"):
        written(Letter.ACKNOWLEDGEMENT, audiense=3)


@pytest.mark.parametrize(
    "evil",
    [
        "x\r\nBcc: todos@unimacizo.example",
        "x\nSubject: otro",
        "x\x00y",
        "x\u2028Bcc: y",
        "x\x85y",
        "\u202ex",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("key", ["subject", "filing_number", "owed_by"])
def test_nothing_that_came_from_outside_starts_a_line_of_its_own(key: str, evil: str) -> None:
    rendered = written(Letter.REMINDER, **{key: evil}) if key != "filing_number" else None
    subject = rendered.subject if rendered else one_line(evil)

    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", subject)
    if rendered is not None:
        starts = [line.lstrip() for line in rendered.text.splitlines()]
        assert not any(line.startswith(("Bcc:", "Subject:")) for line in starts)


def test_a_reason_of_several_lines_keeps_its_lines_behind_a_margin() -> None:
    text = written(Letter.RETURNED, reason="Primero.\r\n\r\n-- \nSegundo.").text

    assert "  > Primero.\n  >\n  > --\n  > Segundo." in text


def test_markup_that_a_person_wrote_stays_words() -> None:
    html = written(Letter.RETURNED, reason="<img src=x onerror=alert(1)>").html

    assert "<img" not in html
    assert "&lt;img src=x" in html


def test_merge_syntax_that_a_person_wrote_stays_words() -> None:
    assert (
        "{{ nombre }} [[given_name]]"
        in written(Letter.RETURNED, reason="{{ nombre }} [[given_name]]").text
    )


def test_figures_are_aligned_and_add_up_above_a_rule() -> None:
    text = written(Letter.CONFIRMATION_TO_REQUESTER).text

    assert "  Aceptados por el servidor   14.102\n" in text
    assert "  Rechazados                      19\n" in text
    assert "  ----------------------------------\n  Público congelado           14.286\n" in text


def test_both_confirmations_carry_the_whole_seal_of_the_archive() -> None:
    for letter in (Letter.CONFIRMATION_TO_COMMUNICATIONS, Letter.CONFIRMATION_TO_REQUESTER):
        joined = "".join(written(letter).text.split())
        assert "48213·" + DIGEST in joined


def test_times_are_said_in_the_institutions_time_zone_and_the_readers_language() -> None:
    spanish, english = written(Letter.ACKNOWLEDGEMENT), written(Letter.ACKNOWLEDGEMENT, "en")

    assert "13 de noviembre de 2026 a las 16:58" in " ".join(spanish.text.split())
    assert "hasta el mar 17 nov, 16:58" in spanish.text
    assert "14.286" in spanish.text
    assert "13 November 2026 at 16:58" in " ".join(english.text.split())
    assert "14,286" in english.text


def test_a_link_that_is_no_web_address_is_refused() -> None:
    with pytest.raises(ValueError, match="absolute web address"):
        written(Letter.INVITATION, link="javascript:alert(1)")


@given(st.text(max_size=400))
def test_whatever_the_matter_is_called_the_subject_is_one_short_line(matter: str) -> None:
    rendered = layout(
        Sheet(fact="Hecho", matter=matter, stamp="CIR-2026-000001", blocks=(Paragraph("Nada."),)),
        language="es",
        institution="U",
        office="C",
    )

    assert len(rendered.subject) <= 200
    assert not re.search(
        r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", rendered.subject
    )
    assert one_line(rendered.subject) == rendered.subject


def test_a_subject_printed_as_it_came_is_caught() -> None:
    holds = test_whatever_the_matter_is_called_the_subject_is_one_short_line
    assert_catches(holds, letter_layout, "one_line", str)


@EVERY
def test_an_english_letter_has_no_spanish_sentence_left(letter: Letter) -> None:
    spanish, english = written(letter).text, written(letter, "en").text
    values = " ".join(str(value) for value in SAMPLES[letter].values())

    kept = {
        line.strip()
        for line in spanish.splitlines()
        if line in english.splitlines() and line.strip(" >") not in values
    }

    # What stays is what people and units are called, addresses, figures and rules of the layout.
    assert not {line for line in kept if re.search(r"\b(el|de|que|su|no|con)\b", line)} - {
        "Universidad del Macizo, Centro de Gestión de las Comunicaciones"
    }
    assert spanish.splitlines()[0] != english.splitlines()[0]
