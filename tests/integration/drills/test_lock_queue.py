"""The drill lock-queue: a migration behind an open transaction, and whoever comes after it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.server import connect
from greenroom.rehearsal.drills import lock_queue
from tests.integration.drills.stage import ADD_NOTE, CONCURRENTLY, drilled, named, told
from tests.integration.projects import write_project

pytestmark = pytest.mark.full


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
