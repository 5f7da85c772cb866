"""A fresh copy made as settled as a database in use: statistics for the planner, and pages that no reader must write.

VACUUM too: else the first reader of each page would write it, and the migration would be that reader.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psycopg

from greenroom import shell
from greenroom.postgres.account import dies_with_us
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.children import nameless, psql, running, words_in
from greenroom.postgres.server import connect, unhindered
from greenroom.postgres.statistics import Statistics
from greenroom.postgres.statistics.giving import give

MOST_JOBS = 4
INCOMPLETE = "not every table could be analysed"
GIVEN = "planner statistics: the source's"
NOT_TAKEN = "planner statistics: of ANALYZE here, this server did not take the source's (SQLSTATE {sqlstate})"
_FAILED = "ERROR:"

# the others are as initdb has left them: vacuumed and analysed
_CHANGED_CATALOGS = """
SELECT format('pg_catalog.%I', relname) FROM pg_stat_sys_tables
WHERE schemaname = 'pg_catalog' AND n_mod_since_analyze > 0
"""
# rows that COPY has frozen are settled, and their table has a map that says so
_UNSETTLED = """
SELECT format('%%I.%%I', n.nspname, c.relname), c.oid = ANY (%(given)s::oid[])
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT (c.oid = ANY (%(given)s::oid[]) AND (pg_relation_size(c.oid) = 0 OR pg_relation_size(c.oid, 'vm') > 0))
ORDER BY pg_relation_size(c.oid) DESC
"""


def analyse(address: Address, binaries: Binaries) -> bool:
    """Whether every table was vacuumed and analysed; a role that does not own one passes it over."""
    with connect(address) as connection:
        writing = unhindered(address, connection.info.server_version)
    options = ("--analyze", "--quiet", "--no-password", f"--jobs={_jobs()}", f"--dbname={writing.conninfo}")
    done = shell.run(
        [*dies_with_us(), binaries.program("vacuumdb"), *options],
        env={"LC_ALL": "C", **address.password_environment},
        check=False,
    )
    return done.code == 0


def settle(address: Address, binaries: Binaries, statistics: Sequence[Statistics] | None) -> list[str]:
    """The same for a copy on a server of our own, as its superuser, with what is known of the source; returns notes.

    Tables that get the source's statistics are vacuumed where that is wanted, all others analysed too. Where nothing is
    known, or the server does not take it, every table is.
    """
    if statistics is None or not binaries.program("psql").exists():
        return [] if analyse(address, binaries) else [INCOMPLETE]
    with connect(address) as connection:
        try:
            whole, given, others = _settled(connection, address, binaries, statistics)
        except psycopg.Error as error:
            whole = analyse(address, binaries)
            return [NOT_TAKEN.format(sqlstate=error.sqlstate), *([] if whole else [INCOMPLETE])]
    note = GIVEN + (f"; those of {others} tables are of ANALYZE here" if others else "")
    return [*([note] if given else []), *([] if whole else [INCOMPLETE])]


def _settled(
    connection: psycopg.Connection, address: Address, binaries: Binaries, statistics: Sequence[Statistics]
) -> tuple[bool, int, int]:
    """Whether every table could be, how many have the source's statistics, and how many of their own."""
    writing = unhindered(address, connection.info.server_version)
    catalogs = [_vacuum(name, analyse=True) for (name,) in connection.execute(_CHANGED_CATALOGS)]
    with _running(writing, binaries, catalogs) as of_catalogs:
        given = give(address, statistics)
        rest = connection.execute(_UNSETTLED, {"given": list(given)}).fetchall()
        words = [_vacuum(name, analyse=not known) for name, known in rest]
        with ExitStack() as others:
            shares = [words[place :: _jobs()] for place in range(_jobs())]
            under_way = [others.enter_context(_running(writing, binaries, share)) for share in shares]
            done = [ended() for ended in (of_catalogs, *under_way)]
    # what was counted while the rows came would have autovacuum analyse them all in the middle of a rehearsal
    connection.execute("SELECT pg_stat_reset()")
    return all(done), len(given), sum(not known for _, known in rest)


def _vacuum(name: str, *, analyse: bool) -> str:
    return f"VACUUM {'(ANALYZE) ' if analyse else ''}{name};"


@contextmanager
def _running(writing: Address, binaries: Binaries, statements: Sequence[str]) -> Iterator[Callable[[], bool]]:
    """The statements, one after the other, in a session of their own; the result waits, and says whether all were done.

    What the server says can quote a row, and is thrown away.
    """
    if not statements:
        yield lambda: True
        return
    words = psql(binaries, writing, "--file=-")
    environment = {**writing.password_environment, "PGCLIENTENCODING": "UTF8"}
    with nameless() as script, nameless() as said:
        script.write("\n".join(["SET search_path = '';", *statements]).encode())
        script.seek(0)
        with running(words, env=environment, stdin=script, stdout=said, stderr=said) as child:
            yield lambda: child.wait() == 0 and _FAILED not in words_in(said)


def _jobs() -> int:
    return max(1, min(MOST_JOBS, os.cpu_count() or 1))
