"""A database with everything that PostgreSQL can hold, and what to compare of it with a copy."""

from __future__ import annotations

import re
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from greenroom.secret import Secret

OWNER, READER, ODD = "every_owner", "every_reader", 'Every "Odd" Rôle'
PASSWORD = "3very-s3cret"
HERE = Path(__file__).parent

# everything_15.sql and so on, by the major version from which on it can be made; a role that may make schemas can do so
SCRIPTS = {major: HERE / f"everything_{major}.sql" for major in (15, 17, 18)}
OF_SUPERUSERS = HERE / "everything_superuser.sql"

# what not every server has
OPTIONAL = {
    "xml": "CREATE TABLE public.of_xml (x xml); "
    "INSERT INTO public.of_xml VALUES ('<?xml version=\"1.0\"?><a>é</a>'), ('x<b/>')",
    "vector": "CREATE EXTENSION vector; CREATE TABLE public.vectors (id int, v vector(3)); "
    "INSERT INTO public.vectors SELECT n, ARRAY[n, n / 3.0, -n]::vector FROM generate_series(1, 500) n; "
    "CREATE INDEX ON public.vectors USING hnsw (v vector_l2_ops)",
}
_HAS = """
SELECT 'vector' FROM pg_available_extensions WHERE name = 'vector'
UNION SELECT 'xml' FROM pg_config WHERE name = 'CONFIGURE' AND setting LIKE '%--with-libxml%'
"""

_PARTS = {
    "extensions": "SELECT extname, extversion, extnamespace::regnamespace::text FROM pg_extension ORDER BY 1",
    "large objects": "SELECT oid, pg_get_userbyid(lomowner), lomacl::text, md5(lo_get(oid)), "
    "obj_description(oid, 'pg_largeobject') FROM pg_largeobject_metadata ORDER BY 1",
    "comments": "SELECT o.type, o.identity, d.description FROM pg_description d, "
    "pg_identify_object(d.classoid, d.objoid, d.objsubid) o WHERE d.objoid >= 16384 ORDER BY 1, 2, 3",
    "indexes": "SELECT indexrelid::regclass::text, indisvalid, indisready, pg_get_indexdef(indexrelid) FROM pg_index "
    "WHERE indrelid >= 16384 AND indrelid::regclass::text !~ '^pg_toast' ORDER BY 1",
    "constraints": "SELECT conrelid::regclass::text, conname, convalidated, pg_get_constraintdef(oid) "
    "FROM pg_constraint WHERE conrelid <> 0 ORDER BY 1, 2, 4",
    "privileges": "SELECT oid::regclass::text, relacl::text, pg_get_userbyid(relowner) FROM pg_class "
    "WHERE oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace ORDER BY 1",
}
_POLICY = re.compile(r"(?<= FOR SELECT TO ).*(?= USING )")
_ROWS = """
SELECT c.oid::regclass::text, c.relkind::text, c.relispopulated
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE (relkind IN ('r', 'm') AND relname !~ '^hashed_mood_' OR relname = 'hashed_mood')
  AND nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1
"""


@contextmanager
def everything(server: Server, *, target: Server | None = None, of_owner: bool = False) -> Iterator[Address]:
    """Made under a name of its own and removed; with nothing that `target` has not. Yields the address of its maker.

    `of_owner`: what a role can make that is no superuser and owns the database.
    """
    with connect(server.address) as here, connect((target or server).address) as there:
        both = {name for (name,) in here.execute(_HAS)} & {name for (name,) in there.execute(_HAS)}
    scripts = [script.read_bytes() for major, script in SCRIPTS.items() if server.binaries.major >= major]
    scripts += [b"ANALYZE"]  # before there are foreign tables that cannot be
    if not of_owner:
        scripts += [OF_SUPERUSERS.read_bytes(), *(OPTIONAL[part].encode() for part in sorted(both))]
    with database(server, "everything", of_owner=of_owner) as address, connect(address) as connection:
        try:
            for script in scripts:
                connection.execute(script)
            yield address
        finally:  # with a subscription it could not be dropped
            connection.execute("DROP SUBSCRIPTION IF EXISTS of_others")


@contextmanager
def database(server: Server, name: str, *, of_owner: bool = False) -> Iterator[Address]:
    """An empty one for as long as the block lasts, and the address of its owner: a superuser, or OWNER."""
    make_roles(server)
    own = server.address.as_role(OWNER, Secret(PASSWORD)) if of_owner else server.address
    address = own.at(f"{name}_{secrets.token_hex(2)}")
    words = (sql.Identifier(address.database), sql.Identifier(address.user))
    with connect(server.address) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 OWNER {}").format(*words))
        try:
            yield address
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(words[0]))


def make_roles(server: Server) -> None:
    """The three that own and read; they stay with the server."""
    with connect(server.address) as admin:
        there = {name for (name,) in admin.execute("SELECT rolname FROM pg_roles")}
        for role in {OWNER, READER, ODD} - there:
            words = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), PASSWORD)
            admin.execute(words)


def compared(address: Address, client: Binaries) -> dict[str, object]:
    """All of a database that a copy must have too, part by part."""
    with connect(address) as connection:
        connection.execute("SET search_path = ''")
        parts = {part: connection.execute(query.encode()).fetchall() for part, query in _PARTS.items()}
        return {**parts, "schema": schema(address, client), "rows": rows(connection), "values": sequences(connection)}


def schema(address: Address, client: Binaries) -> list[str]:
    """The lines of pg_dump --schema-only, without those that differ from dump to dump.

    The roles of a policy stand in the order in which the server was given them.
    """
    done = subprocess.run(
        [client.program("pg_dump"), "--schema-only", f"--dbname={address.conninfo}"],
        env={"PATH": "/usr/bin:/bin", **address.password_environment},
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if not re.match(r"\\(un)?restrict|-- Dumped (from|by)", line)]
    return [_POLICY.sub(lambda found: ", ".join(sorted(found[0].split(", "))), line) for line in lines]


def dump_and_restore(source: Address, into: Address, client: Binaries) -> None:
    """What a person would do by hand; errors that a role without rights meets are passed over, as pg_restore does.

    Subscriptions and user mappings are left out, as a copy of ours leaves them out.
    """
    dump = [client.program("pg_dump"), "-Fc", "--no-subscriptions", f"--dbname={source.conninfo}"]
    with tempfile.TemporaryFile() as file:
        subprocess.run(dump, env=source.environment, check=True, stdout=file)
        file.seek(0)
        words = [client.program("pg_restore"), f"--dbname={into.conninfo}"]
        done = subprocess.run(words, env=into.environment, check=False, stdin=file, stderr=subprocess.DEVNULL)
    assert done.returncode in (0, 1)
    with connect(into) as connection:
        connection.execute(f"DROP USER MAPPING IF EXISTS FOR {OWNER} SERVER far")


def rows(connection: psycopg.Connection) -> dict[str, object]:
    """Number and checksum of each table's own rows; of the partitions that may differ, all together."""
    found: dict[str, object] = {}
    for name, kind, populated in connection.execute(_ROWS).fetchall():
        only = "ONLY " if kind == "r" else ""
        query = f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric)::text FROM {only}{name} t"
        found[name] = connection.execute(query.encode()).fetchone() if populated else "not populated"
    return found


def sequences(connection: psycopg.Connection) -> dict[str, object]:
    """Where each stands."""
    names = connection.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S'").fetchall()
    query = "SELECT last_value, is_called FROM {}"
    return {name: connection.execute(query.format(name).encode()).fetchone() for (name,) in names}
