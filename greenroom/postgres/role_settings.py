"""What ALTER ROLE ... SET has given to roles: no dump of a database tells it, and it decides how a migration ends."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import psycopg
from psycopg import sql

RoleSetting = tuple[str, str, str]  # role, name, value

# pg_dump's own list: lists of names, whose text would be quoted as a single name by SET ... TO
_LISTS = {
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
}
# libraries that are not here would keep the role from logging in
_NOT_HERE = ("session_preload_libraries", "local_preload_libraries")
_OF_ROLES = """
SELECT r.rolname, setting FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS setting
WHERE s.setdatabase = 0 AND r.rolname !~ '^pg_' ORDER BY 1, 2
"""
# the least is the strongest, as PostgreSQL has it: of the role in this database, of the role, of the database
_OVERRIDES = """
SELECT CASE WHEN s.setrole = 0 THEN 3 WHEN s.setdatabase = 0 THEN 2 ELSE 1 END, r.rolname, setting
FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) AS setting
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND (s.setrole = 0 OR r.rolname = ANY (%s))
ORDER BY 1 DESC
"""


def of_roles(connection: psycopg.Connection) -> list[RoleSetting]:
    """Of all roles of the server, in whichever database."""
    return [(role, *_split(setting)) for role, setting in connection.execute(_OF_ROLES).fetchall()]


def give(connection: psycopg.Connection, settings: Iterable[RoleSetting], roles: Container[str]) -> list[str]:
    """Give them to those of `roles` on another server; returns what was refused there, as `NAME of ROLE`."""
    refused = []
    for role, name, value in settings:
        if role not in roles:
            continue
        try:
            if name in _NOT_HERE:
                raise psycopg.errors.UndefinedFile
            assign(connection, sql.SQL("ALTER ROLE {}").format(sql.Identifier(role)), name, value)
        except psycopg.Error:
            if connection.closed:
                raise
            refused.append(f"{name} of {role}")
    return refused


def assign(connection: psycopg.Connection, altering: sql.Composed, name: str, value: str) -> None:
    """`ALTER ... SET name` to a value as the catalogue has it. Raises psycopg.Error where that is refused."""
    words = altering + sql.SQL(" SET {} ").format(sql.Identifier(*name.split(".")))
    if name in _LISTS:
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
        connection.execute(words + sql.SQL("FROM CURRENT"))
        connection.execute(sql.SQL("RESET {}").format(sql.Identifier(name)))
    else:
        connection.execute(words + sql.SQL("TO {}").format(value))


def as_for(connection: psycopg.Connection, role: str, found: Mapping[str, str]) -> dict[str, str]:
    """`found`, which hold for the connected user, as they hold for `role`.

    Those that are the server's are not among them where the user has others of its own: nobody else is told of them.
    """
    user = connection.info.user
    if role == user:
        return dict(found)
    held: dict[str, dict[str, str]] = {role: {}, user: {}}
    for _, who, setting in connection.execute(_OVERRIDES, [[role, user]]).fetchall():
        name, value = _split(setting)
        for one in held.keys() if who is None else [who]:
            held[one][name.lower()] = value
    settings = {}
    for name, value in found.items():
        given = held[role].get(name.lower())
        if given is not None:
            settings[name] = _as_shown(connection, name, given)
        elif name.lower() not in held[user]:
            settings[name] = value
    return settings


def _split(setting: str) -> tuple[str, str]:
    name, _, value = setting.partition("=")
    return name, value


def _as_shown(connection: psycopg.Connection, name: str, value: str) -> str:
    """As SHOW has it, with the unit that fits."""
    try:
        row = connection.execute("SELECT set_config(%s, %s, true)", [name, value]).fetchone()
    except psycopg.Error:
        return value
    return str(row[0]) if row else value
