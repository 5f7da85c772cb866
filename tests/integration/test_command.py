"""`migrate-rehearse` as a person types it: exit code, what stands in the terminal, the files, what is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server
from tests.integration.projects import PASSWORD, branches_of, shop, write_project
from tests.own_places import surroundings

ROOT = Path(__file__).parents[2]
HARMLESS = "migrations.AddField('Line', 'extra', models.IntegerField(null=True))"
SLOW = "migrations.RunSQL('LOCK TABLE shop_line', ''), migrations.RunSQL('SELECT pg_sleep(0.4)', '')"


@dataclass(frozen=True)
class Held:
    code: int
    printed: str
    document: dict[str, Any]


@pytest.fixture(scope="module")
def source(server18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server18, tmp_path_factory.mktemp("initial"), rows=2000, name="typed") as address:
        yield address


def typed(tmp_path: Path, *words: object, **environment: str) -> Held:
    done = subprocess.run(
        [sys.executable, "-m", "greenroom", "migrate-rehearse", *map(str, words), "--report-dir", tmp_path / "reports"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**surroundings(tmp_path), "PGPASSWORD": PASSWORD, **environment},
        timeout=180,
        check=False,
    )
    assert PASSWORD not in done.stdout + done.stderr
    newest = tmp_path / "reports" / "latest"
    assert {path.name for path in newest.iterdir()} >= {"rehearsal.json", "report.html", "report.md"}, done.stderr
    return Held(done.returncode, done.stdout + done.stderr, json.loads((newest / "rehearsal.json").read_text()))


def of_url(source: Address, project: Path) -> list[str]:
    return ["--url", str(source), "--project", str(project), "--settings", "shop_settings"]


def test_pass_is_0(tmp_path: Path, source: Address) -> None:
    held = typed(tmp_path, *of_url(source, write_project(tmp_path / "project", HARMLESS)))
    assert (held.code, held.document["verdict"]) == (0, "pass")
    assert held.document["copy"]["kind"] == "branch"
    assert held.document["source"]["kind"] == "url"
    assert branches_of(source) == []


def test_twin_that_is_asked_for_and_not_needed_is_said(tmp_path: Path, source: Address) -> None:
    held = typed(tmp_path, *of_url(source, write_project(tmp_path / "project", HARMLESS)), "--try-twin")
    assert held.document["twins"] == []
    assert "safe twin           none to try: no stall of a migration is found above a note" in held.printed


@pytest.mark.parametrize(
    ("budget", "code", "verdict"),
    [
        ("100", 1, "fail"),
        pytest.param("1000", 0, "warn", marks=pytest.mark.full),
        pytest.param("100000", 0, "pass", marks=pytest.mark.full),
    ],
)
def test_budget_decides_the_verdict_and_the_code(
    tmp_path: Path, source: Address, budget: str, code: int, verdict: str
) -> None:
    words = of_url(source, write_project(tmp_path / "project", SLOW))
    held = typed(tmp_path, *words, "--template", "--budget-read-ms", budget, "--budget-write-ms", "100000")
    assert (held.code, held.document["verdict"]) == (code, verdict)
    assert held.document["budget"]["read_ms"] == float(budget)
    assert held.document["copy"]["method"] == "template"
    assert 390 <= held.document["totals"]["read_stall_ms"] < 1000  # 400, told from probes a few ms apart


def test_migration_that_raises_is_1(tmp_path: Path, source: Address) -> None:
    project = write_project(tmp_path / "project", HARMLESS, "migrations.RunSQL('SELECT 1 / 0')")
    held = typed(tmp_path, *of_url(source, project))
    assert (held.code, held.document["error"]["sqlstate"]) == (1, "22012")
    assert held.document["error"]["applied"] == ["shop.0002_change"]
    assert "22012" in held.printed


def test_keep_says_where_the_copy_stands_and_what_drops_it(tmp_path: Path, source: Address) -> None:
    held = typed(tmp_path, *of_url(source, write_project(tmp_path / "project")), "--keep", "--template")
    name, server = held.document["copy"]["name"], f"postgresql://{source.user}@{source.server}"
    assert len(branches_of(source)) == 1
    assert f"{server}/{name}\n" in held.printed
    assert f"db-drop {name} --url {server}/postgres\n" in held.printed
    with psycopg.connect(**source.at("postgres").parameters, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}"')


def test_nothing_pending_is_0_and_said(tmp_path: Path, source: Address) -> None:
    held = typed(tmp_path, *of_url(source, write_project(tmp_path / "project")))
    assert (held.code, held.document["verdict"]) == (0, "pass")
    assert "there are no pending migrations: nothing to rehearse" in held.printed


@pytest.mark.full
def test_migrate_to_stops_early(tmp_path: Path, source: Address) -> None:
    project = write_project(tmp_path / "project", HARMLESS, "migrations.RunSQL('SELECT 1 / 0')")
    held = typed(tmp_path, *of_url(source, project), "--migrate-to", "shop.0002")
    assert held.code == 0
    assert [run["name"] for run in held.document["migrations"]] == ["0002_change"]


@pytest.mark.full
def test_timeout_is_1_and_says_what_ran(tmp_path: Path, source: Address) -> None:
    project = write_project(tmp_path / "project", "migrations.RunSQL('SELECT pg_sleep(60)')")
    held = typed(tmp_path, *of_url(source, project), "--timeout", "1")
    assert (held.code, held.document["error"]["kind"]) == (1, "timeout")
    assert held.document["error"]["statement"] == "SELECT pg_sleep($1)"
    assert branches_of(source) == []


@pytest.mark.full
def test_timeout_says_which_lock_was_waited_for(tmp_path: Path, source: Address) -> None:
    before = (
        "import psycopg\n"
        "def hold(apps, schema_editor):\n"
        "    d = schema_editor.connection.settings_dict\n"
        "    words = dict(host=d['HOST'], port=d['PORT'], dbname=d['NAME'], user=d['USER'])\n"
        "    schema_editor.other = psycopg.connect(**words, application_name='somebody')\n"
        "    schema_editor.other.execute('LOCK TABLE shop_line')\n"
    )
    change = "migrations.RunPython(hold), migrations.RunSQL('ALTER TABLE shop_line ADD x int')"
    held = typed(
        tmp_path, *of_url(source, write_project(tmp_path / "project", change, before=before)), "--timeout", "1"
    )
    waited = held.document["error"]["waiting_for"]
    assert held.code == 1
    assert waited.startswith("AccessExclusiveLock on shop_line, held by ")
    assert "somebody (idle in transaction)" in waited


def test_migration_that_holds_up_its_own_further_connection_is_told_so(tmp_path: Path, source: Address) -> None:
    before = (
        "from django.db import connections\n"
        "def fill(apps, schema_editor):\n"
        "    with connections['default'].copy().cursor() as cursor:\n"
        "        cursor.execute('UPDATE shop_line SET quantity = 1')\n"
    )
    change = "migrations.RunSQL('ALTER TABLE shop_line ADD x int'), migrations.RunPython(fill)"
    project = write_project(tmp_path / "project", change, before=before)
    error = typed(tmp_path, *of_url(source, project), "--timeout", "1").document["error"]
    assert error["waiting_for"] == (
        "RowExclusiveLock on shop_line, which a further connection of the app asks for and the migration itself holds"
    )
    assert error["advice"] == "It was stopped after 1 s; --timeout SECONDS allows more."


@pytest.mark.full
def test_other_alias_is_rehearsed_by_its_name(tmp_path: Path, source: Address) -> None:
    project = write_project(tmp_path / "project", HARMLESS)
    settings = project / "shop_settings.py"
    settings.write_text(
        f"{settings.read_text()}\n"
        "DATABASES['shop'] = DATABASES.pop('default')\n"
        "DATABASES['default'] = {'ENGINE': 'django.db.backends.dummy'}\n"
    )
    held = typed(tmp_path, *of_url(source, project), "--database", "shop")
    assert held.code == 0
    assert [run["status"] for run in held.document["migrations"]] == ["applied"]


@pytest.mark.parametrize("form", ["custom", pytest.param("directory", marks=pytest.mark.full)])
def test_dump_on_a_server_of_our_own(tmp_path: Path, source: Address, form: str) -> None:
    made = tmp_path / "shop.dump"
    pg_dump = of_major(18).program("pg_dump")
    environment = {**source.environment, "PATH": "/usr/bin:/bin"}
    subprocess.run([pg_dump, f"--format={form}", "--file", made], env=environment, check=True)
    project = write_project(tmp_path / "project", "migrations.RunSQL('UPDATE shop_line SET quantity = 8', '')")
    held = typed(tmp_path, "--dump", made, "--project", project, "--settings", "shop_settings")
    assert held.code == 0
    assert (held.document["source"]["kind"], held.document["copy"]["kind"]) == ("dump", "dump copy")
    assert held.document["copy"]["dropped"]
    [updating] = [s for s in held.document["migrations"][0]["statements"] if s["sql"].startswith("UPDATE shop_line")]
    assert updating["rows"] == 2000
    assert updating["wal_bytes"] > 100_000  # nobody else writes on a server of our own
    assert held.document["totals"]["size_delta_bytes"] > 0
    assert held.document["totals"]["size_peak_bytes"] >= held.document["totals"]["size_delta_bytes"]


@pytest.mark.full
def test_demo_as_the_readme_has_it(tmp_path: Path) -> None:
    held = typed(tmp_path)
    assert held.document["source"]["kind"] == "demo"
    assert [run["status"] for run in held.document["migrations"]] == ["applied"] * 3
    assert held.code == (1 if held.document["verdict"] == "fail" else 0)
    assert any(stall["table"] == "ledger_statement" for stall in held.document["stalls"])
    assert held.document["findings"]
    assert "<svg" in (tmp_path / "reports" / "latest" / "report.html").read_text()


def test_copy_and_report_bear_the_branch_of_the_rehearsed_project(tmp_path: Path, source: Address) -> None:
    project = write_project(tmp_path / "project", HARMLESS)
    subprocess.run(["git", "init", "-q", "-b", "feature/pay-later", project], check=True)
    held = typed(tmp_path, *of_url(source, project))
    assert held.document["git"] == {"commit": None, "branch": "feature/pay-later", "dirty": True}
    assert held.document["copy"]["name"].startswith("typed__feature_pay_later_")
