"""What people choose and upload on the pages of the directory."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from typing_extensions import override

from circular.directory import labels
from circular.directory.queries import Choice, Choices
from circular.directory.rules import Clause, Field, Rule
from circular.directory.tables import MOST_OCTETS

MOST_COMBINATIONS = 5  # more is a list of people, not a rule
# Universities have a hundred of each: folded, unless something in them is chosen.
LONG = frozenset({Field.PROGRAMMES.value, Field.UNITS.value})


class UploadForm(forms.Form):
    """The list of accounts, as a file."""

    file = forms.FileField(
        label=_("Lista de cuentas"),
        help_text=_(
            "Un CSV con una columna «correo» y, si las hay: nombres, apellidos, grupos, dependencia,"
            " facultad, programa, sede, activo. Primero se muestra qué cambiaría."
        ),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
        error_messages={
            "required": _("Elija el archivo de la lista"),
            "empty": _("El archivo está vacío: elija otro"),
            "missing": _("Elija el archivo de la lista"),
            "invalid": _("Elija el archivo otra vez"),
        },
    )

    def clean_file(self) -> "UploadedFile[Any]":
        file = self.cleaned_data["file"]
        assert isinstance(file, UploadedFile)
        if (file.size or 0) > MOST_OCTETS:
            megabytes = MOST_OCTETS // (1024 * 1024)
            raise ValidationError(
                _("El archivo pasa de %(most)s MB: divídalo o quite columnas"),
                params={"most": megabytes},
            )
        return file


class ConfirmForm(forms.Form):
    """The decision after the preview: which lines, and how many people may go."""

    keep_good = forms.BooleanField(required=False, widget=forms.HiddenInput)
    expected = forms.IntegerField(min_value=0, widget=forms.HiddenInput, localize=False)
    typed = forms.CharField(label=_("Cuántas cuentas se desactivan"), required=False, max_length=20)

    def __init__(self, *args: Any, must_type: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.must_type = must_type
        if not must_type:
            del self.fields["typed"]
        else:
            self.fields["typed"].help_text = _(
                "Son tantas que puede ser otra lista. Escriba el número para seguir."
            )
            self.fields["typed"].widget.attrs.update(
                {"inputmode": "numeric", "autocomplete": "off"}
            )

    @override
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        figures = "".join(filter(str.isdigit, str(cleaned.get("typed", ""))))
        if self.must_type and figures != str(cleaned.get("expected")):
            self.add_error("typed", _("Escriba el número exacto de cuentas que se desactivan"))
        return cleaned


class CountedChoices(forms.CheckboxSelectMultiple):
    """Tells the page how many accounts stand behind each choice."""

    def __init__(self, counts: dict[str, int]) -> None:
        super().__init__()
        self.counts = counts

    @override
    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(*args, **kwargs)
        option["attrs"]["count"] = labels.figure(self.counts.get(str(option["value"]), 0))
        return option


def _said(field: Field, choice: Choice) -> str:
    name = labels.group(choice.value) if field is Field.GROUPS else choice.value
    return f"{name[:1].upper()}{name[1:]}"


class AudienceForm(forms.Form):
    """One combination: any of the values in each field, all the fields together."""

    def __init__(self, *args: Any, choices: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        present: dict[Field, tuple[Choice, ...]] = {
            Field.GROUPS: choices.groups,
            Field.FACULTIES: choices.faculties,
            Field.PROGRAMMES: choices.programmes,
            Field.CAMPUSES: choices.campuses,
            Field.UNITS: choices.units,
        }
        for field, values in present.items():
            if not values:
                continue
            self.fields[field.value] = forms.MultipleChoiceField(
                label=str(labels.FIELDS[field]),
                choices=[(value.value, _said(field, value)) for value in values],
                required=False,
                widget=CountedChoices({value.value: value.count for value in values}),
                error_messages={"invalid_choice": _("Elija de la lista: «%(value)s» no está")},
            )

    def short(self) -> list[forms.BoundField]:
        """Return the fields whose choices a person sees at a glance."""
        return [self[name] for name in self.fields if name not in LONG]

    def long(self) -> list[tuple[forms.BoundField, bool]]:
        """Return the fields to unfold, each with whether something in it is chosen."""
        return [
            (self[name], self.add_prefix(name) in self.data) for name in self.fields if name in LONG
        ]

    def clause(self) -> Clause:
        """Return the combination; nothing chosen is everybody."""
        return Clause(**{name: frozenset(self.cleaned_data.get(name, ())) for name in self.fields})


class Combinations:
    """Several combinations on one page, as one rule: who is in any of them."""

    def __init__(self, data: QueryDict, *, choices: Choices) -> None:
        asked = data.get("conjuntos", "1")
        count = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 3 else 1
        self.forms = tuple(
            AudienceForm(data, choices=choices, prefix=f"y{index}" if index else None)
            for index in range(max(1, min(count, MOST_COMBINATIONS)))
        )

    @property
    def more(self) -> int | None:
        """Return how many there are with one more, or None where no more fit."""
        return len(self.forms) + 1 if len(self.forms) < MOST_COMBINATIONS else None

    def is_valid(self) -> bool:
        """Tell whether every combination can be counted."""
        each = [form.is_valid() for form in self.forms]  # all of them, so that all errors are shown
        return all(each)

    def rule(self) -> Rule:
        """Return the rule; an empty combination beside others says nothing."""
        clauses = tuple(form.clause() for form in self.forms)
        said = tuple(clause for clause in clauses if clause != Clause())
        return Rule(said or clauses[:1])
