"""Roles and their like belong to the whole server: what the drills say, whose clones share it with the copy."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.config import Config, Project
from greenroom.console import Silent
from greenroom.copies.acquiring import CopyRequest
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from greenroom.rehearsal.document import Budget, DrillName, Rehearsal
from greenroom.rehearsal.rehearse import rehearse
from greenroom.rehearsal.request import Request
from tests.integration.projects import shop, write_project

pytestmark = pytest.mark.full

INDEX = "AddIndexConcurrently('line', models.Index(fields=['quantity'], name='line_quantity'))"
COLUMN = "migrations.AddField('line', 'extra', models.IntegerField(null=True, db_index=True))"
GRANT = "migrations.RunSQL('GRANT SELECT ON shop_line TO readers', 'REVOKE SELECT ON shop_line FROM readers')"
CREATE = "migrations.RunSQL('CREATE ROLE readers', 'DROP ROLE readers')"
IF_THERE_IS_NONE = (
    'migrations.RunSQL("DO $$ BEGIN CREATE ROLE readers; EXCEPTION WHEN duplicate_object THEN NULL; END $$", "")'
)
SHARED = (
    "shop.0002_change changes what belongs to the whole server ({}), {} (SQLSTATE {}): on a clone, which shares that "
    "server, this cannot be tried."
)
IN_USE = SHARED.format("DROP ROLE", "which the copy still uses", "2BP01")
AGAIN = SHARED.format("CREATE ROLE", "where the rehearsal had done so already", "42710")


@pytest.fixture(scope="module")
def dumps(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One whose owner may do everything on a server of ours, and one whose owner is an ordinary role."""
    place = tmp_path_factory.mktemp("dumped")
    with shop(server, tmp_path_factory.mktemp("initial"), rows=20_000, name="widely") as source:
        admin = server.address.at(source.database)
        environment = {**admin.environment, "PATH": "/usr/bin:/bin"}
        command = [of_major(18).program("pg_dump"), "--format=custom", "--file"]
        subprocess.run([*command, place / "owned.dump"], env=environment, check=True)
        with connect(admin) as connection:
            connection.execute(f"REASSIGN OWNED BY {source.user} TO CURRENT_USER")
        subprocess.run([*command, place / "super.dump"], env=environment, check=True)
        yield place


@pytest.fixture
def dump(dumps: Path) -> Path:
    return dumps / "super.dump"


def rehearsed(dump: Path, project: Path, *drills: DrillName, try_twin: bool = False) -> Rehearsal:
    facts = Project(directory=project, settings="shop_settings")
    config = Config(root=project, project=facts)
    source = CopyRequest(config=config, project=facts, dump=dump, branch="wide")
    budget = Budget(read_ms=1, write_ms=1, timeout_seconds=60)
    return rehearse(
        Request(config=config, project=facts, source=source, budget=budget, drills=drills, try_twin=try_twin), Silent()
    )


def test_drills_that_make_the_role_again_break_off_and_blame_nobody(dump: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path, f"{CREATE}, {GRANT}, {COLUMN}", INDEX, atomic=False)
    rehearsal = rehearsed(dump, project, "back", "lock-queue", "crash", try_twin=True)
    assert rehearsal.error is None
    assert [(drill.name, drill.status, drill.reason) for drill in rehearsal.drills] == [
        ("back", "broken off", IN_USE),
        ("lock-queue", "broken off", AGAIN),
        ("crash", "broken off", AGAIN),
    ]
    assert [finding for finding in rehearsal.findings if finding.drill] == []
    assert [(twin.status, twin.reason) for twin in rehearsal.twins] == [
        ("not rehearsed", AGAIN.replace("0002_change", "0002_1_change"))
    ]


def test_role_that_the_copy_still_uses_is_no_way_back_that_fails(dump: Path, tmp_path: Path) -> None:
    [back] = rehearsed(dump, write_project(tmp_path, f"{CREATE}, {GRANT}"), "back").drills
    assert (back.status, back.reason) == ("broken off", IN_USE)


def test_role_that_nothing_depends_on_goes_back_and_comes_again(dump: Path, tmp_path: Path) -> None:
    [back] = rehearsed(dump, write_project(tmp_path, f"{CREATE}, {COLUMN}"), "back").drills
    assert back.status == "passed", back.reason


def test_role_that_is_made_where_there_is_none_is_drilled_as_ever(dump: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path, f"{IF_THERE_IS_NONE}, {GRANT}", INDEX, atomic=False)
    rehearsal = rehearsed(dump, project, "lock-queue", "crash")
    assert rehearsal.error is None
    assert [(drill.name, drill.status) for drill in rehearsal.drills] == [("lock-queue", "passed"), ("crash", "passed")]


@pytest.mark.parametrize(("reverse", "sqlstate"), [("DROP ROLE nobody_has_made", "42704"), ("", "42710")])
def test_way_back_that_fails_on_any_server_is_the_migrations_own(
    dump: Path, tmp_path: Path, reverse: str, sqlstate: str
) -> None:
    """It does not come back, or not again."""
    project = write_project(tmp_path, f"migrations.RunSQL('CREATE ROLE readers', '{reverse}')")
    [back] = rehearsed(dump, project, "back").drills
    assert (back.status, f"SQLSTATE {sqlstate}" in back.reason) == ("failed", True), back.reason


def test_role_that_may_make_none_here_may_do_so_in_production(dumps: Path, tmp_path: Path) -> None:
    rehearsal = rehearsed(dumps / "owned.dump", write_project(tmp_path, CREATE), "back")
    assert rehearsal.error and rehearsal.error.sqlstate == "42501"
    assert rehearsal.error.advice == (
        "Here the role may not change what belongs to the whole server (CREATE ROLE); a dump does not tell whether it "
        "may in production."
    )
