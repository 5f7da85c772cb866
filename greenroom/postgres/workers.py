"""Background workers of extensions: on a server that was copied as a whole they do what they do for the source.

pg_cron can be in one database of a server alone, so that a copy beside others is made without it and all that is its.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from greenroom.errors import GreenroomError
from greenroom.postgres.toc import Contents, Entry

CRON = "pg_cron"
CRONS_SCHEMA = "cron"
WITHOUT_CRON = (
    "not copied: the extension pg_cron and its jobs, which a server has in one database only (cron.database_name): "
    "a migration that calls it fails here"
)
_TOLD_WITH_ANOTHER = ("ACL", "COMMENT", "DEFAULT ACL", "MATERIALIZED VIEW DATA", "SEQUENCE SET", "TABLE DATA")
# a setting of each, which is known where its library was loaded with the server
_SETTINGS = {
    "pg_cron": "cron.database_name",
    "pg_net": "pg_net.batch_size",
    "pglogical": "pglogical.conflict_resolution",
}


def notes(connection: psycopg.Connection) -> list[str]:
    """What they are, for the report: nobody but the server's owner can stop them."""
    found = ", ".join(_loaded(connection))
    what = "where all of it was copied, they do there what they do for the source"
    return [f"loaded on the copy's server: {found}; {what}: docs/engines.md"] if found else []


def _loaded(connection: psycopg.Connection) -> Iterator[str]:
    for library, setting in _SETTINGS.items():
        try:
            row = connection.execute("SELECT current_setting(%s, true) IS NOT NULL", [setting]).fetchone()
        except psycopg.errors.InsufficientPrivilege:  # there is one, for others' eyes
            row = (True,)
        if row == (True,):
            yield library


def without_cron(contents: Contents) -> list[Entry]:
    """All entries of an archive but pg_cron, what is its (jobs, privileges, a comment), and what depends on it."""
    left_out = _left_out(contents)
    return [entry for entry in contents.entries if entry.number not in left_out]


def depending_on_cron(contents: Contents) -> list[str]:
    """What is left out with pg_cron and is not the extension's own, as `VIEW public.jobs`.

    Raises GreenroomError where that is a table of another schema: a copy without its rows is none.
    """
    left_out = _left_out(contents)
    found = [entry for entry in contents.entries if entry.number in left_out and entry.kind not in _TOLD_WITH_ANOTHER]
    told = [(entry, f"{entry.kind} {entry.schema}.{entry.name}") for entry in found if entry.schema]
    if tables := [name for entry, name in told if entry.kind == "TABLE" and entry.schema != CRONS_SCHEMA]:
        raise GreenroomError(
            f"the copy is made without the extension pg_cron, and this depends on it: {', '.join(tables)}.",
            "Take from the table what is of the schema cron (a default, a type, a parent), or have an engine make the "
            "copy, which comes whole: docs/engines.md.",
        )
    return [name for _entry, name in told]


def _left_out(contents: Contents) -> set[int]:
    """Numbers of entries."""
    if not any(entry.name == CRON for entry in contents.of_kind("EXTENSION")):
        return set()
    found = {entry.number for entry in contents.entries if _of_cron(entry)}
    while more := {entry.number for entry in contents.entries if not found.isdisjoint(entry.needs)} - found:
        found |= more
    return found


def _of_cron(entry: Entry) -> bool:
    named = {("EXTENSION", CRON), ("COMMENT", f"EXTENSION {CRON}"), ("ACL", f"SCHEMA {CRONS_SCHEMA}")}
    return entry.schema == CRONS_SCHEMA or (entry.kind, entry.name) in named
