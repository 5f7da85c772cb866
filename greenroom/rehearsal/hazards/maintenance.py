"""Maintenance by migration: tables and materialized views that are written anew or emptied as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Performed, View
from greenroom.rehearsal.hazards.wording import listed, names, rewritten, rows_of, took
from greenroom.rehearsal.report.words import number

AX = "AccessExclusiveLock"


def maintenance_rewrite(view: View) -> Iterator[Match]:
    """H30: CLUSTER, VACUUM FULL or a change of storage; what was rewritten tells on which tables."""
    for performed in view.performed:
        for step, action in performed.doing("cluster", "vacuum full", "move"):
            for rewrite in step.statement.rewrites:
                if not rewrite.only_indexes and view.populated(rewrite.table):
                    did = f"{_what(action)} rewrote {rewritten(view, step, rewrite.table, rewrite)}"
                    facts = _facts(performed, action, rewrite.table)
                    yield Match(performed, (step,), rewrite.table, did, facts, rows=view.rows(rewrite.table))


def refresh_matview(view: View) -> Iterator[Match]:
    """H31: a materialized view is filled anew, and nobody can read it meanwhile."""
    for performed in view.performed:
        for step, action in performed.doing("refresh"):
            if step.rewrite(action.table) and view.holds(step, action.table, AX) and view.populated(action.table):
                did = f"REFRESH made {rows_of(view, action.table)} anew {took(step)}"
                yield Match(
                    performed, (step,), action.table, did, names(performed, action), rows=view.rows(action.table)
                )


def truncate(view: View) -> Iterator[Match]:
    """H40: tables are emptied at once; with CASCADE also those that refer to them, and those that refer to these."""
    for performed in view.performed:
        for step, action in performed.doing("truncate"):
            emptied = {rewrite.table for rewrite in step.statement.rewrites if view.populated(rewrite.table)}
            if not emptied & view.locked(step, AX):
                continue
            tables = sorted(emptied, key=lambda table: (table != action.table, table))
            rows = sum(view.rows(table) or 0 for table in tables)
            did = f"TRUNCATE took {number(rows)} rows out of {listed(tables)} {took(step)}"
            facts = _facts(performed, action, tables[0])
            yield Match(performed, (step,), tables[0], did, facts, lock_is_all=True, rows=rows)


def _what(action: Action) -> str:
    return {"cluster": "CLUSTER", "vacuum full": "VACUUM FULL"}.get(
        action.kind, f"SET {' '.join(sorted(action.words))}"
    )


def _facts(performed: Performed, action: Action, table: str) -> dict[str, str]:
    """What the twin's `$names` stand for, where the statement may name no table, or another first."""
    return names(performed, Action(action.kind, table))


HAZARDS = [
    Hazard(
        id="H30",
        name="maintenance-rewrite",
        what="RunSQL with CLUSTER, VACUUM FULL, SET TABLESPACE, SET UNLOGGED or SET LOGGED.",
        why="The table and all its indexes are written anew under ACCESS EXCLUSIVE: nobody can read or write.",
        twin="Leave the rewrite to pg_repack, outside of the migrations; a plain VACUUM frees space and blocks nobody.",
        django="""class Migration(migrations.Migration):
    atomic = False

    # in place of a rewrite; where one is needed: pg_repack --table=$table, which locks for a moment at either end
    operations = [migrations.RunSQL('VACUUM (ANALYZE) "$table"', migrations.RunSQL.noop)]""",
        detect=maintenance_rewrite,
    ),
    Hazard(
        id="H31",
        name="refresh-matview",
        what="RunSQL REFRESH MATERIALIZED VIEW.",
        why="ACCESS EXCLUSIVE on the view is held while its whole query runs: nobody can read it.",
        twin="Give the view a unique index, and refresh it CONCURRENTLY: readers keep the old rows until the end.",
        django="""class Migration(migrations.Migration):
    atomic = False

    operations = [
        # it needs a unique index of plain columns on the view
        migrations.RunSQL('REFRESH MATERIALIZED VIEW CONCURRENTLY "$table"', migrations.RunSQL.noop),
    ]""",
        detect=refresh_matview,
    ),
    Hazard(
        id="H40",
        name="truncate",
        what="RunSQL TRUNCATE, with CASCADE above all.",
        why="ACCESS EXCLUSIVE on every table that it empties, which CASCADE may find far away.",
        twin="Delete the rows in batches, by primary key, the referring tables first.",
        django="""def delete_in_batches(apps, schema_editor):
    rows = apps.get_model("$app", "$model").objects.order_by("pk")
    while batch := list(rows.values_list("pk", flat=True)[:5000]):
        rows.model.objects.filter(pk__in=batch).delete()  # its own transaction, as the migration is not atomic


class Migration(migrations.Migration):
    atomic = False

    operations = [migrations.RunPython(delete_in_batches, migrations.RunPython.noop)]""",
        detect=truncate,
    ),
]
