"""A copy of a live database is what pg_dump | pg_restore makes: the same dump comes out of both, rows and all."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.copying import copy_database
from greenroom.postgres.embedded import Server
from greenroom.postgres.restoring import Target
from greenroom.postgres.server import connect

# What a copy can get wrong: each thing that is dumped in a way of its own, and values that a text format must quote.
SCHEMA = r"""
CREATE SCHEMA "Odd Schema";
CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm;
CREATE TYPE mood AS ENUM ('sad', 'fine "quoted"', 'glad');
CREATE DOMAIN positive AS integer CHECK (value > 0);
CREATE TYPE pair AS (a integer, b text);
CREATE COLLATION byteorder (locale = 'C');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'a trigger ran while the rows were copied'; END $$;
CREATE TABLE plain (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gone integer, word text COLLATE byteorder, raw bytea,
  number numeric, small real, large double precision, day date, at timestamptz, span interval, doc jsonb, old json,
  mark uuid, net inet, flags bit varying(9), twice integer GENERATED ALWAYS AS (coalesce(length(word), 0) * 2) STORED,
  feeling mood, feelings mood[], amount positive, both_ pair, pairs pair[], tags hstore, kind regtype, words text[],
  during tstzrange, weeks int4multirange, place point, "Odd ""Column" varchar(30) DEFAULT 'x'
);
ALTER TABLE plain DROP COLUMN gone;
INSERT INTO plain (word, raw, number, small, large, day, at, span, doc, old, mark, net, flags, feeling, feelings,
                   amount, both_, pairs, tags, kind, words, during, weeks, place, "Odd ""Column")
SELECT CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN E'tab\tline\nback\\slash \\. \r\b' WHEN 2 THEN ''
            ELSE repeat('é' || n, n) END,
       decode(md5(n::text), 'hex'), CASE n % 4 WHEN 0 THEN 'NaN' ELSE n / 7.0 END, n / 3.0, CASE n % 6 WHEN 0
       THEN '-Infinity' ELSE 1e300 / n END, CASE n % 3 WHEN 0 THEN 'infinity'::date
       WHEN 1 THEN '0044-03-15 BC' END,
       CASE n % 2 WHEN 0 THEN timestamptz '2020-01-01 00:00:00.123456+05' END,
       make_interval(months => n, secs => n / 9.0),
       jsonb_build_object('n', n, 'x', repeat('y', n)), '{"b" : 1,  "a":2}', md5(n::text)::uuid, '10.0.0.0/8',
       (n % 8)::bit(3), (enum_range(NULL::mood))[1 + n % 3], ARRAY[NULL, 'glad']::mood[], n, ROW(n, 'b,"c'::text)::pair,
       ARRAY[ROW(n, NULL::text)::pair], hstore('k', n::text), 'plain'::regtype, ARRAY['a', NULL, '"', '{}'],
       tstzrange('2020-01-01+00', NULL), '{[1,3),[7,9)}', point(n, n / 7.0), 'odd'
FROM generate_series(1, 300) n;
CREATE INDEX ON plain (lower(word)); CREATE INDEX part ON plain (number) INCLUDE (day) WHERE number > 3;
CREATE INDEX ON plain USING gin (doc); CREATE INDEX ON plain USING brin (at); CREATE INDEX ON plain USING hash (mark);
CREATE STATISTICS both_of ON number, day FROM plain;
CREATE TRIGGER no_insert BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER always AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE plain ENABLE ALWAYS TRIGGER always; ALTER TABLE plain DISABLE TRIGGER no_insert;
CREATE TABLE "Odd Schema"."Odd Table" (
  id integer PRIMARY KEY, plain_id bigint REFERENCES plain DEFERRABLE INITIALLY DEFERRED, room int4range,
  EXCLUDE USING gist (room WITH &&)
);
INSERT INTO "Odd Schema"."Odd Table" SELECT n, n, int4range(n * 10, n * 10 + 5) FROM generate_series(1, 200) n;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE "Odd Schema"."Odd Table" ADD CONSTRAINT later CHECK (id > 100) NOT VALID;
CREATE TABLE measured (at date NOT NULL, n integer) PARTITION BY RANGE (at);
CREATE TABLE measured_1 PARTITION OF measured FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY HASH (n);
CREATE TABLE measured_1a PARTITION OF measured_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE measured_1b PARTITION OF measured_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE measured_rest PARTITION OF measured DEFAULT;
INSERT INTO measured SELECT date '2020-06-01' + n * 3, n FROM generate_series(1, 400) n;
CREATE INDEX ON measured (n);
CREATE TABLE parent (a integer); CREATE TABLE child (b text) INHERITS (parent);
INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (3, 'three');
CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES;
CREATE UNLOGGED TABLE unlogged (a integer); INSERT INTO unlogged VALUES (7);
CREATE TABLE guarded (owner_ text, secret text);
INSERT INTO guarded SELECT 'nobody', 's' || n FROM generate_series(1, 50) n;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; ALTER TABLE guarded FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (owner_ = current_user);
CREATE SEQUENCE loose INCREMENT -3 MINVALUE -1000 MAXVALUE 50 START 50 CYCLE; SELECT nextval('loose'), nextval('loose');
CREATE SEQUENCE untouched START 17;
CREATE MATERIALIZED VIEW counted AS SELECT feeling, count(*) FROM plain GROUP BY 1;
CREATE MATERIALIZED VIEW empty AS SELECT 1 AS one WITH NO DATA;
CREATE VIEW barred WITH (security_barrier) AS SELECT id FROM plain WHERE id > 3;
CREATE RULE quiet AS ON INSERT TO parent DO ALSO NOTHING;
CREATE AGGREGATE product (numeric) (sfunc = numeric_mul, stype = numeric);
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;
CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION seen();
ALTER TABLE plain REPLICA IDENTITY FULL; ALTER TABLE plain ALTER word SET STORAGE EXTERNAL;
CREATE INDEX by_a ON parent (a);
CLUSTER parent USING by_a;
"""
COMMENTS = """
COMMENT ON COLUMN plain.word IS 'it''s a word'; COMMENT ON TYPE mood IS 'how';
GRANT SELECT (id, word), UPDATE (word) ON plain TO PUBLIC; GRANT USAGE ON SCHEMA "Odd Schema" TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA "Odd Schema" GRANT SELECT ON TABLES TO PUBLIC;
SELECT lo_from_bytea(4711, 'a large object'); COMMENT ON LARGE OBJECT 4711 IS 'large';
GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC;
"""


@pytest.fixture
def source(server: Server) -> Iterator[Address]:
    """A database with everything, that a superuser owns."""
    with database(server, "everything") as address, connect(address) as connection:
        connection.execute((SCHEMA + COMMENTS).encode())
        yield address


@contextmanager
def database(server: Server, name: str) -> Iterator[Address]:
    """An empty one of its own, as long as the block lasts."""
    address = server.address.at(f"{name}_{secrets.token_hex(2)}")
    with connect(server.address) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(address.database)))
        yield address
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(address.database)))


def dumped(server: Server, address: Address, *options: str) -> list[str]:
    """All of it as text, but what differs from one run to the next."""
    words = [server.binaries.program("pg_dump"), *options, f"--dbname={address.conninfo}"]
    environment = {"PATH": "/usr/bin:/bin", **address.password_environment}
    text = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    return [line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


@pytest.mark.parametrize("big_bytes", [0, 1 << 40], ids=["every table by COPY", "all by pg_dump"])
def test_copy_dumps_like_its_source(server: Server, source: Address, big_bytes: int) -> None:
    before = dumped(server, source)
    with database(server, "copied") as address:
        target = Target(address, superuser=True, label="here")
        copy_database(source, target, server.binaries, Silent(), big_bytes=big_bytes)
        assert dumped(server, address) == before
        with connect(source) as there, connect(address) as here:
            for query in (
                "SELECT count(*), sum(hashtext(t::text)) FROM plain t",
                "SELECT last_value, is_called FROM loose",
                "SELECT feeling, count FROM counted ORDER BY 1",
                "SELECT extname, extversion FROM pg_extension ORDER BY 1",
            ):
                assert here.execute(query).fetchall() == there.execute(query).fetchall()
    assert dumped(server, source) == before


def test_copy_leaves_rows_out_and_calls_before_indexes(server: Server, source: Address) -> None:
    seen: list[object] = []
    with database(server, "copied") as address:

        def look() -> None:
            with connect(address) as connection:
                indexes = "(SELECT count(*) FROM pg_index WHERE indrelid = 'plain'::regclass)"
                query = f"SELECT (SELECT count(*) FROM plain), {indexes}"
                seen.append(connection.execute(query.encode()).fetchone())

        target = Target(address, superuser=True, label="here")
        out = ["Odd Schema.Odd Table", "public.measured"]
        copy_database(source, target, server.binaries, Silent(), exclude_data=out, before_indexes=look, big_bytes=0)
        with connect(address) as connection:
            counts = connection.execute(
                'SELECT (SELECT count(*) FROM "Odd Schema"."Odd Table"), (SELECT count(*) FROM measured)'
            )
            assert counts.fetchone() == (0, 0)
    assert seen == [(300, 0)]


def test_copy_is_one_snapshot(server: Server, source: Address) -> None:
    """What is written while it runs does not show."""

    class Writing(Silent):
        def detail(self, text: str) -> None:
            with psycopg.connect(**source.parameters, autocommit=True) as connection:  # type: ignore[arg-type]
                connection.execute("INSERT INTO measured VALUES ('2020-07-01', 1); INSERT INTO child VALUES (4, 'x')")

    counted = "SELECT (SELECT count(*) FROM measured), (SELECT count(*) FROM parent)"
    with connect(source) as connection:
        before = connection.execute(counted).fetchone()
    with database(server, "copied") as address:
        copy_database(source, Target(address, superuser=True, label="x"), server.binaries, Writing(), big_bytes=0)
        with connect(address) as connection:
            assert connection.execute(counted).fetchone() == before
    with connect(source) as connection:
        assert connection.execute(counted).fetchone() != before


def test_copy_without_the_right_to_read_names_the_table(server: Server, source: Address) -> None:
    with connect(source) as admin:
        admin.execute("CREATE ROLE reader_of_some LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA public TO PUBLIC")
    reading = Address.parse(f"postgresql://reader_of_some:x@{source.server}/{source.database}")
    try:
        with database(server, "copied") as address:
            target = Target(address, superuser=True, label="x")
            with pytest.raises(GreenroomError) as caught:
                copy_database(reading, target, server.binaries, Silent())
        assert "permission denied for" in caught.value.sentence
    finally:
        with connect(source) as admin:
            admin.execute("DROP ROLE reader_of_some")
