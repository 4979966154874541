"""What an administrator types about people, posts, units, senders and the institution.

Rule 1: a code stands in evidence, so it is plain ASCII.
Rule 2: a sender's address is of the institution's own domain.
"""

import re
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, Q
from django.utils.translation import gettext_lazy as _
from typing_extensions import override

from circular.people import labels, queries
from circular.people.colours import contrast
from circular.people.models import Holding, Person, Post, Sender, Unit, canonical

WRONG_ADDRESS = _("Escriba el correo completo, por ejemplo nombre@universidad.edu.co")
DAY_FORMS = ("%d/%m/%Y", "%Y-%m-%d", "%d/%m/%y")


class DayField(forms.DateField):
    """A day typed as day/month/year: a native picker would follow the browser's language."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("input_formats", DAY_FORMS)
        kwargs.setdefault(
            "widget",
            forms.DateInput(
                format="%d/%m/%Y", attrs={"inputmode": "numeric", "autocomplete": "off"}
            ),
        )
        super().__init__(**kwargs)
        self.error_messages["invalid"] = _("Escriba el día como día/mes/año, por ejemplo 4/12/2026")


def _ids(rows: list[queries.UnitRow], nothing: Any = None) -> list[tuple[str, Any]]:
    chosen: list[tuple[str, Any]] = [] if nothing is None else [("", nothing)]
    return [*chosen, *((str(row.id), row.name) for row in rows)]


class RowForm(forms.Form):
    """A form about one row that may exist already."""

    kind: ClassVar[type[Model]]

    def __init__(self, *args: Any, row: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row

    def taken(self, condition: Q) -> bool:
        """Tell whether another row already says so."""
        others = self.kind._default_manager.exclude(pk=self.row)  # noqa: SLF001 - public name
        return bool(others.filter(condition).exists())


class CodeField(forms.RegexField):
    """A short code that may stand in evidence: letters, figures, point and hyphen."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", _("Código"))
        kwargs.setdefault("help_text", _("Corto y sin espacios; queda escrito en la evidencia."))
        super().__init__(regex=re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z"), **kwargs)
        self.error_messages["required"] = _("Escriba un código")
        self.error_messages["invalid"] = _("Use letras sin tilde, cifras, punto y guion")


class AddressField(forms.EmailField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)
        self.error_messages["invalid"] = WRONG_ADDRESS
        self.error_messages.setdefault("required", WRONG_ADDRESS)


class UnitForm(RowForm):
    kind = Unit

    code = CodeField()
    name = forms.CharField(
        label=_("Nombre"),
        max_length=200,
        error_messages={"required": _("Escriba el nombre de la dependencia")},
    )
    category = forms.ChoiceField(label=_("Clase"), choices=labels.UNIT_KINDS)
    parent = forms.TypedChoiceField(
        label=_("Depende de"), required=False, coerce=int, empty_value=None
    )
    mailbox = AddressField(label=_("Buzón"), required=False)
    active = forms.BooleanField(
        label=_("Activa"),
        required=False,
        initial=True,
        help_text=_("Una dependencia inactiva no puede solicitar; sus expedientes siguen."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = [row for row in queries.units() if row.id != self.row]
        parent = self.fields["parent"]
        assert isinstance(parent, forms.TypedChoiceField)
        parent.choices = _ids(others, _("Ninguna"))

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        if self.taken(Q(code=code)):
            raise ValidationError(_("Otra dependencia ya tiene este código"))
        return code


class PostForm(RowForm):
    kind = Post

    code = CodeField()
    name = forms.CharField(
        label=_("Cargo"),
        max_length=200,
        help_text=_("Como lo escribe el procedimiento: firma los actos y recibe las cartas."),
        error_messages={"required": _("Escriba el nombre del cargo")},
    )
    role = forms.ChoiceField(label=_("Papel en el procedimiento"), choices=labels.ROLE_CHOICES)
    mailbox = AddressField(
        label=_("Buzón"), help_text=_("Las cartas van al cargo, no a la persona.")
    )
    unit = forms.TypedChoiceField(
        label=_("Dependencia"), required=False, coerce=int, empty_value=None
    )
    active = forms.BooleanField(
        label=_("Activo"),
        required=False,
        initial=True,
        help_text=_("Un cargo inactivo no da permisos a quien lo ocupa."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        unit = self.fields["unit"]
        assert isinstance(unit, forms.TypedChoiceField)
        unit.choices = _ids(queries.units(), _("Ninguna"))

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        if self.taken(Q(code=code)):
            raise ValidationError(_("Otro cargo ya tiene este código"))
        return code


class AppointmentForm(forms.Form):
    """Who holds a post, from when until when."""

    person = forms.CharField(
        label=_("Correo de la persona"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Escriba el correo de la persona")},
    )
    from_on = DayField(
        label=_("Desde"),
        help_text=_("Día/mes/año."),
        error_messages={"required": _("Escriba desde qué día")},
    )
    until_on = DayField(
        label=_("Hasta"), required=False, help_text=_("Vacío si no tiene fecha de fin.")
    )
    acting = forms.BooleanField(
        label=_("Por encargo"),
        required=False,
        help_text=_("Una delegación: necesita fecha de fin y el acto dirá quién la ejerció."),
    )

    def __init__(self, *args: Any, post: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.post = post

    def clean_person(self) -> int:
        found = queries.person_by_address(str(self.cleaned_data["person"]))
        if found is None:
            raise ValidationError(_("Nadie activo tiene este correo: invite antes a la persona"))
        return found.id

    @override
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        from_on, until_on = cleaned.get("from_on"), cleaned.get("until_on")
        if from_on and until_on and until_on < from_on:
            self.add_error("until_on", _("Elija un fin que no sea anterior al comienzo"))
        if cleaned.get("acting") and not until_on and "until_on" not in self.errors:
            self.add_error("until_on", _("Un encargo necesita fecha de fin"))
        again = Q(person=cleaned.get("person"), post=self.post, from_on=from_on)
        if cleaned.get("person") and from_on and Holding.objects.filter(again).exists():
            self.add_error("from_on", _("Esta persona ya tiene el cargo desde ese día"))
        return cleaned


class SenderForm(RowForm):
    kind = Sender

    unit = forms.TypedChoiceField(
        label=_("Dependencia"),
        coerce=int,
        error_messages={"required": _("Elija la dependencia")},
    )
    display_name = forms.CharField(
        label=_("Nombre visible"),
        max_length=120,
        help_text=_("Lo primero que lee quien recibe el correo."),
        error_messages={"required": _("Escriba el nombre visible")},
    )
    address = AddressField(
        label=_("Dirección"), help_text=_("De la dependencia, no de una persona.")
    )
    reply_to = AddressField(
        label=_("Responder a"),
        required=False,
        help_text=_("Vacío si las respuestas llegan a la misma dirección."),
    )
    active = forms.BooleanField(label=_("Activo"), required=False, initial=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        unit = self.fields["unit"]
        assert isinstance(unit, forms.TypedChoiceField)
        unit.choices = _ids(queries.units())

    def clean_display_name(self) -> str:
        name = str(self.cleaned_data["display_name"])
        if not name.isprintable():
            raise ValidationError(_("Escriba el nombre en una sola línea, sin signos de control"))
        return name

    def clean_address(self) -> str:
        address = canonical(str(self.cleaned_data["address"]))
        domain = queries.institution().domain
        host = address.rpartition("@")[2]
        if domain and host != domain and not host.endswith(f".{domain}"):
            raise ValidationError(
                _("Elija una dirección de %(domain)s: los servidores rechazan las ajenas"),
                params={"domain": domain},
            )
        return address

    @override
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        same = Q(
            unit=cleaned.get("unit"),
            address=cleaned.get("address"),
            display_name=cleaned.get("display_name"),
        )
        if not self.errors and self.taken(same):
            self.add_error("address", _("La dependencia ya tiene este remitente"))
        return cleaned


class PersonForm(RowForm):
    kind = Person

    full_name = forms.CharField(
        label=_("Nombre completo"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Escriba el nombre completo")},
    )
    phone = forms.CharField(label=_("Extensión o celular"), max_length=60, required=False)
    language = forms.ChoiceField(label=_("Idioma de sus cartas"), choices=labels.LANGUAGES)
    units = forms.TypedMultipleChoiceField(
        label=_("Dependencias por las que puede solicitar"),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    administrator = forms.BooleanField(
        label=_("Administrador"),
        required=False,
        help_text=_("Cuida personas, cargos y ajustes; no por eso revisa ni envía."),
    )
    is_active = forms.BooleanField(
        label=_("Puede entrar"),
        required=False,
        initial=True,
        help_text=_("Al quitarlo se cierran sus sesiones; lo que hizo queda en la evidencia."),
    )

    def __init__(self, *args: Any, is_self: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_self = is_self
        units = self.fields["units"]
        assert isinstance(units, forms.TypedMultipleChoiceField)
        units.choices = _ids(queries.units())
        if not units.choices:
            del self.fields["units"]

    @override
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        # Nobody locks the door behind themselves: somebody else takes an administrator's key.
        if self.is_self and not (cleaned.get("administrator") and cleaned.get("is_active")):
            raise ValidationError(
                _("Usted no puede quitarse a sí mismo la entrada: pídalo a otro administrador")
            )
        return cleaned


class InvitationForm(PersonForm):
    email = AddressField(
        label=_("Correo"), help_text=_("Ahí llega la invitación y con él se entra.")
    )
    field_order = ["full_name", "email", "phone", "language", "units", "administrator"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["is_active"]

    def clean_email(self) -> str:
        email = canonical(str(self.cleaned_data["email"]))
        if self.taken(Q(email=email)):
            raise ValidationError(_("Ya hay una persona con este correo"))
        return email


class InstitutionForm(forms.Form):
    name = forms.CharField(
        label=_("Nombre de la institución"),
        max_length=200,
        error_messages={"required": _("Escriba el nombre de la institución")},
    )
    short_name = forms.CharField(
        label=_("Nombre corto"),
        max_length=60,
        help_text=_("En el remitente de las cartas."),
        error_messages={"required": _("Escriba el nombre corto")},
    )
    domain = forms.CharField(
        label=_("Dominio de correo"),
        max_length=253,
        help_text=_("Lo que sigue a la arroba."),
        error_messages={"required": _("Escriba el dominio de correo")},
    )
    communications_name = forms.CharField(
        label=_("Oficina que revisa"),
        max_length=200,
        error_messages={"required": _("Escriba el nombre de la oficina que revisa")},
    )
    it_name = forms.CharField(
        label=_("Oficina que envía"),
        max_length=200,
        error_messages={"required": _("Escriba el nombre de la oficina que envía")},
    )
    drafts_address = AddressField(
        label=_("Buzón de solicitudes"),
        required=False,
        help_text=_("A dónde se escribe para pedir un correo masivo; también firma las cartas."),
    )
    language = forms.ChoiceField(label=_("Idioma de la institución"), choices=labels.LANGUAGES)
    confirm_automatically = forms.BooleanField(
        label=_("Confirmar al solicitante sin esperar a una persona"), required=False
    )
    separate_duties = forms.BooleanField(
        label=_("Quien revisa y quien envía son personas distintas"), required=False
    )
    accent = forms.CharField(
        label=_("Color de acento"),
        max_length=7,
        required=False,
        help_text=_("Como #1f5f8b. Vacío: el de Circular. Se comprueba que se lea sobre blanco."),
    )

    def clean_domain(self) -> str:
        domain = str(self.cleaned_data["domain"]).strip().casefold().removeprefix("@")
        if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", domain):
            raise ValidationError(_("Escriba solo el dominio, por ejemplo universidad.edu.co"))
        return domain

    def clean_accent(self) -> str:
        colour = str(self.cleaned_data["accent"]).strip().lower()
        if not colour:
            return ""
        if not re.fullmatch(r"#[0-9a-f]{6}", colour):
            raise ValidationError(_("Escriba el color como #1f5f8b"))
        if contrast(colour, "#ffffff") < 4.5:  # WCAG 2.2 §1.4.3, text on a sheet
            raise ValidationError(_("Elija un color más oscuro: sobre blanco no se lee bien"))
        return colour
