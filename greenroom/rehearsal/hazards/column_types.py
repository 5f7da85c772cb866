"""Types of columns: what writes every row anew, what reads every row, and what takes the lock for nothing."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.document import Rewrite
from greenroom.rehearsal.hazards import partitioned
from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Performed, Step, View
from greenroom.rehearsal.hazards.wording import listed, names, rewritten, rows_of, took
from greenroom.rehearsal.report.words import duration

AX = "AccessExclusiveLock"


def type_rewrite(view: View) -> Iterator[Match]:
    """H24: the new type is stored in another way, so every row is written anew."""
    for performed in view.performed:
        for step, action, rewrite in _rewriting(view, performed):
            yield _rewrote(view, performed, step, action, rewrite, "the new type")


def pk_fanout(view: View) -> Iterator[Match]:
    """H25: with a key's type that of every column that refers to it changes, and all these tables are written anew."""
    for performed in view.performed:
        found = list(_rewriting(view, performed))
        tables = list(dict.fromkeys(action.table for _, action, _ in found))
        if len(tables) < 2:
            continue
        _, key, _ = found[0]
        made = [step for step, action in performed.doing("add constraint") if action.makes_foreign_key]
        steps = (*(step for step, _, _ in found), *made)
        whole = duration(sum(step.statement.seconds for step in steps))
        others = listed([rows_of(view, table) for table in tables[1:]])
        did = f"the new type of {key.column} rewrote {rows_of(view, key.table)} and, as they refer to it, {others}"
        did += f"; with {len(made)} foreign key{'' if len(made) == 1 else 's'} made again that took {whole}"
        facts, django = names(performed, key), None
        child = next((action for _, action, _ in found[1:] if partitions_of(view, action.table)), None)
        if child:
            facts |= {"child_table": child.table, "child_column": child.column}
            facts |= {"partitions": partitions_of(view, child.table)}
            django = partitioned.KEY_OF_PARTITIONS
        yield Match(performed, steps, key.table, did, facts, django, rows=view.rows(key.table))


def partitions_of(view: View, table: str) -> str:
    """As code lists them; empty where there are none."""
    relation = view.relation(table)
    return partitioned.names(relation) if relation else ""


def zone_rewrite(view: View) -> Iterator[Match]:
    """H26: a time gets a zone, or loses it, while the session's TimeZone is not UTC: every row is converted."""
    for performed in view.performed:
        for step, action, rewrite in _rewriting(view, performed):
            types = _types(view, action)
            if types and _only_zones_differ(*types) and "AT TIME ZONE" not in action.words:
                yield _rewrote(view, performed, step, action, rewrite, f"from {types[0]} to {types[1]}, the type")


def collation_reindex(view: View) -> Iterator[Match]:
    """H27: the rows stay as they are, but indexes of the column are built anew from all of them."""
    for performed in view.performed:
        for step, action in _reading(view, performed):
            indexes = view.rebuilt(action.table)
            if indexes:
                what = f"{listed(indexes)} {'was' if len(indexes) == 1 else 'were'} built anew"
                did = f"altering {action.column}, {what} from {rows_of(view, action.table)} {took(step)}"
                facts = names(performed, action)
                other = f"{facts['index'].removesuffix('_idx')[-21:].lstrip('_0123456789')}_collated"  # than theirs
                facts |= {"index": other}
                yield Match(performed, (step,), action.table, did, facts, rows=view.rows(action.table))


def rechecked(view: View) -> Iterator[Match]:
    """H28: the rows stay as they are, but the column's checks are looked up in all of them."""
    for performed in view.performed:
        for step, action in _reading(view, performed):
            checks = view.checks(action.table, action.column)
            if checks:
                did = (
                    f"altering {action.column}, {listed(checks)} {'was' if len(checks) == 1 else 'were'} checked again"
                )
                facts = names(performed, action) | {"constraint": checks[0]}
                did += f" by reading {rows_of(view, action.table)} {took(step)}"
                yield Match(performed, (step,), action.table, did, facts, rows=view.rows(action.table))


def comment_takes_lock(view: View) -> Iterator[Match]:
    """H29: the type was altered to the same type, because the column's comment is another."""
    for performed in view.performed:
        commented = {(action.table, action.column) for _, action in performed.doing("comment")}
        for step, action in performed.doing("alter type"):
            types = _types(view, action)
            idle = not step.rewrite(action.table) and not step.scan(action.table)
            if (action.table, action.column) not in commented or not idle or not view.populated(action.table):
                continue
            if types and types[0] == types[1] and view.holds(step, action.table, AX):
                did = f"for a comment on {action.column}, which stays {types[0]}"
                did += f", {rows_of(view, action.table)} were locked against everybody"
                facts = names(performed, action)
                yield Match(
                    performed, (step,), action.table, did, facts, lock_is_all=True, rows=view.rows(action.table)
                )


def _rewriting(view: View, performed: Performed) -> Iterator[tuple[Step, Action, Rewrite]]:
    for step, action in performed.doing("alter type"):
        rewrite = step.rewrite(action.table)
        if rewrite and view.populated(action.table):
            yield step, action, rewrite


def _reading(view: View, performed: Performed) -> Iterator[tuple[Step, Action]]:
    """Changes of a type that wrote nothing and yet read the whole table under ACCESS EXCLUSIVE."""
    for step, action in performed.doing("alter type"):
        table = action.table
        read = step.scan(table) and not step.rewrite(table) and view.populated(table)
        if read and view.holds(step, table, AX):
            yield step, action


def _types(view: View, action: Action) -> tuple[str, str] | None:
    """The column's type before the migrations and after, as the catalogue has it; None where one is not known."""
    before, after = view.column(action.table, action.column), view.column_after(action.table, action.column)
    return (before.type, after.type) if before and after else None


def _only_zones_differ(before: str, after: str) -> bool:
    """Whether both are timestamps of one precision, one with a zone and one without."""
    without, with_ = sorted((before, after), key=lambda shown: shown.endswith("with time zone"))
    both = before != after and before.startswith("timestamp")
    return both and without.replace("without time zone", "with time zone") == with_


def _rewrote(view: View, performed: Performed, step: Step, action: Action, rewrite: Rewrite, what: str) -> Match:
    did = f"{what} of {action.column} rewrote {rewritten(view, step, action.table, rewrite)}"
    return Match(performed, (step,), action.table, did, names(performed, action), rows=view.rows(action.table))


HAZARDS = [
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
        hides=frozenset({"H01", "H02", "H03", "H04", "H08", "H09", "H10", "H13", "H17"}),
    ),
    Hazard(
        id="H25",
        name="pk-fanout",
        what="AutoField to BigAutoField, and every other new type of a key that foreign keys refer to.",
        why="All tables that refer to it are rewritten too, and every key made again, in one transaction.",
        twin="A second key of the new type beside the old, in each of the tables; then swap them, one short step each.",
        django="""# first migrations: a second column, here and in each table that refers to it, filled by a trigger
migrations.AddField("$model", "${field}_new", models.BigIntegerField(null=True))

# second migration, atomic = False: fill them in batches
migrations.RunPython(fill_in_batches, migrations.RunPython.noop)

# third migration, atomic = False
migrations.RunSQL(
    'CREATE UNIQUE INDEX CONCURRENTLY "${table}_${column}_new" ON "$table" ("${column}_new")',
    'DROP INDEX CONCURRENTLY "${table}_${column}_new"',
)

# then NOT NULL by a check that is validated (H17); the foreign keys NOT VALID, validated in the next;
# last, with a lock_timeout: drop the old foreign keys; then the old key, rename the columns, USING INDEX""",
        detect=pk_fanout,
        hides=frozenset("H01 H02 H03 H04 H08 H09 H10 H13 H14 H15 H16 H17 H24".split()),
    ),
    Hazard(
        id="H26",
        name="tz-rewrite",
        what="RunSQL ALTER COLUMN ... TYPE timestamp with time zone in another TimeZone than UTC: without USE_TZ.",
        why="In UTC nothing has to be written; in every other zone the table and its indexes are rewritten.",
        twin="Where the times are in UTC, say so to the session; else a second column, filled in batches.",
        django="""# the stored times are in UTC; where they are not: a second column as for every other type
migrations.RunSQL("SET LOCAL TimeZone = 'UTC'", migrations.RunSQL.noop)
migrations.RunSQL('ALTER TABLE "$table" ALTER COLUMN "$column" TYPE $type', migrations.RunSQL.noop)""",
        detect=zone_rewrite,
        hides=frozenset({"H24"}),
    ),
    Hazard(
        id="H27",
        name="collation-reindex",
        what="AlterField(db_collation=...) of a column with an index.",
        why="No row is rewritten, but its indexes are built anew under ACCESS EXCLUSIVE.",
        twin="Leave the column, and build an index with the other collation concurrently; or add a second column.",
        django="""from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.models.functions import Collate


class Migration(migrations.Migration):
    atomic = False

    operations = [
        AddIndexConcurrently("$model", models.Index(Collate("$field", "..."), name="$index")),
    ]""",
        detect=collation_reindex,
        hides=frozenset({"H10", "H28"}),
    ),
    Hazard(
        id="H28",
        name="type-rechecks-check",
        what="AlterField to a type that rewrites nothing, of a column with a check.",
        why="ACCESS EXCLUSIVE is held while the check is looked up in every row again.",
        twin="Drop the check, alter the type, add the check NOT VALID, and validate it in the next migration.",
        django="""from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint

# first migration
migrations.RemoveConstraint("$model", "$constraint")
migrations.AlterField("$model", "$field", models.$field_class(...))
AddConstraintNotValid("$model", models.CheckConstraint(condition=..., name="$constraint"))

# next migration
ValidateConstraint("$model", name="$constraint")""",
        detect=rechecked,
    ),
    Hazard(
        id="H29",
        name="comment-takes-AX",
        what="AlterField(db_comment=...).",
        why="Django alters the type to the same type first: ACCESS EXCLUSIVE, for what by itself blocks nobody.",
        twin="Say the comment alone, and tell Django's state.",
        django="""migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL('COMMENT ON COLUMN "$table"."$column" IS ...', migrations.RunSQL.noop),
    ],
    state_operations=[migrations.AlterField("$model", "$field", models.$field_class(..., db_comment="..."))],
)""",
        detect=comment_takes_lock,
    ),
]
