"""Settings of the shop on which every hazard is tried; the database is put in by whoever runs it."""

SECRET_KEY = "for tests"
INSTALLED_APPS = ["shop"]
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "nowhere"}}
