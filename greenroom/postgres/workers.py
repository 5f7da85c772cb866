"""Background workers of extensions: on a server that was copied as a whole they do what they do for the source."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

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
