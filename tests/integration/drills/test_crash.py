"""The drill crash: a migration that is ended half-way, and run again."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from greenroom.postgres.address import Address
from tests.integration.drills.stage import ADD_NOTE, CONCURRENTLY, drilled, named, told
from tests.integration.projects import write_project

pytestmark = pytest.mark.full


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


@pytest.mark.parametrize("operation", ["RemoveIndexConcurrently('line', 'line_quantity')", CONCURRENTLY])
def test_crash_in_the_middle_of_what_is_too_quick_to_be_seen(source: Address, tmp_path: Path, operation: str) -> None:
    """Nobody has seen a lock of it: that CONCURRENTLY is on that table, its text says."""
    with psycopg.connect(**source.parameters, autocommit=True) as connection:
        connection.execute("CREATE TABLE shop_small (id bigint PRIMARY KEY, quantity int)")
        connection.execute("CREATE INDEX line_quantity ON shop_small (quantity)")
    before = "from django.contrib.postgres.operations import RemoveIndexConcurrently"
    small = operation.replace("'line'", "'small'")
    if operation == CONCURRENTLY:
        small = small.replace("line_quantity", "small_quantity")
    known = (
        "migrations.SeparateDatabaseAndState(state_operations=[migrations.CreateModel('Small', ["
        "('id', models.BigAutoField(primary_key=True)), ('quantity', models.IntegerField(null=True))], "
        "options={'indexes': [models.Index(fields=['quantity'], name='line_quantity')]})])"
    )
    try:
        project = write_project(tmp_path, f"{known}, {small}", atomic=False, before=before)
        [drill] = drilled(source, project, "crash").drills
    finally:
        with psycopg.connect(**source.parameters, autocommit=True) as connection:
            connection.execute("DROP TABLE shop_small")
    [middle] = [(status, detail) for what, status, detail in told(drill) if "in the middle of" in what]
    assert "too soon" not in middle[1], drill


def test_crash_of_a_lone_concurrent_index_with_limits_around_it_is_a_note(source: Address, tmp_path: Path) -> None:
    lifted = "migrations.RunSQL('SET lock_timeout = 0', ''), {}, migrations.RunSQL('RESET lock_timeout', '')"
    project = write_project(tmp_path, lifted.format(CONCURRENTLY), atomic=False)
    rehearsal = drilled(source, project, "crash")
    [drill] = rehearsal.drills
    middles = [what for what, _, _ in told(drill) if "in the middle of" in what]
    assert len(middles) == 1 and "CONCURRENTLY" in middles[0], drill
    assert drill.status == "passed", drill
    assert [severity for severity, _, _ in named(rehearsal, "H06")] == ["note"]


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


BATCHES = """
def go(apps, editor):
    lines = apps.get_model("shop", "Line").objects
    for first in range(0, 2000, 500):
        lines.filter(pk__gt=first, pk__lte=first + 500).update({what})
"""


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("quantity=models.F('quantity') * 2 + 1", "failed"),
        ("quantity=7", "passed"),
        ("note=str(time.time())", "passed"),  # another at every run, so nothing that a crash has done
    ],
)
def test_crash_of_a_backfill_looks_at_its_rows(source: Address, tmp_path: Path, what: str, status: str) -> None:
    filled = BATCHES.replace("{what}", what)
    operation = "migrations.RunPython(go, migrations.RunPython.noop)"
    [drill] = drilled(source, write_project(tmp_path, operation, atomic=False, before=filled), "crash").drills
    assert drill.status == status, drill
    if status == "failed":
        told_of = "migrate finished, but column quantity of shop_line holds other values"
        assert [step.detail for step in drill.steps] == [told_of] * 4


def test_crash_that_hides_an_invalid_index_is_found(source: Address, tmp_path: Path) -> None:
    hidden = "migrations.RunSQL('CREATE INDEX CONCURRENTLY IF NOT EXISTS hidden ON shop_line (quantity)')"
    rehearsal = drilled(source, write_project(tmp_path, f"{hidden}, {ADD_NOTE}", atomic=False), "crash")
    middle = rehearsal.drills[0].steps[0]
    assert middle.status == "failed"
    assert middle.detail == "migrate finished, but index hidden is defined otherwise; left invalid: hidden"
