"""Indexes that are there already: dropped or built anew in the ordinary way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, View
from greenroom.rehearsal.hazards.wording import names, rows_of, took

AX, SHARE = "AccessExclusiveLock", "ShareLock"


def drop_index_blocking(view: View) -> Iterator[Match]:
    """H04: the index's table is locked against everybody: unguarded, or beside other work."""
    for performed in view.performed:
        for step, action in performed.doing("drop index"):
            table = view.table_of_index(step, action.name)
            if table is None or not view.populated(table) or not view.holds(step, table, AX):
                continue
            if not view.bounded(step, "drop index"):
                did = f"dropping the index {action.name} locked {rows_of(view, table)} against everybody"
                facts = names(performed, replace(action, table=table)) | {"index": action.name}
                yield Match(performed, (step,), table, did, facts, lock_is_all=True, rows=view.rows(table))


def reindex_blocking(view: View) -> Iterator[Match]:
    """H07: indexes get new files while SHARE, or more, is held on their table."""
    for performed in view.performed:
        for step, action in performed.doing("reindex"):
            for rewrite in step.statement.rewrites:
                table = rewrite.table
                if rewrite.only_indexes and view.populated(table) and view.holds(step, table, SHARE, AX):
                    count = len(rewrite.indexes)
                    built = f"{count} index{' was' if count == 1 else 'es were'} built anew"
                    did = f"{built} from {rows_of(view, table)} {took(step)}"
                    facts = names(performed, replace(action, table=table)) | {"index": action.name}
                    django = ONE_INDEX if "INDEX" in action.words else None
                    yield Match(performed, (step,), table, did, facts, django, rows=view.rows(table))


REINDEX = """class Migration(migrations.Migration):
    atomic = False

    operations = [
        migrations.RunSQL('REINDEX %s', migrations.RunSQL.noop),
    ]"""
ONE_INDEX = REINDEX % 'INDEX CONCURRENTLY "$index"'

HAZARDS = [
    Hazard(
        id="H04",
        name="drop-index-blocking",
        what="RemoveIndex, AlterField(db_index=False), RunSQL DROP INDEX.",
        why="ACCESS EXCLUSIVE on the table is short, but behind one long reader everybody waits with it.",
        twin="Drop the index with RemoveIndexConcurrently, in a migration of its own with atomic = False.",
        django="""from django.contrib.postgres.operations import RemoveIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    operations = [
        RemoveIndexConcurrently("$model", "$index"),
    ]""",
        detect=drop_index_blocking,
    ),
    Hazard(
        id="H07",
        name="reindex-blocking",
        what="RunSQL REINDEX.",
        why="SHARE on the table stops writers, ACCESS EXCLUSIVE on the index all that would read through it.",
        twin="REINDEX CONCURRENTLY, in a migration with atomic = False.",
        django=REINDEX % 'TABLE CONCURRENTLY "$table"',
        detect=reindex_blocking,
    ),
]
