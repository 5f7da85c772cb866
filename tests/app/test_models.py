from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, models, transaction

from greenroom.rehearsal import document as d
from ledger.ingest import ingest
from ledger.models import Finding, Lock, MigrationRun, Rehearsal, Release, Stall, Statement

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def stored(rehearsal: d.Rehearsal) -> Rehearsal:
    Release.objects.create(version="1.0", git_commit="a" * 40, created_at=NOW)
    return ingest(rehearsal.to_json().encode())[0]


@pytest.mark.parametrize(
    ("model", "change", "constraint"),
    [
        (Release, {"deployed_at": NOW - timedelta(1)}, "release_deployed_after_created"),
        (Rehearsal, {"verdict": "well"}, "rehearsal_verdict_known"),
        (Rehearsal, {"read_stall_ms": -1}, "rehearsal_stalls_not_negative"),
        (MigrationRun, {"status": "lost"}, "migrationrun_status_known"),
        (MigrationRun, {"position": 0}, "migrationrun_position_once"),
        (Statement, {"position": 0}, "statement_position_once"),
        (Statement, {"calls": -1}, "ledger_statement_calls_check"),
        (Lock, {"held_ms": -1}, "lock_held_not_negative"),
        (Lock, {"blocks_reads": True, "blocks_writes": False}, "lock_on_reads_is_on_writes"),
        (Stall, {"write_ms": -1}, "stall_not_negative"),
        (Finding, {"hazard": "X01"}, "finding_hazard_is_an_id"),
        (Finding, {"severity": "dire"}, "finding_severity_known"),
    ],
)
def test_database_refuses(
    stored: Rehearsal, model: type[models.Model], change: dict[str, object], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model._default_manager.update(**change)


def test_rehearsal_takes_its_parts_along(stored: Rehearsal) -> None:
    stored.delete()
    assert [m._default_manager.count() for m in (MigrationRun, Statement, Lock, Stall, Finding)] == [0] * 5


def test_release_leaves_its_rehearsals(stored: Rehearsal) -> None:
    Release.objects.get().delete()
    stored.refresh_from_db()
    assert stored.release is None


def test_statement_long_sql_is_cut_for_people() -> None:
    assert str(Statement(sql="x" * 100)) == "x" * 79 + "…"
