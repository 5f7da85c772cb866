"""What is held against a twin: other data than the migration leaves; and what is told where it could not be tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from greenroom.console import Silent
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from tests.integration.projects import shop, write_project
from tests.integration.test_twins import CHECK, FILL, INDEX, the_twin, tried

pytestmark = pytest.mark.full

RUN = "migrations.RunPython(fill, migrations.RunPython.noop)"
COLUMN = "migrations.AddField('line', 'copy', models.IntegerField(null=True))"


@pytest.fixture(scope="module")
def source(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server, tmp_path_factory.mktemp("initial"), rows=20_000, name="twinned") as address:
        yield address


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@dataclass(frozen=True)
class Forbidding(Silent):
    """Takes the right to make databases from the role, once the migration has been seen."""

    server: Address
    role: str

    def step(self, text: str) -> None:
        if text == "writing the safe twin":
            with psycopg.connect(**self.server.parameters, autocommit=True) as connection:
                connection.execute(f'ALTER ROLE "{self.role}" NOCREATEDB')


def test_twin_that_leaves_other_values_is_not_offered(source: Address, tmp_path: Path) -> None:
    count = "UPDATE shop_line SET note = (SELECT count(*) FROM django_migrations)::text WHERE id < 10"
    project = write_project(tmp_path, f'{CHECK}, migrations.RunSQL("{count}", "")')
    twin = the_twin(tried(source, project, budget_ms=0.05))
    assert (twin.same_schema, twin.same_data, twin.passes, twin.files) == (True, False, False, [])
    assert twin.reason == (
        "It does not leave the same data, so it is not recommended: other values in column note of shop_line."
    )


def test_times_may_differ(source: Address, tmp_path: Path) -> None:
    stamp = "migrations.AddField('line', 'at', models.DateTimeField(null=True))"
    project = write_project(tmp_path, f"{INDEX}, {stamp}", "migrations.RunSQL('UPDATE shop_line SET at = now()', '')")
    rehearsal = tried(source, project, "shop", budget_ms=0.05)
    twin = next(twin for twin in rehearsal.twins if twin.migration == "shop.0002_change")
    assert (twin.status, twin.same_data) == ("rehearsed", True), twin.reason


def test_change_and_backfill_are_migrations_of_their_own(source: Address, tmp_path: Path) -> None:
    fill = FILL.replace("pk__lte=10", "pk__gt=0")
    twin = the_twin(tried(source, write_project(tmp_path, f"{COLUMN}, {RUN}", before=fill), budget_ms=0.05))
    assert twin.hazards == ["H41"]
    assert (twin.status, twin.same_schema, twin.same_data) == ("rehearsed", True, True), twin.reason
    assert ["AddField" in file.text for file in twin.files] == [True, False]
    assert "H41" not in twin.remaining
    assert twin.files[-1].text.count("from django.db import migrations") == 1


def test_tables_are_changed_in_migrations_of_their_own(source: Address, tmp_path: Path) -> None:
    mail = "migrations.AddField('customer', 'mail', models.IntegerField(null=True))"
    work = "migrations.RunSQL('SELECT pg_sleep(0.5)', '')"
    twin = the_twin(tried(source, write_project(tmp_path, f"{mail}, {COLUMN}, {work}"), budget_ms=50))
    assert twin.hazards == ["H46"]
    assert (twin.status, twin.same_schema) == ("rehearsed", True), twin.reason
    assert [file.path for file in twin.files] == [
        "shop/0002_1_change.py",
        "shop/0002_2_change.py",
        "shop/0002_change.py",
    ]
    assert "H46" not in twin.remaining


def test_twin_that_the_project_cannot_load_is_not_offered(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, f"{COLUMN}, {RUN}", before=FILL.replace("pk__lte=10", "pk__gt=0"))
    change = project / "shop" / "migrations" / "0002_change.py"
    change.write_text(change.read_text() + "\n\nMigration.initial = False\n")  # which no other file's class is called
    twin = the_twin(tried(source, project, budget_ms=0.05))
    assert (twin.hazards, twin.status, twin.files) == (["H41"], "failed", [])
    assert twin.reason == (
        "The project does not come up with it, so it is not offered: no plan can be made: NameError: name 'Migration' "
        "is not defined."
    )


def test_files_are_handed_out_where_no_clone_can_be_had(server: Server, source: Address, tmp_path: Path) -> None:
    try:
        forbidding = Forbidding(server.address, source.user)
        twin = the_twin(tried(source, write_project(tmp_path, INDEX), budget_ms=0.05, progress=forbidding))
    finally:
        with psycopg.connect(**server.address.parameters, autocommit=True) as connection:
            connection.execute(f'ALTER ROLE "{source.user}" CREATEDB')
    assert (twin.status, twin.passes, twin.same_schema, twin.same_data) == ("not rehearsed", False, None, None)
    assert "permission" in twin.reason or "may not" in twin.reason, twin.reason
    assert [file.path for file in twin.files] == ["shop/0002_change.py"]
