"""Names and passwords that a shell, libpq, psql or TOML would read as something else, on every road of a copy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import sql

from greenroom.console import Silent
from greenroom.copies import far
from greenroom.copies.acquiring import acquire
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from tests.integration.bastion import Bastion
from tests.integration.test_whole_copies import WAYS, places, wanted

__all__ = ["places"]

pytestmark = pytest.mark.full

NAME = "we\"ird 'db' = x\\y é;$(touch pwned) `id` %s {0}"
USER = "odd \"user' é\\ $(id) = %"
PASSWORD = "p'a\"s\\s wörd$(touch pwned)%s {x} :@/#?&=`id`"
TABLE, COLUMN, LEFT_OUT = "t'\\x \"%s", "m@il '", "audit $(x)"
ROWS = 50
MASKED = {
    "masks": {'"t\'\\x ""%s"."m@il \'"': "email"},
    "exclude_data": ["audit $(*"],
}


@pytest.fixture
def source(server18: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    monkeypatch.setenv("BOSS", PASSWORD)
    name, user, table = sql.Identifier(NAME), sql.Identifier(USER), sql.Identifier(TABLE)
    with connect(server18.address) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(user, PASSWORD))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, user))
        try:
            address = server18.address.at(NAME).as_role(USER, Secret(PASSWORD))
            with connect(address) as owner:
                owner.execute(sql.SQL("CREATE TABLE {} (n int, {} text)").format(table, sql.Identifier(COLUMN)))
                rows = "INSERT INTO {} SELECT n, 'person ' || n FROM generate_series(1, {}) n"
                owner.execute(sql.SQL(rows).format(table, ROWS))
                owner.execute(sql.SQL("CREATE TABLE {} AS SELECT 1 AS n").format(sql.Identifier(LEFT_OUT)))
            yield address
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
            admin.execute(sql.SQL("DROP ROLE {}").format(user))


@pytest.mark.parametrize("rules", [{}, MASKED], ids=["as it is", "masked"])
@pytest.mark.parametrize("way", WAYS)
def test_odd_names_and_password_come_through(
    way: str,
    rules: dict[str, object],
    server18: Server,
    source: Address,
    vpn: Bastion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    how, client, _ = WAYS[way]
    vpn.client(server18.binaries if client else None)
    if client is False:
        monkeypatch.setattr(far, "_LOOK", "true")
    via = {} if client is None else {"via": vpn.via}
    query = sql.SQL("SELECT (SELECT count(*) FROM {0}), (SELECT count(*) FROM {0} WHERE {2} ~ '^person '), (TABLE {1})")
    identifiers = map(sql.Identifier, (TABLE, LEFT_OUT, COLUMN))
    with acquire(wanted(source, how, **via, **rules), Silent()) as copy:
        with connect(copy.admin) as connection:
            found = connection.execute(query.format(*identifiers)).fetchone()
        assert PASSWORD not in repr(copy)
    assert found == ((ROWS, 0, None) if rules else (ROWS, ROWS, 1))
    assert copy.dropped and copy.name.startswith(NAME[:20])
