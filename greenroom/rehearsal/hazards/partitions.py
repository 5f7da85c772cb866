"""Partitions: made, attached and detached, they lock the table that they are part of."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, View
from greenroom.rehearsal.hazards.wording import names, rows_of, took

AX = "AccessExclusiveLock"

CREATE_AND_ATTACH = """migrations.RunSQL(
    [
        'CREATE TABLE "$partition" (LIKE "$table" INCLUDING ALL)',
        'ALTER TABLE "$table" ATTACH PARTITION "$partition" FOR VALUES ...',
    ],
    'DROP TABLE "$partition"',
)"""


def attach(view: View) -> Iterator[Match]:
    """H36: the rows of a partition, or of the default one, are compared with the bounds under ACCESS EXCLUSIVE."""
    for performed in view.performed:
        for step, action in performed.doing("attach", "create partition"):
            for scan in step.statement.scans:
                if view.populated(scan.table) and view.holds(step, scan.table, AX):
                    did = f"a partition's bounds in {action.table} were checked by reading {rows_of(view, scan.table)}"
                    facts = names(performed, action) | {"partition": scan.table}
                    rows = view.rows(scan.table)
                    yield Match(performed, (step,), scan.table, f"{did} {took(step)}", facts, rows=rows)


def detach_or_create(view: View) -> Iterator[Match]:
    """H37: ACCESS EXCLUSIVE on the partitioned table, which stands for all its partitions."""
    for performed in view.performed:
        for step, action in performed.doing("detach", "create partition"):
            concurrently = "CONCURRENTLY" in action.words
            if view.populated(action.table) and view.holds(step, action.table, AX) and not concurrently:
                doing = "making" if action.kind == "create partition" else "detaching"
                did = f"{doing} the partition {action.name} locked {rows_of(view, action.table)} {took(step)}"
                django = CREATE_AND_ATTACH if action.kind == "create partition" else None
                facts = names(performed, action) | {"partition": action.name}
                rows = view.rows(action.table)
                yield Match(performed, (step,), action.table, did, facts, django, lock_is_all=True, rows=rows)


HAZARDS = [
    Hazard(
        id="H36",
        name="partition-attach",
        what="RunSQL ATTACH PARTITION of a table with rows, or beside a default partition with rows.",
        why="ACCESS EXCLUSIVE on that table is held while each row is compared with the partition's bounds.",
        twin="Give the table a check that says the same, NOT VALID, and validate it: then ATTACH reads nothing.",
        django="""# first migration
migrations.RunSQL(
    'ALTER TABLE "$partition" ADD CONSTRAINT "${partition}_bounds" CHECK (...) NOT VALID',
    'ALTER TABLE "$partition" DROP CONSTRAINT "${partition}_bounds"',
)

# second migration
migrations.RunSQL('ALTER TABLE "$partition" VALIDATE CONSTRAINT "${partition}_bounds"', migrations.RunSQL.noop)

# third migration
migrations.RunSQL(
    'ALTER TABLE "$table" ATTACH PARTITION ... FOR VALUES ...', 'ALTER TABLE "$table" DETACH PARTITION ...'
)""",
        detect=attach,
    ),
    Hazard(
        id="H37",
        name="partition-detach/create",
        what="RunSQL DETACH PARTITION, CREATE TABLE ... PARTITION OF.",
        why="ACCESS EXCLUSIVE on the partitioned table: nobody can read or write any of its partitions through it.",
        twin="Detach CONCURRENTLY; make the table alone and attach it: ATTACH lets readers and writers through.",
        django="""class Migration(migrations.Migration):
    atomic = False

    operations = [
        migrations.RunSQL('ALTER TABLE "$table" DETACH PARTITION "$partition" CONCURRENTLY', migrations.RunSQL.noop),
    ]""",
        detect=detach_or_create,
    ),
]
