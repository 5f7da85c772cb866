"""Habits: what hurts nobody today, and makes a later change dear. Notes, from what the migration has left behind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.indexes import CONCURRENTLY
from greenroom.rehearsal.hazards.view import Match, Performed, View
from greenroom.rehearsal.hazards.wording import listed, names, rows_of
from greenroom.rehearsal.observations import DatedColumn, Lookup
from greenroom.rehearsal.report.words import duration, number


def key_without_index(view: View) -> Iterator[Match]:
    """G01: a foreign key that had an index, or was not there, has none now."""
    for lookup in view.observations.aftermath.lookups:
        performed, action = _maker(view, lookup.table, lookup.columns)
        did = f"the foreign key {listed(list(lookup.columns))} of {lookup.table} to {lookup.parent} has no index"
        did += f": {_cost(view, lookup)}" if lookup.seconds is not None else ""
        yield Match(performed, (), lookup.table, did, names(performed, action), severity="note")


def leaf_nodes(view: View) -> Iterator[Match]:
    """G02: an app has more than one last migration, and Django did not begin."""
    for app, names_of in view.observations.conflicts.items():
        did = f"the app {app} has {number(len(names_of))} last migrations, {listed(names_of)}: Django refused to begin"
        yield Match(Performed("", None, frozenset(), ()), (), None, did, {"app": app}, severity="failure")


def model_import(view: View) -> Iterator[Match]:
    """G03: an operation queried a model as the code has it."""
    for performed in view.performed:
        index = performed.operation.index if performed.operation else -1
        models = view.observations.models.get((performed.migration, index))
        if models:
            did = f"{performed.kind} queried {listed(models)} as the code is today, not as this migration knows it"
            facts = {"app": models[0].partition(".")[0], "model": models[0].partition(".")[2]}
            yield Match(performed, (), None, did, facts, severity="note")


def dated_type(view: View) -> Iterator[Match]:
    """G04: new columns of types that will have to be changed, when that rewrites a large table."""
    tables: dict[str, list[DatedColumn]] = defaultdict(list)
    for column in view.observations.aftermath.dated:
        tables[column.table].append(column)
    for table, columns in tables.items():
        performed, action = _maker(view, table, tuple(column.name for column in columns))
        types = [
            f"{column.name} is {column.type}{' and the primary key' if column.is_key else ''}" for column in columns
        ]
        did = f"new columns of {table} will want another type: {listed(types)}"
        yield Match(performed, (), table, did, names(performed, action), severity="note")


def _cost(view: View, lookup: Lookup) -> str:
    """What was measured."""
    took = duration(lookup.seconds or 0.0)
    return f"to delete a row of {lookup.parent}, the server reads {rows_of(view, lookup.table)}, which took {took}"


def _maker(view: View, table: str, columns: tuple[str, ...]) -> tuple[Performed, Action]:
    """The operation that made the columns, or else the first that had to do with their table."""

    def part(performed: Performed) -> int:
        actions = [action for step in performed.steps for action in step.actions if action.table == table]
        made = any(action.column in columns for action in actions)
        return 2 if made else int(bool(actions) or (performed.operation and performed.operation.table) == table)

    maker = max(view.performed, key=part, default=None)
    known = maker if maker and part(maker) else Performed("", None, frozenset(), ())
    return known, Action("", table, column=columns[0], columns=columns)


HAZARDS = [
    Hazard(
        id="G01",
        name="fk-no-index",
        what="A foreign key with db_index=False, RunSQL ADD FOREIGN KEY, an index that a foreign key needs is dropped.",
        why="Each row that is deleted from the parent, or gets another key, makes the server read the whole table.",
        twin="Build an index that begins with the foreign key's columns, concurrently.",
        django=CONCURRENTLY,
        detect=key_without_index,
    ),
    Hazard(
        id="G02",
        name="leaf-nodes",
        what="Two migrations of one app that both follow the same one, as two branches have made them.",
        why="Django does not know which is the last, and refuses to migrate anything.",
        twin="Let Django join them, or make one depend on the other.",
        django="""# python manage.py makemigrations --merge $app
class Migration(migrations.Migration):
    dependencies = [("$app", ...), ("$app", ...)]
    operations = []""",
        detect=leaf_nodes,
    ),
    Hazard(
        id="G03",
        name="model-import",
        what="RunPython with a model that is imported from the app.",
        why="The class changes with the code: one day it asks for columns that are not there yet, and this fails.",
        twin="Ask the migration's own registry for the model.",
        django="""def forwards(apps, schema_editor):
    model = apps.get_model("$app", "$model")""",
        detect=model_import,
    ),
    Hazard(
        id="G04",
        name="style",
        what="An integer primary key, json, char(n), or a timestamp without time zone.",
        why="They run out, have no index, are padded, or change their meaning; to change them later is a rewrite.",
        twin="BigAutoField, JSONField, TextField and DateTimeField: bigint, jsonb, text and timestamp with time zone.",
        django="""# settings
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# columns of "$table"
models.JSONField()  # jsonb
models.TextField()  # or CharField, which is varchar
models.DateTimeField()  # timestamp with time zone""",
        detect=dated_type,
    ),
]
