"""Whether rules fit a database: asked of the source before anything is copied, and all that is wrong named at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from greenroom.errors import GreenroomError
from greenroom.postgres import mask_columns, mask_together, mask_uniqueness
from greenroom.postgres.excluding import LARGE_OBJECTS, has_large_objects
from greenroom.postgres.mask_columns import Column, Reference, Table
from greenroom.postgres.mask_kinds import KINDS, SALT, SQL
from greenroom.postgres.mask_rules import REMEDY, Rule, path, quoted, similar

_SHOWS = {"v": "view", "m": "materialised view", "f": "foreign table"}


@dataclass(frozen=True)
class Masked:
    """A rule and the column that it fits."""

    rule: Rule
    table: Table
    column: Column

    @property
    def value(self) -> sql.Composable | None:
        """What the column becomes, of its own type; None for what is kept."""
        if self.rule.kind == SQL:
            text = f"(\n{self.rule.sql}\n)"
        else:
            inner = KINDS[self.rule.kind].over(sql.Identifier(self.column.name).as_string(), self.column.shape)
            if inner is None:
                return None
            name = sql.Identifier(self.column.name).as_string()
            text = "(NULL)" if inner == "NULL" else f"(CASE WHEN {name} IS NOT NULL THEN {inner} END)"
        return sql.SQL(f"{text}::{self.column.shape.type}")


def check(connection: psycopg.Connection, rules: Sequence[Rule], target: str, without: Sequence[str] = ()) -> None:
    """Hold the rules against the connected database. Raises GreenroomError, naming all that cannot be.

    A unique column wants a kind that keeps values apart, and both ends of a foreign key want the same. Rows of the
    tables of `without` (as SQL names them) are not copied.
    """
    found, wrong = fit(connection, rules)
    wrong += [(masked.rule, why) for masked, why in mask_together.broken(connection, found, without)]
    if wrong:
        raise GreenroomError("; ".join(f"{path(target, rule.key)}: {why}" for rule, why in wrong), REMEDY)


def fit(connection: psycopg.Connection, rules: Sequence[Rule]) -> tuple[list[Masked], list[tuple[Rule, str]]]:
    """The rules with their columns; and those that do not fit, with the reason."""
    if not rules:
        return [], []
    known = mask_columns.tables(connection)
    columns = _columns_of(connection, rules, known)
    draw_salt(connection)
    found, wrong = [], []
    for rule in rules:
        read = _fitted(rule, known, columns)
        if isinstance(read, Masked):
            read = _refused_expression(connection, read) or read
        if isinstance(read, Masked):
            found.append(read)
        else:
            wrong.append((rule, read))
    return found, wrong + _torn(found, known, mask_columns.references(connection))


def wordy(connection: psycopg.Connection, without: Sequence[str]) -> list[str]:
    """`schema.table.column` of everything that may hold words, but in the tables of `without` (as SQL names them)."""
    every = {table.oid: table for table in mask_columns.tables(connection) if table.kind in ("r", "p", "m")}
    wanted = [oid for oid, table in every.items() if table.quoted not in set(without) and table.root == oid]
    found = mask_columns.columns(connection, wanted)
    return [f"{every[column.table]}.{column.name}" for column in found if not column.wordless]


def uncovered(connection: psycopg.Connection, rules: Sequence[Rule]) -> list[str]:
    """`schema.table.column` of everything in the masked tables that may hold words and has no rule.

    That is each type but those that cannot: numbers, times, enums, UUIDs, addresses of networks, arrays and ranges of
    them. A generated column follows those that it is made of; what a table's children add counts with it. A column that
    a table inherits is named where it comes from, which is where a rule for it can be: that may be no masked table.
    """
    return sorted({f"{table}.{column.name}" for table, column in _lacking(connection, rules)})


def _lacking(connection: psycopg.Connection, rules: Sequence[Rule]) -> list[tuple[Table, Column]]:
    """The same, each with its table."""
    masked = {(rule.schema, rule.table) for rule in rules}
    ruled = {(rule.schema, rule.table, rule.column) for rule in rules}
    roots = [table.oid for table in mask_columns.tables(connection) if (table.schema, table.name) in masked]
    family = [table.oid for table in mask_columns.family_of(connection, roots)]
    above = mask_columns.above(connection, family)
    named = {table.oid: table for table in mask_columns.tables(connection)}
    looked_at = mask_columns.columns(connection, set(family).union(*above.values()))
    own = {(column.table, column.name): column for column in looked_at if not column.inherited}
    found = set()
    for column in looked_at:
        if column.table in family and not (column.wordless or column.generated):
            above_it = (column.table, *above.get(column.table, ()))
            origins = [own[oid, column.name] for oid in above_it if (oid, column.name) in own]
            found |= {(named[origin.table], origin) for origin in origins or [column]}
    lacking = [(table, column) for table, column in found if (table.schema, table.name, column.name) not in ruled]
    return sorted(lacking, key=lambda one: (one[0].schema, one[0].name, one[1].name))


def refuse_uncovered(
    connection: psycopg.Connection, rules: Sequence[Rule], target: str, *, large_objects: bool = True
) -> None:
    """For a copy of a sensitive database that is to outlive its rehearsal. Raises GreenroomError where rules lack.

    `large_objects`: they are copied too, and no rule can be for them.
    """
    if not rules:
        raise GreenroomError(
            f"{target} is sensitive and has no masks, so no copy of it is kept.",
            f'Write them: [tool.greenroom.databases.{target}.masks] with lines such as "auth_user.email" = "email".',
        )
    if lacking := _lacking(connection, rules):
        missing = [f"{table}.{column.name}" for table, column in lacking]
        lines = "\n".join(f'  {_toml(_key(table, column))} = "{_kind_for(column)}"' for table, column in lacking)
        raise GreenroomError(
            f"{target} is sensitive, and these columns of its masked tables have no rule, so no copy of it is kept: "
            f"{', '.join(missing)}.",
            f'Add them to [tool.greenroom.databases.{target}.masks]; "keep" declares one harmless:\n{lines}',
        )
    if large_objects and has_large_objects(connection):
        raise GreenroomError(
            f"{target} is sensitive and has large objects, which no mask changes, so no copy of it is kept.",
            f'Leave them there: "{LARGE_OBJECTS}" in exclude_data of [tool.greenroom.databases.{target}].',
        )


def _kind_for(column: Column) -> str:
    """The first of some kinds that the column can have."""
    ways = (Rule("", "", "", column.name, kind) for kind in ("text", "hash", "empty", "null"))
    return next((way.kind for way in ways if _refused_column(way, column) is None), "keep")


def _key(table: Table, column: Column) -> str:
    names = [table.name, column.name] if table.schema == "public" else [table.schema, table.name, column.name]
    return ".".join(map(quoted, names))


def _toml(key: str) -> str:
    """A key in quotes: those that need no backslash, where the name has some itself."""
    return f"'{key}'" if '"' in key and "'" not in key else json.dumps(key, ensure_ascii=False)


def _columns_of(
    connection: psycopg.Connection, rules: Iterable[Rule], known: Iterable[Table]
) -> dict[int, dict[str, Column]]:
    wanted = {(rule.schema, rule.table) for rule in rules}
    by_table: dict[int, dict[str, Column]] = {t.oid: {} for t in known if (t.schema, t.name) in wanted}
    for column in mask_columns.columns(connection, by_table):
        by_table[column.table][column.name] = column
    return by_table


def _fitted(rule: Rule, known: Sequence[Table], columns: dict[int, dict[str, Column]]) -> Masked | str:
    """The rule with its column, or why it cannot be."""
    table = next((t for t in known if (t.schema, t.name) == (rule.schema, rule.table)), None)
    if table is None:
        name = f"{rule.schema}.{rule.table}"
        return f"there is no table {name}{similar(name, map(str, known))}"
    if table.kind in _SHOWS:
        return f"{table} is a {_SHOWS[table.kind]}: the rule belongs to the tables that it shows"
    if elsewhere := next((t for t in known if t.kind == "f" and t.root == table.root), None):
        return f"{elsewhere} is a part of it whose rows are on another server, where they would be changed"
    column = columns[table.oid].get(rule.column)
    if column is None:
        return f"{table} has no column {rule.column}{similar(rule.column, columns[table.oid])}"
    if column.inherited:
        root = next(t for t in known if t.oid == table.root)
        return f"{table} has this column from {root}: write the rule for that one, and it holds for both"
    return _refused_column(rule, column) or Masked(rule, table, column)


def _refused_column(rule: Rule, column: Column) -> str | None:
    """Why the values of a column cannot be replaced in this way."""
    if not rule.changes:
        return None
    if column.generated:
        return "it is a generated column: mask those that it is made of"
    if column.always_identity:
        return "it is GENERATED ALWAYS AS IDENTITY, and its values cannot be replaced"
    if column.partition_key:
        return "it decides in which partition a row lies, and cannot be masked"
    if rule.kind == "null" and column.not_null:
        return "null does not fit a column that is NOT NULL"
    if rule.kind == SQL:
        return None
    kind = KINDS[rule.kind]
    if misfit := kind.misfit(column.shape):
        return misfit
    return mask_uniqueness.refused(kind, column.name, column.shape, column.apart)


def _refused_expression(connection: psycopg.Connection, masked: Masked) -> str | None:
    """What the server says of the expression: it is planned, in a transaction that cannot write, and not run."""
    table = sql.Identifier(masked.table.schema, masked.table.name)
    if masked.value is None:
        return None
    try:
        with connection.transaction():
            read_names_as_in(connection, masked.table.schema)
            connection.execute("SET LOCAL transaction_read_only = on")
            query = sql.SQL("EXPLAIN SELECT {} FROM {} LIMIT 0").format(masked.value, table)
            connection.execute(query, binary=True)  # not by the simple protocol, which takes several statements
    except psycopg.errors.LockNotAvailable:
        raise
    except psycopg.Error as error:
        return f"PostgreSQL refuses the expression: {error.diag.message_primary or error.sqlstate}"
    return None


def draw_salt(connection: psycopg.Connection) -> None:
    """A salt for this session, unless it has one: drawn by the server, it never leaves it, nor stands in its log."""
    drawn = f"coalesce(nullif(current_setting('{SALT}', true), ''), gen_random_uuid()::text || gen_random_uuid()::text)"
    connection.execute(f"SELECT set_config('{SALT}', {drawn}, false) IS NULL")


def forget_salt(connection: psycopg.Connection) -> None:
    """What was masked in this session can be masked alike no more."""
    connection.execute(f"SELECT set_config('{SALT}', '', false)")


def read_names_as_in(connection: psycopg.Connection, schema: str) -> None:
    """For this transaction: an expression means the same on the source and on the copy, whose settings differ."""
    connection.execute(sql.SQL("SET LOCAL search_path = {}, public").format(sql.Identifier(schema)))


def _torn(found: Sequence[Masked], known: Iterable[Table], references: Iterable[Reference]) -> list[tuple[Rule, str]]:
    """Foreign keys that would not hold: only one end masked, or the two ends in different ways."""
    masked = {(m.table.oid, m.column.number): m for m in found if m.rule.changes}
    names = {table.oid: str(table) for table in known}
    wrong = []
    for reference in references:
        child, parent = masked.get(reference.child), masked.get(reference.parent)
        if (child and child.rule.kind == "null") or _way(child) == _way(parent):
            continue
        one, other = (child, reference.parent[0]) if child else (parent, reference.child[0])
        assert one is not None, "two ends without a rule are alike"
        tie = f"the foreign key {reference.name} ties it to {names[other]}"
        alike = " and collation" if any(end and end.column.shape.collation for end in (child, parent)) else ""
        wrong.append((one.rule, f"{tie}, so both ends want the same kind, and the same type{alike}"))
    return wrong


def _way(masked: Masked | None) -> object:
    return masked and (masked.rule.kind, masked.rule.sql, masked.column.shape)
