"""People whose data are masked, in a database of the test's own, and the masks laid on it."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres import masking
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from greenroom.secret import Secret

PLANTED = "Pl4nted.Person"
REMEDY = "Correct it in pyproject.toml; nothing has been copied."

PEOPLE = """
CREATE TABLE person (
    id int PRIMARY KEY, email varchar(254) NOT NULL UNIQUE, name varchar(40), phone varchar(20), note text
);
INSERT INTO person
SELECT i, 'Pl4nted.Person' || i || '@mail.example', 'Pl4nted.Person', '+49 170 ' || i,
       CASE WHEN i % 10 > 0 THEN repeat('Pl4nted.Person wrote this. ', i % 300) END
FROM generate_series(1, 1000) AS i;
CREATE TABLE letter (id int PRIMARY KEY, sender varchar(254), body text);
INSERT INTO letter SELECT id, email, 'Pl4nted.Person' FROM person;
"""
MASKS = {
    "person.email": "email",
    "person.name": "name",
    "person.phone": "phone",
    "person.note": "text",
    "letter.sender": "email",
    "letter.body": "null",
}


@pytest.fixture
def admin(server: Server) -> Iterator[psycopg.Connection]:
    """A superuser in an empty database of the test's own."""
    yield from _database(server)


@pytest.fixture
def admin18(server18: Server) -> Iterator[psycopg.Connection]:
    """The same, on one server only: for what does not depend on its version."""
    yield from _database(server18)


@pytest.fixture
def admin15(server15: Server) -> Iterator[psycopg.Connection]:
    """The same on the system's PostgreSQL, which has ICU."""
    yield from _database(server15)


def _database(server: Server) -> Iterator[psycopg.Connection]:
    name = f"masked{secrets.token_hex(3)}"
    with connect(server.address) as maintenance:
        maintenance.execute(f"CREATE DATABASE {name}")
        with connect(server.address.at(name)) as connection:
            yield connection
        maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def owner(admin18: psycopg.Connection, server18: Server) -> Iterator[Address]:
    """An ordinary role that owns what it makes."""
    role = f"owner{secrets.token_hex(3)}"
    admin18.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PLANTED}'")
    admin18.execute(f"GRANT ALL ON SCHEMA public TO {role}")
    yield server18.address.at(admin18.info.dbname).as_role(role, Secret(PLANTED))
    admin18.execute(f"DROP OWNED BY {role} CASCADE")
    admin18.execute(f"DROP ROLE {role}")


def mask(connection: psycopg.Connection, masks: Mapping[str, str]) -> list[str]:
    rules = masking.rules(masks, "staging")
    masking.check(connection, rules, "staging")
    return masking.apply(connection, rules)


def refused(connection: psycopg.Connection, masks: Mapping[str, str]) -> str:
    with pytest.raises(GreenroomError) as caught:
        masking.check(connection, masking.rules(masks, "staging"), "staging")
    assert caught.value.hint == REMEDY
    return caught.value.sentence


def failed(connection: psycopg.Connection, masks: Mapping[str, str]) -> str:
    with pytest.raises(GreenroomError) as caught:
        masking.apply(connection, masking.rules(masks, "staging"))
    assert PLANTED not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value.sentence


def one(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def files_with(connection: psycopg.Connection, words: str) -> list[str]:
    """Files of the connected database that hold `words`, as they lie on the disk."""
    connection.execute("CHECKPOINT")
    directory = Path(str(one(connection, "SHOW data_directory")))
    mine = directory / "base" / str(one(connection, "SELECT oid FROM pg_database WHERE datname = current_database()"))
    found = subprocess.run(["grep", "-rl", words, mine], capture_output=True, text=True, check=False)
    return found.stdout.split()
