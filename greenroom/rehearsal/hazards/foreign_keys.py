"""Foreign keys: made, made again or dropped, they lock two tables at once."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Step, View, at_least
from greenroom.rehearsal.hazards.wording import listed, names, rows_of, took

AX, SRX = "AccessExclusiveLock", "ShareRowExclusiveLock"

RENAMES = {
    "RenameField": """migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(
            'ALTER TABLE "$table" RENAME COLUMN "${field}_id" TO "$column"',
            'ALTER TABLE "$table" RENAME COLUMN "$column" TO "${field}_id"',
        ),
    ],
    state_operations=[migrations.RenameField("$model", "$field", ...)],
)""",
    "RenameModel": """migrations.SeparateDatabaseAndState(
    database_operations=[
        # the foreign keys that point here follow by themselves
        migrations.RunSQL(
            'ALTER TABLE "$old_table" RENAME TO "$parent_table"',
            'ALTER TABLE "$parent_table" RENAME TO "$old_table"',
        ),
    ],
    state_operations=[migrations.RenameModel(...)],
)""",
}
FOREIGN_KEY_VIOLATION = "23503"
MAKING = ("create table", "add column", "add constraint", "create index")  # what a new table or column takes


def fk_validating(view: View) -> Iterator[Match]:
    """H13: a foreign key is looked up for every row of its table, which is locked, and so is the parent."""
    for performed in view.performed:
        for step, action in performed.doing("add constraint", "add column", "validate"):
            if not view.populated(action.table):
                continue
            facts = names(performed, action)
            if step.failed(FOREIGN_KEY_VIOLATION):
                did = f"a foreign key failed on {rows_of(view, action.table)}: some point nowhere (SQLSTATE 23503)"
                yield Match(performed, (step,), action.table, did, facts, severity="failure")
            elif _looks_up(action) and step.scan(action.table) and _stops_writers(view, step, action.table):
                did = f"a foreign key to {action.parent} was validated by reading {rows_of(view, action.table)}"
                yield Match(
                    performed, (step,), action.table, f"{did} {took(step)}", facts, rows=view.rows(action.table)
                )


def fk_rebuild(view: View) -> Iterator[Match]:
    """H15: one operation drops a foreign key and adds it again, and the server validates it anew."""
    for performed in view.performed:
        dropped = {action.table: step for step, action in performed.doing("drop constraint")}
        for step, action in performed.doing("add constraint"):
            drop = dropped.get(action.table)
            if drop is None or not action.makes_foreign_key or step is drop:
                continue
            others = view.locked(step, AX) - {action.table}  # the parent may bear its old name there
            if step.scan(action.table) and view.holds(step, action.table, AX) and others:
                did = (
                    f"the foreign key to {action.parent} was dropped and added again, which read "
                    f"{rows_of(view, action.table)} {took(step)}"
                )
                django, facts, rows = RENAMES.get(performed.kind), names(performed, action), view.rows(action.table)
                yield Match(performed, (drop, step), action.table, did, facts, django, rows=rows)


def locks_parents(view: View) -> Iterator[Match]:
    """H14: a new table or column refers to tables that are in use, and stops their writers until the commit."""
    for performed in view.performed:
        made = [
            (step, action, [lock.table for lock in step.statement.locks if lock.mode == SRX])
            for step, action in performed.doing("create table", "add column", "add constraint")
            if action.parent and "NOT VALID" not in action.words and not view.bounded(step, *MAKING)
        ]
        parents = {table for _, action, locked in made for table in locked if table != action.table}
        parents = {table for table in parents if view.populated(table)}
        if parents:
            largest = max(parents, key=lambda table: view.rows(table) or 0)
            steps = tuple(step for step, _, locked in made if parents & {*locked})
            children = listed(sorted({action.table for _, action, _ in made}))
            did = f"foreign keys of {children} locked {listed([rows_of(view, table) for table in sorted(parents)])}"
            did += " against writers"
            facts = names(performed, made[0][1])
            yield Match(performed, steps, largest, did, facts, lock_is_all=True, rows=view.rows(largest))


def drop_locks_parent(view: View) -> Iterator[Match]:
    """H16: dropping a key, or a table with one, locks the parent against everybody: unguarded, or beside other work."""
    for performed in view.performed:
        for step, action in performed.doing("drop constraint", "drop table", "drop column"):
            parents = sorted({lock.table for lock in step.statement.locks if lock.mode == AX} - {action.table})
            if not parents or view.bounded(step, "drop constraint"):
                continue
            parent = next((table for table in parents if view.populated(table)), None)
            if parent:
                did = f"dropping what {action.table} had with {listed(parents)} locked both sides"
                facts = names(performed, action) | {"parent_table": parent}
                yield Match(performed, (step,), action.table, did, facts, lock_is_all=True, rows=view.rows(parent))


def _looks_up(action: Action) -> bool:
    """Whether the server looks up a parent for each row: not for a new column that is empty."""
    return action.makes_foreign_key and (action.kind == "add constraint" or "DEFAULT" in action.words)


def _stops_writers(view: View, step: Step, table: str) -> bool:
    return any(lock.table == table and at_least(lock.mode, SRX) for lock in view.held(step))


HAZARDS = [
    Hazard(
        id="H13",
        name="fk-validating",
        what="AlterField to a foreign key, RunSQL ADD FOREIGN KEY, a new foreign key with a default.",
        why="SHARE ROW EXCLUSIVE on both tables is held while each row's parent is looked up: nobody can write.",
        twin="Add the foreign key as NOT VALID, and validate it in the next migration: that lets writers through.",
        django="""# first migration
migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(
            'ALTER TABLE "$table" ADD CONSTRAINT "$constraint" FOREIGN KEY ($columns)'
            ' REFERENCES "$parent_table" ($parent_columns) DEFERRABLE INITIALLY DEFERRED NOT VALID',
            'ALTER TABLE "$table" DROP CONSTRAINT "$constraint"',
        ),
    ],
    state_operations=[migrations.AlterField("$model", "$field", models.ForeignKey("$parent", ...))],
)

# next migration
migrations.RunSQL('ALTER TABLE "$table" VALIDATE CONSTRAINT "$constraint"', migrations.RunSQL.noop)""",
        detect=fk_validating,
        hides=frozenset({"H14"}),
    ),
    Hazard(
        id="H14",
        name="fk-locks-parent",
        what="CreateModel or AddField with a foreign key or many-to-many field to a table that is in use.",
        why="SHARE ROW EXCLUSIVE is held on every parent until the commit: nobody can write to any of them.",
        twin="Use db_constraint=False; then each foreign key alone, NOT VALID, with a lock_timeout and a retry.",
        django="""# first migration: the model or field with models.ForeignKey(..., db_constraint=False)

# then a migration for each foreign key
migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL("SET LOCAL lock_timeout = '$limit'", migrations.RunSQL.noop),
        migrations.RunSQL(
            'ALTER TABLE "$table" ADD CONSTRAINT "$constraint" FOREIGN KEY ($columns)'
            ' REFERENCES "$parent_table" ($parent_columns) DEFERRABLE INITIALLY DEFERRED NOT VALID',
            'ALTER TABLE "$table" DROP CONSTRAINT "$constraint"',
        ),
    ],
    state_operations=[migrations.AlterField(...)],  # without db_constraint=False
)

# last migration: for each of them
migrations.RunSQL('ALTER TABLE "$table" VALIDATE CONSTRAINT "$constraint"', migrations.RunSQL.noop)""",
        detect=locks_parents,
    ),
    Hazard(
        id="H15",
        name="fk-rebuild",
        what="AlterField of a foreign key (null=...), RenameField of one, RenameModel.",
        why="Django drops the key and adds it again: ACCESS EXCLUSIVE on both tables while every row is looked up.",
        twin="Change in the database only what has to change, and tell Django's state the rest.",
        django="""migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(
            'ALTER TABLE "$table" ALTER COLUMN "$column" DROP NOT NULL',
            'ALTER TABLE "$table" ALTER COLUMN "$column" SET NOT NULL',
        ),
    ],
    state_operations=[migrations.AlterField("$model", "$field", models.ForeignKey("$parent", ..., null=True))],
)""",
        detect=fk_rebuild,
        hides=frozenset({"H13", "H14", "H16", "H17"}),
    ),
    Hazard(
        id="H16",
        name="drop-locks-parent",
        what="RemoveField of a foreign key, DeleteModel of a table with one, db_constraint=False.",
        why="ACCESS EXCLUSIVE is taken on the parent too: behind one long reader of either, everybody waits.",
        twin="Drop the foreign key alone, with a lock_timeout and a retry; the column or table in the next migration.",
        django="""# first migration: nothing else in it
migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(
            ["SET LOCAL lock_timeout = '$limit'", 'ALTER TABLE "$table" DROP CONSTRAINT "$constraint"'],
            migrations.RunSQL.noop,
        ),
    ],
    state_operations=[migrations.AlterField("$model", "$field", models.ForeignKey(..., db_constraint=False))],
)

# next migration: now "$parent_table" is not locked
migrations.RemoveField("$model", "$field")""",
        detect=drop_locks_parent,
    ),
]
