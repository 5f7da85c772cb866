"""Background workers of extensions: on a server that was copied as a whole they do what they do for the source.

pg_cron can be in one database of a server alone, so that a copy beside others is made without it and all that is its.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from greenroom.postgres.toc import Contents, Entry

CRON = "pg_cron"
CRONS_SCHEMA = "cron"
WITHOUT_CRON = (
    "not copied: the extension pg_cron and its jobs, which a server has in one database only (cron.database_name): "
    "a migration that calls it fails here"
)
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
    """All entries of an archive but pg_cron and what is its: jobs, privileges, a comment."""
    if not any(entry.name == CRON for entry in contents.of_kind("EXTENSION")):
        return list(contents.entries)
    return [entry for entry in contents.entries if not _of_cron(entry)]


def _of_cron(entry: Entry) -> bool:
    named = {("EXTENSION", CRON), ("COMMENT", f"EXTENSION {CRON}"), ("ACL", f"SCHEMA {CRONS_SCHEMA}")}
    return entry.schema == CRONS_SCHEMA or (entry.kind, entry.name) in named
