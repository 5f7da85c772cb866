"""Primary keys and exclusion constraints: what stands on an index is looked up, or built, under ACCESS EXCLUSIVE."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Performed, Step, View
from greenroom.rehearsal.hazards.wording import names, rows_of, took

AX = "AccessExclusiveLock"
NOT_NULL_VIOLATION, UNIQUE_VIOLATION, EXCLUSION_VIOLATION = "23502", "23505", "23P01"


def exclusion(view: View) -> Iterator[Match]:
    """H32: an exclusion constraint builds its index and compares each row with the others."""
    for performed, step, action in _added(view, "EXCLUDE"):
        if step.failed(EXCLUSION_VIOLATION):
            yield _failed(view, performed, step, action, "an exclusion constraint")
        elif _read_under_ax(view, step, action):
            did = f"an exclusion constraint built its index from {rows_of(view, action.table)} {took(step)}"
            yield Match(performed, (step,), action.table, did, names(performed, action), rows=view.rows(action.table))


def primary_key(view: View) -> Iterator[Match]:
    """H33: a primary key makes its columns NOT NULL, which reads the table even where the index is there."""
    for performed, step, action in _added(view, "PRIMARY KEY"):
        if step.failed(NOT_NULL_VIOLATION, UNIQUE_VIOLATION):
            yield _failed(view, performed, step, action, "a primary key")
        elif _read_under_ax(view, step, action):
            did = f"a primary key read {rows_of(view, action.table)} for NULLs {took(step)}"
            if "USING INDEX" not in action.words:
                did = f"a primary key built its index from {rows_of(view, action.table)} {took(step)}"
            yield Match(performed, (step,), action.table, did, names(performed, action), rows=view.rows(action.table))


def _added(view: View, word: str) -> Iterator[tuple[Performed, Step, Action]]:
    """Constraints of this kind, on tables with rows."""
    for performed in view.performed:
        for step, action in performed.doing("add constraint"):
            if word in action.words and view.populated(action.table):
                yield performed, step, action


def _read_under_ax(view: View, step: Step, action: Action) -> bool:
    return bool(step.scan(action.table)) and view.holds(step, action.table, AX)


def _failed(view: View, performed: Performed, step: Step, action: Action, what: str) -> Match:
    state = step.statement.sqlstate
    did = f"{what} failed on {rows_of(view, action.table)}: some do not keep to it (SQLSTATE {state})"
    facts, rows = names(performed, action), view.rows(action.table)
    return Match(performed, (step,), action.table, did, facts, severity="failure", rows=rows)


HAZARDS = [
    Hazard(
        id="H32",
        name="exclusion",
        what="AddConstraint(ExclusionConstraint).",
        why="Under ACCESS EXCLUSIVE its index is built and each row compared with the others; it knows no NOT VALID.",
        twin="Make a new table that has the constraint from the beginning, fill it in batches, then use it instead.",
        django="""# first migration
migrations.CreateModel(
    "new_$model", [...], options={"constraints": [ExclusionConstraint(name="$constraint", expressions=[...])]}
)

# second migration, atomic = False; from now on the code writes both tables
migrations.RunPython(copy_in_batches, migrations.RunPython.noop)

# third migration, when nothing uses the old one any more
migrations.DeleteModel("$model")""",
        detect=exclusion,
    ),
    Hazard(
        id="H33",
        name="pk-using-index-null",
        what="RunSQL ADD PRIMARY KEY, also USING INDEX, on columns that may be NULL.",
        why="The columns become NOT NULL by the way: ACCESS EXCLUSIVE is held while every row is read.",
        twin="Have NOT NULL first: a check NOT VALID, validated, then SET NOT NULL, which believes it; then the key.",
        django="""# first migration
migrations.RunSQL(
    'ALTER TABLE "$table" ADD CONSTRAINT "${column}_not_null" CHECK ("$column" IS NOT NULL) NOT VALID',
    'ALTER TABLE "$table" DROP CONSTRAINT "${column}_not_null"',
)

# second migration
migrations.RunSQL('ALTER TABLE "$table" VALIDATE CONSTRAINT "${column}_not_null"', migrations.RunSQL.noop)

# third migration; the unique index was built concurrently before
migrations.RunSQL(
    [
        'ALTER TABLE "$table" ALTER COLUMN "$column" SET NOT NULL',
        'ALTER TABLE "$table" ADD CONSTRAINT "$constraint" PRIMARY KEY USING INDEX ...',
        'ALTER TABLE "$table" DROP CONSTRAINT "${column}_not_null"',
    ],
    'ALTER TABLE "$table" DROP CONSTRAINT "$constraint"',
)""",
        detect=primary_key,
    ),
]
