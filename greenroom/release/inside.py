"""Runs in the image that ships, as `python -c THIS PLAN...`: migrates, but only by a plan that was rehearsed.

Standard library and Django alone; knows nothing of greenroom. PLAN is a fingerprint as rehearsal documents have it, or
`any`. Exit codes: 0 migrated, or nothing to do; 3 the database is where no rehearsal has begun; 4 another one migrates;
1 a migration failed. Prints no exception's message, since it can quote a row.
"""

import hashlib
import json
import sys
from typing import Any, List, Optional, Sequence, Tuple


def main(plans: Sequence[str]) -> int:
    """Migrate, where that is what was rehearsed; the exit code."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    if connection.vendor == "postgresql" and not alone(connection):
        return say(4, "Another process is migrating this database.")
    names, fingerprint = pending(connection)
    if names is None:
        return say(3, "The migrations conflict: makemigrations --merge.")
    say(0, "Pending: %s; plan %s." % (", ".join(names) or "nothing", fingerprint))
    if names and "any" not in plans and fingerprint not in plans:
        return say(3, "This plan was not rehearsed; the rehearsed: %s." % (", ".join(plans) or "none"))
    try:
        call_command("migrate", interactive=False)
    except Exception as error:
        cause = error.__cause__ or error
        return say(1, "%s%s" % (type(error).__name__, told(getattr(cause, "diag", None))))
    return say(0, "Migrated.")


def alone(connection: Any) -> bool:
    """Whether nobody else migrates this database by this way. The lock ends with the session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [0x677265656E])
        return bool(cursor.fetchone()[0])


def pending(connection: Any) -> Tuple[Optional[List[str]], str]:
    """Names of what will run, and the plan's fingerprint, computed as for a rehearsal."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    loader: Any = executor.loader
    loader.check_consistent_history(connection)
    if loader.detect_conflicts():
        return None, ""
    leaves = loader.graph.leaf_nodes()
    place = {one: number for number, (one, _) in enumerate(executor.migration_plan(leaves, clean_start=True))}
    plan = sorted((one for one, _ in executor.migration_plan(leaves)), key=lambda one: place.get(one, len(place)))
    rows = [[one.app_label, one.name, source(one)] for one in plan]
    applied = sorted("%s.%s" % key for key in loader.applied_migrations)
    return ["%s.%s" % (one[0], one[1]) for one in rows], hashlib.sha256(
        json.dumps([rows, applied]).encode()
    ).hexdigest()


def source(migration: Any) -> str:
    """SHA-256 of its file; of its name where it has none."""
    try:
        with open(sys.modules[type(migration).__module__].__file__ or "", "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return hashlib.sha256(str(migration).encode()).hexdigest()


def told(diag: Any) -> str:
    """Names that the server gives of an error, none of the data."""
    kinds = ("sqlstate", "table_name", "column_name", "constraint_name")
    found = [(kind, getattr(diag, kind, None)) for kind in kinds]
    return "".join(", %s %s" % (kind.replace("_name", ""), value) for kind, value in found if value)


def say(code: int, text: str) -> int:
    """A line of the log."""
    print("greenroom: " + text, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
