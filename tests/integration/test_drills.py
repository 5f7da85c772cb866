"""The drills on real servers: down and up, behind an open transaction, ended half-way; and what each leaves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from greenroom.config import Config, Project
from greenroom.console import Silent
from greenroom.copies.acquiring import Acquired, CopyRequest
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect, facts
from greenroom.rehearsal import drills
from greenroom.rehearsal.document import Budget, Drill, DrillName, Rehearsal
from greenroom.rehearsal.rehearse import rehearse
from greenroom.rehearsal.request import Request
from tests.integration.projects import PASSWORD, shop, write_project

ROWS = 60_000
ADD_NOTE = "migrations.AddField('Line', 'extra', models.IntegerField(null=True))"
CONCURRENTLY = "AddIndexConcurrently('line', models.Index(fields=['quantity'], name='line_quantity'))"


@pytest.fixture(scope="module")
def source(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server, tmp_path_factory.mktemp("initial"), rows=ROWS, name="drilled") as address:
        yield address


def drilled(source: Address, project: Path, *names: DrillName, budget_ms: float = 100) -> Rehearsal:
    facts = Project(directory=project, settings="shop_settings")
    config = Config(root=project, project=facts)
    url = f"postgresql://{source.user}:{PASSWORD}@{source.host}:{source.port}/{source.database}"
    request = Request(
        config=config,
        project=facts,
        source=CopyRequest(config=config, project=facts, url=url, template=True, branch="drills"),
        budget=Budget(read_ms=budget_ms, write_ms=budget_ms, timeout_seconds=60),
        drills=names,
    )
    rehearsal = rehearse(request, Silent())
    assert left(source) == []
    return rehearsal


def left(source: Address) -> list[str]:
    with psycopg.connect(**source.parameters) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'drilled\\_\\_%'").fetchall()
    return [name for (name,) in rows]


def told(drill: Drill) -> list[tuple[str, str, str]]:
    return [(step.what, step.status, step.detail) for step in drill.steps]


def named(rehearsal: Rehearsal, hazard: str) -> list[tuple[str, str | None, str]]:
    return [(f.severity, f.table, f.evidence.summary) for f in rehearsal.findings if f.hazard == hazard]


# -- back


def test_back_of_an_added_column_passes_and_counts_what_is_lost(source: Address, tmp_path: Path) -> None:
    filled = (
        "migrations.AddField('Line', 'extra', models.IntegerField(null=True)),"
        "migrations.RunSQL('UPDATE shop_line SET extra = 1 WHERE id <= 1000', migrations.RunSQL.noop)"
    )
    rehearsal = drilled(source, write_project(tmp_path, filled), "back")
    [drill] = rehearsal.drills
    assert (drill.name, drill.status) == ("back", "passed"), drill
    assert [status for _, status, _ in told(drill)] == ["passed"] * 4
    assert named(rehearsal, "C11") == [
        ("note", "shop_line", "Going back drops column extra (1,000 values) of shop_line.")
    ]


def test_back_of_a_removed_column_does_not_bring_its_values(source: Address, tmp_path: Path) -> None:
    rehearsal = drilled(source, write_project(tmp_path, "migrations.RemoveField('Line', 'note')"), "back")
    assert rehearsal.drills[0].status == "passed"
    lost = ROWS - ROWS // 5
    assert named(rehearsal, "C11") == [
        ("warning", "shop_line", f"{lost:,} values of column note of shop_line did not come back as they were.")
    ]


def test_back_that_changes_values_is_told(source: Address, tmp_path: Path) -> None:
    change = "migrations.RunSQL('UPDATE shop_line SET quantity = quantity + 1 WHERE id = 5', migrations.RunSQL.noop)"
    rehearsal = drilled(source, write_project(tmp_path, change), "back")
    assert named(rehearsal, "C11") == [
        ("warning", "shop_line", "Values of column quantity of shop_line did not come back as they were.")
    ]


def test_back_stops_at_what_has_no_reverse(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, ADD_NOTE, "migrations.RunSQL('SELECT 1')", "migrations.RunSQL('SELECT 2', '')")
    rehearsal = drilled(source, project, "back")
    [drill] = rehearsal.drills
    assert told(drill)[-1] == ("shop.0003_change taken back", "failed", "an operation of it has no reverse")
    assert drill.reason == (
        "shop.0003_change cannot be taken back: an operation of it has no reverse; 2 migrations would stay applied."
    )
    assert rehearsal.verdict == "warn"


def test_back_that_blocks_is_measured(source: Address, tmp_path: Path) -> None:
    slow = "migrations.RunSQL('SELECT 1', 'LOCK TABLE shop_line; SELECT pg_sleep(0.5)')"
    rehearsal = drilled(source, write_project(tmp_path, slow), "back")
    [(severity, table, summary)] = named(rehearsal, "C12")
    assert (severity, table) == ("warning", "shop_line")
    assert summary.startswith("Taking shop.0002_change back took 5")
    [finding] = [finding for finding in rehearsal.findings if finding.hazard == "C12"]
    assert finding.evidence.read_ms >= 400 and finding.evidence.write_ms >= 400


def test_back_that_leaves_another_schema_fails(source: Address, tmp_path: Path) -> None:
    odd = "migrations.RunSQL('CREATE INDEX odd_one ON shop_line (quantity)', migrations.RunSQL.noop)"
    rehearsal = drilled(source, write_project(tmp_path, odd), "back")
    [drill] = rehearsal.drills
    assert told(drill)[1] == (
        "down: the schema is what it was before",
        "failed",
        "index odd_one is there in addition",
    )
    assert drill.status == "failed"
    assert told(drill)[2][1] == "failed"  # so it cannot be applied again either


# -- lock-queue


def test_lock_queue_without_lock_timeout_makes_everybody_wait(source: Address, tmp_path: Path) -> None:
    rehearsal = drilled(source, write_project(tmp_path, ADD_NOTE), "lock-queue")
    [drill] = rehearsal.drills
    assert drill.status == "failed"
    [(what, status, detail)] = told(drill)
    assert (what, status) == ("a reader with an open transaction on shop_line", "failed")
    waited = r"the migration waited 1\.\d s, until the transaction ended; others waited up to (1\.\d s|9\d\d ms).*"
    assert re.fullmatch(waited, detail), detail
    [(severity, table, _)] = named(rehearsal, "H44")
    assert (severity, table) == ("warning", "shop_line")
    [finding] = [finding for finding in rehearsal.findings if finding.hazard == "H44"]
    assert finding.evidence.read_ms > 900 and finding.drill == "lock-queue"
    assert rehearsal.verdict == "warn"


def test_lock_queue_with_lock_timeout_gives_up(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, ADD_NOTE)
    settings = project / "shop_settings.py"
    settings.write_text(settings.read_text().replace("lock_timeout=0", "lock_timeout=300ms"))
    rehearsal = drilled(source, project, "lock-queue", budget_ms=2000)
    [drill] = rehearsal.drills
    assert drill.status == "passed", drill
    [(_, status, detail)] = told(drill)
    assert status == "passed" and detail.startswith("the migration gave up after 3")
    assert re.fullmatch(r"It gives up in time: nobody waited longer than (2\d\d|3\d\d) ms\.", drill.reason), (
        drill.reason
    )
    assert named(rehearsal, "H44") == []


def test_lock_queue_of_concurrently_keeps_nobody_waiting(source: Address, tmp_path: Path) -> None:
    rehearsal = drilled(source, write_project(tmp_path, CONCURRENTLY, atomic=False), "lock-queue")
    [drill] = rehearsal.drills
    assert drill.status == "passed", drill
    [(what, status, detail)] = told(drill)
    assert (what, status) == ("a writer with an open transaction on shop_line", "passed")
    assert detail == "the migration waited 1.0 s, until the transaction ended; nobody else waited"


# -- crash


def test_lock_queue_of_a_materialized_view_has_a_reader_there(source: Address, tmp_path: Path) -> None:
    with connect(source) as connection:
        connection.execute("CREATE MATERIALIZED VIEW summed AS SELECT count(*) FROM shop_line")
    try:
        project = write_project(tmp_path / "project", "migrations.RunSQL('REFRESH MATERIALIZED VIEW summed')", ADD_NOTE)
        [drill] = drilled(source, project, "lock-queue").drills
    finally:
        with connect(source) as connection:
            connection.execute("DROP MATERIALIZED VIEW summed")
    assert "a reader with an open transaction on summed" in [step.what for step in drill.steps], drill
    assert "a reader with an open transaction on shop_line" in [step.what for step in drill.steps]


def test_crash_of_atomic_migrations_is_not_run(source: Address, tmp_path: Path) -> None:
    rehearsal = drilled(source, write_project(tmp_path, ADD_NOTE), "crash")
    [drill] = rehearsal.drills
    assert (drill.status, drill.reason) == (
        "not run",
        "Every migration is atomic: one that is ended half-way is taken back whole.",
    )


def test_crash_of_a_lone_concurrent_index_is_a_note_with_its_repair(source: Address, tmp_path: Path) -> None:
    rehearsal = drilled(source, write_project(tmp_path, CONCURRENTLY, atomic=False), "crash")
    [drill] = rehearsal.drills
    assert [(status, detail) for _, status, detail in told(drill)] == [
        (
            "note",
            "shop.0002_change failed with ProgrammingError (SQLSTATE 42P07); left invalid: line_quantity",
        ),
        ("note", "shop.0002_change failed with ProgrammingError (SQLSTATE 42P07)"),
    ]
    assert drill.status == "passed"
    [finding] = [finding for finding in rehearsal.findings if finding.hazard == "H06"]
    assert (finding.severity, finding.drill, finding.table) == ("note", "crash", "shop_line")
    assert "DROP INDEX CONCURRENTLY IF EXISTS line_quantity; then run migrate again." in finding.advice.summary


def test_crash_between_statements_that_do_not_repeat(source: Address, tmp_path: Path) -> None:
    two = f"{ADD_NOTE}, migrations.RunSQL('CREATE INDEX again ON shop_line (quantity)')"
    rehearsal = drilled(source, write_project(tmp_path, two, atomic=False), "crash")
    [drill] = rehearsal.drills
    assert [status for _, status, _ in told(drill)] == ["failed", "failed"]
    assert told(drill)[0][2] == "shop.0002_change failed with ProgrammingError (SQLSTATE 42701)"
    [finding] = [finding for finding in rehearsal.findings if finding.hazard == "H06"]
    assert finding.severity == "warning"


def test_crash_of_statements_that_repeat_passes(source: Address, tmp_path: Path) -> None:
    project = write_project(
        tmp_path,
        ADD_NOTE,
        "migrations.RunSQL('ALTER TABLE shop_line ADD COLUMN IF NOT EXISTS more int'),"
        "migrations.RunSQL('CREATE INDEX IF NOT EXISTS again ON shop_line (more)')",
        atomic=False,
    )
    rehearsal = drilled(source, project, "crash")
    steps = {what.partition(" ended")[0]: status for what, status, _ in told(rehearsal.drills[0])}
    assert steps == {"shop.0002_change": "failed", "shop.0003_change": "passed"}


def test_crash_that_hides_an_invalid_index_is_found(source: Address, tmp_path: Path) -> None:
    hidden = "migrations.RunSQL('CREATE INDEX CONCURRENTLY IF NOT EXISTS hidden ON shop_line (quantity)')"
    rehearsal = drilled(source, write_project(tmp_path, f"{hidden}, {ADD_NOTE}", atomic=False), "crash")
    middle = rehearsal.drills[0].steps[0]
    assert middle.status == "failed"
    assert middle.detail == "migrate finished, but index hidden is defined otherwise; left invalid: hidden"


# -- all of them


def test_drills_of_a_migration_that_failed_are_not_run(source: Address, tmp_path: Path) -> None:
    rehearsal = drilled(source, write_project(tmp_path, "migrations.RunSQL('SELECT 1/0')"), "back", "crash")
    assert [(drill.status, drill.reason) for drill in rehearsal.drills] == [
        ("not run", "The migration did not finish, so there is nothing to drill.")
    ] * 2


def test_drills_on_a_server_of_others_are_not_held_by_default(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, ADD_NOTE)
    facts = Project(directory=project, settings="shop_settings")
    config = Config(root=project, project=facts)
    url = f"postgresql://{source.user}:{PASSWORD}@{source.host}:{source.port}/{source.database}"
    copy = CopyRequest(config=config, project=facts, url=url, template=True, branch="drills")
    rehearsal = rehearse(Request(config=config, project=facts, source=copy), Silent())
    assert {drill.status for drill in rehearsal.drills} == {"not run"}
    assert rehearsal.drills[0].reason.startswith("The copy stands on a server that others use")


def test_large_copy_is_not_cloned_unasked(source: Address) -> None:
    with connect(source) as connection:
        here = facts(connection)
    copy = Acquired("dump copy", "restore", "drilled", "embedded", source, source, "lease", here, size_bytes=10**9)
    assert drills.too_large(copy) == ""
    assert drills.too_large(replace(copy, size_bytes=120 * 10**9)) == (
        "The copy has 120.0 GB, and each drill works on a clone of it: name the drills to hold them all the same "
        "(--drills back), or have TMPDIR on a file system whose files share blocks (XFS, btrfs)."
    )
