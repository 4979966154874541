"""What people type on the pages, checked for form only: whether an act is allowed is the desk's answer.

Rules:
1. A draft may lack anything; what is written must be readable. Filing asks for all of it.
2. The words of an error say what to do, with the field's own name (look.md §4).
3. Dates are typed day/month/year.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from circular.counter import labels
from circular.directory.rules import Clause, Rule
from circular.workflow.states import Channel

SUBJECT_LENGTH = 64  # what a phone shows of a subject; look.md's request form
MOST_CLAUSES = 6  # combinations that a person can still read at a glance on the form
MOST_FILES = 10
FILE_OCTETS = 10 * 1024 * 1024  # relays refuse messages of 25 MB and more; base64 adds a third
HOURS = tuple(time(hour, minute) for hour in range(7, 19) for minute in (0, 30))

Choices = list[tuple[str, str]]


class DayField(forms.Field):
    """A day typed as day/month/year, as people here write it."""

    PATTERN = re.compile(r"\s*(\d{1,2})\s*[/.-]\s*(\d{1,2})\s*[/.-]\s*(\d{4}|\d{2})\s*\Z")
    widget = forms.TextInput(
        attrs={"inputmode": "numeric", "autocomplete": "off", "maxlength": "12"}
    )

    @override
    def to_python(self, value: str | None) -> date | None:
        """Read the day, or say how to write it."""
        if not value or not value.strip():
            return None
        match = self.PATTERN.match(value)
        day, month, year = (int(part) for part in match.groups()) if match else (0, 0, 0)
        try:
            return date(year + 2000 if year < 100 else year, month, day)
        except ValueError:
            raise forms.ValidationError(
                _("Escriba la fecha como día/mes/año, por ejemplo 4/12/2026")
            ) from None

    @override
    def prepare_value(self, value: date | str | None) -> str | None:
        """Show a day as it is typed."""
        return value.strftime("%d/%m/%Y") if isinstance(value, date) else value


class ManyFiles(forms.ClearableFileInput):
    """A control that takes several files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files, each within the limit."""

    widget = ManyFiles

    @override
    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        """Return the files as a list, which may be empty."""
        files = list(data) if isinstance(data, list | tuple) else [data] if data else []
        if len(files) > MOST_FILES:
            raise forms.ValidationError(
                _("Adjunte %(most)s archivos o menos") % {"most": MOST_FILES}
            )
        for file in files:
            if file.size > FILE_OCTETS:
                raise forms.ValidationError(
                    _("Adjunte archivos de 10 MB o menos; «%(name)s» pesa más")
                    % {"name": file.name}
                )
        return [super(FilesField, self).clean(file, initial) for file in files]


class RequestForm(forms.Form):
    """What a unit asks for: the fields of activity 1 and those that its document leaves open."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)
    channel = forms.ChoiceField(
        label=gettext_lazy("Cómo llegó"), choices=[], required=False, widget=forms.RadioSelect
    )
    unit = forms.ChoiceField(label=gettext_lazy("Dependencia"), choices=[], required=False)
    contact_name = forms.CharField(
        label=gettext_lazy("Persona responsable"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    contact_phone = forms.CharField(
        label=gettext_lazy("Extensión o celular"),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "tel"}),
    )
    answer_to = forms.CharField(
        label=gettext_lazy("Buzón de la dependencia para las respuestas"),
        max_length=254,
        required=False,
        help_text=gettext_lazy("A este buzón llegan el acuse y la confirmación."),
        widget=forms.TextInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )
    sender = forms.ChoiceField(label=gettext_lazy("Remitente"), choices=[], required=False)
    reply_to = forms.CharField(
        label=gettext_lazy("Responder a, si es otra dirección"),
        max_length=254,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )
    subject = forms.CharField(
        label=gettext_lazy("Asunto"),
        required=False,
        help_text=gettext_lazy("Hasta 64 caracteres. Diga qué y cuándo."),
    )
    text = forms.CharField(
        label=gettext_lazy("Mensaje"),
        required=False,
        strip=False,
        help_text=gettext_lazy(
            "Deje una línea en blanco entre párrafos. Las direcciones de páginas se vuelven enlaces. "
            "{{nombre}} se cambia por el nombre de cada persona."
        ),
        widget=forms.Textarea(attrs={"rows": 9}),
    )
    html = forms.CharField(
        label=gettext_lazy("Mensaje con formato (HTML)"),
        required=False,
        strip=False,
        help_text=gettext_lazy("Solo si ya lo tiene hecho: reemplaza el formato del mensaje."),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
    )
    attached = FilesField(
        label=gettext_lazy("Anexos"),
        required=False,
        help_text=gettext_lazy("Mejor un enlace que un anexo. Hasta 10 MB cada uno."),
    )
    kept = forms.CharField(widget=forms.HiddenInput, required=False)
    mail_class = forms.ChoiceField(
        label=gettext_lazy("Clase"),
        choices=[(code, str(word)) for code, word in labels.CLASSES.items()],
        initial="informativo",
        widget=forms.RadioSelect,
    )
    wanted_on = DayField(
        label=gettext_lazy("Día en que debe salir"),
        required=False,
        help_text=gettext_lazy("Día/mes/año, por ejemplo 4/12/2026."),
    )
    wanted_time = forms.ChoiceField(
        label=gettext_lazy("Hora"),
        help_text=gettext_lazy("Hora de Colombia."),
        choices=[(f"{at:%H:%M}", f"{at:%H:%M}") for at in HOURS],
        initial="10:00",
        required=False,
    )
    reason = forms.CharField(
        label=gettext_lazy("Por qué va a todo este público"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    urgent = forms.BooleanField(
        label=gettext_lazy("Va por el carril urgente"),
        required=False,
        help_text=gettext_lazy("Los plazos son más cortos y el caso se revisa después."),
    )
    urgent_reason = forms.CharField(
        label=gettext_lazy("Por qué no puede esperar"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(
        self,
        *args: Any,
        units: Choices,
        senders: Choices,
        registers: bool,
        may_hurry: bool,
        filing: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.filing = filing
        blank = [("", _("Elija…"))] if len(units) != 1 else []
        self._choose("unit", [*blank, *units])
        self._choose("sender", [*([("", _("Elija…"))] if len(senders) != 1 else []), *senders])
        if registers:
            self._choose(
                "channel",
                [
                    (Channel.WEB.value, _("La pide mi dependencia")),
                    (Channel.PHONE.value, _("Por teléfono")),
                    (Channel.PAPER.value, _("En papel")),
                ],
            )
            self.initial.setdefault("channel", Channel.WEB.value)
        else:
            del self.fields["channel"]
            del self.fields["answer_to"]
        if not may_hurry:
            del self.fields["urgent"]
            del self.fields["urgent_reason"]
        self.fields["mail_class"].choices = _with_hints()  # type: ignore[attr-defined]

    def _choose(self, name: str, choices: Choices) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean_subject(self) -> str:
        """Return the subject on one line and not shouted."""
        subject = " ".join(str(self.cleaned_data["subject"]).split())
        if len(subject) > SUBJECT_LENGTH:
            raise forms.ValidationError(
                _("Escriba el asunto en %(most)s caracteres o menos; tiene %(found)s")
                % {"most": SUBJECT_LENGTH, "found": len(subject)}
            )
        letters = [letter for letter in subject if letter.isalpha()]
        if len(letters) > 8 and sum(letter.isupper() for letter in letters) > 0.7 * len(letters):
            raise forms.ValidationError(_("Escriba el asunto sin mayúsculas sostenidas"))
        return subject

    def clean_reply_to(self) -> str:
        """Return an address that mail can be answered to."""
        return _address(self.cleaned_data["reply_to"], _("Responder a"))

    def clean_answer_to(self) -> str:
        """Return the unit's mailbox."""
        return _address(self.cleaned_data["answer_to"], _("Buzón"))

    def clean_wanted_on(self) -> date | None:
        """Return a day that is not over yet."""
        day = self.cleaned_data["wanted_on"]
        if self.filing and day is not None and day < timezone.localdate():
            raise forms.ValidationError(_("Elija un día que no haya pasado"))
        return day if isinstance(day, date) else None

    @override
    def clean(self) -> dict[str, Any]:
        """Ask for everything when the request is to be filed."""
        found: dict[str, Any] = super().clean() or {}
        if found.get("channel") in {Channel.PHONE, Channel.PAPER} and not found.get("answer_to"):
            self.add_error("answer_to", _("Escriba el buzón de la dependencia"))
        if found.get("urgent") and not found.get("urgent_reason", "").strip():
            self.add_error("urgent_reason", _("Escriba por qué no puede esperar"))
        if self.filing:
            for name, words in (
                ("unit", _("Elija la dependencia que solicita")),
                ("contact_name", _("Escriba la persona responsable")),
                ("contact_phone", _("Escriba una extensión o un celular")),
                ("sender", _("Elija el remitente")),
                ("subject", _("Escriba el asunto")),
                ("wanted_on", _("Elija el día en que debe salir")),
                ("reason", _("Escriba por qué va a todo este público")),
            ):
                if not found.get(name) and name not in self.errors:
                    self.add_error(name, words)
            if not (found.get("text", "").strip() or found.get("html", "").strip()):
                self.add_error("text", _("Escriba el mensaje"))
        return found

    def wanted_at(self) -> datetime | None:
        """Return the moment that is asked for, in the office's zone."""
        day = self.cleaned_data.get("wanted_on")
        if day is None:
            return None
        hour, minute = (self.cleaned_data.get("wanted_time") or "10:00").split(":")
        return timezone.make_aware(datetime.combine(day, time(int(hour), int(minute))))


def _with_hints() -> Choices:
    return [(code, str(word)) for code, word in labels.CLASSES.items()]


def _address(value: str, name: str) -> str:
    value = value.strip()
    if value:
        try:
            validate_email(value)
        except forms.ValidationError:
            raise forms.ValidationError(
                _("Escriba en «%(name)s» una dirección completa, como nombre@dominio")
                % {"name": name}
            ) from None
    return value


AUDIENCE_FIELDS = ("groups", "campuses", "faculties", "programmes", "units")


def clauses_from(data: Mapping[str, Any], count: int) -> list[dict[str, list[str]]]:
    """Read the combinations of an audience as they stand on the page.

    Shapes:  one mapping per combination, in order; empty ones stay, so that nothing jumps
    """
    many = getattr(data, "getlist", None)
    clauses = []
    for index in range(min(count, MOST_CLAUSES)):
        clause = {}
        for name in AUDIENCE_FIELDS:
            key = f"a{index}-{name}"
            values = many(key) if many is not None else data.get(key, [])
            clause[name] = [
                value for value in values if value and len(value) <= 200 and "\0" not in value
            ]
        clauses.append(clause)
    return clauses


def rule_of(clauses: Iterable[Mapping[str, list[str]]]) -> Rule:
    """Return the rule that the combinations say; an empty combination says nothing."""
    return Rule(
        tuple(
            Clause(
                groups=frozenset(clause["groups"]),
                campuses=frozenset(clause["campuses"]),
                faculties=frozenset(clause["faculties"]),
                programmes=frozenset(clause["programmes"]),
                units=frozenset(clause["units"]),
            )
            for clause in clauses
            if any(clause.values())
        )
    )


class ReasonForm(forms.Form):
    """An act that asks why."""

    reason = forms.CharField(
        label=gettext_lazy("Por qué"), max_length=4000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(
        self, *args: Any, label: str = "", hint: str = "", need: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["reason"]
        field.label = label or field.label
        field.help_text = hint
        field.error_messages["required"] = need or _("Escriba la razón")


class RejectForm(ReasonForm):
    """A refusal says which channel suits the matter better."""

    channel = forms.CharField(
        label=gettext_lazy("Qué canal le conviene más"),
        required=False,
        max_length=1000,
        help_text=gettext_lazy("Por ejemplo: la página de la facultad, una cartelera, otra lista."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class SpeedForm(forms.Form):
    """How fast a sending may go at most."""

    per_minute = forms.IntegerField(
        label=gettext_lazy("Mensajes por minuto, como máximo"),
        help_text=gettext_lazy("Vacío: tan rápido como los servidores de salida lo permitan."),
        required=False,
        min_value=1,
        max_value=10_000_000,
        localize=False,
        error_messages={
            name: gettext_lazy("Escriba un número entero de 1 o más, o deje el campo vacío")
            for name in ("invalid", "min_value", "max_value")
        },
    )


class ScheduleForm(forms.Form):
    """When a sending starts."""

    on = DayField(
        label=gettext_lazy("Día"),
        required=True,
        help_text=gettext_lazy("Día/mes/año, por ejemplo 4/12/2026."),
        error_messages={"required": gettext_lazy("Elija el día en que debe salir")},
    )
    at = forms.CharField(
        label=gettext_lazy("Hora"),
        help_text=gettext_lazy("En 24 horas, por ejemplo 14:00."),
        max_length=5,
        error_messages={"required": gettext_lazy("Escriba la hora en que debe salir")},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def clean_at(self) -> time:
        """Read the hour."""
        match = re.fullmatch(r"\s*(\d{1,2})[:.h](\d{2})\s*", str(self.cleaned_data["at"]))
        if match is None or int(match[1]) > 23 or int(match[2]) > 59:
            raise forms.ValidationError(_("Escriba la hora en 24 horas, por ejemplo 14:00"))
        return time(int(match[1]), int(match[2]))

    def moment(self) -> datetime:
        """Return the moment, in the office's zone."""
        return timezone.make_aware(
            datetime.combine(self.cleaned_data["on"], self.cleaned_data["at"])
        )


class CountField(forms.CharField):
    """A count of people, with or without the dots that group it."""

    @override
    def clean(self, value: Any) -> int:
        """Return the count."""
        if not str(value or "").strip():
            raise forms.ValidationError(_("Escriba «%(name)s» en cifras") % {"name": self.label})
        text = str(super().clean(value)).replace(".", "").replace(" ", "")
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise forms.ValidationError(_("Escriba «%(name)s» en cifras") % {"name": self.label})
        return int(text)


class DeclareForm(forms.Form):
    """What TIC says of a sending by other means; the figures must balance among themselves."""

    audience = CountField(label=gettext_lazy("Público"))
    accepted = CountField(label=gettext_lazy("Aceptados"))
    refused = CountField(label=gettext_lazy("Rechazados"), initial="0")
    bounced = CountField(label=gettext_lazy("Rebotados"), initial="0")
    suppressed = CountField(label=gettext_lazy("Excluidos"), initial="0")
    on = DayField(
        label=gettext_lazy("Día del envío"),
        help_text=gettext_lazy("Día/mes/año, por ejemplo 4/12/2026."),
        error_messages={"required": gettext_lazy("Escriba el día del envío")},
    )
    began = forms.CharField(
        label=gettext_lazy("Primer mensaje"),
        max_length=5,
        help_text=gettext_lazy("En 24 horas, por ejemplo 14:00."),
        error_messages={"required": gettext_lazy("Escriba la hora del primer mensaje")},
    )
    ended = forms.CharField(
        label=gettext_lazy("Último mensaje"),
        max_length=5,
        help_text=gettext_lazy("En 24 horas, por ejemplo 14:40."),
        error_messages={"required": gettext_lazy("Escriba la hora del último mensaje")},
    )
    note = forms.CharField(
        label=gettext_lazy("Con qué medios se envió"),
        help_text=gettext_lazy("Opcional; queda en el expediente."),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    documents = FilesField(
        label=gettext_lazy("Soporte"),
        required=False,  # asked for in `clean`, in the words of the field
        help_text=gettext_lazy("El reporte de la otra herramienta. Queda en el expediente."),
    )

    @override
    def clean(self) -> dict[str, Any]:
        """Refuse figures that do not add up, with the difference."""
        found: dict[str, Any] = super().clean() or {}
        names = ("accepted", "refused", "bounced", "suppressed")
        if "audience" in found and all(name in found for name in names):
            missing = found["audience"] - sum(found[name] for name in names)
            if missing:
                self.add_error(
                    "audience",
                    _("Revise las cuentas: el público y la suma difieren en %(count)s")
                    % {"count": missing},
                )
        if not found.get("documents"):
            self.add_error("documents", _("Adjunte el soporte del envío"))
        for name in ("began", "ended"):
            if name in found:
                match = re.fullmatch(r"\s*(\d{1,2})[:.h](\d{2})\s*", found[name])
                if match is None or int(match[1]) > 23 or int(match[2]) > 59:
                    self.add_error(name, _("Escriba la hora en 24 horas, por ejemplo 14:00"))
                else:
                    found[name] = time(int(match[1]), int(match[2]))
        return found
