"""CONCURRENTLY: what it needs, and what it leaves behind where it fails."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.document import Operation
from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.indexes import CONCURRENTLY
from greenroom.rehearsal.hazards.view import Match, Performed, Step, View
from greenroom.rehearsal.hazards.wording import names, rows_of, took

ACTIVE_SQL_TRANSACTION, LOCK_NOT_AVAILABLE = "25001", "55P03"
NOBODY = Performed("", None, frozenset(), ())


def in_transaction(view: View) -> Iterator[Match]:
    """H05: the server refuses it in a transaction; Django does before anything is sent, so its failure is the fact."""
    for performed, step, action in _concurrent(view):
        if step.failed(ACTIVE_SQL_TRANSACTION):
            did = "CONCURRENTLY was refused in a transaction (SQLSTATE 25001)"
            yield Match(
                performed, (step,), _table(view, step, action), did, names(performed, action), severity="failure"
            )
    refused = _refused_by_django(view)
    if refused:
        migration, operation = refused
        performed = Performed(migration, operation, frozenset(), ())
        did = f"{operation.kind} was refused in an atomic migration (NotSupportedError)"
        facts = names(performed, Action("create index", table=operation.table or ""))
        django = REMOVE if operation.kind.startswith("Remove") else None
        yield Match(performed, (), operation.table, did, facts, django, severity="failure")


def invalid_index_left(view: View) -> Iterator[Match]:
    """H06: the catalogue has an invalid index that was not there before, whatever ended its build."""
    for found in view.observations.left.invalid_indexes:
        table, index = found.table, found.index
        performed, step, action = _maker(view, table, index) or (NOBODY, None, Action("create index", table=table))
        state = step.statement.sqlstate if step else None
        how = "a failed CONCURRENTLY" + (f" (SQLSTATE {state})" if state else "")
        did = f"{how} left the index {index} on {rows_of(view, table)} invalid"
        facts = names(performed, action) | {"index": index}
        steps = (step,) if step else ()
        yield Match(performed, steps, table, did, facts, severity="failure", rows=view.rows(table))


def timeout_over_concurrently(view: View) -> Iterator[Match]:
    """H45: a lock_timeout is in force, which also limits its waits for all transactions older than itself."""
    for performed, step, action in _concurrent(view):
        table = _table(view, step, action)
        if not step.statement.polled or not view.guarded(step) or not (table and view.populated(table)):
            continue
        facts, rows = names(performed, action), view.rows(table)
        if step.failed(LOCK_NOT_AVAILABLE):
            did = f"CONCURRENTLY on {rows_of(view, table)} was ended by lock_timeout (SQLSTATE 55P03)"
            yield Match(performed, (step,), table, did, facts, severity="failure", rows=rows)
        elif not step.statement.sqlstate:
            did = f"CONCURRENTLY went over {rows_of(view, table)} {took(step)}, with a lock_timeout in force"
            yield Match(performed, (step,), table, did, facts, severity="note", rows=rows)


def _concurrent(view: View) -> Iterator[tuple[Performed, Step, Action]]:
    for performed in view.performed:
        for step, action in performed.doing("create index", "drop index", "reindex"):
            if "CONCURRENTLY" in action.words:
                yield performed, step, action


def _table(view: View, step: Step, action: Action) -> str | None:
    """That of the action, which DROP INDEX and REINDEX do not name."""
    return action.table or view.table_of_index(step, action.name)


def _refused_by_django(view: View) -> tuple[str, Operation] | None:
    """The operation that stopped an atomic migration without having reached the server, and its migration."""
    error = view.observations.error
    if error is None or error.exception != "NotSupportedError" or error.sqlstate:
        return None
    return next(
        (
            (error.migration, operation)
            for planned in view.observations.plan.migrations
            for operation in planned.operations
            if error.migration == f"{planned.app}.{planned.name}" and planned.atomic
            if error.operation == str(operation.index) and operation.kind.endswith("Concurrently")
        ),
        None,
    )


def _maker(view: View, table: str, index: str) -> tuple[Performed, Step, Action] | None:
    """Who built the index: by its name, or, as REINDEX makes names up, on its table."""
    made = [(p, s, a) for p, s, a in _concurrent(view) if _table(view, s, a) in (table, None)]
    named = (one for one in made if one[2].name.rpartition(".")[2] == index)
    return next(named, next((one for one in made if one[2].kind == "reindex"), None))


REMOVE = """class Migration(migrations.Migration):
    atomic = False

    operations = [
        RemoveIndexConcurrently("$model", "$index"),
    ]"""

HAZARDS = [
    Hazard(
        id="H05",
        name="concurrently-in-tx",
        what="AddIndexConcurrently or RemoveIndexConcurrently in an atomic migration, RunSQL ... CONCURRENTLY.",
        why="CONCURRENTLY commits in between, which no transaction allows: the migration fails everywhere.",
        twin="Give the migration atomic = False, and let nothing else stand in it: that would not be rolled back.",
        django=CONCURRENTLY,
        detect=in_transaction,
    ),
    Hazard(
        id="H06",
        name="invalid-index-leftover",
        what="AddIndexConcurrently or RunSQL ... CONCURRENTLY that fails or is cancelled.",
        why="The index stays, invalid: no query uses it, every write maintains it, and its name is taken.",
        twin="Drop what an earlier try has left before building, and mend the rows that it failed on.",
        django="""class Migration(migrations.Migration):
    atomic = False

    operations = [
        migrations.RunSQL('DROP INDEX CONCURRENTLY IF EXISTS "$index"', migrations.RunSQL.noop),
        ...,  # then what has failed, again: the rows that it failed on were mended in a migration before
    ]""",
        detect=invalid_index_left,
    ),
    Hazard(
        id="H45",
        name="timeout-kills-CIC",
        what="CONCURRENTLY under a lock_timeout.",
        why="It waits for every older transaction of the table; a lock_timeout ends that, and leaves an invalid index.",
        twin="Lift the lock_timeout for CONCURRENTLY alone: it makes nobody wait.",
        django="""from django.contrib.postgres.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", migrations.RunSQL.noop),
        AddIndexConcurrently("$model", models.Index(fields=[$fields], name="$index")),
        migrations.RunSQL("RESET lock_timeout", migrations.RunSQL.noop),
    ]""",
        detect=timeout_over_concurrently,
    ),
]
