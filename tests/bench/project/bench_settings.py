"""The smallest project with migrations worth timing; its database comes from DATABASE_URL's parts."""

from __future__ import annotations

import os

SECRET_KEY = "bench"
INSTALLED_APPS = ["bench"]
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("PGHOST", ""),
        "PORT": os.environ.get("PGPORT", ""),
        "NAME": os.environ.get("PGDATABASE", ""),
        "USER": os.environ.get("PGUSER", ""),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
    }
}
