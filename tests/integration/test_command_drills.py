"""Clones for the drills of a copy that a command makes: its server may be one that others use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenroom.postgres.lease import LeasedDatabase
from greenroom.postgres.server import connect
from tests.integration.projects import PASSWORD, write_project
from tests.integration.test_command_targets import Lab, killed, lab, source
from tests.integration.test_target_command import HARMLESS

pytestmark = pytest.mark.full

__all__ = ["lab", "source"]
SLOW_BACK = "migrations.RunPython(lambda apps, editor: None, lambda apps, editor: time.sleep(60))"


def killed_in_a_drill(lab: Lab) -> tuple[str, str]:
    """The names of the copy and of its clone."""
    write_project(lab.desk.place / "project", HARMLESS, SLOW_BACK)
    ours = killed(lab, "back", lambda leased: any(reverting(lab, copy) for copy in leased if not copy.lease.engine))
    (copy,) = [copy.name for copy in ours if copy.lease.engine]
    return copy, next(copy.name for copy in ours if not copy.lease.engine)


def reverting(lab: Lab, clone: LeasedDatabase) -> bool:
    """Whether somebody is on the clone, which is whole."""
    with connect(lab.source.at("postgres")) as connection:
        row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [clone.name]).fetchone()
    return row is not None and row[0] > 0


def test_clone_of_a_killed_drill_is_found_and_reaped(lab: Lab) -> None:
    copy, clone = killed_in_a_drill(lab)
    assert {copy, clone} <= lab.databases()
    assert lab.desk.files_with(PASSWORD) == []
    there = replace(lab.desk, variables={"PGPASSWORD": PASSWORD})  # of the URL that acquire printed
    assert clone in there.run("db-list").stdout
    reaped = there.run("db-reap", "--yes")
    assert reaped.returncode == 0, reaped.stderr
    assert lab.databases() == {lab.source.database} and lab.released == [copy]
    assert there.run("db-list").stdout.count("lab__") == 0


def test_clone_of_a_killed_drill_is_told_where_its_password_is_not_known(lab: Lab) -> None:
    """The copy is released all the same, by its name too; the clone stands in the journal until it is gone."""
    copy, clone = killed_in_a_drill(lab)
    reaped = lab.desk.run("db-reap", "--yes")
    assert reaped.returncode == 2 and lab.released == [copy]
    assert f"{lab.source.server} asks for a password for {lab.source.user}" in reaped.stdout + reaped.stderr
    assert clone in lab.databases()
    there = replace(lab.desk, variables={"PGPASSWORD": PASSWORD})
    assert there.run("db-reap", "--yes").returncode == 0
    assert lab.databases() == {lab.source.database}


def test_copy_whose_clone_stands_is_dropped_by_its_name(lab: Lab) -> None:
    """On the server it is a database that its engine ends, and that is what is asked for."""
    copy, clone = killed_in_a_drill(lab)
    there = replace(lab.desk, variables={"PGPASSWORD": PASSWORD})
    for name in (copy, clone):
        dropped = there.run("db-drop", name, "--yes")
        assert dropped.returncode == 0, dropped.stderr
    assert lab.released == [copy] and not {copy, clone} & lab.databases()
    assert there.run("db-reap", "--yes").returncode == 0  # another clone, from which that one was made, may stand
    assert lab.databases() == {lab.source.database}
