"""A copy of a live database is what pg_dump | pg_restore makes of it, rows and all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.postgres import cluster
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.copying import copy_database
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.postmaster import Postmaster, free_port
from greenroom.postgres.restoring import Target, jobs
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from tests.integration.everything import PASSWORD, READER, compared, database, dump_and_restore, everything, rows

pytestmark = pytest.mark.full

COPY = {"big_bytes": 0, "least_bytes": 0}  # every table by COPY, in sessions of its own
SHARED = {"big_bytes": 1 << 40, "least_bytes": 0}  # every table by COPY, in two pairs of sessions
DUMP = {"least_bytes": 1 << 40}  # all by pg_dump


def given(server: Server, address: Address, *, by_itself: bool = False, superuser: bool = True) -> Target:
    """`by_itself`: the server reads the rows of big tables from pipes in its data directory."""
    data = server.data if by_itself else None
    return Target(address, superuser=superuser, label="here", version_num=server.version_num, data=data)


@pytest.fixture
def source(server: Server) -> Iterator[Address]:
    """A database with everything, that a superuser owns."""
    with everything(server) as address:
        yield address


@pytest.mark.parametrize("of_owner", [False, True], ids=["superuser", "owner"])
@pytest.mark.parametrize(
    "way", [COPY, SHARED, DUMP], ids=["every table by COPY", "in shared sessions", "all by pg_dump"]
)
@pytest.mark.parametrize(
    ("old", "new"),
    [(18, 18), (15, 18), pytest.param(15, 15, marks=pytest.mark.full)],
)
def test_copy_is_what_dump_and_restore_make(
    request: pytest.FixtureRequest, old: int, new: int, way: dict[str, int], *, of_owner: bool
) -> None:
    there, here = request.getfixturevalue(f"server{old}"), request.getfixturevalue(f"server{new}")
    client = of_major(new)
    with (
        everything(there, target=here, of_owner=of_owner) as source,
        database(here, "by_hand", of_owner=of_owner) as reference,
        database(here, "copied", of_owner=of_owner) as address,
    ):
        before = compared(source, client)
        dump_and_restore(source, reference, client)
        target = given(here, address, superuser=not of_owner)
        copy_database(source, target, client, Silent(), **way)
        copied, expected = compared(address, client), compared(reference, client)
        for part, told in expected.items():
            assert copied[part] == told, part
        assert copied["rows"] == before["rows"]
        assert compared(source, client) == before


@pytest.mark.parametrize(("old", "new"), [(15, 15), (15, 18), (18, 18)])
def test_copy_whose_server_reads_the_rows_by_itself(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, old: int, new: int
) -> None:
    there, here = request.getfixturevalue(f"server{old}"), request.getfixturevalue(f"server{new}")
    client = of_major(new)
    made, mkfifo = [], os.mkfifo
    monkeypatch.setattr(os, "mkfifo", lambda path, mode: (made.append(path), mkfifo(path, mode)))
    with everything(there, target=here) as source, database(here, "copied") as address:
        copy_database(source, given(here, address, by_itself=True), client, Silent(), **COPY)
        assert compared(address, client)["rows"] == compared(source, client)["rows"]
    assert [path.parent for path in made] == [here.data] * len(made) != []
    assert not any(path.exists() for path in made)


def test_copy_leaves_rows_out_and_calls_before_indexes(server: Server, source: Address) -> None:
    seen: list[object] = []
    with database(server, "copied") as address:

        def look() -> None:
            with connect(address) as connection:
                indexes = "(SELECT count(*) FROM pg_index WHERE indrelid = 'shop.notes'::regclass)"
                query = f"SELECT (SELECT count(*) FROM ONLY shop.people), {indexes}"
                seen.append(connection.execute(query.encode()).fetchone())

        target = Target(address, superuser=True, label="here", version_num=server.version_num)
        out = ["Ünï \"code\" schéma.Tàble.with \"dots\" & ''quotes''", "shop.sales_2021"]
        copy_database(source, target, server.binaries, Silent(), exclude_data=out, before_indexes=look, **COPY)
        with connect(source) as before, connect(address) as connection:
            there, here = rows(before), rows(connection)
    differing = {name for name in there if there[name] != here[name]}
    assert differing == {
        """\"Ünï ""code"" schéma"."Tàble.with ""dots"" & ''quotes''\"""",
        *("shop.sales_2021_eu", "shop.sales_2021_rest", "shop.totals", "shop.of_totals"),
    }
    assert seen == [(300, 0)]


def test_copy_is_one_snapshot(server: Server, source: Address) -> None:
    """What is written while it runs does not show."""

    class Writing(Silent):
        def detail(self, text: str) -> None:
            with psycopg.connect(**source.parameters, autocommit=True) as connection:  # type: ignore[arg-type]
                connection.execute("INSERT INTO shop.hashed VALUES (DEFAULT, 'late'), (DEFAULT, 'later')")

    counted = "SELECT (SELECT count(*) FROM shop.hashed_0), (SELECT count(*) FROM shop.hashed_1)"
    with connect(source) as connection:
        connection.execute(
            "CREATE SEQUENCE numbers START 1000; ALTER TABLE shop.hashed ALTER k SET DEFAULT nextval('numbers')"
        )
        before = connection.execute(counted).fetchone()
    with database(server, "copied") as address:
        copy_database(
            source,
            Target(address, superuser=True, label="x", version_num=server.version_num),
            server.binaries,
            Writing(),
            **COPY,
        )
        with connect(address) as connection:
            assert connection.execute(counted).fetchone() == before
    with connect(source) as connection:
        assert connection.execute(counted).fetchone() != before


def test_subscription_stays_behind(server: Server, source: Address) -> None:
    """Nor does its password come along. A database with one could not even be dropped."""
    mine = "SELECT subname FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = %s)"
    with database(server, "copied") as address:
        copy_database(
            source,
            Target(address, superuser=True, label="x", version_num=server.version_num),
            server.binaries,
            Silent(),
            **COPY,
        )
        with connect(address) as connection:
            assert connection.execute(mine, [source.database]).fetchall() == [("of_others",)]
            assert connection.execute(mine, [address.database]).fetchall() == []


def test_copy_without_the_right_to_read_names_the_tables(server: Server, source: Address) -> None:
    with connect(source) as admin:
        admin.execute(f"GRANT USAGE ON SCHEMA public TO {READER}")
    reading = source.as_role(READER, Secret(PASSWORD))
    with database(server, "copied") as address, pytest.raises(GreenroomError) as caught:
        copy_database(
            reading,
            Target(address, superuser=True, label="x", version_num=server.version_num),
            server.binaries,
            Silent(),
        )
    where = re.escape(f"{source.database} on {source.server}")
    assert re.fullmatch(
        rf"{READER} may not read public\.ddl(, \S+){{4}} and \d+ more of {where}\.", caught.value.sentence
    )


def several(name: str) -> list[str]:
    """Names of tables of one size: the one of `name` comes second in its pair of sessions, not last."""
    return [name if number == jobs() else f"t{number}" for number in range(3 * jobs())]


@pytest.mark.parametrize(("way", "by_itself"), [(COPY, False), (COPY, True), (SHARED, False)])
def test_table_whose_rows_are_hidden_is_named(server: Server, way: dict[str, int], *, by_itself: bool) -> None:
    """Row security: only the COPY itself is refused, in whichever session the table's turn comes."""
    with database(server, "secured") as source, database(server, "copied") as address:
        with connect(source) as admin:
            for name in several("secured"):
                admin.execute(f"CREATE TABLE {name} AS SELECT generate_series(1, 10) AS id")
                admin.execute(f"GRANT SELECT ON {name} TO {READER}")
            admin.execute("ALTER TABLE secured ENABLE ROW LEVEL SECURITY")
        reading = source.as_role(READER, Secret(PASSWORD))
        with pytest.raises(GreenroomError) as caught:
            copy_database(
                reading,
                given(server, address, by_itself=by_itself),
                server.binaries,
                Silent(),
                **way,
            )
    said = f"{READER} may not read every row of public.secured of {source.database} on {source.server}."
    assert caught.value.sentence == said


@pytest.mark.parametrize(("way", "by_itself"), [(COPY, False), (COPY, True), (SHARED, False)])
def test_table_whose_rows_are_refused_is_named(server: Server, way: dict[str, int], *, by_itself: bool) -> None:
    """A constraint that the source's rows do not meet: pg_dump makes it with the table."""
    with database(server, "refused") as source, database(server, "copied") as address:
        with connect(source) as admin:
            for name in several("refused"):
                admin.execute(f"CREATE TABLE {name} AS SELECT generate_series(1, 10) AS id")
            admin.execute("CREATE FUNCTION allowed(id int) RETURNS boolean LANGUAGE sql AS 'SELECT id > 0'")
            admin.execute("ALTER TABLE refused ADD CHECK (public.allowed(id))")
            admin.execute("CREATE OR REPLACE FUNCTION allowed(id int) RETURNS boolean LANGUAGE sql AS 'SELECT id < 5'")
        with pytest.raises(GreenroomError) as caught:
            copy_database(
                source,
                given(server, address, by_itself=by_itself),
                server.binaries,
                Silent(),
                **way,
            )
    assert caught.value.sentence == "the rows of public.refused cannot be written on here: SQLSTATE 23514."


@contextmanager
def standby(server: Server, settings: Mapping[str, str]) -> Iterator[Server]:
    """A second server that only follows, and can be read: its rows are those that the first one has at this moment."""
    with server.stopped() as base, cluster.private_directory() as directory:
        data = cluster.create(directory, server.binaries, server.account, settings, base)
        (data / "standby.signal").touch()
        sockets = cluster.socket_directory(directory)
        postmaster = Postmaster(data, server.binaries, server.account, sockets, free_port())
        postmaster.start()
        try:
            yield replace(server, address=replace(server.address, port=postmaster.port), postmaster=postmaster)
        finally:
            postmaster.stop()


@pytest.mark.full
@pytest.mark.parametrize("way", [COPY, SHARED, DUMP])
def test_copy_of_a_standby_is_without_unlogged_rows(server: Server, way: dict[str, int]) -> None:
    """They are on the primary alone, and cannot be read there."""
    settings = {"wal_level": "replica", "max_wal_senders": "4", "hot_standby": "on"}
    with embedded(binaries=server.binaries, settings=settings) as primary:
        with connect(primary.address) as connection:
            connection.execute("CREATE TABLE goods AS SELECT generate_series(1, 100) AS id")
            connection.execute("CREATE UNLOGGED TABLE seen AS SELECT generate_series(1, 100) AS id")
        with standby(primary, settings) as source, database(server, "copied") as address:
            target = Target(address, superuser=True, label="x", version_num=server.version_num)
            copy_database(source.address, target, server.binaries, Silent(), **way)
            with connect(address) as connection:
                counts = "SELECT (SELECT count(*) FROM goods), (SELECT count(*) FROM seen)"
                assert connection.execute(counts).fetchone() == (100, 0)
