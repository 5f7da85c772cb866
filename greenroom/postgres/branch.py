"""A database beside another one: empty with its locale, or a copy by TEMPLATE; and what neither brings with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import psycopg
from psycopg import sql

from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.role_settings import assign
from greenroom.postgres.server import CannotConnect, connect

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_OF_DATABASE = re.compile(rf"^ALTER DATABASE {_NAME} (SET .*)$", re.DOTALL)
_OF_ROLE = re.compile(rf"^ALTER ROLE ({_NAME}) IN DATABASE {_NAME} (SET .*)$", re.DOTALL)
_PRIVILEGE = re.compile(rf"^((?:GRANT|REVOKE) .* ON DATABASE) {_NAME} (.*)$", re.DOTALL)

TEMPLATE_STRATEGY = 150000  # FILE_COPY has a name from here on; before, it was the only way


def create_empty(
    connection: psycopg.Connection, name: str, owner: str | None, locale: str | None, *, file_copy: bool = False
) -> str | None:
    """CREATE DATABASE from template0; with the source's locale where the server knows it, else returns a note.

    `file_copy` takes a third of the time, at the price of two checkpoints of the whole server. Until `open_as` it lets
    in its owner and superusers alone. Raises GreenroomError when the role may not, or the disk is full.
    """
    plain = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
    plain += _strategy(connection, file_copy=file_copy)
    owned = sql.SQL(" OWNER {}").format(sql.Identifier(owner)) if owner else sql.SQL("")
    if locale:
        try:
            _create(connection, plain + owned + sql.SQL(" " + locale), name)
            return None
        except (
            psycopg.errors.InvalidParameterValue,
            psycopg.errors.FeatureNotSupported,
            psycopg.errors.WrongObjectType,
        ):
            pass
    _create(connection, plain + owned, name)
    return f"the server does not know the source's locale ({locale}): text sorts by its bytes here" if locale else None


def give(connection: psycopg.Connection, name: str, owner: str) -> None:
    """The database `name` belongs to `owner` from now on. Raises GreenroomError where the role may not say so."""
    try:
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), sql.Identifier(owner)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise _may_not_create(connection.info.user, _place(connection)) from error


def create_by_template(
    connection: psycopg.Connection, name: str, source: str, owner: str | None, *, file_copy: bool = True
) -> None:
    """CREATE DATABASE ... TEMPLATE, for which nobody may be connected to the source. Never disconnects anybody.

    `file_copy` is quick and clones where the file system can, at the price of two checkpoints of the whole server.
    Until `open_as` it lets in its owner and superusers alone. Raises GreenroomError when somebody is, when the role may
    not, or when the disk is full.
    """
    words = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(source))
    words += _strategy(connection, file_copy=file_copy)
    if owner:
        words += sql.SQL(" OWNER {}").format(sql.Identifier(owner))
    try:
        _create(connection, words, name)
    except psycopg.errors.ObjectInUse as error:
        raise GreenroomError(
            f"others are connected to {source}, and a copy by TEMPLATE needs it to itself; nobody was disconnected.",
            "Leave --template out: then the rows are copied while others work there.",
        ) from error


def _strategy(connection: psycopg.Connection, *, file_copy: bool) -> sql.SQL:
    named = file_copy and connection.info.server_version >= TEMPLATE_STRATEGY
    return sql.SQL(" STRATEGY FILE_COPY") if named else sql.SQL("")


def locale_of(connection: psycopg.Connection) -> str:
    """Encoding and locale of the connected database, as CREATE DATABASE takes them."""
    version = connection.info.server_version
    provider = "datlocprovider::text" if version >= 150000 else "'c'"
    locale = "datlocale" if version >= 170000 else "daticulocale" if version >= 150000 else "NULL::text"
    rules = "daticurules" if version >= 160000 else "NULL::text"
    row = connection.execute(
        sql.SQL(
            "SELECT pg_encoding_to_char(encoding), datcollate, datctype, {}, {}, {} "
            "FROM pg_database WHERE datname = current_database()"
        ).format(sql.SQL(provider), sql.SQL(locale), sql.SQL(rules))
    ).fetchone()
    assert row is not None, "a session has a database"
    encoding, collate, ctype, provider, locale, rules = row
    words = {"ENCODING": encoding, "LC_COLLATE": collate, "LC_CTYPE": ctype}
    if provider in ("i", "b"):
        words |= {
            "ICU_LOCALE" if provider == "i" else "BUILTIN_LOCALE": locale,
            **({"ICU_RULES": rules} if rules else {}),
        }
    literals = " ".join(f"{key} = {sql.Literal(value).as_string()}" for key, value in words.items())
    if version < 150000:
        return literals
    return f"{literals} LOCALE_PROVIDER = { {'i': 'icu', 'b': 'builtin', 'c': 'libc'}[provider] }"  # else template0's


def tablespaces_of(connection: psycopg.Connection) -> list[str]:
    """Names of those that something of the connected database lies in, other than its own."""
    rows = connection.execute(
        "SELECT DISTINCT spcname FROM pg_tablespace t JOIN pg_class c ON c.reltablespace = t.oid "
        "WHERE spcname <> 'pg_global' ORDER BY 1"
    )
    return [name for (name,) in rows]


def strange_tablespaces(connection: psycopg.Connection, name: str, used: Sequence[str]) -> list[str]:
    """Those of `used` that the server has not, or in which the role may make nothing for the database `name`."""
    rows = connection.execute(
        "SELECT spcname FROM pg_tablespace t WHERE spcname = ANY (%s) AND (has_tablespace_privilege(t.oid, 'CREATE') "
        "OR t.oid = (SELECT dattablespace FROM pg_database WHERE datname = %s))",
        [list(used), name],
    )
    return sorted(set(used) - {known for (known,) in rows})


def settings_of(connection: psycopg.Connection) -> list[tuple[str | None, str, str]]:
    """Settings of the connected database, and of roles in it: role or None, name, value."""
    rows = connection.execute(
        """
        SELECT r.rolname, setting FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole,
               unnest(s.setconfig) AS setting
        WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        ORDER BY 1 NULLS FIRST, 2
        """
    )
    return [(role, *setting.split("=", 1)) for role, setting in rows]


def apply_settings(
    connection: psycopg.Connection, name: str, settings: Iterable[tuple[str | None, str, str]]
) -> list[str]:
    """Give them to the database `name`; returns the names of those that the connected role may not set.

    Raises psycopg.OperationalError where the connection is lost.
    """
    refused = []
    for role, setting, value in settings:
        who = sql.SQL("ROLE {} IN ").format(sql.Identifier(role)) if role else sql.SQL("")
        try:
            assign(connection, sql.SQL("ALTER {}DATABASE {}").format(who, sql.Identifier(name)), setting, value)
        except psycopg.Error:
            if connection.closed:
                raise
            refused.append(setting)
    return refused


def privileges_of(connection: psycopg.Connection) -> list[str]:
    """The privileges on the connected database as GRANT statements; none where nobody ever changed them."""
    row = connection.execute("SELECT datacl IS NULL FROM pg_database WHERE datname = current_database()").fetchone()
    if row is None or row[0]:
        return []
    rows = connection.execute(
        """
        SELECT format('GRANT %s ON DATABASE %I TO %s%s', a.privilege_type, d.datname,
                      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                      CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = current_database()
        """
    )
    return ["REVOKE ALL ON DATABASE x FROM PUBLIC", *(statement for (statement,) in rows)]


def close(connection: psycopg.Connection, name: str) -> None:
    """Of a new database that lets nobody in: from now on its owner and superusers, all others after `open_as`."""
    database = sql.Identifier(name)
    connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(database))
    connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(database))


def open_as(connection: psycopg.Connection, name: str, privileges: Iterable[str]) -> list[str]:
    """Let in whom the source lets in: `privileges` are its own, none where nobody ever changed them.

    To be said last, when nothing in the copy is to be hidden any more. Returns what was refused.
    """
    everybody = sql.SQL("GRANT CONNECT ON DATABASE {} TO PUBLIC").format(sql.Identifier(name))
    with connection.transaction():  # at no moment is it open to more than the source is
        connection.execute(everybody)
        return apply_statements(connection, name, privileges)


def apply_statements(connection: psycopg.Connection, name: str, statements: Iterable[str]) -> list[str]:
    """Run `ALTER ... SET`, `GRANT` and `REVOKE` of a source for the database `name`; returns what was refused."""
    refused = []
    for statement in statements:
        if renamed := for_database(statement, name):
            try:
                with connection.transaction():
                    connection.execute(renamed.encode())
            except psycopg.Error:
                if connection.closed:
                    raise
                refused.append(" ".join(statement.split()[:2]))
    return refused


def for_database(statement: str, name: str) -> str | None:
    """The same statement about another database; None when it is none that a copy needs (a connection limit)."""
    quoted = sql.Identifier(name).as_string()
    if match := _OF_DATABASE.match(statement):
        return f"ALTER DATABASE {quoted} {match[1]}"
    if match := _OF_ROLE.match(statement):
        return f"ALTER ROLE {match[1]} IN DATABASE {quoted} {match[2]}"
    if match := _PRIVILEGE.match(statement):
        return f"{match[1]} {quoted} {match[2]}"
    return None


def refuse_standby(connection: psycopg.Connection, label: str) -> None:
    """Raises GreenroomError for a server on which nobody can make a database."""
    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    if row and row[0]:
        raise GreenroomError(
            f"{label} is a standby: no copy can be made on it.",
            "Name the primary; or read the standby and restore elsewhere (leave --remote out, --server embedded).",
        )


def maintenance(address: Address) -> Address:
    """Where CREATE DATABASE is said: the database postgres, else the given one itself."""
    try:
        connect(address.at("postgres")).close()
    except CannotConnect as error:
        if error.sqlstate not in ("3D000", "42501", "28000"):
            raise
        return address
    return address.at("postgres")


def _create(connection: psycopg.Connection, statement: sql.Composed, name: str) -> None:
    """One that is closed to all others from its first moment: whoever came in while it is empty could stay."""
    where = _place(connection)
    try:
        connection.execute(statement + sql.SQL(" ALLOW_CONNECTIONS false"))
        close(connection, name)
    except psycopg.errors.InsufficientPrivilege as error:
        raise _may_not_create(connection.info.user, where) from error
    except psycopg.errors.DiskFull as error:
        raise GreenroomError(
            f"the disk of {where} is full: the copy of the data does not fit.", "Free some space there, then run again."
        ) from error


def _place(connection: psycopg.Connection) -> str:
    return f"{connection.info.host}:{connection.info.port}"


def refuse_no_createdb(connection: psycopg.Connection, server: str) -> None:
    """Before anything is read for a branch. Raises GreenroomError where the role cannot create a database."""
    row = connection.execute("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
    if row and not row[0]:
        raise _may_not_create(connection.info.user, server)


def _may_not_create(user: str, server: str) -> GreenroomError:
    return GreenroomError(
        f"{user} may not create a database on {server}.",
        f"Ask for it: ALTER ROLE {sql.Identifier(user).as_string()} CREATEDB, and membership in the source's owner.",
    )
