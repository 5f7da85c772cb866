"""Tables that are not the usual ones: names that need quotes, other schemas, partitions, names within names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from greenroom.rehearsal import relations
from greenroom.rehearsal.document import Rehearsal, Stall
from greenroom.rehearsal.fidelity import BLIND
from tests.integration.projects import shop, write_project
from tests.integration.test_rehearsal import rehearsed

pytestmark = pytest.mark.full

ODD = '"od%d s"."we""ird %s; --"'
TABLES = [
    'CREATE SCHEMA "od%d s"',
    f"CREATE TABLE {ODD} AS SELECT n AS id, n AS amount FROM generate_series(1, 200000) n",
    "CREATE TABLE part (id int NOT NULL, at int NOT NULL) PARTITION BY RANGE (at)",
    "CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (1000000)",
    "CREATE TABLE part_11 PARTITION OF part FOR VALUES FROM (1000000) TO (2000000)",
    "INSERT INTO part SELECT n, n * 9 FROM generate_series(1, 200000) n",
    "VACUUM ANALYZE",
]


@pytest.fixture(scope="module")
def source(server18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server18, tmp_path_factory.mktemp("initial"), rows=100, name="oddly") as address:
        with psycopg.connect(**address.parameters, autocommit=True) as connection:
            for statement in TABLES:
                connection.execute(statement.encode())
        yield address


def stall_of(rehearsal: Rehearsal, table: str) -> Stall | None:
    return next((stall for stall in rehearsal.stalls if stall.table == table), None)


def changed(source: Address, directory: Path, *statements: str, probed_tables: int = 8) -> Rehearsal:
    steps = ", ".join(f"migrations.RunSQL({statement!r})" for statement in statements)
    rehearsal = rehearsed(source, write_project(directory, steps), probed_tables=probed_tables)
    assert rehearsal.error is None
    return rehearsal


def test_name_that_needs_quotes_is_probed_and_judged(source: Address, tmp_path: Path) -> None:
    rehearsal = changed(source, tmp_path, f"ALTER TABLE {ODD} ALTER amount TYPE bigint", "SELECT pg_sleep(0.3)")
    name = 'od%d s.we"ird %s; --'
    found = stall_of(rehearsal, name)
    assert name in rehearsal.fidelity.probed_tables
    assert found
    assert not found.derived
    assert found.read_ms >= 250
    assert found.rows == 200_000
    assert [rewrite.table for s in rehearsal.migrations[0].statements for rewrite in s.rewrites] == [name]
    assert {finding.table for finding in rehearsal.findings if finding.hazard == "H24"} == {name}


def test_parent_that_is_locked_after_its_partition_is_no_deadlock(source: Address, tmp_path: Path) -> None:
    """A probe that held the parent while it waited for the partition would make the migration the victim."""
    rehearsal = changed(
        source,
        tmp_path,
        "LOCK TABLE part_1 IN ACCESS EXCLUSIVE MODE",
        "SELECT pg_sleep(1.3)",
        "ALTER TABLE part ADD COLUMN note text",
    )
    assert {"part", "part_1"} <= set(rehearsal.fidelity.probed_tables)
    felt = stall_of(rehearsal, "part_1")
    assert felt
    assert felt.read_ms >= 1200


@pytest.mark.full
def test_table_whose_name_is_part_of_another_is_left_alone(source: Address, tmp_path: Path) -> None:
    rehearsal = changed(source, tmp_path, "ALTER TABLE part_11 ADD CHECK (id > 0)", "SELECT pg_sleep(0.1)")
    assert stall_of(rehearsal, "part_11")
    assert not stall_of(rehearsal, "part_1")


@pytest.mark.full
def test_many_tables_more_than_are_probed_are_derived(source: Address, tmp_path: Path) -> None:
    rehearsal = changed(source, tmp_path, "LOCK TABLE part_1, part_11, shop_line, shop_customer", probed_tables=1)
    assert len(rehearsal.fidelity.probed_tables) == 1
    assert {stall.table for stall in rehearsal.stalls} >= {"part_1", "part_11", "shop_line", "shop_customer"}


@pytest.mark.full
def test_table_that_its_maker_may_not_touch_is_not_probed(source: Address, server18: Server, tmp_path: Path) -> None:
    """A copy by TEMPLATE has it all the same."""
    with connect(server18.address.at(source.database)) as admin:
        admin.execute("CREATE TABLE private AS SELECT n FROM generate_series(1, 500000) n")
    try:
        rehearsal = changed(source, tmp_path, "LOCK TABLE part_1")
    finally:
        with connect(server18.address.at(source.database)) as admin:
            admin.execute("DROP TABLE private")
    assert "part_1" in rehearsal.fidelity.probed_tables
    assert "private" not in rehearsal.fidelity.probed_tables


@pytest.mark.parametrize(("limit", "tables"), [(-1, 7), (20, 3), (12, 0)])
def test_probes_keep_within_the_roles_connections(source: Address, server18: Server, limit: int, tables: int) -> None:
    """Ten sessions are left to others, the one that asks is taken, and a table takes three."""
    with connect(server18.address) as admin, connect(source) as connection:
        admin.execute(f"ALTER ROLE {source.user} CONNECTION LIMIT {limit}")
        try:
            found = relations.read(connection)
            assert len(relations.probed(connection, found, [], 8)) == tables
        finally:
            admin.execute(f"ALTER ROLE {source.user} CONNECTION LIMIT -1")


@pytest.mark.full
def test_timeouts_of_the_app_do_not_end_probes_that_rest(source: Address, tmp_path: Path) -> None:
    """Row probes rest until rows are written: idle_session_timeout, which the copy has from its source, ends others."""
    with connect(source) as connection:
        connection.execute("ALTER DATABASE oddly SET idle_session_timeout = '2s'")
    try:
        rehearsal = changed(source, tmp_path, "SELECT pg_sleep(4)", "UPDATE part SET id = id + 1")
    finally:
        with connect(source) as connection:
            connection.execute("ALTER DATABASE oddly RESET idle_session_timeout")
    assert BLIND not in rehearsal.fidelity.notes
    found = stall_of(rehearsal, "part")  # the whole table is what the statement names
    assert found
    assert found.row_ms > 0


def test_table_that_has_rows_is_not_taken_for_empty(source: Address, server18: Server) -> None:
    """What the server says of it is -1, or 0 from a time when that was so, or it may not be read at all."""
    made = [
        "CREATE TABLE late (id int) WITH (autovacuum_enabled = off)",
        "VACUUM ANALYZE late",
        "INSERT INTO late SELECT n FROM generate_series(1, 300000) n",
        "CREATE TABLE hollow (id int) WITH (autovacuum_enabled = off)",  # its first pages hold nothing any more
        "INSERT INTO hollow SELECT n FROM generate_series(1, 300000) n",
        "DELETE FROM hollow WHERE id < 250000",
        "CREATE TABLE cleared (id int) WITH (autovacuum_enabled = off)",
        "INSERT INTO cleared SELECT n FROM generate_series(1, 300000) n",
        "DELETE FROM cleared",
    ]
    with connect(server18.address.at(source.database)) as admin, connect(source) as connection:
        admin.execute("CREATE TABLE hidden (id int) WITH (autovacuum_enabled = off)")
        admin.execute("INSERT INTO hidden SELECT n FROM generate_series(1, 300000) n")
        try:
            for statement in made:
                connection.execute(statement.encode())
            rows = {table.name: table.rows for table in relations.read(connection)}
        finally:
            connection.execute("DROP TABLE IF EXISTS late, hollow, cleared")
            admin.execute("DROP TABLE hidden")
    assert rows["late"] == pytest.approx(300_000, rel=0.02)
    assert rows["hollow"] > 0 and rows["cleared"] == 0
    assert 10_000 < rows["hidden"] < 1_000_000


def test_rows_of_a_table_that_was_never_analysed_are_estimated(source: Address, tmp_path: Path) -> None:
    """The server says -1 of it, and of a partitioned table's leaf too; a template has it so."""
    with connect(source) as connection:
        connection.execute("CREATE TABLE raw (id int) WITH (autovacuum_enabled = off)")
        connection.execute("INSERT INTO raw SELECT n FROM generate_series(1, 300000) n")
        connection.execute("CREATE TABLE raw_whole (id int) PARTITION BY RANGE (id)")
        connection.execute("CREATE TABLE raw_part PARTITION OF raw_whole FOR VALUES FROM (1) TO (400000)")
        connection.execute("ALTER TABLE raw_part SET (autovacuum_enabled = off)")
        connection.execute("INSERT INTO raw_whole SELECT n FROM generate_series(1, 100000) n")
        connection.execute("CREATE TABLE raw_empty (id int)")
        found = {table.name: table for table in relations.read(connection)}
    try:
        rehearsal = changed(source, tmp_path, "CREATE INDEX raw_id ON raw (id)")
    finally:
        with connect(source) as connection:
            connection.execute("DROP TABLE raw, raw_whole, raw_empty")
    assert found["raw"].rows == pytest.approx(300_000, rel=0.02)
    assert found["raw_part"].rows == found["raw_whole"].rows == pytest.approx(100_000, rel=0.02)
    assert found["raw_empty"].rows == 0
    (blocking,) = [finding for finding in rehearsal.findings if finding.hazard == "H01"]
    assert blocking.evidence.rows == found["raw"].rows
