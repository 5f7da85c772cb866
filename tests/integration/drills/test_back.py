"""The drill back: down and up again, what is lost on the way, and who waits."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from greenroom.rehearsal import values
from tests.integration.drills.stage import ADD_NOTE, ROWS, drilled, named, told
from tests.integration.projects import write_project

pytestmark = pytest.mark.full


def test_back_of_an_added_column_passes_and_counts_what_is_lost(source: Address, tmp_path: Path) -> None:
    filled = (
        "migrations.AddField('Line', 'extra', models.IntegerField(null=True)),"
        "migrations.RunSQL('UPDATE shop_line SET extra = 1 WHERE id <= 1000', migrations.RunSQL.noop)"
    )
    rehearsal = drilled(source, write_project(tmp_path, filled), "back", budget_ms=5000)
    [drill] = rehearsal.drills
    assert (drill.name, drill.status) == ("back", "passed"), drill
    assert drill.reason.endswith(", with the same schema; data of 1 table is lost.")
    assert [status for _, status, _ in told(drill)] == ["passed"] * 4
    assert named(rehearsal, "C11") == [
        ("note", "shop_line", "Going back drops column extra (1,000 values) of shop_line.")
    ]


def test_back_of_an_empty_column_loses_nothing_yet(source: Address, tmp_path: Path) -> None:
    rehearsal = drilled(source, write_project(tmp_path, ADD_NOTE), "back")
    assert rehearsal.drills[0].reason.endswith(" and came again, with the same schema.")
    said = "Going back drops column extra of shop_line, in which there is nothing yet."
    assert named(rehearsal, "C11") == [("note", "shop_line", said)]


def test_back_to_an_empty_database_is_back(server: Server, source: Address, tmp_path: Path) -> None:
    """The table of Django's own that remembers migrations comes with the first, and stays."""
    with connect(server.address) as admin:
        admin.execute(f"CREATE DATABASE empty OWNER {source.user}".encode())
        try:
            rehearsal = drilled(source.at("empty"), write_project(tmp_path), "back")
        finally:
            admin.execute("DROP DATABASE empty WITH (FORCE)")
    [drill] = rehearsal.drills
    assert drill.status == "passed", drill


def test_back_of_renames_loses_nothing(source: Address, tmp_path: Path) -> None:
    renames = "migrations.RenameField('line', 'note', 'remark'), migrations.RenameModel('Line', 'Entry')"
    rehearsal = drilled(source, write_project(tmp_path, renames), "back")
    assert rehearsal.drills[0].reason.endswith(" and came again, with the same schema.")
    assert named(rehearsal, "C11") == []


def test_back_of_a_new_table_tells_its_rows(source: Address, tmp_path: Path) -> None:
    made = "migrations.CreateModel('Box', [('id', models.BigAutoField(primary_key=True))])"
    filled = "migrations.RunSQL('INSERT INTO shop_box DEFAULT VALUES', migrations.RunSQL.noop)"
    rehearsal = drilled(source, write_project(tmp_path, f"{made}, {filled}"), "back")
    assert named(rehearsal, "C11") == [("note", "shop_box", "Going back drops the table shop_box (1 row).")]


def test_back_says_which_tables_it_did_not_compare(
    source: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "LARGEST", 1)
    rehearsal = drilled(source, write_project(tmp_path, ADD_NOTE), "back")
    assert rehearsal.drills[0].reason.endswith(" Not compared, being too large or not to be read: shop_line.")


def test_back_past_a_merge_says_what_stays(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, "migrations.RunSQL('SELECT 1', '')", "migrations.RunSQL('SELECT 2', '')")
    second = project / "shop" / "migrations" / "0003_change.py"
    second.write_text(second.read_text().replace('("shop", "0002_change")', '("shop", "0001_initial")'))
    merge = 'migrations.Migration):\n    dependencies = [("shop", "0002_change"), ("shop", "0003_change")]\n'
    (second.parent / "0004_merge.py").write_text(f"from django.db import migrations\n\n\nclass Migration({merge}")
    with psycopg.connect(**source.parameters) as connection:
        connection.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0002_change', now())")
    try:
        rehearsal = drilled(source, project, "back")
    finally:
        with psycopg.connect(**source.parameters) as connection:
            connection.execute("DELETE FROM django_migrations WHERE name = '0002_change'")
    [drill] = rehearsal.drills
    assert drill.status == "failed"
    assert drill.reason.startswith("shop.0003_change cannot be taken back alone: ")


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


POLICY = """migrations.RunSQL(
    ["ALTER TABLE shop_line ENABLE ROW LEVEL SECURITY", "ALTER TABLE shop_line FORCE ROW LEVEL SECURITY",
     "CREATE POLICY broken ON shop_line USING (1 / (id - id) > 0)"],
    ["DROP POLICY broken ON shop_line", "ALTER TABLE shop_line NO FORCE ROW LEVEL SECURITY",
     "ALTER TABLE shop_line DISABLE ROW LEVEL SECURITY"])"""


def test_back_of_a_table_that_can_no_longer_be_read_is_broken_off(source: Address, tmp_path: Path) -> None:
    rehearsal = drilled(source, write_project(tmp_path, POLICY), "back", budget_ms=2000)
    [drill] = rehearsal.drills
    assert (drill.status, drill.reason) == ("broken off", "The copy's server refused to answer (SQLSTATE 22012).")
    assert rehearsal.verdict == "warn"


CHANGES_AND_ADDS = """
def go(apps, editor):
    Line = apps.get_model("shop", "Line")
    Line.objects.filter(pk__lte=100).update(note="changed")
    Line.objects.create(customer_id=1, quantity=1)
"""


def test_back_that_changes_values_is_told_where_rows_are_added_too(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, "migrations.RunPython(go, migrations.RunPython.noop)", before=CHANGES_AND_ADDS)
    rehearsal = drilled(source, project, "back", budget_ms=2000)
    [(severity, table, summary)] = named(rehearsal, "C11")
    assert (severity, table) == ("warning", "shop_line")
    assert "alues of column note" in summary
    assert rehearsal.verdict == "warn"


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
