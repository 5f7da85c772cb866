"""Tables that lie on another disk of their server: a copy has them too, wherever that disk is not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql

from greenroom.console import Silent
from greenroom.copies.acquiring import CopyRequest, acquire
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from tests.integration.shop import Shop, request, shop

ROWS = 100
WHERE = """
SELECT relname, coalesce(spcname, 'own') FROM pg_class LEFT JOIN pg_tablespace t ON t.oid = reltablespace
WHERE relname IN ('parcels', 'parcels_pkey') ORDER BY 1
"""


@pytest.fixture
def source(server: Server) -> Iterator[Shop]:
    """A shop whose table of parcels lies in a tablespace, with its index."""
    place = Path(tempfile.mkdtemp(dir=os.environ["TMPDIR"]))
    server.account.own(place)
    with shop(server) as made, connect(made.admin) as admin:
        # the name is the shop's own: a server is there for all tests
        admin.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(named(made), str(place)))
        owner = sql.Identifier(made.owner)
        try:
            admin.execute(
                sql.SQL("CREATE TABLE parcels (id int PRIMARY KEY USING INDEX TABLESPACE {0}) TABLESPACE {0}").format(
                    named(made)
                )
            )
            admin.execute("INSERT INTO parcels SELECT generate_series(1, %s)", [ROWS])
            admin.execute(sql.SQL("ALTER TABLE parcels OWNER TO {}").format(owner))
            yield made
        finally:
            admin.execute("DROP TABLE parcels")
            admin.execute(sql.SQL("DROP TABLESPACE {}").format(named(made)))


def named(source: Shop) -> sql.Identifier:
    return sql.Identifier(tablespace(source))


def tablespace(source: Shop) -> str:
    return f"fast_{source.address.database}"


def copied(asked: CopyRequest) -> tuple[list[tuple[str, str]], list[str]]:
    """Where its parcels lie, and what is noted of that."""
    with acquire(asked, Silent()) as copy, connect(copy.admin) as connection:
        assert connection.execute("SELECT count(*) FROM parcels").fetchone() == (ROWS,)
        found = connection.execute(WHERE).fetchall()
    return found, [note for note in copy.notes if "tablespace" in note]


def test_dump_is_restored_on_a_server_without_that_disk(source: Shop, tmp_path: Path) -> None:
    found, notes = copied(request(dump=source.dump(tmp_path / "shop.dump")))
    assert found == [("parcels", "own"), ("parcels_pkey", "own")]
    assert notes == [f"all lies in the database's own tablespace: {tablespace(source)} cannot be used on embedded"]


def test_branch_of_a_role_that_may_not_use_it_is_made_without(source: Shop) -> None:
    found, notes = copied(request(url=source.url()))
    assert found == [("parcels", "own"), ("parcels_pkey", "own")]
    where = source.address.server
    assert notes == [f"all lies in the database's own tablespace: {tablespace(source)} cannot be used on {where}"]


def test_branch_of_a_role_that_may_lies_where_its_source_does(source: Shop) -> None:
    with connect(source.admin) as admin:
        owner = sql.Identifier(source.owner)
        admin.execute(sql.SQL("GRANT CREATE ON TABLESPACE {} TO {}").format(named(source), owner))
    found, notes = copied(request(url=source.url()))
    assert found == [("parcels", tablespace(source)), ("parcels_pkey", tablespace(source))]
    assert notes == []


def test_dump_on_its_own_server_lies_where_its_source_does(source: Shop, tmp_path: Path) -> None:
    asked = request(dump=source.dump(tmp_path / "shop.dump"), server=source.url(source.server.address))
    found, notes = copied(asked)
    assert found == [("parcels", tablespace(source)), ("parcels_pkey", tablespace(source))]
    assert notes == []
