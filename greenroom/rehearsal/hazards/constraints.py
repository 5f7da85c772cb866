"""Checks and NOT NULL: what must be true of every row is looked up in every row, under ACCESS EXCLUSIVE."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Performed, Step, View
from greenroom.rehearsal.hazards.wording import names, rows_of, took

AX = "AccessExclusiveLock"
STOP_WRITERS = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", AX)
CHECK_VIOLATION, NOT_NULL_VIOLATION = "23514", "23502"


def check_validating(view: View) -> Iterator[Match]:
    """H10: a check is validated while ACCESS EXCLUSIVE is held."""
    for performed in view.performed:
        for step, action in performed.doing("add constraint", "validate"):
            if not view.populated(action.table):
                continue
            if step.failed(CHECK_VIOLATION):
                yield _failed(view, performed, step, action, "a check")
            elif _adds_check(action) and _scanned_under_ax(view, step, action.table):
                did = f"a check was validated by reading {rows_of(view, action.table)} {took(step)}"
                yield _match(view, performed, (step,), action, did)


def validated_under_lock(view: View) -> Iterator[Match]:
    """H12: VALIDATE lets everybody through, but an earlier statement of its transaction does not."""
    for performed in view.performed:
        for step, action in performed.doing("validate"):
            table = action.table
            if view.populated(table) and step.scan(table) and view.locked_before(step, table, *STOP_WRITERS):
                did = f"a constraint was validated by reading {rows_of(view, table)} {took(step)}"
                did += ", while an earlier statement's lock was held"
                yield _match(view, performed, (step,), action, did)


def inline_check_scan(view: View) -> Iterator[Match]:
    """H11: a column comes with a check and a default, so the check is looked up in every row."""
    for performed in view.performed:
        for step, action in performed.doing("add column"):
            if "CHECK" not in action.words or step.rewrite(action.table) or not view.populated(action.table):
                continue
            if step.failed(CHECK_VIOLATION):
                yield _failed(view, performed, step, action, "the new column's check")
            elif _scanned_under_ax(view, step, action.table):
                did = f"the new column's check was validated by reading {rows_of(view, action.table)} {took(step)}"
                yield _match(view, performed, (step,), action, did)


def set_not_null(view: View) -> Iterator[Match]:
    """H17: SET NOT NULL reads the table; Django's UPDATE of the NULLs before it runs under the same lock."""
    for performed in view.performed:
        for step, action in performed.doing("set not null"):
            if step.rewrite(action.table) or not view.populated(action.table):
                continue
            if step.failed(NOT_NULL_VIOLATION):
                yield _failed(view, performed, step, action, "NOT NULL")
                continue
            filling = tuple(s for s, a in performed.doing("write") if a.table == action.table and s.start < step.start)
            working = tuple(s for s in (*filling, step) if _scanned_under_ax(view, s, action.table))
            if working:
                seconds = max(working, key=lambda s: s.statement.seconds)
                filled = " and the UPDATE before it" if len(working) > 1 or working[0] is not step else ""
                did = f"SET NOT NULL{filled} read {rows_of(view, action.table)}, the longest {took(seconds)}"
                yield _match(view, performed, working, action, did)


def _adds_check(action: Action) -> bool:
    return action.kind == "add constraint" and "CHECK" in action.words and "NOT VALID" not in action.words


def _scanned_under_ax(view: View, step: Step, table: str) -> bool:
    return bool(step.scan(table)) and view.holds(step, table, AX)


def _failed(view: View, performed: Performed, step: Step, action: Action, what: str) -> Match:
    state = step.statement.sqlstate
    did = f"{what} failed on {rows_of(view, action.table)}: some do not keep to it (SQLSTATE {state})"
    return Match(
        performed,
        (step,),
        action.table,
        did,
        names(performed, action),
        severity="failure",
        rows=view.rows(action.table),
    )


def _match(view: View, performed: Performed, steps: tuple[Step, ...], action: Action, did: str) -> Match:
    return Match(performed, steps, action.table, did, names(performed, action), rows=view.rows(action.table))


HAZARDS = [
    Hazard(
        id="H10",
        name="check-validating",
        what="AddConstraint(CheckConstraint); a type with a check, such as PositiveIntegerField.",
        why="ADD CONSTRAINT CHECK holds ACCESS EXCLUSIVE while it reads every row.",
        twin="Add the check as NOT VALID, and validate it in the next migration, which blocks nobody.",
        django="""from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint

# first migration
AddConstraintNotValid("$model", models.CheckConstraint(condition=..., name="$constraint"))

# next migration
ValidateConstraint("$model", name="$constraint")""",
        detect=check_validating,
    ),
    Hazard(
        id="H11",
        name="inline-check-scan",
        what="AddField(PositiveIntegerField(default=...)): a column with a check and a default.",
        why="Nothing is rewritten, but ACCESS EXCLUSIVE is held while the check reads every row.",
        twin="Add the column without its check, then the check as NOT VALID, and validate it in the next migration.",
        django="""# first migration
migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.AddField("$model", "$field", models.IntegerField(db_default=...)),
        migrations.RunSQL(
            'ALTER TABLE "$table" ADD CONSTRAINT "${table}_${column}_check" CHECK ("$column" >= 0) NOT VALID',
            'ALTER TABLE "$table" DROP CONSTRAINT "${table}_${column}_check"',
        ),
    ],
    state_operations=[migrations.AddField("$model", "$field", models.$field_class(db_default=...))],
)

# next migration
migrations.RunSQL('ALTER TABLE "$table" VALIDATE CONSTRAINT "${table}_${column}_check"', migrations.RunSQL.noop)""",
        detect=inline_check_scan,
        hides=frozenset({"H10"}),
    ),
    Hazard(
        id="H12",
        name="validate-same-tx",
        what="AddConstraintNotValid and ValidateConstraint in one atomic migration; VALIDATE after other changes.",
        why="The lock of the first statement is held until the commit: the rows are read under it after all.",
        twin="Validate in the next migration, where nothing else has locked the table.",
        django="""# first migration: AddConstraintNotValid(...), or ADD CONSTRAINT ... NOT VALID

# next migration, and nothing else in it
migrations.RunSQL('ALTER TABLE "$table" VALIDATE CONSTRAINT "$constraint"', migrations.RunSQL.noop)""",
        detect=validated_under_lock,
    ),
    Hazard(
        id="H17",
        name="set-not-null",
        what="AlterField(null=False).",
        why="ACCESS EXCLUSIVE is held while every row is read, and while Django fills the NULLs with the default.",
        twin="Fill the NULLs in batches, add a check NOT VALID, validate it, then SET NOT NULL, which believes it.",
        django="""from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint

# first migration, after the NULLs were filled in batches
AddConstraintNotValid(
    "$model", models.CheckConstraint(condition=models.Q(${field}__isnull=False), name="${column}_not_null")
)

# second migration
ValidateConstraint("$model", name="${column}_not_null")

# third migration
migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(
            'ALTER TABLE "$table" ALTER COLUMN "$column" SET NOT NULL',
            'ALTER TABLE "$table" ALTER COLUMN "$column" DROP NOT NULL',
        ),
    ],
    state_operations=[migrations.AlterField("$model", "$field", models.$field_class(...))],
)
migrations.RemoveConstraint("$model", "${column}_not_null")""",
        detect=set_not_null,
        hides=frozenset({"H41", "H42"}),
    ),
]
