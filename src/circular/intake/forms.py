"""What the one-time page asks: the fields that a mail left open. Checked for form only.

Rules
1. Names, hints and words are those of the web form: it is the same request.
2. Everything that filing needs is asked here; whether it may be filed is the desk's answer.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from circular.directory import queries as directory
from circular.directory.labels import GROUPS
from circular.directory.rules import Clause, Rule, RuleError, rule_from_json, rule_to_json
from circular.mailformat.addresses import parse_address
from circular.mailing.kinds import MailClass
from circular.people import queries as people
from circular.workflow.content import Content

Choices = Sequence[tuple[str, str]]
HOURS = tuple(time(hour, minute) for hour in range(7, 19) for minute in (0, 30))
_DAY = re.compile(r"\s*(\d{1,2})\s*[/.-]\s*(\d{1,2})\s*[/.-]\s*(\d{4}|\d{2})\s*\Z")
_CLASSES = (
    (MailClass.OFFICIAL.value, gettext_lazy("Oficial")),
    (MailClass.INFORMATIVE.value, gettext_lazy("Informativo")),
    (MailClass.PROMOTIONAL.value, gettext_lazy("Promocional")),
)
_PLACES = ("faculties", "programmes", "campuses")


class DraftForm(forms.Form):
    """A draft as its author completes it."""

    unit = forms.ChoiceField(
        label=gettext_lazy("Dependencia"),
        error_messages={"required": gettext_lazy("Elija la dependencia que solicita")},
    )
    contact_name = forms.CharField(
        label=gettext_lazy("Persona responsable"),
        max_length=200,
        error_messages={"required": gettext_lazy("Escriba la persona responsable")},
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    contact_phone = forms.CharField(
        label=gettext_lazy("Extensión o celular"),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "tel"}),
    )
    sender = forms.ChoiceField(
        label=gettext_lazy("Remitente"),
        error_messages={"required": gettext_lazy("Elija el remitente")},
    )
    reply_to = forms.CharField(
        label=gettext_lazy("Responder a"),
        max_length=254,
        required=False,
        help_text=gettext_lazy("Vacío: al mismo remitente."),
        widget=forms.TextInput(attrs={"autocomplete": "email", "inputmode": "email"}),
    )
    subject = forms.CharField(
        label=gettext_lazy("Asunto"),
        max_length=300,
        error_messages={"required": gettext_lazy("Escriba el asunto")},
    )
    text = forms.CharField(
        label=gettext_lazy("Mensaje"),
        strip=False,
        help_text=gettext_lazy("Deje una línea en blanco entre párrafos."),
        error_messages={"required": gettext_lazy("Escriba el mensaje")},
        widget=forms.Textarea(attrs={"rows": 9}),
    )
    groups = forms.MultipleChoiceField(
        label=gettext_lazy("Público"), required=False, widget=forms.CheckboxSelectMultiple
    )
    faculties = forms.MultipleChoiceField(
        label=gettext_lazy("Solo de estas facultades"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    programmes = forms.MultipleChoiceField(
        label=gettext_lazy("Solo de estos programas"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    campuses = forms.MultipleChoiceField(
        label=gettext_lazy("Solo de estas sedes"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    mail_class = forms.ChoiceField(
        label=gettext_lazy("Clase"), choices=_CLASSES, widget=forms.RadioSelect
    )
    wanted_on = forms.CharField(
        label=gettext_lazy("Día en que debe salir"),
        max_length=12,
        required=False,
        help_text=gettext_lazy("Día/mes/año, por ejemplo 4/12/2026. Vacío: cuando se pueda."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    wanted_time = forms.ChoiceField(
        label=gettext_lazy("Hora"),
        choices=[(f"{at:%H:%M}", f"{at:%H:%M}") for at in HOURS],
        required=False,
    )
    reason = forms.CharField(
        label=gettext_lazy("Por qué va a todo este público"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, person_id: int, draft: Content, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._draft = draft
        units = [(str(unit.id), unit.name) for unit in people.units_of(person_id)]
        senders = [
            (str(sender.id), f"{sender.display_name} <{sender.address}>")
            for sender in people.senders_for(person_id)
        ]
        self.has_units = bool(units)
        self._choose("unit", _with_blank(units))
        self._choose("sender", _with_blank(senders))
        known = directory.choices()
        self._choose("groups", [(c.value, str(GROUPS.get(c.value, c.value))) for c in known.groups])
        for name in _PLACES:
            values = [(c.value, c.value) for c in getattr(known, name)]
            if values:
                self._choose(name, values)
            else:
                del self.fields[name]
        if draft.html.strip():
            del self.fields["text"]  # the mail's own formatting stays; it is shown beside the form
        at = draft.wanted_at
        if at is not None:
            local = f"{timezone.localtime(at):%H:%M}"
            hours = [f"{hour:%H:%M}" for hour in HOURS]
            # An hour that a mail named stays choosable.
            self._choose("wanted_time", [(h, h) for h in sorted({*hours, local})])

    def _choose(self, name: str, choices: Choices) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(choices)

    def clean_subject(self) -> str:
        """Return the subject on one line."""
        return " ".join(str(self.cleaned_data["subject"]).split())

    def clean_reply_to(self) -> str:
        """Return an address that mail can be answered to."""
        written = str(self.cleaned_data["reply_to"]).strip()
        if not written:
            return ""
        address = parse_address(written)
        if address is None:
            raise forms.ValidationError(
                _("Escriba en «%(name)s» una dirección completa, como nombre@dominio")
                % {"name": _("Responder a")}
            )
        return address

    def clean_wanted_on(self) -> date | None:
        """Return a day that is not over yet, or none."""
        written = str(self.cleaned_data["wanted_on"]).strip()
        if not written:
            return None
        found = _DAY.match(written)
        try:
            day, month, year = (int(part) for part in found.groups()) if found else (0, 0, 0)
            wanted = date(year + 2000 if year < 100 else year, month, day)
        except ValueError:
            raise forms.ValidationError(
                _("Escriba la fecha como día/mes/año, por ejemplo 4/12/2026")
            ) from None
        if wanted < timezone.localdate():
            raise forms.ValidationError(_("Elija un día que no haya pasado"))
        return wanted

    @override
    def clean(self) -> dict[str, Any]:
        """Ask for an audience."""
        found: dict[str, Any] = super().clean() or {}
        if not any(found.get(name) for name in ("groups", *_PLACES)):
            self.add_error("groups", _("Elija el público"))
        return found

    def content(self) -> Content:
        """Return the draft with what was typed; message parts that the page does not ask for stay."""
        found = self.cleaned_data
        rule = Rule(
            (
                Clause(
                    groups=frozenset(found["groups"]),
                    faculties=frozenset(found.get("faculties", ())),
                    programmes=frozenset(found.get("programmes", ())),
                    campuses=frozenset(found.get("campuses", ())),
                ),
            )
        )
        return Content(
            sender=int(found["sender"]),
            reply_to=found["reply_to"],
            subject=found["subject"],
            html=self._draft.html,
            text=found.get("text", self._draft.text),
            attachments=self._draft.attachments,
            audience=rule_to_json(rule),
            audience_words=self._draft.audience_words,
            mail_class=MailClass(found["mail_class"]),
            wanted_at=_moment(found["wanted_on"], found["wanted_time"]),
            wanted_words=self._draft.wanted_words,
            reason=found["reason"],
        )


def initial_of(
    draft: Content, *, unit: int | None, contact_name: str, contact_phone: str
) -> Mapping[str, object]:
    """Return what the page shows before anything is typed: the draft as it was understood."""
    clause = _only_clause(draft)
    wanted = None if draft.wanted_at is None else timezone.localtime(draft.wanted_at)
    return {
        "unit": "" if unit is None else str(unit),
        "contact_name": contact_name,
        "contact_phone": contact_phone,
        "sender": "" if draft.sender is None else str(draft.sender),
        "reply_to": draft.reply_to,
        "subject": draft.subject,
        "text": draft.text,
        "groups": sorted(clause.groups),
        "faculties": sorted(clause.faculties),
        "programmes": sorted(clause.programmes),
        "campuses": sorted(clause.campuses),
        "mail_class": draft.mail_class.value,
        "wanted_on": "" if wanted is None else f"{wanted:%d/%m/%Y}",
        "wanted_time": "10:00" if wanted is None else f"{wanted:%H:%M}",
        "reason": draft.reason,
    }


def _only_clause(draft: Content) -> Clause:
    try:
        rule = Rule(()) if draft.audience is None else rule_from_json(draft.audience)
    except RuleError:
        return Clause()
    return rule.clauses[0] if len(rule.clauses) == 1 else Clause()


def _with_blank(choices: list[tuple[str, str]]) -> Choices:
    return choices if len(choices) == 1 else [("", _("Elija…")), *choices]


def _moment(day: date | None, hour: str) -> datetime | None:
    if day is None:
        return None
    at = time.fromisoformat(hour or "10:00")
    return timezone.make_aware(datetime.combine(day, at))
