"""Plain Python: unit and functional tests, and validating migrations against any server. All has a default."""

from __future__ import annotations

from config.settings.base import *  # noqa: F403
from config.settings.base import database, logging
from config.values import PlainPythonEnvironment, read

values = read(PlainPythonEnvironment)

SECRET_KEY = values.secret_key.get_secret_value()
ALLOWED_HOSTS = values.allowed_hosts
CSRF_TRUSTED_ORIGINS = [values.external_origin, *values.csrf_trusted_origins]
DATABASES = {"default": database(values)}
LOGGING = logging(values.log_level, "text")

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # tests log in often
WHITENOISE_USE_FINDERS = True  # nothing is collected here
