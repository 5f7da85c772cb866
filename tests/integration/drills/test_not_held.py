"""Drills that are not held: after a failure, on a server of others, on a large copy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import Acquired
from greenroom.postgres.address import Address
from greenroom.postgres.server import connect, facts
from greenroom.rehearsal import drills
from greenroom.rehearsal.rehearse import rehearse
from tests.integration.drills.stage import ADD_NOTE, drilled
from tests.integration.projects import requested, write_project

pytestmark = pytest.mark.full


def test_drills_of_a_migration_that_failed_are_not_run(source: Address, tmp_path: Path) -> None:
    rehearsal = drilled(source, write_project(tmp_path, "migrations.RunSQL('SELECT 1/0')"), "back", "crash")
    assert [(drill.status, drill.reason) for drill in rehearsal.drills] == [
        ("not run", "The migration did not finish, so there is nothing to drill.")
    ] * 2


def test_drills_on_a_server_of_others_are_not_held_by_default(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, ADD_NOTE)
    rehearsal = rehearse(requested(source, project, branch="drills"), Silent())
    assert {drill.status for drill in rehearsal.drills} == {"not run"}
    assert rehearsal.drills[0].reason.startswith("The copy stands on a server that others use")


def test_large_copy_is_not_cloned_unasked(source: Address) -> None:
    with connect(source) as connection:
        here = facts(connection)
    copy = Acquired("dump copy", "restore", "drilled", "embedded", source, source, "lease", here, size_bytes=10**9)
    assert drills.too_large(copy) == ""
    assert drills.too_large(replace(copy, size_bytes=120 * 10**9)) == (
        "The copy has 120.0 GB, and each drill works on a clone of it: name the drills to hold them all the same "
        "(--drills back), or have TMPDIR on a file system whose files share blocks (XFS, btrfs)."
    )
