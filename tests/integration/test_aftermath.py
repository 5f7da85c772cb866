"""What a client of the copy finds after a migration, on real servers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from greenroom.rehearsal import aftermath
from greenroom.rehearsal.aftermath import Client
from greenroom.rehearsal.observations import Aftermath, DatedColumn, Lookup

TABLES = """
CREATE TABLE person (id bigint PRIMARY KEY, name varchar(20), "old%age" int);
CREATE TABLE visit (id bigint PRIMARY KEY, person_id bigint, day bigint, note json) PARTITION BY RANGE (id);
CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM (0) TO (10000);
CREATE SCHEMA audit;
CREATE TABLE audit.log (id bigint, entry varchar(20));
INSERT INTO person SELECT n, 'person ' || n, nullif(n, 1) FROM generate_series(1, 1000) n;
INSERT INTO visit SELECT n, n, n FROM generate_series(1, 1000) n;
CREATE VIEW names AS SELECT name FROM person;
CREATE MATERIALIZED VIEW audit.lengths AS SELECT length(name) FROM names;
CREATE VIEW entries AS SELECT count(*) FROM audit.log;
ANALYZE;
"""


@pytest.fixture
def database(server: Server) -> Iterator[Address]:
    """A database of its own for each test."""
    name = f"aftermath{secrets.token_hex(3)}"
    with connect(server.address) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        with connect(server.address.at(name)) as inside:
            inside.execute(TABLES)
        yield server.address.at(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def after(database: Address, *statements: str) -> Aftermath:
    """What a client meets after these."""
    with connect(database) as connection, closing(Client(database)) as client:
        for statement in statements:
            connection.execute(statement)
        return client.aftermath()


def test_nothing_done_is_nothing_found(database: Address) -> None:
    assert after(database) == Aftermath(
        views={
            "names": frozenset({("person", "name")}),
            "audit.lengths": frozenset({("names", "name"), ("person", "name")}),
            "entries": frozenset({("audit.log", "")}),
        }
    )


def test_view_is_gone_unless_it_is_there_by_name_or_by_oid(database: Address) -> None:
    found = after(
        database,
        "ALTER TABLE person DROP COLUMN name CASCADE",
        "CREATE VIEW names AS SELECT id AS name FROM person",
        "ALTER VIEW entries RENAME TO lines",
    )
    assert found.views_gone == {"audit.lengths"}


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("ALTER TABLE audit.log ADD COLUMN more text", {}),
        ("ALTER TABLE visit ALTER COLUMN note TYPE jsonb", {"visit": "0A000", "visit_1": "0A000"}),
        ('ALTER TABLE person ALTER COLUMN "old%age" TYPE bigint', {"person": "0A000"}),
        ("ALTER TABLE audit.log ALTER COLUMN entry TYPE varchar(40)", {"audit.log": "0A000"}),
        ("ALTER TABLE audit.log RENAME COLUMN id TO number", {"audit.log": "42703"}),
        ("DROP TABLE audit.log CASCADE", {"audit.log": "42P01"}),
    ],
)
def test_what_was_prepared_runs_as_long_as_its_result_keeps_its_type(
    database: Address, statement: str, refused: dict[str, str]
) -> None:
    assert after(database, statement).refused == refused


def test_new_foreign_key_without_an_index_is_looked_up(database: Address) -> None:
    add = "ALTER TABLE {0} ADD FOREIGN KEY ({1}) REFERENCES person (id)"
    unique = "ALTER TABLE person ADD UNIQUE (id, {0})"
    [lookup] = after(database, add.format("visit", "person_id")).lookups
    assert (lookup.table, lookup.columns, lookup.parent) == ("visit", ("person_id",), "person")
    assert lookup.seconds is not None and 0 < lookup.seconds < 5
    assert after(database, "SELECT 1").lookups == ()  # it is not new any more
    pair = 'ALTER TABLE visit ADD COLUMN age int, ADD FOREIGN KEY (age, day) REFERENCES person ("old%age", id)'
    [lookup] = after(database, unique.format('"old%age"'), pair).lookups
    assert lookup.columns == ("age", "day") and lookup.seconds is not None


@pytest.mark.parametrize(
    ("index", "found"),
    [
        ("(person_id)", False),
        ("(person_id, day)", False),
        ("(day, person_id)", True),
        ("(person_id) WHERE day > 5", True),
        ("(person_id) WHERE person_id IS NOT NULL", False),
    ],
)
def test_index_that_serves_a_foreign_key(database: Address, index: str, found: bool) -> None:
    key = "ALTER TABLE visit ADD FOREIGN KEY (person_id) REFERENCES person (id)"
    more = "INSERT INTO visit SELECT n, n % 1000 + 1, n FROM generate_series(1001, 9000) n"
    lookups = after(database, more, key, f"CREATE INDEX ON visit {index}", "ANALYZE").lookups
    assert [bool(lookup.seconds) for lookup in lookups] == [True] * found


def test_look_up_without_a_parent_is_not_tried(database: Address) -> None:
    child = "CREATE TABLE audit.copy (id bigint PRIMARY KEY, of bigint REFERENCES audit.copy)"
    assert after(database, child).lookups == (Lookup("audit.copy", ("of",), "audit.copy"),)


def test_look_up_that_takes_too_long_is_stopped(database: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aftermath, "LOOKUP_MS", 1)
    more = "INSERT INTO audit.log SELECT n, n FROM generate_series(1, 300000) n"
    [lookup] = after(database, more, "ALTER TABLE audit.log ADD FOREIGN KEY (id) REFERENCES person NOT VALID").lookups
    assert lookup.seconds is not None and 0.001 <= lookup.seconds < 1


def test_dated_types_of_new_columns_only(database: Address) -> None:
    new = "CREATE TABLE coupon (id int PRIMARY KEY, code char(2), made timestamp, used timestamptz, n int, data jsonb)"
    assert after(database, new, "ALTER TABLE audit.log ADD COLUMN data json").dated == (
        DatedColumn("audit.log", "data", "json"),
        DatedColumn("coupon", "id", "integer", is_key=True),
        DatedColumn("coupon", "code", "character(2)"),
        DatedColumn("coupon", "made", "timestamp without time zone"),
    )


def test_session_that_was_ended_is_told(database: Address) -> None:
    with connect(database) as connection, closing(Client(database)) as client:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(psycopg.OperationalError):
            client.aftermath()


def test_table_that_is_still_locked_does_not_keep_it(database: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aftermath, "WAIT_MS", 50)
    with connect(database) as other, closing(Client(database)) as client, other.transaction():
        other.execute("LOCK TABLE person")
        assert client.aftermath().refused == {"person": "55P03"}
