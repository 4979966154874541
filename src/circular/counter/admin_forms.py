"""What an administrator types about the house: witnesses, time limits, recesses, office hours."""

from datetime import time
from typing import Any

from django import forms
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from circular.counter.forms import DayField

KEEP = gettext_lazy("Vacía: se conserva la que hay. No se muestra nunca.")


class WitnessForm(forms.Form):
    """A mailbox of our own that proves what arrived."""

    address = forms.CharField(
        label=gettext_lazy("Dirección"),
        max_length=320,
        help_text=gettext_lazy("Un buzón que nadie use para otra cosa."),
        error_messages={"required": gettext_lazy("Escriba la dirección de la cuenta testigo")},
        widget=forms.TextInput(attrs={"inputmode": "email", "autocomplete": "off"}),
    )
    imap_host = forms.RegexField(
        label=gettext_lazy("Servidor IMAP"),
        regex=r"\A[A-Za-z0-9][A-Za-z0-9.:-]{0,252}\Z",
        error_messages={
            "required": gettext_lazy("Escriba el servidor IMAP"),
            "invalid": gettext_lazy("Escriba el servidor sin espacios ni barras"),
        },
    )
    imap_port = forms.IntegerField(
        label=gettext_lazy("Puerto"), initial=993, min_value=1, max_value=65535, localize=False
    )
    security = forms.ChoiceField(
        label=gettext_lazy("Cifrado"),
        choices=[
            ("tls", gettext_lazy("TLS desde el inicio")),
            ("starttls", gettext_lazy("STARTTLS (obligatorio)")),
            ("none", gettext_lazy("Sin cifrado")),
        ],
        initial="tls",
    )
    username = forms.CharField(
        label=gettext_lazy("Usuario"),
        max_length=320,
        error_messages={"required": gettext_lazy("Escriba el usuario del buzón")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Contraseña"),
        required=False,
        strip=False,
        help_text=KEEP,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    folder = forms.CharField(label=gettext_lazy("Carpeta"), max_length=255, initial="INBOX")
    active = forms.BooleanField(label=gettext_lazy("En uso"), required=False, initial=True)

    def clean_address(self) -> str:
        """Return an address that is one."""
        address = str(self.cleaned_data["address"]).strip()
        try:
            validate_email(address)
        except forms.ValidationError:
            raise forms.ValidationError(
                _("Escriba una dirección completa, como testigo@dominio")
            ) from None
        return address


class RecessForm(forms.Form):
    """Days on which the institution does not work."""

    name = forms.CharField(
        label=gettext_lazy("Nombre"),
        max_length=200,
        help_text=gettext_lazy("Por ejemplo: vacaciones colectivas de fin de año."),
        error_messages={"required": gettext_lazy("Escriba el nombre del receso")},
    )
    from_on = DayField(
        label=gettext_lazy("Primer día"),
        help_text=gettext_lazy("Día/mes/año."),
        error_messages={"required": gettext_lazy("Escriba el primer día")},
    )
    until_on = DayField(
        label=gettext_lazy("Último día"),
        help_text=gettext_lazy("Día/mes/año; ese día tampoco se trabaja."),
        error_messages={"required": gettext_lazy("Escriba el último día")},
    )

    @override
    def clean(self) -> dict[str, Any]:
        """Refuse a recess that ends before it begins."""
        found: dict[str, Any] = super().clean() or {}
        first, last = found.get("from_on"), found.get("until_on")
        if first is not None and last is not None and last < first:
            self.add_error("until_on", _("Elija un último día que no sea anterior al primero"))
        return found


class HoursField(forms.CharField):
    """A span of business time, in hours and perhaps minutes: 8, 8:30 or 0:45."""

    @override
    def clean(self, value: Any) -> int:
        """Return the span in minutes."""
        text = str(super().clean(value)).strip().lower().replace(" ", "").removesuffix("h")
        hours, colon, minutes = text.partition(":")
        good = hours.isascii() and hours.isdigit() and len(hours) <= 4
        good = good and (
            not colon or (minutes.isdigit() and len(minutes) == 2 and int(minutes) < 60)
        )
        if not good:
            raise forms.ValidationError(_("Escriba el plazo en horas, por ejemplo 8 o 8:30"))
        total = int(hours) * 60 + (int(minutes) if colon else 0)
        if total < 15:
            raise forms.ValidationError(_("Escriba un plazo de 0:15 o más"))
        return total


class LimitForm(forms.Form):
    """The time limit of one stage in one lane."""

    minutes = HoursField(
        label=gettext_lazy("Plazo, en horas hábiles"),
        help_text=gettext_lazy("Por ejemplo 8 o 8:30."),
        error_messages={"required": gettext_lazy("Escriba el plazo")},
    )
    remind_every_minutes = HoursField(
        label=gettext_lazy("Se recuerda cada, en horas hábiles"),
        error_messages={"required": gettext_lazy("Escriba cada cuánto se recuerda")},
    )
    escalate_after = forms.IntegerField(
        label=gettext_lazy("Recordatorios antes de avisar al líder del proceso"),
        min_value=0,
        max_value=20,
    )


class RulesForm(forms.Form):
    """The desk's few choices and the hours of the office."""

    morning_from = forms.TimeField(label=gettext_lazy("Mañana, desde"), initial=time(8))
    morning_until = forms.TimeField(label=gettext_lazy("Mañana, hasta"), initial=time(12))
    afternoon_from = forms.TimeField(label=gettext_lazy("Tarde, desde"), initial=time(14))
    afternoon_until = forms.TimeField(label=gettext_lazy("Tarde, hasta"), initial=time(18))
    filing_prefix = forms.RegexField(
        label=gettext_lazy("Prefijo del radicado"),
        regex=r"\A[A-Z]{1,12}\Z",
        help_text=gettext_lazy("Solo mayúsculas; vale para los radicados nuevos."),
        error_messages={"invalid": gettext_lazy("Escriba el prefijo con mayúsculas, sin espacios")},
    )
    require_sign_off = forms.BooleanField(
        label=gettext_lazy("Exigir el visto bueno del solicitante antes de aprobar"), required=False
    )
    count_tolerance_permille = forms.IntegerField(
        label=gettext_lazy("Diferencia tolerada entre el público aprobado y el de hoy, por mil"),
        help_text=gettext_lazy(
            "20 por mil son 20 personas de cada 1.000. Si cambia más, se aprueba otra vez."
        ),
        min_value=0,
        max_value=1000,
    )
    start_late_minutes = forms.IntegerField(
        label=gettext_lazy("Minutos de retraso tras los que un envío programado no sale solo"),
        help_text=gettext_lazy("Si el sistema estuvo apagado más que eso, una persona decide."),
        min_value=5,
        max_value=10080,
    )

    @override
    def clean(self) -> dict[str, Any]:
        """Refuse a day that is out of order."""
        found: dict[str, Any] = super().clean() or {}
        names = ("morning_from", "morning_until", "afternoon_from", "afternoon_until")
        times = [found.get(name) for name in names]
        if None not in times and not times[0] < times[1] <= times[2] < times[3]:  # type: ignore[operator]
            self.add_error("afternoon_until", _("Ponga las cuatro horas en orden"))
        return found
