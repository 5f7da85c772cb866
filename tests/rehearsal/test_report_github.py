"""Annotations of GitHub Actions: levels, lines, escapes, and no more than it shows."""

from __future__ import annotations

import hashlib
from pathlib import Path

from greenroom.rehearsal.document import Advice, Evidence, Finding, PlannedMigration
from greenroom.rehearsal.report import github
from tests.rehearsal import examples

SOURCE = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = []
    operations = [
        migrations.RunSQL("SELECT 1"),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL("SELECT 2"),
                migrations.RunSQL("SELECT 3"),
            ],
            state_operations=[migrations.RemoveField("a", "b")],
        ),
        migrations.SeparateDatabaseAndState(state_operations=[]),
        migrations.RunSQL("SELECT 4"),
    ]
"""


def finding(severity: str = "failure", operation: int | None = 1, summary: str = "100 % of it: gone.") -> Finding:
    return Finding(
        hazard="H01",
        name="index-blocking",
        severity=severity,  # type: ignore[arg-type]
        migration="shop.0002_change",
        operation=operation,
        evidence=Evidence(summary=summary),
        advice=Advice(summary="Do it concurrently."),
    )


def test_lines_follow_the_plans_count() -> None:
    assert [github.line_of(SOURCE, index) for index in (0, 1, 2, 3, 4, None)] == [7, 10, 11, 16, 1, 1]


def test_line_of_what_is_no_python_is_the_first() -> None:
    assert github.line_of("class Migration(:", 0) == 1


def test_finding_stands_at_its_operation(tmp_path: Path) -> None:
    path = tmp_path / "src" / "shop" / "migrations" / "0002_change.py"
    path.parent.mkdir(parents=True)
    path.write_text(SOURCE)
    document = examples.failed()
    sha256 = hashlib.sha256(SOURCE.encode()).hexdigest()
    document.plan.migrations = [PlannedMigration(app="shop", name="0002_change", atomic=True, sha256=sha256)]
    document.findings = [finding()]
    lines = github.render(document, tmp_path / "src", tmp_path).splitlines()
    assert lines[0].startswith("::error title=Rehearsal%3A fail::may not go out")
    assert lines[1] == (
        "::error file=src/shop/migrations/0002_change.py,line=10,title=H01 index-blocking"
        "::100 %25 of it: gone.%0AInstead: Do it concurrently."
    )


def test_file_of_another_content_is_not_named(tmp_path: Path) -> None:
    path = tmp_path / "shop" / "migrations" / "0002_change.py"
    path.parent.mkdir(parents=True)
    path.write_text("# another one")
    document = examples.failed()
    document.plan.migrations = [PlannedMigration(app="shop", name="0002_change", atomic=True, sha256="0" * 64)]
    document.findings = [finding("note")]
    assert github.render(document, tmp_path, tmp_path).splitlines()[1].startswith("::notice title=H01 index-blocking::")


def test_no_more_of_a_level_than_github_shows(tmp_path: Path) -> None:
    document = examples.failed()
    document.findings = [finding("warning") for _ in range(30)]
    rendered = github.render(document, tmp_path, tmp_path)
    assert rendered.count("::warning ") == github.MOST
