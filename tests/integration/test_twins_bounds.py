"""What a migration sets or holds for its later operations: the twin's steps keep it, or there is no twin."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from tests.integration.projects import SETTINGS, shop, write_project
from tests.integration.test_twins import CHECK, FILL, INDEX, the_twin, tried

pytestmark = pytest.mark.full

SQL = "migrations.RunSQL({!r}, migrations.RunSQL.noop)"
RUN = "migrations.RunPython({}, migrations.RunPython.noop)"
COLUMN = "migrations.AddField('line', 'copy', models.IntegerField(null=True))"
HOLD = """
def hold(apps, editor):
    with editor.connection.cursor() as cursor:
        cursor.execute({!r})
"""


@pytest.fixture(scope="module")
def source(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server, tmp_path_factory.mktemp("initial"), rows=20_000, name="twinned") as address:
        yield address


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def limited(project: Path, limit: str) -> Path:
    (project / "shop_settings.py").write_text(SETTINGS.replace("lock_timeout=0", f"lock_timeout={limit}"))
    return project


def statements(text: str) -> list[str]:
    """What a file sets, and the names of its other operations, in their order."""
    kind = next(part for part in ast.parse(text).body if isinstance(part, ast.ClassDef))
    listed = next(part for part in kind.body if ast.unparse(part).startswith("operations ="))
    assert isinstance(listed, ast.Assign) and isinstance(listed.value, ast.List)
    found = []
    for call in listed.value.elts:
        assert isinstance(call, ast.Call)
        sql = next((word.value for word in call.keywords if word.arg == "sql"), None)
        found.append(str(ast.literal_eval(sql)) if sql else ast.unparse(call.func).rpartition(".")[2])
    return [one for one in found if not one.startswith("DROP INDEX")]


def test_each_step_has_the_settings_of_the_migration(source: Address, tmp_path: Path) -> None:
    first = SQL.format("SET LOCAL lock_timeout = '3s'; SET LOCAL work_mem = '8MB'")
    project = write_project(tmp_path, f"{first}, {CHECK}, {INDEX}, {COLUMN}")
    twin = the_twin(tried(source, project, budget_ms=0.05))
    assert twin.same_schema, twin.reason
    local = ["SET LOCAL lock_timeout = '3s'", "SET LOCAL work_mem = '8MB'"]
    assert [statements(file.text) for file in twin.files] == [
        [*local, "AddConstraintNotValid"],
        [*local, "ValidateConstraint"],
        ["SET work_mem = '8MB'", "AddIndexConcurrently", "RESET work_mem"],
        [*local, "AddField"],
    ]


def test_brief_steps_have_a_limit_of_their_own_where_there_is_none(source: Address, tmp_path: Path) -> None:
    twin = the_twin(tried(source, write_project(tmp_path, CHECK), budget_ms=0.05))
    assert [statements(file.text) for file in twin.files] == [
        ["SET LOCAL lock_timeout = '100ms'", "AddConstraintNotValid"],
        ["ValidateConstraint"],
    ]


@pytest.mark.parametrize(
    ("session", "first", "after"),
    [("2s", "", "RESET lock_timeout"), ("0", SQL.format("SET lock_timeout = '3s'") + ", ", "SET lock_timeout = '3s'")],
)
def test_limits_are_lifted_for_concurrently_alone(
    source: Address, tmp_path: Path, session: str, first: str, after: str
) -> None:
    project = limited(write_project(tmp_path, f"{first}{INDEX}"), session)
    twin = the_twin(tried(source, project, budget_ms=0.05))
    assert (twin.same_schema, twin.remaining) == (True, []), twin.reason
    [file] = twin.files
    assert statements(file.text) == ["SET lock_timeout = 0", "AddIndexConcurrently", after]
    assert 'DROP INDEX CONCURRENTLY IF EXISTS "line_quantity"' in file.text


@pytest.mark.parametrize(
    ("operation", "before", "what"),
    [
        (SQL.format("LOCK TABLE shop_line IN EXCLUSIVE MODE"), FILL, "LOCK TABLE"),
        (RUN.format("hold"), HOLD.format("SELECT pg_advisory_xact_lock(1)"), "an advisory lock"),
        (RUN.format("hold"), HOLD.format("SET LOCAL lock_timeout = '1s'"), "SET in Python"),
        (SQL.format("CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT 1"), "", "a temporary table"),
    ],
)
def test_what_a_split_would_end_early_has_no_twin(
    source: Address, tmp_path: Path, operation: str, before: str, what: str
) -> None:
    project = write_project(tmp_path, f"{operation}, {COLUMN}, {INDEX}", before=before)
    twin = the_twin(tried(source, project, budget_ms=0.05))
    assert (twin.status, twin.files) == ("not written", [])
    assert twin.reason == (
        f"It cannot be written mechanically, because what holds until its end ({what}) would end with one of the steps."
    )


@pytest.mark.parametrize(
    ("before", "header", "why"),
    [
        (
            "class Checked(migrations.Migration):\n    pass",
            "class Migration(Checked):",
            "its class is made from Checked, not from Django's alone",
        ),
        (
            "",
            "class Migration(migrations.Migration):\n    is_post_deployment = True",
            "its class has more than Django's own attributes: is_post_deployment",
        ),
    ],
)
def test_class_that_is_not_djangos_alone_has_no_twin(
    source: Address, tmp_path: Path, before: str, header: str, why: str
) -> None:
    project = write_project(tmp_path, INDEX, before=before)
    file = project / "shop" / "migrations" / "0002_change.py"
    file.write_text(file.read_text().replace("class Migration(migrations.Migration):", header))
    twin = the_twin(tried(source, project, budget_ms=0.05))
    assert (twin.status, twin.reason) == ("not written", f"It cannot be written mechanically, because {why}.")
