"""The app's tests run on real PostgreSQL: on the server that DJANGO_DB_HOST names, else on an embedded one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from greenroom.rehearsal import document as d


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> Iterator[None]:
    if os.environ.get("DJANGO_DB_HOST"):
        yield
        return
    from greenroom.postgres.embedded import embedded

    with embedded() as server:
        address = server.address
        password = address.password.reveal() if address.password else ""
        settings.DATABASES["default"].update(
            HOST=address.host, PORT=address.port, NAME="ledger", USER=address.user, PASSWORD=password
        )
        yield


@pytest.fixture
def migrate(transactional_db: None) -> Iterator[Callable[..., Any]]:
    """`migrate("0009_statement_details")` gives the models of that state; the newest comes back at the end."""

    def to(name: str | None) -> Any:
        targets = [("ledger", name)]
        state = MigrationExecutor(connection).migrate(targets)
        return state.apps

    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes("ledger")
    yield to
    MigrationExecutor(connection).migrate(leaves)


@pytest.fixture
def rehearsal() -> d.Rehearsal:
    """A rehearsal as greenroom writes it, with something in every part that the ledger stores."""
    lock = d.Lock(
        table="ledger_statement",
        mode="ShareLock",
        acquired_s=0.1,
        held_ms=612.5,
        blocks_reads=False,
        blocks_writes=True,
    )
    build = d.Statement(
        sql='CREATE INDEX "slow" ON "ledger_statement" ("seconds" DESC)',
        operation=0,
        started_s=0.1,
        seconds=0.61,
        longest_seconds=0.61,
        locks=[lock],
        wal_bytes=22_000_000,
        transaction=1,
    )
    fill = d.Statement(
        sql='UPDATE "t" SET "a" = $1 WHERE "b" < $2',
        calls=3,
        started_s=0.8,
        seconds=0.02,
        longest_seconds=0.01,
        rows=30,
        transaction=1,
        sqlstate="23505",
    )
    return d.Rehearsal(
        id="20261101T120000-abc123",
        created_at=datetime(2026, 11, 1, 12, 0, tzinfo=UTC),
        greenroom_version="0.1.0",
        git=d.Git(commit="a" * 40, branch="feature/slowest", dirty=False),
        project="shop",
        plan=d.Plan(fingerprint="f" * 64),
        verdict="warn",
        reasons=["Writers of ledger_statement waited 612 ms."],
        budget=d.Budget(read_ms=1000, write_ms=2000, timeout_seconds=3600),
        source=d.Source(kind="demo"),
        copy=d.Copy(
            kind="demo",
            method="template",
            name="demo__main_1",
            server="embedded",
            server_version="18.6",
            seconds=1.5,
            dropped=True,
        ),
        migrations=[
            d.MigrationRun(app="ledger", name="0011_slow", seconds=0.63, status="failed", statements=[build, fill]),
            d.MigrationRun(app="ledger", name="0012_next", status="not run"),
        ],
        stalls=[
            d.Stall(
                table="ledger_statement",
                read_ms=3.0,
                write_ms=612.5,
                derived=False,
                rows=1_000_000,
                size_bytes=2 * 10**8,
            )
        ],
        findings=[
            d.Finding(
                hazard="H01",
                name="index-blocking",
                severity="warning",
                table="ledger_statement",
                migration="ledger.0011_slow",
                evidence=d.Evidence(summary="The index build blocked writers for 612 ms."),
                advice=d.Advice(summary="Build it concurrently.", django="AddIndexConcurrently(...)"),
            )
        ],
        fidelity=d.Fidelity(server_version="18.6", timezone="UTC"),
        totals=d.Totals(seconds=0.7, read_stall_ms=3.0, write_stall_ms=612.5),
    )
