"""What Django needs to know, and nothing that an office may want to change.

Values come from `configuration.py` (`circular.toml` and `CIRCULAR_*`), typed and checked; everything
that a person in the institution may change is a row edited on a page.
"""

import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.utils.translation import gettext_lazy as _

from circular.config import configuration, embedded, logs

CIRCULAR = configuration.load()
PACKAGE = Path(__file__).resolve().parent.parent
BASE_URL = CIRCULAR.base_url

# The `circular` command makes the key before anything serves pages; without it only tests and
# `makemigrations` come here.
SECRET_KEY = configuration.known_secret_key(CIRCULAR) or "development-only-" + "0" * 40
DEBUG = False
ALLOWED_HOSTS = sorted(
    {urlsplit(BASE_URL).hostname or "", "127.0.0.1", "localhost", "[::1]"} - {""}
)
CSRF_TRUSTED_ORIGINS = [BASE_URL]

INSTALLED_APPS = [
    "circular.evidence",
    "circular.people",
    "circular.directory",
    "circular.mailing",
    "circular.outcomes",
    "circular.dispatch",
    "circular.workflow",
    "circular.followup",
    "circular.intake",
    "circular.counter",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "pgtrigger",
    "procrastinate.contrib.django",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "circular.counter.security.SecurityHeaders",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "circular.people.middleware.personal_language",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "circular.counter.context.page",
            ],
        },
    },
]

ROOT_URLCONF = "circular.config.urls"
AUTH_USER_MODEL = "people.Person"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email", "full_name"]},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Passkeys are allauth's; the pages around them are the people room's own.
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
MFA_SUPPORTED_TYPES = ["webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = BASE_URL.startswith("http:")
MFA_ADAPTER = "circular.people.passkeys.PasskeyAdapter"
LOGIN_URL = "/entrar"
LOGIN_REDIRECT_URL = "/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _database(url: str) -> dict[str, object]:
    """Read postgresql://user:password@host:port/name?host=folder&passfile=… as libpq does."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    suffix = os.environ.get("CIRCULAR_TEST_DB_SUFFIX", "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", unquote(parts.hostname or "")),
        "PORT": query.pop("port", str(parts.port or "")),
        "CONN_MAX_AGE": 60,  # seconds
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"application_name": "circular", **query},
        "TEST": {"NAME": "test_circular" + (f"_{suffix}" if suffix else "")},
    }


DATABASES = {"default": _database(CIRCULAR.database_url or embedded.url_of(CIRCULAR.data_folder))}

LANGUAGE_CODE = "es-co"
LANGUAGES = [("es-co", _("Español")), ("en", _("Inglés"))]
LOCALE_PATHS = [PACKAGE / "locale"]
USE_I18N = True
USE_THOUSAND_SEPARATOR = True
TIME_ZONE = "America/Bogota"
USE_TZ = True

STATIC_URL = "/static/"
# Served from the package itself: no collecting step stands between an upgrade and its pages.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

if CIRCULAR.behind_proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Workers look for the rooms' `tasks` themselves (`jobs.run_worker`); the pages need none of them.
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = None

EMAIL_BACKEND = "circular.mailing.backend.EmailBackend"

SESSION_COOKIE_NAME = "circular_session"
SESSION_COOKIE_AGE = 12 * 60 * 60  # seconds: a working day
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BASE_URL.startswith("https:")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "SAMEORIGIN"

DATA_UPLOAD_MAX_MEMORY_SIZE = 30 * 1024 * 1024  # the same ceiling as a request by mail
SILENCED_SYSTEM_CHECKS: list[str] = []

LOGGING_CONFIG = None  # `logs.set_up` does it, for programs without Django too
logs.set_up(CIRCULAR.log_level)
