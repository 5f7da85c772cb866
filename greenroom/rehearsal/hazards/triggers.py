"""Triggers and row-level security: a moment's work, under a lock that lasts until the commit."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Step, View, at_least
from greenroom.rehearsal.hazards.wording import names, rows_of
from greenroom.rehearsal.report.words import mode

SRX = "ShareRowExclusiveLock"


def trigger_ddl(view: View) -> Iterator[Match]:
    """H38: a trigger is made, dropped or switched, unguarded or beside other work."""
    return _unbounded(view, "trigger", "a trigger")


def row_level_security(view: View) -> Iterator[Match]:
    """H39: a policy or the row-level security of a table is changed, unguarded or beside other work."""
    return _unbounded(view, "policy", "row-level security")


def _unbounded(view: View, kind: str, what: str) -> Iterator[Match]:
    for performed in view.performed:
        for step, action in performed.doing(kind):
            taken = [lk for lk in step.statement.locks if lk.table == action.table and at_least(lk.mode, SRX)]
            if taken and view.populated(action.table) and not (view.guarded(step) and not _writes(view, step)):
                strongest = max(taken, key=lambda lock: lock.blocks_reads)
                did = f"a change of {what} took {mode(strongest.mode)} on {rows_of(view, action.table)}"
                facts, rows = names(performed, action), view.rows(action.table)
                yield Match(performed, (step,), action.table, did, facts, lock_is_all=True, rows=rows)


def _writes(view: View, step: Step) -> bool:
    """Whether the app's rows are written in the same transaction: then the lock lasts as long as that takes."""
    steps = [other for other in view.transactions[step.transaction] if other.statement.operation is not None]
    return any(action.kind == "write" for other in steps for action in other.actions)


BOUNDED = """# a migration of its own; when it gives up, run migrate again
migrations.RunSQL(["SET LOCAL lock_timeout = '$limit'", '$ddl "$table" ...'], migrations.RunSQL.noop)"""

HAZARDS = [
    Hazard(
        id="H38",
        name="trigger-ddl",
        what="RunSQL CREATE TRIGGER, DROP TRIGGER, ENABLE or DISABLE TRIGGER, and the operations of django-pgtrigger.",
        why="It takes SHARE ROW EXCLUSIVE, DROP TRIGGER even ACCESS EXCLUSIVE, and keeps it until the commit.",
        twin="A migration of its own, with a lock_timeout and a retry.",
        django=BOUNDED.replace("$ddl", "CREATE TRIGGER ... ON"),
        detect=trigger_ddl,
    ),
    Hazard(
        id="H39",
        name="rls-policy",
        what="RunSQL CREATE POLICY, ALTER POLICY, DROP POLICY, ENABLE ROW LEVEL SECURITY.",
        why="ACCESS EXCLUSIVE is taken, and kept until the commit: behind one long reader, everybody waits.",
        twin="A migration of its own, with a lock_timeout and a retry.",
        django=BOUNDED.replace("$ddl", "CREATE POLICY ... ON"),
        detect=row_level_security,
    ),
]
