"""What never differs between the environments, and how the registry's values become settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config.environment import Environment

BASE_DIR = Path(__file__).resolve().parents[2]

DEBUG = False
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "ledger",
]

MIDDLEWARE = [
    "config.health.HealthMiddleware",  # first: answers load balancers, which ask by IP address and over plain http
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{validator}"}
    for validator in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "ledger:rehearsals"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"


def database(environment: Environment) -> dict[str, Any]:
    """`DATABASES["default"]`. A server that is not reached is given up: at once when connecting (5 s), and after 15 to
    25 s on a connection that is there, such as one to a server that failed over without a word. One that is reached and
    does not answer, such as for a lock, is waited for: poolers refuse a statement timeout, and migrations need none.
    """
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": environment.db_host,
        "PORT": environment.db_port,
        "NAME": environment.db_name,
        "USER": environment.db_user,
        "PASSWORD": environment.db_pass.get_secret_value(),
        "CONN_MAX_AGE": environment.db_conn_max_age,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "sslmode": environment.db_sslmode,
            "connect_timeout": 5,  # seconds, as the next two
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,  # milliseconds
            "application_name": "ledger",
        },
    }


def logging(level: str, formatter: str) -> dict[str, Any]:
    """`LOGGING`: everything to standard output."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"format": "{levelname} {name}: {message}", "style": "{"},
            "json": {"()": "config.json_log.JsonFormatter"},
        },
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": formatter}
        },
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {"django": {"handlers": [], "level": level, "propagate": True}},
    }
