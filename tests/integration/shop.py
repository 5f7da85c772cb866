"""A small database with everything that a copy has to keep: owners, privileges, settings, comments, an odd role."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from greenroom.config import Config, Project
from greenroom.copies.acquiring import CopyRequest
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from greenroom.secret import Secret

PLANTED = "pl4nted-s3cret"
ROWS = 2_000


@dataclass(frozen=True)
class Shop:
    """`address` is of an ordinary role that owns the database and its tables and may create databases."""

    server: Server
    address: Address
    owner: str
    reader: str
    odd: str

    @property
    def admin(self) -> Address:
        return self.server.address.at(self.address.database)

    @property
    def boss(self) -> Address:
        """Its superuser, by the same name of the database."""
        return self.admin

    def url(self, address: Address | None = None) -> str:
        given = address or self.address
        assert given.password
        return f"postgresql://{given.user}:{given.password.reveal()}@{given.host}:{given.port}/{given.database}"

    @contextmanager
    def subscribed(self) -> Iterator[None]:
        """For as long as the block lasts it has a subscription, called theirs, with a comment and a password."""
        with connect(self.admin) as connection:
            connection.execute(
                f"CREATE SUBSCRIPTION theirs CONNECTION 'host=nowhere.invalid password={PLANTED}' PUBLICATION x "
                "WITH (connect = false, slot_name = NONE)"
            )
            connection.execute("COMMENT ON SUBSCRIPTION theirs IS 'of others'")
        try:
            yield
        finally:
            with connect(self.admin) as connection:
                connection.execute("DROP SUBSCRIPTION theirs")

    def dump(self, path: Path, *options: str) -> Path:
        program = self.server.binaries.program("pg_dump")
        words = [program, "-Fc", "-f", path, *options, f"--dbname={self.admin.conninfo}"]
        subprocess.run(words, env={"PATH": "/usr/bin:/bin", **self.admin.password_environment}, check=True)
        return path

    def state(self) -> object:
        """What must not change when a copy is made."""
        with connect(self.admin) as connection:
            rows = connection.execute("SELECT count(*), sum(hashtext(name)) FROM goods").fetchone()
            names = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE 'shop%%' ORDER BY 1", []
            ).fetchall()
            roles = connection.execute("SELECT rolname FROM pg_roles ORDER BY 1").fetchall()
        return rows, names, roles


@contextmanager
def shop(server: Server) -> Iterator[Shop]:
    """Made under names of its own, and removed with its roles."""
    tag = secrets.token_hex(2)
    name, owner, reader, odd = f"shop{tag}", f"owner{tag}", f"reader{tag}", f"Odd Role {tag}"
    address = server.address.at(name).as_role(owner, Secret(PLANTED))
    with connect(server.address) as admin:
        for words in (
            sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(sql.Identifier(owner), PLANTED),
            sql.SQL("CREATE ROLE {}").format(sql.Identifier(reader)),
            sql.SQL("CREATE ROLE {}").format(sql.Identifier(odd)),
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)),
            sql.SQL("ALTER DATABASE {} SET timezone = 'Europe/Berlin'").format(sql.Identifier(name)),
            sql.SQL("ALTER DATABASE {} SET search_path = '$user', public, \"a b\"").format(sql.Identifier(name)),
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET lock_timeout = '2s'").format(
                sql.Identifier(owner), sql.Identifier(name)
            ),
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(name), sql.Identifier(reader)),
            sql.SQL("COMMENT ON DATABASE {} IS 'the shop'").format(sql.Identifier(name)),
        ):
            admin.execute(words)
    with connect(server.address.at(name)) as admin:
        admin.execute("CREATE EXTENSION pg_trgm")
        admin.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(sql.Identifier(owner)))
        admin.execute(sql.SQL("CREATE SCHEMA odd AUTHORIZATION {}").format(sql.Identifier(odd)))
    with connect(address) as mine:
        mine.execute("CREATE TABLE django_migrations (id int PRIMARY KEY, app text, name text)")
        mine.execute("CREATE TABLE goods (id serial PRIMARY KEY, name text NOT NULL)")
        mine.execute("COMMENT ON TABLE goods IS 'what is sold'")
        mine.execute(sql.SQL("GRANT SELECT ON goods TO {}").format(sql.Identifier(reader)))
        mine.execute("INSERT INTO goods (name) SELECT 'thing ' || n FROM generate_series(1, %s) n", [ROWS])
    try:
        yield Shop(server, address, owner, reader, odd)
    finally:  # else a test that fails in the block makes others fail that count what is there
        with connect(server.address) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            for role in (owner, reader, odd):
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def request(**how: object) -> CopyRequest:
    """A request as the command makes it."""
    config = Config(root=Path.cwd())
    return CopyRequest(config=config, project=Project(), branch="fix_it", **how)  # type: ignore[arg-type]
