"""A copy has its source's planner statistics, and none of what is masked or left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path

import psycopg
import pytest

from greenroom.console import Silent
from greenroom.copies.servers import Ahead
from greenroom.postgres import analysis
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.copying import copy_database
from greenroom.postgres.embedded import Server
from greenroom.postgres.restoring import Target
from greenroom.postgres.server import connect
from greenroom.postgres.statistics import Statistics
from greenroom.postgres.statistics.giving import give, give_share
from greenroom.postgres.statistics.reading import coming, question
from tests.integration.everything import database, everything

pytestmark = pytest.mark.full

KINDS = (Path(__file__).parent / "kinds.sql").read_bytes()
PLANTED = "Pl4nted.Person"
LEFT_TO_ANALYSE = {"extended", "ranged", "searched", "shown"}
# of everything's: with ranges, types by number (regclass and the like), extended statistics; and materialised views
OF_EVERYTHING = {
    *("values_of_all_kinds", "shop.people", "shop.child_of_people", "shop.rooms", "shop.temporal"),
    *("shop.temporal_child", "shop.totals", "shop.of_totals", "shop.not_yet", "shop.stored_by_key"),
}
ELSEWHERE = re.compile(r"shop\.hashed_mood_")  # partitions that have other rows there
OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
TOLD = """
SELECT format('%s.%s', schemaname, tablename), attname::text, inherited, null_frac, avg_width, n_distinct,
       most_common_vals::text, most_common_freqs, histogram_bounds::text, correlation, most_common_elems::text,
       most_common_elem_freqs, elem_count_histogram
FROM pg_stats WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema' ORDER BY 1, 2, 3
"""
# what the planner reads: kind, operator and collation of each slot that is filled
SLOTS = f"""
SELECT r.oid::regclass::text, a.attname::text, s.stainherit, kind, operator::regoperator::text,
       "collation"::regcollation::text
FROM pg_statistic s JOIN pg_class r ON r.oid = s.starelid JOIN pg_namespace n ON n.oid = r.relnamespace AND {OWN}
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = s.staattnum,
LATERAL (VALUES {", ".join(f"(stakind{n}, staop{n}, stacoll{n})" for n in range(1, 6))})
    AS x (kind, operator, "collation")
WHERE kind > 0 ORDER BY 1, 2, 3, 4
"""
VALUES = f"""
SELECT r.oid::regclass::text FROM pg_statistic s JOIN pg_class r ON r.oid = s.starelid
WHERE concat_ws(' ', {", ".join(f"stavalues{n}::text" for n in range(1, 6))}) ILIKE '%{PLANTED}%'
"""


@contextmanager
def copied(
    source: Address, server: Server, never: Iterable[tuple[str, str]] = ()
) -> Iterator[tuple[Address, Statistics]]:
    """A copy of the source, rows and indexes, that has no statistics yet; and those of the source."""
    with database(server, "copied") as address:
        target = Target(address, superuser=True, label="here", version_num=server.version_num)
        copy_database(source, target, server.binaries, Silent())
        with coming(source, never, tls=False) as statistics:
            told = statistics.arrived()
        assert told is not None
        (share,) = told
        yield address, share


@contextmanager
def made(server: Server, *scripts: bytes) -> Iterator[Address]:
    with database(server, "source") as address:
        with connect(address) as connection:
            for script in scripts:
                connection.execute(script)
        yield address


def names(connection: psycopg.Connection, oids: Iterable[int]) -> set[str]:
    connection.execute("SET search_path = public")
    return {
        name for (name,) in connection.execute("SELECT oid::regclass::text FROM unnest(%s::oid[]) oid", [list(oids)])
    }


def test_statistics_are_the_source_s_row_for_row(server: Server) -> None:
    """All kinds of columns. On the source they are older than the last rows: ANALYZE here would tell others."""
    stale = b"INSERT INTO kinds SELECT * FROM kinds; INSERT INTO parted SELECT 7, 'late' FROM generate_series(1, 999)"
    with made(server, KINDS, b"ANALYZE", stale) as source, copied(source, server) as (address, told):
        with connect(address) as connection:
            given = names(connection, give_share(connection, told))
            assert given == {"kinds", "parted", "parted_1", "parted_2", "base", "base_more"}
        with connect(source) as before, connect(address) as after:
            expected = [row for row in before.execute(TOLD) if without_schema(row[0]) not in LEFT_TO_ANALYSE]
            assert after.execute(TOLD).fetchall() == expected
            slots = [row for row in before.execute(SLOTS) if without_schema(row[0]) not in LEFT_TO_ANALYSE]
            assert after.execute(SLOTS).fetchall() == slots
        assert analysis.settle(address, server.binaries, None) == []
        with connect(source) as before, connect(address) as after:
            assert before.execute(TOLD).fetchall() != after.execute(TOLD).fetchall(), "they were not stale"


def without_schema(name: str) -> str:
    """Of a table, or of the table of an index."""
    return re.sub(r"_(\w+_)*idx1?$", "", name.removeprefix("public."))


@pytest.mark.parametrize(("old", "new"), [(18, 18), (15, 18), pytest.param(15, 15, marks=pytest.mark.full)])
def test_everything_is_settled(request: pytest.FixtureRequest, old: int, new: int) -> None:
    there, here = request.getfixturevalue(f"server{old}"), request.getfixturevalue(f"server{new}")
    with everything(there, target=here) as source:
        with connect(source) as connection:
            connection.execute("DROP FOREIGN TABLE shop.far_away, shop.sales_far_1; ANALYZE")
        with copied(source, here) as (address, told):
            with connect(address) as connection:
                every = f"SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE {OWN}"
                tables = {oid for (oid,) in connection.execute(f"{every} AND relkind IN ('r', 'm')".encode())}
                with connection.transaction(force_rollback=True):
                    left = names(connection, tables - give_share(connection, told))
                    assert {name for name in left if not ELSEWHERE.match(name)} <= OF_EVERYTHING
            (note,) = analysis.settle(address, here.binaries, [told])
            assert note.startswith(f"{analysis.GIVEN}; those of ")
            with connect(source) as before, connect(address) as after:
                expected = {row[:3]: row for row in before.execute(TOLD) if not ELSEWHERE.match(row[0])}
                assert {row[:3]: row for row in after.execute(TOLD) if not ELSEWHERE.match(row[0])} == expected


def test_plans_are_the_source_s(server: Server) -> None:
    skewed = b"""
        CREATE TABLE event (id int PRIMARY KEY, kind text, at timestamptz, who int);
        INSERT INTO event SELECT n, 'k' || floor(power(random(), 4) * 400), now() - n * interval '1 s',
            floor(power(random(), 3) * 9000) FROM generate_series(1, 120000) n;
        CREATE INDEX ON event (kind); CREATE INDEX ON event (who); CREATE INDEX ON event (lower(kind));
        CREATE TABLE log (who int, said text);
        INSERT INTO log SELECT floor(power(random(), 3) * 9000), md5(n::text) FROM generate_series(1, 60000) n;
        VACUUM ANALYZE
    """
    queries = [
        *(f"SELECT * FROM event WHERE kind = 'k{number}'" for number in (0, 3, 30, 200, 399)),
        *(f"SELECT * FROM event WHERE who < {number}" for number in (3, 300, 3000, 8000)),
        "SELECT * FROM event WHERE lower(kind) = 'k77'",
        "SELECT * FROM event JOIN log USING (who) WHERE kind = 'k50'",
        "SELECT kind, count(*) FROM event GROUP BY kind",
        "SELECT * FROM log WHERE who = 4",
    ]

    def plans(address: Address) -> list[object]:
        with connect(address) as connection:
            explained = [connection.execute(f"EXPLAIN {query}".encode()).fetchall() for query in queries]
        # rows lie closer in a table that was copied, or not as close, so a page more or less is read
        return [re.sub(r"cost=\S+", "", str(lines)) for lines in explained]

    with made(server, *(part for part in skewed.split(b";"))) as source, copied(source, server) as (address, told):
        assert analysis.settle(address, server.binaries, [told]) == [analysis.GIVEN]
        assert plans(address) == plans(source)
        analysis.settle(address, server.binaries, None)
        assert plans(address) != plans(source), "ANALYZE takes another sample of so many rows"


PEOPLE = f"""
    CREATE TABLE person (id int PRIMARY KEY, mail text, born date);
    INSERT INTO person SELECT n, '{PLANTED}' || n % 9, '2000-01-01' FROM generate_series(1, 1000) n;
    CREATE INDEX ON person (lower(mail));
    CREATE TABLE person_more (more text) INHERITS (person);
    INSERT INTO person_more SELECT n, '{PLANTED}' || n % 9, '2000-01-01', '{PLANTED}' FROM generate_series(1, 1000) n;
    CREATE TABLE above (mail text) PARTITION BY LIST (mail);
    CREATE TABLE below PARTITION OF above DEFAULT;
    INSERT INTO above SELECT '{PLANTED}' FROM generate_series(1, 100);
    CREATE MATERIALIZED VIEW shown AS SELECT mail, count(*) FROM person GROUP BY mail;
    CREATE TABLE other (id int, what text); INSERT INTO other SELECT n % 5, 'x' FROM generate_series(1, 1000) n;
    ANALYZE; INSERT INTO other SELECT 77, 'y' FROM generate_series(1, 1000) n
""".encode()


def test_masked_value_is_in_no_statistics(server: Server) -> None:
    """Nor in those of an index, of what inherits or is inherited from, or of a materialised view."""
    never = [("public", "person"), ("public", "below")]
    with made(server, PEOPLE) as source:
        with connect(source) as connection:
            holding = {name for (name,) in connection.execute(VALUES)}
            assert holding == {"person", "person_lower_idx", "person_more", "above", "below", "shown"}
        with copied(source, server, never) as (address, told):
            assert PLANTED not in told.columns, "not even read"
            with connect(address) as connection:
                assert names(connection, give_share(connection, told)) == {"other"}
                assert connection.execute(VALUES).fetchall() == []


def test_source_without_statistics_is_analysed(server: Server) -> None:
    """Or where a column has none: it came after the last ANALYZE."""
    script = b"""
        CREATE TABLE never AS SELECT n % 5 AS id FROM generate_series(1, 1000) n;
        CREATE TABLE partial AS SELECT n % 5 AS id FROM generate_series(1, 1000) n;
        CREATE TABLE full_of_it AS SELECT n % 5 AS id FROM generate_series(1, 1000) n;
        CREATE TABLE empty (id int);
        ANALYZE partial, full_of_it;
        ALTER TABLE partial ADD more int DEFAULT 7
    """
    with made(server, *script.split(b";")) as source, copied(source, server) as (address, told):
        with connect(address) as connection, connection.transaction(force_rollback=True):
            assert names(connection, give_share(connection, told)) == {"full_of_it", "empty"}
        assert analysis.settle(address, server.binaries, [told]) == [
            f"{analysis.GIVEN}; those of 2 tables are of ANALYZE here"
        ]
        with connect(address) as connection:
            has = {(row[0], row[1]) for row in connection.execute(TOLD)}
    columns = [
        ("public.never", "id"),
        ("public.partial", "id"),
        ("public.partial", "more"),
        ("public.full_of_it", "id"),
    ]
    assert has == set(columns)


def test_copy_is_settled_and_left_in_peace(server: Server) -> None:
    """Nothing calls autovacuum in the middle of a rehearsal, whatever is given."""
    with made(server, PEOPLE) as source, copied(source, server) as (address, told):
        with connect(address) as connection:
            connection.execute("CREATE TABLE again AS TABLE other; DROP TABLE other; ALTER TABLE again RENAME TO other")
        analysis.settle(address, server.binaries, [told])
        with connect(address) as connection:
            counted = "SELECT relname FROM pg_stat_all_tables WHERE n_mod_since_analyze + n_ins_since_vacuum > 0"
            assert [name for (name,) in connection.execute(counted) if not name.startswith("pg_")] == []
            assert connection.execute("SELECT reltuples FROM pg_class WHERE relname = 'other'").fetchone() == (2000,)
            for catalog in ("pg_attribute", "pg_class", "pg_type"):  # as those that were changed
                known = f"SELECT reltuples FROM pg_class WHERE oid = '{catalog}'::regclass"
                counted = f"SELECT count(*) FROM {catalog}"
                assert connection.execute(known.encode()).fetchone() == connection.execute(counted.encode()).fetchone()


@pytest.mark.parametrize("wrong", ["not a value", "not JSON"])
def test_statistics_that_are_refused_leave_analyse(server: Server, wrong: str) -> None:
    """All or none; and the value stands in no note."""
    with made(server, PEOPLE) as source, copied(source, server) as (address, told):
        broken = re.sub(r'"\{\d,\d,\d,\d,\d\}"', '"{s3cret}"', told.columns)
        assert "s3cret" in broken
        told = replace(told, columns=broken if wrong == "not a value" else told.columns[:-9])
        (note,) = analysis.settle(address, server.binaries, [told])
        assert note == analysis.NOT_TAKEN.format(sqlstate="22P02")
        with connect(address) as connection:
            other = [row for row in connection.execute(TOLD) if row[0] == "public.other" and row[1] == "id"]
            assert "77" in str(other), "analysed here"
            assert "s3cret" not in repr(told)


def test_several_sessions_share_the_tables(server: Server) -> None:
    """Each table is in one share; what one of them does not take, ANALYZE makes for all."""
    with made(server, KINDS, b"ANALYZE") as source, copied(source, server) as (address, whole):
        with coming(source, [], tls=False, shares=3) as statistics:
            shares = statistics.arrived()
        assert shares is not None
        tables = [[table["name"] for table in json.loads(share.tables)] for share in shares]
        assert len(tables) == 3
        assert sorted(chain(*tables)) == sorted(table["name"] for table in json.loads(whole.tables))
        for names_of, share in zip(tables, shares, strict=True):
            assert {column["name"] for column in json.loads(share.columns)} <= set(names_of)
        with connect(address) as one, one.transaction(force_rollback=True):
            expected = (names(one, give_share(one, whole)), one.execute(TOLD).fetchall())
        broken = [*shares[:2], replace(shares[2], tables="no JSON")]
        (note,) = analysis.settle(address, server.binaries, broken)
        assert note == analysis.NOT_TAKEN.format(sqlstate="22P02")
        with connect(address) as connection:
            connection.execute("SET allow_system_table_mods = on; DELETE FROM pg_statistic WHERE starelid >= 16384")
            given = names(connection, give(address, shares))
            assert (given, connection.execute(TOLD).fetchall()) == expected


def test_many_tables_are_read_without_comparing_each_with_each(server: Server) -> None:
    """By the planner's own account: at 3,000 tables such a loop kept the source busy for half a minute."""
    tables = 300
    many = f"""
        DO $$ BEGIN FOR i IN 1..{tables} LOOP EXECUTE format('
            CREATE TABLE t%s (id int PRIMARY KEY, a text, b int);
            INSERT INTO t%s SELECT g, g::text, 1 FROM generate_series(1, 50) g', i, i); END LOOP; END $$
    """
    with made(server, many.encode(), b"ANALYZE") as source, connect(source) as connection:
        asked = f"EXPLAIN (ANALYZE, FORMAT JSON) {question([], shares=2)}"
        (plan,) = connection.execute(asked.encode()).fetchone() or ({},)
        compared = re.findall(r"'Rows Removed by Join Filter': (\d+)", str(plan))
        loops = re.findall(r"'Actual Loops': (\d+)", str(plan))
    assert max(map(int, loops)) < 10 * tables
    assert max(map(int, compared), default=0) < 100 * tables


def test_statistics_that_cannot_be_read_are_none(server: Server) -> None:
    with made(server, PEOPLE) as source:
        lost = replace(source, database="not_there")
        with coming(lost, [], tls=False) as statistics:
            assert statistics.arrived() is None


def test_server_that_is_not_the_wanted_one_is_thrown_away() -> None:
    """It was started ahead, for what the source was thought to need."""
    with ExitStack() as stack:
        ahead = Ahead(stack, of_major(18))
        ahead.start()
        server = ahead.server
        ahead.start()
        assert server and ahead.server is server and ahead.taken(of_major(18)) is server
        assert ahead.taken(of_major(15)) is None
        assert server.process.poll() is not None and not server.data.exists()
