"""Runs in the image that ships, as `python -c THIS PLAN...`: migrates, but only by a plan that was rehearsed.

Standard library and Django alone; knows nothing of greenroom. PLAN is a fingerprint as rehearsal documents have it, or
`any`. Exit codes: 0 migrated, or nothing to do; 3 the database is where no rehearsal has begun; 4 another one migrates,
or could by now; 1 anything else. Prints no exception's text, since it can quote a row, or a secret of the settings.
"""

import hashlib
import json
import sys
import time
import traceback
from typing import Any, List, Sequence, Tuple

KEY = 0x677265656E
PROVEN_SECONDS = 1.0


class Stop(Exception):
    """An exit code, and why."""


def main(plans: Sequence[str]) -> int:
    """Migrate, where that is what was rehearsed; the exit code."""
    step = "The project does not start"
    try:
        import django

        django.setup()
        from django.db import connection

        step = "The database cannot be reached"
        connection.ensure_connection()
        step = "Not migrated"
        if connection.vendor != "postgresql":
            return migrate(connection, plans)
        with connection.execute_wrapper(Alone(connection)):
            return migrate(connection, plans)
    except Stop as stop:
        return say(*stop.args)
    except Exception as error:
        return say(1, "%s: %s" % (step, told(error)))


def migrate(connection: Any, plans: Sequence[str]) -> int:
    """The project's own `migrate`, held to the plan that is checked here."""
    from django.core.management import call_command
    from django.db.migrations.executor import MigrationExecutor

    names, fingerprint = pending(MigrationExecutor(connection))
    say(0, "Pending: %s; plan %s." % (", ".join(names) or "nothing", fingerprint))
    if names and "any" not in plans and fingerprint not in plans:
        raise Stop(3, "This plan was not rehearsed; the rehearsed: %s." % (", ".join(plans) or "none"))
    hold(MigrationExecutor, fingerprint)
    call_command("migrate", interactive=False)
    left, _ = pending(MigrationExecutor(connection))
    if left:
        raise Stop(1, "Still pending after `migrate`: %s." % ", ".join(left))
    return say(0, "Migrated.")


class Alone:
    """Nobody else migrates this database by this way while a transaction of its own connection is open.

    A lock of the session would stay behind in a transaction pooler; this one ends with its transaction, which keeps its
    server connection. Proven before a statement leaves, so that nothing is committed once it is lost.
    """

    def __init__(self, connection: Any) -> None:
        other = connection.copy()
        other.settings_dict["OPTIONS"] = dict(other.settings_dict["OPTIONS"], keepalives_idle=30)
        other.set_autocommit(False)
        self._wrapper, self._session, self._proven = other, other.connection, 0.0
        self._ask("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")  # any other keeps a snapshot
        self._ask(
            "SELECT set_config(name, '0', true) FROM pg_settings"
            " WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')"
        )
        if not self._ask("SELECT pg_try_advisory_xact_lock(%d)" % KEY):
            raise Stop(4, "Another process is migrating this database.")

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if time.monotonic() - self._proven > PROVEN_SECONDS or "django_migrations" in str(sql):
            try:
                self._ask("SELECT 1")
            except Exception:
                raise Stop(4, "The lock was lost: another process could migrate this database.") from None
            self._proven = time.monotonic()
        return execute(sql, params, many, context)

    def _ask(self, sql: str) -> Any:
        with self._session.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone() if cursor.description else None
        return row and row[0]


def hold(kind: Any, fingerprint: str) -> None:
    """Let the executor run that plan and no other, and no migration that is there by now."""
    run, apply = kind.migrate, kind.apply_migration

    def migrate(self: Any, targets: Any, plan: Any = None, *more: Any, **named: Any) -> Any:
        plan = self.migration_plan(targets) if plan is None else plan
        if described(self, plan)[1] != fingerprint:
            raise Stop(3, "The database or the plan has changed since it was checked: somebody else migrates.")
        return run(self, targets, plan, *more, **named)

    def apply_migration(self: Any, state: Any, one: Any, *more: Any, **named: Any) -> Any:
        if (one.app_label, one.name) in self.recorder.applied_migrations():
            raise Stop(3, "%s is there already: somebody else migrates." % one)
        return apply(self, state, one, *more, **named)

    kind.migrate, kind.apply_migration = migrate, apply_migration


def pending(executor: Any) -> Tuple[List[str], str]:
    """Names of what will run, and the plan's fingerprint."""
    executor.loader.check_consistent_history(executor.connection)
    if executor.loader.detect_conflicts():
        raise Stop(3, "The migrations conflict: makemigrations --merge.")
    return described(executor, executor.migration_plan(executor.loader.graph.leaf_nodes()))


def described(executor: Any, plan: Any) -> Tuple[List[str], str]:
    """The same of a plan, computed as for a rehearsal."""
    loader = executor.loader
    whole = executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True)
    place = {one: number for number, (one, _) in enumerate(whole)}
    ordered = sorted((one for one, _ in plan), key=lambda one: place.get(one, len(place)))
    rows = [[one.app_label, one.name, source(one)] for one in ordered]
    applied = sorted("%s.%s" % key for key in loader.applied_migrations)
    digest = hashlib.sha256(json.dumps([rows, applied]).encode()).hexdigest()
    return ["%s.%s" % (one[0], one[1]) for one in rows], digest


def source(migration: Any) -> str:
    """SHA-256 of its file; of its name where it has none."""
    try:
        with open(sys.modules[type(migration).__module__].__file__ or "", "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return hashlib.sha256(str(migration).encode()).hexdigest()


def told(error: Any) -> str:
    """Its class, and names that the server gives of it, none of the data; else where it was raised."""
    if type(error).__module__ == "django.db.migrations.exceptions":
        return "%s: %s" % (type(error).__name__, error)  # names of migrations
    diag = getattr(error.__cause__ or error, "diag", None)
    kinds = ("sqlstate", "table_name", "column_name", "constraint_name")
    found = [(kind, getattr(diag, kind, None)) for kind in kinds]
    names = "".join(", %s %s" % (kind.replace("_name", ""), value) for kind, value in found if value)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return type(error).__name__ + (names or " (%s:%s)" % (frame.filename, frame.lineno))


def say(code: int, text: str) -> int:
    """A line of the log; what a migration that fails has begun of one is ended first."""
    print(("\n" if code else "") + "greenroom: " + text, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
