"""A whole rehearsal on real servers: what is measured, how failures come out, and that no data does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from greenroom.console import Silent
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.rehearsal.document import Budget, Rehearsal
from greenroom.rehearsal.rehearse import rehearse
from greenroom.rehearsal.report import files
from tests.integration.projects import PASSWORD, branches_of, requested, shop, write_project

ROWS = 300_000
SECRET = "planted-s3cret-of-a-customer"


@pytest.fixture(scope="module")
def source(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server, tmp_path_factory.mktemp("initial"), rows=ROWS) as address:
        with psycopg.connect(**address.parameters) as connection:
            connection.execute("UPDATE shop_customer SET email = %s WHERE id IN (1, 2)", [SECRET])
        yield address


def rehearsed(source: Address, project: Path, *, timeout: float = 60, probed_tables: int = 8) -> Rehearsal:
    budget = Budget(read_ms=1000, write_ms=2000, timeout_seconds=timeout)
    return rehearse(requested(source, project, budget=budget, probed_tables=probed_tables), Silent())


def test_rewrite_stalls_readers_and_writers_for_as_long_as_it_takes(source: Address, tmp_path: Path) -> None:
    change = "migrations.AlterField('Line', 'quantity', models.BigIntegerField())"
    rehearsal = rehearsed(source, write_project(tmp_path, change))
    [run] = rehearsal.migrations
    rewriting = next(statement for statement in run.statements if statement.rewrites)
    line = next(stall for stall in rehearsal.stalls if stall.table == "shop_line")
    assert run.status == "applied"
    assert [rewrite.table for rewrite in rewriting.rewrites] == ["shop_line"]
    assert "AccessExclusiveLock" in {lock.mode for lock in rewriting.locks if lock.table == "shop_line"}
    assert not line.derived
    assert line.read_ms >= rewriting.seconds * 1000 * 0.9
    assert line.write_ms >= rewriting.seconds * 1000 * 0.9
    assert line.read_ms <= rehearsal.totals.seconds * 1000
    assert line.rows == pytest.approx(ROWS, rel=0.02)


def test_index_stalls_writers_alone(source: Address, tmp_path: Path) -> None:
    index = "migrations.AddIndex('Line', models.Index(fields=['quantity', 'note'], name='line_qn'))"
    rehearsal = rehearsed(source, write_project(tmp_path, index))
    building = rehearsal.migrations[0].statements[0]
    line = next(stall for stall in rehearsal.stalls if stall.table == "shop_line")
    assert line.write_ms >= building.seconds * 1000 * 0.9
    assert line.read_ms == 0
    assert building.wal_bytes is None  # the server is shared: what it logs is not this statement's alone


def test_concurrent_index_is_polled_and_stalls_nobody(source: Address, tmp_path: Path) -> None:
    index = "AddIndexConcurrently('Line', models.Index(fields=['quantity', 'note'], name='line_qn'))"
    rehearsal = rehearsed(source, write_project(tmp_path, index, atomic=False))
    building = next(s for s in rehearsal.migrations[0].statements if "CONCURRENTLY" in s.sql)
    assert building.polled
    assert {lock.mode for lock in building.locks if lock.table == "shop_line"} == {"ShareUpdateExclusiveLock"}
    assert not [stall for stall in rehearsal.stalls if stall.table == "shop_line" and stall.write_ms > 50]


def test_backfill_in_one_transaction_stalls_writers_of_its_rows(source: Address, tmp_path: Path) -> None:
    before = "def fill(apps, schema_editor):\n    apps.get_model('shop', 'Line').objects.update(quantity=8)"
    rehearsal = rehearsed(source, write_project(tmp_path, "migrations.RunPython(fill)", before=before))
    updating = next(s for s in rehearsal.migrations[0].statements if s.sql.startswith("UPDATE"))
    line = next(stall for stall in rehearsal.stalls if stall.table == "shop_line")
    assert updating.rows == ROWS
    assert line.row_ms >= updating.seconds * 1000 * 0.6
    assert line.read_ms == 0


def test_stalls_are_derived_where_nothing_is_probed(source: Address, tmp_path: Path) -> None:
    change = "migrations.AlterField('Line', 'quantity', models.BigIntegerField())"
    rehearsal = rehearsed(source, write_project(tmp_path, change), probed_tables=0)
    line = next(stall for stall in rehearsal.stalls if stall.table == "shop_line")
    rewriting = next(s for s in rehearsal.migrations[0].statements if s.rewrites)
    assert line.derived
    assert line.read_ms >= rewriting.seconds * 1000


def test_new_tables_are_not_reported_as_blocked(source: Address, tmp_path: Path) -> None:
    create = (
        "migrations.CreateModel('Tag', [('id', models.BigAutoField(primary_key=True)), ('n', models.IntegerField())])"
    )
    alter = "migrations.AlterField('Tag', 'n', models.BigIntegerField())"
    rehearsal = rehearsed(source, write_project(tmp_path, create, alter))
    assert [run.status for run in rehearsal.migrations] == ["applied", "applied"]
    assert not [stall for stall in rehearsal.stalls if stall.table == "shop_tag"]


@pytest.mark.parametrize(
    ("operation", "exception", "sqlstate"),
    [
        ("migrations.AlterField('Customer', 'email', models.TextField(unique=True))", "IntegrityError", "23505"),
        ("migrations.RunSQL('ALTER TABLE shop_customer ALTER email TYPE int USING email::int')", "DataError", "22P02"),
        ("migrations.RunPython(burst)", "ValueError", None),
    ],
)
def test_failure_is_a_result_without_data(
    source: Address, tmp_path: Path, operation: str, exception: str, sqlstate: str | None
) -> None:
    before = (
        "def burst(apps, schema_editor):\n"
        "    raise ValueError(apps.get_model('shop', 'Customer').objects.get(id=1).email)\n"
    )
    harmless = "migrations.AddField('Line', 'extra', models.IntegerField(null=True))"
    rehearsal = rehearsed(source, write_project(tmp_path / "project", harmless, operation, before=before))
    directory = files.write(rehearsal, tmp_path / "reports")
    error = rehearsal.error
    assert error is not None
    assert rehearsal.verdict == "fail"
    assert (error.kind, error.exception, error.sqlstate) == ("migration failed", exception, sqlstate)
    assert error.migration == "shop.0003_change"
    assert error.applied == ["shop.0002_change"]
    assert (error.statement is None) == (sqlstate is None)  # the app's own code fails without a statement
    assert [run.status for run in rehearsal.migrations] == ["applied", "failed"]
    for written in directory.iterdir():
        assert SECRET not in written.read_text()
        assert PASSWORD not in written.read_text()
    assert rehearsal.copy_.dropped
    assert branches_of(source) == []


def test_hung_migration_is_stopped_and_says_where(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, "migrations.RunSQL('SELECT pg_sleep(60)')")
    rehearsal = rehearsed(source, project, timeout=1.5)
    assert rehearsal.error is not None
    assert (rehearsal.error.kind, rehearsal.error.migration) == ("timeout", "shop.0002_change")
    assert rehearsal.error.statement == "SELECT pg_sleep($1)"
    assert rehearsal.verdict == "fail"
    assert rehearsal.totals.seconds < 20
    assert branches_of(source) == []


def test_killed_app_is_a_result(source: Address, tmp_path: Path) -> None:
    before = "import os, signal\ndef fall(apps, schema_editor):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    rehearsal = rehearsed(source, write_project(tmp_path, "migrations.RunPython(fall)", before=before))
    assert rehearsal.error is not None
    assert rehearsal.error.kind == "agent died"
    assert "signal 9" in rehearsal.error.advice
    assert branches_of(source) == []


def test_child_that_the_app_leaves_behind_holds_nothing_up(source: Address, tmp_path: Path) -> None:
    """A worker of a pool keeps the agent's pipe open; it ends with the rehearsal."""
    before = (
        "import multiprocessing, time\n"
        "def leave(apps, schema_editor):\n"
        "    child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,), daemon=True)\n"
        "    child.start()\n"
        f"    open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
    )
    project = write_project(tmp_path / "project", "migrations.RunPython(leave)", before=before)
    rehearsal = rehearsed(source, project, timeout=20)
    assert rehearsal.error is None
    assert rehearsal.totals.seconds < 15
    status = Path("/proc", (tmp_path / "pid").read_text(), "status")
    assert not status.exists() or "State:\tZ" in status.read_text()


def test_queue_behind_a_reader_stalls_others_though_the_statement_fails(source: Address, tmp_path: Path) -> None:
    """ALTER TABLE waits 0.7 s for a reader and gives up: it never held a lock, but everybody had queued behind it."""
    before = (
        "import psycopg\n"
        "def queue(apps, schema_editor):\n"
        "    reader = psycopg.connect(**schema_editor.connection.get_connection_params())\n"
        "    reader.execute('SELECT id FROM shop_line LIMIT 1')\n"
        "    schema_editor.execute(\"SET LOCAL lock_timeout = '700ms'\")\n"
        "    schema_editor.execute('ALTER TABLE shop_line ADD COLUMN extra int')\n"
    )
    rehearsal = rehearsed(source, write_project(tmp_path, "migrations.RunPython(queue)", before=before))
    line = next(stall for stall in rehearsal.stalls if stall.table == "shop_line")
    assert rehearsal.error is not None and rehearsal.error.sqlstate == "55P03"
    assert not line.derived
    assert 500 <= line.read_ms <= 1500


def test_probes_that_are_ended_leave_derived_stalls(source: Address, tmp_path: Path) -> None:
    """A migration may end other sessions; that is not the server's end, and it is said."""
    others = "pid <> pg_backend_pid() AND usename = current_user AND datname = current_database()"
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
    change = "migrations.AlterField('Line', 'quantity', models.BigIntegerField())"
    project = write_project(tmp_path, f'migrations.RunSQL("{end}"), {change}')
    rehearsal = rehearsed(source, project)
    line = next(stall for stall in rehearsal.stalls if stall.table == "shop_line")
    assert rehearsal.migrations[0].status == "applied"
    assert line.derived
    assert any("derived from locks" in note for note in rehearsal.fidelity.notes)
    assert any("what became of views, keys and statements" in note for note in rehearsal.fidelity.notes)


def test_no_pending_migrations_pass_and_say_so(source: Address, tmp_path: Path) -> None:
    rehearsal = rehearsed(source, write_project(tmp_path))
    assert (rehearsal.verdict, rehearsal.migrations) == ("pass", [])
    assert any("no pending migrations" in reason for reason in rehearsal.reasons)


def test_fingerprint_covers_content_and_state(source: Address, tmp_path: Path) -> None:
    first = write_project(tmp_path / "a", "migrations.RunSQL('SELECT 1', 'SELECT 1')")
    same = write_project(tmp_path / "b", "migrations.RunSQL('SELECT 1', 'SELECT 1')")
    other = write_project(tmp_path / "c", "migrations.RunSQL('SELECT 2', 'SELECT 1')")
    prints = [rehearsed(source, project).plan.fingerprint for project in (first, same, other)]
    assert prints[0] == prints[1]
    assert prints[0] != prints[2]


def test_source_is_never_written_to(source: Address, tmp_path: Path) -> None:
    with psycopg.connect(**source.parameters) as connection:
        count = "SELECT count(*), sum(quantity), (SELECT count(*) FROM django_migrations) FROM shop_line"
        before = connection.execute(count).fetchone()
        connection.rollback()
    rehearsed(source, write_project(tmp_path, "migrations.RunSQL('DELETE FROM shop_line')"))
    with psycopg.connect(**source.parameters) as connection:
        assert connection.execute(count).fetchone() == before


def test_document_is_read_back_as_it_was_written(source: Address, tmp_path: Path) -> None:
    rehearsal = rehearsed(source, write_project(tmp_path / "project", "migrations.RunSQL('SELECT 1')"))
    directory = files.write(rehearsal, tmp_path / "reports")
    again = json.loads((directory / "rehearsal.json").read_text())
    assert again["copy"]["server_version"] == rehearsal.fidelity.server_version
    assert Rehearsal.model_validate(again) == rehearsal
