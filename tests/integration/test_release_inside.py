"""The program that migrates in the image, run as ECS runs it: `python -c PROGRAM PLAN...`; on a real PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.release import gate, migrating, one_off
from tests.integration.projects import shop, write_project
from tests.integration.release_program import NOTE, SECOND, Program, until

pytestmark = pytest.mark.full

KEY = 0x677265656E
LOCK = f"locktype = 'advisory' AND objid = {KEY & 0xFFFFFFFF} AND granted"
TOLD = """
import os
from shop_settings import *
DATABASES["default"].update(
    HOST=os.environ["PGHOST"], PORT=os.environ["PGPORT"], NAME=os.environ["PGDATABASE"],
    USER=os.environ["PGUSER"], PASSWORD=os.environ["PGPASSWORD"],
)
"""
SERIALIZABLE = """
from django.db.backends.postgresql.psycopg_any import IsolationLevel
DATABASES["default"]["OPTIONS"] = {"isolation_level": IsolationLevel.SERIALIZABLE}
"""
MEANWHILE = """
import os
import psycopg

def applied(name):
    with psycopg.connect(
        host=os.environ["PGHOST"], port=os.environ["PGPORT"], dbname=os.environ["PGDATABASE"],
        user=os.environ["PGUSER"], password=os.environ["PGPASSWORD"],
    ) as other:
        other.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('shop', %s, now())", [name])
"""


@pytest.fixture
def source(server18: Server, tmp_path: Path) -> Iterator[Address]:
    with shop(server18, tmp_path / "initial", rows=10, name="inside_release") as address:
        yield address


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = write_project(tmp_path / "project", NOTE, SECOND)
    (made / "told.py").write_text(TOLD)
    (made / "meanwhile.py").write_text(MEANWHILE)
    return made


@pytest.fixture
def program(project: Path, source: Address) -> Iterator[Program]:
    made = Program(project, source)
    yield made
    made.end()


ALL = ["0001_initial", "0002_change", "0003_change"]


def test_rehearsed_plan_is_migrated_and_no_other(program: Program) -> None:
    code, said = program.run("0" * 64)
    assert code == 3
    assert said[0].startswith("Pending: shop.0002_change, shop.0003_change; plan ")
    assert said[1] == f"This plan was not rehearsed; the rehearsed: {'0' * 64}."
    assert program.applied() == ALL[:1]
    plan = program.plan()
    code, said = program.run("0" * 64, plan)
    assert (code, said[-1], program.applied()) == (0, "Migrated.", ALL)


def test_plan_is_the_one_of_a_rehearsal(program: Program, source: Address) -> None:
    """Of the same project and database, computed by the agent and greenroom on the other side."""
    from greenroom.rehearsal.watching import fingerprint

    script = (
        f"import json, sys; sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r}); import django\n"
        "django.setup()\n"
        "from django.db import connection\n"
        "from greenroom.rehearsal.agent.planner import Planner\n"
        "connection.ensure_connection()\n"
        "print(json.dumps(Planner(connection, []).describe()))"
    )
    environment = {**os.environ, **source.environment, "DJANGO_SETTINGS_MODULE": "told"}
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=program.project, env=environment, capture_output=True, text=True, check=True)
    assert program.plan() == fingerprint(json.loads(done.stdout))


def test_nothing_pending_needs_no_plan(program: Program) -> None:
    assert program.run("any")[0] == 0
    code, said = program.run()
    assert (code, [line.partition(";")[0] for line in said]) == (0, ["Pending: nothing", "Migrated."])


def test_another_that_migrates_is_left_alone(program: Program) -> None:
    with program.connect() as other, other.transaction():
        other.execute("SELECT pg_advisory_xact_lock(%s)", [KEY])
        assert program.run("any") == (4, ["Another process is migrating this database."])
    assert program.applied() == ALL[:1]
    assert program.run("any")[0] == 0


def test_two_at_once_migrate_once(program: Program) -> None:
    with program.in_the_middle() as first:
        assert program.run("any") == (4, ["Another process is migrating this database."])
    assert first.wait(timeout=60) == 0
    assert program.applied() == ALL


@pytest.mark.parametrize("isolated", ["", "by the app", "by the role"])
def test_lock_is_of_a_transaction_that_nobody_waits_for(program: Program, isolated: str) -> None:
    """Nothing that waits for older snapshots, as CREATE INDEX CONCURRENTLY does, has to wait for it."""
    if isolated == "by the app":
        (program.project / "told.py").write_text(TOLD + SERIALIZABLE)
    if isolated == "by the role":
        with program.connect() as connection:
            connection.execute("ALTER ROLE CURRENT_USER SET default_transaction_isolation = 'repeatable read'")
    held = (
        f"SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE {LOCK}"
        " AND state = 'idle in transaction' AND backend_xmin IS NULL AND backend_xid IS NULL"
    )
    with program.in_the_middle() as running:
        until(program, held, 1)
    assert running.wait(timeout=60) == 0
    until(program, f"SELECT count(*) FROM pg_locks WHERE {LOCK}", 0)


def test_nothing_is_committed_once_the_lock_is_lost(program: Program) -> None:
    with program.in_the_middle() as running, program.connect() as admin:
        ended = admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE {LOCK}").fetchall()
        assert ended == [(True,)]
    output = running.communicate(timeout=60)[0]
    assert running.returncode == 4, output
    assert output.endswith("\ngreenroom: The lock was lost: another process could migrate this database.\n")
    assert program.applied() == ALL[:2], "the one that had been committed before"


def test_timeouts_of_idle_transactions_do_not_take_the_lock(program: Program) -> None:
    with program.connect() as connection:
        connection.execute("ALTER ROLE CURRENT_USER SET idle_in_transaction_session_timeout = '200ms'")
    with program.in_the_middle() as running:
        time.sleep(1)
    assert running.wait(timeout=60) == 0
    assert program.applied() == ALL


CHANGES = """
import django.core.management as management
import meanwhile
_call = management.call_command
def call_command(*words, **named):
    meanwhile.applied("0002_change")
    return _call(*words, **named)
management.call_command = call_command
"""


def test_somebody_who_migrates_between_check_and_migration_is_noticed(program: Program) -> None:
    code, said = program.run(program.plan(), before=CHANGES)
    assert (code, said[-1]) == (
        3,
        "The database or the plan has changed since it was checked: somebody else migrates.",
    )
    with program.connect() as connection:
        columns = connection.execute(
            "SELECT count(*) FROM information_schema.columns WHERE table_name = 'shop_customer'"
        ).fetchone()
    assert columns == (2,), "neither migration ran"


def test_somebody_who_migrates_between_two_migrations_is_noticed(program: Program) -> None:
    other = "migrations.RunPython(lambda apps, editor: meanwhile.applied('0003_change'))"
    write_project(program.project, other, SECOND, before="import meanwhile")
    code, said = program.run("any")
    assert (code, said[-1]) == (3, "shop.0003_change is there already: somebody else migrates.")


def test_migrate_of_ones_own_that_migrates_nothing_is_no_success(program: Program) -> None:
    commands = program.project / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    for package in (commands, commands.parent):
        (package / "__init__.py").touch()
    (commands / "migrate.py").write_text(
        "from django.core.management.commands.migrate import Command as Migrate\n"
        "class Command(Migrate):\n"
        "    def handle(self, *words, **options): print('of another kind')\n"
    )
    code, said = program.run("any")
    assert (code, said[-1]) == (1, "Still pending after `migrate`: shop.0002_change, shop.0003_change.")


def test_failure_is_told_without_a_row(program: Program) -> None:
    fails = """migrations.RunSQL("INSERT INTO shop_customer (id, email) VALUES (1, 'pl4nted@example.com')")"""
    write_project(program.project, NOTE, fails)
    with program.start("any") as started:
        output = started.communicate(timeout=60)[0]
    assert started.returncode == 1
    last = output.splitlines()[-1]
    said = "greenroom: Not migrated: IntegrityError, sqlstate 23505, table shop_customer, constraint shop_customer_pkey"
    assert last == said
    assert "pl4nted" not in output and "Traceback" not in output


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("raise ValueError('pl4nted')", "The project does not start: ValueError (%s:1)"),
        ("import nothing_of_this_name", "The project does not start: ModuleNotFoundError (%s:1)"),
        (TOLD + "DATABASES['default']['PORT'] = '1'", "The database cannot be reached: OperationalError ("),
    ],
)
def test_project_that_does_not_start_is_told_without_its_words(program: Program, settings: str, said: str) -> None:
    told = program.project / "told.py"
    told.write_text(settings)
    with program.start("any") as started:
        output = started.communicate(timeout=60)[0]
    assert started.returncode == 1
    assert output.startswith("\ngreenroom: " + said.replace("%s", str(told)))
    assert len(output.splitlines()) == 2 and "pl4nted" not in output


@pytest.mark.parametrize(
    ("name", "text", "code", "said"),
    [
        ("0003_other.py", '("shop", "0002_change")', 3, "The migrations conflict: makemigrations --merge."),
        ("0004_lost.py", '("shop", "0003_gone")', 1, "Not migrated: NodeNotFoundError: Migration shop.0004_lost "),
    ],
)
def test_broken_graph_is_told_by_its_names(program: Program, name: str, text: str, code: int, said: str) -> None:
    (program.project / "shop" / "migrations" / name).write_text(
        f"from django.db import migrations\nclass Migration(migrations.Migration):\n    dependencies = [{text}]\n"
    )
    found, lines = program.run("any")
    assert found == code and lines[-1].startswith(said), lines


def test_program_fits_into_the_overrides_of_a_task() -> None:
    words = migrating.command("/opt/venv/bin/python", ["f" * 64] * gate.PLANS)
    assert len(json.dumps(one_off.overrides("app", words))) <= migrating.LARGEST
