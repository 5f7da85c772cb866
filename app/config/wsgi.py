"""The way in for a WSGI server: `config.wsgi:application`."""

from __future__ import annotations

import os
import sys

from django.core.wsgi import get_wsgi_application

from config.values import settings_module
from config.variables import BadEnvironment

NEVER_START_AGAIN = 3  # gunicorn's WORKER_BOOT_ERROR: it ends, where it would replace a worker that exits otherwise

try:
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module("config.settings.prod")
    application = get_wsgi_application()
except BadEnvironment as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(NEVER_START_AGAIN)
