"""Indexes and unique constraints: what builds an index stops writers, and under ACCESS EXCLUSIVE everybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Performed, Step, View
from greenroom.rehearsal.hazards.wording import names, rows_of, took
from greenroom.rehearsal.report.words import duration

AX, SHARE, SRX = "AccessExclusiveLock", "ShareLock", "ShareRowExclusiveLock"
UNIQUE_VIOLATION = "23505"
METHODS = {"GIN": "GinIndex", "GIST": "GistIndex", "SPGIST": "SpGistIndex", "BRIN": "BrinIndex", "HASH": "HashIndex"}
CONCURRENTLY = """from django.contrib.postgres.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    operations = [
        AddIndexConcurrently("$model", models.Index(fields=[$fields], name="$index")),
    ]"""


def builds(view: View) -> Iterator[tuple[Performed, Step, Action]]:
    """CREATE INDEX on tables that were there before, where the server was seen reading them."""
    for performed in view.performed:
        for step, action in performed.doing("create index"):
            if "CONCURRENTLY" not in action.words and view.populated(action.table) and step.scan(action.table):
                yield performed, step, action


def index_blocking(view: View) -> Iterator[Match]:
    """H01: the build holds SHARE, and it is no part of adding a column."""
    for performed, step, action in builds(view):
        alone = view.holds(step, action.table, SHARE) and not _of_new_column(view, performed, step, action)
        if alone and "UNIQUE" not in action.words:
            match = _built(view, performed, step, action, "an index was built from")
            yield replace(match, django=concurrent(action))


def concurrent(action: Action) -> str:
    """The same index by AddIndexConcurrently; what its statement says beside columns is left to the reader."""
    method = next((name for word, name in METHODS.items() if f"USING {word}" in action.words), "models.Index")
    what = "fields=[$fields]" if "PLAIN" in action.words else "..."
    imported = "" if method == "models.Index" else f"from django.contrib.postgres.indexes import {method}\n"
    return imported + CONCURRENTLY.replace("models.Index(fields=[$fields]", f"{method}({what}")


def like_index_twin(view: View) -> Iterator[Match]:
    """H02: beside the index that was asked for, Django has a second one of the same column built, for LIKE alone."""
    found = list(builds(view))
    for performed, step, action in found:
        if "PATTERN_OPS" not in action.words or not view.holds(step, action.table, SHARE, AX):
            continue
        same = [
            (s, a) for s, a in performed.doing("create index", "add constraint") if s is not step and _like(a, action)
        ]
        if same:
            steps = (*(s for s, a in same if a.kind == "create index"), step)
            seconds = duration(sum(s.statement.seconds for s in steps))
            column = action.column
            what = (
                f"two indexes of {column}, one for LIKE alone, were"
                if len(steps) > 1
                else f"an index of {column} for LIKE was"
            )
            did = f"{what} built from {rows_of(view, action.table)} in {seconds}"
            yield Match(performed, steps, action.table, did, names(performed, action), rows=view.rows(action.table))


def unique_partial(view: View) -> Iterator[Match]:
    """H09: a unique constraint that only an index can express; its build holds SHARE, or fails on the rows."""
    for performed in view.performed:
        for step, action in performed.doing("create index"):
            if _makes_unique(action) and view.populated(action.table) and step.failed(UNIQUE_VIOLATION):
                did = f"a unique index failed on {rows_of(view, action.table)}: some are equal (SQLSTATE 23505)"
                yield Match(performed, (step,), action.table, did, names(performed, action), severity="failure")
    for performed, step, action in builds(view):
        alone = view.holds(step, action.table, SHARE) and not _of_new_column(view, performed, step, action)
        if alone and "UNIQUE" in action.words:
            yield _built(view, performed, step, action, "a unique index was built from")


def index_under_ax(view: View) -> Iterator[Match]:
    """H03: an index of a column that the same operation has just added, so under the ACCESS EXCLUSIVE of that."""
    for performed, step, action in builds(view):
        if _of_new_column(view, performed, step, action):
            yield _built(view, performed, step, action, "an index was built under ACCESS EXCLUSIVE from")
    for performed in view.performed:
        for step, action in performed.doing("add column"):
            if {"UNIQUE"} <= action.words and action.parent and _scanned_under_ax(view, step, action):
                yield _built(view, performed, step, action, "with the column an index was built from")


def unique_constraint(view: View) -> Iterator[Match]:
    """H08: a unique constraint builds its index under ACCESS EXCLUSIVE, or fails on the rows that are there."""
    for performed in view.performed:
        for step, action in performed.doing("add constraint", "add column"):
            if not _makes_unique(action) or not view.populated(action.table):
                continue
            if step.failed(UNIQUE_VIOLATION):
                did = f"a unique constraint failed on {rows_of(view, action.table)}: some are equal (SQLSTATE 23505)"
                yield Match(performed, (step,), action.table, did, names(performed, action), severity="failure")
            elif not action.parent and _scanned_under_ax(view, step, action):
                yield _built(view, performed, step, action, "a unique constraint built its index from")


def _of_new_column(view: View, performed: Performed, step: Step, action: Action) -> bool:
    return any(performed.doing("add column")) and view.locked_before(step, action.table, AX)


def _like(one: Action, other: Action) -> bool:
    return (one.table, one.columns) == (other.table, other.columns) and "PATTERN_OPS" not in one.words


def _makes_unique(action: Action) -> bool:
    return "UNIQUE" in action.words and not action.words & {"USING INDEX", "CONCURRENTLY"}


def _scanned_under_ax(view: View, step: Step, action: Action) -> bool:
    return view.populated(action.table) and bool(step.scan(action.table)) and view.holds(step, action.table, AX)


def _built(view: View, performed: Performed, step: Step, action: Action, doing: str) -> Match:
    did = f"{doing} {rows_of(view, action.table)} {took(step)}"
    return Match(performed, (step,), action.table, did, names(performed, action), rows=view.rows(action.table))


HAZARDS = [
    Hazard(
        id="H01",
        name="index-blocking",
        what="AddIndex, AlterField(db_index=True): an index is built in the ordinary way.",
        why="CREATE INDEX holds SHARE on the table for the whole build: nobody can write.",
        twin="Build the index with AddIndexConcurrently, in a migration of its own with atomic = False.",
        django=CONCURRENTLY,
        detect=index_blocking,
    ),
    Hazard(
        id="H02",
        name="like-index-twin",
        what="A CharField, TextField or SlugField with db_index=True or unique=True.",
        why="Django has two indexes built, one of them for LIKE alone: twice the time, and twice the upkeep.",
        twin="Leave the field as it is, and build the one index that is wanted with AddIndexConcurrently.",
        django="""from django.contrib.postgres.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    operations = [
        AddIndexConcurrently("$model", models.Index(fields=[$fields], name="$index")),
        # where LIKE or startswith needs one: models.Index(..., opclasses=["varchar_pattern_ops"])
    ]""",
        detect=like_index_twin,
        hides=frozenset({"H01"}),
    ),
    Hazard(
        id="H03",
        name="index-under-AX",
        what="AddField of a foreign key, one-to-one or slug: the index is built in the column's own transaction.",
        why="ACCESS EXCLUSIVE on the table (and SHARE ROW EXCLUSIVE on a parent) stays held while the index is built.",
        twin="Add the column without an index, and build the index concurrently in the next migration.",
        django="""from django.contrib.postgres.operations import AddIndexConcurrently

# first migration
migrations.RunSQL("SET LOCAL lock_timeout = '$limit'", migrations.RunSQL.noop)
migrations.AddField("$model", "$field", models.$field_class(..., null=True, db_index=False))

# next migration
class Migration(migrations.Migration):
    atomic = False

    operations = [
        AddIndexConcurrently("$model", models.Index(fields=[$fields], name="$index")),
    ]""",
        detect=index_under_ax,
        hides=frozenset({"H01", "H02", "H14"}),
    ),
    Hazard(
        id="H08",
        name="unique-constraint",
        what="AddConstraint(UniqueConstraint), unique=True, AlterUniqueTogether.",
        why="The constraint's index is built under ACCESS EXCLUSIVE: nobody can read or write.",
        twin="Build a unique index concurrently, then make it the constraint with USING INDEX.",
        django="""# first migration
class Migration(migrations.Migration):
    atomic = False

    operations = [
        migrations.RunSQL(
            'CREATE UNIQUE INDEX CONCURRENTLY "$index" ON "$table" ($columns)',
            'DROP INDEX CONCURRENTLY "$index"',
        ),
    ]

# next migration
migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(
            'ALTER TABLE "$table" ADD CONSTRAINT "$index" UNIQUE USING INDEX "$index"',
            'ALTER TABLE "$table" DROP CONSTRAINT "$index"',
        ),
    ],
    state_operations=[migrations.AddConstraint("$model", models.UniqueConstraint(fields=[$fields], name="$index"))],
)""",
        detect=unique_constraint,
        hides=frozenset({"H01", "H03"}),
    ),
    Hazard(
        id="H09",
        name="unique-partial",
        what="UniqueConstraint with a condition, an expression, an opclass or INCLUDE.",
        why="Django makes it a unique index, whose build holds SHARE on the table: nobody can write.",
        twin="Build the unique index concurrently, and tell Django's state that it is the constraint.",
        django="""class Migration(migrations.Migration):
    atomic = False

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'CREATE UNIQUE INDEX CONCURRENTLY "$index" ON "$table" ($columns)',  # add WHERE ... for a condition
                    'DROP INDEX CONCURRENTLY "$index"',
                ),
            ],
            state_operations=[
                migrations.AddConstraint("$model", models.UniqueConstraint(fields=[$fields], name="$index")),
            ],
        ),
    ]""",
        detect=unique_partial,
    ),
]
