"""Backfills: many rows changed in one transaction, under a lock or beside a change of the same table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Performed, Step, View
from greenroom.rehearsal.hazards.wording import listed, names, took
from greenroom.rehearsal.report.words import duration, number, size

AX = "AccessExclusiveLock"
PENDING_TRIGGER_EVENTS = "55006"  # object_in_use

FEW_ROWS = 1_000  # fewer are no backfill worth a word
PART = 0.1  # of the table: what is more is not a batch
MANY_ROWS = 100_000  # more are no batch either, however large the table
LONG = 2.0  # seconds that no batch lasts, of however few rows it is
A_WHILE = 0.05  # seconds: a change of rows that took this long counts, however few they are


def ddl_and_backfill(view: View) -> Iterator[Match]:
    """H41: rows are changed while the transaction holds ACCESS EXCLUSIVE from an earlier statement."""
    for performed, steps, action in backfills(view):
        changed = sum(step.statement.rows or 0 for step in steps)
        took_seconds = sum(step.statement.seconds for step in steps)
        locks = (lock for lock in view.held(steps[0]) if lock.mode == AX and lock.acquired_s < steps[0].start)
        locked = sorted({lock.table for lock in locks if view.populated(lock.table)})
        if changed and locked and (changed >= FEW_ROWS or took_seconds >= A_WHILE):
            under = f"ACCESS EXCLUSIVE on {listed(locked)} was held"
            did = f"{number(changed)} rows of {action.table} were changed in {duration(took_seconds)} while {under}"
            yield Match(performed, steps, action.table, did, names(performed, action), rows=changed)


def unbatched_backfill(view: View) -> Iterator[Match]:
    """H42: so many rows are changed in one transaction that their other writers wait for its end."""
    for performed, steps, action in backfills(view):
        rows = view.rows(action.table)
        steps = tuple(step for step in steps if "INSERT INTO" not in {word for a in step.actions for word in a.words})
        changed = sum(step.statement.rows or 0 for step in steps)
        many = rows is not None and changed >= min(MANY_ROWS, max(FEW_ROWS, PART * rows))
        if rows is None or not (many or (changed >= FEW_ROWS and _held(view, steps, action.table) >= LONG)):
            continue
        wal = sum(step.statement.wal_bytes or 0 for step in steps)
        did = f"{number(changed)} of {number(rows)} rows of {action.table} were changed in one transaction"
        did += f" {took(max(steps, key=lambda step: step.statement.seconds))}" + (
            f", {size(wal)} of WAL" if wal else ""
        )
        yield Match(performed, steps, action.table, did, names(performed, action), rows_only=True, rows=changed)


def _held(view: View, steps: tuple[Step, ...], table: str) -> float:
    """Seconds for which the changed rows were kept from others."""
    locks = (lock for lock in view.held(*steps) if lock.table == table and lock.mode == "RowExclusiveLock")
    return max((lock.held_ms / 1000 for lock in locks), default=0.0)


def pending_trigger_events(view: View) -> Iterator[Match]:
    """H43: rows with deferred foreign keys were changed, and the same transaction then wants to alter the table."""
    for performed in view.performed:
        for step in performed.steps:
            wrote = [
                (a.table, s) for s in view.before(step) for a in s.actions if a.kind == "write" and s.statement.rows
            ]
            if not (step.failed(PENDING_TRIGGER_EVENTS) and step.actions and wrote):
                continue
            action = step.actions[0]
            rows = sum(other.statement.rows or 0 for table, other in wrote if table == action.table)
            did = f"checks of {number(rows)} rows of {action.table} changed before are pending (SQLSTATE 55006)"
            yield Match(performed, (step,), action.table, did, names(performed, action), severity="failure", rows=rows)


def backfills(view: View) -> Iterator[tuple[Performed, tuple[Step, ...], Action]]:
    """Changes of rows by an operation, by transaction and table; Django's own bookkeeping is none."""
    for performed in view.performed:
        if performed.operation is None:
            continue
        found: dict[tuple[int, str], list[tuple[Step, Action]]] = defaultdict(list)
        for step, action in performed.doing("write"):
            if not step.statement.sqlstate:
                found[step.statement.transaction, action.table].append((step, action))
        for pairs in found.values():
            yield performed, tuple(step for step, _ in pairs), pairs[0][1]


BATCHES = """def fill_in_batches(apps, schema_editor):
    model = apps.get_model("$app", "$model")
    last = 0
    while True:
        batch = list(model.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:5000])
        if not batch:
            return
        model.objects.filter(pk__in=batch).update(...)  # its own transaction, as the migration is not atomic
        last = batch[-1]


class Migration(migrations.Migration):
    atomic = False

    operations = [migrations.RunPython(fill_in_batches, migrations.RunPython.noop)]"""

HAZARDS = [
    Hazard(
        id="H41",
        name="ddl-and-backfill",
        what="AddField and RunPython in one atomic migration.",
        why="ACCESS EXCLUSIVE of the schema change stays held for the whole backfill: nobody can read or write.",
        twin="Split the migration: the schema change alone, then the backfill in batches with atomic = False.",
        django="# first migration: the schema change alone\n\n# next migration\n" + BATCHES,
        detect=ddl_and_backfill,
        hides=frozenset({"H42"}),
    ),
    Hazard(
        id="H42",
        name="unbatched-backfill",
        what="RunPython with .update() or a loop over .all(), RunSQL UPDATE.",
        why="Every changed row stays locked until the transaction ends; the table and the WAL grow by as much.",
        twin="Change a few thousand rows at a time, by primary key, each batch in its own transaction.",
        django=BATCHES,
        detect=unbatched_backfill,
    ),
    Hazard(
        id="H43",
        name="pending-trigger-events",
        what="RunPython that writes, and a change of the same table, in one atomic migration.",
        why="Deferred checks of the changed rows are pending, so ALTER TABLE fails; on an empty table it passes.",
        twin="Split the migration: the data in one, the schema change in the next.",
        django="# first migration: the data\n" + BATCHES + "\n\n# next migration: the schema change of $table alone",
        detect=pending_trigger_events,
    ),
]
