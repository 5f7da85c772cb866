from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
Migrate = Callable[..., Any]


def history() -> list[str]:
    return sorted(name for app, name in MigrationLoader(None).graph.nodes if app == "ledger")


@pytest.mark.django_db
def test_models_and_migrations_agree() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_history_has_at_least_eight_steps_and_no_branches() -> None:
    assert len(history()) >= 8
    assert MigrationLoader(None).detect_conflicts() == {}


def test_demo_leaves_exactly_three_migrations_pending() -> None:
    demo = tomllib.loads(PYPROJECT.read_text())["tool"]["greenroom"]["demo"]
    loader = MigrationLoader(None)
    start = [tuple(target.split(".", 1)) for target in demo["migrate_to"]]
    reached = {node for target in start for node in loader.graph.forwards_plan(target)}
    assert sorted(set(loader.graph.nodes) - reached) == [
        ("ledger", "0010_statement_sqlstate"),
        ("ledger", "0011_statement_slowest_first"),
        ("ledger", "0012_statement_calls_required"),
    ]


def test_every_migration_goes_back_and_forth(migrate: Migrate) -> None:
    migrate(None)
    assert not [table for table in connection.introspection.table_names() if table.startswith("ledger_")]
    for name in history():
        migrate(name)
        migrate(history()[max(0, history().index(name) - 1)])
        migrate(name)


def test_totals_are_filled_from_the_documents(migrate: Migrate) -> None:
    rehearsals = migrate("0004_rehearsal_totals").get_model("ledger", "Rehearsal").objects
    facts = {
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "source_kind": "dump",
        "server_version": "15",
        "verdict": "pass",
    }
    full = {
        "project": "shop",
        "plan": {"fingerprint": "f" * 64},
        "totals": {"seconds": 2.5, "read_stall_ms": 1, "write_stall_ms": 20.5},
    }
    rehearsals.create(identifier="full", document=full, **facts)
    rehearsals.create(identifier="bare", document={}, **facts)
    rehearsals = migrate("0005_fill_rehearsal_totals").get_model("ledger", "Rehearsal").objects
    totals = rehearsals.order_by("pk").values_list(
        "project", "plan_fingerprint", "seconds", "read_stall_ms", "write_stall_ms"
    )
    assert list(totals) == [("shop", "f" * 64, 2.5, 1.0, 20.5), ("", "", None, None, None)]
    rehearsals.all().delete()
