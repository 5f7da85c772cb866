"""Roles: those that a source's things belong to, made as stubs where they are missing, and the one that migrates."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from greenroom.postgres.toc import Contents
from greenroom.secret import Secret

MARK = "greenroom: a stand-in for a role of the source"
LOCK_WAIT = "2s"
_NEEDED_BY_NOTHING = """
SELECT rolname FROM pg_roles r
WHERE shobj_description(oid, 'pg_authid') = %s AND rolname = ANY (%s)
  AND NOT EXISTS (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid)
"""

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_NAMES = rf"{_NAME}(?:, {_NAME})*"
_WHO = {
    "ACL": rf"(?:TO|FROM|AUTHORIZATION|GRANTED BY) ({_NAME})(?: WITH GRANT OPTION)?(?: GRANTED BY {_NAME})?;",
    "DEFAULT ACL": rf"(?:FOR ROLE|TO|FROM) ({_NAME})",
    "DATABASE PROPERTIES": rf"^ALTER ROLE ({_NAME}) IN DATABASE ",
    "POLICY": rf" TO ({_NAMES})(?= USING| WITH CHECK|;)",
    "USER MAPPING": rf"^CREATE USER MAPPING FOR ({_NAME}) ",
}


def owners_in(contents: Contents) -> set[str]:
    """Names of the roles that own something in a dump."""
    return {entry.owner for entry in contents.entries if entry.owner and not _predefined(entry.owner)}


def named_in(contents: Contents) -> set[str]:
    """Names of all roles that a dump needs: owners, and those in privileges, policies and settings."""
    found = set()
    for entry in contents.entries:
        for names in re.findall(_WHO.get(entry.kind, r"(?!)"), entry.definition, re.MULTILINE):
            found |= {_unquoted(name) for name in re.findall(_NAME, names)}
    return owners_in(contents) | {name for name in found if not _predefined(name)}


def existing(connection: psycopg.Connection) -> set[str]:
    """All roles of the server."""
    return {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}


def make_stubs(connection: psycopg.Connection, wanted: Iterable[str], holder: str | None = None) -> list[str]:
    """Make the missing ones, which cannot log in; returns all of `wanted` that are stubs, from now or from before.

    `holder` is the copy on a server that others use: TEMPORARY on it, which lets nobody in, keeps another copy's end
    from dropping them, before anything in it is theirs.
    """
    with _one_after_the_other(connection):
        for role in sorted(set(wanted) - existing(connection)):
            with contextlib.suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):  # the server's
                _make_stub(connection, role)
        found = sorted(set(wanted) & stubs(connection))
        if holder:
            words = sql.SQL("GRANT TEMPORARY ON DATABASE {} TO ").format(sql.Identifier(holder))
            for role in found:
                connection.execute(words + sql.Identifier(role))
        _become_able(connection, found)
    return found


def _make_stub(connection: psycopg.Connection, role: str) -> None:
    """With its mark, or not at all."""
    with connection.transaction():
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(role), MARK))


def stubs(connection: psycopg.Connection) -> set[str]:
    """Roles that bear our mark."""
    rows = connection.execute("SELECT rolname FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = %s", [MARK])
    return {name for (name,) in rows}


def drop_stubs(connection: psycopg.Connection, names: Iterable[str]) -> None:
    """Drop those of `names` that bear our mark, where nothing needs them: the last copy that does drops them.

    DROP ROLE would first wait for every transaction that makes something for the role, such as another's migration; so
    it is asked beforehand, and waits no longer than LOCK_WAIT.
    """
    if not (names := sorted(set(names))):
        return
    refused = (
        psycopg.errors.DependentObjectsStillExist,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.LockNotAvailable,
    )
    with _one_after_the_other(connection):
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_WAIT])
        for (role,) in connection.execute(_NEEDED_BY_NOTHING, [MARK, names]).fetchall():
            with contextlib.suppress(*refused), connection.transaction():
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@contextmanager
def _one_after_the_other(connection: psycopg.Connection) -> Iterator[None]:
    """A transaction in which no other copy makes or drops stubs: each sees all that another did, or nothing of it."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [MARK])
        yield


def may_own(connection: psycopg.Connection, owners: set[str]) -> bool:
    """Whether the connected role can make things belong to each of `owners`, where missing ones would be made first."""
    return not needed_to_own(connection, owners)


def needed_to_own(connection: psycopg.Connection, owners: set[str]) -> list[str]:
    """The statements after which it can; none where it can already."""
    superuser, may_create = _rights(connection)
    if superuser:
        return []
    present = owners & existing(connection)
    strangers = ", ".join(
        sql.Identifier(name).as_string() for name in sorted(present) if not may_become(connection, name)
    )
    user = sql.Identifier(connection.info.user).as_string()
    return [
        *([f"GRANT {strangers} TO {user}"] if strangers else []),
        *([] if may_create or present == owners else [f"ALTER ROLE {user} CREATEROLE"]),
    ]


def to_act_for(owner: str, user: str) -> str:
    """The statement after which `user` can do what the owner may."""
    return "GRANT {} TO {}".format(*(sql.Identifier(role).as_string() for role in (owner, user)))


def may_create_roles(connection: psycopg.Connection) -> bool:
    """Whether the connected role can make others."""
    return any(_rights(connection))


def _become_able(connection: psycopg.Connection, stubs: Iterable[str]) -> None:
    """Make a role that is no superuser a member of the stubs, where it may: else it cannot give them anything.

    From 16 on it may not of those that another role made, which then own nothing of its copy.
    """
    for role in [role for role in stubs if not may_become(connection, role)]:
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))


def owner_of_tables(connection: psycopg.Connection) -> str:
    """The role that migrates: the owner of django_migrations, else of most tables, else of the database."""
    row = connection.execute(
        """
        SELECT pg_get_userbyid(relowner) AS owner FROM pg_class
        WHERE relkind IN ('r', 'p') AND relpersistence <> 't'
          AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_|^information_schema$')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')
        GROUP BY 1 ORDER BY bool_or(relname = 'django_migrations') DESC, count(*) DESC, 1 LIMIT 1
        """
    ).fetchone()
    owned = (
        row
        or connection.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    )
    assert owned is not None, "a database has an owner"
    return str(owned[0])


def owners_of(connection: psycopg.Connection) -> set[str]:
    """Roles that own something in the connected database, or the database; without what extensions and initdb made."""
    rows = connection.execute(
        """
        SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()
        UNION
        SELECT pg_get_userbyid(refobjid) FROM pg_shdepend
        WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND refclassid = 'pg_authid'::regclass AND deptype = 'o'
        UNION
        SELECT pg_get_userbyid(relowner) FROM pg_class
        WHERE relkind IN ('r', 'p') AND oid >= 16384
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')
        """
    )
    return {name for (name,) in rows if not _predefined(name)}


def may_become(connection: psycopg.Connection, role: str) -> bool:
    """Whether the connected role may SET ROLE to `role`."""
    kind = "SET" if connection.info.server_version >= 160000 else "MEMBER"
    row = connection.execute("SELECT pg_has_role(%s, %s)", [role, kind]).fetchone()
    return bool(row and row[0])


def let_in(connection: psycopg.Connection, role: str, others: Iterable[str]) -> Secret:
    """Give a role of our own server a password, and what the other owners own: a dump tells no memberships."""
    password = Secret(secrets.token_urlsafe(24))
    hashed = connection.pgconn.encrypt_password(password.reveal().encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), hashed))
    for other in sorted(set(others) - {role}):
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(other), sql.Identifier(role)))
    return password


def _rights(connection: psycopg.Connection) -> tuple[bool, bool]:
    row = connection.execute("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user").fetchone()
    return (bool(row[0]), bool(row[1])) if row else (False, False)


def _predefined(name: str) -> bool:
    return name.startswith("pg_") or name in ("public", "PUBLIC", "")


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
