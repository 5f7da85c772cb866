"""Masking a copy: after its rows are there, and before anything else can read them.

- `rules`       what the target's `masks` say
- `check`       whether they fit the source, before anything is dumped
- `excluded`    the tables whose rows stay where they are
- `refuse_uncovered`  for a copy that is to outlive its rehearsal
- `apply`       the masks themselves
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Sequence

import psycopg
from psycopg import sql

from greenroom.errors import GreenroomError
from greenroom.postgres import event_triggers, mask_columns, mask_statistics, mask_views
from greenroom.postgres.excluding import LARGE_OBJECTS as LARGE_OBJECTS
from greenroom.postgres.excluding import excluded as excluded
from greenroom.postgres.excluding import has_large_objects as has_large_objects
from greenroom.postgres.mask_checks import (
    Masked,
    draw_salt,
    fit,
    forget_salt,
    read_names_as_in,
)
from greenroom.postgres.mask_checks import check as check
from greenroom.postgres.mask_checks import refuse_uncovered as refuse_uncovered
from greenroom.postgres.mask_checks import uncovered as uncovered
from greenroom.postgres.mask_checks import wordy as wordy
from greenroom.postgres.mask_columns import Table
from greenroom.postgres.mask_rules import REMEDY
from greenroom.postgres.mask_rules import Rule as Rule
from greenroom.postgres.mask_rules import rules as rules

SETTLE_SECONDS = 30.0
_PAUSE_SECONDS = 0.2
_COUNT = re.compile(r"\d+")


def apply(connection: psycopg.Connection, rules: Sequence[Rule]) -> list[str]:
    """Mask the connected copy, as its owner or a superuser; returns a note for each column: rows and kind.

    One UPDATE for each table and those that are parts of it, then VACUUM FULL, so that no old value stays in its files.
    Neither triggers nor rules run, nor event triggers that the role may stop; row security hides nothing. Materialised
    views of them that are filled already, as in a copy that came whole, are filled anew, or emptied. Raises
    GreenroomError, which never quotes a value: the copy is then masked in part, and must be dropped.
    """
    found, wrong = fit(connection, rules)
    if wrong:
        raise GreenroomError(
            f"the masks do not fit the copy: {'; '.join(f'{rule}: {why}' for rule, why in wrong)}", REMEDY
        )
    with event_triggers.off(connection):
        return _applied(connection, found)


def _applied(connection: psycopg.Connection, found: Sequence[Masked]) -> list[str]:
    draw_salt(connection)
    try:
        notes = [note for table in _tables_of(found) for note in _mask(connection, table, found)]
    finally:
        with contextlib.suppress(psycopg.Error):
            forget_salt(connection)
    parts = [part.oid for part in mask_columns.family_of(connection, [table.oid for table in _tables_of(found)])]
    views = mask_views.renew(connection, parts) if parts else []
    kept = [f"not masked, as declared: {masked.rule}" for masked in found if not masked.rule.changes]
    return [*notes, *mask_statistics.left(connection, parts), *views, *kept]


def _tables_of(found: Sequence[Masked]) -> list[Table]:
    return list(dict.fromkeys(masked.table for masked in found if masked.rule.changes))


def _mask(connection: psycopg.Connection, table: Table, found: Sequence[Masked]) -> list[str]:
    mine = [masked for masked in found if masked.table == table and masked.rule.changes]
    parts = mask_columns.family_of(connection, [table.oid])
    try:
        with connection.transaction(), _nothing_in_the_way(connection, parts):
            read_names_as_in(connection, table.schema)
            rows = _update(connection, table, mine)
        known = mask_statistics.known(connection, [part.oid for part in parts])
        mask_statistics.forget(connection, [part.oid for part in parts])
        for part in parts:
            if part.kind == "r":
                _rewrite(connection, part)
        for part in (part for part in parts if part.kind == "p" and part.oid in known):
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(part.schema, part.name)))
    except psycopg.Error as error:
        raise _explained(connection, error, table, mine) from None
    return [f"masked: {masked.rule} as {masked.rule.kind} ({rows:,} rows)" for masked in mine]


def _update(connection: psycopg.Connection, table: Table, mine: Sequence[Masked]) -> int:
    """The number of rows: all of them, or nothing at all has been done."""
    changes = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(masked.column.name), masked.value) for masked in mine
    )
    name = sql.Identifier(table.schema, table.name)
    done = connection.execute(sql.SQL("UPDATE {} SET {}").format(name, changes)).rowcount
    counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone()
    if counted != (done,):
        raise GreenroomError(
            f"only {done:,} rows of {table} can be masked: a rule of the table keeps others from it.",
            "Connect as a superuser, or leave the table's rows out (exclude_data).",
        )
    return done


@contextlib.contextmanager
def _nothing_in_the_way(connection: psycopg.Connection, parts: Sequence[Table]) -> Iterator[None]:
    """For the transaction: no trigger or rule sees old rows, no policy hides one. Works for an ordinary owner too."""
    replica = _become_replica(connection)
    connection.execute("SET LOCAL row_security = off")  # an error, where it would hide rows
    forced = _forced(connection, parts)
    for name in forced:
        connection.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(name))
    beside = _beside(connection, parts, "AR" if replica else "AO")
    for name, one, _state in beside:
        connection.execute(sql.SQL("ALTER TABLE ONLY {} DISABLE {}").format(name, one))
    unidentified = _unidentified(connection, parts)
    for name, _identity in unidentified:
        connection.execute(sql.SQL("ALTER TABLE ONLY {} REPLICA IDENTITY FULL").format(name))
    yield
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for name, one, state in beside:
        connection.execute(sql.SQL("ALTER TABLE ONLY {} ENABLE {} {}").format(name, state, one))
    for name, identity in unidentified:
        connection.execute(sql.SQL("ALTER TABLE ONLY {} REPLICA IDENTITY {}").format(name, identity))
    for name in forced:
        connection.execute(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(name))


def _become_replica(connection: psycopg.Connection) -> bool:
    """Where the role may: then neither triggers nor foreign keys look at what is changed."""
    try:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def _forced(connection: psycopg.Connection, parts: Sequence[Table]) -> list[sql.Identifier]:
    rows = connection.execute(
        "SELECT oid FROM pg_class WHERE relforcerowsecurity AND oid = ANY (%s::oid[])", [[part.oid for part in parts]]
    )
    oids = {oid for (oid,) in rows}
    return [sql.Identifier(part.schema, part.name) for part in parts if part.oid in oids]


def _unidentified(connection: psycopg.Connection, parts: Sequence[Table]) -> list[tuple[sql.Identifier, sql.SQL]]:
    """Those whose rows a subscriber could not tell apart, so that none can be changed; each with what it says now."""
    words = {"d": sql.SQL("DEFAULT"), "n": sql.SQL("NOTHING")}
    names = {part.oid: sql.Identifier(part.schema, part.name) for part in parts}
    rows = connection.execute(
        """
        SELECT oid, relreplident::text FROM pg_class c
        WHERE oid = ANY (%s::oid[]) AND relkind = 'r' AND EXISTS (SELECT FROM pg_publication WHERE pubupdate)
          AND (relreplident = 'n' OR relreplident = 'd' AND NOT EXISTS (
              SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary AND indimmediate AND indisvalid))
        """,
        [list(names)],
    )
    return [(names[oid], words[identity]) for oid, identity in rows]


def _beside(
    connection: psycopg.Connection, parts: Sequence[Table], states: str
) -> list[tuple[sql.Identifier, sql.Composed, sql.SQL]]:
    """Triggers, and rules that do something also: those that would run, each with the word that enables it as it was.

    A rule that does something instead is left: the rows that it keeps are missed.
    """
    words = {"A": sql.SQL("ALWAYS"), "R": sql.SQL("REPLICA"), "O": sql.SQL("")}
    names = {part.oid: sql.Identifier(part.schema, part.name) for part in parts}
    rows = connection.execute(
        """
        SELECT tgrelid, 'TRIGGER', tgname, tgenabled::text FROM pg_trigger
        WHERE NOT tgisinternal AND tgenabled::text = ANY (%(states)s) AND tgrelid = ANY (%(parts)s::oid[])
        UNION ALL
        SELECT ev_class, 'RULE', rulename, ev_enabled::text FROM pg_rewrite
        WHERE ev_type = '2' AND NOT is_instead AND ev_enabled::text = ANY (%(states)s)
          AND ev_class = ANY (%(parts)s::oid[])
        """,
        {"states": list(states), "parts": list(names)},
    )
    return [
        (names[table], sql.SQL("{} {}").format(sql.SQL(kind), sql.Identifier(name)), words[state])
        for table, kind, name, state in rows
    ]


def _rewrite(connection: psycopg.Connection, table: Table) -> None:
    """A new file with nothing but the rows as they are now, and new statistics: the old ones held values too.

    A session that still holds a snapshot of the copy would have the old rows carried over: it is waited for.
    Raises GreenroomError when it does not end.
    """
    words = sql.SQL("VACUUM (FULL, VERBOSE, ANALYZE) {}").format(sql.Identifier(table.schema, table.name))
    deadline = time.monotonic() + SETTLE_SECONDS
    while _carried_over(connection, words, table):
        if time.monotonic() > deadline:
            raise GreenroomError(
                f"old rows of {table} cannot be removed from the copy: another session of its server still sees them.",
                "End that session (pg_stat_activity: backend_xmin; pg_replication_slots: xmin), then run again.",
            )
        time.sleep(_PAUSE_SECONDS)


def _carried_over(connection: psycopg.Connection, vacuum: sql.Composed, table: Table) -> int:
    """Old row versions that are in the new file. The server tells it in its own language: the first number it is.

    Raises GreenroomError where it tells nothing: who may not vacuum a table is only warned.
    """
    told: list[int] = []

    def hear(said: psycopg.errors.Diagnostic) -> None:
        if numbers := _COUNT.findall(said.message_detail or ""):
            told.append(int(numbers[0]))

    connection.add_notice_handler(hear)
    try:
        connection.execute(vacuum)
    finally:
        connection.remove_notice_handler(hear)
    if not told:
        raise _not_allowed(connection, table)
    return told[0]


def _not_allowed(connection: psycopg.Connection, table: Table) -> GreenroomError:
    return GreenroomError(
        f"{connection.info.user} may not mask {table} on the copy.", "Connect as its owner, or as a superuser."
    )


def _explained(
    connection: psycopg.Connection, error: psycopg.Error, table: Table, mine: Sequence[Masked]
) -> GreenroomError:
    """By SQLSTATE and names: the server's own words can quote a row."""
    constraint = error.diag.constraint_name
    blamed = ", ".join(f"{m.rule.key} = {m.rule.kind}" for m in _of_constraint(connection, constraint, table, mine))
    if isinstance(error, psycopg.errors.IntegrityError) and constraint:
        return GreenroomError(
            f"the masked values of {table} break its constraint {constraint} ({blamed}).",
            "Choose another kind, or sql:EXPRESSION with values that it allows.",
        )
    if isinstance(error, psycopg.errors.NotNullViolation):
        return GreenroomError(
            f"the mask of {table}.{error.diag.column_name} gives NULL, and the column is NOT NULL ({blamed}).",
            "Have the expression give a value for every row.",
        )
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return _not_allowed(connection, table)
    if isinstance(error, psycopg.errors.DiskFull):
        return GreenroomError(
            f"the disk is full while {table} is masked: that needs room for the table twice more.",
            "Free some space, or leave tables out (exclude_data).",
        )
    if forbidden := event_triggers.blamed(connection, error):
        return GreenroomError(f"{table} cannot be masked: {forbidden[0]}.", forbidden[1])
    return GreenroomError(
        f"{table} cannot be masked ({blamed}): SQLSTATE {error.sqlstate}.",
        "The server's own words can quote a row; its log has them.",
    )


def _of_constraint(
    connection: psycopg.Connection, name: str | None, table: Table, mine: Sequence[Masked]
) -> Sequence[Masked]:
    """The rules for the columns of a constraint; all of the table's where that is not known."""
    if name is None or connection.closed:
        return mine
    row = connection.execute(
        "SELECT conkey FROM pg_constraint WHERE conrelid = %s AND conname = %s", [table.oid, name]
    ).fetchone()
    numbers = set(row[0] or []) if row else set()
    return [masked for masked in mine if masked.column.number in numbers] or mine
