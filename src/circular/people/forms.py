"""What people type to sign in and about themselves."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from typing_extensions import override

from circular.people import labels
from circular.people.models import Person

NEW_PASSWORD = _("Doce caracteres o más; tres o cuatro palabras sirven.")


class AddressForm(forms.Form):
    """Who asks for a code."""

    email = forms.EmailField(
        label=_("Correo institucional"),
        help_text=_("Le enviamos un código de seis cifras que vale diez minutos."),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username webauthn"}),
        error_messages={
            "required": _("Escriba su correo institucional"),
            "invalid": _("Escriba el correo completo, por ejemplo nombre@universidad.edu.co"),
        },
    )


class CodeForm(forms.Form):
    """The code that came by mail."""

    code = forms.CharField(
        label=_("Código"),
        help_text=_("Seis cifras, en el correo que acaba de recibir."),
        max_length=12,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        ),
        error_messages={"required": _("Escriba el código de seis cifras")},
    )


class PasswordForm(forms.Form):
    """Address and password of an invited person."""

    email = forms.EmailField(
        label=_("Correo"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
        error_messages={
            "required": _("Escriba su correo"),
            "invalid": _("Escriba el correo completo, por ejemplo nombre@universidad.edu.co"),
        },
    )
    password = forms.CharField(
        label=_("Contraseña"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": _("Escriba su contraseña")},
    )


class NewPasswordForm(forms.Form):
    """A password of one's own choosing, twice."""

    password = forms.CharField(
        label=_("Contraseña nueva"),
        help_text=NEW_PASSWORD,
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": _("Elija una contraseña")},
    )
    again = forms.CharField(
        label=_("La misma otra vez"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": _("Escriba la contraseña otra vez")},
    )

    def __init__(self, *args: Any, person: Person | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person

    @override
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password, again = cleaned.get("password"), cleaned.get("again")
        if password and again and password != again:
            self.add_error("again", _("Las dos contraseñas no son iguales: escríbala otra vez"))
        elif password:
            try:
                validate_password(password, self.person)
            except ValidationError as weak:
                self.add_error("password", weak)
        return cleaned


class ChangePasswordForm(NewPasswordForm):
    """A new password, with the present one as proof."""

    current = forms.CharField(
        label=_("Contraseña de ahora"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": _("Escriba la contraseña que usa ahora")},
    )
    field_order = ["current", "password", "again"]

    def clean_current(self) -> str:
        current = str(self.cleaned_data["current"])
        if self.person is None or not self.person.check_password(current):
            raise ValidationError(_("No es la contraseña que usa ahora: escríbala otra vez"))
        return current


class FirstAccessForm(NewPasswordForm):
    """The first administrator, and whose house this is."""

    full_name = forms.CharField(
        label=_("Su nombre completo"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={"required": _("Escriba su nombre completo")},
    )
    email = forms.EmailField(
        label=_("Su correo"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
        error_messages={
            "required": _("Escriba su correo"),
            "invalid": _("Escriba el correo completo, por ejemplo nombre@universidad.edu.co"),
        },
    )
    institution = forms.CharField(
        label=_("Nombre de la institución"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
        error_messages={"required": _("Escriba el nombre de la institución")},
    )
    domain = forms.RegexField(
        label=_("Dominio de correo"),
        help_text=_("Lo que sigue a la arroba, por ejemplo universidad.edu.co."),
        regex=r"\A(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+\Z",
        max_length=253,
        error_messages={
            "required": _("Escriba el dominio de correo"),
            "invalid": _("Escriba solo el dominio, por ejemplo universidad.edu.co"),
        },
    )
    field_order = ["full_name", "email", "password", "again", "institution", "domain"]


class PreferencesForm(forms.Form):
    """How a person wants to see the house."""

    language = forms.ChoiceField(label=_("Idioma"), choices=labels.LANGUAGES)
    theme = forms.ChoiceField(label=_("Aspecto"), choices=labels.THEMES)
