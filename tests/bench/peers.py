"""Runs in the peers' own environment: what each says of a project's pending migrations, as JSON on standard output.

    python peers.py PROJECT APP DIRECTORY_OF_SQUAWK MAJOR_OF_POSTGRESQL

The project's database is told by libpq's variables. Each peer is used as its documentation says: squawk on the output
of `sqlmigrate`, the two linters by their management commands, the zero-downtime backend by letting it write the SQL
with ZERO_DOWNTIME_MIGRATIONS_RAISE_FOR_UNSAFE.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command

PEERS = ("squawk", "migration-linter", "safe-migrations", "zero-downtime")


def main(project: str, app: str, programs: str, major: str) -> None:
    os.chdir(project)
    sys.path.insert(0, project)
    os.environ["DJANGO_SETTINGS_MODULE"] = f"{app}_settings"
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_migration_linter", "django_safe_migrations"]
    default = settings.DATABASES["default"]
    default.update({key: os.environ[f"PG{value}"] for key, value in (("HOST", "HOST"), ("PORT", "PORT"))})
    default.update(NAME=os.environ["PGDATABASE"], USER=os.environ["PGUSER"], PASSWORD=os.environ["PGPASSWORD"])
    settings.ZERO_DOWNTIME_MIGRATIONS_RAISE_FOR_UNSAFE = True
    settings.ZERO_DOWNTIME_MIGRATIONS_LOCK_TIMEOUT = "2s"
    django.setup()
    names = sorted(path.stem for path in Path(app, "migrations").glob("0*.py"))[1:]
    told = {
        "squawk": _asked(lambda: squawk(app, names, Path(programs) / "squawk", major)),
        "migration-linter": _asked(lambda: linter(app)),
        "safe-migrations": _asked(lambda: safe(app)),
        "zero-downtime": _asked(lambda: zero_downtime(app, names)),
    }
    print(json.dumps(told))


def squawk(app: str, names: list[str], program: Path, major: str) -> list[str]:
    """Rules that it names."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            file = Path(place) / f"{name}.sql"
            file.write_text(_sql(app, name))
            words = [program, "--reporter", "json", "--pg-version", f"{major}.0", file]
            said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
            found += [entry["rule_name"] for entry in json.loads(said or "[]")]
    return found


def linter(app: str) -> list[str]:
    """django-migration-linter: its errors and warnings."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        call_command("lintmigrations", app, unapplied_migrations=True, no_cache=True)
    ends = ("... ERR", "... WARNING")
    return [line.strip() for line in said.getvalue().splitlines() if line.rstrip().endswith(ends)]


def safe(app: str) -> list[str]:
    """django-safe-migrations: ids of its rules, without mere information."""
    said = io.StringIO()
    with contextlib.suppress(SystemExit):
        call_command("check_migrations", app, format="json", new_only=True, stdout=said)
    document: Any = json.loads(said.getvalue() or "{}")
    issues = document.get("issues", []) if isinstance(document, dict) else document
    grave = [issue for issue in issues if str(issue.get("severity")).lower() in ("error", "warning")]
    return [str(issue.get("rule_id")) for issue in grave]


def zero_downtime(app: str, names: list[str]) -> list[str]:
    """django-pg-zero-downtime-migrations: what it refuses to write SQL for."""
    from django.db import connections

    entry = {**settings.DATABASES["default"], "ENGINE": "django_zero_downtime_migrations.backends.postgres"}
    connections.databases["careful"] = entry
    found = []
    for name in names:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                call_command("sqlmigrate", app, name, database="careful")
        except Exception as error:
            found.append(f"{type(error).__name__}: {str(error).splitlines()[0][:120]}")
    return found


def _sql(app: str, name: str) -> str:
    said = io.StringIO()
    call_command("sqlmigrate", app, name, stdout=said, no_color=True)
    return said.getvalue()


def _asked(peer: Callable[[], list[str]]) -> dict[str, Any]:
    """What a peer says; that it failed is told, and is no finding."""
    try:
        return {"says": peer(), "failed": None}
    except Exception as error:
        return {"says": [], "failed": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main(*sys.argv[1:])
