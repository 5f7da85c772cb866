"""Columns: what rewrites the table, and what only works as long as it is empty."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.document import Rewrite
from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Performed, Step, View
from greenroom.rehearsal.hazards.wording import names, rows_of, took
from greenroom.rehearsal.report.words import number, size

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
            if (
                rewrite
                and "DEFAULT" in action.words
                and "GENERATED" not in action.words
                and view.populated(action.table)
            ):
                did = f"a default for each row rewrote {rewritten(view, step, action.table, rewrite)}"
                yield Match(
                    performed, (step,), action.table, did, names(performed, action), rows=view.rows(action.table)
                )


def type_rewrite(view: View) -> Iterator[Match]:
    """H24: the new type is stored in another way, so every row is written anew."""
    for performed in view.performed:
        for step, action in performed.doing("alter type"):
            rewrite = step.rewrite(action.table)
            if rewrite and view.populated(action.table):
                did = f"the new type of {action.column} rewrote {rewritten(view, step, action.table, rewrite)}"
                facts = names(performed, action) | {"type": action.type}
                yield Match(performed, (step,), action.table, did, facts, rows=view.rows(action.table))


def rewritten(view: View, step: Step, table: str, rewrite: Rewrite) -> str:
    """`300,000 rows (38 MB) of shop_order and 3 indexes in 1.4 s`."""
    before = view.relation(table)
    rows = rows_of(view, table) if before else f"{number(rewrite.rows)} rows ({size(rewrite.size_bytes)}) of {table}"
    count = len(rewrite.indexes)
    indexes = f" and {count} index{'' if count == 1 else 'es'}" if count else ""
    return f"{rows}{indexes} {took(step)}"


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
        hides=frozenset({"H10", "H11", "H13"}),
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
        id="H24",
        name="type-rewrite",
        what="AlterField to a type that is stored differently: integer to bigint, a shorter varchar, another scale.",
        why="The table and all its indexes are rewritten under ACCESS EXCLUSIVE.",
        twin="Add a second column of the new type, write both, fill it in batches, then swap the names.",
        django="""# first migration; from then on the code writes both columns
migrations.AddField("$model", "${field}_new", models.$field_class(null=True))

# second migration, atomic = False: copy in batches
migrations.RunPython(copy_in_batches, migrations.RunPython.noop)

# third migration
migrations.RenameField("$model", "$field", "${field}_old")
migrations.RenameField("$model", "${field}_new", "$field")""",
        detect=type_rewrite,
        hides=frozenset({"H01", "H03", "H08", "H10", "H13", "H17"}),
    ),
]
