"""Static hints of a whole rehearsal: beside what was measured, without a literal, and never in its way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.console import Silent
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.rehearsal.document import Budget, Rehearsal
from greenroom.rehearsal.rehearse import rehearse
from greenroom.rehearsal.report import files, github, terminal
from greenroom.tables import RehearsalDefaults
from tests.integration.projects import PASSWORD, requested, shop, write_project

pytestmark = pytest.mark.full

SECRET = "planted-s3cret-of-a-customer"
INDEX = "migrations.AddIndex('Line', models.Index(fields=['quantity', 'note'], name='line_qn'))"


@pytest.fixture(scope="module")
def source(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server, tmp_path_factory.mktemp("initial"), rows=100_000, name="hinted") as address:
        yield address


def rehearsed(source: Address, project: Path, *, static_hints: bool = True) -> Rehearsal:
    defaults = RehearsalDefaults(static_hints=static_hints)
    budget = Budget(read_ms=1000, write_ms=2000, timeout_seconds=60)
    return rehearse(requested(source, project, defaults=defaults, budget=budget, drills=()), Silent())


def test_measured_finding_takes_the_hint_in_and_a_further_one_stands_alone(source: Address, tmp_path: Path) -> None:
    rename = "migrations.RenameField('Customer', 'email', 'mail')"
    rehearsal = rehearsed(source, write_project(tmp_path / "project", INDEX, rename))
    static = rehearsal.static
    assert static is not None and static.note is None
    index = next(finding for finding in rehearsal.findings if finding.hazard == "H01")
    assert index.static == ["squawk: require-concurrent-index-creation"]
    hints = {hint.rule: hint for hint in static.hints}
    assert hints["require-concurrent-index-creation"].merged_with == ["H01"]
    assert hints["require-lock-timeout"].merged_with == ["H44"]
    alone = hints["renaming-column"]
    assert (alone.merged_with, alone.migration, alone.operation) == ([], "shop.0003_change", 0)
    run = next(run for run in rehearsal.migrations if f"{run.app}.{run.name}" == alone.migration)
    assert "RENAME COLUMN" in run.statements[alone.statement].sql

    directory = files.write(rehearsal, tmp_path / "reports")
    shown = terminal.render(rehearsal, directory)
    assert "renaming-column  shop_customer in shop.0003_change" in shown
    assert "require-concurrent-index-creation" not in shown
    assert "`renaming-column`" in (directory / "report.md").read_text()
    assert "renaming-column" not in github.render(rehearsal, tmp_path / "project", tmp_path)


def test_hints_change_neither_verdict_nor_findings(source: Address, tmp_path: Path) -> None:
    drop = "migrations.RemoveField('Line', 'note')"
    project = write_project(tmp_path, drop)
    with_hints, without = rehearsed(source, project), rehearsed(source, project, static_hints=False)
    assert with_hints.static and [hint.rule for hint in with_hints.static.hints if not hint.merged_with]
    assert without.static is None
    assert with_hints.verdict == without.verdict == "pass"
    assert [found.hazard for found in with_hints.findings] == [found.hazard for found in without.findings]
    assert "static hints" not in terminal.render(without, tmp_path)


def test_no_literal_of_a_migration_is_written(source: Address, tmp_path: Path) -> None:
    default = f"ALTER TABLE shop_line ADD COLUMN extra text DEFAULT '{SECRET}' CHECK (extra <> $x$not {SECRET}$x$)"
    operations = (
        f'migrations.RunSQL(["""{default}""", """ALTER TABLE shop_line DROP quantity /* {SECRET} */"""])',
        f"migrations.AddField('Customer', 'remark', models.TextField(default='{SECRET}'))",
    )
    rehearsal = rehearsed(source, write_project(tmp_path / "project", *operations))
    directory = files.write(rehearsal, tmp_path / "reports")
    assert rehearsal.static is not None
    assert {hint.rule for hint in rehearsal.static.hints} >= {"ban-drop-column", "require-lock-timeout"}
    for written in directory.iterdir():
        assert SECRET not in written.read_text()


def test_failing_migration_has_hints_of_what_ran(source: Address, tmp_path: Path) -> None:
    broken = "migrations.RunSQL('ALTER TABLE shop_line ALTER COLUMN note TYPE int USING note::int')"
    rehearsal = rehearsed(source, write_project(tmp_path, INDEX, broken, INDEX.replace("line_qn", "line_qn2")))
    assert rehearsal.error is not None and rehearsal.static is not None
    assert [(hint.rule, hint.migration) for hint in rehearsal.static.hints if not hint.merged_with] == [
        ("changing-column-type", "shop.0003_change")
    ]


COMMAND = """
import sys
from greenroom.rehearsal.command import Options, migrate_rehearse
sys.exit(migrate_rehearse(Options(url=sys.argv[1], template=True, drills="none")))
"""


def test_rehearsal_without_squawk_says_so(source: Address, tmp_path: Path) -> None:
    """An environment of its own, whose programs are Python alone; the packages are ours."""
    project = write_project(tmp_path / "project", INDEX)
    (project / "pyproject.toml").write_text(
        "[tool.greenroom.project]\ndirectory = '.'\nsettings = 'shop_settings'\n"
        f"python = '{sys.executable}'\n[tool.greenroom.rehearsal]\nreport_dir = 'reports'\n"
    )
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    (packages,) = home.glob("lib/python3.*/site-packages")
    (packages / "ours.pth").write_text("\n".join(path for path in sys.path if path))
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "PGPASSWORD": PASSWORD}
    words = [home / "bin" / "python", "-c", COMMAND, str(source)]
    done = subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "static hints        not made: squawk is not installed (squawk-cli on PyPI)" in done.stdout
    rehearsal = files.read(project / "reports" / "latest")
    assert rehearsal.verdict != "fail"
    assert "H01" in {finding.hazard for finding in rehearsal.findings}
