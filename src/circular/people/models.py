"""People, units, posts and the institution itself, as rows that an office may change on a page."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from typing_extensions import override

from circular.mailformat.addresses import normalize
from circular.people import labels
from circular.people.roles import Role


def canonical(address: str) -> str:
    """Return the one spelling under which an address is stored and found."""
    return normalize(address) or address.strip().lower()


def _one_of(field: str, values: list[str], name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(**{f"{field}__in": values}), name=name)


class PersonManager(BaseUserManager["Person"]):
    """Finds people by address; creating them is the business of `services`."""

    @override
    def get_by_natural_key(self, username: str | None) -> "Person":
        return self.get(email=canonical(username or ""))


class Person(AbstractBaseUser):
    """Somebody who can sign in. The address is stored in one spelling: it is how they are found."""

    email = models.EmailField(_("correo"), max_length=254, unique=True)
    full_name = models.CharField(_("nombre completo"), max_length=200)
    phone = models.CharField(_("extensión o celular"), max_length=60, blank=True)
    is_active = models.BooleanField(_("activo"), default=True)
    is_superuser = models.BooleanField(_("administrador"), default=False)
    origin = models.CharField(max_length=8, choices=labels.ORIGINS, default="invited")
    language = models.CharField(_("idioma"), max_length=2, choices=labels.LANGUAGES, default="es")
    theme = models.CharField(_("aspecto"), max_length=5, choices=labels.THEMES, default="auto")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[PersonManager] = PersonManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["full_name"]

    class Meta:
        verbose_name = _("persona")
        verbose_name_plural = _("personas")
        indexes = [models.Index(fields=["full_name", "id"], name="people_person_by_name")]
        constraints = [
            _one_of("language", ["es", "en"], "people_person_language"),
            _one_of("theme", ["auto", "light", "dark"], "people_person_theme"),
            _one_of("origin", ["invited", "imported"], "people_person_origin"),
            models.CheckConstraint(
                condition=Q(email=models.functions.Lower("email")), name="people_person_email_lower"
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.full_name

    def get_full_name(self) -> str:
        return self.full_name

    def get_short_name(self) -> str:
        return self.full_name.split(" ", 1)[0]


class Unit(models.Model):
    """An academic or administrative unit (*dependencia*), in a tree."""

    code = models.CharField(_("código"), max_length=40, unique=True)
    name = models.CharField(_("nombre"), max_length=200)
    kind = models.CharField(_("clase"), max_length=14, choices=labels.UNIT_KINDS)
    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("depende de"),
    )
    mailbox = models.EmailField(_("buzón"), max_length=254, blank=True)
    active = models.BooleanField(_("activa"), default=True)

    class Meta:
        verbose_name = _("dependencia")
        verbose_name_plural = _("dependencias")
        indexes = [models.Index(fields=["name", "id"], name="people_unit_by_name")]
        constraints = [
            _one_of("kind", ["academic", "administrative"], "people_unit_kind"),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")),
                name="people_unit_not_own_parent",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person may ask for mass mail on behalf of a unit."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    unit = models.ForeignKey(Unit, on_delete=models.CASCADE, related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "unit"], name="people_membership_once")
        ]

    @override
    def __str__(self) -> str:
        return f"{self.person_id} in {self.unit_id}"


class Post(models.Model):
    """A post (*cargo*): letters go to its mailbox, acts are signed with its name."""

    code = models.CharField(_("código"), max_length=40, unique=True)
    name = models.CharField(_("cargo"), max_length=200)
    role = models.CharField(_("papel"), max_length=16, choices=labels.ROLE_CHOICES)
    mailbox = models.EmailField(_("buzón"), max_length=254)
    unit = models.ForeignKey(
        Unit,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="posts",
        verbose_name=_("dependencia"),
    )
    active = models.BooleanField(_("activo"), default=True)

    class Meta:
        verbose_name = _("cargo")
        verbose_name_plural = _("cargos")
        constraints = [_one_of("role", [role.value for role in Role], "people_post_role")]

    @override
    def __str__(self) -> str:
        return self.name


class Holding(models.Model):
    """A person holds a post from one day to another; *acting* (encargo) is a dated delegation."""

    person = models.ForeignKey(
        Person, on_delete=models.PROTECT, related_name="holdings", verbose_name=_("persona")
    )
    post = models.ForeignKey(
        Post, on_delete=models.PROTECT, related_name="holdings", verbose_name=_("cargo")
    )
    from_on = models.DateField(_("desde"))
    until_on = models.DateField(_("hasta"), null=True, blank=True)
    acting = models.BooleanField(_("por encargo"), default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "post", "from_on"], name="people_holding_once"
            ),
            models.CheckConstraint(
                condition=Q(until_on__isnull=True) | Q(until_on__gte=F("from_on")),
                name="people_holding_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=Q(acting=False) | Q(until_on__isnull=False),
                name="people_holding_acting_has_an_end",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.person_id} holds {self.post_id}"


class Sender(models.Model):
    """An official visible sender of a unit: nobody types a free From."""

    unit = models.ForeignKey(
        Unit, on_delete=models.PROTECT, related_name="senders", verbose_name=_("dependencia")
    )
    display_name = models.CharField(_("nombre visible"), max_length=120)
    address = models.EmailField(_("dirección"), max_length=254)
    reply_to = models.EmailField(_("responder a"), max_length=254, blank=True)
    active = models.BooleanField(_("activo"), default=True)

    class Meta:
        verbose_name = _("remitente")
        verbose_name_plural = _("remitentes")
        constraints = [
            models.UniqueConstraint(
                fields=["unit", "address", "display_name"], name="people_sender_once"
            )
        ]

    @override
    def __str__(self) -> str:
        return f"{self.display_name} <{self.address}>"


class Institution(models.Model):
    """The one row that says whose house this is and which liberties it takes."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    name = models.CharField(_("nombre de la institución"), max_length=200)
    short_name = models.CharField(_("nombre corto"), max_length=60)
    domain = models.CharField(_("dominio de correo"), max_length=253)
    communications_name = models.CharField(
        _("oficina que revisa"), max_length=200, default="Centro de Gestión de las Comunicaciones"
    )
    it_name = models.CharField(_("oficina que envía"), max_length=200, default="División TIC")
    confirm_automatically = models.BooleanField(
        _("confirmar al solicitante sin esperar a una persona"), default=True
    )
    separate_duties = models.BooleanField(
        _("exigir que quien revisa y quien envía sean personas distintas"), default=True
    )
    drafts_address = models.EmailField(_("buzón de solicitudes"), max_length=254, blank=True)
    language = models.CharField(
        _("idioma de la institución"), max_length=2, choices=labels.LANGUAGES, default="es"
    )
    accent = models.CharField(max_length=7, blank=True)
    accent_deep = models.CharField(max_length=7, blank=True)
    accent_soft = models.CharField(max_length=7, blank=True)
    on_accent = models.CharField(max_length=7, blank=True)
    tick = models.CharField(max_length=7, blank=True)

    class Meta:
        verbose_name = _("institución")
        verbose_name_plural = _("institución")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="people_institution_is_one"),
            _one_of("language", ["es", "en"], "people_institution_language"),
        ]

    @override
    def __str__(self) -> str:
        return self.name


class OneTimeLink(models.Model):
    """A link that opens one door once. Only the digest of its token is kept."""

    class Purpose(models.TextChoices):
        INVITATION = "invitation"
        FIRST_ACCESS = "first_access"

    digest = models.CharField(max_length=64, unique=True)
    purpose = models.CharField(max_length=12, choices=Purpose)
    person = models.ForeignKey(
        Person, on_delete=models.CASCADE, null=True, blank=True, related_name="links"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            _one_of("purpose", ["invitation", "first_access"], "people_link_purpose"),
            models.CheckConstraint(
                condition=Q(purpose="first_access", person__isnull=True)
                | Q(purpose="invitation", person__isnull=False),
                name="people_link_invites_somebody",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.purpose} {self.pk}"


class SignInCode(models.Model):
    """A code asked for at the sign-in page; it works in the browser that asked, once, for minutes.

    A row is written for every address that asks, known or not, so that asking tells nothing. The
    job that finds the address known draws the code and mails it; until then `digest` is empty and
    no code can match.
    """

    address = models.EmailField(max_length=254)
    nonce_digest = models.CharField(max_length=64, unique=True)
    digest = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="people_code_by_expiry")]

    @override
    def __str__(self) -> str:
        return f"code {self.pk}"


class RateLimit(models.Model):
    """How often something was tried in one window; shared by every process of the house."""

    key = models.CharField(max_length=64, primary_key=True)  # digest: no address, no IP number
    window_ends_at = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["window_ends_at"], name="people_rate_by_end")]

    @override
    def __str__(self) -> str:
        return f"{self.count} until {self.window_ends_at:%H:%M:%S}"
