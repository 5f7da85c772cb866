"""The safe twin of odd migrations: what is written runs, ends in the same schema, or is not offered."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from greenroom import places
from greenroom.console import Progress, Silent
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.rehearsal.document import Budget, DrillName, Rehearsal, Twin
from greenroom.rehearsal.rehearse import rehearse
from tests.integration.projects import branches_of, requested, shop, write_project

pytestmark = pytest.mark.full

ROWS = 60_000
SILENT = Silent()
INDEX = "migrations.AddIndex('line', models.Index(fields=['quantity'], name='line_quantity'))"
CHECK = "migrations.AddConstraint('line', models.CheckConstraint(condition=models.Q(quantity__gte=0), name='q'))"
FILL = '''
SUFFIX = "!"


def fill(apps, editor):
    """Changes
  \x20 every tenth."""
    apps.get_model("shop", "Line").objects.filter(pk__lte=10).update(note=SUFFIX)
'''
MODELS = """
from django.db import models


class Customer(models.Model):
    id = models.BigAutoField(primary_key=True)
    email = models.TextField()


class Line(models.Model):
    id = models.BigAutoField(primary_key=True)
    customer = models.ForeignKey(Customer, models.CASCADE)
    quantity = models.IntegerField({quantity})
    note = models.CharField(max_length=100{note})
"""


ROUTER = """
class Router:
    def allow_migrate(self, db, app_label, model_name=None, **hints):
        return app_label != "shop" or model_name in ("line", "customer")
"""
DEPOT = """
from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies = [("shop", "0002_change")]
    operations = [migrations.RunSQL("CREATE TABLE depot ()", "DROP TABLE depot")]
"""


@pytest.fixture(scope="module")
def source(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server, tmp_path_factory.mktemp("initial"), rows=ROWS, name="twinned") as address:
        yield address


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def tried(
    source: Address,
    project: Path,
    *targets: str,
    drills: tuple[DrillName, ...] | None = (),
    budget_ms: float = 1,
    progress: Progress = SILENT,
) -> Rehearsal:
    budget = Budget(read_ms=budget_ms, write_ms=budget_ms, timeout_seconds=60)
    how = {"budget": budget, "targets": list(targets), "drills": drills, "try_twin": True}
    rehearsal = rehearse(requested(source, project, branch="twins", **how), progress)
    assert branches_of(source) == []
    assert list(places.scratch().glob("*")) == []
    return rehearsal


def the_twin(rehearsal: Rehearsal) -> Twin:
    assert rehearsal.error is None, rehearsal.error
    [twin] = rehearsal.twins
    return twin


def take_over(twin: Twin, project: Path) -> None:
    """As a person would: the files go into the app."""
    for file in twin.files:
        app, name = file.path.split("/")
        (project / app / "migrations" / name).write_text(file.text)


def manage(project: Path, source: Address, *words: str) -> str:
    script = (
        "import os, sys, django\n"
        "from django.conf import settings\n"
        "d = settings.DATABASES['default']\n"
        "d.update(HOST=os.environ['PGHOST'], PORT=os.environ['PGPORT'], NAME=os.environ['PGDATABASE'])\n"
        "d.update(USER=os.environ['PGUSER'], PASSWORD=os.environ['PGPASSWORD'])\n"
        "django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command(*sys.argv[1:])\n"
    )
    environment = {**os.environ, **source.environment, "DJANGO_SETTINGS_MODULE": "shop_settings"}
    command = [sys.executable, "-c", script, *words]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


ODD = {
    "nulls are filled": (
        "migrations.AlterField('line', 'note', models.CharField(max_length=100, default='a ''b''%s'))",
        5,
    ),
    "unique text": ("migrations.AlterField('customer', 'email', models.TextField(unique=True))", 3),
    "one to one": (
        "migrations.AddField('line', 'gift', models.OneToOneField('shop.Customer', models.SET_NULL, null=True,"
        " related_name='+'))",
        5,
    ),
    "slug": ("migrations.AddField('line', 'slug', models.SlugField(null=True))", 2),
    "positive": ("migrations.AlterField('line', 'quantity', models.PositiveIntegerField())", 2),
    "new positive": ("migrations.AddField('line', 'w', models.PositiveSmallIntegerField(default=3))", 2),
    "together": ("migrations.AlterUniqueTogether('line', {('id', 'quantity')})", 2),
    "many to many": ("migrations.AddField('customer', 'lines', models.ManyToManyField('shop.Line'))", 4),
    "around it": (
        f"migrations.RunPython(fill, migrations.RunPython.noop), {INDEX}, migrations.RunSQL('SELECT 1', '')",
        3,
    ),
    "not atomic": (f"{INDEX}, migrations.RunPython(fill, migrations.RunPython.noop)", 2),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=[] if one in ("nulls are filled", "around it") else [pytest.mark.full]) for one in ODD],
)
def test_twin_of_an_odd_migration_ends_in_the_same_schema(source: Address, tmp_path: Path, name: str) -> None:
    operations, count = ODD[name]
    project = write_project(tmp_path, operations, before=FILL, atomic=name != "not atomic")
    twin = the_twin(tried(source, project))
    assert twin.status == "rehearsed", twin.reason
    assert (twin.same_schema, twin.differences, twin.left) == (True, [], [])
    assert [file.path for file in twin.files][-1] == "shop/0002_change.py"
    assert len(twin.files) == count
    for file in twin.files:
        compile(file.text, file.path, "exec")
        assert ("SUFFIX" in file.text) == ("code=fill" in file.text)


def test_files_can_be_taken_over_and_models_are_what_they_were(source: Address, tmp_path: Path) -> None:
    changes = "migrations.AlterField('line', 'note', models.CharField(max_length=100, default='-'))"
    changes += ", migrations.AlterField('line', 'quantity', models.IntegerField(db_index=True))"
    project = write_project(tmp_path, changes, "migrations.RunSQL('SELECT 1', '')")
    initial = project / "shop" / "migrations" / "0001_initial.py"
    initial.write_text(initial.read_text().replace("primary_key=True", "primary_key=True, serialize=False"))
    (project / "shop" / "models.py").write_text(MODELS.format(quantity="db_index=True", note=", default='-'"))
    assert "No changes" in manage(project, source, "makemigrations", "--check", "--dry-run")
    twin = the_twin(tried(source, project))
    take_over(twin, project)
    assert "No changes" in manage(project, source, "makemigrations", "--check", "--dry-run")
    clone = replace(source, database="twinned_over")
    with psycopg.connect(**replace(source, database="postgres").parameters, autocommit=True) as connection:
        connection.execute("CREATE DATABASE twinned_over TEMPLATE twinned")
        try:
            manage(project, clone, "migrate", "--verbosity", "0")
            manage(project, clone, "migrate", "--check")
            manage(project, clone, "migrate", "shop", "0001", "--verbosity", "0")
            manage(project, clone, "migrate", "--verbosity", "0")
        finally:
            connection.execute("DROP DATABASE twinned_over WITH (FORCE)")


def test_what_django_cannot_write_down_is_said(source: Address, tmp_path: Path) -> None:
    run = "migrations.RunPython(lambda apps, editor: None, migrations.RunPython.noop)"
    twin = the_twin(tried(source, write_project(tmp_path, f"{run}, {INDEX}")))
    assert (twin.status, twin.files, twin.passes) == ("not written", [], False)
    assert twin.reason == (
        "It cannot be written mechanically, because Django cannot write down all of this: Raw Python operation."
    )


def test_default_that_is_computed_is_not_written_down(source: Address, tmp_path: Path) -> None:
    add = "migrations.AddField('line', 'w', models.UUIDField(default=uuid.uuid4, db_index=True))"
    twin = the_twin(tried(source, write_project(tmp_path, add, before="import uuid")))
    assert twin.reason == (
        "It cannot be written mechanically, because Add field w to line: its default is computed when it runs."
    )


def test_hazard_without_a_mechanical_twin_is_said(source: Address, tmp_path: Path) -> None:
    change = "migrations.AlterField('line', 'quantity', models.BigIntegerField())"
    twin = the_twin(tried(source, write_project(tmp_path, change)))
    assert (twin.status, twin.reason) == ("not written", "H24: what avoids it has to be thought out.")


def test_twin_that_ends_in_another_schema_is_not_offered(source: Address, tmp_path: Path) -> None:
    count = "DO $$ BEGIN EXECUTE 'CREATE TABLE odd_' || (SELECT count(*) FROM django_migrations) || '()'; END $$"
    twin = the_twin(tried(source, write_project(tmp_path, f'{CHECK}, migrations.RunSQL("{count}", "")')))
    assert (twin.status, twin.same_schema, twin.passes, twin.files) == ("rehearsed", False, False, [])
    assert twin.reason == (
        "It does not reach the same schema, so it is not recommended: table odd_1 is missing, table odd_3 is there in "
        "addition."
    )


def test_twin_that_fails_does_not_keep_the_others_back(source: Address, tmp_path: Path) -> None:
    odd = "DO $$ BEGIN IF (SELECT count(*) FROM django_migrations) > 1 THEN RAISE 'no'; END IF; END $$"
    mail = "migrations.AddIndex('customer', models.Index(fields=['email'], name='mail'))"
    project = write_project(tmp_path, f'{CHECK}, migrations.RunSQL("{odd}", "")', mail)
    broken, other = tried(source, project).twins
    assert (broken.migration, broken.status, broken.files) == ("shop.0002_change", "failed", [])
    assert broken.reason == (
        "shop.0002_change failed with ProgrammingError (SQLSTATE P0001) on a clone of the copy, so it is not offered."
    )
    assert (other.migration, other.status, other.same_schema) == ("shop.0003_change", "rehearsed", True)


def test_target_may_be_cut_short(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, CHECK, "migrations.AddField('Line', 'extra', models.IntegerField(null=True))")
    twin = the_twin(tried(source, project, "shop.0002"))
    assert (twin.status, twin.same_schema) == ("rehearsed", True)
    assert [file.path for file in twin.files] == ["shop/0002_1_change.py", "shop/0002_change.py"]


def test_other_apps_depend_on_it_and_routers_are_told_the_model(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, "migrations.AlterField('line', 'quantity', models.IntegerField(db_index=True))")
    settings = project / "shop_settings.py"
    settings.write_text(
        f"{settings.read_text()}\nINSTALLED_APPS.append('depot')\nDATABASE_ROUTERS = ['depot.Router']\n"
    )
    (project / "depot" / "migrations").mkdir(parents=True)
    (project / "depot" / "__init__.py").write_text(ROUTER)
    (project / "depot" / "migrations" / "__init__.py").touch()
    (project / "depot" / "migrations" / "0001_initial.py").write_text(DEPOT)
    twin = the_twin(tried(source, project))
    assert (twin.status, twin.same_schema) == ("rehearsed", True), twin.reason
    assert "hints={'model_name': 'line'}" in twin.files[0].text


def test_twin_is_a_wish_and_drills_nobody_named_are_not(source: Address, tmp_path: Path) -> None:
    rehearsal = tried(source, write_project(tmp_path, INDEX), drills=None)
    assert {drill.status for drill in rehearsal.drills} == {"not run"}
    assert the_twin(rehearsal).status == "rehearsed"
    assert rehearsal.verdict == "fail"  # of the migration as it is


def test_nothing_is_tried_where_nothing_was_found(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, "migrations.AddField('Line', 'extra', models.IntegerField(null=True))")
    assert tried(source, project, budget_ms=10_000).twins == []
