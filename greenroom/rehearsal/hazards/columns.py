"""New columns: what rewrites the table, what only works as long as it is empty, what the release before lacks."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.document import Rewrite
from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Performed, Step, View
from greenroom.rehearsal.hazards.wording import names, rewritten, rows_of

NOT_NULL_VIOLATION, UNIQUE_VIOLATION = "23502", "23505"


def add_not_null_bare(view: View) -> Iterator[Match]:
    """H18: a NOT NULL column without a value for the rows that are there."""
    for performed in view.performed:
        for step, action in performed.doing("add column"):
            if step.failed(NOT_NULL_VIOLATION) and "NOT NULL" in action.words:
                did = f"a NOT NULL column had no value for {rows_of(view, action.table)} (SQLSTATE 23502)"
                yield _failed(view, performed, step, action, did)


def unique_callable_default(view: View) -> Iterator[Match]:
    """H21: Django calls the default once, and gives that one value to every row of a unique column."""
    for performed in view.performed:
        for step, action in performed.doing("add column"):
            if step.failed(UNIQUE_VIOLATION) and {"unique", "callable default"} <= performed.traits:
                did = f"the callable default gave one value to {rows_of(view, action.table)} (SQLSTATE 23505)"
                yield _failed(view, performed, step, action, did)


def volatile_default(view: View) -> Iterator[Match]:
    """H20: a default that must be computed for each row rewrites the table."""
    for performed in view.performed:
        for step, action in performed.doing("add column"):
            rewrite = step.rewrite(action.table)
            kept = action.words & {"GENERATED", "IDENTITY", "SERIAL"}
            if rewrite and "DEFAULT" in action.words and not kept and view.populated(action.table):
                yield _rewrote(view, performed, step, action, rewrite, "a default for each row")


def generated_stored(view: View) -> Iterator[Match]:
    """H22: a column that is computed and stored is computed for every row at once."""
    for performed in view.performed:
        for step, action in performed.doing("add column"):
            rewrite = step.rewrite(action.table)
            if rewrite and action.words & {"GENERATED", "IDENTITY"} == {"GENERATED"} and view.populated(action.table):
                yield _rewrote(view, performed, step, action, rewrite, f"the generated column {action.column}")


def serial_add(view: View) -> Iterator[Match]:
    """H23: a column that takes its values from a sequence takes one for every row at once."""
    for performed in view.performed:
        for step, action in performed.doing("add column"):
            rewrite = step.rewrite(action.table)
            if rewrite and action.words & {"IDENTITY", "SERIAL"} and view.populated(action.table):
                yield _rewrote(view, performed, step, action, rewrite, f"numbering the new column {action.column}")


def default_dropped(view: View) -> Iterator[Match]:
    """H19: by the catalogue, a column that the release before does not know has to be given a value."""
    for found in view.observations.left.required_columns:
        doing = [
            (performed, step, action)
            for performed in view.performed
            for step, action in performed.doing("add column", "drop default", "set not null")
            if (action.table, action.column) == (found.table, found.column) and not step.statement.sqlstate
        ]
        performed = doing[-1][0] if doing else Performed("", None, frozenset(), ())
        action = doing[-1][2] if doing else Action("add column", table=found.table, column=found.column)
        did = f"the column {found.column} of {found.table} is NOT NULL and has no default in the database"
        did += ": an INSERT of the release before, which does not name it, gives it no value"
        steps = tuple(step for other, step, _ in doing if other is performed)
        yield Match(performed, steps, found.table, did, names(performed, action), severity="warning")


def _rewrote(view: View, performed: Performed, step: Step, action: Action, rewrite: Rewrite, what: str) -> Match:
    did = f"{what} rewrote {rewritten(view, step, action.table, rewrite)}"
    return Match(performed, (step,), action.table, did, names(performed, action), rows=view.rows(action.table))


def _failed(view: View, performed: Performed, step: Step, action: Action, did: str) -> Match:
    return Match(
        performed,
        (step,),
        action.table,
        did,
        names(performed, action),
        severity="failure",
        rows=view.rows(action.table),
    )


HAZARDS = [
    Hazard(
        id="H18",
        name="add-not-null-bare",
        what="AddField NOT NULL without a default.",
        why="It works on an empty table only: existing rows have no value, and the migration fails.",
        twin="Add the column nullable, fill it in batches, then make it NOT NULL; or give it a db_default.",
        django="""# first migration
migrations.AddField("$model", "$field", models.$field_class(null=True))
# or, where one value suits all: models.$field_class(db_default=...)

# second migration, atomic = False: fill it in batches
# third migration: AddConstraintNotValid(... $field IS NOT NULL); fourth: ValidateConstraint, then SET NOT NULL""",
        detect=add_not_null_bare,
        hides=frozenset({"H08", "H11"}),
    ),
    Hazard(
        id="H19",
        name="default-dropped",
        what="AddField(default=...): Django takes the default out of the database again.",
        why="The release that still runs does not name the column: its INSERT fails, for want of a value (23502).",
        twin="Give the column a db_default, which stays; or make it nullable until the next release.",
        django="""migrations.AddField("$model", "$field", models.$field_class(..., db_default=...))""",
        detect=default_dropped,
    ),
    Hazard(
        id="H20",
        name="volatile-default",
        what="AddField(db_default=RandomUUID()) and other defaults that differ from row to row.",
        why="The table and all its indexes are rewritten under ACCESS EXCLUSIVE.",
        twin="Add the column nullable, set the default for new rows only, and fill the old ones in batches.",
        django="""# first migration
migrations.AddField("$model", "$field", models.$field_class(null=True))
migrations.AlterField("$model", "$field", models.$field_class(null=True, db_default=...))

# second migration: fill the old rows in batches
class Migration(migrations.Migration):
    atomic = False

    operations = [migrations.RunPython(fill_in_batches, migrations.RunPython.noop)]""",
        detect=volatile_default,
        hides=frozenset({"H10", "H11", "H13", "H14"}),
    ),
    Hazard(
        id="H21",
        name="unique-callable-default",
        what="AddField(UUIDField(default=uuid4, unique=True)).",
        why="Django calls the default once for all rows: from two rows on it fails; on an empty table it passes.",
        twin="Add the column nullable and not unique, fill it in batches, then build the unique index concurrently.",
        django="""# first migration
migrations.AddField("$model", "$field", models.$field_class(default=..., null=True))

# second migration, atomic = False: give each row its own value, in batches
migrations.RunPython(fill_in_batches, migrations.RunPython.noop)

# third migration, atomic = False
migrations.RunSQL(
    'CREATE UNIQUE INDEX CONCURRENTLY "${table}_${column}_key" ON "$table" ("$column")',
    'DROP INDEX CONCURRENTLY "${table}_${column}_key"',
)

# fourth migration: ADD CONSTRAINT ... UNIQUE USING INDEX, and AlterField(unique=True) in the state""",
        detect=unique_callable_default,
        hides=frozenset({"H08", "H18"}),
    ),
    Hazard(
        id="H22",
        name="generated-stored",
        what="AddField(GeneratedField(db_persist=True)).",
        why="The table and all its indexes are rewritten under ACCESS EXCLUSIVE.",
        twin="An ordinary column that a trigger fills for new rows, and batches for the old; or a virtual one.",
        django="""# PostgreSQL 18 with Django 6.0: models.GeneratedField(..., db_persist=False) is computed when read

# first migration
migrations.AddField("$model", "$field", models.$field_class(..., null=True))

# second migration, first SET LOCAL lock_timeout = '$limit'
migrations.RunSQL("CREATE TRIGGER ... BEFORE INSERT OR UPDATE ...", "DROP TRIGGER ...")

# third migration, atomic = False
migrations.RunPython(fill_in_batches, migrations.RunPython.noop)""",
        detect=generated_stored,
        hides=frozenset({"H10", "H11"}),
    ),
    Hazard(
        id="H23",
        name="serial-add",
        what="AddField(AutoField), RunSQL ADD COLUMN ... serial or ... GENERATED AS IDENTITY.",
        why="Every row takes its number at once: the table and all its indexes are rewritten under ACCESS EXCLUSIVE.",
        twin="Add the column nullable, let a sequence number new rows, and number the old ones in batches.",
        django="""# first migration
migrations.AddField("$model", "$field", models.BigIntegerField(null=True))
migrations.RunSQL(
    [
        'CREATE SEQUENCE "${table}_${column}_seq" OWNED BY "$table"."$column"',
        'ALTER TABLE "$table" ALTER COLUMN "$column" SET DEFAULT nextval(...)',
    ],
    migrations.RunSQL.noop,
)

# second migration, atomic = False: number the old rows in batches, by nextval(...)
migrations.RunPython(fill_in_batches, migrations.RunPython.noop)""",
        detect=serial_add,
        hides=frozenset({"H08", "H10", "H11"}),
    ),
]
