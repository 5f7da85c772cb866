"""A lease ends by the clock of its server: machines whose own clocks go wrong agree on it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from greenroom.postgres import lease
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import connect
from greenroom.secret import Secret

DAY = timedelta(days=1)
# stands before PostgreSQL's own for a role that looks here first: to this role the server's clock goes wrong
CLOCK = "CREATE FUNCTION {}.clock_timestamp() RETURNS timestamptz SET search_path = '' AS $$ {} $$ LANGUAGE sql"
TIME = "SELECT pg_catalog.clock_timestamp() + pg_catalog.make_interval(days => {})"


@contextmanager
def ahead_by(server: Server, days: int) -> Iterator[Address]:
    """A role to which the server's clock is so far ahead of this machine's."""
    name = f"clock{secrets.token_hex(3)}"
    who, password = sql.Identifier(name), secrets.token_hex(8)
    with connect(server.address) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(who, password))
        admin.execute(sql.SQL("CREATE SCHEMA {0} AUTHORIZATION {0}").format(who))
        admin.execute(sql.SQL(CLOCK).format(who, sql.SQL(TIME).format(days)))
        admin.execute(sql.SQL("ALTER ROLE {0} SET search_path = {0}, pg_catalog").format(who))
        try:
            yield server.address.as_role(name, Secret(password))
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(who))
            admin.execute(sql.SQL("DROP SCHEMA {0} CASCADE; DROP ROLE {0}").format(who))


def written(connection: psycopg.Connection, name: str) -> datetime:
    row = connection.execute(
        "SELECT shobj_description(oid, 'pg_database')::json->>'until' FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    assert row
    return datetime.fromisoformat(row[0])


@pytest.mark.parametrize("days", [1, -1])
@pytest.mark.parametrize("over", [False, True])
def test_lease_ends_by_the_servers_clock(server18: Server, days: int, over: bool) -> None:
    terms = Lease.new(branch="fix", source="x", hours=-1 if over else 1)
    elsewhere = replace(terms, machine="another boot/4026531836")  # its process cannot be seen: the time decides
    with ahead_by(server18, days) as address, psycopg.connect(**address.parameters, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(address.user)))

        marked = lease.grant(connection, address.user, elsewhere)

        assert (marked.until, marked.lasts) == (elsewhere.until, elsewhere.lasts), "it is renewed for as long again"
        there = written(connection, address.user) - datetime.now(UTC)
        assert abs(there - days * DAY - timedelta(hours=-1 if over else 1)) < timedelta(minutes=1)
        (found,) = [found for found in lease.leased(connection) if found.name == address.user]
        assert found.lease.over is over
        lease.renew(connection, marked)
        (found,) = [found for found in lease.leased(connection) if found.name == address.user]
        assert found.lease.over is over
