"""User mappings of foreign servers, by which what runs on a copy would read and write another database.

A restored copy is made without them (`sections`); one that came whole has them, and loses them before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import psycopg
from psycopg import sql

from greenroom.errors import GreenroomError
from greenroom.postgres import event_triggers, roles, toc

KIND = "USER MAPPING"
_PUBLIC = "public"  # no role can be called so


def mapped_servers(connection: psycopg.Connection) -> list[str]:
    """Names of the foreign servers of the connected database that somebody has a mapping for."""
    return sorted({server for server, _user, _owner in _mappings(connection)})


def servers_in(contents: toc.Contents) -> list[str]:
    """The same of an archive."""
    return sorted(set(_servers_in(contents)))


def drop_mappings(connection: psycopg.Connection, place: str, remedy: str) -> list[str]:
    """Drop those of the connected copy; returns the servers. Raises GreenroomError where one cannot be: then end it.

    `place` is the copy for people, `remedy` what to do where the role may not: `{grant}` in it becomes the statement by
    which it may, `{drop}` the owner's.
    """
    found = _mappings(connection)
    with event_triggers.off(connection) if found else nullcontext():  # they would run as long as a way out is there
        for server, user, owner in found:
            grant = roles.to_act_for(owner, connection.info.user)
            _drop(connection, server, user, place, remedy.replace("{grant}", grant))
    return sorted({server for server, _user, _owner in found})


def _drop(connection: psycopg.Connection, server: str, user: str, place: str, remedy: str) -> None:
    role = sql.SQL("PUBLIC") if user == _PUBLIC else sql.Identifier(user)
    words = sql.SQL("DROP USER MAPPING IF EXISTS FOR {} SERVER {}").format(role, sql.Identifier(server))
    try:
        connection.execute(words)
    except psycopg.Error as error:
        which = f"the user mapping of {user} for the foreign server {server} in {place}"
        then = "what runs there would reach that server"
        if forbidden := event_triggers.blamed(connection, error):
            raise GreenroomError(f"{which} cannot be dropped: {forbidden[0]}, and {then}.", forbidden[1]) from error
        raise GreenroomError(
            f"{connection.info.user} cannot drop {which} (SQLSTATE {error.sqlstate}), and {then}.",
            remedy.replace("{drop}", words.as_string()),
        ) from error


def _mappings(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Server, user and the server's owner of each; an ordinary role sees them too, only the options of others not."""
    return connection.execute(
        "SELECT m.srvname, m.usename, pg_get_userbyid(s.srvowner) "
        "FROM pg_user_mappings m JOIN pg_foreign_server s ON s.oid = m.srvid ORDER BY 1, 2"
    ).fetchall()


def _servers_in(contents: toc.Contents) -> Iterator[str]:
    """An entry is called `USER MAPPING role SERVER server`, without quotes: the longest server that fits is meant."""
    known = sorted((entry.name for entry in contents.of_kind("SERVER")), key=len, reverse=True)
    for entry in contents.of_kind(KIND):
        fitting = (server for server in known if entry.name.endswith(f" SERVER {server}"))
        yield next(fitting, entry.name.rpartition(" SERVER ")[2])
