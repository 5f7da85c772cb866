"""The safe twin in the projects that there are: odd names, nested fields, partitions, and apps that run before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from tests.integration.projects import shop, write_project
from tests.integration.test_twins import CHECK, INDEX, the_twin, tried

pytestmark = pytest.mark.full

NESTED = """
from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Tagged",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("tags", ArrayField(models.CharField(max_length=10), default=list)),
            ],
        ),
    ]
"""
BEFORE = """
from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies = [("shop", "0001_initial")]
    run_before = [("shop", "0002_change")]
    operations = [migrations.RunSQL("CREATE TABLE depot ()", "DROP TABLE depot")]
"""
TABLES = """
CREATE TABLE "Big" (id bigint PRIMARY KEY, q int) PARTITION BY RANGE (id);
CREATE TABLE big_1 PARTITION OF "Big" FOR VALUES FROM (0) TO (5000);
CREATE TABLE big_2 PARTITION OF "Big" DEFAULT;
CREATE TABLE "Weird.Name" (id bigint PRIMARY KEY, q int);
CREATE SCHEMA other;
CREATE TABLE other.item (id bigint PRIMARY KEY, q int);
INSERT INTO "Big" SELECT n, n FROM generate_series(1, 10000) n;
INSERT INTO "Weird.Name" SELECT n, n FROM generate_series(1, 10000) n;
INSERT INTO other.item SELECT n, n FROM generate_series(1, 10000) n;
ANALYZE;
"""


@pytest.fixture(scope="module")
def source(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server, tmp_path_factory.mktemp("initial"), rows=20_000, name="twinned") as address:
        with psycopg.connect(**address.parameters) as connection:
            connection.execute(TABLES)
        yield address


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def with_app(project: Path, name: str, migration: str) -> Path:
    settings = project / "shop_settings.py"
    settings.write_text(f"{settings.read_text()}\nINSTALLED_APPS.append({name!r})\n")
    (project / name / "migrations").mkdir(parents=True)
    for package in (project / name, project / name / "migrations"):
        (package / "__init__.py").touch()
    (project / name / "migrations" / "0001_initial.py").write_text(migration)
    return project


def named(table: str) -> str:
    """An operation that tells Django's state of a table that is there."""
    fields = "[('id', models.BigAutoField(primary_key=True)), ('q', models.IntegerField(null=True))]"
    made = f"migrations.CreateModel('Odd', {fields}, options={{'db_table': {table!r}}})"
    return f"migrations.SeparateDatabaseAndState(state_operations=[{made}])"


def test_field_within_a_field_is_the_same_afterwards(source: Address, tmp_path: Path) -> None:
    project = with_app(write_project(tmp_path, INDEX), "tagged", NESTED)
    settings = project / "shop_settings.py"
    settings.write_text(f"{settings.read_text()}\nINSTALLED_APPS.append('django.contrib.postgres')\n")
    twin = the_twin(tried(source, project, budget_ms=0.05))
    assert (twin.status, twin.same_schema) == ("rehearsed", True), twin.reason


def test_what_runs_before_it_runs_before_the_first_step(source: Address, tmp_path: Path) -> None:
    twin = the_twin(tried(source, with_app(write_project(tmp_path, CHECK), "depot", BEFORE), budget_ms=0.05))
    assert (twin.status, twin.same_schema) == ("rehearsed", True), twin.reason
    assert ["('depot', '0001_initial')" in file.text for file in twin.files] == [True, False]


@pytest.mark.parametrize("table", ["Weird.Name", 'other"."item'])
def test_odd_names_of_tables_are_quoted(source: Address, tmp_path: Path, table: str) -> None:
    unique = "migrations.AddConstraint('odd', models.UniqueConstraint(fields=['q'], name='odd_q'))"
    project = write_project(
        tmp_path, named(table), f"{unique}, migrations.AddIndex('odd', models.Index('q', name='i'))"
    )
    rehearsal = tried(source, project, budget_ms=0.05)
    twin = the_twin(rehearsal)
    assert (twin.status, twin.same_schema) == ("rehearsed", True), twin.reason
    [advice] = [finding.advice.django for finding in rehearsal.findings if finding.hazard == "H08"]
    assert f'CONCURRENTLY "odd_q" ON "{table}"' in advice
    assert ('DROP INDEX CONCURRENTLY "other"."odd_q"' in advice) == table.startswith("other")


def test_partitioned_table_has_no_twin_with_what_to_do(source: Address, tmp_path: Path) -> None:
    key = "migrations.AddField('odd', 'line', models.ForeignKey('shop.Line', models.CASCADE, null=True))"
    twin = the_twin(tried(source, write_project(tmp_path, named("Big"), key), budget_ms=0.01))
    assert twin.status == "not written"
    assert "CONCURRENTLY is refused on a partitioned table (Big)" in twin.reason
