"""The figures of a hazard in words, and the names that its safe twin is filled with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from string import Template

from greenroom.rehearsal.document import Budget, Rewrite
from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.view import Performed, Step, View, model_of
from greenroom.rehearsal.report.words import counted, duration, number, size

_FIELDS = re.compile(r"on field\(s\) (.+?) of model")
TABLES = frozenset(("table", "parent_table", "old_table", "child_table"))
_QUOTED_TABLE = re.compile(rf'(?P<rename>RENAME TO )?"\$(?P<key>{"|".join(sorted(TABLES))})"')
_DROPPED_INDEX = re.compile(r'DROP INDEX CONCURRENTLY (?:IF EXISTS )?(?=")')
_NAMED = 4  # entries of a list in a sentence
SHORTEST_LIMIT, LONGEST_LIMIT = 100, 2000  # milliseconds of a lock_timeout, whatever the budget is
_LONGEST_INDEX_NAME = 30  # Django's own limit


def rows_of(view: View, table: str) -> str:
    """`300,000 rows (38 MB) of shop_order`, as far as known; `of shop_order (12 partitions)`."""
    relation = view.relation(table)
    if relation is None:
        return f"all rows of {table}"
    places = f" ({counted(len(relation.partitions), 'partition')})" if relation.partitions else ""
    return f"{number(relation.rows)} rows ({size(relation.size_bytes)}) of {table}{places}"


def rewritten(view: View, step: Step, table: str, rewrite: Rewrite) -> str:
    """`300,000 rows (38 MB) of shop_order and 3 indexes in 1.4 s`."""
    before = view.relation(table)
    rows = rows_of(view, table) if before else f"{number(rewrite.rows)} rows ({size(rewrite.size_bytes)}) of {table}"
    count = len(rewrite.indexes)
    indexes = f" and {count} index{'' if count == 1 else 'es'}" if count else ""
    return f"{rows}{indexes} {took(step)}"


def took(step: Step) -> str:
    """`in 212 ms`."""
    return f"in {duration(step.statement.seconds)}"


def listed(words: list[str]) -> str:
    """`a, b, c` and how many more: a sentence is no table."""
    more = len(words) - _NAMED
    return ", ".join(words[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def names(performed: Performed, action: Action) -> dict[str, str]:
    """What `$names` in a safe twin stand for; quotes and line ends in names cannot break out of the code."""
    operation = performed.operation
    table = action.table or (operation.table if operation else None) or ""
    own = bool(operation and operation.table in (None, table))
    model = performed.model if own and performed.model else model_of(table)
    field = operation.name if operation and own and operation.field and operation.name else field_of(action)
    described = _FIELDS.search(operation.description) if operation else None
    fields = described[1].split(", ") if described else [field] if len(action.columns) < 2 else list(action.columns)
    found = {
        "app": performed.migration.partition(".")[0],
        "model": model,
        "field": field,
        "field_class": (operation.field if operation else None) or "IntegerField",
        "fields": quoted(fields),
        "columns": quoted(action.columns or [action.column or field]),
        "parent_columns": quoted(action.parent_columns),
        "table": table,
        "column": action.column or field,
        "type": action.type,
        "parent_table": action.parent or "parent",
        "parent": f"{action.parent.partition('_')[0]}.{model_of(action.parent)}" if action.parent else "app.parent",
        "old_table": (operation.table if operation else None) or table,
        "constraint": action.name or f"{table.rpartition('.')[2]}_{action.column or field}_check",
        "index": index_name(performed, action, fields),
    }
    return {key: _plain(value) for key, value in found.items()}


def quoted(names: Iterable[str]) -> str:
    """As SQL lists them, and Python too."""
    return ", ".join(f'"{name}"' for name in names)


def filled(django: str, facts: Mapping[str, str], statements: Iterable[str] = ()) -> str:
    """The safe twin's code with its names: schema and table are quoted apart. `statements`: which have such names."""
    known = list(statements)
    schema, _ = _parts(facts.get("table", ""), known)

    def name(match: re.Match[str]) -> str:
        if match["key"] not in facts:
            return match.group()
        schema, table = _parts(facts[match["key"]], known)
        qualified = [schema] if schema and not match["rename"] else []
        return (match["rename"] or "") + ".".join(f'"{part}"' for part in (*qualified, table))

    code = _QUOTED_TABLE.sub(name, django)
    if schema:
        code = _DROPPED_INDEX.sub(rf'\g<0>"{schema}".', code)
    return Template(code).safe_substitute(
        {**facts, **{key: _parts(facts[key], known)[1] for key in TABLES & set(facts)}}
    )


def _parts(table: str, statements: list[str]) -> tuple[str, str]:
    """Schema and table, the schema empty where none is named: a dot in a quoted name divides nothing."""
    schema, dot, name = table.partition(".")
    whole = not dot or any(f'"{table}"' in statement for statement in statements)
    return ("", table) if whole else (schema, name)


def limit_within(budget: Budget) -> str:
    """A lock_timeout that leaves half of the budget for the work behind the lock: `500ms`."""
    half = round(min(budget.read_ms, budget.write_ms) / 2)
    return f"{max(SHORTEST_LIMIT, min(LONGEST_LIMIT, half))}ms"


def field_of(action: Action) -> str:
    """A field's name, guessed from its column."""
    return action.column.removesuffix("_id") if action.parent else action.column or "field"


def index_name(performed: Performed, action: Action, fields: list[str]) -> str:
    """The index's own name, where Django knows it; a believable one where it makes one up."""
    operation = performed.operation
    if operation and operation.name and not operation.field:
        return operation.name
    return f"{(action.table.rpartition('.')[2])}_{'_'.join(fields)}_idx".replace("-", "")[-_LONGEST_INDEX_NAME:].lstrip(
        "_0123456789"
    )


def _plain(value: str) -> str:
    return "".join(letter if letter.isprintable() and letter not in "\\'`" else "_" for letter in value)
