"""A copy reaches no other database: user mappings stay behind, whichever way it was made."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from tests.integration.bastion import Bastion
from tests.integration.shop import ROWS, Shop, request, shop
from tests.integration.sources import state
from tests.integration.staging import wanted as of_target

__all__ = ["state"]
pytestmark = pytest.mark.full  # postgres_fdw is beside the system's PostgreSQL alone

NOTE = (
    'not copied: user mappings for the foreign servers billing, of "others" SERVER, '
    "so that the copy reads and writes nothing there"
)
REMOTE = "CREATE TABLE bill (id int, name text); INSERT INTO bill VALUES (1, 'Pl4nted.Person')"
LOCAL = """
CREATE EXTENSION postgres_fdw;
CREATE SERVER billing FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', port '{port}', dbname '{far}');
CREATE SERVER "of ""others"" SERVER" FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host '{host}', port '{port}', dbname '{far}');
CREATE USER MAPPING FOR {owner} SERVER billing OPTIONS (user '{user}', password '{password}');
CREATE USER MAPPING FOR {user} SERVER billing OPTIONS (user '{user}', password '{password}');
CREATE USER MAPPING FOR PUBLIC SERVER "of ""others"" SERVER" OPTIONS (user '{user}', password '{password}');
CREATE FOREIGN TABLE bill (id int, name text) SERVER billing;
ALTER FOREIGN TABLE bill OWNER TO {owner};
CREATE FOREIGN TABLE theirs (id int, name text) SERVER "of ""others"" SERVER" OPTIONS (table_name 'bill');
CREATE MATERIALIZED VIEW billed AS SELECT * FROM bill;
CREATE MATERIALIZED VIEW over_it AS SELECT name FROM billed;
CREATE FUNCTION write_bill() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO bill VALUES (NEW.id, NEW.name); RETURN NEW; END';
CREATE TRIGGER bills AFTER UPDATE ON goods FOR EACH ROW EXECUTE FUNCTION write_bill();
CREATE TABLE part (id int) PARTITION BY RANGE (id);
CREATE TABLE part_here PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE FOREIGN TABLE part_there PARTITION OF part FOR VALUES FROM (10) TO (20) SERVER billing
    OPTIONS (table_name 'bill');
INSERT INTO part VALUES (1);
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE rates (rate int) SERVER files OPTIONS (program 'echo 7');
CREATE MATERIALIZED VIEW rated AS SELECT * FROM rates;
"""


@dataclass(frozen=True)
class Ledger:
    """A shop that writes bills into another database."""

    source: Shop
    far: Address

    def bills(self) -> int:
        with connect(self.far) as connection:
            row = connection.execute("SELECT count(*) FROM bill").fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def ledger(server15: Server) -> Iterator[Ledger]:
    name = f"far{secrets.token_hex(3)}"
    with connect(server15.address) as admin, shop(server15) as source:
        admin.execute(f"CREATE DATABASE {name}")
        far = server15.address.at(name)
        with connect(far) as there:
            there.execute(REMOTE)
        assert far.password
        words = {"host": far.host, "port": far.port, "far": name, "owner": source.owner, "user": far.user}
        try:
            with connect(source.admin) as here:
                here.execute(LOCAL.format(**words, password=far.password.reveal()).encode())
            yield Ledger(source, far)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def reaches_nobody(connection: psycopg.Connection, ledger: Ledger) -> None:
    """Nor do its triggers; all else of the servers is there, and a wrapper that asks for no mapping works."""
    assert connection.execute("SELECT count(*) FROM pg_user_mapping").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM pg_foreign_server").fetchone() == (3,)
    for words in ("UPDATE goods SET name = name", "SELECT * FROM bill", "SELECT * FROM theirs"):
        with pytest.raises(psycopg.errors.UndefinedObject, match="user mapping not found"):
            connection.execute(words.encode())
    assert ledger.bills() == 1
    assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
    assert connection.execute("SELECT count(*) FROM part_here").fetchone() == (1,)
    assert connection.execute("SELECT rates.rate, rated.rate FROM rates, rated").fetchone() == (7, 7)


@pytest.mark.parametrize("way", ["restore", "restore on a server", "copy", "template"])
def test_copy_reaches_no_foreign_server(way: str, ledger: Ledger, tmp_path: Path) -> None:
    source = ledger.source
    if way.startswith("restore"):
        asked = request(dump=source.dump(tmp_path / "shop.dump"))
        asked = replace(asked, server=source.url(source.admin)) if " " in way else asked
    else:
        asked = request(url=source.url(source.admin), template=way == "template")
    with acquire(asked, Silent()) as copy, connect(copy.admin) as connection:
        assert copy.method == way.partition(" ")[0]
        reaches_nobody(connection, ledger)
        filled = connection.execute("SELECT relname, relispopulated FROM pg_class WHERE relkind = 'm' ORDER BY 1")
        assert filled.fetchall() == [("billed", way == "template"), ("over_it", way == "template"), ("rated", True)]
        assert NOTE in copy.notes
        assert way == "template" or any(note.startswith("not filled: public.billed, ") for note in copy.notes)
    assert copy.dropped


@pytest.mark.parametrize("how", [{}, {"remote": True}])
def test_copy_of_a_target_reaches_no_foreign_server(
    how: dict[str, object], ledger: Ledger, vpn: Bastion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_restore on the VPN host reads a pipe, where nothing can be left out: so that is not asked to."""
    source = ledger.source
    vpn.client(source.server.binaries)
    assert source.admin.password
    monkeypatch.setenv("BOSS", source.admin.password.reveal())
    who = {"user": source.admin.user, "password_variable": "BOSS"}
    with acquire(of_target(source, via=vpn.via, how=how, **who), Silent()) as copy:
        with connect(copy.admin) as connection:
            reaches_nobody(connection, ledger)
        assert copy.method == ("copy" if how else "restore") and NOTE in copy.notes
        assert any("out of a pipe" in note for note in copy.notes) is bool(how)


def test_template_that_its_user_cannot_cut_off_is_dropped(ledger: Ledger) -> None:
    with pytest.raises(GreenroomError) as caught, acquire(request(url=ledger.source.url(), template=True), Silent()):
        raise AssertionError("a copy that reaches others")
    assert str(caught.value) == (
        f"{ledger.source.owner} cannot drop the user mapping of {ledger.far.user} for the foreign server billing in "
        "the branch (SQLSTATE 42501), and what runs there would reach that server.\n"
        "  Leave --template out: then they are not copied."
    )
    assert ledger.source.state()[1] == [(ledger.source.address.database,)]
