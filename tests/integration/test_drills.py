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
from greenroom.rehearsal import drills, values
from greenroom.rehearsal.document import Budget, Drill, DrillName, Rehearsal
from greenroom.rehearsal.drills import lock_queue
from greenroom.rehearsal.rehearse import rehearse
from greenroom.rehearsal.request import Request
from tests.integration.projects import PASSWORD, shop, write_project

pytestmark = pytest.mark.full

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
    assert status == "passed" and re.match(r"the migration gave up after [23]\d\d ms", detail), detail
    assert re.fullmatch(r"It gives up in time: nobody waited longer than (2\d\d|3\d\d) ms\.", drill.reason), (
        drill.reason
    )
    assert named(rehearsal, "H44") == []


def test_lock_queue_with_the_limit_that_it_advises_gives_up_in_time(source: Address, tmp_path: Path) -> None:
    rehearsal = drilled(source, write_project(tmp_path / "bad", ADD_NOTE), "lock-queue", budget_ms=800)
    [finding] = [finding for finding in rehearsal.findings if finding.hazard == "H44"]
    [limit] = set(re.findall(r"lock_timeout ?= ?'?(\w+)", finding.advice.django))
    assert f"a lock_timeout of {limit}," in finding.advice.summary
    limited = f"migrations.RunSQL(\"SET LOCAL lock_timeout = '{limit}'\", ''), {ADD_NOTE}"
    rehearsal = drilled(source, write_project(tmp_path / "good", limited), "lock-queue", budget_ms=800)
    [drill] = rehearsal.drills
    assert (drill.status, named(rehearsal, "H44")) == ("passed", []), drill
    assert rehearsal.verdict == "pass"


COMMAND = """
from django.core.management.commands.migrate import Command as Migrate
from django.db import connection


class Command(Migrate):
    def handle(self, *arguments, **options):
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '300ms'")
        return super().handle(*arguments, **options)
"""


def test_lock_timeout_of_the_projects_own_migrate_command_counts(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, ADD_NOTE)
    commands = project / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    (commands / "migrate.py").write_text(COMMAND)
    for names in ((), ("lock-queue",)):
        rehearsal = drilled(source, project, *names, budget_ms=2000)
        assert named(rehearsal, "H44") == []
    assert rehearsal.drills[0].reason.startswith("It gives up in time: "), rehearsal.drills


RETRIES = """
import time
from django.db import OperationalError, transaction
def go(apps, editor):
    for n in range(40):
        try:
            with transaction.atomic(using=editor.connection.alias), editor.connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '400ms'")
                cursor.execute("ALTER TABLE shop_line ADD COLUMN again int")
            return
        except OperationalError:
            time.sleep(0.05)
"""


def test_lock_queue_of_a_migration_that_tries_again_tells_its_single_waits(source: Address, tmp_path: Path) -> None:
    retried = "migrations.RunPython(go, migrations.RunPython.noop)"
    project = write_project(tmp_path, retried, atomic=False, before=RETRIES)
    rehearsal = drilled(source, project, "lock-queue", budget_ms=100)
    [drill] = rehearsal.drills
    assert drill.status == "failed", (drill, rehearsal.error)
    [(_, status, detail)] = told(drill)
    assert status == "failed"
    assert re.fullmatch(
        r"the migration gave up after (3|4)\d\d ms(, \d times)?; others waited up to [34]\d\d ms.*", detail
    ), detail
    assert drill.reason.startswith("Behind one open transaction on shop_line the migration gives up only after ")
    assert named(rehearsal, "H44")[0][0] == "warning"


@pytest.mark.parametrize(
    ("setting", "operation", "detail"),
    [
        ("lock_timeout=0", "migrations.RunSQL('LOCK TABLE shop_line NOWAIT', '')", "the migration gave up at once"),
        ("lock_timeout=5ms", ADD_NOTE, "the migration gave up a"),
        ("statement_timeout=300ms", ADD_NOTE, "the migration gave up after "),
    ],
)
def test_lock_queue_of_a_migration_that_does_not_wait_passes(
    source: Address, tmp_path: Path, setting: str, operation: str, detail: str
) -> None:
    project = write_project(tmp_path, operation)
    settings = project / "shop_settings.py"
    settings.write_text(settings.read_text().replace("lock_timeout=0", setting))
    rehearsal = drilled(source, project, "lock-queue", budget_ms=2000)
    [drill] = rehearsal.drills
    [(_, status, said)] = told(drill)
    assert (drill.status, status) == ("passed", "passed"), drill
    assert said.startswith(detail)
    assert drill.reason.startswith("It gives up in time: ")


def test_lock_queue_with_a_long_limit_names_it(source: Address, tmp_path: Path) -> None:
    limited = f"migrations.RunSQL(\"SET LOCAL lock_timeout = '20s'\", ''), {ADD_NOTE}"
    [drill] = drilled(source, write_project(tmp_path, limited), "lock-queue").drills
    assert drill.status == "failed"
    assert "the migration waits up to its limit of 20.0 s, and everybody behind it: " in drill.reason
    assert drill.reason.endswith("though no longer than 20.0 s.")


def test_lock_queue_says_which_tables_it_left_out(
    source: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_queue, "MOST_TABLES", 1)
    both = f"{ADD_NOTE}, migrations.RunSQL('ALTER TABLE shop_customer ADD COLUMN more int', '')"
    [drill] = drilled(source, write_project(tmp_path, both), "lock-queue").drills
    assert len(drill.steps) == 1
    assert drill.reason.endswith(" 1 more table of those that it locks not tried.")


def test_lock_queue_without_a_lock_is_not_run(source: Address, tmp_path: Path) -> None:
    [drill] = drilled(source, write_project(tmp_path, "migrations.RunSQL('SELECT 1', '')"), "lock-queue").drills
    assert (drill.status, drill.reason) == ("not run", "No lock is taken that an ordinary client would keep waiting.")


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
