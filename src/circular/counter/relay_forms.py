"""What an office types about a relay: where it is, on what terms it is used, when sending stops itself.

A field of the terms that was left empty keeps the shipped value: nobody must know what a depth is to
send a circular.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.text import capfirst, format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from circular.counter import labels
from circular.counter.admin_forms import KEEP
from circular.dispatch.labels import UNITS, WINDOWS
from circular.dispatch.models import Security, SignInMethod
from circular.dispatch.presets import Preset
from circular.dispatch.queries import RelayRow
from circular.dispatch.quotas import Quota, QuotaUnit, Window
from circular.dispatch.services import Terms

PLACE = ("name", "host", "port", "security", "verify", "username", "password", "sign_in")
USE = ("active", "rank", "weight", "max_connections")
MANNERS = ("recipients_per_message", "messages_per_connection", "max_age", "depth", "sign_dkim")
WHOM = ("classes", "groups")
SHIPPED = Terms()


if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class ShippedField(forms.IntegerField):
    """A number that may be left empty: then the shipped one holds."""

    def __init__(self, *, label: StrOrPromise, shipped: int, most: int, **more: Any) -> None:
        """Take the number that holds when none is typed."""
        self.shipped = shipped
        super().__init__(
            label=label,
            initial=shipped,
            required=False,
            min_value=1,
            max_value=most,
            localize=False,
            **more,
        )

    @override
    def clean(self, value: Any) -> int:
        """Return the number typed, or the shipped one."""
        found = super().clean(value)
        return self.shipped if found is None else int(found)


def quota_name(window: Window, unit: QuotaUnit) -> str:
    """Name the field of one quota."""
    return f"quota_{window.value}_{unit.value}"


class RelayForm(forms.Form):
    """A mail server that takes our mail."""

    name = forms.CharField(
        label=gettext_lazy("Nombre"),
        max_length=80,
        help_text=gettext_lazy("Como lo llama su oficina, por ejemplo salida-1."),
        error_messages={"required": gettext_lazy("Escriba un nombre para el servidor")},
    )
    host = forms.RegexField(
        label=gettext_lazy("Servidor"),
        regex=r"\A[A-Za-z0-9][A-Za-z0-9.:-]{0,252}\Z",
        help_text=gettext_lazy("Nombre o dirección, por ejemplo correo.universidad.edu.co."),
        error_messages={
            "required": gettext_lazy("Escriba el servidor"),
            "invalid": gettext_lazy("Escriba el servidor sin espacios ni barras"),
        },
    )
    port = forms.IntegerField(
        label=gettext_lazy("Puerto"),
        initial=587,
        min_value=1,
        max_value=65535,
        localize=False,
        help_text=gettext_lazy("587 con STARTTLS, 465 con TLS, 25 dentro del campus."),
        error_messages={"required": gettext_lazy("Escriba el puerto")},
    )
    security = forms.ChoiceField(
        label=gettext_lazy("Cifrado"), choices=Security.choices, initial=Security.STARTTLS
    )
    verify = forms.BooleanField(
        label=gettext_lazy("Comprobar el certificado"),
        required=False,
        initial=True,
        help_text=gettext_lazy("Solo se apaga con un certificado propio, dentro del campus."),
    )
    username = forms.CharField(
        label=gettext_lazy("Usuario"),
        max_length=254,
        required=False,
        help_text=gettext_lazy("Vacío si el servidor acepta a este equipo sin contraseña."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Contraseña"),
        required=False,
        strip=False,
        help_text=KEEP,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    sign_in = forms.ChoiceField(
        label=gettext_lazy("Forma de ingreso"),
        choices=SignInMethod.choices,
        initial=SignInMethod.PASSWORD,
        required=False,
    )
    active = forms.BooleanField(label=gettext_lazy("En uso"), required=False, initial=True)
    rank = forms.IntegerField(
        label=gettext_lazy("Orden"),
        initial=100,
        min_value=0,
        max_value=1000,
        localize=False,
        help_text=gettext_lazy(
            "El menor se usa primero; el siguiente, mientras este descansa o no tiene cuota."
        ),
    )
    weight = ShippedField(
        label=gettext_lazy("Peso"),
        shipped=SHIPPED.weight,
        most=100,
        help_text=gettext_lazy("Con otros del mismo orden, cuánto del correo le toca."),
    )
    max_connections = forms.IntegerField(
        label=gettext_lazy("Conexiones a la vez, por proceso"),
        initial=4,
        min_value=1,
        max_value=100,
        help_text=gettext_lazy("Se comienza con una y se añaden mientras el servidor las acepte."),
    )
    classes = forms.MultipleChoiceField(
        label=gettext_lazy("Solo para estas clases de correo"),
        choices=list(labels.CLASSES.items()),
        required=False,
        help_text=gettext_lazy("Sin ninguna marcada: para todas."),
        widget=forms.CheckboxSelectMultiple,
    )
    groups = forms.MultipleChoiceField(
        label=gettext_lazy("Solo para estos públicos"),
        choices=list(labels.GROUPS.items()),
        required=False,
        help_text=gettext_lazy(
            "Sin ninguno marcado: para todos. Un envío entra solo si todo su público cabe aquí."
        ),
        widget=forms.CheckboxSelectMultiple,
    )
    recipients_per_message = ShippedField(
        label=gettext_lazy("Personas por mensaje, a lo sumo"),
        shipped=SHIPPED.recipients_per_message,
        most=10_000,
        help_text=gettext_lazy("Vale cuando el mismo mensaje va a muchos."),
    )
    messages_per_connection = ShippedField(
        label=gettext_lazy("Mensajes por conexión, a lo sumo"),
        shipped=SHIPPED.messages_per_connection,
        most=1_000_000,
    )
    max_age = ShippedField(
        label=gettext_lazy("Segundos por conexión, a lo sumo"), shipped=SHIPPED.max_age, most=86_400
    )
    depth = ShippedField(
        label=gettext_lazy("Mensajes en camino por conexión"),
        shipped=SHIPPED.depth,
        most=64,
        help_text=gettext_lazy(
            "Si el proceso muere, cuántos quedan en duda por conexión; con CHUNKING se aprovechan."
        ),
    )
    sign_dkim = forms.BooleanField(
        label=gettext_lazy("Firmar con DKIM aquí"),
        required=False,
        help_text=gettext_lazy("Solo si el servidor no firma."),
    )
    confirm_last = forms.BooleanField(
        label=gettext_lazy("Sí, dejar de enviar: es el único servidor en uso"),
        required=False,
        help_text=gettext_lazy("Mientras no haya otro, nada sale; tampoco los avisos."),
    )

    def __init__(self, *args: Any, is_last: bool = False, **kwargs: Any) -> None:
        """Take whether mail leaves through no other relay."""
        super().__init__(*args, **kwargs)
        self.is_last = is_last
        self.asks_for_confirmation = False
        for window in Window:
            for unit in QuotaUnit:
                self.fields[quota_name(window, unit)] = forms.IntegerField(
                    label=capfirst(format_lazy("{} {}", UNITS[unit], WINDOWS[window])),
                    required=False,
                    min_value=1,
                    max_value=10**12,
                    localize=False,
                )
        confirmation = self.fields.pop("confirm_last")
        if is_last and self.is_bound and not self.data.get("active"):
            self.asks_for_confirmation = True
            self.fields["confirm_last"] = confirmation

    @override
    def clean(self) -> dict[str, Any]:
        """Ask once more before the only relay goes out of use."""
        found: dict[str, Any] = super().clean() or {}
        if self.asks_for_confirmation and not found.get("confirm_last"):
            self.add_error("confirm_last", _("Marque esta casilla, o deje el servidor en uso"))
        return found

    def parts(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        """Give the fields in the order of the page."""
        yield "place", [self[name] for name in PLACE]
        use = [*USE, "confirm_last"] if self.asks_for_confirmation else [*USE]
        yield "use", [self[name] for name in use]
        yield "whom", [self[name] for name in WHOM]
        yield "manners", [self[name] for name in MANNERS]

    def quota_rows(self) -> list[list[forms.BoundField]]:
        """Give the fields of the quotas, a row for each window."""
        return [[self[quota_name(window, unit)] for unit in QuotaUnit] for window in Window]

    def place(self) -> dict[str, Any]:
        """Return where the relay is, without its password."""
        names = ("name", "host", "port", "security", "verify", "username")
        return {
            name: self.cleaned_data[name] for name in (*names, "active", "rank", "max_connections")
        }

    def terms(self) -> Terms:
        """Return on what terms the relay is used."""
        given = self.cleaned_data
        return Terms(
            weight=given["weight"],
            classes=tuple(given["classes"]),
            groups=tuple(given["groups"]),
            recipients_per_message=given["recipients_per_message"],
            messages_per_connection=given["messages_per_connection"],
            max_age=given["max_age"],
            depth=given["depth"],
            sign_in=given["sign_in"] or SHIPPED.sign_in,
            sign_dkim=given["sign_dkim"],
            quotas=tuple(
                Quota(window, unit, most)
                for window in Window
                for unit in QuotaUnit
                if (most := given.get(quota_name(window, unit)))
            ),
        )


def initial_of(row: RelayRow, quotas: list[Quota]) -> dict[str, Any]:
    """Return what a relay's form shows first."""
    names = [name for name in (*PLACE, *USE, *WHOM, *MANNERS) if name != "password"]
    return {name: getattr(row, name) for name in names} | _typed(quotas)


def initial_of_preset(preset: Preset) -> dict[str, Any]:
    """Return what a preset fills in; names, users and passwords are the office's."""
    names = ("port", "security", "verify", "max_connections")
    found = {name: getattr(preset, name) for name in (*names, *MANNERS) if name != "sign_dkim"}
    if preset.host:
        found["host"] = preset.host
    empty = {quota_name(window, unit): None for window in Window for unit in QuotaUnit}
    return found | empty | _typed(list(preset.quotas))


def _typed(quotas: list[Quota]) -> dict[str, Any]:
    return {quota_name(one.window, one.unit): one.most for one in quotas}


class SendingRulesForm(forms.Form):
    """When a circular stops by itself and asks a person."""

    percent = forms.IntegerField(
        label=gettext_lazy("Rechazos que detienen un envío, por ciento"),
        min_value=1,
        max_value=100,
        help_text=gettext_lazy("De las últimas 200 respuestas. Se propone 20."),
    )
    least = forms.IntegerField(
        label=gettext_lazy("Y no antes de tantas personas rechazadas"),
        min_value=1,
        max_value=100_000,
        help_text=gettext_lazy("Un envío a menos personas no se detiene solo. Se propone 25."),
    )
