"""Both containers: production, and the test container. Every default is the safe one."""

from __future__ import annotations

from logging.config import dictConfig

from config.settings.base import database, logging
from config.settings.build import *  # noqa: F403
from config.values import read

dictConfig(logging("WARNING", "json"))  # reading the environment may warn, before LOGGING is known
values = read()
https = values.external_protocol == "https"

SECRET_KEY = values.secret_key.get_secret_value()
ALLOWED_HOSTS = values.allowed_hosts
CSRF_TRUSTED_ORIGINS = [values.external_origin, *values.csrf_trusted_origins]
DATABASES = {"default": database(values)}
LOGGING = logging(values.log_level, "json")

# TLS ends at the load balancer, which sets this header on every request and drops a client's own.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = https
SECURE_HSTS_SECONDS = 31_536_000 if https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = https
SECURE_HSTS_PRELOAD = https
SESSION_COOKIE_SECURE = https
CSRF_COOKIE_SECURE = https
